"""Live responses of the SDK's client: read as bytes by us, or decoded by the SDK.

The law: only a response is closed by reading it, when it has ended or failed; what is whole is read to its end first,
within bounds, so that its connection is used again. Transport packages are not imported: the SDK chooses them.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, cast

import anyio

from .. import _translate as translate
from .._step import AnyStep
from .._steps.builder import MessageBuilder
from .._wire.sse import SSEDecoder
from .connection import DRAIN_SECONDS, Connection, is_shared
from .look import Look, is_closed_and_gone, other_body
from .source import Source, spent
from .spans import end_by_contract, show_message_to, stream_observer
from .timeouts import Patience

_BUFFERED = 1000  # more events than the SDK ever holds decoded
_read: weakref.WeakSet[Any] = weakref.WeakSet()  # the SDK's streams that somebody has begun to read through us


class Live(Source):
    """A live response of the SDK's client: closed when it has ended or failed, drained when it is complete.

    Args:
        given: what is read.
        response: the HTTP response behind it.
        is_async: whether it is an async one.
    """

    is_watched = False
    """Whether somebody else looks on, and has to be shown the end: what a proxy around the stream does not see."""

    def __init__(self, given: Any, response: Any, *, is_async: bool) -> None:
        super().__init__(given, is_async=is_async)
        self.response = response
        self._connection: Connection | None = None
        self._pull: Callable[[], Awaitable[Any]] | None = None
        self._was_closed = False  # before anything was read
        self._look = Look()  # at the body, where we do not read it ourselves

    def adopt(self, builder: MessageBuilder) -> None:
        """Refuse a response that was read before."""
        builder.response = self.response
        self._was_closed = is_closed_and_gone(self.response)

    def ended(self, events: int) -> None:
        """Tell an empty stream from one that was read before, and from another kind of body."""
        if events == 0:
            if self._was_closed:
                raise spent(self.given)
            if (fault := other_body(self.response, self._look.head)) is not None:
                raise fault

    def translate(self, exc: Exception, events: int) -> Exception:
        """Return ours for anything at all."""
        if self._was_closed and events == 0:
            return spent(self.given)
        return translate.from_sdk(exc, events + 1)

    def connection(self) -> Connection | None:
        """Return the response's socket, if it has one of its own."""
        if self._connection is None:
            self._connection = Connection.of(self.response)
        return self._connection

    def interrupt(self) -> None:
        """Shut the socket down, while the response owns it.

        Without one, the response must not be closed either: over HTTP/2 the read would not learn of it, and be woken
        up by others for ever.
        """
        if self._connection is not None:
            self._connection.shut_down()

    def settle(self, items: Iterator[Any]) -> None:
        """Read the response to its end, so that its connection is used again, but not for long."""
        if self._connection is not None or self.is_watched:
            timer = threading.Timer(DRAIN_SECONDS, self.interrupt)
            timer.daemon = True
            # The message is complete: whatever the transport still has to complain about changes nothing.
            with contextlib.suppress(Exception):
                timer.start()  # not while the interpreter ends: the connection is given up then
                for _ in items:
                    pass
            timer.cancel()
        self.release()

    async def asettle(self, pull: Callable[[], Awaitable[Any]]) -> None:
        """Do the same for an async response."""
        if self.is_watched or not is_shared(self.response):
            await _drain(pull)
        await self.arelease()

    def release(self) -> None:
        """Close the response. A failure of that must not hide the one before it."""
        with contextlib.suppress(Exception):
            self.close()

    async def arelease(self) -> None:
        """Do the same for an async response."""
        with contextlib.suppress(Exception):
            await self.aclose()

    def close(self) -> None:
        """Close the response."""
        self.given.close()

    async def aclose(self) -> None:
        """Close the response, and let the generators of SDK and HTTP package learn of it.

        They do by being read once more, and would complain on trio if they were dropped instead. Nothing is
        waited for: where they would wait, the cancelled scope ends them.
        """
        try:
            await self._close_response()
        finally:
            if self._pull is not None:
                with anyio.CancelScope() as scope, contextlib.suppress(Exception):  # all that is left to them is to end
                    scope.cancel()
                    for _ in range(_BUFFERED):
                        await self._pull()

    def aiterate(self) -> Callable[[], Awaitable[Any]]:
        """Return what gives the next item, and remember it for the end."""
        self._pull = self._aiterate()
        return self._pull

    async def _close_response(self) -> None:
        await self.response.aclose()

    def _aiterate(self) -> Callable[[], Awaitable[Any]]:
        raise NotImplementedError


