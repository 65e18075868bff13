"""All that is public, in one place. The package itself loads it when the first of these names is asked for."""

import inspect

from ._drive.aio import AsyncReader
from ._drive.sync import Reader
from ._errors import (
    RefusalError,
    StopReasonError,
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
from ._iterators import (
    collect,
    ensure_finished,
    iter_blocks,
    iter_events,
    iter_parts,
    iter_progress,
    iter_text,
    iter_thinking,
    iter_tool_calls,
    iter_tool_inputs,
    tap,
    with_restarts,
    with_timeout,
)
from ._message_stream import AsyncMessageStream, MessageStream
from ._open import open_stream
from ._print import print_stream
from ._relay import SSE_HEADERS, from_ndjson, from_sse, to_ndjson, to_sse
from ._sources import AnyAsyncSource, AnySource, AsyncBetaSource, AsyncSource, BetaSource, Source
from ._steps.accumulator import Accumulator
from ._steps.blocks import ToolInput
from ._steps.parts import (
    CitationPart,
    DonePart,
    FallbackPart,
    Part,
    ServerToolPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ._steps.progress import Chars, Progress
from ._steps.timer import StreamTimer
from ._tally import UsageTally
from ._usage import Iteration, Usage
from ._wire.events import UnknownEvent
from ._wrap import wrap_client

__all__ = [  # noqa: RUF022 - in the plain order, which a test can check
    "Accumulator",
    "AnyAsyncSource",
    "AnySource",
    "AsyncBetaSource",
    "AsyncMessageStream",
    "AsyncReader",
    "AsyncSource",
    "BetaSource",
    "Chars",
    "CitationPart",
    "DonePart",
    "FallbackPart",
    "Iteration",
    "MessageStream",
    "Part",
    "Progress",
    "Reader",
    "RefusalError",
    "SSE_HEADERS",
    "ServerToolPart",
    "Source",
    "StopReasonError",
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
    "TextPart",
    "ThinkingPart",
    "ToolCallPart",
    "ToolInput",
    "ToolInputError",
    "UnknownEvent",
    "Usage",
    "UsageTally",
    "collect",
    "ensure_finished",
    "from_ndjson",
    "from_sse",
    "iter_blocks",
    "iter_events",
    "iter_parts",
    "iter_progress",
    "iter_text",
    "iter_thinking",
    "iter_tool_calls",
    "iter_tool_inputs",
    "open_stream",
    "print_stream",
    "tap",
    "to_ndjson",
    "to_sse",
    "with_restarts",
    "with_timeout",
    "wrap_client",
]

# Wherever a module moves, pickles, tracebacks and help() name the place that users import from.
for _name in __all__:
    if issubclass(type(globals()[_name]), type) or inspect.isfunction(globals()[_name]):
        globals()[_name].__module__ = "claude_stream"
