"""The stream object that stands in for the SDK's `MessageStream`, sync and async.

The law: one cursor, which all views share, over wire dicts; each view makes of a dict what it is
for. Reading text builds no events, and iterating events builds no more than is looked at.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, Generic, cast

import pydantic
from anthropic.types import MessageParam, ParsedMessage, ToolUseBlock
from typing_extensions import Self, TypeVar

from ._blocks import Blocks
from ._drive import AsyncDriver, SyncDriver, drive
from ._errors import StreamError
from ._helper import HelperEvents
from ._step import Step
from ._text import Strings
from ._timing import StreamTimer
from ._usage import Usage

MessageT = TypeVar("MessageT", default=ParsedMessage[None])


class _Stream(Generic[MessageT]):
    """What both streams share: everything that reads nothing."""

    timing: StreamTimer
    """When things happened; the clock starts before the request, if `open_stream` made it."""

    def __init__(
        self, source: Any, *, strict: bool = True, output_format: Any = None, timer: StreamTimer | None = None
    ) -> None:
        self._adapter: Any = None if output_format is None else pydantic.TypeAdapter(output_format)
        self._reader: SyncDriver[Any] | AsyncDriver[Any]
        if timer is None:
            self.timing = StreamTimer()
            self._reader = drive(source, lambda _: [self.timing], events=True)
        else:
            self.timing, self._reader = timer, source  # a driver that feeds the timer already
        self._accumulator = self._reader.accumulator
        self._accumulator.guard.strict = strict
        self._accumulator.parsed = True
        self._helper = HelperEvents(self._accumulator, self._final, self._finished_block)
        self._pending: deque[Any] = deque()  # events that were made of one wire dict, and are not handed out yet

    # -- state --

    @property
    def response(self) -> Any:
        """The HTTP response, or None where there is none."""
        return self._accumulator.response

    def _header(self, name: str) -> str | None:
        headers: Mapping[str, str] = getattr(self.response, "headers", {})
        return headers.get(name)

    @property
    def request_id(self) -> str | None:
        """The ID to quote to Anthropic's support."""
        return self._header("request-id")

    @property
    def workspace_id(self) -> str | None:
        """The ID of the workspace that the request was made in."""
        return self._header("anthropic-workspace-id")

    @property
    def usage(self) -> Usage:
        """The tokens as far as they are counted; ``final`` once the message is complete."""
        return self._accumulator.usage

    @property
    def complete(self) -> bool:
        """Whether the message is whole."""
        return self._accumulator.complete

    @property
    def current_message_snapshot(self) -> MessageT:
        """The message as far as it was read; a copy.

        Raises:
            RuntimeError: before ``message_start``.
        """
        message = self._accumulator.message
        if message is None:
            raise RuntimeError("there is no message yet: nothing has been read, or message_start has not come")
        return cast("MessageT", message)

    def to_param(self) -> MessageParam | None:
        """Return the message so far as one that the next request accepts, or None if nothing is left."""
        return self._accumulator.to_param()

    def _next_pending(self) -> Any:
        """Return the next event that is made already, or None; those in front of which a view has read are void."""
        if self._pending and not self._helper.is_current:
            self._pending.clear()
        return self._pending.popleft() if self._pending else None

    def _final(self) -> MessageT:
        message = self._accumulator.result()
        for block in message.content:
            self._parse(block)
        return cast("MessageT", message)

    def _finished_block(self, index: int) -> Any:
        block = self._accumulator.block(index)
        self._parse(block)
        return block

    def _parse(self, block: Any) -> None:
        if self._adapter is not None and block.type == "text":
            block.parsed_output = self._adapter.validate_json(block.text)

    @staticmethod
    def _text_of(message: Any) -> str:
        texts = [block.text for block in message.content if block.type == "text"]
        if not texts:
            kinds = ", ".join(block.type for block in message.content) or "nothing"
            raise RuntimeError(f"the message has no text block, but {kinds}: use get_final_message()")
        return "".join(texts)


