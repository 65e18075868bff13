"""Live responses: read before, or no stream of events; how they end and are closed; the body as we read it."""

from __future__ import annotations

import contextlib
import gc
import gzip
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import anthropic
import anyio
import pytest

from claude_stream import (
    StreamConnectionError,
    StreamError,
    StreamProtocolError,
    StreamTruncatedError,
    collect,
    iter_events,
    iter_text,
    iter_tool_calls,
    open_stream,
    tap,
)
from claude_stream._drive.connection import DRAIN_SECONDS
from claude_stream._drive.live import Body as LiveBody
from claude_stream._drive.live import SDKStream
from claude_stream._steps.builder import MessageBuilder
from claude_stream.testing import Recording, message_events
from claude_stream.testing._http import http_package
from tests.clocks import Timeless
from tests.faults import error_event
from tests.support import ASYNC_MODES, PATIENCE, REQUEST, AsyncItems, Mode, OwnError, body_of

http = http_package()
EVENTS = message_events("Hello, world!")
HELLO = Recording.from_events(EVENTS).chunks


# -- what was read before --


def test_a_spent_sdk_stream(mode: Mode) -> None:
    """A stream that was read through us before, or read or closed without us, is named, not called cut."""
    client = mode.client
    body = Recording.from_events(EVENTS)

    def sync_spoils() -> Iterator[Any]:
        stream = client(body).messages.create(**REQUEST, stream=True)
        list(iter_text(stream))
        yield stream
        stream = client(body).messages.create(**REQUEST, stream=True)
        list(stream)
        yield stream
        stream = client(body).messages.create(**REQUEST, stream=True)
        stream.close()
        yield stream

    async def async_check() -> None:
        first = await client(body).messages.create(**REQUEST, stream=True)
        assert [chunk async for chunk in iter_text(first)]
        second = await client(body).messages.create(**REQUEST, stream=True)
        assert [event async for event in second]
        third = await client(body).messages.create(**REQUEST, stream=True)
        await third.close()
        for stream in (first, second, third):
            with pytest.raises(TypeError, match=r"this stream \(AsyncStream\) was read or closed before"):
                await collect(stream)

    if mode.is_async:
        mode.run(async_check)
        return
    for stream in sync_spoils():
        with pytest.raises(TypeError, match=r"this stream \(Stream\) was read or closed before"):
            collect(stream)


def test_an_sdk_stream_that_was_read_in_part(mode: Mode) -> None:
    """A second iterator over a live stream is refused, although the stream has more to give."""

    async def main() -> None:
        stream = await mode.stream(body_of(EVENTS))
        async with iter_text(stream) as chunks:
            assert await anext(chunks) == "Hello, w"
            with pytest.raises(TypeError, match="read or closed before"):
                await collect(stream)

    if mode.is_async:
        mode.run(main)
        return
    with mode.stream(body_of(EVENTS)) as stream:
        assert next(iter_text(stream)) == "Hello, w"
        with pytest.raises(TypeError, match="read or closed before"):
            collect(stream)


def test_looking_at_how_a_body_begins_ties_no_knot() -> None:
    """Where the SDK's stream is closed as soon as the last name for it is gone, it still is."""

    def closed_when_dropped(*, looked_at: bool) -> int:
        body = Body()
        stream = sdk_stream(body)
        if looked_at:
            SDKStream(stream, is_async=False).adopt(MessageBuilder())
        next(stream)
        del stream
        return body.closed

    gc.disable()
    try:
        assert closed_when_dropped(looked_at=True) == closed_when_dropped(looked_at=False)
    finally:
        gc.enable()


# -- closing --


