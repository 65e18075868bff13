"""The SDK's exceptions: their classes, what they hold, and when a request is sent again."""

from __future__ import annotations

import importlib
import inspect
import pickle
from typing import Any

import anthropic
import pytest

from tests.whole.sdk_facts.sdk import API, HTTP, REQUEST, SDK, raised

_exceptions = importlib.import_module("anthropic._exceptions")

# Status, and the names of its class, newest first.
BY_STATUS: dict[int, tuple[str, ...]] = {
    400: ("BadRequestError",),
    401: ("AuthenticationError",),
    402: ("PaymentRequiredError", "APIStatusError"),
    403: ("PermissionDeniedError",),
    404: ("NotFoundError",),
    409: ("ConflictError",),
    413: ("ContentTooLargeError", "RequestTooLargeError"),
    429: ("RateLimitError",),
    500: ("InternalServerError",),
    504: ("GatewayTimeoutError", "InternalServerError"),
    529: ("OverloadedError",),
}


def refused(status: int, **headers: str) -> Any:
    api = API(b'{"type": "error", "error": {}}', status=status, content_type="application/json", **headers)
    return raised(lambda: api.client().messages.create(**REQUEST))


@pytest.mark.parametrize("status", BY_STATUS)
def test_the_class_of_a_status(status: int) -> None:
    """A refused request raises the class of its status; SDK 2.0 has new ones for 402 and 504, and renamed that for 413.

    Used by: `_errors._sdk_class`, `_errors.StreamAPIError`.
    """
    newest, oldest = BY_STATUS[status][0], BY_STATUS[status][-1]
    assert type(refused(status)).__name__ == (newest if SDK >= (2, 0) else oldest)


def test_where_the_classes_are_found() -> None:
    """All are in `anthropic._exceptions`; SDKs before 1.0 may keep `DeadlineExceededError` out of the top level.

    Used by: `_errors._sdk_class`.
    """
    names = {BY_STATUS[status][0 if SDK >= (2, 0) else -1] for status in BY_STATUS}
    names.add("GatewayTimeoutError" if SDK >= (2, 0) else "DeadlineExceededError")
    assert [name for name in names if not hasattr(_exceptions, name)] == []
    missing = {name for name in names if not hasattr(anthropic, name)}
    assert missing <= (set() if SDK >= (1, 0) else {"DeadlineExceededError"})


def test_what_an_error_holds() -> None:
    """An `APIStatusError` has these attributes and no others; SDKs before 2.0 have fewer.

    Used by: `_errors.StreamAPIError`, whose constructor sets them all.
    """
    held = {*vars(refused(500))}
    assert {"body", "message", "request", "request_id", "response", "status_code", "type"} <= held
    more = {"api_message", "details", "error_code", "workspace_id"}
    assert held <= {"body", "message", "request", "request_id", "response", "status_code", "type", *more}
    if SDK >= (2, 0):
        assert more <= held


def test_what_a_constructor_wants() -> None:
    """The SDK's constructors want a request or a response.

    Used by: `_errors.StreamError`, which does not call them.
    """
    assert [*inspect.signature(anthropic.APIError).parameters] == ["message", "request", "body"]
    assert [*inspect.signature(anthropic.APIStatusError).parameters] == ["message", "response", "body"]
    assert {*inspect.signature(anthropic.APIConnectionError).parameters} >= {"request"}


def test_a_pickle_of_an_error_holds_the_key() -> None:
    """The request is in it, and its headers.

    Used by: `_errors.StreamError.__reduce__`, which leaves it out.
    """
    api = API(b"{}", status=500, content_type="application/json")
    error = raised(lambda: api.client(api_key="sk-secret").messages.create(**REQUEST))
    assert b"sk-secret" in pickle.dumps(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 503, 504, 529])
def test_which_status_is_sent_again(status: int) -> None:
    """408, 409, 429 and everything from 500 on is asked for again, the rest is not.

    Used by: `_errors.StreamAPIError`, which has the same rule.
    """
    client: Any = anthropic.Anthropic(api_key="key")
    assert client._should_retry(HTTP.Response(status)) is (status in (408, 409, 429) or status >= 500)


def test_how_long_it_waits() -> None:
    """It waits half a second before the first retry, and eight at most.

    Used by: `_drive.restarts.backoff`.
    """
    constants = importlib.import_module("anthropic._constants")
    assert (constants.INITIAL_RETRY_DELAY, constants.MAX_RETRY_DELAY) == (0.5, 8.0)


def test_connection_errors() -> None:
    """A time limit that passes is a connection that fails, and both are an `APIError`.

    Used by: `_errors.StreamTimeoutError`, `_translate._transport_error`.
    """
    assert issubclass(anthropic.APITimeoutError, anthropic.APIConnectionError)
    assert issubclass(anthropic.APIConnectionError, anthropic.APIError)
    assert not issubclass(anthropic.APIConnectionError, anthropic.APIStatusError)
