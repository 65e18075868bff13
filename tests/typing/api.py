"""What each public function resolves to for each kind of source: sync for sync, async for async.

Type-checked by mypy and pyright, both strict, and never run. The calls through real clients are in
`client.py`, and the calls that must be refused in `refused.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Iterable, Iterator
from pathlib import Path
from typing import Any

from anthropic import AsyncStream, Stream
from anthropic.lib.streaming import AsyncMessageStream, BetaAsyncMessageStream, BetaMessageStream, MessageStream
from anthropic.types import ContentBlock, Message, RawMessageStreamEvent, ToolUseBlock
from anthropic.types.beta import BetaContentBlock, BetaMessage, BetaRawMessageStreamEvent, BetaToolUseBlock
from typing_extensions import assert_type

from claude_stream import (
    Accumulator,
    ToolInput,
    UnknownEvent,
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

# -- sync sources --


def sdk_stream(source: Stream[RawMessageStreamEvent]) -> None:
    """The SDK's stream gives sync iterators and its stable types."""
    assert_type(iter_events(source), Iterator[RawMessageStreamEvent])
    assert_type(iter_text(source), Iterator[str])
    assert_type(iter_text(source, separator="\n\n"), Iterator[str])
    assert_type(iter_thinking(source), Iterator[str])
    assert_type(iter_blocks(source), Iterator[ContentBlock])
    assert_type(iter_tool_calls(source), Iterator[ToolUseBlock])
    assert_type(iter_tool_inputs(source), Iterator[ToolInput])
    assert_type(tap(source), Iterator[RawMessageStreamEvent])
    assert_type(tap(source, print, Accumulator().feed), Iterator[RawMessageStreamEvent])
    assert_type(collect(source), Message)
    assert_type(collect(source, beta=False), Message)
    assert_type(collect(source, beta=True), BetaMessage)


def sdk_beta_stream(source: Stream[BetaRawMessageStreamEvent]) -> None:
    """The SDK's beta stream gives the beta types, whether or not it is told to."""
    assert_type(iter_events(source), Iterator[BetaRawMessageStreamEvent])
    assert_type(iter_text(source), Iterator[str])
    assert_type(iter_text(source, separator="\n\n"), Iterator[str])
    assert_type(iter_thinking(source), Iterator[str])
    assert_type(iter_blocks(source), Iterator[BetaContentBlock])
    assert_type(iter_tool_calls(source), Iterator[BetaToolUseBlock])
    assert_type(iter_tool_inputs(source), Iterator[ToolInput])
    assert_type(tap(source), Iterator[BetaRawMessageStreamEvent])
    assert_type(tap(source, print, Accumulator().feed), Iterator[BetaRawMessageStreamEvent])
    assert_type(collect(source), BetaMessage)
    assert_type(collect(source, beta=False), BetaMessage)
    assert_type(collect(source, beta=True), BetaMessage)


def stream_of_objects(source: Stream[object]) -> None:
    """The SDK's stream of dicts, which it types as objects, counts as stable."""
    assert_type(iter_events(source), Iterator[RawMessageStreamEvent])
    assert_type(iter_text(source), Iterator[str])
    assert_type(iter_thinking(source), Iterator[str])
    assert_type(iter_blocks(source), Iterator[ContentBlock])
    assert_type(iter_tool_calls(source), Iterator[ToolUseBlock])
    assert_type(iter_tool_inputs(source), Iterator[ToolInput])
    assert_type(tap(source, print), Iterator[RawMessageStreamEvent])
    assert_type(collect(source), Message)
    assert_type(collect(source, beta=True), BetaMessage)


