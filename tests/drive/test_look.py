"""What a body turns out to be, of which the SDK gives no event."""

from __future__ import annotations

import importlib
import re
from types import SimpleNamespace
from typing import Any

import pytest

from claude_stream import StreamProtocolError, StreamTruncatedError, collect, iter_text
from claude_stream._drive.look import Look, is_closed_and_gone, other_body
from claude_stream.testing import Recording, message_events
from tests.support import REQUEST, Mode, Outcome, OwnError, body_of

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


# -- the look itself --


class Response:
    """Gives chunks to who asks for them."""

    def __init__(self, mode: Mode, *chunks: bytes) -> None:
        self._source = mode.source(chunks)

    def iter_bytes(self) -> Any:
        return self._source

    aiter_bytes = iter_bytes


def name_in(mode: Mode) -> str:
    return "aiter_bytes" if mode.is_async else "iter_bytes"


def looked_at(mode: Mode, look: Look, *chunks: bytes) -> Outcome:
    """Read chunks, while a look is at them."""
    response = Response(mode, *chunks)
    look.begin(response, name_in(mode))
    outcome = mode.read(getattr(response, name_in(mode)))
    assert name_in(mode) not in vars(response)  # a response that holds what looks at it lives on when it is dropped
    return outcome


def test_a_response_that_has_no_chunks() -> None:
    """A stand-in for one is left as it is."""
    response = SimpleNamespace()
    Look().begin(response, "iter_bytes")
    assert vars(response) == {}


@pytest.mark.parametrize("length", [10, 999, 1000, 2000])
@pytest.mark.parametrize("asks", [False, True])
def test_what_a_look_sees(mode: Mode, length: int, asks: bool) -> None:
    """The chunks until 1000 bytes have come, and, for who asks, that one has come, to the last one."""
    look, touches = Look(), []
    if asks:
        look.touch = lambda: touches.append(None)
    chunks = [b"x" * length, b"y", b"z"]
    outcome = looked_at(mode, look, *chunks)
    assert (outcome.items, outcome.error) == (chunks, None)
    assert bytes(look.head) == b"x" * length + {10: b"yz", 999: b"y"}.get(length, b"")
    assert len(touches) == (3 if asks else 0)


@pytest.mark.parametrize("length", [10, 2000])
@pytest.mark.parametrize("fails", [False, True])
def test_who_is_asked_at_the_end(mode: Mode, length: int, fails: bool) -> None:
    """Of a body short or long: once, behind its last chunk, and an error of theirs is the reader's."""
    look, asked = Look(), []

    def at_end() -> None:
        asked.append(bytes(look.head[-1:]))
        if fails:
            raise OwnError

    look.at_end = at_end
    outcome = looked_at(mode, look, b"x" * length, b"y", b"z")
    assert outcome.items == [b"x" * length, b"y", b"z"]
    assert type(outcome.error) is (OwnError if fails else type(None))
    assert asked == [b"z" if length == 10 else b"x"]


# -- what was seen --

NO_STREAM = "the response is not an event stream, but "
NO_NAMES = (
    "the events have no name, and the SDK leaves such events out: read them by `open_stream`, which does not, "
    "or let the server send `event:` lines as the API does; the body begins: "
)


@pytest.mark.parametrize(
    ("response", "head", "message"),
    [
        (SimpleNamespace(), b"", None),
        (SimpleNamespace(headers={}), b"", None),
        (SimpleNamespace(headers={"content-type": "text/event-stream"}), b"", None),
        (SimpleNamespace(headers={"content-type": "text/html"}), b"", f"{NO_STREAM}text/html"),
        (SimpleNamespace(headers={"content-type": "text/html"}), b"<p>", f"{NO_STREAM}text/html; it begins: <p>"),
        (SimpleNamespace(headers={"content-type": "a/b"}, content=b"c"), b"", f"{NO_STREAM}a/b; it begins: c"),
        (SimpleNamespace(), b": hi\ndata: {}\n\n", f"{NO_NAMES}: hi\ndata: {{}}\n\n"),
        (SimpleNamespace(), b"data: {}\nevent: ping\n\n", None),
    ],
    ids=["no headers", "no type", "stream", "another", "its head", "its content", "nameless", "name behind data"],
)
def test_what_is_said_of_a_body_without_an_event(response: Any, head: bytes, message: str | None) -> None:
    """Its content type, if that is another, and how it begins, if that is known; of an event stream, what is wrong."""
    error = other_body(response, bytearray(head))
    assert (error and error.message) == message


def test_a_stand_in_for_a_response_is_not_closed() -> None:
    """If it does not say so, there may be more to come; if it does, only bytes that it holds are a body."""
    assert not is_closed_and_gone(SimpleNamespace())
    assert is_closed_and_gone(SimpleNamespace(is_closed=True))
    assert is_closed_and_gone(SimpleNamespace(is_closed=True, content="a mock's"))
    assert not is_closed_and_gone(SimpleNamespace(is_closed=True, content=b"other"))
