"""All that is public, in one place. The package itself loads it when the first of these names is asked for."""

from ._api import (
    collect,
    from_sse,
    iter_blocks,
    iter_events,
    iter_text,
    iter_thinking,
    iter_tool_calls,
    iter_tool_inputs,
    tap,
)
from ._blocks import ToolInput
from ._client import open_stream, wrap
from ._errors import (
    StreamAPIError,
    StreamAuthenticationError,
    StreamBadRequestError,
    StreamConflictError,
    StreamConnectionError,
    StreamContentTooLargeError,
    StreamError,
    StreamGatewayTimeoutError,
    StreamInternalServerError,
    StreamNotFoundError,
    StreamOverloadedError,
    StreamPaymentRequiredError,
    StreamPermissionDeniedError,
    StreamProtocolError,
    StreamRateLimitError,
    StreamTimeoutError,
    StreamTruncatedError,
    ToolInputError,
)
from ._events import UnknownEvent
from ._message import Accumulator
from ._message_stream import AsyncMessageStream, MessageStream
from ._resilience import restart, with_timeout
from ._timing import StreamTimer
from ._usage import Usage, UsageTally

__all__ = [
    "Accumulator",
    "AsyncMessageStream",
    "MessageStream",
    "StreamAPIError",
    "StreamAuthenticationError",
    "StreamBadRequestError",
    "StreamConflictError",
    "StreamConnectionError",
    "StreamContentTooLargeError",
    "StreamError",
    "StreamGatewayTimeoutError",
    "StreamInternalServerError",
    "StreamNotFoundError",
    "StreamOverloadedError",
    "StreamPaymentRequiredError",
    "StreamPermissionDeniedError",
    "StreamProtocolError",
    "StreamRateLimitError",
    "StreamTimeoutError",
    "StreamTimer",
    "StreamTruncatedError",
    "ToolInput",
    "ToolInputError",
    "UnknownEvent",
    "Usage",
    "UsageTally",
    "collect",
    "from_sse",
    "iter_blocks",
    "iter_events",
    "iter_text",
    "iter_thinking",
    "iter_tool_calls",
    "iter_tool_inputs",
    "open_stream",
    "restart",
    "tap",
    "with_timeout",
    "wrap",
]