def sdk_message_stream(source: MessageStream[None]) -> None:
    """The SDK's helper stream, with the events of its own, is a source like its raw stream."""
    assert_type(iter_events(source), Iterator[RawMessageStreamEvent])
    assert_type(iter_text(source), Iterator[str])
    assert_type(iter_thinking(source), Iterator[str])
    assert_type(iter_blocks(source), Iterator[ContentBlock])
    assert_type(iter_tool_calls(source), Iterator[ToolUseBlock])
    assert_type(iter_tool_inputs(source), Iterator[ToolInput])
    assert_type(tap(source, print), Iterator[RawMessageStreamEvent])
    assert_type(collect(source), Message)


def sdk_beta_message_stream(source: BetaMessageStream[None]) -> None:
    """The SDK's beta helper stream gives the beta types."""
    assert_type(iter_events(source), Iterator[BetaRawMessageStreamEvent])
    assert_type(iter_text(source), Iterator[str])
    assert_type(iter_thinking(source), Iterator[str])
    assert_type(iter_blocks(source), Iterator[BetaContentBlock])
    assert_type(iter_tool_calls(source), Iterator[BetaToolUseBlock])
    assert_type(iter_tool_inputs(source), Iterator[ToolInput])
    assert_type(tap(source, print), Iterator[BetaRawMessageStreamEvent])
    assert_type(collect(source), BetaMessage)


def dicts(source: list[dict[str, Any]]) -> None:
    """Plain dicts count as stable, and as beta where beta is asked for."""
    assert_type(iter_events(source), Iterator[RawMessageStreamEvent])
    assert_type(iter_text(source), Iterator[str])
    assert_type(iter_thinking(source), Iterator[str])
    assert_type(iter_blocks(source), Iterator[ContentBlock])
    assert_type(iter_tool_calls(source), Iterator[ToolUseBlock])
    assert_type(iter_tool_inputs(source), Iterator[ToolInput])
    assert_type(tap(source, print), Iterator[RawMessageStreamEvent])
    assert_type(collect(source), Message)
    assert_type(collect(source, beta=True), BetaMessage)


def literals() -> None:
    """Dicts may be written where they are used, in a list, a tuple or a generator."""
    assert_type(iter_text([{"type": "message_stop"}]), Iterator[str])
    assert_type(iter_blocks(({"type": "message_stop"}, {"type": "ping"})), Iterator[ContentBlock])
    assert_type(collect({"type": kind} for kind in ("ping", "message_stop")), Message)
    assert_type(collect([{"type": "message_stop"}], beta=True), BetaMessage)
    assert_type(collect([{"type": "message_stop", "usage": {"output_tokens": 1}}]), Message)


def mixed_events(source: list[RawMessageStreamEvent | UnknownEvent | dict[str, object]]) -> None:
    """Events of the SDK, unknown ones and dicts may be mixed."""
    assert_type(iter_events(source), Iterator[RawMessageStreamEvent])
    assert_type(iter_text(source), Iterator[str])
    assert_type(collect(source), Message)


def nested(stable: Iterable[RawMessageStreamEvent], beta: Iterable[BetaRawMessageStreamEvent]) -> None:
    """Our own iterators are sources in their turn, and hand the types on."""
    assert_type(iter_text(iter_events(stable)), Iterator[str])
    assert_type(iter_thinking(tap(iter_events(stable), print)), Iterator[str])
    assert_type(iter_events(tap(tap(stable, print), print)), Iterator[RawMessageStreamEvent])
    assert_type(iter_blocks(iter_events(stable)), Iterator[ContentBlock])
    assert_type(iter_tool_calls(tap(stable, print)), Iterator[ToolUseBlock])
    assert_type(iter_tool_inputs(tap(stable, print)), Iterator[ToolInput])
    assert_type(collect(tap(iter_events(stable), print)), Message)

    assert_type(iter_text(iter_events(beta)), Iterator[str])
    assert_type(iter_thinking(tap(iter_events(beta), print)), Iterator[str])
    assert_type(iter_events(tap(tap(beta, print), print)), Iterator[BetaRawMessageStreamEvent])
    assert_type(iter_blocks(iter_events(beta)), Iterator[BetaContentBlock])
    assert_type(iter_tool_calls(tap(beta, print)), Iterator[BetaToolUseBlock])
    assert_type(iter_tool_inputs(tap(beta, print)), Iterator[ToolInput])
    assert_type(collect(tap(iter_events(beta), print)), BetaMessage)


