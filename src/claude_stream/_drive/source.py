"""Where events come from: what the user passed, as one object that answers what differs between the kinds.

The law: a source answers for itself and nothing else: which decoder its items need, whether it was read before,
which foreign errors are a transport's, what interrupts a blocked read, and how a response ends. It knows no steps
and no rules of reading; it does not iterate, it gives what a driver iterates. Transport packages are not imported:
the SDK chooses them.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
import types
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import anyio

from .. import _translate as translate
from .._errors import StreamProtocolError
from .._json import OBJECT, excerpt
from .._step import AnyStep
from .._steps.builder import MessageBuilder
from .._wire.events import to_event
from .._wire.sse import SSEDecoder
from .connection import DRAIN_SECONDS, Connection, is_shared
from .misuse import name_of
from .timeouts import Limits

_WITH_USAGE = ("message_start", "content_block_start", "message_delta")  # what a span's usage is put together from
_BUFFERED = 1000  # more events than the SDK ever holds decoded
_read: weakref.WeakSet[Any] = weakref.WeakSet()  # the SDK's streams that somebody has begun to read through us


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

    def limit(self, limits: Limits) -> None:
        """Set how long it may keep its reader waiting, before that begins to read."""
        self.limits = limits

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

    def interrupt(self) -> bool:
        """End a sync read that is blocked in another thread, and return whether that can be had.

        If not, its reader closes the source when it comes back from the read.
        """
        return False

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
    """An iterable of the user's own, of the bytes of a body."""

    def decoder(self) -> AnyStep:
        """Return a decoder of server-sent events."""
        return SSEDecoder()

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


class Live(Source):
    """A live response of the SDK's client: closed when it has ended or failed, drained when it is complete.

    Args:
        given: what is read.
        response: the HTTP response behind it.
        is_async: whether it is an async one.
    """

    def __init__(self, given: Any, response: Any, *, is_async: bool) -> None:
        super().__init__(given, is_async=is_async)
        self.response = response
        self._connection: Connection | None = None
        self._pull: Callable[[], Awaitable[Any]] | None = None
        self._was_closed = False  # before anything was read

    def adopt(self, builder: MessageBuilder) -> None:
        """Refuse a response that was read before."""
        builder.response = self.response
        self._was_closed = _is_closed_and_gone(self.response)

    def ended(self, events: int) -> None:
        """Tell an empty stream from one that was read before, and from another kind of body."""
        if events == 0:
            if self._was_closed:
                raise spent(self.given)
            if other := _other_content(self.response):
                raise StreamProtocolError(f"the response is not an event stream: {other}")

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

    def interrupt(self) -> bool:
        """Shut the socket down, while the response owns it.

        Without one, the response must not be closed either: over HTTP/2 the read would not learn of it, and be woken
        up by others for ever.
        """
        if self._connection is None:
            return False
        self._connection.shut_down()
        return True

    def settle(self, items: Iterator[Any]) -> None:
        """Read the response to its end, so that its connection is used again, but not for long."""
        if self._connection is not None:
            timer = threading.Timer(DRAIN_SECONDS, self._connection.shut_down)
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
        if not is_shared(self.response):
            with anyio.move_on_after(DRAIN_SECONDS), contextlib.suppress(Exception):
                while True:
                    await pull()
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
                with anyio.CancelScope() as scope, contextlib.suppress(Exception):
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
    """A stream that the SDK decodes: what `create(stream=True)` returns, or what its `messages.stream` gives."""

    def __init__(self, given: Any, *, is_async: bool) -> None:
        super().__init__(given, given.response, is_async=is_async)

    def adopt(self, builder: MessageBuilder) -> None:
        """Refuse a stream that was read before, and let the span of a traced call end as the message does."""
        if self.given in _read:
            raise spent(self.given)
        _read.add(self.given)
        super().adopt(builder)
        observer = stream_observer(self.response)
        if observer is not None:
            _end_span_by_contract(observer, builder)
            _show_usage_to(observer, builder)

    def _aiterate(self) -> Callable[[], Awaitable[Any]]:
        # The stream's own __anext__ spares the async generator that its __aiter__ would add.
        anext_: Callable[[], Awaitable[Any]] = self.given.__anext__
        return anext_

    async def _close_response(self) -> None:
        await self.given.close()


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


def _is_closed_and_gone(response: Any) -> bool:
    """Whether a response is closed and its body gone, so that nothing more can come from it.

    A response whose body was loaded at once, as test doubles do, is closed as well, and still gives it.
    """
    content = _loaded(response)
    return bool(getattr(response, "is_closed", False)) and (content is None or b"message_start" in content)


def _other_content(response: Any) -> str | None:
    """Return what a response that gave no event holds instead, as far as it says so, or None."""
    content_type = str(getattr(response, "headers", {}).get("content-type", ""))
    content = _loaded(response)
    if content and b"data:" not in content and b"event:" not in content:
        return excerpt(content)
    is_event_stream = content_type == "" or "event-stream" in content_type or "eventstream" in content_type
    return None if is_event_stream else content_type


def _loaded(response: Any) -> bytes | None:
    try:
        content = response.content
    except Exception:  # the transport's own ResponseNotRead, from httpx or httpx2
        return None
    return content if isinstance(content, bytes) else None


def stream_observer(response: Any) -> Any:
    """Return what ends the span of a call that the SDK traces, or None if it does not trace this one."""
    return getattr(getattr(response, "stream", None), "stream_observer", None)


def _show_usage_to(observer: Any, builder: MessageBuilder) -> None:
    """Let the span of a traced call have the token usage, which the SDK takes from its own objects alone."""
    show = observer.item

    def item(event: Any) -> None:
        if type(event) is OBJECT and event.get("type") in _WITH_USAGE:
            with contextlib.suppress(StreamProtocolError):  # which is for the reader to learn of
                event = to_event(event, beta=builder.beta)
        show(event)

    observer.item = item


def _end_span_by_contract(observer: Any, builder: MessageBuilder) -> None:
    """Let the span of a traced call end as the message does: the SDK knows less about what is complete."""
    end = observer.end

    def end_by_contract(how: str, error: BaseException | None = None) -> None:
        if builder.guard.stopped:
            how, error = "read", None  # a fault behind message_stop changes nothing
        elif builder.guard.complete and how == "read":
            how = "closed"  # whole without message_stop: neither an error, nor the end that the SDK waits for
        end(how, error)

    observer.end = end_by_contract
