"""Streams as bytes: what comes off a wire, and in time what is sent on.

The law: frames are cut and made here and nowhere else; events in between are events like all others.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any, Literal, overload

from anthropic.types import RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent

from ._drive.aio import AsyncReader
from ._drive.pipeline import Options, drive
from ._drive.sync import Reader


@overload
def from_sse(chunks: Iterable[bytes], /, *, beta: Literal[False] = False) -> Reader[RawMessageStreamEvent]: ...
@overload
def from_sse(
    chunks: AsyncIterable[bytes], /, *, beta: Literal[False] = False
) -> AsyncReader[RawMessageStreamEvent]: ...
@overload
def from_sse(chunks: Iterable[bytes], /, *, beta: Literal[True]) -> Reader[BetaRawMessageStreamEvent, BetaMessage]: ...
@overload
def from_sse(
    chunks: AsyncIterable[bytes], /, *, beta: Literal[True]
) -> AsyncReader[BetaRawMessageStreamEvent, BetaMessage]: ...
def from_sse(chunks: Any, /, *, beta: bool = False) -> Any:
    """Yield the events in the bytes of a response body, cut into chunks anywhere.

    Args:
        chunks: the body, as ``response.iter_bytes()``, an open file, or a list of bytes gives it.
        beta: build the SDK's beta events.

    Raises:
        StreamProtocolError: if the body is no event stream, or its data cannot be decoded.
        StreamError: when the stream turns out broken in another way.
        TypeError: if ``chunks`` does not give bytes.

    Example:
        >>> from claude_stream import from_sse, iter_text
        >>> with open("answer.sse", "rb") as body:
        ...     print("".join(iter_text(from_sse(body))))
        Hello, world!
    """
    return drive(chunks, options=Options(chunks=True, beta=beta, events=True))
