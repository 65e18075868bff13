"""Waiting no longer than so long, and starting over while nothing has been shown.

The law: a stream is reopened only as long as no content has left for the reader, so that nothing is
ever shown twice; events in front of the content are held back until then. What decides is plain
code that both drivers share; each driver adds only its way to sleep and to read.
"""

from __future__ import annotations

import functools
import logging
import random
import threading
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any, overload

import anyio
from anthropic.types import RawMessageStreamEvent

from ._drive import AsyncDriver, Driver, SyncDriver, drive, interruption
from ._errors import StreamError
from ._guard import Guard
from ._message import Accumulator
from ._patience import Patience

logger = logging.getLogger("claude_stream")


@overload
def with_timeout(
    source: Iterable[Any], /, *, first: float | None = None, idle: float | None = None
) -> Iterator[RawMessageStreamEvent]: ...
@overload
def with_timeout(
    source: AsyncIterable[Any] | Awaitable[AsyncIterable[Any]],
    /,
    *,
    first: float | None = None,
    idle: float | None = None,
) -> AsyncIterator[RawMessageStreamEvent]: ...
def with_timeout(source: Any, /, *, first: float | None = None, idle: float | None = None) -> Any:
    """Yield the events of a stream as long as none keeps the reader waiting for too long.

    A ping is no progress: the API sends pings while a model is stalled, which is how a read timeout
    can be re-armed for ever. Only waiting counts; the time that the reader takes between two events
    does not. A sync stream over HTTP/1.1 is interrupted at its socket. Where there is no socket of
    its own, as with HTTP/2, the limit is looked at whenever bytes arrive, and the client's read
    timeout sees to the rest.

    Args:
        source: any stream of events.
        first: seconds of waiting until the first content.
        idle: seconds of waiting from one event to the next.

    Raises:
        StreamTimeoutError: when a limit is passed, after everything that was received.
        StreamError: when the stream turns out broken in another way.
        ValueError: if a limit is not more than 0.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import iter_text, with_timeout
        >>> "".join(iter_text(with_timeout(events, first=30, idle=10)))
        'Hello, world!'
    """
    patience = Patience(first, idle)
    driver = drive(source, events=True)
    driver.root.patience = patience
    return driver


def backoff(attempt: int) -> float:
    """Return how many seconds to wait before a restart: about 0.5, 1, 2, 4, and at most 8, with jitter.

    The same bounds as the SDK's own retries have.
    """
    return min(0.5 * 2.0 ** (attempt - 1), 8.0) * (1 - 0.25 * random.random())  # noqa: S311 - jitter is no secret


@overload
def restart(
    open: Callable[[], Iterable[Any]],
    /,
    *,
    restarts: int = 2,
    delay: Callable[[int], float] = backoff,
    on_restart: Callable[[StreamError], object] | None = None,
) -> Iterator[RawMessageStreamEvent]: ...
@overload
def restart(
    open: Callable[[], AsyncIterable[Any] | Awaitable[AsyncIterable[Any]]],
    /,
    *,
    restarts: int = 2,
    delay: Callable[[int], float] = backoff,
    on_restart: Callable[[StreamError], object] | None = None,
) -> AsyncIterator[RawMessageStreamEvent]: ...
def restart(
    open: Callable[[], Any],  # noqa: A002 - it is what it does
    /,
    *,
    restarts: int = 2,
    delay: Callable[[int], float] = backoff,
    on_restart: Callable[[StreamError], object] | None = None,
) -> Any:
    """Yield the events of a stream, and open it again if it fails before its first content.

    Once content has been handed out, a failure is raised, with the partial message: nothing is shown
    twice, and nothing is paid for twice without your say. Events in front of the content are held
    back. Only errors that are ``retryable`` lead to a restart; failures to open are the SDK's, whose
    ``max_retries`` governs them. Each restart is logged to ``logging.getLogger("claude_stream")``.

    Args:
        open: sends the request and returns a stream; called at once, and for each restart.
        restarts: how many at the most.
        delay: gives the seconds to wait before restart 1, 2, ...
        on_restart: told the error before each restart.

    Raises:
        StreamError: when restarts are used up, the error is not retryable, or content was handed out.

    Example:
        >>> from claude_stream import iter_text, restart
        >>> from claude_stream.testing import message_events
        >>> answers = iter([message_events(error="overloaded_error"), message_events("Hello")])
        >>> "".join(iter_text(restart(lambda: next(answers), delay=lambda attempt: 0)))
        'Hello'
    """
    return restarting(open, Restarts(restarts, delay, on_restart), functools.partial(drive, events=True))


