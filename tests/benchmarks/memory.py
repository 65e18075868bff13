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

GROUP = "Peak memory, in deltas of 6 characters"
MEGABYTE = 10**6
_STATUS = Path("/proc/self/status")


def memory(megabytes: int, helper_deltas: int) -> list[Row]:
    """Measure the peaks of a text of so many megabytes, and of as many deltas as the SDK's helper can be asked to read.

    The children run side by side: it makes no difference to memory.
    """
    size = megabytes * MEGABYTE
    deltas = size // len(piece(0))
    jobs = [
        ("accumulator", "traced", deltas),
        ("body", "resident", deltas),
        ("ours", "traced", helper_deltas),
        ("helper", "traced", helper_deltas),
    ]
    accumulator, body, ours, helper = ([peak / MEGABYTE] for peak in figures("memory", jobs))
    text = [float(size) / MEGABYTE]
    whole = f"{megabytes} MB of text"
    through = f"open_stream, {spaced(helper_deltas)} deltas, by tracemalloc; against messages.stream"
    return [
        row(GROUP, f"Accumulator, {whole}, by tracemalloc; against the text", "MB", accumulator, text, target=3),
        row(GROUP, f"collect(from_sse()), {whole}, by resident set; against the text", "MB", body, text),
        row(GROUP, through, "MB", ours, helper),
    ]


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
