"""Every error can be caught as ours and as the SDK's, says what it must, and travels in a pickle without secrets."""

from __future__ import annotations

import copy
import importlib
import pickle
from typing import Any

import anthropic
import pytest

import claude_stream
from claude_stream import (
    Accumulator,
    RefusalError,
    StopReasonError,
    StreamAPIError,
    StreamConnectionError,
    StreamError,
    StreamProtocolError,
    StreamTimeoutError,
    StreamTruncatedError,
    ToolInputError,
    collect,
    from_sse,
)
from claude_stream._errors import api_error, as_event
from claude_stream.testing import message_events
from tests.faults import error_event
from tests.support import Mode, body_of

# error.type, our class, the SDK's names for its class (newest first), status, retryable.
# Source: https://docs.claude.com/en/api/errors
DOCUMENTED = [
    ("invalid_request_error", "StreamBadRequestError", ["BadRequestError"], 400, False),
    ("authentication_error", "StreamAuthenticationError", ["AuthenticationError"], 401, False),
    ("billing_error", "StreamPaymentRequiredError", ["PaymentRequiredError"], 402, False),
    ("permission_error", "StreamPermissionDeniedError", ["PermissionDeniedError"], 403, False),
    ("not_found_error", "StreamNotFoundError", ["NotFoundError"], 404, False),
    ("conflict_error", "StreamConflictError", ["ConflictError"], 409, True),
    ("request_too_large", "StreamContentTooLargeError", ["ContentTooLargeError", "RequestTooLargeError"], 413, False),
    ("rate_limit_error", "StreamRateLimitError", ["RateLimitError"], 429, True),
    ("api_error", "StreamInternalServerError", ["InternalServerError"], 500, True),
    ("timeout_error", "StreamGatewayTimeoutError", ["GatewayTimeoutError", "DeadlineExceededError"], 504, True),
    ("overloaded_error", "StreamOverloadedError", ["OverloadedError"], 529, True),
]


def sdk_class(names: list[str]) -> type[anthropic.APIStatusError]:
    private = importlib.import_module("anthropic._exceptions")
    found = [getattr(anthropic, name, None) or getattr(private, name, None) for name in names]
    return next(filter(None, found), anthropic.APIStatusError)


def raised(mode: Mode, body: bytes) -> Any:
    error = mode.read(lambda: collect(mode.stream(body))).error
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("kind", "ours", "sdk_names", "status", "retryable"), DOCUMENTED, ids=[d[0] for d in DOCUMENTED]
)
def test_a_documented_error(
    mode: Mode, kind: str, ours: str, sdk_names: list[str], status: int, retryable: bool
) -> None:
    """Each documented type is caught by our class and by the SDK's, and its attributes are right."""
    events = [*message_events("Hello", cut=4), error_event(kind, request_id="req_from_body")]
    error = raised(mode, body_of(events))
    assert type(error) is getattr(claude_stream, ours)
    for cls in (sdk_class(sdk_names), StreamAPIError, StreamError, anthropic.APIStatusError, anthropic.APIError):
        assert isinstance(error, cls)
    assert (error.type, error.status_code, error.retryable) == (kind, status, retryable)
    assert error.body == events[-1]
    assert error.partial.content[0].text == "Hello"
    assert (error.usage.input_tokens, error.usage.final) == (10, False)
    assert error.content_started
    assert error.request_id == "req_replay"  # the header wins over the body
    assert error.response.status_code == 200
    assert error.request.method == "POST"
    assert error.message == str(error)
    assert "said the API" in error.message
    if hasattr(anthropic.APIStatusError("", response=error.response, body=None), "api_message"):
        assert error.api_message == "said the API"


def test_every_class_for_an_api_error_is_documented_here() -> None:
    """The table of this test has all the classes there are."""
    assert {ours for _, ours, *_ in DOCUMENTED} == {cls.__name__ for cls in StreamAPIError.__subclasses__()}


def test_an_unknown_type_stays_a_stream_api_error(mode: Mode) -> None:
    """An error type newer than the library has the status of a server's fault, and is not retried blindly."""
    error = raised(mode, body_of([error_event("weather_error")]))
    assert type(error) is StreamAPIError
    assert (error.type, error.status_code, error.retryable, error.partial) == ("weather_error", 500, False, None)
    assert not error.content_started


@pytest.mark.parametrize("body", [None, "text", [], {"type": ["list"]}, {"type": "api_error", "details": "text"}])
def test_an_error_event_of_any_shape_is_an_api_error(body: Any) -> None:
    """Whatever the body of an error event is, it is kept, and nothing else is raised."""
    with pytest.raises(StreamAPIError) as caught:
        Accumulator().feed({"type": "error", "error": body})
    assert caught.value.body == {"type": "error", "error": body}


def test_the_request_id_of_the_body_is_used_where_there_is_no_header() -> None:
    """Without a live response the error's body names the request."""
    with pytest.raises(StreamAPIError) as caught:
        collect([error_event("api_error", request_id="req_from_body")])
    assert caught.value.request_id == "req_from_body"


def test_details_and_error_code_are_read_from_the_body() -> None:
    """What the SDK reads out of an error's body is there in ours."""
    event = {"type": "error", "error": {"type": "api_error", "message": "m", "details": {"error_code": "x"}}}
    with pytest.raises(StreamAPIError) as caught:
        collect([event])
    assert (caught.value.error_code, caught.value.details) == ("x", {"error_code": "x"})


