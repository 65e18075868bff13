"""The stream object that stands in for the SDK's `MessageStream`, sync and async.

The law: one cursor, which all views share, over wire dicts; each view is a reader of its own over that cursor and
makes of a dict what it is for. Reading text builds no events, and iterating events builds no more than is looked at.
"""

# For type checkers our streams have two classes of the SDK for bases, which differ in what their methods return.
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
# pyright: reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Generic, overload

import pydantic
from anthropic.lib import streaming as sdk
from anthropic.types import ParsedMessage, ToolUseBlock
from typing_extensions import Self, TypeVar

from ._drive.aio import AsyncReader
from ._drive.misuse import AsyncOnly
from ._drive.pipeline import AnyReader, MakeSteps, Options, drive, over
from ._drive.reader import View
from ._drive.sync import Reader
from ._steps.accumulator import HoldsMessage
from ._steps.blocks import EagerToolCalls, ToolCalls
from ._steps.builder import MessageBuilder
from ._steps.helper_events import HelperEvents
from ._steps.parts import Part, Parts
from ._steps.text import Strings
from ._steps.timer import StreamTimer

if TYPE_CHECKING:  # which alone can subscript the SDK's Parsed... aliases
    from anthropic.lib.streaming import ParsedBetaMessageStreamEvent, ParsedMessageStreamEvent
    from anthropic.types.beta.parsed_beta_message import ParsedBetaMessage

    # What a function takes that is annotated with a class of the SDK. The two differ in what their methods return, and
    # ours is one of them or the other, as its message type says.
    class _IsTheSDKs(sdk.MessageStream[Any], sdk.BetaMessageStream[Any]): ...  # type: ignore[misc]

    class _IsTheSDKsAsync(sdk.AsyncMessageStream[Any], sdk.BetaAsyncMessageStream[Any]): ...  # type: ignore[misc]
else:
    _IsTheSDKs = _IsTheSDKsAsync = object

MessageT = TypeVar("MessageT", default=ParsedMessage[None])
T = TypeVar("T")
Adapter = pydantic.TypeAdapter[Any]


def options_of(**options: Any) -> Options:
    """Return the options of a stream that stands in for the SDK's."""
    return Options(events=True, parsed=True, **options)


class _Parsed:
    """The message and its blocks, with what `output_format` makes of their text.

    It stands by itself, so that the steps that need it do not tie a stream to itself: one that is dropped is closed at
    once, and its generators in their order.
    """

    def __init__(self, builder: MessageBuilder, adapter: Adapter | None) -> None:
        self._builder = builder
        self._adapter = adapter

    def message(self) -> Any:
        """Return the complete message."""
        message: Any = self._builder.result()
        for block in message.content:
            self._parse(block)
        return message

    def block(self, index: int) -> Any:
        """Return one block."""
        block = self._builder.block(index)
        self._parse(block)
        return block

    def _parse(self, block: Any) -> None:
        if self._adapter is not None and block.type == "text":
            block.parsed_output = self._adapter.validate_json(block.text)


class StandsFor:
    """An object for which `isinstance` finds the SDK's class, and everybody else its own.

    A subclass of the SDK's would inherit what the SDK adds to its own one day, and break in it.
    """

    if not TYPE_CHECKING:

        @property
        def __class__(self) -> type[Any]:
            return self._stands_for()

    def __dir__(self) -> list[str]:
        return [*dir(type(self)), *vars(self)]  # `object`'s own would ask the SDK's class