class SDKStream(Live):
    """A stream that the SDK decodes: what `create(stream=True)` returns, or what its `messages.stream` gives.

    Args:
        given: the stream, or what somebody put around it.
        is_async: whether it is an async one.
        is_watched: whether somebody is known to look on; what the stream itself tells of that counts anyway.
    """

    def __init__(self, given: Any, *, is_async: bool, is_watched: bool = False) -> None:
        super().__init__(given, given.response, is_async=is_async)
        self.is_watched = is_watched or is_changed(given, is_async=is_async)
        self._items: Any = None  # what a watched stream is read through

    def adopt(self, builder: MessageBuilder) -> None:
        """Refuse a stream that was read before, and let the span of a traced call end as the message does."""
        if self.given in _read:
            raise spent(self.given)
        _read.add(self.given)
        super().adopt(builder)
        # Not of watched ones alone: some watchers patch the inside of the SDK's class, and nothing shows it.
        self._look.at_end = functools.partial(_refuse_early_end, self.response, self._look.head, builder)
        self._look.begin(self.response, "aiter_bytes" if self.is_async else "iter_bytes")
        observer = stream_observer(self.response)
        if observer is not None:
            end_by_contract(observer, builder)
            show_message_to(observer, builder)

    def tell_of_bytes(self, patience: Patience) -> None:
        """Tell of all bytes: pings are among them, which the SDK keeps to itself."""
        if patience.counts_bytes:
            self._look.touch = patience.touch

    def iterate(self) -> Iterator[Any]:
        """Return the events; of a watched stream, so that it ends once, however often we ask."""
        if not self.is_watched:
            return iter(self.given)
        items: Iterator[Any] = (item for item in self.given)
        self._items = items
        return items

    def _aiterate(self) -> Callable[[], Awaitable[Any]]:
        # Watchers look in __aiter__, and some there only. Of a bare stream, its own __anext__ spares us a generator.
        if not self.is_watched:
            anext_: Callable[[], Awaitable[Any]] = self.given.__anext__
            return anext_
        self._items = self.given.__aiter__()  # a proxy may not have it in its class, as aiter() wants it
        return _Once(self._items.__anext__)

    def close(self) -> None:
        """Close the stream, and a watcher's generator over it, so that it ends now and not when it is collected."""
        if self._items is not None:
            with contextlib.suppress(ValueError):  # another thread is reading, and closes it when it comes back
                self._items.close()
        super().close()

    async def _close_response(self) -> None:
        if self._items is not None:  # the generator is to see that it is left, and no cancellation
            with contextlib.suppress(Exception):  # others have no aclose()
                await self._items.aclose()
        await self.given.close()


def is_changed(stream: Any, *, is_async: bool) -> bool:
    """Whether a stream, or the method that it is looped over by, is not the SDK's own: a proxy, a subclass, a patch."""
    cls = cast("type[object]", type(stream))  # a proxy may say that it is another
    names: Any = getattr(getattr(cls, "__aiter__" if is_async else "__iter__", None), "__globals__", {})
    return {cls.__module__.partition(".")[0], str(names.get("__name__")).partition(".")[0]} != {"anthropic"}


class _Once:
    """Gives the next item until there is none, and asks for no other then: who looks on counts the ends."""

    def __init__(self, pull: Callable[[], Awaitable[Any]]) -> None:
        self._pull = pull
        self._is_over = False

    async def __call__(self) -> Any:
        if self._is_over:
            raise StopAsyncIteration
        self._is_over = True  # also if it is left by a cancellation
        item = await self._pull()
        self._is_over = False
        return item


class Watched(Source):
    """What a watched `create` returned that is no stream of the SDK: mostly a generator over one.

    Its last lines, in which it tells of the end, run when it is read to its end.
    """

    def translate(self, exc: Exception, events: int) -> Exception:
        """Return ours for anything that the SDK's stream below raises."""
        return translate.from_sdk(exc, events + 1)

    def settle(self, items: Iterator[Any]) -> None:
        """Read it to its end. How long that takes is the SDK's to say: the response below is out of reach."""
        with contextlib.suppress(Exception):  # the message is complete, as in `Live.settle`
            deque(items, maxlen=0)

    async def asettle(self, pull: Callable[[], Awaitable[Any]]) -> None:
        """Do the same for an async one, but not for long."""
        await _drain(pull)


async def _drain(pull: Callable[[], Awaitable[Any]]) -> None:
    with anyio.move_on_after(DRAIN_SECONDS), contextlib.suppress(Exception):  # the message is complete
        while True:
            await pull()


def _refuse_early_end(response: Any, head: bytearray, builder: MessageBuilder) -> None:
    """Raise, below who looks on, what our reader would raise above: the SDK takes such an end for a good one."""
    if builder.guard.events == 0 and (fault := other_body(response, head)) is not None:
        raise fault
    deque(builder.finish(), maxlen=0)


class Body(Live):
    """The body of a live response, read by us instead of by the SDK.

    Args:
        response: the HTTP response.
        is_async: whether it is an async one.
    """

    def __init__(self, response: Any, *, is_async: bool) -> None:
        super().__init__(response, response, is_async=is_async)

    def decoder(self) -> AnyStep:
        """Return a decoder of server-sent events."""
        return SSEDecoder()

    def iterate(self) -> Iterator[bytes]:
        """Return the chunks of the body as the transport gives them."""
        return _raw(self.response) if self._is_raw() else iter(self.response.iter_bytes())

    def _aiterate(self) -> Callable[[], Awaitable[bytes]]:
        chunks: AsyncIterator[bytes] = self.response.aiter_raw() if self._is_raw() else self.response.aiter_bytes()
        return chunks.__anext__

    def _is_raw(self) -> bool:
        """Whether the body need not go through the HTTP package's decoders, and was not read into memory by a mock."""
        response = self.response
        return "content-encoding" not in response.headers and not response.is_stream_consumed and not response.is_closed


def _raw(response: Any) -> Iterator[bytes]:
    """Yield what ``response.iter_raw()`` does, without a count of the bytes, which takes a tenth of our whole time."""
    response.is_stream_consumed = True
    try:
        yield from response.stream
    except Exception as exc:
        if isinstance(getattr(type(exc), "request", None), property):
            with contextlib.suppress(Exception):  # a response of a mock may have none, and a property no setter
                error: Any = exc
                error.request = response.request
        raise
    finally:
        response.close()