SAMPLES = [
    body_of([*message_events("Hello", cut=4), error_event("overloaded_error")]),
    body_of(message_events("Hello", cut=4)),
    body_of([*message_events("Hello", cut=4), {"type": "content_block_stop", "index": 9}]),
    body_of(message_events("Hello", ("tool", {"a": "b"}), chunk=100)).replace(b'\\"b\\"', b"oops!"),
]


@pytest.mark.parametrize("body", SAMPLES)
def test_a_pickle_keeps_everything_but_the_request(mode: Mode, body: bytes) -> None:
    """An error survives a pickle, and the pickle holds neither key nor request."""
    error = raised(mode, body)
    assert error.request is not None
    pickled = pickle.dumps(error)
    assert b"sk-ant-replay" not in pickled
    assert b"x-api-key" not in pickled.lower()
    again = pickle.loads(pickled)
    assert type(again) is type(error)
    assert again.request is None
    assert str(again) == str(error)
    for name in ("partial", "usage", "request_id", "retryable", "content_started", "message", "body"):
        assert getattr(again, name) == getattr(error, name)
    for name in ("status_code", "type", "raw", "tool_name", "tool_use_id"):
        assert getattr(again, name, None) == getattr(error, name, None)
    assert type(copy.copy(error)) is type(error)


def test_a_tool_input_error_says_which_call() -> None:
    """`ToolInputError` is a ValueError, and names the tool, the call and the raw text."""
    with pytest.raises(ToolInputError) as caught:
        collect(from_sse([SAMPLES[3]]))
    error = caught.value
    assert isinstance(error, ValueError)
    assert (error.tool_name, error.tool_use_id, error.raw) == ("tool", "toolu_test_1", '{"a": oops!}')
    assert error.partial is not None
    assert error.partial.content[0].text == "Hello"


@pytest.mark.parametrize(
    ("ours", "sdk"),
    [
        (StreamConnectionError, anthropic.APIConnectionError),
        (StreamTruncatedError, anthropic.APIConnectionError),
        (StreamTimeoutError, anthropic.APITimeoutError),
        (StreamProtocolError, anthropic.APIError),
    ],
)
def test_errors_can_be_made_by_hand(ours: type[StreamError], sdk: type[Exception]) -> None:
    """A test double can raise any of them with a message alone."""
    error = ours("away")
    assert isinstance(error, sdk)
    assert (str(error), error.partial, error.usage, error.request_id) == ("away", None, None, None)
    assert error.retryable is isinstance(error, StreamConnectionError)


def test_a_hand_made_api_error_has_its_type_and_status() -> None:
    """A class for an API error knows its type and status without a body."""
    error = claude_stream.StreamRateLimitError("slow down")
    assert (error.type, error.status_code, error.retryable) == ("rate_limit_error", 429, True)


def test_an_error_event_is_shown_in_short() -> None:
    """An error without a message of its own shows the beginning of its body, and no more."""
    with pytest.raises(StreamAPIError, match=r"api_error: \{'type': 'error'") as caught:
        collect([error_event("api_error", error={"type": "api_error", "message": None, "more": "x" * 5000})])
    assert len(str(caught.value)) < 700


def test_bad_json_is_the_cause() -> None:
    """The parser's own exception is the cause of ours."""
    with pytest.raises(StreamProtocolError) as caught:
        collect(from_sse([b"data: {oops\n\n"]))
    assert isinstance(caught.value.__cause__, ValueError)


GENERAL = {"type": "error", "error": {"type": "api_error", "message": "The answer could not be completed."}}


OTHERS = [
    StreamError,
    StreamConnectionError,
    StreamTruncatedError,
    StreamTimeoutError,
    StreamProtocolError,
    StopReasonError,
    RefusalError,
    ToolInputError,
]


@pytest.mark.parametrize("cls", OTHERS)
def test_a_client_learns_of_a_failure_that_it_happened_and_no_more(cls: type[StreamError]) -> None:
    """Nothing of the message, which may quote the stream, is in the event."""
    assert cls("secret").as_event() == GENERAL


def test_a_client_learns_of_an_error_of_the_api_what_the_api_said() -> None:
    """Its type, its message and its ID of the request; not the details, not what we say of the stream."""
    said = {"type": "overloaded_error", "message": "Overloaded", "details": {"secret": 1}}
    error = api_error({"type": "error", "error": said, "request_id": "req_1"})
    assert error.as_event() == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Overloaded"},
        "request_id": "req_1",
    }


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (None, "api_error"),
        ("oops", "api_error"),
        ({"error": "secret", "request_id": 1}, "api_error"),
        ({"error": {"type": ["x"], "message": {"a": 1}}}, "api_error"),
        ({"error": {"type": "tea_break"}}, "tea_break"),
        ({"error": {"type": "throttlingException"}}, "rate_limit_error"),  # Bedrock's name for it
    ],
)
def test_the_event_of_an_error_of_any_shape(body: Any, kind: str) -> None:
    """It is the API's `error` event, with an API's type, whatever the body was."""
    assert api_error(body).as_event() == {"type": "error", "error": {**GENERAL["error"], "type": kind}}


def test_the_event_of_an_exception_that_is_not_ours() -> None:
    """The answer to a refused request says what the API said; of all others nothing is told."""
    assert as_event(ValueError("secret")) == GENERAL
    said = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    error = anthropic.APIStatusError.__new__(anthropic.APIStatusError)
    error.body = said
    assert as_event(error) == said


def test_an_error_with_a_number_that_python_does_not_print() -> None:
    """It is an error of the API like any other."""
    error = api_error({"type": "error", "error": {"type": 10**5000}})
    assert type(error) is StreamAPIError
    assert "a dict that cannot be shown" in str(error)
