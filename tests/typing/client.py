"""The calls as users write them, through the SDK's clients, down to the types in the loop body.

Type-checked by mypy and pyright, both strict, and never run.
"""

from __future__ import annotations

import asyncio

from anthropic import Anthropic, AsyncAnthropic, AsyncStream, Stream
from anthropic.types import ContentBlock, Message, MessageParam, RawMessageStreamEvent, ToolUseBlock
from anthropic.types.beta import (
    BetaContentBlock,
    BetaMessage,
    BetaMessageParam,
    BetaRawMessageStreamEvent,
    BetaToolUseBlock,
)
from typing_extensions import assert_type

from claude_stream import (
    Accumulator,
    AsyncReader,
    Reader,
    ToolInput,
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

MODEL = "claude-sonnet-4-5"
MESSAGES: list[MessageParam] = [{"role": "user", "content": "Hello"}]
BETA_MESSAGES: list[BetaMessageParam] = [{"role": "user", "content": "Hello"}]


def create(client: Anthropic) -> None:
    """The call itself may stand for the source."""
    assert_type(
        iter_events(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)),
        Reader[RawMessageStreamEvent],
    )
    assert_type(
        iter_text(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)), Reader[str]
    )
    assert_type(
        iter_thinking(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)), Reader[str]
    )
    assert_type(
        iter_blocks(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)),
        Reader[ContentBlock],
    )
    assert_type(
        iter_tool_calls(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)),
        Reader[ToolUseBlock],
    )
    assert_type(
        iter_tool_inputs(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)),
        Reader[ToolInput],
    )
    assert_type(
        tap(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True), print),
        Reader[RawMessageStreamEvent],
    )
    assert_type(collect(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)), Message)


def create_beta(client: Anthropic) -> None:
    """So may the beta call, which gives the beta types."""
    assert_type(
        iter_events(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True)),
        Reader[BetaRawMessageStreamEvent, BetaMessage],
    )
    assert_type(
        iter_text(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True)),
        Reader[str, BetaMessage],
    )
    assert_type(
        iter_thinking(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True)),
        Reader[str, BetaMessage],
    )
    assert_type(
        iter_blocks(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True)),
        Reader[BetaContentBlock, BetaMessage],
    )
    assert_type(
        iter_tool_calls(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True)),
        Reader[BetaToolUseBlock, BetaMessage],
    )
    assert_type(
        iter_tool_inputs(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True)),
        Reader[ToolInput, BetaMessage],
    )
    assert_type(
        tap(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True), print),
        Reader[BetaRawMessageStreamEvent, BetaMessage],
    )
    assert_type(
        collect(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True)),
        BetaMessage,
    )


async def create_async(client: AsyncAnthropic) -> None:
    """On an async client the call may stand there un-awaited."""
    assert_type(
        iter_events(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)),
        AsyncReader[RawMessageStreamEvent],
    )
    assert_type(
        iter_text(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)),
        AsyncReader[str],
    )
    assert_type(
        iter_thinking(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)),
        AsyncReader[str],
    )
    assert_type(
        iter_blocks(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)),
        AsyncReader[ContentBlock],
    )
    assert_type(
        iter_tool_calls(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)),
        AsyncReader[ToolUseBlock],
    )
    assert_type(
        iter_tool_inputs(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)),
        AsyncReader[ToolInput],
    )
    assert_type(
        tap(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True), print),
        AsyncReader[RawMessageStreamEvent],
    )
    assert_type(
        await collect(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)), Message
    )


async def create_async_beta(client: AsyncAnthropic) -> None:
    """So may the beta call, which gives the beta types."""
    assert_type(
        iter_events(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True)),
        AsyncReader[BetaRawMessageStreamEvent, BetaMessage],
    )
    assert_type(
        iter_text(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True)),
        AsyncReader[str, BetaMessage],
    )
    assert_type(
        iter_blocks(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True)),
        AsyncReader[BetaContentBlock, BetaMessage],
    )
    assert_type(
        iter_tool_calls(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True)),
        AsyncReader[BetaToolUseBlock, BetaMessage],
    )
    assert_type(
        tap(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True), print),
        AsyncReader[BetaRawMessageStreamEvent, BetaMessage],
    )
    assert_type(
        await collect(client.beta.messages.create(model=MODEL, max_tokens=9, messages=BETA_MESSAGES, stream=True)),
        BetaMessage,
    )


async def create_awaited(client: AsyncAnthropic) -> None:
    """The awaited stream is a source as well."""
    stream = await client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)
    assert_type(iter_text(stream), AsyncReader[str])
    assert_type(iter_blocks(stream), AsyncReader[ContentBlock])
    assert_type(await collect(stream), Message)


