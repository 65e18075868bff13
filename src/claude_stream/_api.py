"""The public functions: iterators over the events of one stream.

The law: each takes any source of events and returns an iterator of the same colour, sync for sync
and async for async. Each body names its steps and no more; the docstring is the contract.

A source is anything that yields events: what ``messages.create(stream=True)`` returns (on an async
client awaited or not), the stream of ``messages.stream(...)``, an iterator of this library, or any
iterable of the SDK's events or of their JSON as dicts.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, overload

from anthropic.types import ContentBlock, Message, RawMessageStreamEvent, ToolUseBlock
from anthropic.types.beta import BetaContentBlock, BetaMessage, BetaRawMessageStreamEvent, BetaToolUseBlock

from ._blocks import Blocks, ToolInput, ToolInputs
from ._drive import drive
from ._sse import SSEDecoder
from ._tap import Tap
from ._text import Strings

if TYPE_CHECKING:  # which alone can subscript the SDK's Parsed... aliases
    from typing import TypeAlias

    from anthropic import AsyncStream, Stream
    from anthropic.lib.streaming import ParsedBetaMessageStreamEvent, ParsedMessageStreamEvent

    from ._events import UnknownEvent

    # Stable and beta events are disjoint, so no overload depends on standing before another; and what can
    # be iterated but gives no events (a str, a Message, the chunks of iter_text) is refused.
    Event: TypeAlias = RawMessageStreamEvent | ParsedMessageStreamEvent[Any] | UnknownEvent | Mapping[str, object]
    BetaEvent: TypeAlias = BetaRawMessageStreamEvent | ParsedBetaMessageStreamEvent[Any]

    Source: TypeAlias = Iterable[Event] | Stream[object]  # the SDK's way to give dicts
    BetaSource: TypeAlias = Iterable[BetaEvent]
    AnySource: TypeAlias = Source | BetaSource

    AsyncEvents: TypeAlias = AsyncIterable[Event] | AsyncStream[object]
    AsyncBetaEvents: TypeAlias = AsyncIterable[BetaEvent]
    AsyncSource: TypeAlias = AsyncEvents | Awaitable[AsyncEvents]
    AsyncBetaSource: TypeAlias = AsyncBetaEvents | Awaitable[AsyncBetaEvents]
    AnyAsyncSource: TypeAlias = AsyncSource | AsyncBetaSource


@overload
def iter_events(source: Source, /) -> Iterator[RawMessageStreamEvent]: ...
@overload
def iter_events(source: AsyncSource, /) -> AsyncIterator[RawMessageStreamEvent]: ...
@overload
def iter_events(source: BetaSource, /) -> Iterator[BetaRawMessageStreamEvent]: ...
@overload
def iter_events(source: AsyncBetaSource, /) -> AsyncIterator[BetaRawMessageStreamEvent]: ...
def iter_events(source: Any, /) -> Any:
    """Yield the events of a stream, with its order and its end checked.

    The events are the SDK's objects: the very ones that the source gave, or built from its dicts.
    An event of a type that the SDK does not know is an `UnknownEvent`; so is a ``ping``.

    Raises:
        StreamError: when the stream turns out broken, after everything that was received in front of it.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import iter_events
        >>> [event.type for event in iter_events(events)][:3]
        ['message_start', 'content_block_start', 'content_block_delta']
    """
    return drive(source, events=True)


@overload
def iter_text(source: AnySource, /, *, separator: str = "") -> Iterator[str]: ...
@overload
def iter_text(source: AnyAsyncSource, /, *, separator: str = "") -> AsyncIterator[str]: ...
def iter_text(source: Any, /, *, separator: str = "") -> Any:
    """Yield the text of a stream in chunks, each as it arrives and none empty.

    Joined, they are the text of the final message's blocks, with ``separator`` between two blocks.
    Thinking, tool calls and whatever is wrong with a tool call do not show here.

    Raises:
        StreamError: when the stream turns out broken, after all the text that was received.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import iter_text
        >>> for chunk in iter_text(events):
        ...     print(chunk, end="|")
        Hello, |world!|
    """
    return drive(source, lambda accumulator: [Strings(accumulator, "text", separator)])


@overload
def iter_thinking(source: AnySource, /) -> Iterator[str]: ...
@overload
def iter_thinking(source: AnyAsyncSource, /) -> AsyncIterator[str]: ...
def iter_thinking(source: Any, /) -> Any:
    """Yield the thinking of a stream in chunks, each as it arrives and none empty.

    Raises:
        StreamError: when the stream turns out broken, after all the thinking that was received.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import iter_thinking
        >>> "".join(iter_thinking(events))
        ''
    """
    return drive(source, lambda accumulator: [Strings(accumulator, "thinking")])


@overload
def iter_blocks(source: Source, /) -> Iterator[ContentBlock]: ...
@overload
def iter_blocks(source: AsyncSource, /) -> AsyncIterator[ContentBlock]: ...
@overload
def iter_blocks(source: BetaSource, /) -> Iterator[BetaContentBlock]: ...
@overload
def iter_blocks(source: AsyncBetaSource, /) -> AsyncIterator[BetaContentBlock]: ...
def iter_blocks(source: Any, /) -> Any:
    """Yield each content block as soon as it is whole, in the order of the message.

    A block is whole when it closes. A ``tool_use`` block whose input is empty, and whatever follows
    it, waits for the stop reason, which alone tells whether the call was cut.

    Raises:
        ToolInputError: in the place of a tool call whose input is cut or malformed.
        StreamError: when the stream turns out broken.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import iter_blocks
        >>> [block.type for block in iter_blocks(tool_events)]
        ['text', 'tool_use']
    """
    return drive(source, lambda accumulator: [Blocks(accumulator)])


@overload
def iter_tool_calls(source: Source, /) -> Iterator[ToolUseBlock]: ...
@overload
def iter_tool_calls(source: AsyncSource, /) -> AsyncIterator[ToolUseBlock]: ...
@overload
def iter_tool_calls(source: BetaSource, /) -> Iterator[BetaToolUseBlock]: ...
@overload
def iter_tool_calls(source: AsyncBetaSource, /) -> AsyncIterator[BetaToolUseBlock]: ...
def iter_tool_calls(source: Any, /) -> Any:
    """Yield each tool call that your program has to answer, as soon as it is certain to be whole.

    The input was parsed strictly and is an object. A call whose input is empty is handed out only
    when the stop reason has come and is ``tool_use`` or ``pause_turn``. Calls of the server's own tools do not
    show here.

    Raises:
        ToolInputError: in the place of a call that is cut or malformed, once the stop reason has come.
        StreamError: when the stream turns out broken.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import iter_tool_calls
        >>> for call in iter_tool_calls(tool_events):
        ...     print(call.name, call.input)
        get_weather {'city': 'Paris'}
    """
    return drive(source, lambda accumulator: [Blocks(accumulator, only_tool_calls=True)])


@overload
def iter_tool_inputs(source: AnySource, /) -> Iterator[ToolInput]: ...
@overload
def iter_tool_inputs(source: AnyAsyncSource, /) -> AsyncIterator[ToolInput]: ...
def iter_tool_inputs(source: Any, /) -> Any:
    """Yield the inputs of tool calls, your own and the server's, piece by piece as they grow.

    This is for showing them. What is shown may be cut a moment later: run only what
    `iter_tool_calls` gives.

    Raises:
        StreamError: when the stream turns out broken.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import iter_tool_inputs
        >>> for piece in iter_tool_inputs(tool_events):
        ...     print(piece.name, repr(piece.delta), piece.snapshot)
        get_weather '{"city": "Pa' {}
        get_weather 'ris"}' {'city': 'Paris'}
    """
    return drive(source, lambda _: [ToolInputs()])


@overload
def tap(source: Source, /, *observers: Callable[[Any], object]) -> Iterator[RawMessageStreamEvent]: ...
@overload
def tap(source: AsyncSource, /, *observers: Callable[[Any], object]) -> AsyncIterator[RawMessageStreamEvent]: ...
@overload
def tap(source: BetaSource, /, *observers: Callable[[Any], object]) -> Iterator[BetaRawMessageStreamEvent]: ...
@overload
def tap(
    source: AsyncBetaSource, /, *observers: Callable[[Any], object]
) -> AsyncIterator[BetaRawMessageStreamEvent]: ...
def tap(source: Any, /, *observers: Callable[[Any], object]) -> Any:
    """Yield the events of a stream, after calling each observer with the event.

    An observer's exception ends the iteration and reaches the reader as it is.

    Raises:
        StreamError: when the stream turns out broken.
        TypeError: if ``source`` is no stream of events, or was read before; if an observer cannot be called.

    Example:
        >>> from claude_stream import Accumulator, iter_text, tap
        >>> accumulator = Accumulator()
        >>> "".join(iter_text(tap(events, accumulator.feed)))
        'Hello, world!'
        >>> accumulator.usage.output_tokens
        12
    """
    return drive(source, lambda accumulator: [Tap(observers, lambda: accumulator.beta)], events=True)


@overload
def collect(source: Source, /, *, beta: Literal[False] = False) -> Message: ...
@overload
def collect(source: AsyncSource, /, *, beta: Literal[False] = False) -> Coroutine[Any, Any, Message]: ...
@overload
def collect(source: Source, /, *, beta: Literal[True]) -> BetaMessage: ...
@overload
def collect(source: AsyncSource, /, *, beta: Literal[True]) -> Coroutine[Any, Any, BetaMessage]: ...
@overload
def collect(source: BetaSource, /, *, beta: bool = False) -> BetaMessage: ...
@overload
def collect(source: AsyncBetaSource, /, *, beta: bool = False) -> Coroutine[Any, Any, BetaMessage]: ...
def collect(source: Any, /, *, beta: bool = False) -> Any:
    """Read a stream to its end and return the message: the one that ``create()`` without stream returns.

    Args:
        source: the events; from an async source the result is to be awaited.
        beta: build a `BetaMessage` from plain dicts, too. The SDK's beta events do so by themselves.

    Raises:
        ToolInputError: if the input of a tool call is malformed.
        StreamError: when the stream turns out broken; ``.partial`` holds what was received.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import collect
        >>> message = collect(events)
        >>> message.stop_reason, message.usage.output_tokens
        ('end_turn', 12)
    """
    return drive(source, beta=beta).result()


@overload
def from_sse(chunks: Iterable[bytes], /, *, beta: Literal[False] = False) -> Iterator[RawMessageStreamEvent]: ...
@overload
def from_sse(
    chunks: AsyncIterable[bytes], /, *, beta: Literal[False] = False
) -> AsyncIterator[RawMessageStreamEvent]: ...
@overload
def from_sse(chunks: Iterable[bytes], /, *, beta: Literal[True]) -> Iterator[BetaRawMessageStreamEvent]: ...
@overload
def from_sse(chunks: AsyncIterable[bytes], /, *, beta: Literal[True]) -> AsyncIterator[BetaRawMessageStreamEvent]: ...
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
    return drive(chunks, decoder=SSEDecoder(), beta=beta, events=True)
