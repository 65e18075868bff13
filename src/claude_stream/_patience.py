"""How long a stream may keep us waiting, and who ends a wait that no thread can leave by itself.

The law: only waiting counts, and only progress ends it. The time that the consumer takes is not
held against the stream, and a ping is no progress. `Patience` decides and knows no I/O; `Watchdog`
ends a blocking read by shutting down the socket that it waits on.
"""

from __future__ import annotations

import socket
import threading
import time

from ._errors import StreamTimeoutError
from ._guard import Guard
from ._source import shut_down

LINGER = 1.0
"""Seconds that a watchdog's thread waits for the next wait before it ends."""


class Patience:
    """What is left of two time limits, in seconds of waiting.

    Args:
        first: until the first content.
        idle: from one event that is no ping to the next.
    """

    def __init__(self, first: float | None, idle: float | None) -> None:
        for name, seconds in (("first", first), ("idle", idle)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name} is a number of seconds, more than 0, and not {seconds}")
        self.first = first
        self.idle = idle
        self.reset()

    def reset(self) -> None:
        """Start over, for a stream that does."""
        self._first_left = self.first
        self._idle_left = self.idle
        self._progress = 0

    def left(self, guard: Guard) -> float | None:
        """Return how long the next wait may be, or None for as long as it takes."""
        if guard.progress != self._progress:
            self._progress = guard.progress
            self._idle_left = self.idle
        first = None if guard.content_started else self._first_left
        return min((left for left in (first, self._idle_left) if left is not None), default=None)

    def waited(self, seconds: float) -> None:
        """Count a wait."""
        if self._first_left is not None:
            self._first_left -= seconds
        if self._idle_left is not None:
            self._idle_left -= seconds

    def error(self, guard: Guard) -> StreamTimeoutError:
        """Return the error for a wait that was too long."""
        late_first = not guard.content_started and self._first_left is not None and self._first_left <= 0
        what = f"no content in the first {self.first:g} s" if late_first else f"no event in {self.idle or 0:g} s"
        return StreamTimeoutError(f"{what}, pings aside")


class Watchdog:
    """Shuts a socket down if a wait is not over in time. One thread, which is there only while it may be needed."""

    def __init__(self, sock: socket.socket) -> None:
        self.fired = False
        self._sock = sock
        self._deadline: float | None = None
        self._wakes_at = 0.0
        self._stopped = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def watching(self) -> bool:
        """Whether its thread is there."""
        return self._thread is not None

    def arm(self, seconds: float) -> None:
        """A wait begins, which may take so many seconds."""
        with self._changed:
            self._deadline = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="claude-stream-watchdog", daemon=True)
                self._thread.start()
            elif self._deadline < self._wakes_at:
                self._changed.notify()  # else it looks again in time by itself, and costs nothing until then

    def disarm(self) -> None:
        """The wait is over."""
        with self._changed:
            self._deadline = None

    def stop(self) -> None:
        """There will be no more waits."""
        with self._changed:
            self._deadline, self._stopped = None, True
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._stopped:
                seconds = LINGER if self._deadline is None else self._deadline - time.monotonic()
                if self._deadline is not None and seconds <= 0:
                    self.fired = True
                    shut_down(self._sock)
                    break
                self._wakes_at = time.monotonic() + seconds
                if not self._changed.wait(max(seconds, 0)) and self._deadline is None:
                    break  # nobody has been waiting for a while: the next wait starts another thread
            self._thread = None