def helper(client: Anthropic) -> None:
    """The stream of messages.stream() is a source."""
    with client.messages.stream(model=MODEL, max_tokens=9, messages=MESSAGES) as stream:
        assert_type(iter_events(stream), Reader[RawMessageStreamEvent])
        assert_type(iter_text(stream), Reader[str])
        assert_type(iter_blocks(stream), Reader[ContentBlock])
        assert_type(iter_tool_calls(stream), Reader[ToolUseBlock])
        assert_type(collect(stream), Message)
        # A generator of the user's own over it, too.
        assert_type(iter_blocks(event for event in stream), Reader[ContentBlock])
    with client.beta.messages.stream(model=MODEL, max_tokens=9, messages=BETA_MESSAGES) as beta_stream:
        assert_type(iter_events(beta_stream), Reader[BetaRawMessageStreamEvent, BetaMessage])
        assert_type(iter_text(beta_stream), Reader[str, BetaMessage])
        assert_type(iter_blocks(beta_stream), Reader[BetaContentBlock, BetaMessage])
        assert_type(iter_tool_calls(beta_stream), Reader[BetaToolUseBlock, BetaMessage])
        assert_type(collect(beta_stream), BetaMessage)
        assert_type(iter_blocks(event for event in beta_stream), Reader[BetaContentBlock, BetaMessage])


async def helper_async(client: AsyncAnthropic) -> None:
    """So is the one of an async client."""
    async with client.messages.stream(model=MODEL, max_tokens=9, messages=MESSAGES) as stream:
        assert_type(iter_events(stream), AsyncReader[RawMessageStreamEvent])
        assert_type(iter_text(stream), AsyncReader[str])
        assert_type(iter_blocks(stream), AsyncReader[ContentBlock])
        assert_type(iter_tool_calls(stream), AsyncReader[ToolUseBlock])
        assert_type(await collect(stream), Message)
    async with client.beta.messages.stream(model=MODEL, max_tokens=9, messages=BETA_MESSAGES) as beta_stream:
        assert_type(iter_events(beta_stream), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])
        assert_type(iter_text(beta_stream), AsyncReader[str, BetaMessage])
        assert_type(iter_blocks(beta_stream), AsyncReader[BetaContentBlock, BetaMessage])
        assert_type(iter_tool_calls(beta_stream), AsyncReader[BetaToolUseBlock, BetaMessage])
        assert_type(await collect(beta_stream), BetaMessage)


def streaming_response(client: Anthropic) -> None:
    """A raw response is a source as dicts or as bytes."""
    with client.messages.with_streaming_response.create(
        model=MODEL, max_tokens=9, messages=MESSAGES, stream=True
    ) as response:
        assert_type(iter_text(response.parse(to=Stream[object])), Reader[str])
        assert_type(collect(response.parse(to=Stream[object])), Message)
        assert_type(iter_text(from_sse(response.iter_bytes())), Reader[str])
        assert_type(collect(from_sse(response.iter_bytes(), beta=True)), BetaMessage)


async def streaming_response_async(client: AsyncAnthropic) -> None:
    """So is one of an async client, whose parse() may stand there un-awaited."""
    async with client.messages.with_streaming_response.create(
        model=MODEL, max_tokens=9, messages=MESSAGES, stream=True
    ) as response:
        assert_type(iter_text(response.parse(to=AsyncStream[object])), AsyncReader[str])
        assert_type(iter_text(await response.parse(to=AsyncStream[object])), AsyncReader[str])
        assert_type(await collect(response.parse(to=AsyncStream[object])), Message)
        assert_type(iter_text(from_sse(response.iter_bytes())), AsyncReader[str])


def loops(client: Anthropic) -> None:
    """In the loop body, the SDK's types narrow by their ``type``."""
    stream = client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)
    accumulator = Accumulator()
    for event in tap(stream, accumulator.feed, lambda event: print(event.type)):
        if event.type == "content_block_delta" and event.delta.type == "text_delta":
            assert_type(event.delta.text, str)
    for block in iter_blocks(stream):
        if block.type == "tool_use":
            assert_type(block.name, str)
    for call in iter_tool_calls(stream):
        assert_type(call.id, str)
    for piece in iter_tool_inputs(stream):
        assert_type(piece.index, int)
        assert_type(piece.id, str | None)
        assert_type(piece.name, str | None)
        assert_type(piece.delta, str)
    assert_type("".join(iter_text(stream)), str)


async def loops_async(client: AsyncAnthropic) -> None:
    """And so they do in an async one."""
    async for block in iter_blocks(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)):
        if block.type == "tool_use":
            assert_type(block.name, str)
    async for chunk in iter_text(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)):
        assert_type(chunk, str)


async def tasks(client: AsyncAnthropic) -> None:
    """What collect() gives for an async source can be run, and made a task."""
    task = asyncio.create_task(
        collect(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True))
    )
    assert_type(await task, Message)


def run(client: AsyncAnthropic) -> None:
    """What collect() gives for an async source can be the main program."""
    message = asyncio.run(collect(client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES, stream=True)))
    assert_type(message, Message)
