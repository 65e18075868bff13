"""How long a stream may keep us waiting, and who ends a wait that no thread can leave by itself.

The law: only waiting counts, and only progress ends it. The time that the consumer takes is not held against the
stream, and a ping is no progress. `Patience` decides and knows no I/O; `Watchdog` ends a blocking read by
shutting down the socket that it waits on. All clocks are injected.
"""

from __future__ import annotations

import contextlib
import dataclasses
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
    """Seconds of waiting: until the first content, and from one event that is no ping to the next.

    Raises:
        ValueError: if one is not more than 0.
    """

    first: float | None = None
    idle: float | None = None
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        for name, seconds in (("first", self.first), ("idle", self.idle)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} is a number of seconds, more than 0, and not {seconds}")

    @classmethod
    def of(cls, first: float | None, idle: float | None) -> Limits | None:
        """Return the limits, or None if there is none."""
        return None if first is None and idle is None else cls(first, idle)


class Patience:
    """What is left of the limits of one stream.

    Args:
        limits: the limits.
        guard: knows of content and of progress.
    """

    def __init__(self, limits: Limits, guard: Guard) -> None:
        self.clock = limits.clock
        self._limits = limits
        self._guard = guard
        self._first_left = limits.first
        self._idle = self._idle_left = limits.idle
        self._progress = 0

    def left(self, waited: float) -> float | None:
        """Count a wait that is over, and return how long the next one may be, or None for as long as it takes.

        Raises:
            StreamTimeoutError: if nothing is left.
        """
        guard = self._guard
        progress = guard.events - guard.pings
        if progress != self._progress:
            self._progress = progress
            self._idle_left = self._idle
            if self._first_left is None:
                return self._idle  # the way of nearly every event: one more after the content has begun
            self._first_left = None if guard.content_started else self._first_left - waited
        else:
            self.count(waited)
        first, left = self._first_left, self._idle_left
        if first is not None and (left is None or first < left):
            left = first
        if left is not None and left <= 0:
            raise self.error()
        return left

    def count(self, waited: float) -> None:
        """Count a wait."""
        if self._idle_left is not None:
            self._idle_left -= waited
        if self._first_left is not None:
            self._first_left -= waited

    def error(self) -> StreamTimeoutError:
        """Return the error for a wait that was too long."""
        late_first = not self._guard.content_started and self._first_left is not None and self._first_left <= 0
        limits = self._limits
        what = f"no content in the first {limits.first:g} s" if late_first else f"no event in {limits.idle or 0:g} s"
        return StreamTimeoutError(f"{what}, pings aside")


def watched(items: Iterator[Any], limits: Limits, guard: Guard, connection: Connection | None) -> Iterator[Any]:
    """Yield items as long as none keeps us waiting for too long."""
    patience, clock = Patience(limits, guard), limits.clock
    watchdog = None if connection is None else Watchdog(connection, clock)
    waited = 0.0
    try:
        while True:
            left = patience.left(waited)
            start = clock()
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
                return
            yield item
    finally:
        if watchdog is not None:
            watchdog.stop()


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
        self._changed = threading.Condition(threading.Lock())
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
