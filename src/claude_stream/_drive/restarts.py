"""A stream that is opened again if it fails before its first content, as one more source.

The law: a stream is reopened only as long as no content has left for the reader, so that nothing is ever shown
twice; events in front of the content are held back until then. A delay that is interrupted gives up.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

import anyio

from .._errors import StreamError
from .reader import BaseReader, Stage
from .timeouts import Limits

logger = logging.getLogger("claude_stream")

Reopen: TypeAlias = Callable[[Limits | None], BaseReader[Any, Any]]


def backoff(attempt: int) -> float:
    """Return how many seconds to wait before a restart: about 0.5, 1, 2, 4, and at most 8, with jitter.

    The same bounds as the SDK's own retries have.
    """
    return min(0.5 * 2.0 ** (attempt - 1), 8.0) * (1 - 0.25 * random.random())  # noqa: S311 - jitter is no secret


class Restarts(NamedTuple):
    """How often a stream is opened again, at the most, how long to wait before that, and who is told."""

    limit: int
    delay: Callable[[int], float]
    on_restart: Callable[[StreamError], object] | None = None


class Restarting(Stage):
    """The readers of one attempt after the other.

    Args:
        first: the reader of the first attempt, which feeds the builder.
        reopen: gives the reader of the next one, which feeds the same builder, within limits.
        restarts: how often, and when.
    """

    def __init__(self, first: BaseReader[Any, Any], reopen: Reopen, restarts: Restarts) -> None:
        super().__init__(first)
        self._reopen = reopen
        self._restarts = restarts
        self._limits: Limits | None = None
        self._count = 0
        self._stopped = threading.Event()
        self._held: deque[Any] = deque()
        self._error: StreamError | None = None  # for which no restart has begun
        self._released = False

    def _delay(self, error: StreamError) -> float | None:
        """Return how many seconds to wait before the next restart, or None if there is to be none."""
        restarts = self._restarts
        if error.content_started or not error.retryable or self._count >= restarts.limit:
            return None
        self._count += 1
        seconds = restarts.delay(self._count)
        logger.warning("restart %d of %d in %.2f s: %s", self._count, restarts.limit, seconds, error)
        if restarts.on_restart is not None:
            restarts.on_restart(error)
        return seconds

    def _shows(self) -> bool:
        """Whether what was held back may go: content has come, which is shown and cannot be taken back."""
        guard = self.builder.guard
        return guard.content_started or guard.stopped

    def _again(self) -> None:
        self._held.clear()
        self.builder.reset()
        self.inner = self._reopen(self._limits)
        if self._stopped.is_set():
            self.close()  # by who closed us while the request was on its way

    def limit(self, limits: Limits) -> None:
        """Let each attempt have all of its time."""
        super().limit(limits)
        self._limits = limits

    def iterate(self) -> Iterator[Any]:
        """Yield the wire dicts of the attempt that gives content, or of the last one."""
        while True:
            events = super().iterate()
            try:
                for wire in events:
                    self._held.append(wire)
                    if self._shows():
                        break
            except StreamError as error:
                seconds = self._delay(error)
                if seconds is not None and not self._stopped.wait(seconds):
                    self._again()
                    continue
                yield from self._held
                raise
            yield from self._held
            yield from events
            return

    def aiterate(self) -> Callable[[], Awaitable[Any]]:
        """Return what gives the next wire dict of the attempt that gives content, or of the last one."""
        return self._anext

    async def _anext(self) -> Any:
        while not (self._released or self._error):
            try:
                self._held.append(await super().aiterate()())
                self._released = self._shows()
            except StopAsyncIteration:
                self._released = True
            except StreamError as error:
                self._error = error
                seconds = self._delay(error)
                if seconds is not None:
                    self._delaying = anyio.Event()
                    with anyio.move_on_after(seconds):
                        await self._delaying.wait()
                    if not self._delaying.is_set():
                        self._error = None
                        self._again()
        if self._held:
            return self._held.popleft()
        if self._error is not None:
            raise self._error
        return await super().aiterate()()

    _delaying: anyio.Event | None = None  # made in the loop; set by a close

    async def aclose(self) -> None:
        """Close the attempt that is on, or end the delay before the next one."""
        if self._delaying is not None:
            self._delaying.set()
        await super().aclose()

    def close(self) -> None:
        """Do the same for a sync source."""
        self._stopped.set()
        super().close()