def restarting(open: Callable[[], Any], policy: Restarts, make: Callable[..., Any]) -> Any:  # noqa: A002
    """Return the driver that reopens; ``make`` gives the driver for a source, and takes an accumulator."""
    first = make(open())
    cls = AsyncRestartingDriver if isinstance(first, AsyncDriver) else RestartingDriver
    return cls(first, lambda accumulator: make(open(), accumulator=accumulator), policy)


class Restarts:
    """Decides whether a failed stream is opened again, and holds back what may have to be taken back."""

    def __init__(
        self, restarts: int, delay: Callable[[int], float], on_restart: Callable[[StreamError], object] | None
    ) -> None:
        self._limit = restarts
        self._delay = delay
        self._on_restart = on_restart
        self._count = 0
        self._held: deque[Any] = deque()
        self._over = False
        self._error: Exception | None = None

    def wants_more(self, guard: Guard) -> bool:
        """Whether the stream has to be read on before an event can be handed out."""
        shown = guard.content_started or guard.stopped
        return not self._over and not (shown and self._held)

    def hold(self, event: Any) -> None:
        """Take an event."""
        self._held.append(event)

    def end(self) -> None:
        """Take note that the stream has ended well."""
        self._over = True

    def give_up(self, error: Exception) -> None:
        """Take note that there is nothing more to come but this error."""
        self._over, self._error = True, error

    def fail(self, error: StreamError) -> float | None:
        """Return how many seconds to wait before the next restart, or None if there is to be none."""
        if error.content_started or not error.retryable or self._count >= self._limit:
            self.give_up(error)
            return None
        self._count += 1
        seconds = self._delay(self._count)
        logger.warning("restart %d of %d in %.2f s: %s", self._count, self._limit, seconds, error)
        if self._on_restart is not None:
            self._on_restart(error)
        self._held.clear()
        return seconds

    def release(self, end: type[Exception]) -> Any:
        """Return the next event, or raise what comes behind the last one."""
        if self._held:
            return self._held.popleft()
        error, self._error = self._error, None
        raise error or end


def _reopened(old: Driver[Any], reopen: Callable[[Accumulator[Any]], Any]) -> Any:
    """Return a driver over a new stream that fills the same accumulator from the beginning."""
    old.accumulator.reset()
    new = reopen(old.accumulator)
    new.root.patience = old.root.patience
    if new.root.patience is not None:
        new.root.patience.reset()
    return new


class RestartingDriver(SyncDriver[Any]):
    """Hands out what a sync driver gives, or the drivers that come in its place."""

    def __init__(self, first: Any, reopen: Callable[[Accumulator[Any]], Any], policy: Restarts) -> None:
        super().__init__(first, (), first.accumulator, first.view, first)
        self._reopen = reopen
        self._policy = policy
        self._closing = threading.Event()

    def pull(self) -> Any:
        """Return the next event, once it is certain that it will not have to be taken back."""
        policy = self._policy
        while policy.wants_more(self.accumulator.guard):
            try:
                policy.hold(self._inner.pull())
            except StopIteration:
                policy.end()
            except StreamError as error:
                if (seconds := policy.fail(error)) is not None:
                    if not self._closing.wait(seconds):
                        self._inner = self._source = _reopened(self._inner, self._reopen)
                    if self._closing.is_set():
                        self._inner.close()
                        policy.give_up(self.accumulator.fail(interruption()))
        return policy.release(StopIteration)

    def close(self) -> None:
        """Stop, whether the stream is being read or waited for."""
        self._closing.set()
        super().close()


class AsyncRestartingDriver(AsyncDriver[Any]):
    """Hands out what an async driver gives, or the drivers that come in its place."""

    def __init__(self, first: Any, reopen: Callable[[Accumulator[Any]], Any], policy: Restarts) -> None:
        super().__init__(first, (), first.accumulator, first.view, first)
        self._reopen = reopen
        self._policy = policy
        self._closing: anyio.Event | None = None  # made in the loop

    async def pull(self) -> Any:
        """Return the next event, once it is certain that it will not have to be taken back."""
        policy = self._policy
        while policy.wants_more(self.accumulator.guard):
            try:
                policy.hold(await self._inner.pull())
            except StopAsyncIteration:
                policy.end()
            except StreamError as error:
                if (seconds := policy.fail(error)) is not None:
                    self._closing = anyio.Event()
                    with anyio.move_on_after(seconds):
                        await self._closing.wait()
                    if self._closing.is_set():
                        policy.give_up(self.accumulator.fail(interruption()))
                    else:
                        self._inner = self._source = _reopened(self._inner, self._reopen)
        return policy.release(StopAsyncIteration)

    async def aclose(self) -> None:
        """Stop, whether the stream is being read or waited for."""
        if self._closing is not None:
            self._closing.set()
        await super().aclose()
