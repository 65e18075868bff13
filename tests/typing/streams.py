"""What type checkers make of `open_stream`, `wrap` and the stream objects. Checked, never run."""

from __future__ import annotations

import anthropic
import pydantic
from anthropic import omit
from anthropic.lib import streaming as sdk
from anthropic.lib.bedrock import (
    AnthropicBedrock,
    AnthropicBedrockMantle,
    AsyncAnthropicBedrock,
    AsyncAnthropicBedrockMantle,
)
from anthropic.lib.streaming import ParsedMessageStreamEvent
from anthropic.lib.vertex import AnthropicVertex, AsyncAnthropicVertex
from anthropic.types import MessageParam, ParsedMessage, ToolUseBlock
from anthropic.types.beta.parsed_beta_message import ParsedBetaMessage
from typing_extensions import assert_type

from claude_stream import (
    AsyncMessageStream,
    AsyncReader,
    MessageStream,
    Part,
    Reader,
    StreamTimer,
    Usage,
    iter_text,
    open_stream,
    with_restarts,
    with_timeout,
    wrap_client,
)
from claude_stream._open import AsyncStreamManager

client = anthropic.Anthropic()
aclient = anthropic.AsyncAnthropic()
question: list[MessageParam] = [{"role": "user", "content": "Hi"}]


class City(pydantic.BaseModel):
    """What the model is asked for."""

    name: str


def sync() -> None:
    with open_stream(
        client, model="claude-x", max_tokens=1, messages=question, idle_timeout=5, silent_timeout=1
    ) as stream:
        assert_type(stream, MessageStream[ParsedMessage[None]])
        assert_type(stream.text_stream, Reader[str, ParsedMessage[None]])
        assert_type(stream.thinking_stream, Reader[str, ParsedMessage[None]])
        assert_type(stream.tool_calls(), Reader[ToolUseBlock, ParsedMessage[None]])
        assert_type(stream.parts(), Reader[Part, ParsedMessage[None]])
        assert_type(stream.get_final_message(), ParsedMessage[None])
        assert_type(stream.current_message_snapshot, ParsedMessage[None])
        assert_type(stream.get_final_text(), str)
        assert_type(stream.usage, Usage)
        assert_type(stream.timing, StreamTimer)
        assert_type(stream.complete, bool)
        assert_type(stream.to_param(), MessageParam | None)
        assert_type(stream.to_param(prefill=True), MessageParam | None)
        assert_type(stream.request_id, str | None)
    with open_stream(client.messages, model="claude-x", max_tokens=1, messages=question, output_format=City) as parsed:
        assert_type(parsed, MessageStream[ParsedMessage[City]])
        assert_type(parsed.get_final_message().parsed_output, City | None)
    with open_stream(
        client.beta.messages, model="claude-x", max_tokens=1, messages=[], betas=["x"], output_format=City
    ) as beta:
        assert_type(beta, MessageStream[ParsedBetaMessage[City]])
    assert_type(wrap_client(client, restarts=1), anthropic.Anthropic)


async def asynchronous() -> None:
    async with open_stream(aclient, model="claude-x", max_tokens=1, messages=question, restarts=2) as stream:
        assert_type(stream, AsyncMessageStream[ParsedMessage[None]])
        assert_type(stream.text_stream, AsyncReader[str, ParsedMessage[None]])
        assert_type(stream.tool_calls(), AsyncReader[ToolUseBlock, ParsedMessage[None]])
        assert_type(await stream.get_final_message(), ParsedMessage[None])
        assert_type(await stream.get_final_text(), str)
    async with open_stream(
        aclient.beta.messages, model="claude-x", max_tokens=1, messages=[], output_format=City
    ) as beta:
        assert_type(beta, AsyncMessageStream[ParsedBetaMessage[City]])
    assert_type(wrap_client(aclient), anthropic.AsyncAnthropic)