class MessageStream(_Stream[MessageT]):
    """A stream of one message, in the place of the SDK's class of that name.

    Iterating it gives the SDK's helper events. All views share one cursor. One thread may read it;
    `close` may be called from any thread, and ends a read that is blocked.

    Args:
        source: any stream of events.
        strict: raise if the stream ends before its message does; if not, take what came.
        output_format: a type, as which the text blocks of the finished message are parsed.
        timer: for `open_stream`, whose driver feeds it.

    Example:
        >>> from claude_stream import MessageStream
        >>> with MessageStream(events) as stream:
        ...     text = "".join(stream.text_stream)
        >>> text, stream.usage.output_tokens, stream.get_final_message().stop_reason
        ('Hello, world!', 12, 'end_turn')
    """

    text_stream: Iterator[str]
    """The text, chunk by chunk."""

    thinking_stream: Iterator[str]
    """The thinking, chunk by chunk."""

    def __init__(
        self, source: Any, *, strict: bool = True, output_format: Any = None, timer: StreamTimer | None = None
    ) -> None:
        super().__init__(source, strict=strict, output_format=output_format, timer=timer)
        if not isinstance(self._reader, SyncDriver):
            raise TypeError("this source is async: use AsyncMessageStream")
        self._driver: SyncDriver[Any] = self._reader
        self.text_stream = _View(self._driver, Strings(self._accumulator, "text"))
        self.thinking_stream = _View(self._driver, Strings(self._accumulator, "thinking"))

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        while (event := self._next_pending()) is None:
            self._pending.extend(self._helper.of(self._driver.pull()))
        return event

    def tool_calls(self) -> Iterator[ToolUseBlock]:
        """Yield the tool calls to answer: first those that are whole already, then each as it becomes so."""
        blocks = Blocks(self._accumulator, only_tool_calls=True)
        return _View(self._driver, blocks, blocks.replay())

    def until_done(self) -> None:
        """Read the stream to its end."""
        with contextlib.suppress(StopIteration):
            while True:
                self._driver.pull()

    def get_final_message(self) -> MessageT:
        """Read the stream to its end and return the message.

        Raises:
            StreamError: when the stream turns out broken; ToolInputError if a tool's input is malformed.
        """
        self.until_done()
        return self._final()

    def get_final_text(self) -> str:
        """Read the stream to its end and return the text of all its text blocks.

        Raises:
            RuntimeError: if there is none.
            StreamError: when the stream turns out broken.
        """
        return self._text_of(self.get_final_message())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the response. What was received stays readable. May be called from any thread."""
        self._driver.close()


class AsyncMessageStream(_Stream[MessageT]):
    """The same as `MessageStream`, for an async source, on asyncio or trio. One task may read it.

    Example:
        >>> import asyncio
        >>> from claude_stream import AsyncMessageStream
        >>> async def main():
        ...     request = async_client.messages.create(
        ...         model="claude-sonnet-5-5", max_tokens=1024, messages=[], stream=True
        ...     )
        ...     async with AsyncMessageStream(request) as stream:
        ...         return await stream.get_final_text()
        >>> asyncio.run(main())
        'Hello, world!'
    """

    text_stream: AsyncIterator[str]
    """The text, chunk by chunk."""

    thinking_stream: AsyncIterator[str]
    """The thinking, chunk by chunk."""

    def __init__(
        self, source: Any, *, strict: bool = True, output_format: Any = None, timer: StreamTimer | None = None
    ) -> None:
        super().__init__(source, strict=strict, output_format=output_format, timer=timer)
        if not isinstance(self._reader, AsyncDriver):
            raise TypeError("this source is sync: use MessageStream")
        self._driver: AsyncDriver[Any] = self._reader
        self.text_stream = _AsyncView(self._driver, Strings(self._accumulator, "text"))
        self.thinking_stream = _AsyncView(self._driver, Strings(self._accumulator, "thinking"))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while (event := self._next_pending()) is None:
            self._pending.extend(self._helper.of(await self._driver.pull()))
        return event

    def tool_calls(self) -> AsyncIterator[ToolUseBlock]:
        """Yield the tool calls to answer: first those that are whole already, then each as it becomes so."""
        blocks = Blocks(self._accumulator, only_tool_calls=True)
        return _AsyncView(self._driver, blocks, blocks.replay())

    async def until_done(self) -> None:
        """Read the stream to its end."""
        with contextlib.suppress(StopAsyncIteration):
            while True:
                await self._driver.pull()

    async def get_final_message(self) -> MessageT:
        """Read the stream to its end and return the message.

        Raises:
            StreamError: when the stream turns out broken; ToolInputError if a tool's input is malformed.
        """
        await self.until_done()
        return self._final()

    async def get_final_text(self) -> str:
        """Read the stream to its end and return the text of all its text blocks.

        Raises:
            RuntimeError: if there is none.
            StreamError: when the stream turns out broken.
        """
        return self._text_of(await self.get_final_message())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the response. What was received stays readable."""
        await self._driver.aclose()

    close = aclose  # the SDK's name


class _View(Iterator[Any]):
    """What one step makes of the events that are still to come, and of what came before it was made."""

    def __init__(self, driver: SyncDriver[Any], step: Step, before: Iterable[Any] = ()) -> None:
        self._driver = driver
        self._step = step
        self._outs = iter(before)
        self._finished = False

    def __next__(self) -> Any:
        while True:
            try:
                for out in self._outs:
                    return out
                self._outs = iter(self._step.feed(self._driver.pull()))
            except StreamError as exc:
                raise self._driver.accumulator.fail(exc)  # noqa: B904 - it is the same exception
            except StopIteration:
                if self._finished:
                    raise
                self._finished = True
                self._outs = iter(self._step.finish())


class _AsyncView(AsyncIterator[Any]):
    """The same over an async stream."""

    def __init__(self, driver: AsyncDriver[Any], step: Step, before: Iterable[Any] = ()) -> None:
        self._driver = driver
        self._step = step
        self._outs = iter(before)
        self._finished = False

    async def __anext__(self) -> Any:
        while True:
            try:
                for out in self._outs:
                    return out
                self._outs = iter(self._step.feed(await self._driver.pull()))
            except StreamError as exc:
                raise self._driver.accumulator.fail(exc)  # noqa: B904 - it is the same exception
            except StopAsyncIteration:
                if self._finished:
                    raise
                self._finished = True
                self._outs = iter(self._step.finish())
