"""Where events come from: what the user passed, as one object that answers what differs between the kinds.

The law: a source answers for itself and nothing else: which decoder its items need, whether it was read before,
which foreign errors are a transport's, what interrupts a blocked read, and how a response ends. It knows no steps
and no rules of reading; it does not iterate, it gives what a driver iterates. What is live stands in `live`.
"""

from __future__ import annotations

import inspect
import threading
import types
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from .. import _translate as translate
from .._step import AnyStep
from .._steps.builder import MessageBuilder
from .connection import Connection
from .misuse import name_of
from .timeouts import Limits, Patience


class Source:
    """An iterable of the user's own, sync or async, of events.

    Args:
        given: what the user passed.
        is_async: whether it has to be awaited.
    """

    response: Any = None
    """The HTTP response, where there is one."""

    limits: Limits | None = None
    """How long it may keep its reader waiting."""

    waits = True
    """Whether it waits by itself, so that a reader of it has to end its waits."""

    def __init__(self, given: Any, *, is_async: bool) -> None:
        self.given = given
        self.is_async = is_async
        self._unclosed = threading.Lock()  # taken by the first close: a generator cannot be closed by two at once

    def decoder(self) -> AnyStep | None:
        """Return the step that makes events of the items, or None if they are events."""
        return None

    def stopped(self) -> bool:
        """Whether it is a reader that somebody has closed."""
        return False

    def limit(self, limits: Limits) -> None:
        """Set how long it may keep its reader waiting, before that begins to read."""
        self.limits = limits

    def tell_of_bytes(self, patience: Patience) -> None:
        """Let it know of bytes that come in the middle of a wait, where an item of ours is more than that."""

    def adopt(self, builder: MessageBuilder) -> None:
        """Take note that the reading begins.

        Raises:
            TypeError: if the source was read before.
        """
        del builder
        if _is_finished(self.given):
            raise spent(self.given)

    async def opened(self) -> Source:
        """Return the source that an awaitable gives once it is awaited, or this one."""
        return self

    def iterate(self) -> Iterator[Any]:
        """Return what a sync driver takes items from."""
        return iter(self.given)

    def aiterate(self) -> Callable[[], Awaitable[Any]]:
        """Return the function that an async driver awaits for each item."""
        own: Callable[[], Awaitable[Any]] | None = getattr(self.given, "__anext__", None)
        return own or aiter(self.given).__anext__

    def ends_here(self) -> bool:
        """Whether the source is left alone once ``message_stop`` has come: it may hold a further message."""
        return True

    def ended(self, events: int) -> None:
        """Take note that there are no more items, after so many events.

        Raises:
            StreamProtocolError: if this was no stream of events.
            TypeError: if the source was read before.
        """

    def translate(self, exc: Exception, events: int) -> Exception:
        """Return ours for what reading raised after so many events; a user's own exception is returned as it is."""
        del events
        return translate.from_events(exc)

    def connection(self) -> Connection | None:
        """Return what a blocked sync read can be interrupted at, or None if there is no such thing."""
        return None

    def interrupt(self) -> None:
        """End a sync read that is blocked in another thread, where that can be had.

        Its reader closes the source when it comes back. Nobody else may: the system gives the number of a socket that
        is closed to the next one, and a thread on its way into a read would wait for the data of a stranger.
        """

    def settle(self, items: Iterator[Any]) -> None:
        """Leave the source as it should be behind a complete message. ``items`` is what was read from."""

    async def asettle(self, pull: Callable[[], Awaitable[Any]]) -> None:
        """Do the same for an async source, by the function that was awaited for each item."""

    def release(self) -> None:
        """Close what a reader closes by itself, when it fails: a live response, and nothing else."""

    async def arelease(self) -> None:
        """Do the same for an async source."""

    def close(self) -> None:
        """Close the source, if it can be closed and nobody else is at it."""
        close = getattr(self.given, "close", None)
        if close is not None and self._unclosed.acquire(blocking=False):
            close()

    async def aclose(self) -> None:
        """Do the same for an async source."""
        close = getattr(self.given, "aclose", None) or getattr(self.given, "close", None)
        closing = close() if close is not None and self._unclosed.acquire(blocking=False) else None
        if inspect.isawaitable(closing):
            await closing


class Chunks(Source):
    """An iterable of the user's own, of the chunks of a body.

    Args:
        given: what the user passed.
        make_decoder: makes the step that finds the events in them.
        is_async: whether it has to be awaited.
    """

    def __init__(self, given: Any, make_decoder: Callable[[], AnyStep], *, is_async: bool) -> None:
        super().__init__(given, is_async=is_async)
        self._make_decoder = make_decoder

    def decoder(self) -> AnyStep:
        """Return a decoder of the body's format."""
        return self._make_decoder()

    def translate(self, exc: Exception, events: int) -> Exception:
        """Return ours also for the errors of plain sockets and files."""
        del events
        return translate.from_bytes(exc)


class Awaited(Source):
    """What gives an async source when it is awaited, such as a request that is still to be sent.

    Args:
        given: the awaitable.
        source_for: makes the source of what it gives.
    """

    def __init__(self, given: Any, source_for: Callable[[Any], Source]) -> None:
        super().__init__(given, is_async=True)
        self._source_for = source_for

    async def opened(self) -> Source:
        """Await it."""
        source = self._source_for(await self.given)
        source.limits = self.limits
        return source


def spent(given: object) -> TypeError:
    """Return the error for a stream that was read before."""
    return TypeError(
        f"this stream ({name_of(given)}) was read or closed before, and a stream can be read only once: "
        "keep what the first reading gave, or use tap() to have several readers in one pass"
    )


def _is_finished(given: object) -> bool:
    """Whether a generator has nothing left to give, because it was read or closed before."""
    if isinstance(given, types.GeneratorType):
        return given.gi_frame is None
    if isinstance(given, types.AsyncGeneratorType):
        return given.ag_frame is None
    return False