def body(chunks: Iterable[bytes]) -> None:
    """The bytes of a body are stable unless beta is asked for, and so is what is put on them."""
    assert_type(from_sse(chunks), Iterator[RawMessageStreamEvent])
    assert_type(from_sse(chunks, beta=False), Iterator[RawMessageStreamEvent])
    assert_type(from_sse(chunks, beta=True), Iterator[BetaRawMessageStreamEvent])
    assert_type(from_sse([b"event: ping\n", b"data: {}\n\n"]), Iterator[RawMessageStreamEvent])
    assert_type(iter_text(from_sse(chunks)), Iterator[str])
    assert_type(iter_blocks(from_sse(chunks, beta=True)), Iterator[BetaContentBlock])
    assert_type(collect(from_sse(chunks)), Message)
    assert_type(collect(from_sse(chunks, beta=True)), BetaMessage)
    with Path("answer.sse").open("rb") as file:
        assert_type(iter_text(from_sse(file)), Iterator[str])


def either(source: Stream[RawMessageStreamEvent] | AsyncStream[RawMessageStreamEvent]) -> None:
    """A source of either colour gives an iterator of either colour."""
    assert_type(iter_text(source), Iterator[str] | AsyncIterator[str])
    assert_type(iter_blocks(source), Iterator[ContentBlock] | AsyncIterator[ContentBlock])


# -- async sources --


async def async_sdk_stream(source: AsyncStream[RawMessageStreamEvent]) -> None:
    """The SDK's async stream gives async iterators and its stable types."""
    assert_type(iter_events(source), AsyncIterator[RawMessageStreamEvent])
    assert_type(iter_text(source), AsyncIterator[str])
    assert_type(iter_text(source, separator="\n\n"), AsyncIterator[str])
    assert_type(iter_thinking(source), AsyncIterator[str])
    assert_type(iter_blocks(source), AsyncIterator[ContentBlock])
    assert_type(iter_tool_calls(source), AsyncIterator[ToolUseBlock])
    assert_type(iter_tool_inputs(source), AsyncIterator[ToolInput])
    assert_type(tap(source), AsyncIterator[RawMessageStreamEvent])
    assert_type(tap(source, print, Accumulator().feed), AsyncIterator[RawMessageStreamEvent])
    coroutine = assert_type(collect(source), Coroutine[Any, Any, Message])
    assert_type(await coroutine, Message)
    assert_type(await collect(source, beta=False), Message)
    assert_type(await collect(source, beta=True), BetaMessage)


async def async_sdk_beta_stream(source: AsyncStream[BetaRawMessageStreamEvent]) -> None:
    """The SDK's async beta stream gives the beta types, whether or not it is told to."""
    assert_type(iter_events(source), AsyncIterator[BetaRawMessageStreamEvent])
    assert_type(iter_text(source), AsyncIterator[str])
    assert_type(iter_text(source, separator="\n\n"), AsyncIterator[str])
    assert_type(iter_thinking(source), AsyncIterator[str])
    assert_type(iter_blocks(source), AsyncIterator[BetaContentBlock])
    assert_type(iter_tool_calls(source), AsyncIterator[BetaToolUseBlock])
    assert_type(iter_tool_inputs(source), AsyncIterator[ToolInput])
    assert_type(tap(source), AsyncIterator[BetaRawMessageStreamEvent])
    assert_type(tap(source, print, Accumulator().feed), AsyncIterator[BetaRawMessageStreamEvent])
    coroutine = assert_type(collect(source), Coroutine[Any, Any, BetaMessage])
    assert_type(await coroutine, BetaMessage)
    assert_type(await collect(source, beta=False), BetaMessage)
    assert_type(await collect(source, beta=True), BetaMessage)


