"""What each public function resolves to for each kind of source: sync for sync, async for async.

Type-checked by mypy and pyright, both strict, and never run. The calls through real clients are in
`client.py`, and the calls that must be refused in `refused.py`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator, Coroutine, Iterable
from pathlib import Path
from typing import Any

from anthropic import AsyncStream, Stream
from anthropic.lib.streaming import AsyncMessageStream, BetaAsyncMessageStream, BetaMessageStream, MessageStream
from anthropic.types import ContentBlock, Message, RawMessageStreamEvent, ToolUseBlock
from anthropic.types.beta import BetaContentBlock, BetaMessage, BetaRawMessageStreamEvent, BetaToolUseBlock
from typing_extensions import assert_type

from claude_stream import (
    Accumulator,
    AsyncReader,
    Part,
    Progress,
    Reader,
    ToolInput,
    UnknownEvent,
    collect,
    ensure_finished,
    from_ndjson,
    from_sse,
    iter_blocks,
    iter_events,
    iter_parts,
    iter_progress,
    iter_text,
    iter_thinking,
    iter_tool_calls,
    iter_tool_inputs,
    print_stream,
    tap,
    to_ndjson,
    to_sse,
)

# -- sync sources --


def sdk_stream(source: Stream[RawMessageStreamEvent]) -> None:
    """The SDK's stream gives sync iterators and its stable types."""
    assert_type(iter_events(source), Reader[RawMessageStreamEvent])
    assert_type(iter_text(source), Reader[str])
    assert_type(iter_text(source, separator="\n\n"), Reader[str])
    assert_type(iter_thinking(source), Reader[str])
    assert_type(iter_text(source, by="sentence", max_length=80), Reader[str])
    assert_type(iter_text(source, separator=" ", by=re.compile("--")), Reader[str])
    assert_type(iter_thinking(source, by=lambda text: text.find(",") + 1 or None), Reader[str])
    assert_type(iter_blocks(source), Reader[ContentBlock])
    assert_type(iter_tool_calls(source), Reader[ToolUseBlock])
    assert_type(iter_tool_inputs(source), Reader[ToolInput])
    assert_type(iter_parts(source), Reader[Part])
    assert_type(iter_progress(source), Reader[Progress])
    assert_type(iter_progress(source, max_tokens=1024), Reader[Progress])
    assert_type(ensure_finished(source), Reader[RawMessageStreamEvent])
    assert_type(tap(source), Reader[RawMessageStreamEvent])
    assert_type(tap(source, print, Accumulator().feed), Reader[RawMessageStreamEvent])
    assert_type(collect(source), Message)
    assert_type(collect(source, beta=False), Message)
    assert_type(collect(source, beta=True), BetaMessage)


