"""Peak memory, in child processes that make their input as they go, so that it is not counted.

The law: what is counted is what reading adds to a process that has done the same on a small scale before. No two
deltas are equal, so that no string stands for many. ``tracemalloc`` counts what Python allocates; the resident set is
what the system sees, with everything that is written in other languages.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from claude_stream import Accumulator, collect, from_sse
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
    traced, resident = figures("memory", [("accumulator", "traced", deltas), ("body", "resident", deltas)])
    found = {
        "Accumulator, {}, by tracemalloc": (traced, 3),
        "collect(from_sse()), {}, by resident set": (resident, None),
    }
    return [
        _row(f"{name.format(f'{megabytes} MB of text')}; against the text", peak, size, target)
        for name, (peak, target) in found.items()
    ]


def memory_of_reading(deltas: int) -> list[Row]:
    """Measure the peaks of reading a text with a client."""
    ours, theirs = figures("memory", [("ours", "traced", deltas), ("helper", "traced", deltas)])
    return [_row(f"open_stream, {spaced(deltas)} deltas, by tracemalloc; against messages.stream", ours, theirs)]


def _row(case: str, ours: float, theirs: float, target: float | None = None) -> Row:
    group = "Peak memory, in deltas of 6 characters"
    return row(group, case, "MB", [ours / MEGABYTE], [theirs / MEGABYTE], target=target)


def accumulate(deltas: int) -> str:
    """Feed an `Accumulator` with dicts, and return the text of the message."""
    accumulator = Accumulator()
    for event in events(deltas):
        accumulator.feed(event)
    return text_of(accumulator.result())


def events(deltas: int) -> Iterator[dict[str, Any]]:
    """Yield the events of a text as a decoder would, each one new."""
    frame = message_events("")
    yield from frame[:2]
    for number in range(deltas):
        delta = {"type": "text_delta", "text": piece(number)}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield from frame[2:]


def text_of(message: Any) -> str:
    return "".join([block.text for block in message.content])  # the string itself, if it is one


def through_client(read: Callable[[Any], Any]) -> Callable[[int], str]:
    """Return what reads a body with a client, and returns the text."""

    def run(deltas: int) -> str:
        text: str = read(SimpleNamespace(client=sync_client(Transport(text_chunks(deltas)))))[0]
        return text

    return run


RUNS: dict[str, Callable[[int], str]] = {
    "accumulator": accumulate,
    "body": lambda deltas: text_of(collect(from_sse(text_chunks(deltas)))),
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


def peak(run: Callable[[int], str], how: str, deltas: int) -> int:
    """Return how many bytes a run adds to this process at its peak."""
    run(100)
    if how == "traced":
        tracemalloc.start()
        text = run(deltas)
        found = tracemalloc.get_traced_memory()[1]
    else:
        before = resident("VmRSS")
        text = run(deltas)
        found = resident("VmHWM") - before
    if len(text) != deltas * len(piece(0)):
        raise AssertionError("the text is not whole")
    return found


if __name__ == "__main__":
    print(peak(RUNS[sys.argv[1]], sys.argv[2], int(sys.argv[3])))
