"""The body of a live response, as `open_stream` reads it: what the response's own reading does besides is done, too."""

from __future__ import annotations

import gc
import gzip
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest

from claude_stream import (
    StreamConnectionError,
    StreamError,
    StreamProtocolError,
    StreamTruncatedError,
    iter_text,
    open_stream,
    tap,
)
from claude_stream.testing import Recording, message_events
from claude_stream.testing._http import http_package
from tests.support import REQUEST

http = http_package()
HELLO = Recording.from_events(message_events("Hello, world!")).chunks


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
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        self.iterated += 1
        yield from self._chunks
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        self.closed += 1


def opened(body: Body, **headers: str) -> Any:
    """Return an opened stream over the body, and never close it."""
    headers["content-type"] = "text/event-stream"
    transport = http.MockTransport(lambda _: http.Response(200, headers=headers, stream=body))
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
    """At once: its connection cannot be used any more. Whoever reads on is told."""
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
    with pytest.raises(TypeError, match="was read or closed before"):
        stream.get_final_text()
    assert body.iterated == 0
