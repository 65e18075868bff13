"""What foreign errors become: those of the transport, of the SDK, of Bedrock; and the user's own, which stay."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

import claude_stream
from claude_stream import (
    StreamConnectionError,
    StreamProtocolError,
    StreamTimeoutError,
    ToolInputError,
    from_sse,
    iter_text,
)
from claude_stream._translate import from_sdk
from claude_stream.testing import Recording, message_events
from tests.nets import http_of_the_sdk
from tests.support import REQUEST, WITH_TODAYS_HELPER, Mode, OwnError, body_of, failing

EVENTS = message_events("Hello, world!")
REFUSED = anthropic.AuthenticationError(
    "no", response=type("Response", (), {"status_code": 401, "headers": {}, "request": None})(), body=None
)


@pytest.mark.parametrize("exc", [OwnError("x"), ValueError("x"), ConnectionResetError("x"), TimeoutError("x"), REFUSED])
def test_a_users_own_exception_passes_unchanged(mode: Mode, exc: Exception) -> None:
    """What a user's own generator raises is the user's; so is what the SDK raises before a response begins."""
    outcome = mode.read(lambda: iter_text(mode.source(failing(exc, EVENTS[:3]))))
    assert (outcome.items, outcome.error) == (["Hello, w"], exc)


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (anthropic.APIConnectionError(request=None), StreamConnectionError),
        (anthropic.APITimeoutError(request=None), StreamTimeoutError),
        (anthropic.APIError("odd", request=None, body=None), StreamProtocolError),
    ],
)
def test_an_error_of_the_sdk_is_ours_whoever_passes_it_on(
    mode: Mode, exc: Exception, expected: type[Exception]
) -> None:
    """The SDK's errors are translated also when a user's generator stands between."""
    outcome = mode.read(lambda: iter_text(mode.source(failing(exc, EVENTS[:3]))))
    assert outcome.items == ["Hello, w"]
    assert type(outcome.error) is expected
    assert outcome.error.__cause__ is exc


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (ConnectionResetError("reset"), StreamConnectionError),
        (TimeoutError("late"), StreamTimeoutError),
        (EOFError("end"), StreamConnectionError),
        (OwnError("x"), OwnError),
    ],
)
def test_plain_errors_of_sockets_count_where_bytes_are_read(
    mode: Mode, exc: Exception, expected: type[Exception]
) -> None:
    """Bytes come from a transport, so that a socket's or file's error is the transport's there."""
    outcome = mode.read(lambda: iter_text(from_sse(mode.source(failing(exc, [body_of(EVENTS[:3])])))))
    assert outcome.items == ["Hello, w"]
    assert type(outcome.error) is expected


@pytest.mark.parametrize("name", ["ReadError", "RemoteProtocolError", "ReadTimeout", "DecodingError"])
def test_errors_of_the_http_package(mode: Mode, name: str) -> None:
    """The HTTP package's exceptions, which the SDK lets through, are ours."""
    exc = getattr(http_of_the_sdk(), name)("broken")
    expected = {"ReadTimeout": StreamTimeoutError, "DecodingError": StreamProtocolError}.get(
        name, StreamConnectionError
    )
    outcome = mode.read(lambda: iter_text(from_sse(mode.source(failing(exc, [body_of(EVENTS[:3])])))))
    assert outcome.items == ["Hello, w"]
    assert type(outcome.error) is expected


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{oops", "event 4: its data is not valid JSON"),
        (b'{"type":"a","b":"\xff"}', "event 4: its data is not valid JSON"),
        (b'{"type":"content_block_delta","_fields_set":[1]}', "event 4 could not be read by the SDK"),
    ],
)
def test_what_the_sdk_cannot_read_is_named_by_its_number(mode: Mode, data: bytes, says: str) -> None:
    """What the SDK raises on an event says which event that was."""
    body = body_of(EVENTS[:3]) + b"event: content_block_delta\ndata: " + data + b"\n\n"
    outcome = mode.read(lambda: iter_text(mode.stream(body)))
    assert isinstance(outcome.error, StreamProtocolError)
    assert says in str(outcome.error)


@WITH_TODAYS_HELPER  # older ones do not say that it is about the input
def test_the_sdks_helper_chokes_on_malformed_input(mode: Mode) -> None:
    """The SDK's MessageStream parses each piece of a tool's input, so its failure ends the text as well."""
    body = body_of(message_events("Hello", ("tool", {"a": 1}), chunk=50)).replace(b'{\\"a\\": 1}', b"{oops}")

    async def read_async() -> Any:
        chunks: list[str] = []
        async with mode.client(Recording.from_bytes(body)).messages.stream(**REQUEST) as stream:
            with pytest.raises(ToolInputError) as caught:
                async for chunk in iter_text(stream):
                    chunks.append(chunk)
        return chunks, caught.value

    if mode.is_async:
        chunks, error = mode.run(read_async)
    else:
        chunks = []
        with mode.client(Recording.from_bytes(body)).messages.stream(**REQUEST) as stream:
            with pytest.raises(ToolInputError) as caught:
                chunks.extend(iter_text(stream))
            error = caught.value
    assert error.raw == ("{oops}" if "JSON: " in str(error) else "")  # SDKs before 0.122 do not say
    assert error.partial.content[0].text == "Hello"


def test_a_bedrock_frame_in_the_text_of_an_error() -> None:
    """SDKs before 1.13 show a Bedrock exception frame in a ValueError; it is an API error all the same."""
    from claude_stream._translate import from_sdk

    frame = {"headers": {":exception-type": "throttlingException"}, "body": b'{"message": "slow down"}'}
    error = from_sdk(ValueError(f"Bad response code, expected 200: {frame}"), 1)
    assert isinstance(error, claude_stream.StreamRateLimitError)
    assert "slow down" in str(error)
    for other in ("Bad response code, expected 200: oops", "something else"):
        assert type(from_sdk(ValueError(other), 1)) is StreamProtocolError


def test_a_character_that_is_cut() -> None:
    """Where a generator hides the response, the SDK's decoder meets the end of the body before we do."""
    error = from_sdk(UnicodeDecodeError("utf-8", b"\xe2", 0, 1, "unexpected end of data"), 3)
    assert isinstance(error, claude_stream.StreamTruncatedError)