def test_a_close_that_fails_hides_nothing(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing close of the response leaves the error of the stream as it is."""

    def close(*_: object) -> Any:
        raise OwnError

    for name in ("Stream", "AsyncStream"):
        monkeypatch.setattr(getattr(anthropic, name), "close", close)
    outcome = mode.read(lambda: iter_text(mode.stream(body_of([*EVENTS[:3], error_event("api_error")]))))
    assert outcome.items == ["Hello, w"]
    assert isinstance(outcome.error, anthropic.InternalServerError)


def test_a_failure_closes_the_live_response(mode: Mode) -> None:
    """An error in the middle of a live stream leaves its response closed, through any number of stages."""
    streams: list[Any] = []
    body = body_of([*EVENTS[:3], error_event("api_error"), *EVENTS[3:]])

    async def main() -> None:
        streams.append(await mode.stream(body))
        with contextlib.suppress(anthropic.APIError):
            await collect(iter_events(streams[0]))
        assert streams[0].response.is_closed  # now, and not only when the loop ends
        streams.append(await mode.stream(body_of(message_events(("tool", {"a": 1}))).replace(b'{\\"a', b"oops")))
        with contextlib.suppress(anthropic.APIError):
            async for _ in iter_tool_calls(iter_events(streams[1])):
                pass
        assert streams[1].response.is_closed

    if mode.is_async:
        mode.run(main)
    else:
        streams.append(mode.stream(body))
        with contextlib.suppress(anthropic.APIError):
            collect(iter_events(streams[0]))
        streams.append(mode.stream(body_of(message_events(("tool", {"a": 1}))).replace(b'{\\"a', b"oops")))
        with contextlib.suppress(anthropic.APIError):
            list(iter_tool_calls(iter_events(streams[1])))
    assert [stream.response.is_closed for stream in streams] == [True, True]


def test_leaving_early_closes_what_the_block_is_over(mode: Mode) -> None:
    """A `with` block over an iterator closes the SDK's stream; closing twice is fine, reading on is an error."""

    async def main() -> None:
        stream = await mode.stream(body_of(EVENTS))
        async with iter_text(stream) as chunks:
            async for _ in chunks:
                break
        assert stream.response.is_closed
        await chunks.aclose()
        with pytest.raises(StreamConnectionError, match="closed before"):
            await anext(chunks)

    if mode.is_async:
        mode.run(main)
        return
    stream = mode.stream(body_of(EVENTS))
    with contextlib.closing(iter_text(stream)) as chunks:
        next(chunks)
    assert stream.response.is_closed
    with chunks:
        pass
    with pytest.raises(StreamConnectionError, match="closed before"):
        next(chunks)


# -- the end of a response --


class AsyncBody(http.AsyncByteStream):
    """A body on its way that gives a whole message, and then does not end."""

    def __init__(self) -> None:
        self.waited_for = 0
        self.closed = 0

    def __aiter__(self) -> Any:
        return self._Chunks(self)

    async def aclose(self) -> None:
        self.closed += 1

    class _Chunks(AsyncItems):
        def __init__(self, body: AsyncBody) -> None:
            super().__init__(HELLO)
            self._body = body

        async def __anext__(self) -> Any:
            try:
                return await super().__anext__()
            except StopAsyncIteration:
                self._body.waited_for += 1
                await anyio.sleep_forever()


def async_client_over(body: AsyncBody, version: bytes = b"HTTP/1.1") -> Any:
    """Return an async client whose every request is answered with this body."""
    headers = {"content-type": "text/event-stream"}
    extensions = {"http_version": version}
    answer = http.Response(200, headers=headers, stream=body, extensions=extensions)
    client = http.AsyncClient(transport=http.MockTransport(lambda _: answer))
    return anthropic.AsyncAnthropic(api_key="key", max_retries=0, http_client=client)


@pytest.mark.parametrize("timeless", ["asyncio", "trio"], indirect=True)
def test_how_long_an_async_response_is_waited_for(timeless: Timeless) -> None:
    """A body that does not end after message_stop is given up after a quarter of a second, to the millisecond."""
    body = AsyncBody()

    async def main() -> None:
        async with open_stream(async_client_over(body), **REQUEST) as stream:
            start = timeless.clock()
            assert await stream.get_final_text() == "Hello, world!"
            assert timeless.clock() - start == pytest.approx(DRAIN_SECONDS)
        assert timeless.clock() - start == pytest.approx(DRAIN_SECONDS)

    timeless.run(main)
    assert body.closed >= 1
    assert DRAIN_SECONDS == 0.25


@pytest.mark.parametrize("failure", [None, http.ReadError("lost")], ids=["ends", "fails"])
def test_how_long_a_sync_response_is_waited_for(monkeypatch: pytest.MonkeyPatch, failure: BaseException | None) -> None:
    """Its socket is shut down after as long, if the response has not ended by then, or failed, and else not at all."""
    timers: list[Any] = []

    class Timer:
        def __init__(self, seconds: float, function: Callable[[], None]) -> None:
            timers.append((seconds, function, self))
            self.cancelled = self.started = self.daemon = False

        def start(self) -> None:
            self.started = True

        def cancel(self) -> None:
            self.cancelled = True

    monkeypatch.setattr(threading, "Timer", Timer)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        body = Body((*HELLO, b": good\n\n", b": bye\n\n"), failure)
        stream = opened(body, extensions=over(ours))
        assert stream.get_final_text() == "Hello, world!"
        assert (body.given, body.closed) == (len(HELLO) + 2, 1)  # it was read to its end, and means nothing
    [(seconds, function, timer)] = timers
    assert (seconds, timer.started, timer.cancelled) == (DRAIN_SECONDS, True, True)
    assert timer.daemon  # nobody waits for it at the end of the program
    assert function.__name__ == "interrupt"


def test_a_sync_response_without_a_socket_is_not_waited_for() -> None:
    """Nothing could end the waiting: it is closed at once, and not only when its stream is dropped."""
    body = Body((*HELLO, b": good\n\n"))
    stream = opened(body)
    assert stream.get_final_text() == "Hello, world!"
    assert (body.given, body.closed) == (len(HELLO), 1)


@pytest.mark.parametrize("has_socket", [False, True])
def test_a_close_in_the_middle_of_a_read(has_socket: bool) -> None:
    """A socket is shut down, so that a blocked read of it ends; what has none is closed when the read comes back."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(PATIENCE)
    received: list[bytes] = []

    class Interrupted(Body):
        def __iter__(self) -> Iterator[bytes]:
            yield HELLO[0]
            stream.close()  # as a signal handler does, or another thread
            assert self.closed == 0
            if has_socket:
                received.append(theirs.recv(1))
            yield from HELLO[1:]

    with ours, theirs:
        body = Interrupted()
        stream = opened(body, extensions=over(ours) if has_socket else None)
        with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
            stream.get_final_text()
    assert body.closed == 1
    assert received == ([b""] if has_socket else [])


@ASYNC_MODES
def test_a_shared_connection_is_not_waited_for(mode: Mode) -> None:
    """Over HTTP/2 the rest of a response holds nobody up: it is closed at once, and the connection stays."""
    body = AsyncBody()

    async def main() -> None:
        async with open_stream(async_client_over(body, b"HTTP/2"), **REQUEST) as stream:
            assert await stream.get_final_text() == "Hello, world!"
            assert (body.waited_for, body.closed >= 1) == (0, True)

    mode.run(main)
    assert body.waited_for == 0


@ASYNC_MODES
def test_a_body_without_an_end_is_not_read_for_ever_by_a_close(mode: Mode) -> None:
    """Closing reads what is left, so that generators learn of it; one that neither waits nor ends is let go."""
    pulls = 0

    class Endless(AsyncIterator[bytes]):
        async def __anext__(self) -> bytes:
            nonlocal pulls
            pulls += 1
            return b""

    closes: list[int] = []

    async def close() -> None:
        closes.append(pulls)

    async def main() -> None:
        response = SimpleNamespace(
            headers={}, is_stream_consumed=False, is_closed=False, aclose=close, aiter_raw=Endless
        )
        source = LiveBody(response, is_async=True)
        source.aiterate()
        await source.aclose()

    mode.run(main)
    assert closes == [0]  # the response is closed first
    assert 0 < pulls <= 1_000


# -- a body that we read --


class ReadOnlyError(Exception):
    """An exception whose request cannot be set."""

    @property
    def request(self) -> None:
        return None


class Body(http.SyncByteStream):
    """A body on its way, which counts what is done to it, and ends in an exception or well."""

    def __init__(self, chunks: tuple[bytes, ...] = HELLO, failure: BaseException | None = None) -> None:
        self._chunks = chunks
        self._failure = failure
        self.iterated = 0
        self.given = 0
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        self.iterated += 1
        for chunk in self._chunks:
            self.given += 1
            yield chunk
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        self.closed += 1


def over(sock: socket.socket) -> dict[str, Any]:
    """Return what a response says of the connection that it came over."""
    network = SimpleNamespace(get_extra_info={"socket": sock}.get)
    return {"http_version": b"HTTP/1.1", "network_stream": network}


def opened(body: Body, extensions: Any = None, **headers: str) -> Any:
    """Return an opened stream over the body, and never close it."""
    headers["content-type"] = "text/event-stream"
    answer = http.Response(200, headers=headers, stream=body, extensions=extensions)
    transport = http.MockTransport(lambda _: answer)
    client = anthropic.Anthropic(api_key="key", max_retries=0, http_client=http.Client(transport=transport))
    return open_stream(client, **REQUEST).__enter__()


def sdk_stream(body: Body) -> Any:
    """Return the SDK's stream over a response that was given no request, as a stand-in may be."""
    response = http.Response(200, headers={"content-type": "text/event-stream"}, stream=body)
    client = anthropic.Anthropic(api_key="key")
    return anthropic.Stream(cast_to=anthropic.types.RawMessageStreamEvent, response=response, client=client)


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (http.ReadError("lost"), StreamConnectionError),
        (OSError("lost"), StreamConnectionError),
        (ReadOnlyError("odd"), StreamProtocolError),
        (None, StreamTruncatedError),
    ],
    ids=["transport", "no request", "request that cannot be set", "cut"],
)
@pytest.mark.parametrize(
    "read",
    [lambda body: opened(body).text_stream, lambda body: iter_text(sdk_stream(body))],
    ids=["ours", "sdk's"],
)
def test_a_failure_is_told_as_what_it_is(
    read: Callable[[Body], Any], failure: Exception | None, expected: type[StreamError]
) -> None:
    """Whatever can be said of its request, or not, the failure is ours, and has the message so far."""
    texts: list[str] = []
    with pytest.raises(expected) as caught:
        for text in read(Body(HELLO[:4], failure)):
            texts.append(text)
    assert caught.value.__cause__ is failure
    assert caught.value.partial.content[0].text == "".join(texts) == "Hello, world!"


