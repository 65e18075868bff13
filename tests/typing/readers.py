"""What type checkers know of readers: items, message, and the aliases for sources of one's own."""

from __future__ import annotations

import anthropic
from anthropic.lib.streaming import ParsedBetaMessageStreamEvent, ParsedMessageStreamEvent
from anthropic.types import Message, MessageParam, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from typing_extensions import assert_type

from claude_stream import (
    AnyAsyncSource,
    AnySource,
    AsyncReader,
    AsyncSource,
    BetaSource,
    Reader,
    Source,
    Usage,
    UsageTally,
    collect,
    iter_events,
    iter_text,
    open_stream,
    tap,
    with_timeout,
)

client = anthropic.Anthropic()
aclient = anthropic.AsyncAnthropic()


def of_my_own(source: Source, beta: BetaSource, either: AnySource) -> str:
    """The aliases fit the functions, and what the functions give fits the aliases."""
    reader = iter_text(source)
    with reader as entered:
        assert_type(entered, Reader[str])
    assert_type(next(reader), str)
    assert_type(reader.text, str)
    assert_type(reader.message, Message | None)
    assert_type(reader.usage, Usage)
    assert_type(reader.complete, bool)
    assert_type(reader.request_id, str | None)
    assert_type(reader.to_param(), MessageParam | None)
    assert_type(reader.result(), Message)
    assert_type(iter_text(beta).result(), BetaMessage)
    assert_type(iter_events(beta).message, BetaMessage | None)
    assert_type(next(iter_events(source)), RawMessageStreamEvent)
    assert_type(next(tap(beta)), BetaRawMessageStreamEvent)
    events: Source = with_timeout(source, idle=5)
    UsageTally().add(reader)
    del either
    return "".join(iter_text(events))


async def of_my_own_async(source: AsyncSource, either: AnyAsyncSource) -> None:
    """The same for async sources, awaited or not."""
    async with iter_text(source) as reader:
        assert_type(reader, AsyncReader[str])
        assert_type(await anext(reader), str)
        assert_type(reader.message, Message | None)
        assert_type(await reader.result(), Message)
    events: AsyncSource = with_timeout(source, idle=5)
    assert_type(await collect(events), Message)
    del either


async def events_of_streams() -> None:
    """The events of a stream are the SDK's, and narrow by their type."""
    with open_stream(client, model="claude-x", max_tokens=1, messages=[]) as stream:
        for event in stream:
            assert_type(event, ParsedMessageStreamEvent[None])
            if event.type == "text":
                assert_type(event.snapshot, str)
        assert_type(next(stream), ParsedMessageStreamEvent[None])
    async with open_stream(aclient, model="claude-x", max_tokens=1, messages=[]) as astream:
        async for event in astream:
            assert_type(event, ParsedMessageStreamEvent[None])
    with open_stream(client.beta.messages, model="claude-x", max_tokens=1, messages=[], output_format=int) as beta:
        for beta_event in beta:
            assert_type(beta_event, ParsedBetaMessageStreamEvent[int])
