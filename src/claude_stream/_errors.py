"""One tree of exceptions, which the SDK's own ``except`` clauses catch.

::

    anthropic.APIError
    └─ StreamError                         .partial .usage .request_id .retryable .content_started
       ├─ StreamAPIError                   also anthropic.APIStatusError: an `error` event
       │  ├─ StreamBadRequestError            400  invalid_request_error   also BadRequestError
       │  ├─ StreamAuthenticationError        401  authentication_error    also AuthenticationError
       │  ├─ StreamPaymentRequiredError       402  billing_error           also PaymentRequiredError
       │  ├─ StreamPermissionDeniedError      403  permission_error        also PermissionDeniedError
       │  ├─ StreamNotFoundError              404  not_found_error         also NotFoundError
       │  ├─ StreamConflictError              409  conflict_error          also ConflictError
       │  ├─ StreamContentTooLargeError       413  request_too_large       also RequestTooLargeError
       │  ├─ StreamRateLimitError             429  rate_limit_error        also RateLimitError
       │  ├─ StreamInternalServerError        500  api_error               also InternalServerError
       │  ├─ StreamGatewayTimeoutError        504  timeout_error           also GatewayTimeoutError
       │  └─ StreamOverloadedError            529  overloaded_error        also OverloadedError
       ├─ StreamConnectionError            also anthropic.APIConnectionError: the transport failed
       │  ├─ StreamTruncatedError             the body ended early
       │  └─ StreamTimeoutError               also anthropic.APITimeoutError
       ├─ StreamProtocolError              undecodable data, or events in an impossible order
       ├─ StopReasonError                  a whole answer that was cut at a limit; only from ensure_finished()
       │  └─ RefusalError                     the model refused
       └─ ToolInputError                   also ValueError: a tool call's input is cut or malformed

The constructors of the SDK's classes want a live request and do not cooperate in multiple
inheritance, so ours set every attribute themselves. A pickle of them carries no request and no
response: those hold the API key.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, ClassVar

import anthropic

from ._json import excerpt, is_object

if TYPE_CHECKING:
    from anthropic.types import Message
    from anthropic.types.beta import BetaMessage

    from ._usage import Usage

    _PaymentRequiredError = anthropic.PaymentRequiredError
    _GatewayTimeoutError = anthropic.GatewayTimeoutError
else:

    def _sdk_class(*names: str) -> type[anthropic.APIStatusError]:
        # SDKs before 2.0 lack some classes, and keep others out of the top level.
        private = importlib.import_module("anthropic._exceptions")
        found = (getattr(anthropic, name, None) or getattr(private, name, None) for name in names)
        return next(filter(None, found), anthropic.APIStatusError)

    _PaymentRequiredError = _sdk_class("PaymentRequiredError")
    _GatewayTimeoutError = _sdk_class("GatewayTimeoutError", "DeadlineExceededError")


_NOT_LIVE: Any = None
"""What stands for request and response where there are none, though the SDK's classes promise them."""


class StreamError(anthropic.APIError):
    """Something went wrong after the response had started.

    The base of everything that this library raises about a stream, so that one ``except`` is enough.
    Catching ``anthropic.APIError`` catches these too, and errors before the response starts, which
    are the SDK's own.

    Example:
        >>> from claude_stream import StreamError, iter_text
        >>> from claude_stream.testing import message_events
        >>> try:
        ...     iter_text(message_events("Hello", error="overloaded_error")).read()
        ... except StreamError as error:
        ...     print(type(error).__name__, error.retryable, error.partial.content[0].text)
        StreamOverloadedError True Hello

    Attributes:
        message (str): what happened, after how many events, and what had been received.
        partial (Message | BetaMessage | None): the message as far as it came; None before ``message_start``.
        usage (Usage | None): the tokens as far as they were counted.
        request_id (str | None): what to quote to Anthropic's support.
        retryable (bool): True if the same request may well succeed when it is sent again.
        content_started (bool): True if content had arrived, so that a retry may repeat what was shown.
    """

    partial: Message | BetaMessage | None
    """The message as far as it was received, or None before ``message_start``."""

    usage: Usage | None
    """The tokens as far as they were counted (``.final`` is False), or None before ``message_start``."""

    request_id: str | None
    """The ID to quote to Anthropic's support, from the response's header, else from the error's body."""

    retryable: bool
    """True if the same request may well succeed when it is sent again."""

    content_started: bool
    """True if content had arrived before the failure, so that a retry may repeat what was shown."""

    def __init__(self, message: str, *, body: object | None = None) -> None:
        Exception.__init__(self, message)
        self.message = message
        self.body = body
        self.request = _NOT_LIVE  # known only while the stream is live
        self.partial = None
        self.usage = None
        self.request_id = None
        self.retryable = False
        self.content_started = False

    def as_event(self) -> dict[str, Any]:
        """Return the API's ``error`` event that tells a client of this: what a relay sends on.

        There is nothing in it that a client should not see: what the API itself said is passed on, with its ID of the
        request; of everything else, only that it happened.

        Example:
            >>> from claude_stream import StreamTruncatedError
            >>> StreamTruncatedError("the stream ended early, in content block 0").as_event()["error"]
            {'type': 'api_error', 'message': 'The answer could not be completed.'}

        Source: https://docs.claude.com/en/docs/build-with-claude/streaming#error-events
        """
        return _error_event()

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        state = {k: v for k, v in self.__dict__.items() if k not in {"request", "response"}}
        return _unpickle, (type(self), state)


