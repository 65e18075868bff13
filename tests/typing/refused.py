# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""The calls that both type checkers must refuse.

Type-checked by mypy and pyright, both strict, and never run. Each line that must be an error has an
ignore comment, and an ignore comment on a line without an error is an error itself, in mypy by
``--strict`` and in pyright by the comment above. Both read the same one: mypy checks its code, too.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable

from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import MessageParam, RawMessageStreamEvent

from claude_stream import (
    Accumulator,
    UsageTally,
    collect,
    from_sse,
    iter_blocks,
    iter_events,
    iter_text,
    iter_thinking,
    iter_tool_calls,
    iter_tool_inputs,
    tap,
    to_ndjson,
    to_sse,
)

MODEL = "claude-sonnet-4-5"
MESSAGES: list[MessageParam] = [{"role": "user", "content": "Hello"}]


def keywords(events: Iterable[RawMessageStreamEvent], chunks: Iterable[bytes]) -> None:
    """A keyword that a function does not have."""
    iter_text(events, seperator="\n")  # type: ignore[call-overload]
    iter_text(events, sep="\n")  # type: ignore[call-overload]
    iter_thinking(events, separator="\n")  # type: ignore[call-overload]
    iter_events(events, beta=True)  # type: ignore[call-overload]
    iter_blocks(events, beta=True)  # type: ignore[call-overload]
    iter_tool_calls(events, strict=False)  # type: ignore[call-overload]
    iter_tool_inputs(events, beta=True)  # type: ignore[call-overload]
    tap(events, print, beta=True)  # type: ignore[call-overload]
    collect(events, separator="\n")  # type: ignore[call-overload]
    from_sse(chunks, strict=False)  # type: ignore[call-overload]
    to_sse(iter_text(events), beta=True)  # type: ignore[call-overload]
    to_sse(iter_blocks(events))  # type: ignore[arg-type]
    to_ndjson(iter_tool_calls(events))  # type: ignore[arg-type]
    to_ndjson(chunks)  # type: ignore[arg-type]
    Accumulator(strict=False)  # type: ignore[call-overload]


def units(events: Iterable[RawMessageStreamEvent], pattern: re.Pattern[bytes], function: Callable[[str], str]) -> None:
    """A unit that there is not, a pattern of bytes, and a function that gives no length."""
    iter_text(events, by="sentences")  # type: ignore[call-overload]
    iter_text(events, by=pattern)  # type: ignore[arg-type]
    iter_thinking(events, by=function)  # type: ignore[arg-type]
    iter_thinking(events, by="word", max_length="80")  # type: ignore[call-overload]


def positions(events: Iterable[RawMessageStreamEvent], chunks: Iterable[bytes]) -> None:
    """The source by keyword, an option by position, or no source."""
    iter_text(source=events)  # type: ignore[call-overload]
    iter_text(events, "\n")  # type: ignore[call-overload]
    collect(events, True)  # type: ignore[call-overload]
    from_sse(chunks=chunks)  # type: ignore[call-overload]
    from_sse(chunks, True)  # type: ignore[call-overload]
    iter_events()  # type: ignore[call-overload]
    tap()  # type: ignore[call-overload]
    Accumulator(True)  # type: ignore[call-overload]


def options(events: Iterable[RawMessageStreamEvent], chunks: Iterable[bytes]) -> None:
    """An option of another type."""
    iter_text(events, separator=1)  # type: ignore[call-overload]
    iter_text(events, separator=None)  # type: ignore[call-overload]
    iter_text(events, separator=b"\n")  # type: ignore[call-overload]
    collect(events, beta="yes")  # type: ignore[call-overload]
    collect(events, beta=None)  # type: ignore[call-overload]
    from_sse(chunks, beta=1)  # type: ignore[call-overload]
    tap(events, 5)  # type: ignore[call-overload]
    tap(events, None)  # type: ignore[call-overload]
    Accumulator(beta="yes")  # type: ignore[call-overload]


def no_source() -> None:
    """What is no stream at all."""
    iter_events(5)  # type: ignore[call-overload]
    iter_text(5)  # type: ignore[call-overload]
    iter_thinking(None)  # type: ignore[call-overload]
    iter_blocks(object())  # type: ignore[call-overload]
    iter_tool_calls(5)  # type: ignore[call-overload]
    iter_tool_inputs(5)  # type: ignore[call-overload]
    tap(5)  # type: ignore[call-overload]
    collect(5)  # type: ignore[call-overload]
    from_sse(5)  # type: ignore[call-overload]
    UsageTally().add(5)  # type: ignore[arg-type]


def no_events(events: Iterable[RawMessageStreamEvent], chunks: Iterable[bytes]) -> None:
    """What can be iterated, and gives no events."""
    iter_text("Hello")  # type: ignore[arg-type]
    iter_text(b"data: {}\n\n")  # type: ignore[arg-type]
    iter_text(chunks)  # type: ignore[arg-type]
    iter_text([1, 2, 3])  # type: ignore[list-item]
    iter_text({"type": "message_stop"})  # type: ignore[dict-item]
    iter_text(iter_text(events))  # type: ignore[arg-type]
    iter_thinking(iter_text(events))  # type: ignore[arg-type]
    iter_tool_calls(iter_blocks(events))  # type: ignore[arg-type]
    iter_events(iter_tool_inputs(events))  # type: ignore[arg-type]
    collect(iter_thinking(events))  # type: ignore[arg-type]


def no_bytes(events: Iterable[RawMessageStreamEvent]) -> None:
    """A body that is not given as chunks of bytes."""
    from_sse(b"data: {}\n\n")  # type: ignore[arg-type]
    from_sse("data: {}\n\n")  # type: ignore[arg-type]
    from_sse(["data: {}\n\n"])  # type: ignore[list-item]
    from_sse(events)  # type: ignore[arg-type]


def calls(client: Anthropic, aclient: AsyncAnthropic) -> None:
    """What a call to the SDK gives that has no ``stream=True``, is not entered, or is not made at all."""
    message = client.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES)
    unawaited = aclient.messages.create(model=MODEL, max_tokens=9, messages=MESSAGES)
    manager = client.messages.stream(model=MODEL, max_tokens=9, messages=MESSAGES)
    async_manager = aclient.messages.stream(model=MODEL, max_tokens=9, messages=MESSAGES)
    iter_text(message)  # type: ignore[arg-type]
    iter_blocks(message)  # type: ignore[arg-type]
    collect(message)  # type: ignore[arg-type]
    iter_text(unawaited)  # type: ignore[arg-type]
    iter_text(manager)  # type: ignore[call-overload]
    iter_text(async_manager)  # type: ignore[call-overload]
    iter_text(client.messages.create)  # type: ignore[call-overload]
    iter_text(client.messages.stream)  # type: ignore[call-overload]


async def colours(
    sync: Iterable[RawMessageStreamEvent],
    asynchronous: AsyncIterable[RawMessageStreamEvent],
    awaitable_of_sync: Awaitable[Iterable[RawMessageStreamEvent]],
) -> None:
    """Sync where async belongs, and the other way round."""
    for _ in iter_text(asynchronous):  # type: ignore[attr-defined]
        pass
    async for _ in iter_text(sync):  # type: ignore[attr-defined]
        pass
    await collect(sync)  # type: ignore[misc]
    iter_text(awaitable_of_sync)  # type: ignore[arg-type]


async def unawaited(events: AsyncIterable[RawMessageStreamEvent]) -> None:
    """A message that nobody waits for."""
    collect(events)  # type: ignore[unused-coroutine]
    print(collect(events).content)  # type: ignore[attr-defined]
