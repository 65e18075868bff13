"""What is measured, as data: the cases, and which of them the full form and the quick one have.

The law: a target stands at the figure that it is about, and nowhere else. Each is for 10 000 events, sync, unless its
line says otherwise; the same ratio at other lengths and on asyncio is shown without one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal

from .bodies import INPUT_SIZE, SHAPE, SHAPES, TOOL_80_KB, spaced, text_body, tool_body
from .clients import SDK_TRACES
from .concurrency import ALONE, concurrency
from .doubling import twice_as_much
from .growth import pauses, synthesised_by_length, text_by_length, tool_by_length, twice_the_input, twice_the_text
from .imports import import_time
from .layers import layers
from .measure import Case, Contest, Row
from .memory import memory_of_reading, memory_of_text
from .processes import in_processes
from .readers import ASYNC, SYNC
from .waiting import memory_of_waiting

Mode = Literal["sync", "asyncio"]
Measurement = Callable[[], list[Row]]

EVENTS = 10_000

STREAM = "open_stream: text, message, usage, timing; against messages.stream: text, message"
TARGETED = [
    Case("iter_text(create()); against bare iteration of the same stream", "iter_text", "raw", "at most"),
    Case(STREAM, "ours", "helper", target=15),
    Case("open_stream; against bare iteration of create()", "ours", "raw", target=5),
    Case("open_stream; against the floor (split, jiter)", "ours", "floor", "at most"),
    Case("every event of open_stream; against every event of messages.stream", "our events", "helper events", target=3),
]
TRACED = [
    Case(STREAM, "ours", "helper", target=5),
    Case("open_stream; against bare iteration of create()", "ours", "raw"),
]
LIMITED = "open_stream with restarts and all time limits; against without"
FURTHER = [
    Case(LIMITED, "limited", "ours", "at most", 1.25),
    Case(
        "iter_text(dicts), then .result() of the same reader; against the text alone",
        *("text of dicts, result", "text of dicts", "at most", 1.1),
    ),
]
SNAPSHOTS = [
    Case(
        "current_message_snapshot at each delta of open_stream; against the same with messages.stream",
        *("our snapshots", "helper snapshots", "at most", 1.0),
    )
]
FURTHER_ASYNC = [Case(LIMITED, "limited", "ours", "at most", 2.5)]
RELAY = [
    Case(
        "to_sse(open_stream); against to_json() of every event of messages.stream", "relay", "helper as JSON", target=10
    ),
    Case("to_sse(open_stream); against open_stream: text, message, usage, timing", "relay", "ours", "at most", 2),
]
MORE = [
    Case("iter_events(create()); against bare iteration of the same stream", "iter_events", "raw", "at most"),
    Case("collect(create()); against messages.stream: message", "collect", "helper message"),
    Case("messages.stream: text, message; against bare iteration of create()", "helper", "raw", "at most"),
    Case("the HTTP client alone, nothing decoded; against the floor", "bytes", "floor", "at most"),
]
TOOL = Case("open_stream: message, usage, timing; against messages.stream: message", "ours", "helper")
TOOL_MORE = [
    Case("open_stream; against bare iteration of create()", "ours", "raw"),
    Case("open_stream; against the floor (split, jiter)", "ours", "floor", "at most"),
    Case("iter_tool_calls(create()); against bare iteration of the same stream", "iter_tool_calls", "raw", "at most"),
    Case("collect(create()); against bare iteration of the same stream", "collect", "raw", "at most"),
]
TOOL_CALLS = Case("iter_tool_calls(create()); against messages.stream: message", "iter_tool_calls", "helper")
TOOL_TARGETED = dataclasses.replace(TOOL, target=80)


def untargeted(cases: Iterable[Case]) -> list[Case]:
    """Return the cases without their targets."""
    return [dataclasses.replace(case, target=None) for case in cases]


# 100 000 events: without what has a snapshot at each of them, which is 30 GB of text in all.
LONG = untargeted(TARGETED[:-1])


def text(
    events: int, cases: Iterable[Case], mode: Mode = "sync", *, traced: bool = False, seconds: float = 4, least: int = 3
) -> list[Row]:
    """Hold a contest over a text of so many events."""
    group = f"Text, {spaced(events)} events, {mode}{', traced' if traced else ''}"
    body = text_body(events - text_body(0).events)
    readers = SYNC if mode == "sync" else ASYNC
    sides = {name: (reader, body) for name, reader in readers.items()}
    return Contest(group, sides, list(cases), mode=mode, traced=traced, seconds=seconds, least=least)()


def tool(
    shape: str, deltas: int, cases: Iterable[Case], mode: Mode = "sync", *, seconds: float = 1, least: int = 1
) -> list[Row]:
    """Hold a contest over a tool input of that shape, in so many deltas."""
    body = tool_body(shape, deltas)
    group = f"Tool input ({shape}), {deltas * INPUT_SIZE // 1000} KB in {spaced(body.events)} events, {mode}"
    readers = SYNC if mode == "sync" else ASYNC
    sides = {name: (reader, body) for name, reader in readers.items()}
    return Contest(group, sides, list(cases), mode=mode, seconds=seconds, least=least)()


def traced(mode: Mode, cases: Iterable[Case], seconds: float = 2) -> list[Measurement]:
    """Return the contests of traced calls, if the installed SDK is one that traces."""
    return [partial(text, EVENTS, cases, mode, traced=True, seconds=seconds)] if SDK_TRACES else []


def full() -> list[Measurement]:
    """Return all that is measured, in the order of the table."""
    return [
        partial(text, EVENTS, TARGETED, seconds=9),
        partial(in_processes, 5),
        partial(text, EVENTS, FURTHER, seconds=4),
        partial(text, 16_000, SNAPSHOTS, seconds=1, least=2),
        partial(text, EVENTS, FURTHER_ASYNC, "asyncio", seconds=3),
        partial(text, EVENTS, RELAY, seconds=4),
        partial(text, EVENTS, untargeted(RELAY), "asyncio", seconds=1, least=2),
        partial(text, EVENTS, MORE, seconds=1, least=2),
        partial(layers, EVENTS, 4),
        *traced("sync", TRACED),
        partial(text, 1_000, untargeted([*TARGETED, *MORE]), seconds=1, least=2),
        partial(text, 100_000, LONG, least=1, seconds=1),
        partial(text, EVENTS, untargeted([*TARGETED, *MORE]), "asyncio", seconds=1, least=2),
        *traced("asyncio", untargeted(TRACED), seconds=1),
        partial(tool, SHAPE, TOOL_80_KB, [TOOL_TARGETED, TOOL_CALLS, *TOOL_MORE], least=2),
        *(partial(tool, shape, TOOL_80_KB, [TOOL, TOOL_CALLS]) for shape in SHAPES if shape != SHAPE),
        partial(tool, SHAPE, 1_000, [TOOL, TOOL_CALLS, *TOOL_MORE]),
        partial(tool, SHAPE, 1_000, [TOOL, TOOL_CALLS, *TOOL_MORE], "asyncio"),
        # From here on the SDK's helper is too slow: it parses the whole input again at each delta.
        partial(tool, SHAPE, 10_000, TOOL_MORE),
        partial(tool, SHAPE, 100_000, TOOL_MORE[:-1]),
        partial(text_by_length, (1_000, 10_000, 100_000)),
        partial(text_by_length, (1_000, 1_000_000)),
        partial(tool_by_length, (1_000, 10_000, 100_000)),
        partial(twice_the_input, 5),
        partial(twice_the_text, 5),
        synthesised_by_length,
        pauses,
        twice_as_much,
        partial(memory_of_text, 10),
        partial(memory_of_reading, EVENTS),
        partial(memory_of_waiting, 5_000),
        partial(import_time, 3),
        partial(concurrency, 500, 200),
        partial(concurrency, 50, 200, ALONE),
    ]


def quick() -> list[Measurement]:
    """Return what has a target, measured in fewer rounds, or on a smaller scale where that makes no difference."""
    return [
        partial(text, EVENTS, TARGETED, seconds=6),
        partial(in_processes, 3),
        partial(text, EVENTS, FURTHER, seconds=2),
        partial(text, 16_000, SNAPSHOTS, seconds=1, least=1),
        partial(text, EVENTS, FURTHER_ASYNC, "asyncio", seconds=2),
        partial(text, EVENTS, RELAY, seconds=2),
        *traced("sync", TRACED[:1], seconds=1),
        partial(tool, SHAPE, TOOL_80_KB, [TOOL_TARGETED], seconds=3),
        partial(twice_the_input, 5),
        synthesised_by_length,
        partial(memory_of_text, 3),
        partial(memory_of_waiting, 1_000),
        partial(import_time, 2),
    ]