def _unpickle(cls: type[StreamError], state: dict[str, Any]) -> StreamError:
    error = cls(state["message"])
    error.__dict__.update(state)
    return error


class StreamAPIError(StreamError, anthropic.APIStatusError):
    """The API sent an ``error`` event in the middle of the stream.

    ``type`` is the API's ``error.type``, ``status_code`` the HTTP status that stands for it (529 for
    ``overloaded_error``), ``body`` the whole error body. ``response.status_code`` stays 200, because
    the response had begun well. A ``type`` that is not documented stays a plain `StreamAPIError`
    with ``status_code`` 500 and ``retryable`` False.

    ``api_message`` is the API's own sentence. ``response`` is None if the source had no live response.

    Source: https://docs.claude.com/en/api/errors
    """

    _status: ClassVar[int] = 500
    _type: ClassVar[Any] = None

    def __init__(self, message: str, *, body: object | None = None) -> None:
        super().__init__(message, body=body)
        error = _error_object(body)
        details = error.get("details")
        self.response = _NOT_LIVE
        self.status_code = self._status
        self.type = error.get("type") or self._type
        self.api_message = error.get("message")
        self.details = details
        self.error_code = details.get("error_code") if is_object(details) else None
        self.workspace_id = None
        if is_object(body):
            self.request_id = body.get("request_id")
        # The SDK's own rule for sending a request again, read from `_should_retry` in its base client.
        self.retryable = self._type is not None and (self._status in (408, 409, 429) or self._status >= 500)

    def as_event(self) -> dict[str, Any]:
        """Return the API's ``error`` event with its type, its message and its ID of the request, and no more."""
        event = _error_event(self._type or self.type, self.api_message)
        return {**event, "request_id": self.request_id} if isinstance(self.request_id, str) else event


class StreamBadRequestError(StreamAPIError, anthropic.BadRequestError):
    """``invalid_request_error``, 400."""

    _status, _type = 400, "invalid_request_error"


class StreamAuthenticationError(StreamAPIError, anthropic.AuthenticationError):
    """``authentication_error``, 401."""

    _status, _type = 401, "authentication_error"


class StreamPaymentRequiredError(StreamAPIError, _PaymentRequiredError):
    """``billing_error``, 402."""

    _status, _type = 402, "billing_error"


class StreamPermissionDeniedError(StreamAPIError, anthropic.PermissionDeniedError):
    """``permission_error``, 403."""

    _status, _type = 403, "permission_error"


class StreamNotFoundError(StreamAPIError, anthropic.NotFoundError):
    """``not_found_error``, 404."""

    _status, _type = 404, "not_found_error"


class StreamConflictError(StreamAPIError, anthropic.ConflictError):
    """``conflict_error``, 409."""

    _status, _type = 409, "conflict_error"


class StreamContentTooLargeError(StreamAPIError, anthropic.RequestTooLargeError):
    """``request_too_large``, 413."""

    _status, _type = 413, "request_too_large"


class StreamRateLimitError(StreamAPIError, anthropic.RateLimitError):
    """``rate_limit_error``, 429."""

    _status, _type = 429, "rate_limit_error"


class StreamInternalServerError(StreamAPIError, anthropic.InternalServerError):
    """``api_error``, 500."""

    _status, _type = 500, "api_error"


class StreamGatewayTimeoutError(StreamAPIError, _GatewayTimeoutError):
    """``timeout_error``, 504."""

    _status, _type = 504, "timeout_error"


class StreamOverloadedError(StreamAPIError, anthropic.OverloadedError):
    """``overloaded_error``, 529."""

    _status, _type = 529, "overloaded_error"


class StreamConnectionError(StreamError, anthropic.APIConnectionError):
    """The transport failed in the middle of the body; the original exception is ``__cause__``."""

    def __init__(self, message: str, *, body: object | None = None) -> None:
        super().__init__(message, body=body)
        self.retryable = True


class StreamTruncatedError(StreamConnectionError):
    """The body ended before the message did, though the transport reported no fault."""


class StreamTimeoutError(StreamConnectionError, anthropic.APITimeoutError):
    """Nothing arrived for too long.

    Attributes:
        last_ping (float | None): how many seconds before this the last ping came; None if none was seen. Where the SDK
            decodes the stream, it keeps pings to itself.
    """

    last_ping: float | None = None
    """How many seconds before this the last ping came, if one was seen."""


class StreamProtocolError(StreamError):
    """What arrived is not a stream of the Messages API: undecodable, or in an impossible order."""


