"""What may be read, and what is refused: misuse gets an error that names the mistake and the fix.

The law: nothing here reads by itself. A source is looked at, and its live response, where it has one,
is asked for its state or its socket; the bytes of its body are for a driver to iterate. Transport
packages are not imported: the SDK chooses them.
"""

from __future__ import annotations

import contextlib
import inspect
import socket
import types
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Iterator, Mapping
from typing import Any

import anthropic
from anthropic.lib.streaming import (
    AsyncMessageStream,
    AsyncMessageStreamManager,
    BetaAsyncMessageStream,
    BetaAsyncMessageStreamManager,
    BetaMessageStream,
    BetaMessageStreamManager,
    MessageStream,
    MessageStreamManager,
)

from ._json import excerpt

_LIVE = (
    # These come first: older SDKs pretend that they are `Stream`s, and warn when they are asked.
    MessageStream,
    AsyncMessageStream,
    BetaMessageStream,
    BetaAsyncMessageStream,
    anthropic.Stream,
    anthropic.AsyncStream,
)


class ResponseBytes:
    """The body of a live response, read by us instead of by the SDK.

    Args:
        api_response: the SDK's `APIResponse`.
    """

    def __init__(self, api_response: Any) -> None:
        self.response = api_response.http_response
        self.close = self.response.close

    def __iter__(self) -> Iterator[bytes]:
        return _raw(self.response) if _is_raw(self.response) else iter(self.response.iter_bytes())


class AsyncResponseBytes:
    """The same for an `AsyncAPIResponse`."""

    def __init__(self, api_response: Any) -> None:
        self.response = api_response.http_response
        self.close = self.response.aclose

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self.response.aiter_raw() if _is_raw(self.response) else self.response.aiter_bytes())


def _is_raw(response: Any) -> bool:
    """Whether the body need not go through the HTTP package's decoders, and was not read into memory by a mock."""
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


_MANAGERS = (
    MessageStreamManager,
    AsyncMessageStreamManager,
    BetaMessageStreamManager,
    BetaAsyncMessageStreamManager,
)


def is_body(source: object) -> bool:
    """Whether this gives bytes that we have to decode."""
    return isinstance(source, (ResponseBytes, AsyncResponseBytes))


def is_live(source: object) -> bool:
    """Whether there is a live response behind this: one of the SDK's streams, or the body of a response."""
    return is_body(source) or isinstance(source, _LIVE)


def is_async(source: object) -> bool:
    """Whether an async driver has to read this.

    Raises:
        TypeError: if it can be read by neither.
    """
    refuse_misuse(source)
    if isinstance(source, Awaitable):  # first, because an asyncio.Task is an Iterable, too
        return True
    if isinstance(source, Iterable):  # what is both is sync, as the overloads have it; aiter() of it is async
        return False
    if isinstance(source, AsyncIterable):
        return True
    hint = ": pass what its parse() gives" if hasattr(source, "parse") else ""
    raise TypeError(f"a stream of events was expected, and this is {_name(source)}{hint}: {source!r:.200}")


def refuse_misuse(source: object) -> None:
    """Raise a TypeError for what can be iterated, or nearly so, and yet is no stream of events."""
    name = _name(source)
    if isinstance(source, _MANAGERS):
        raise TypeError(
            f"{name} is not entered yet: write `with client.messages.stream(...) as stream:` "
            "(`async with` on an async client) and pass `stream`"
        )
    if isinstance(source, anthropic.BaseModel):
        raise TypeError(f"this is a finished {_name(source)}, not a stream: call create() with stream=True")
    if isinstance(source, (str, bytes, bytearray)):
        raise TypeError(
            f"a stream was expected, and this is {name}: text is text already, a body goes through "
            "from_sse([body]), and what came from create() needs stream=True there"
        )
    if isinstance(source, Mapping):
        raise TypeError("a stream of events was expected, and this is a single dict: put the events in a list")
    if inspect.iscoroutinefunction(source) or inspect.ismethod(source):
        raise TypeError(f"{_name(source)} has to be called: pass create(..., stream=True), not create")


def is_finished(source: object) -> bool:
    """Whether a generator has nothing left to give, because it was read or closed before."""
    if isinstance(source, types.GeneratorType):
        return source.gi_frame is None
    if isinstance(source, types.AsyncGeneratorType):
        return source.ag_frame is None
    return False


def spent(source: object) -> TypeError:
    """Return the error for a stream that was read before."""
    return TypeError(
        f"this stream ({_name(source)}) was read or closed before, and a stream can be read only once: "
        "keep what the first reading gave, or use tap() to have several readers in one pass"
    )


def was_read(response: Any) -> bool:
    """Whether a response is closed and its body gone, so that nothing more can come from it.

    A response whose body was loaded at once, as test doubles do, is closed as well, and still gives it.
    """
    content = _loaded(response)
    return bool(getattr(response, "is_closed", False)) and (content is None or b"message_start" in content)


def other_content(response: Any) -> str | None:
    """Return what a response that gave no event holds instead, as far as it says so, or None."""
    content_type = str(getattr(response, "headers", {}).get("content-type", ""))
    content = _loaded(response)
    if content and b"data:" not in content and b"event:" not in content:
        return excerpt(content)
    return (
        None if content_type == "" or "event-stream" in content_type or "eventstream" in content_type else content_type
    )


def _loaded(response: Any) -> bytes | None:
    try:
        content = response.content
    except Exception:  # the transport's own ResponseNotRead, from whichever package it is
        return None
    return content if isinstance(content, bytes) else None


def stream_observer(response: Any) -> Any:
    """Return what ends the span of a call that the SDK traces, or None if it does not trace this one."""
    return getattr(getattr(response, "stream", None), "stream_observer", None)


def socket_of(response: Any) -> socket.socket | None:
    """Return the socket that a live response is read from, or None where there is none of our own."""
    stream = getattr(response, "extensions", {}).get("network_stream")
    found = stream.get_extra_info("socket") if stream is not None else None
    return found if isinstance(found, socket.socket) else None


def shut_down(sock: socket.socket) -> None:
    """Make a read that is blocked on the socket, in whatever thread, end at once."""
    with contextlib.suppress(OSError):  # it may have been closed in the meantime
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # unbound: an SSLSocket's own would drop its state


def _name(source: object) -> str:
    if isinstance(source, types.MethodType):
        return f"the method {source.__name__}()"
    return type(source).__name__