def platforms(
    bedrock: AnthropicBedrock,
    mantle: AnthropicBedrockMantle,
    vertex: AnthropicVertex,
    foundry: anthropic.AnthropicFoundry,
    aws: anthropic.AnthropicAWS,
    google: anthropic.AnthropicGoogleCloud,
    async_bedrock: AsyncAnthropicBedrock,
    async_mantle: AsyncAnthropicBedrockMantle,
    async_vertex: AsyncAnthropicVertex,
    async_foundry: anthropic.AsyncAnthropicFoundry,
    async_aws: anthropic.AsyncAnthropicAWS,
    async_google: anthropic.AsyncAnthropicGoogleCloud,
) -> None:
    """Every client of the SDK will do, and so will its messages, stable and beta."""
    for client in (bedrock, mantle, vertex, foundry, aws, google):
        with open_stream(client, model="claude-x", max_tokens=1, messages=question) as stream:
            assert_type(stream, MessageStream[ParsedMessage[None]])
        with open_stream(client.beta.messages, model="claude-x", max_tokens=1, messages=[]) as beta:
            assert_type(beta, MessageStream[ParsedBetaMessage[None]])
    with open_stream(bedrock.messages, model="claude-x", max_tokens=1, messages=question) as of_messages:
        assert_type(of_messages, MessageStream[ParsedMessage[None]])
    with open_stream(bedrock.beta, model="claude-x", max_tokens=1, messages=[], output_format=City) as of_beta:
        assert_type(of_beta, MessageStream[ParsedBetaMessage[City]])
    for async_client in (async_bedrock, async_mantle, async_vertex, async_foundry, async_aws, async_google):
        assert_type(
            open_stream(async_client, model="claude-x", max_tokens=1, messages=question),
            AsyncStreamManager[ParsedMessage[None]],
        )
        assert_type(
            open_stream(async_client.beta.messages, model="claude-x", max_tokens=1, messages=[]),
            AsyncStreamManager[ParsedBetaMessage[None]],
        )


def omitted() -> None:
    """What the SDK lets be omitted can be."""
    with open_stream(
        client,
        model="claude-x",
        max_tokens=1,
        messages=question,
        system=omit,
        tools=omit,
        tool_choice=omit,
        thinking=omit,
        metadata=omit,
        stop_sequences=omit,
        output_config=omit,
        output_format=omit,
        service_tier=omit,
        cache_control=omit,
        container=omit,
    ) as stream:
        assert_type(stream, MessageStream[ParsedMessage[None]])
    with open_stream(
        client.beta, model="claude-x", max_tokens=1, messages=[], betas=omit, mcp_servers=omit, fallbacks=omit
    ) as beta:
        assert_type(beta, MessageStream[ParsedBetaMessage[None]])


def takes_the_sdks(stream: sdk.MessageStream[City]) -> None:
    """Code that is annotated for the SDK's stream."""


def takes_the_sdks_beta(stream: sdk.BetaMessageStream[None]) -> None:
    """The same for beta."""


async def takes_the_sdks_async(stream: sdk.AsyncMessageStream[None]) -> None:
    """The same for an async one."""


async def takes_the_sdks_async_beta(stream: sdk.BetaAsyncMessageStream[City]) -> None:
    """The same for an async one of beta."""


async def ours_for_theirs() -> None:
    """Our streams are taken where the SDK's are."""
    with open_stream(client, model="claude-x", max_tokens=1, messages=question, output_format=City) as stream:
        takes_the_sdks(stream)
        assert_type(next(stream), ParsedMessageStreamEvent[City])
        for event in stream:
            assert_type(event, ParsedMessageStreamEvent[City])
            if event.type == "text":
                assert_type(event.snapshot, str)
    with open_stream(client.beta.messages, model="claude-x", max_tokens=1, messages=[]) as beta:
        takes_the_sdks_beta(beta)
    async with open_stream(aclient, model="claude-x", max_tokens=1, messages=question) as astream:
        await takes_the_sdks_async(astream)
    async with open_stream(
        aclient.beta.messages, model="claude-x", max_tokens=1, messages=[], output_format=City
    ) as abeta:
        await takes_the_sdks_async_beta(abeta)
    opened = open_stream(client, model="claude-x", max_tokens=1, messages=question).open()
    assert_type(opened, MessageStream[ParsedMessage[None]])
    aopened = await open_stream(aclient, model="claude-x", max_tokens=1, messages=question).open()
    assert_type(aopened, AsyncMessageStream[ParsedMessage[None]])


def stages() -> None:
    stream = client.messages.create(model="claude-x", max_tokens=1, messages=question, stream=True)
    assert_type(iter_text(with_timeout(stream, first=5, idle=5)), Reader[str])
    assert_type(iter_text(with_restarts(lambda: stream)), Reader[str])


def refused() -> None:
    open_stream(client, modle="claude-x", max_tokens=1, messages=question)  # type: ignore[call-overload]
    open_stream(client, model="claude-x", max_tokens=1)  # type: ignore[call-overload]
    open_stream(client, model="claude-x", max_tokens="1", messages=question)  # type: ignore[call-overload]
    open_stream(client, model="claude-x", max_tokens=1, messages=question, stream=True)  # type: ignore[call-overload]
    open_stream("client", model="claude-x", max_tokens=1, messages=question)  # type: ignore[call-overload]
    wrap_client(client, strict="yes")  # type: ignore[arg-type]
