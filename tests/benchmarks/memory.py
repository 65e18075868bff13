"""Peak memory, in child processes that make their input as they go, so that it is not counted.

The law: what is counted is what reading adds to a process that has done the same on a small scale before. No two
deltas are equal, so that no string stands for many. ``tracemalloc`` counts what Python allocates; the resident set is
what the system sees, with everything that is written in other languages.
"""

from __future__ import annotations

import itertools
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from claude_stream import Accumulator, collect, from_sse, iter_tool_inputs
from claude_stream.testing import message_events

from .bodies import piece, spaced, text_chunks
from .children import figures
from .clients import Transport, sync_client
from .measure import Row, row
from .readers import read_helper, read_ours

MEGABYTE = 10**6
_STATUS = Path("/proc/self/status")


def memory_of_text(megabytes: int) -> list[Row]:
    """Measure the peaks of a text of so many megabytes; the children run side by side, which memory does not mind."""
    size = megabytes * MEGABYTE
    deltas = size // len(piece(0))
    shapes = [name for name in RUNS if name.startswith("accumulator")]
    *traced, inputs, resident = figures(
        "memory", [*((name, "traced", deltas) for name in (*shapes, "inputs")), ("body", "resident", deltas)]
    )
    text = f"{megabytes} MB of text"
    rows = [
        _row(f"{name.capitalize()}, {text}, by tracemalloc; against the text", peak, size, 3)
        for name, peak in zip(shapes, traced, strict=True)
    ]
    rows.append(_row(f"iter_tool_inputs, {megabytes} MB of input, by tracemalloc; against the input", inputs, size, 4))
    return [*rows, _row(f"collect(from_sse()), {text}, by resident set; against the text", resident, size)]


def memory_of_reading(deltas: int) -> list[Row]:
    """Measure the peaks of reading a text with a client."""
    ours, theirs = figures("memory", [("ours", "traced", deltas), ("helper", "traced", deltas)])
    return [_row(f"open_stream, {spaced(deltas)} deltas, by tracemalloc; against messages.stream", ours, theirs)]


def _row(case: str, ours: float, theirs: float, target: float | None = None) -> Row:
    group = "Peak memory, in deltas of 6 characters"
    return row(group, case, "MB", [ours / MEGABYTE], [theirs / MEGABYTE], target=target)


def accumulating(make: Callable[[int], Iterator[dict[str, Any]]]) -> Callable[[int], int]:
    """Return what feeds an `Accumulator` with dicts, and returns how long the text is."""

    def run(deltas: int) -> int:
        accumulator = Accumulator()
        for event in make(deltas):
            accumulator.feed(event)
        return text_of(accumulator.result())

    return run


def delta(number: int, index: int = 0) -> dict[str, Any]:
    """Return one delta as a decoder would, new each time."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece(number)}}


def events(deltas: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a text."""
    frame = message_events("")
    yield from frame[:2]
    yield from map(delta, range(deltas))
    yield from frame[2:]


def with_pings(deltas: int) -> Iterator[dict[str, Any]]:
    """Yield them with a ping behind each delta."""
    for event in events(deltas):
        yield event
        if event["type"] == "content_block_delta":
            yield {"type": "ping"}


def two_open_blocks(deltas: int) -> Iterator[dict[str, Any]]:
    """Yield two texts that grow in turns, which the API has not been seen to do."""
    start, first, first_stop, second, second_stop, *end = message_events("", "")
    yield from (start, first, second)
    for number in range(deltas):
        yield delta(number, number % 2)
    yield from (first_stop, second_stop, *end)


def behind_many_blocks(deltas: int) -> Iterator[dict[str, Any]]:
    """Yield a text in a block whose index is no small number: Python has one object of each of those."""
    start, *blocks, last, last_stop, end, stop = message_events(*[""] * 301)
    yield from (start, *blocks, last)
    for number in range(deltas):
        yield delta(number, int("300"))
    yield from (last_stop, end, stop)


def input_events(deltas: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a tool call whose input is one long string."""
    frame = message_events(("tool", {}))  # its one delta is empty
    yield from frame[:2]
    for text in itertools.chain(['{"a":"'], map(piece, range(deltas)), ['"}']):
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text}}
    yield from frame[3:]


def length_of_inputs(deltas: int) -> int:
    """Read an input piece by piece, keep none, and return how long it is."""
    pieces = (len(found.delta) for found in iter_tool_inputs(input_events(deltas)))
    return sum(pieces) - len('{"a":""}')


def text_of(message: Any) -> int:
    """Return how long the text is: joining several blocks would take memory of its own."""
    return sum(len(block.text) for block in message.content)


def through_client(read: Callable[[Any], Any]) -> Callable[[int], int]:
    """Return what reads a body with a client, and returns how long the text is."""

    def run(deltas: int) -> int:
        text: str = read(SimpleNamespace(client=sync_client(Transport(text_chunks(deltas)))))[0]
        return len(text)

    return run


RUNS: dict[str, Callable[[int], int]] = {
    "accumulator": accumulating(events),
    "accumulator, with pings": accumulating(with_pings),
    "accumulator, two open blocks": accumulating(two_open_blocks),
    "accumulator, an index above 256": accumulating(behind_many_blocks),
    "body": lambda deltas: text_of(collect(from_sse(text_chunks(deltas)))),
    "inputs": length_of_inputs,
    "ours": through_client(read_ours),
    "helper": through_client(read_helper),
}


def resident(which: str) -> int:
    """Return the bytes of this process: now ("VmRSS") or at its peak ("VmHWM").

    Linux's ``ru_maxrss`` begins with what the parent had, so it is of no use in a child.
    """
    if _STATUS.exists():
        [line] = [line for line in _STATUS.read_text().splitlines() if line.startswith(which)]
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # of macOS: bytes, and the peak


def peak(run: Callable[[int], int], how: str, deltas: int) -> int:
    """Return how many bytes a run adds to this process at its peak."""
    run(100)
    if how == "traced":
        tracemalloc.start()
        length = run(deltas)
        found = tracemalloc.get_traced_memory()[1]
    else:
        before = resident("VmRSS")
        length = run(deltas)
        found = resident("VmHWM") - before
    if length != deltas * len(piece(0)):
        raise AssertionError("the text is not whole")
    return found


if __name__ == "__main__":
    print(peak(RUNS[sys.argv[1]], sys.argv[2], int(sys.argv[3])))