async def async_stream_of_objects(source: AsyncStream[object]) -> None:
    """The SDK's async stream of dicts, which it types as objects, counts as stable."""
    assert_type(iter_events(source), AsyncIterator[RawMessageStreamEvent])
    assert_type(iter_text(source), AsyncIterator[str])
    assert_type(iter_thinking(source), AsyncIterator[str])
    assert_type(iter_blocks(source), AsyncIterator[ContentBlock])
    assert_type(iter_tool_calls(source), AsyncIterator[ToolUseBlock])
    assert_type(iter_tool_inputs(source), AsyncIterator[ToolInput])
    assert_type(tap(source, print), AsyncIterator[RawMessageStreamEvent])
    assert_type(await collect(source), Message)
    assert_type(await collect(source, beta=True), BetaMessage)


async def async_sdk_message_stream(source: AsyncMessageStream[None]) -> None:
    """The SDK's async helper stream, with the events of its own, is a source like its raw stream."""
    assert_type(iter_events(source), AsyncIterator[RawMessageStreamEvent])
    assert_type(iter_text(source), AsyncIterator[str])
    assert_type(iter_thinking(source), AsyncIterator[str])
    assert_type(iter_blocks(source), AsyncIterator[ContentBlock])
    assert_type(iter_tool_calls(source), AsyncIterator[ToolUseBlock])
    assert_type(iter_tool_inputs(source), AsyncIterator[ToolInput])
    assert_type(tap(source, print), AsyncIterator[RawMessageStreamEvent])
    assert_type(await collect(source), Message)


async def async_sdk_beta_message_stream(source: BetaAsyncMessageStream[None]) -> None:
    """The SDK's async beta helper stream gives the beta types."""
    assert_type(iter_events(source), AsyncIterator[BetaRawMessageStreamEvent])
    assert_type(iter_text(source), AsyncIterator[str])
    assert_type(iter_thinking(source), AsyncIterator[str])
    assert_type(iter_blocks(source), AsyncIterator[BetaContentBlock])
    assert_type(iter_tool_calls(source), AsyncIterator[BetaToolUseBlock])
    assert_type(iter_tool_inputs(source), AsyncIterator[ToolInput])
    assert_type(tap(source, print), AsyncIterator[BetaRawMessageStreamEvent])
    assert_type(await collect(source), BetaMessage)


async def async_dicts(source: AsyncIterator[dict[str, Any]]) -> None:
    """Plain dicts count as stable, and as beta where beta is asked for."""
    assert_type(iter_events(source), AsyncIterator[RawMessageStreamEvent])
    assert_type(iter_text(source), AsyncIterator[str])
    assert_type(iter_thinking(source), AsyncIterator[str])
    assert_type(iter_blocks(source), AsyncIterator[ContentBlock])
    assert_type(iter_tool_calls(source), AsyncIterator[ToolUseBlock])
    assert_type(iter_tool_inputs(source), AsyncIterator[ToolInput])
    assert_type(tap(source, print), AsyncIterator[RawMessageStreamEvent])
    assert_type(await collect(source), Message)
    assert_type(await collect(source, beta=True), BetaMessage)


async def unawaited(source: Coroutine[Any, Any, AsyncStream[RawMessageStreamEvent]]) -> None:
    """An awaitable of a stream is a source like the stream itself."""
    assert_type(iter_events(source), AsyncIterator[RawMessageStreamEvent])
    assert_type(iter_text(source), AsyncIterator[str])
    assert_type(iter_thinking(source), AsyncIterator[str])
    assert_type(iter_blocks(source), AsyncIterator[ContentBlock])
    assert_type(iter_tool_calls(source), AsyncIterator[ToolUseBlock])
    assert_type(iter_tool_inputs(source), AsyncIterator[ToolInput])
    assert_type(tap(source, print), AsyncIterator[RawMessageStreamEvent])
    assert_type(await collect(source), Message)
    assert_type(await collect(source, beta=True), BetaMessage)


