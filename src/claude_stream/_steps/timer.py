"""When things happened in a stream, by a clock that starts before the request.

The law: one reading of one clock for each event but a ping. Times are seconds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

from .._json import OBJECT, Wire, is_count, is_object
from .._step import Step
from .._wire.events import initial_content, to_wire


class StreamTimer(Step[Any, Any]):
    """Measures a stream while its events are fed to it.

    The clock starts when the timer is made: make it before the request is sent.

    Args:
        clock: gives seconds, as `time.perf_counter` does.

    Example:
        >>> from claude_stream import StreamTimer, iter_text, tap
        >>> timer = StreamTimer()
        >>> text = "".join(iter_text(tap(events, timer.feed)))
        >>> timer.ttft <= timer.ttft_text <= timer.elapsed
        True
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._start = clock()
        self._last = math.inf  # when the last event but a ping came
        self._end: float | None = None
        self._output_tokens: int | None = None
        self.ttft: float | None = None
        """Seconds until the first content of any kind, thinking included, or None before it."""
        self.ttft_text: float | None = None
        """Seconds until the first visible text, or None before it."""
        self.longest_gap: float = 0.0
        """The longest time between two events that were no pings, in seconds."""

    def feed(self, item: Any) -> Iterable[Any]:
        """Take one event, and return it."""
        try:
            # Nearly every event is one more delta, of which only the gap in front of it is of interest.
            goes_on = (
                type(item) is OBJECT
                and item["type"] == "content_block_delta"
                and self._end is None
                and (self.ttft_text is not None or (self.ttft is not None and "text" not in item["delta"]))
            )
        except (KeyError, TypeError):
            goes_on = False
        wire: Any = item if goes_on else to_wire(item)
        if goes_on or (self._end is None and wire is not None and wire["type"] != "ping"):
            clock = self._clock  # not `self._clock()`, which looks for a method first
            now = clock()
            if (gap := now - self._last) > self.longest_gap:
                self.longest_gap = gap
            self._last = now
            if not goes_on:
                self._note(wire, now)
        return (item,)

    def _note(self, wire: Wire, now: float) -> None:
        if self.ttft_text is None:
            self._note_first(wire, now - self._start)
        self._note_end(wire, now)

    def _note_first(self, wire: Wire, elapsed: float) -> None:
        kind = wire["type"]
        if kind == "content_block_delta":
            self._note_content(wire.get("delta"), elapsed)
        elif kind == "content_block_start":
            self._note_content(wire.get("content_block"), elapsed)
        elif kind == "message_start" and is_object(wire.get("message")):
            for block in initial_content(wire):
                self._note_content(block, elapsed)

    def _note_content(self, content: Any, elapsed: float) -> None:
        if self.ttft is None:
            self.ttft = elapsed
        if is_object(content) and content.get("text"):
            self.ttft_text = elapsed

    def _note_end(self, wire: Wire, now: float) -> None:
        kind = wire["type"]
        if kind == "message_delta" and is_object(usage := wire.get("usage")):
            tokens = usage.get("output_tokens")
            if is_count(tokens) and tokens > 0:
                self._output_tokens = tokens
        elif kind == "message_stop":
            self._end = now

    def finish(self) -> Iterable[Any]:
        """Stop the clock: the stream has ended, if not by ``message_stop``."""
        if self._end is None:
            self._end = self._clock()
        return ()

    def fail(self, exc: Exception) -> Exception:
        """Stop the clock: the stream has failed. Its usage will not become final."""
        self._output_tokens = None
        self.finish()
        return exc

    @property
    def elapsed(self) -> float:
        """Seconds from the start to the end of the message, or to now if it has not ended."""
        return (self._clock() if self._end is None else self._end) - self._start

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens per second from the first content to the end; None until the usage is final."""
        if self._end is None or self._output_tokens is None or self.ttft is None:
            return None
        seconds = self.elapsed - self.ttft
        return self._output_tokens / seconds if seconds > 0 else None

    def __repr__(self) -> str:
        return f"StreamTimer(ttft={self.ttft}, ttft_text={self.ttft_text}, longest_gap={self.longest_gap})"