@pytest.mark.parametrize("count", [0, 2])
def test_an_event_that_the_sdk_cannot_read(mode: Mode, count: int) -> None:
    """The error names it by its number."""
    body = body_of(EVENTS[:count]) + b"event: content_block_delta\ndata: {oops\n\n"
    error = mode.read(lambda: iter_text(mode.stream(body))).error
    assert type(error) is StreamProtocolError
    assert f"event {count + 1}: its data is not valid JSON" in str(error)


def test_a_body_that_somebody_has_begun_to_read() -> None:
    """The rest of it is no stream, and is not asked for."""
    body = Body()
    stream = opened(body)
    other = stream.response.iter_bytes()
    next(other)
    with pytest.raises(StreamConnectionError, match="StreamConsumed"):
        stream.get_final_text()
    assert body.iterated == 1


def test_ctrl_c_closes_the_response() -> None:
    """At once: its connection cannot be used any more. A reader that reads on is told."""
    body = Body(HELLO[:3], KeyboardInterrupt())
    stream = opened(body)
    with pytest.raises(KeyboardInterrupt):
        stream.until_done()
    assert stream.response.is_closed
    with pytest.raises(StreamTruncatedError):
        stream.get_final_message()
    assert body.closed == 1


def test_reading_on_after_ctrl_c_in_an_observer_closes_the_response() -> None:
    """The source was not asked when it happened, and learns of it when somebody goes on."""

    def stop(event: Any) -> None:
        if event.type == "content_block_delta":
            raise KeyboardInterrupt

    body = Body()
    texts = iter_text(tap(sdk_stream(body), stop))
    with pytest.raises(KeyboardInterrupt):
        next(texts)
    assert body.closed == 0
    with pytest.raises(StreamTruncatedError):
        next(texts)
    assert body.closed == 1


