"""How cost grows with length, and how long anything waits for a single event.

The law: the input is of the same kind at every length, and new at every event.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from claude_stream import Accumulator
from claude_stream.testing import message_events

from .bodies import INPUT_SIZE, SHAPE, TOOL_80_KB, Body, input_of, piece, spaced, text_body, tool_body
from .children import figures
from .measure import Case, Contest, Reader, Row
from .memory import MEGABYTE, events
from .readers import SYNC

GROUP = "Growth"


def per_event(
    what: str, reader: Reader, body: Callable[[int], Body], sizes: Sequence[int], target: float | None = None
) -> list[Row]:
    """Hold a contest between lengths: the cost of an event, against that at the smallest length."""
    sides = {spaced(size): (reader, body(size)) for size in sizes}
    first, *others = sides
    cases = [
        Case(f"{what}, {size} events; against {first}, per event", size, first, "at most", target) for size in others
    ]
    return Contest(GROUP, sides, cases, seconds=1, least=1)()


def text_by_length(sizes: Sequence[int]) -> list[Row]:
    return per_event("open_stream, text", SYNC["ours"], text_body, sizes)


def tool_by_length(sizes: Sequence[int]) -> list[Row]:
    return per_event("open_stream, tool input", SYNC["ours"], lambda size: tool_body(SHAPE, size), sizes)


def synthesised_by_length() -> list[Row]:
    """Measure every event: a text's snapshot is as long as what came before, and an input's is for who looks at it."""
    reader = SYNC["our events"]
    tools = "every event of open_stream, tool input, no snapshot looked at"
    return [
        *per_event("every event of open_stream, text", reader, text_body, (1_000, 10_000)),
        *per_event(tools, reader, lambda size: tool_body(SHAPE, size), (TOOL_80_KB // 4, TOOL_80_KB), 1.2),
    ]


def twice_the_input(rounds: int) -> list[Row]:
    """Measure a whole message with a tool input of twice the length."""
    bodies = {"80 KB": tool_body(SHAPE, TOOL_80_KB), "160 KB": tool_body(SHAPE, 2 * TOOL_80_KB)}
    case = Case("tool input of 160 KB; against that of 80 KB", "160 KB", "80 KB", "at most", 2.2)
    return _twice(bodies, case, rounds)


def twice_the_text(rounds: int) -> list[Row]:
    """Measure a whole message with a text of twice the length."""
    bodies = {"10 000": text_body(10_000), "20 000": text_body(20_000)}
    case = Case("text of 20 000 events; against that of 10 000", "20 000", "10 000", "at most")
    return _twice(bodies, case, rounds)


def _twice(bodies: Mapping[str, Body], case: Case, rounds: int) -> list[Row]:
    sides = {name: (SYNC["ours"], body) for name, body in bodies.items()}
    return Contest(GROUP, sides, [case], whole=True, least=rounds, most=rounds)()


def pauses() -> list[Row]:
    """Measure the longest time that one `feed` takes, in processes of their own: the better of two each."""
    took = figures("growth", [("text", 10 * MEGABYTE), ("tool", MEGABYTE)] * 2)
    return [
        Row(GROUP, "the longest pause inside one feed: a text block of 10 MB", min(took[0::2]), "ms"),
        Row(GROUP, "the longest pause inside one feed: a tool input of 1 MB", min(took[1::2]), "ms"),
    ]


def tool_events(characters: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a tool call with so much input."""
    text = json.dumps(input_of(SHAPE, characters))
    frame = message_events(("tool", {}))  # its one delta is empty
    yield from frame[:3]
    for start in range(0, len(text), INPUT_SIZE):
        delta = {"type": "input_json_delta", "partial_json": text[start : start + INPUT_SIZE]}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield from frame[3:]


def longest_pause(source: Iterator[dict[str, Any]]) -> float:
    """Return how many milliseconds of the thread's CPU time the slowest `feed` took."""
    accumulator = Accumulator()
    longest = 0.0
    clock = time.thread_time
    for event in source:
        start = clock()
        accumulator.feed(event)
        longest = max(longest, clock() - start)
    if not accumulator.complete or longest <= 0:
        raise AssertionError("nothing was measured")
    return longest * 1e3


if __name__ == "__main__":
    size = int(sys.argv[2])
    print(longest_pause(events(size // len(piece(0))) if sys.argv[1] == "text" else tool_events(size)))