def sdk_beta_stream(source: Stream[BetaRawMessageStreamEvent]) -> None:
    """The SDK's beta stream gives the beta types, whether or not it is told to."""
    assert_type(iter_events(source), Reader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(iter_text(source), Reader[str, BetaMessage])
    assert_type(iter_text(source, separator="\n\n"), Reader[str, BetaMessage])
    assert_type(iter_thinking(source), Reader[str, BetaMessage])
    assert_type(iter_text(source, by="sentence", max_length=80), Reader[str, BetaMessage])
    assert_type(iter_text(source, separator=" ", by=re.compile("--")), Reader[str, BetaMessage])
    assert_type(iter_thinking(source, by=lambda text: text.find(",") + 1 or None), Reader[str, BetaMessage])
    assert_type(iter_blocks(source), Reader[BetaContentBlock, BetaMessage])
    assert_type(iter_tool_calls(source), Reader[BetaToolUseBlock, BetaMessage])
    assert_type(iter_tool_inputs(source), Reader[ToolInput, BetaMessage])
    assert_type(iter_parts(source), Reader[Part, BetaMessage])
    assert_type(iter_progress(source), Reader[Progress, BetaMessage])
    assert_type(ensure_finished(source), Reader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(tap(source), Reader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(tap(source, print, Accumulator().feed), Reader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(collect(source), BetaMessage)
    assert_type(collect(source, beta=False), BetaMessage)
    assert_type(collect(source, beta=True), BetaMessage)


def stream_of_objects(source: Stream[object]) -> None:
    """The SDK's stream of dicts, which it types as objects, counts as stable."""
    assert_type(iter_events(source), Reader[RawMessageStreamEvent])
    assert_type(iter_text(source), Reader[str])
    assert_type(iter_thinking(source), Reader[str])
    assert_type(iter_blocks(source), Reader[ContentBlock])
    assert_type(iter_tool_calls(source), Reader[ToolUseBlock])
    assert_type(iter_tool_inputs(source), Reader[ToolInput])
    assert_type(iter_parts(source), Reader[Part])
    assert_type(iter_progress(source), Reader[Progress])
    assert_type(ensure_finished(source), Reader[RawMessageStreamEvent])
    assert_type(tap(source, print), Reader[RawMessageStreamEvent])
    assert_type(collect(source), Message)
    assert_type(collect(source, beta=True), BetaMessage)


def sdk_message_stream(source: MessageStream[None]) -> None:
    """The SDK's helper stream, with the events of its own, is a source like its raw stream."""
    assert_type(iter_events(source), Reader[RawMessageStreamEvent])
    assert_type(iter_text(source), Reader[str])
    assert_type(iter_thinking(source), Reader[str])
    assert_type(iter_blocks(source), Reader[ContentBlock])
    assert_type(iter_tool_calls(source), Reader[ToolUseBlock])
    assert_type(iter_tool_inputs(source), Reader[ToolInput])
    assert_type(iter_parts(source), Reader[Part])
    assert_type(iter_progress(source), Reader[Progress])
    assert_type(ensure_finished(source), Reader[RawMessageStreamEvent])
    assert_type(tap(source, print), Reader[RawMessageStreamEvent])
    assert_type(collect(source), Message)


def sdk_beta_message_stream(source: BetaMessageStream[None]) -> None:
    """The SDK's beta helper stream gives the beta types."""
    assert_type(iter_events(source), Reader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(iter_text(source), Reader[str, BetaMessage])
    assert_type(iter_thinking(source), Reader[str, BetaMessage])
    assert_type(iter_blocks(source), Reader[BetaContentBlock, BetaMessage])
    assert_type(iter_tool_calls(source), Reader[BetaToolUseBlock, BetaMessage])
    assert_type(iter_tool_inputs(source), Reader[ToolInput, BetaMessage])
    assert_type(iter_parts(source), Reader[Part, BetaMessage])
    assert_type(iter_progress(source), Reader[Progress, BetaMessage])
    assert_type(ensure_finished(source), Reader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(tap(source, print), Reader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(collect(source), BetaMessage)


def dicts(source: list[dict[str, Any]]) -> None:
    """Plain dicts count as stable, and as beta where beta is asked for."""
    assert_type(iter_events(source), Reader[RawMessageStreamEvent])
    assert_type(iter_text(source), Reader[str])
    assert_type(iter_thinking(source), Reader[str])
    assert_type(iter_blocks(source), Reader[ContentBlock])
    assert_type(iter_tool_calls(source), Reader[ToolUseBlock])
    assert_type(iter_tool_inputs(source), Reader[ToolInput])
    assert_type(iter_parts(source), Reader[Part])
    assert_type(iter_progress(source), Reader[Progress])
    assert_type(ensure_finished(source), Reader[RawMessageStreamEvent])
    assert_type(tap(source, print), Reader[RawMessageStreamEvent])
    assert_type(collect(source), Message)
    assert_type(collect(source, beta=True), BetaMessage)


def literals() -> None:
    """Dicts may be written where they are used, in a list, a tuple or a generator."""
    assert_type(iter_text([{"type": "message_stop"}]), Reader[str])
    assert_type(iter_blocks(({"type": "message_stop"}, {"type": "ping"})), Reader[ContentBlock])
    assert_type(collect({"type": kind} for kind in ("ping", "message_stop")), Message)
    assert_type(collect([{"type": "message_stop"}], beta=True), BetaMessage)
    assert_type(collect([{"type": "message_stop", "usage": {"output_tokens": 1}}]), Message)


def mixed_events(source: list[RawMessageStreamEvent | UnknownEvent | dict[str, object]]) -> None:
    """Events of the SDK, unknown ones and dicts may be mixed."""
    assert_type(iter_events(source), Reader[RawMessageStreamEvent])
    assert_type(iter_text(source), Reader[str])
    assert_type(collect(source), Message)


def nested(stable: Iterable[RawMessageStreamEvent], beta: Iterable[BetaRawMessageStreamEvent]) -> None:
    """Our own iterators are sources in their turn, and hand the types on."""
    assert_type(iter_text(iter_events(stable)), Reader[str])
    assert_type(iter_thinking(tap(iter_events(stable), print)), Reader[str])
    assert_type(iter_events(tap(tap(stable, print), print)), Reader[RawMessageStreamEvent])
    assert_type(iter_blocks(iter_events(stable)), Reader[ContentBlock])
    assert_type(iter_tool_calls(tap(stable, print)), Reader[ToolUseBlock])
    assert_type(iter_tool_inputs(tap(stable, print)), Reader[ToolInput])
    assert_type(collect(tap(iter_events(stable), print)), Message)

    assert_type(iter_text(iter_events(beta)), Reader[str, BetaMessage])
    assert_type(iter_thinking(tap(iter_events(beta), print)), Reader[str, BetaMessage])
    assert_type(iter_events(tap(tap(beta, print), print)), Reader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(iter_blocks(iter_events(beta)), Reader[BetaContentBlock, BetaMessage])
    assert_type(iter_tool_calls(tap(beta, print)), Reader[BetaToolUseBlock, BetaMessage])
    assert_type(iter_tool_inputs(tap(beta, print)), Reader[ToolInput, BetaMessage])
    assert_type(collect(tap(iter_events(beta), print)), BetaMessage)


def body(chunks: Iterable[bytes]) -> None:
    """The bytes of a body are stable unless beta is asked for, and so is what is put on them."""
    assert_type(from_sse(chunks), Reader[RawMessageStreamEvent])
    assert_type(from_sse(chunks, beta=False, max_event=2**20), Reader[RawMessageStreamEvent])
    assert_type(from_sse(chunks, beta=True), Reader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(from_sse([b"event: ping\n", b"data: {}\n\n"]), Reader[RawMessageStreamEvent])
    assert_type(iter_text(from_sse(chunks)), Reader[str])
    assert_type(iter_blocks(from_sse(chunks, beta=True)), Reader[BetaContentBlock, BetaMessage])
    assert_type(collect(from_sse(chunks)), Message)
    assert_type(collect(from_sse(chunks, beta=True)), BetaMessage)
    with Path("answer.sse").open("rb") as file:
        assert_type(iter_text(from_sse(file)), Reader[str])


def lines(chunks: Iterable[bytes], text: Iterable[str]) -> None:
    """Lines of JSON may be bytes or text, and are otherwise like a body."""
    assert_type(from_ndjson(chunks), Reader[RawMessageStreamEvent])
    assert_type(from_ndjson(text), Reader[RawMessageStreamEvent])
    assert_type(from_ndjson(chunks, beta=True, max_event=2**20), Reader[BetaRawMessageStreamEvent, BetaMessage])
    with Path("answer.ndjson").open() as file:
        assert_type(collect(from_ndjson(file)), Message)


def relays(source: Stream[RawMessageStreamEvent], beta: Stream[BetaRawMessageStreamEvent]) -> None:
    """Bytes come out, of events and of what is made of them; the message stays what it is."""
    for to in (to_sse, to_ndjson):
        assert_type(to(source), Reader[bytes])
        assert_type(to(beta), Reader[bytes, BetaMessage])
        assert_type(to([{"type": "ping"}]), Reader[bytes])
        assert_type(to(iter_text(source)), Reader[bytes])
        assert_type(to(iter_thinking(beta)), Reader[bytes, BetaMessage])
        assert_type(to(iter_parts(beta)), Reader[bytes, BetaMessage])
        assert_type(to(iter_tool_inputs(source)), Reader[bytes])
        assert_type(to(iter_progress(beta)), Reader[bytes, BetaMessage])
        assert_type(to(iter_events(beta), on_error=print), Reader[bytes, BetaMessage])
    assert_type(from_sse(to_sse(source)), Reader[RawMessageStreamEvent])
    assert_type(from_ndjson(to_ndjson(source)), Reader[RawMessageStreamEvent])


def either(source: Stream[RawMessageStreamEvent] | AsyncStream[RawMessageStreamEvent]) -> None:
    """A source of either colour gives an iterator of either colour."""
    assert_type(iter_text(source), Reader[str] | AsyncReader[str])
    assert_type(iter_blocks(source), Reader[ContentBlock] | AsyncReader[ContentBlock])


# -- async sources --


async def async_sdk_stream(source: AsyncStream[RawMessageStreamEvent]) -> None:
    """The SDK's async stream gives async iterators and its stable types."""
    assert_type(iter_events(source), AsyncReader[RawMessageStreamEvent])
    assert_type(iter_text(source), AsyncReader[str])
    assert_type(iter_text(source, separator="\n\n"), AsyncReader[str])
    assert_type(iter_thinking(source), AsyncReader[str])
    assert_type(iter_text(source, by="sentence", max_length=80), AsyncReader[str])
    assert_type(iter_text(source, separator=" ", by=re.compile("--")), AsyncReader[str])
    assert_type(iter_thinking(source, by=lambda text: text.find(",") + 1 or None), AsyncReader[str])
    assert_type(iter_blocks(source), AsyncReader[ContentBlock])
    assert_type(iter_tool_calls(source), AsyncReader[ToolUseBlock])
    assert_type(iter_tool_inputs(source), AsyncReader[ToolInput])
    assert_type(iter_parts(source), AsyncReader[Part])
    assert_type(iter_progress(source), AsyncReader[Progress])
    assert_type(ensure_finished(source), AsyncReader[RawMessageStreamEvent])
    assert_type(tap(source), AsyncReader[RawMessageStreamEvent])
    assert_type(tap(source, print, Accumulator().feed), AsyncReader[RawMessageStreamEvent])
    coroutine = assert_type(collect(source), Coroutine[Any, Any, Message])
    assert_type(await coroutine, Message)
    assert_type(await collect(source, beta=False), Message)
    assert_type(await collect(source, beta=True), BetaMessage)


async def async_sdk_beta_stream(source: AsyncStream[BetaRawMessageStreamEvent]) -> None:
    """The SDK's async beta stream gives the beta types, whether or not it is told to."""
    assert_type(iter_events(source), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(iter_text(source), AsyncReader[str, BetaMessage])
    assert_type(iter_text(source, separator="\n\n"), AsyncReader[str, BetaMessage])
    assert_type(iter_thinking(source), AsyncReader[str, BetaMessage])
    assert_type(iter_text(source, by="sentence", max_length=80), AsyncReader[str, BetaMessage])
    assert_type(iter_text(source, separator=" ", by=re.compile("--")), AsyncReader[str, BetaMessage])
    assert_type(iter_thinking(source, by=lambda text: text.find(",") + 1 or None), AsyncReader[str, BetaMessage])
    assert_type(iter_blocks(source), AsyncReader[BetaContentBlock, BetaMessage])
    assert_type(iter_tool_calls(source), AsyncReader[BetaToolUseBlock, BetaMessage])
    assert_type(iter_tool_inputs(source), AsyncReader[ToolInput, BetaMessage])
    assert_type(iter_parts(source), AsyncReader[Part, BetaMessage])
    assert_type(iter_progress(source), AsyncReader[Progress, BetaMessage])
    assert_type(ensure_finished(source), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(tap(source), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(tap(source, print, Accumulator().feed), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])
    coroutine = assert_type(collect(source), Coroutine[Any, Any, BetaMessage])
    assert_type(await coroutine, BetaMessage)
    assert_type(await collect(source, beta=False), BetaMessage)
    assert_type(await collect(source, beta=True), BetaMessage)


async def async_stream_of_objects(source: AsyncStream[object]) -> None:
    """The SDK's async stream of dicts, which it types as objects, counts as stable."""
    assert_type(iter_events(source), AsyncReader[RawMessageStreamEvent])
    assert_type(iter_text(source), AsyncReader[str])
    assert_type(iter_thinking(source), AsyncReader[str])
    assert_type(iter_blocks(source), AsyncReader[ContentBlock])
    assert_type(iter_tool_calls(source), AsyncReader[ToolUseBlock])
    assert_type(iter_tool_inputs(source), AsyncReader[ToolInput])
    assert_type(iter_parts(source), AsyncReader[Part])
    assert_type(iter_progress(source), AsyncReader[Progress])
    assert_type(ensure_finished(source), AsyncReader[RawMessageStreamEvent])
    assert_type(tap(source, print), AsyncReader[RawMessageStreamEvent])
    assert_type(await collect(source), Message)
    assert_type(await collect(source, beta=True), BetaMessage)


async def async_sdk_message_stream(source: AsyncMessageStream[None]) -> None:
    """The SDK's async helper stream, with the events of its own, is a source like its raw stream."""
    assert_type(iter_events(source), AsyncReader[RawMessageStreamEvent])
    assert_type(iter_text(source), AsyncReader[str])
    assert_type(iter_thinking(source), AsyncReader[str])
    assert_type(iter_blocks(source), AsyncReader[ContentBlock])
    assert_type(iter_tool_calls(source), AsyncReader[ToolUseBlock])
    assert_type(iter_tool_inputs(source), AsyncReader[ToolInput])
    assert_type(iter_parts(source), AsyncReader[Part])
    assert_type(iter_progress(source), AsyncReader[Progress])
    assert_type(ensure_finished(source), AsyncReader[RawMessageStreamEvent])
    assert_type(tap(source, print), AsyncReader[RawMessageStreamEvent])
    assert_type(await collect(source), Message)


async def async_sdk_beta_message_stream(source: BetaAsyncMessageStream[None]) -> None:
    """The SDK's async beta helper stream gives the beta types."""
    assert_type(iter_events(source), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(iter_text(source), AsyncReader[str, BetaMessage])
    assert_type(iter_thinking(source), AsyncReader[str, BetaMessage])
    assert_type(iter_blocks(source), AsyncReader[BetaContentBlock, BetaMessage])
    assert_type(iter_tool_calls(source), AsyncReader[BetaToolUseBlock, BetaMessage])
    assert_type(iter_tool_inputs(source), AsyncReader[ToolInput, BetaMessage])
    assert_type(iter_parts(source), AsyncReader[Part, BetaMessage])
    assert_type(iter_progress(source), AsyncReader[Progress, BetaMessage])
    assert_type(ensure_finished(source), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(tap(source, print), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(await collect(source), BetaMessage)


async def async_dicts(source: AsyncIterator[dict[str, Any]]) -> None:
    """Plain dicts count as stable, and as beta where beta is asked for."""
    assert_type(iter_events(source), AsyncReader[RawMessageStreamEvent])
    assert_type(iter_text(source), AsyncReader[str])
    assert_type(iter_thinking(source), AsyncReader[str])
    assert_type(iter_blocks(source), AsyncReader[ContentBlock])
    assert_type(iter_tool_calls(source), AsyncReader[ToolUseBlock])
    assert_type(iter_tool_inputs(source), AsyncReader[ToolInput])
    assert_type(iter_parts(source), AsyncReader[Part])
    assert_type(iter_progress(source), AsyncReader[Progress])
    assert_type(ensure_finished(source), AsyncReader[RawMessageStreamEvent])
    assert_type(tap(source, print), AsyncReader[RawMessageStreamEvent])
    assert_type(await collect(source), Message)
    assert_type(await collect(source, beta=True), BetaMessage)


async def unawaited(source: Coroutine[Any, Any, AsyncStream[RawMessageStreamEvent]]) -> None:
    """An awaitable of a stream is a source like the stream itself."""
    assert_type(iter_events(source), AsyncReader[RawMessageStreamEvent])
    assert_type(iter_text(source), AsyncReader[str])
    assert_type(iter_thinking(source), AsyncReader[str])
    assert_type(iter_blocks(source), AsyncReader[ContentBlock])
    assert_type(iter_tool_calls(source), AsyncReader[ToolUseBlock])
    assert_type(iter_tool_inputs(source), AsyncReader[ToolInput])
    assert_type(iter_parts(source), AsyncReader[Part])
    assert_type(iter_progress(source), AsyncReader[Progress])
    assert_type(ensure_finished(source), AsyncReader[RawMessageStreamEvent])
    assert_type(tap(source, print), AsyncReader[RawMessageStreamEvent])
    assert_type(await collect(source), Message)
    assert_type(await collect(source, beta=True), BetaMessage)


async def unawaited_beta(source: Coroutine[Any, Any, AsyncStream[BetaRawMessageStreamEvent]]) -> None:
    """An awaitable of a beta stream gives the beta types."""
    assert_type(iter_events(source), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(iter_text(source), AsyncReader[str, BetaMessage])
    assert_type(iter_thinking(source), AsyncReader[str, BetaMessage])
    assert_type(iter_blocks(source), AsyncReader[BetaContentBlock, BetaMessage])
    assert_type(iter_tool_calls(source), AsyncReader[BetaToolUseBlock, BetaMessage])
    assert_type(iter_tool_inputs(source), AsyncReader[ToolInput, BetaMessage])
    assert_type(iter_parts(source), AsyncReader[Part, BetaMessage])
    assert_type(iter_progress(source), AsyncReader[Progress, BetaMessage])
    assert_type(ensure_finished(source), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(tap(source, print), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(await collect(source), BetaMessage)


async def unawaited_stream_of_objects(source: Coroutine[Any, Any, AsyncStream[object]]) -> None:
    """An awaitable of a stream of dicts, which the SDK types as objects, counts as stable."""
    assert_type(iter_events(source), AsyncReader[RawMessageStreamEvent])
    assert_type(iter_text(source), AsyncReader[str])
    assert_type(iter_blocks(source), AsyncReader[ContentBlock])
    assert_type(await collect(source), Message)
    assert_type(await collect(source, beta=True), BetaMessage)


async def async_nested(
    stable: AsyncIterable[RawMessageStreamEvent], beta: AsyncIterable[BetaRawMessageStreamEvent]
) -> None:
    """Our own async iterators are sources in their turn, and hand the types on."""
    assert_type(iter_text(iter_events(stable)), AsyncReader[str])
    assert_type(iter_thinking(tap(iter_events(stable), print)), AsyncReader[str])
    assert_type(iter_events(tap(tap(stable, print), print)), AsyncReader[RawMessageStreamEvent])
    assert_type(iter_blocks(iter_events(stable)), AsyncReader[ContentBlock])
    assert_type(iter_tool_calls(tap(stable, print)), AsyncReader[ToolUseBlock])
    assert_type(iter_tool_inputs(tap(stable, print)), AsyncReader[ToolInput])
    assert_type(await collect(tap(iter_events(stable), print)), Message)

    assert_type(iter_text(iter_events(beta)), AsyncReader[str, BetaMessage])
    assert_type(iter_thinking(tap(iter_events(beta), print)), AsyncReader[str, BetaMessage])
    assert_type(iter_events(tap(tap(beta, print), print)), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(iter_blocks(iter_events(beta)), AsyncReader[BetaContentBlock, BetaMessage])
    assert_type(iter_tool_calls(tap(beta, print)), AsyncReader[BetaToolUseBlock, BetaMessage])
    assert_type(iter_tool_inputs(tap(beta, print)), AsyncReader[ToolInput, BetaMessage])
    assert_type(await collect(tap(iter_events(beta), print)), BetaMessage)


async def async_body(chunks: AsyncIterable[bytes]) -> None:
    """The bytes of a body are stable unless beta is asked for, and so is what is put on them."""
    assert_type(from_sse(chunks), AsyncReader[RawMessageStreamEvent])
    assert_type(from_sse(chunks, beta=False), AsyncReader[RawMessageStreamEvent])
    assert_type(from_sse(chunks, beta=True), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])
    assert_type(iter_text(from_sse(chunks)), AsyncReader[str])
    assert_type(iter_blocks(from_sse(chunks, beta=True)), AsyncReader[BetaContentBlock, BetaMessage])
    assert_type(await collect(from_sse(chunks)), Message)
    assert_type(await collect(from_sse(chunks, beta=True)), BetaMessage)


async def async_lines(chunks: AsyncIterable[bytes], text: AsyncIterable[str]) -> None:
    """Lines of JSON may be bytes or text, and are otherwise like a body."""
    assert_type(from_ndjson(chunks), AsyncReader[RawMessageStreamEvent])
    assert_type(from_ndjson(text), AsyncReader[RawMessageStreamEvent])
    assert_type(from_ndjson(text, beta=True), AsyncReader[BetaRawMessageStreamEvent, BetaMessage])


async def async_relays(
    source: AsyncStream[RawMessageStreamEvent],
    beta: AsyncStream[BetaRawMessageStreamEvent],
    request: Coroutine[Any, Any, AsyncStream[RawMessageStreamEvent]],
) -> None:
    """Bytes come out, of events and of what is made of them; the message stays what it is."""
    for to in (to_sse, to_ndjson):
        assert_type(to(source), AsyncReader[bytes])
        assert_type(to(request), AsyncReader[bytes])
        assert_type(to(beta), AsyncReader[bytes, BetaMessage])
        assert_type(to(iter_text(source)), AsyncReader[bytes])
        assert_type(to(iter_parts(beta)), AsyncReader[bytes, BetaMessage])
        assert_type(to(iter_progress(source)), AsyncReader[bytes])
        assert_type(to(iter_events(beta), on_error=print), AsyncReader[bytes, BetaMessage])
    assert_type(from_sse(to_sse(source)), AsyncReader[RawMessageStreamEvent])


def printed(source: Stream[RawMessageStreamEvent], chunks: list[str]) -> None:
    """Printing gives the text."""
    assert_type(print_stream(iter_text(source)), str)
    assert_type(print_stream(chunks, end=""), str)


async def async_printed(source: AsyncStream[RawMessageStreamEvent], chunks: AsyncIterator[str]) -> None:
    """From an async source, the text is to be awaited."""
    assert_type(await assert_type(print_stream(chunks), Coroutine[Any, Any, str]), str)
    assert_type(await print_stream(iter_text(source)), str)