async def unawaited_beta(source: Coroutine[Any, Any, AsyncStream[BetaRawMessageStreamEvent]]) -> None:
    """An awaitable of a beta stream gives the beta types."""
    assert_type(iter_events(source), AsyncIterator[BetaRawMessageStreamEvent])
    assert_type(iter_text(source), AsyncIterator[str])
    assert_type(iter_thinking(source), AsyncIterator[str])
    assert_type(iter_blocks(source), AsyncIterator[BetaContentBlock])
    assert_type(iter_tool_calls(source), AsyncIterator[BetaToolUseBlock])
    assert_type(iter_tool_inputs(source), AsyncIterator[ToolInput])
    assert_type(tap(source, print), AsyncIterator[BetaRawMessageStreamEvent])
    assert_type(await collect(source), BetaMessage)


async def unawaited_stream_of_objects(source: Coroutine[Any, Any, AsyncStream[object]]) -> None:
    """An awaitable of a stream of dicts, which the SDK types as objects, counts as stable."""
    assert_type(iter_events(source), AsyncIterator[RawMessageStreamEvent])
    assert_type(iter_text(source), AsyncIterator[str])
    assert_type(iter_blocks(source), AsyncIterator[ContentBlock])
    assert_type(await collect(source), Message)
    assert_type(await collect(source, beta=True), BetaMessage)


async def async_nested(
    stable: AsyncIterable[RawMessageStreamEvent], beta: AsyncIterable[BetaRawMessageStreamEvent]
) -> None:
    """Our own async iterators are sources in their turn, and hand the types on."""
    assert_type(iter_text(iter_events(stable)), AsyncIterator[str])
    assert_type(iter_thinking(tap(iter_events(stable), print)), AsyncIterator[str])
    assert_type(iter_events(tap(tap(stable, print), print)), AsyncIterator[RawMessageStreamEvent])
    assert_type(iter_blocks(iter_events(stable)), AsyncIterator[ContentBlock])
    assert_type(iter_tool_calls(tap(stable, print)), AsyncIterator[ToolUseBlock])
    assert_type(iter_tool_inputs(tap(stable, print)), AsyncIterator[ToolInput])
    assert_type(await collect(tap(iter_events(stable), print)), Message)

    assert_type(iter_text(iter_events(beta)), AsyncIterator[str])
    assert_type(iter_thinking(tap(iter_events(beta), print)), AsyncIterator[str])
    assert_type(iter_events(tap(tap(beta, print), print)), AsyncIterator[BetaRawMessageStreamEvent])
    assert_type(iter_blocks(iter_events(beta)), AsyncIterator[BetaContentBlock])
    assert_type(iter_tool_calls(tap(beta, print)), AsyncIterator[BetaToolUseBlock])
    assert_type(iter_tool_inputs(tap(beta, print)), AsyncIterator[ToolInput])
    assert_type(await collect(tap(iter_events(beta), print)), BetaMessage)


async def async_body(chunks: AsyncIterable[bytes]) -> None:
    """The bytes of a body are stable unless beta is asked for, and so is what is put on them."""
    assert_type(from_sse(chunks), AsyncIterator[RawMessageStreamEvent])
    assert_type(from_sse(chunks, beta=False), AsyncIterator[RawMessageStreamEvent])
    assert_type(from_sse(chunks, beta=True), AsyncIterator[BetaRawMessageStreamEvent])
    assert_type(iter_text(from_sse(chunks)), AsyncIterator[str])
    assert_type(iter_blocks(from_sse(chunks, beta=True)), AsyncIterator[BetaContentBlock])
    assert_type(await collect(from_sse(chunks)), Message)
    assert_type(await collect(from_sse(chunks, beta=True)), BetaMessage)