class _Stream(StandsFor, HoldsMessage[MessageT], Generic[MessageT]):
    """What both streams share: everything that reads nothing."""

    timing: StreamTimer
    """When things happened; the clock starts before the request, if `open_stream` made it."""

    def __init__(self, source: Any, /, *, strict: bool = True) -> None:
        timer = StreamTimer()
        self._set_up(drive(source, lambda _: [timer], options_of(strict=strict)), timer, None)

    @classmethod
    def over_reader(cls, reader: AnyReader, timer: StreamTimer, adapter: Adapter | None) -> Self:
        """Return the stream over a reader that feeds the timer, for `open_stream`."""
        stream = cls.__new__(cls)
        stream._set_up(reader, timer, adapter)
        return stream

    def _set_up(self, reader: AnyReader, timer: StreamTimer, adapter: Adapter | None) -> None:
        self.timing = timer
        self._reader = reader
        self._builder = View(reader).builder
        self._parsed = _Parsed(self._builder, adapter)

    def _view(self, make_steps: MakeSteps) -> Any:
        return over(View(self._reader), make_steps, Options())

    def _helper_events(self, builder: MessageBuilder) -> list[HelperEvents]:
        return [HelperEvents(builder, self._parsed.message, self._parsed.block)]

    def _parts(self) -> Any:
        return self._view(lambda builder: [Parts(builder)])

    def _tool_calls(self, *, eager: bool) -> Any:
        return self._view(lambda builder: [(EagerToolCalls if eager else ToolCalls)(builder)])

    # -- state --

    @property
    def response(self) -> Any:
        """The HTTP response, or None where there is none."""
        return self._builder.response

    @property
    def request_id(self) -> str | None:
        """The ID to quote to Anthropic's support."""
        return self._builder.header("request-id")

    @property
    def workspace_id(self) -> str | None:
        """The ID of the workspace that the request was made in."""
        return self._builder.header("anthropic-workspace-id")

    @property
    def current_message_snapshot(self) -> MessageT:
        """The message as far as it was read.

        It does not change as the stream goes on. It shares with the snapshot before what has not changed since, so
        that it may be looked at as often as one likes; `message` is a copy of its own.

        Raises:
            RuntimeError: before ``message_start``.
        """
        message: MessageT | None = self._builder.snapshot
        if message is None:
            raise RuntimeError("there is no message yet: nothing has been read, or message_start has not come")
        return message

    @staticmethod
    def _text_of(message: Any) -> str:
        texts = [block.text or "" for block in message.content if block.type == "text"]
        if not texts:
            kinds = ", ".join(block.type for block in message.content) or "nothing"
            raise RuntimeError(f"the message has no text block, but {kinds}: use get_final_message()")
        return "".join(texts)


class MessageStream(_Stream[MessageT], _IsTheSDKs):  # type: ignore[misc]  # see there
    """A stream of one message, to be used instead of the SDK's class of that name, of which it is an instance.

    Iterating it gives the SDK's helper events. All views share one cursor. One thread may read it;
    `close` may be called from any thread, and ends a read that is blocked.

    Args:
        source: any stream of events.
        strict: raise if the stream ends before its message does; if not, take what came.

    Raises:
        TypeError: if the source is async, or no stream of events.

    Example:
        >>> from claude_stream import MessageStream
        >>> with MessageStream(events) as stream:
        ...     text = "".join(stream.text_stream)
        >>> text, stream.usage.output_tokens, stream.get_final_message().stop_reason
        ('Hello, world!', 12, 'end_turn')
    """

    def _stands_for(self) -> type[Any]:
        return sdk.BetaMessageStream if self._builder.beta else sdk.MessageStream

    text_stream: Reader[str, MessageT]
    """The text, chunk by chunk."""

    thinking_stream: Reader[str, MessageT]
    """The thinking, chunk by chunk."""

    def _set_up(self, reader: AnyReader, timer: StreamTimer, adapter: Adapter | None) -> None:
        if not isinstance(reader, Reader):
            raise TypeError("this source is async: use AsyncMessageStream")
        super()._set_up(reader, timer, adapter)
        self._rest: Reader[Any] = reader
        self._events: Reader[Any] = self._view(self._helper_events)
        self.text_stream = self._view(lambda builder: [Strings(builder, "text")])
        self.thinking_stream = self._view(lambda builder: [Strings(builder, "thinking")])

    @overload
    def __iter__(self: MessageStream[ParsedMessage[T]]) -> Iterator[ParsedMessageStreamEvent[T]]: ...
    @overload
    def __iter__(self: MessageStream[ParsedBetaMessage[T]]) -> Iterator[ParsedBetaMessageStreamEvent[T]]: ...
    def __iter__(self) -> Any:
        return self

    @overload
    def __next__(self: MessageStream[ParsedMessage[T]]) -> ParsedMessageStreamEvent[T]: ...
    @overload
    def __next__(self: MessageStream[ParsedBetaMessage[T]]) -> ParsedBetaMessageStreamEvent[T]: ...
    def __next__(self) -> Any:
        return next(self._events)

    def tool_calls(self, *, eager: bool = False) -> Reader[ToolUseBlock, MessageT]:
        """Yield the tool calls to answer, those first that are there already; see `iter_tool_calls`."""
        calls: Reader[ToolUseBlock, MessageT] = self._tool_calls(eager=eager)
        return calls

    def parts(self) -> Reader[Part, MessageT]:
        """Yield all that a person or an agent looks at, from here on; see `iter_parts`."""
        parts: Reader[Part, MessageT] = self._parts()
        return parts

    def until_done(self) -> None:
        """Read the stream to its end.

        Raises:
            StreamError: when the stream turns out broken, or was closed before its message was complete.
        """
        self._rest.read()

    def get_final_message(self) -> MessageT:  # type: ignore[override]  # see `_IsTheSDKs`
        """Read the stream to its end and return the message.

        Raises:
            StreamError: when the stream turns out broken; ToolInputError if a tool's input is malformed.
        """
        self.until_done()
        final: MessageT = self._parsed.message()
        return final

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
        self._rest.close()