class StopReasonError(StreamError):
    """The message is complete, and the answer is not: it was cut at a limit, or refused. From `ensure_finished`.

    ``partial`` is the whole message, and ``usage`` is final.

    Example:
        >>> from claude_stream import StopReasonError, ensure_finished
        >>> from claude_stream.testing import message_events
        >>> try:
        ...     ensure_finished(message_events("Once upon", stop_reason="max_tokens")).read()
        ... except StopReasonError as error:
        ...     print(error.stop_reason, error.partial.content[0].text)
        max_tokens Once upon

    Attributes:
        stop_reason (str): the API's, such as ``max_tokens``.
        stop_details (Any): what the API says of it, as the SDK's object; None if it says nothing.
    """

    stop_reason: str
    """The API's word for why the message ended."""

    stop_details: Any
    """What the API says of it, as the SDK's object, or None."""

    def __init__(
        self, message: str, *, stop_reason: str = "", stop_details: object = None, body: object | None = None
    ) -> None:
        super().__init__(message, body=body)
        self.stop_reason = stop_reason
        self.stop_details = stop_details


class RefusalError(StopReasonError):
    """The model refused. What it had said before may be billed, and the guide says to discard it.

    Example:
        >>> from claude_stream import RefusalError, ensure_finished
        >>> from claude_stream.testing import message_events
        >>> try:
        ...     ensure_finished(message_events(stop_reason="refusal")).read()
        ... except RefusalError as error:
        ...     print(error.stop_details)
        None

    Source: https://platform.claude.com/docs/en/build-with-claude/refusals-and-fallback
    """


class ToolInputError(StreamError, ValueError):
    """The input of a tool call is cut or malformed, so the call must not be run.

    Example:
        >>> from claude_stream import ToolInputError, iter_tool_calls
        >>> from claude_stream.testing import message_events
        >>> cut = message_events(("get_weather", {"city": "Paris"}), stop_reason="max_tokens", chunk=11)
        >>> del cut[-4:-2]  # the end of the input, and of its block
        >>> try:
        ...     iter_tool_calls(cut).read()
        ... except ToolInputError as error:
        ...     print(error.tool_name, error.raw)
        get_weather {"city": "P

    Attributes:
        raw (str): the JSON text of the input as far as it was received.
        tool_name (str | None): the tool.
        tool_use_id (str | None): the call.
    """

    raw: str
    """The JSON text of the input as far as it was received."""

    tool_name: str | None
    tool_use_id: str | None

    def __init__(
        self,
        message: str,
        *,
        raw: str = "",
        tool_name: str | None = None,
        tool_use_id: str | None = None,
        body: object | None = None,
    ) -> None:
        super().__init__(message, body=body)
        self.raw = raw
        self.tool_name = tool_name
        self.tool_use_id = tool_use_id


API_ERRORS: dict[str, type[StreamAPIError]] = {
    vars(cls)["_type"]: cls for cls in StreamAPIError.__subclasses__() if "_type" in vars(cls)
}
"""The class of each ``error.type`` that the API documents. Made before anybody else can have a subclass."""


# The exception frames of Amazon Bedrock's event stream, which the SDK passes on as error events.
# Source: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ResponseStream.html
_BEDROCK_TYPES = {
    "internalServerException": "api_error",
    "modelStreamErrorException": "api_error",
    "modelTimeoutException": "timeout_error",
    "serviceUnavailableException": "overloaded_error",
    "throttlingException": "rate_limit_error",
    "validationException": "invalid_request_error",
}


def _error_object(body: object) -> dict[str, Any]:
    error = body.get("error") if is_object(body) else None
    return error if is_object(error) else {}


def _error_event(kind: object = None, message: object = None) -> dict[str, Any]:
    error = {
        "type": kind if isinstance(kind, str) else "api_error",
        "message": message if isinstance(message, str) else "The answer could not be completed.",
    }
    return {"type": "error", "error": error}


def as_event(exc: Exception) -> dict[str, Any]:
    """Return the API's ``error`` event for whatever ended a stream; see `StreamError.as_event`."""
    if isinstance(exc, anthropic.APIStatusError) and not isinstance(exc, StreamError):
        exc = api_error(exc.body)  # the answer to a request that was awaited as a source
    return exc.as_event() if isinstance(exc, StreamError) else _error_event()


def api_error(body: object) -> StreamAPIError:
    """Return the exception for the body of an ``error`` event, whatever that body is."""
    error = _error_object(body)
    kind = error.get("type")
    documented = _BEDROCK_TYPES.get(kind, kind) if isinstance(kind, str) else None
    cls = API_ERRORS.get(documented, StreamAPIError) if documented is not None else StreamAPIError
    said = error.get("message")
    if isinstance(kind, str) and isinstance(said, str):
        what = f"{kind}: {said}"
    else:
        what = f"{kind if isinstance(kind, str) else 'an error without a type'}: {excerpt(body, 500)}"
    return cls(f"the API sent an error event: {what}", body=body)
