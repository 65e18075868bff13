"""How long a stream may keep us waiting, and who ends a wait that no thread can leave by itself.

The law: only waiting counts: the time that the consumer takes is not held against the stream. A ping is no progress,
but a sign of life, and so is any byte. `Patience` decides and knows no I/O; `Watchdog` ends a blocking read by
shutting down the socket that it waits on. All clocks are injected.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from .._errors import StreamTimeoutError
from .._steps.guard import Guard
from .connection import Connection

LINGER = 1.0
"""Seconds that a watchdog's thread waits for the next wait before it ends."""

_END: Any = object()


@dataclasses.dataclass(frozen=True)
class Limits:
    """Seconds of waiting: until the first content, from one event that is no ping to the next, and for any byte.

    Raises:
        ValueError: if one is not more than 0.
    """

    first: float | None = None
    idle: float | None = None
    silent: float | None = None
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        for name, seconds in (("first", self.first), ("idle", self.idle), ("silent", self.silent)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} is a number of seconds, more than 0, and not {seconds}")

    @classmethod
    def of(cls, first: float | None, idle: float | None, silent: float | None) -> Limits | None:
        """Return the limits, or None if there is none."""
        return None if first is None and idle is None and silent is None else cls(first, idle, silent)


class Patience:
    """What is left of the limits of one stream.

    Args:
        limits: the limits.
        guard: knows of content, of progress and of pings.
    """

    def __init__(self, limits: Limits, guard: Guard) -> None:
        self.clock = limits.clock
        self.moved: Callable[[], object] | None = None
        """Called when the end of the wait that is on has moved; see `left_now`."""
        self._limits = limits
        self._guard = guard
        self._first_left = limits.first
        self._idle = self._idle_left = limits.idle
        self._silent = limits.silent
        self._after_content = min((s for s in (limits.idle, limits.silent) if s is not None), default=None)
        self._progress = 0
        self._pings = 0
        self._last_ping: float | None = None
        self._start = 0.0  # of the wait that is on
        self._alive = 0.0  # when the last byte came, or the wait began

    def left(self, waited: float) -> float | None:
        """Count a wait that is over, and return how long the next one may be, or None for as long as it takes.

        Raises:
            StreamTimeoutError: if nothing is left.
        """
        guard = self._guard
        progress = guard.events - guard.pings
        if guard.pings != self._pings:
            self._pings, self._last_ping = guard.pings, self.clock()
        if progress != self._progress:
            self._progress = progress
            self._idle_left = self._idle
            if self._first_left is None:
                return self._after_content  # the way of nearly every event: one more after the content has begun
            self._first_left = None if guard.content_started else self._first_left - waited
        else:
            self.count(waited)
        limits = [seconds for seconds in (self._first_left, self._idle_left, self._silent) if seconds is not None]
        if limits and min(limits) <= 0:
            raise self.error()
        return min(limits, default=None)

    @property
    def counts_bytes(self) -> bool:
        """Whether bytes that are no event make a difference."""
        return self._silent is not None

    def begins(self, start: float) -> None:
        """Take note that a wait begins."""
        self._start = self._alive = start

    def touch(self) -> None:
        """Take note of bytes in the middle of a wait: where the SDK decodes them, a ping is no item that ends it."""
        self._alive = self.clock()
        if self.moved is not None:
            self.moved()

    def left_now(self) -> float:
        """Return how many seconds are left in the middle of a wait."""
        now = self.clock()
        waited, silent_for = now - self._start, now - self._alive
        return min(
            math.inf if self._first_left is None else self._first_left - waited,
            math.inf if self._idle_left is None else self._idle_left - waited,
            math.inf if self._silent is None else self._silent - silent_for,
        )

    def count(self, waited: float) -> None:
        """Count a wait."""
        if self._idle_left is not None:
            self._idle_left -= waited
        if self._first_left is not None:
            self._first_left -= waited

    def error(self) -> StreamTimeoutError:
        """Return the error for a wait that was too long."""
        limits, now = self._limits, self.clock()
        left: list[tuple[float, str]] = []
        if self._first_left is not None:
            left.append((self._first_left, f"no content in the first {limits.first:g} s, pings aside"))
        if self._idle_left is not None:
            left.append((self._idle_left, f"no event in {limits.idle:g} s, pings aside"))
        if self._silent is not None:
            left.append((self._silent - (now - self._alive), f"not a byte in {limits.silent:g} s"))
        _, what = min(left)
        ago = None if self._last_ping is None else now - self._last_ping
        error = StreamTimeoutError(what if ago is None else f"{what}; the last ping came {ago:.3g} s before")
        error.last_ping = ago
        return error


def watched(items: Iterator[Any], patience: Patience, connection: Connection | None) -> Iterator[Any]:
    """Yield items as long as none keeps us waiting for too long."""
    clock = patience.clock
    watchdog = None if connection is None else Watchdog(connection, clock)
    if watchdog is not None:
        patience.moved = functools.partial(_move, watchdog, patience)
    waited = 0.0
    try:
        while True:
            left = patience.left(waited)
            start = clock()
            patience.begins(start)
            if watchdog is not None and left is not None:
                watchdog.deadline = deadline = start + left
                if deadline < watchdog.wakes_at:
                    watchdog.wake()
            try:
                item = next(items, _END)
            except Exception as exc:
                patience.count(clock() - start)
                if watchdog is not None and watchdog.fired:
                    raise patience.error() from exc
                raise
            waited = clock() - start
            if watchdog is not None:
                watchdog.deadline = math.inf
            if item is _END:
                if watchdog is not None and watchdog.fired:
                    # A body that ends with its connection looks whole to the HTTP package when we shut that down.
                    patience.count(waited)
                    raise patience.error()
                return
            yield item
    finally:
        if watchdog is not None:
            watchdog.stop()


def _move(watchdog: Watchdog, patience: Patience) -> None:
    watchdog.deadline = patience.clock() + patience.left_now()


class Watchdog:
    """Shuts a connection down if a wait is not over in time. One thread, which is there only while it may be needed.

    Who waits sets `deadline` before each wait and to infinity behind it, and calls `wake` if the thread would look
    too late. This takes no lock: the thread says that it will look at no time before it looks at the deadline, so
    that one of the two sides sees what the other has written.

    Args:
        connection: what is waited on.
        clock: gives seconds.
    """

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.monotonic) -> None:
        self.fired = False
        self.deadline = math.inf
        self.wakes_at = math.inf
        self._connection = connection
        self._clock = clock
        self._stopped = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def watching(self) -> bool:
        """Whether its thread is there."""
        return self._thread is not None

    def wake(self) -> None:
        """Have the thread look at the deadline now."""
        with self._changed:
            if self._thread is not None:
                self._changed.notify()
                return
            thread = threading.Thread(target=self._watch, name="claude-stream-watchdog", daemon=True)
            # While the interpreter ends there are no threads: the limit is looked at whenever something arrives.
            with contextlib.suppress(RuntimeError):
                thread.start()
                self._thread = thread

    def stop(self) -> None:
        """There will be no more waits."""
        with self._changed:
            self.deadline, self._stopped = math.inf, True
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._stopped:
                self.wakes_at = math.inf
                deadline, now = self.deadline, self._clock()
                if deadline <= now:
                    self.fired = True
                    self._connection.shut_down()
                    break
                seconds = min(deadline - now, threading.TIMEOUT_MAX) if deadline < math.inf else LINGER
                self.wakes_at = now + seconds
                if not self._changed.wait(seconds) and self.deadline == math.inf:
                    break  # nobody has been waiting for a while: the next wait starts another thread
            self.wakes_at = math.inf
            self._thread = None
