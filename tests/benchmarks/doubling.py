"""What twice as much costs, where a careless loop would take four times as long: every iterator, on awkward shapes.

The law: the row of a shape is that of its worst iterator. Sizes take turns, and the better of the turns counts.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from claude_stream import (
    MessageStream,
    collect,
    from_sse,
    iter_blocks,
    iter_events,
    iter_text,
    iter_thinking,
    iter_tool_calls,
    iter_tool_inputs,
    tap,
)
from claude_stream.testing import Recording, message_events

from .measure import Row, row
from .memory import MEGABYTE

TARGET = 2.2
TURNS = 3  # at least, and as many as there are in this time:
SECONDS = 2

ITERATORS: Mapping[str, Callable[[Any], Iterable[Any]]] = {
    "iter_events": iter_events,
    "iter_text": iter_text,
    "iter_thinking": iter_thinking,
    "iter_blocks": iter_blocks,
    "iter_tool_calls": iter_tool_calls,
    "iter_tool_calls, eager": lambda source: iter_tool_calls(source, eager=True),
    "iter_tool_inputs": iter_tool_inputs,
    "tap": lambda source: tap(source, lambda _: None),
    "MessageStream": MessageStream,
    "collect": lambda source: [collect(source)],
}


def _blocks(count: int) -> list[Any]:
    return message_events(*["x"] * count)


def _calls(count: int) -> list[Any]:
    return message_events(*[("tool", {})] * count)


def _body_in_chunks(length: int) -> Callable[[int], list[bytes]]:
    """Return what makes a body whose one delta has so many bytes, in chunks of this length."""

    def make(size: int) -> list[bytes]:
        body = Recording.from_events(message_events("x" * size, chunk=size)).body()
        return [body[at : at + length] for at in range(0, len(body), length)]

    return make


# By name: what makes it, of a size; the size; and who reads it. Where there is one event, nearly all of the time is the
# decoder's, which is the same for everybody.
SHAPES: Mapping[str, tuple[Callable[[int], list[Any]], int, Iterable[str]]] = {
    "100 000 blocks": (_blocks, 100_000, ITERATORS),
    "100 000 calls with empty input": (_calls, 100_000, ITERATORS),
    "16 MB in one event": (_body_in_chunks(16_384), 16 * MEGABYTE, ITERATORS),
    "5 MB in one event, byte by byte": (_body_in_chunks(1), 5 * MEGABYTE, ("iter_text", "MessageStream", "collect")),
}


def twice_as_much(share: float = 1) -> list[Row]:
    """Measure each shape, against half of it.

    Args:
        share: how much of it, for a quicker look.
    """
    return [
        max(_doubled(shape, make, int(size * share), names), key=lambda found: found.ratio or 0)
        for shape, (make, size, names) in SHAPES.items()
    ]


def _doubled(shape: str, make: Callable[[int], list[Any]], size: int, names: Iterable[str]) -> list[Row]:
    half, whole = make(size // 2), make(size)
    return [_turns(f"{shape}, {name}; against half as much", half, whole, ITERATORS[name]) for name in names]


def _turns(case: str, half: list[Any], whole: list[Any], read: Callable[[Any], Iterable[Any]]) -> Row:
    took: tuple[list[float], list[float]] = ([], [])
    deadline = time.monotonic() + SECONDS
    while len(took[0]) < TURNS or time.monotonic() < deadline:
        for samples, items in zip(took, (half, whole), strict=True):
            samples.append(_milliseconds(items, read))
    return row("Growth, worst of all iterators", case, "ms", [min(took[1])], [min(took[0])], target=TARGET)


def _milliseconds(items: list[Any], read: Callable[[Any], Iterable[Any]]) -> float:
    gc.collect()
    start = time.thread_time()
    deque(read(from_sse(items) if type(items[0]) is bytes else items), maxlen=0)
    return (time.thread_time() - start) * 1e3