class AsyncMessageStream(AsyncOnly, _Stream[MessageT], _IsTheSDKsAsync):  # type: ignore[misc]  # see there
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

    def _stands_for(self) -> type[Any]:
        return sdk.BetaAsyncMessageStream if self._builder.beta else sdk.AsyncMessageStream

    text_stream: AsyncReader[str, MessageT]
    """The text, chunk by chunk."""

    thinking_stream: AsyncReader[str, MessageT]
    """The thinking, chunk by chunk."""

    def _set_up(self, reader: AnyReader, timer: StreamTimer, adapter: Adapter | None) -> None:
        if not isinstance(reader, AsyncReader):
            raise TypeError("this source is sync: use MessageStream")
        super()._set_up(reader, timer, adapter)
        self._rest: AsyncReader[Any] = reader
        self._events: AsyncReader[Any] = self._view(self._helper_events)
        self.text_stream = self._view(lambda builder: [Strings(builder, "text")])
        self.thinking_stream = self._view(lambda builder: [Strings(builder, "thinking")])

    @overload
    def __aiter__(self: AsyncMessageStream[ParsedMessage[T]]) -> AsyncIterator[ParsedMessageStreamEvent[T]]: ...
    @overload
    def __aiter__(self: AsyncMessageStream[ParsedBetaMessage[T]]) -> AsyncIterator[ParsedBetaMessageStreamEvent[T]]: ...
    def __aiter__(self) -> Any:
        return self

    @overload
    async def __anext__(self: AsyncMessageStream[ParsedMessage[T]]) -> ParsedMessageStreamEvent[T]: ...
    @overload
    async def __anext__(self: AsyncMessageStream[ParsedBetaMessage[T]]) -> ParsedBetaMessageStreamEvent[T]: ...
    async def __anext__(self) -> Any:
        return await anext(self._events)

    def tool_calls(self, *, eager: bool = False) -> AsyncReader[ToolUseBlock, MessageT]:
        """Yield the tool calls to answer, those first that are there already; see `iter_tool_calls`."""
        calls: AsyncReader[ToolUseBlock, MessageT] = self._tool_calls(eager=eager)
        return calls

    def parts(self) -> AsyncReader[Part, MessageT]:
        """Yield all that a person or an agent looks at, from here on; see `iter_parts`."""
        parts: AsyncReader[Part, MessageT] = self._parts()
        return parts

    async def until_done(self) -> None:
        """Read the stream to its end.

        Raises:
            StreamError: when the stream turns out broken, or was closed before its message was complete.
        """
        await self._rest.read()

    async def get_final_message(self) -> MessageT:  # type: ignore[override]  # see `_IsTheSDKs`
        """Read the stream to its end and return the message.

        Raises:
            StreamError: when the stream turns out broken; ToolInputError if a tool's input is malformed.
        """
        await self.until_done()
        final: MessageT = self._parsed.message()
        return final

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
        await self._rest.aclose()

    close = aclose  # the SDK's name
