"""What a body turns out to be, of which the SDK gives no event."""

from __future__ import annotations

import importlib
import re
from types import SimpleNamespace
from typing import Any

import pytest

from claude_stream import StreamProtocolError, StreamTruncatedError, collect, iter_text
from claude_stream._drive.look import Look
from claude_stream.testing import Recording, message_events
from tests.support import REQUEST, Mode, body_of

EVENTS = message_events("Hello, world!")
NAMELESS = re.sub(rb"^event: .*\n", b"", body_of(EVENTS), flags=re.MULTILINE)


def loaded(mode: Mode, content: bytes) -> Any:
    client = mode.client()
    http = importlib.import_module(type(client._client).__module__.partition(".")[0])
    headers = {"content-type": "text/event-stream"}
    transport = http.MockTransport(lambda _: http.Response(200, headers=headers, content=content))
    double = client.copy(http_client=(http.AsyncClient if mode.is_async else http.Client)(transport=transport))
    return double.messages.create(**REQUEST, stream=True)


def test_a_double_that_was_read_before() -> None:
    """A response that was loaded at once is spent like any other."""
    stream = loaded(Mode("sync"), body_of(EVENTS))
    list(stream)
    with pytest.raises(TypeError, match="read or closed before"):
        collect(stream)


@pytest.mark.parametrize(
    ("content", "expected", "words"),
    [
        (b"<html>oops</html>", StreamProtocolError, "it begins: <html>oops</html>"),
        (NAMELESS, StreamProtocolError, "no name"),
        (b"event: ping\ndata: {}\n\n", StreamTruncatedError, "no event came"),
        (body_of(EVENTS)[:80], StreamTruncatedError, "no event came"),
        (b": hello\n\n", StreamTruncatedError, "no event came"),
    ],
    ids=["HTML", "nameless", "pings", "cut in the first event", "comments"],
)
@pytest.mark.parametrize("size", [1, 4096])
def test_a_body_of_which_the_sdk_says_nothing(
    mode: Mode, content: bytes, expected: type[Exception], words: str, size: int
) -> None:
    """Only what was an event stream, and was cut, is worth a second try, however its bytes came."""
    chunks = tuple(content[start : start + size] for start in range(0, len(content), size))
    error = mode.read(lambda: iter_text(mode.stream(Recording(chunks)))).error
    assert type(error) is expected
    assert words in str(error)
    assert error.retryable is (expected is StreamTruncatedError)


def test_a_response_that_is_no_event_stream(mode: Mode) -> None:
    """An SDK stream over another kind of body is an error that names the content type."""
    outcome = mode.read(lambda: iter_text(mode.stream(Recording((b"<html>",), content_type="text/html"))))
    assert isinstance(outcome.error, StreamProtocolError)
    assert "text/html" in str(outcome.error)


def test_an_empty_body_of_bedrock_is_an_event_stream(mode: Mode) -> None:
    """The content type of AWS is as good as that of the API."""
    recording = Recording((), content_type="application/vnd.amazon.eventstream")
    assert type(mode.read(lambda: iter_text(mode.stream(recording))).error) is StreamTruncatedError


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<html>oops</html>", StreamProtocolError),
        (b'{"type": "error"}', StreamProtocolError),
        (b"event: ping\ndata: {}\n\n", StreamTruncatedError),
        (b"event: ping\n\n", StreamTruncatedError),
        (body_of(EVENTS[:3]) + b"event: message_delta\ndata: {oops\n\n", StreamProtocolError),
        (b"", StreamTruncatedError),
    ],
)
def test_a_response_that_was_loaded_at_once(mode: Mode, content: bytes, expected: type[Exception]) -> None:
    """A test double gives its whole body at once, and looks closed; it is no spent stream for that."""
    assert type(mode.read(lambda: collect(loaded(mode, content))).error) is expected
    assert mode.message(lambda: collect(loaded(mode, body_of(EVENTS)))) == collect(EVENTS)


def test_a_response_that_has_no_chunks() -> None:
    """A stand-in for one is left as it is."""
    response = SimpleNamespace()
    Look().begin(response, "iter_bytes")
    assert vars(response) == {}


def test_a_look_that_nobody_asks_about_the_end(mode: Mode) -> None:
    """It lets the end be, long or short."""
    for length in (10, 2000):
        response = SimpleNamespace()
        name = "aiter_bytes" if mode.is_async else "iter_bytes"
        setattr(response, name, lambda length=length: mode.source([b"x" * length, b"y"]))
        Look().begin(response, name)
        assert mode.read(getattr(response, name)).items == [b"x" * length, b"y"]
