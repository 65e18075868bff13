"""What twice as much costs, where a careless loop would take four times as long: every iterator, on awkward shapes.

The law: the row of a shape is that of its worst iterator. Sizes take turns, and the better of the turns counts.
Python's collector is off: it looks at everything whenever the heap has grown by a quarter, so that one size has such a
look more than the other, or none. Memory that was freed stays with the process, since the time that the system takes to
hand it out again depends on what was freed before, and not on us.
"""

from __future__ import annotations

import contextlib
import ctypes
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
TURNS = 2
READINGS = 2  # in each

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
    _keep_memory()
    return [
        max(_doubled(shape, make, int(size * share), names), key=lambda found: found.ratio or 0)
        for shape, (make, size, names) in SHAPES.items()
    ]


def _doubled(shape: str, make: Callable[[int], list[Any]], size: int, names: Iterable[str]) -> list[Row]:
    took: dict[tuple[str, int], list[float]] = {(name, each): [] for name in names for each in (size // 2, size)}
    for _ in range(TURNS):
        for each in (size // 2, size):
            items = make(each)
            for name in names:
                took[name, each].extend(_milliseconds(items, ITERATORS[name]) for _ in range(READINGS))
    return [
        row(
            *(
                "Growth, worst of all iterators, without garbage collection",
                f"{shape}, {name}; against half as much",
                "ms",
            ),
            [min(took[name, size])],
            [min(took[name, size // 2])],
            target=TARGET,
        )
        for name in names
    ]


def _keep_memory() -> None:
    """Have glibc keep what is freed; elsewhere, nothing happens."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        library.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD


def _milliseconds(items: list[Any], read: Callable[[Any], Iterable[Any]]) -> float:
    gc.collect()
    gc.disable()
    try:
        start = time.thread_time()
        deque(read(from_sse(items) if type(items[0]) is bytes else items), maxlen=0)
        return (time.thread_time() - start) * 1e3
    finally:
        gc.enable()