def test_a_stream_that_is_dropped_closes_its_response() -> None:
    """Its connection does not stay with the pool for ever."""
    body = Body()
    stream = opened(body)
    assert next(stream.text_stream)
    assert body.closed == 0
    del stream
    gc.collect()
    assert body.closed == 1


def test_a_compressed_body() -> None:
    """It is for the response to decode."""
    whole = gzip.compress(b"".join(HELLO))
    body = Body((whole[:50], whole[50:]))
    assert opened(body, **{"content-encoding": "gzip"}).get_final_text() == "Hello, world!"


def test_the_transport_is_asked_for_its_body_once() -> None:
    """A stream of a transport's own may not bear to be asked twice."""
    body = Body()
    assert opened(body).get_final_text() == "Hello, world!"
    assert (body.iterated, body.closed) == (1, 1)


def test_a_body_that_was_read_before_is_not_asked_for_again() -> None:
    """What a hook, or anybody else, has read into memory is read from there."""
    body = Body()
    stream = opened(body)
    stream.response.read()
    assert stream.get_final_text() == "Hello, world!"
    assert body.iterated == 1


def test_a_response_that_was_closed_before() -> None:
    """Nothing is read from a connection that was given back."""
    body = Body()
    stream = opened(body)
    stream.response.close()
    with pytest.raises(TypeError, match=r"this stream \(Response\) was read or closed before"):
        stream.get_final_text()
    assert body.iterated == 0
