"""Where the time of `open_stream` goes: its steps, one more each time, over the same chunks and without a client.

The law: a layer's own share is its row less the one above it; the last row has everything that is not a step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from claude_stream import StreamTimer
from claude_stream._step import Step, flow
from claude_stream._steps.builder import MessageBuilder
from claude_stream._wire.sse import SSEDecoder

from .bodies import spaced, text_body
from .measure import Bench, Case, Contest, Reader, Row
from .readers import SYNC, event_facts

STEPS: dict[str, Callable[[], Step]] = {
    "decoder": SSEDecoder,
    "accumulator": lambda: MessageBuilder(sourced=False),
    "timer": StreamTimer,
}


def through(count: int) -> Reader:
    """Return a reader that sends the chunks through so many of the steps."""

    def wires(bench: Bench) -> Iterator[Any]:
        return flow([make() for make in list(STEPS.values())[:count]], bench.transport.open().left)

    def read(bench: Bench) -> None:
        deque(wires(bench), maxlen=0)

    return Reader(read, lambda bench: list(wires(bench)), event_facts)


def layers(events: int, seconds: float) -> list[Row]:
    """Compare each layer with the whole."""
    body = text_body(events - text_body(0).events)
    readers = {name: SYNC[name] for name in ("bytes", "floor", "ours", "raw")}
    readers |= {name: through(count) for count, name in enumerate(STEPS, start=1)}
    cases = [
        Case("the HTTP client alone; against split and jiter", "bytes", "floor", "at most"),
        Case("split and jiter alone; against open_stream", "floor", "ours", "at most"),
        Case("the decoder; against open_stream", "decoder", "ours", "at most"),
        Case("decoder and accumulator; against open_stream", "accumulator", "ours", "at most"),
        Case("decoder, accumulator and timer; against open_stream", "timer", "ours", "at most"),
        Case("the HTTP client alone; against bare iteration of create()", "bytes", "raw", "at most"),
    ]
    group = f"Layers of open_stream: text, {spaced(events)} events, sync"
    return Contest(group, {name: (reader, body) for name, reader in readers.items()}, cases, seconds=seconds)()
