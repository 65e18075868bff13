"""The public functions: iterators over the events of one stream.

The law: each takes any source of events and returns a reader of the same colour, sync for sync
and async for async. Each body names its steps and no more; the docstring is the contract.

A source is anything that yields events: what ``messages.create(stream=True)`` returns (on an async
client awaited or not), the stream of ``messages.stream(...)``, a reader of this library that gives
events, or any iterable of the SDK's events or of their JSON as dicts.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Literal, overload

from anthropic.types import ContentBlock, Message, RawMessageStreamEvent, ToolUseBlock
from anthropic.types.beta import BetaContentBlock, BetaMessage, BetaRawMessageStreamEvent, BetaToolUseBlock

from ._drive.aio import AsyncReader
from ._drive.pipeline import Options, drive, restarting
from ._drive.restarts import Restarts, backoff
from ._drive.sync import Reader
from ._drive.timeouts import Limits
from ._errors import StreamError
from ._sources import AsyncBetaSource, AsyncSource, BetaSource, Source
from ._steps.blocks import Blocks, EagerToolCalls, ToolCalls, ToolInput, ToolInputs
from ._steps.finished import Finished
from ._steps.parts import Part, Parts
from ._steps.progress import Meter, Progress
from ._steps.tap import Tap
from ._steps.text import Strings
from ._steps.units import By, in_units

_EVENTS = Options(events=True)


@overload
def iter_events(source: Source, /) -> Reader[RawMessageStreamEvent]: ...
@overload
def iter_events(source: AsyncSource, /) -> AsyncReader[RawMessageStreamEvent]: ...
@overload
def iter_events(source: BetaSource, /) -> Reader[BetaRawMessageStreamEvent, BetaMessage]: ...
@overload
def iter_events(source: AsyncBetaSource, /) -> AsyncReader[BetaRawMessageStreamEvent, BetaMessage]: ...
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
    return drive(source, options=_EVENTS)


@overload
def iter_text(
    source: Source, /, *, separator: str = "", by: By | None = None, max_length: int | None = None
) -> Reader[str]: ...
@overload
def iter_text(
    source: AsyncSource, /, *, separator: str = "", by: By | None = None, max_length: int | None = None
) -> AsyncReader[str]: ...
@overload
def iter_text(
    source: BetaSource, /, *, separator: str = "", by: By | None = None, max_length: int | None = None
) -> Reader[str, BetaMessage]: ...
@overload
def iter_text(
    source: AsyncBetaSource, /, *, separator: str = "", by: By | None = None, max_length: int | None = None
) -> AsyncReader[str, BetaMessage]: ...
def iter_text(source: Any, /, *, separator: str = "", by: By | None = None, max_length: int | None = None) -> Any:
    r"""Yield the text of a stream, in chunks as they arrive, or in pieces as you ask for them. None is empty.

    Joined, they are the text of the final message's blocks, with ``separator`` between two blocks.
    Thinking, tool calls and whatever is wrong with a tool call do not show here.

    With ``by``, a piece leaves once it is certain where it ends, and where that is does not depend on how the text
    arrives. It ends at the end of its block, too, and in front of an error. A close hands out nothing more.
    ``reader.text`` has all that was received, also what is held back. A newline (``\n``, with or without ``\r``) ends
    its line, and the word or sentence in it; other white space, and a separator, begin the next piece. No-break spaces
    are no white space here.

    - ``"word"``: it ends where white space begins. ``"line"``: it ends with its newline.
    - ``"sentence"``: it ends with a terminator (``.``, ``!``, ``?``, and their like in other scripts), quotes or
      brackets that close, at most eight, and then white space or the end of the block. The terminators of Chinese and
      Japanese (``。``, ``｡``, and full-width ``.``, ``!``, ``?``) need no white space. A decimal point is none.
      Several full stops in a row, and ``…``, end nothing, except at the end of a line or block. That is the whole
      rule: "Dr. Who" and "e.g. this" are two pieces each. For more there are sentencex and stream2sentence on PyPI.
    - A compiled pattern: a piece ends where its first match ends. It is searched for after each character, as if the
      text came character by character, in the text since the last piece, and counts once one more character has come.
      So a negative lookahead and ``\b`` see one character, ``$`` holds only in front of a newline, ``^`` and a
      lookbehind see nothing of the piece before, and a greedy match is no longer than it must be. An empty match, such
      as that of ``(?=#)``, ends what is in front of it.
    - A function: it is called after each character with the text since the last piece, and gives the length of the next
      piece, or None if that is not certain yet. It has to give the same answer for the same text.

    Words, lines and sentences cost the same for each character. A pattern or a function looks at the whole piece for
    each, which costs the square of its length: bound it by ``max_length``.

    Args:
        source: any stream of events.
        separator: goes between two blocks.
        by: what the pieces are.
        max_length: cut a piece when it has so many characters (code points), so that no more is held back.

    Raises:
        StreamError: when the stream turns out broken, after all the text that was received.
        TypeError: if ``source`` is no stream of events, or was read before; if ``by`` is none of the above; if there is
            a ``max_length`` without ``by``, which would limit nothing.
        ValueError: if ``by`` is no name of a unit, a pattern that matches the empty string, or a function that gives
            a length that its text has not; if ``max_length`` is less than 1.

    Example:
        >>> from claude_stream import iter_text
        >>> for chunk in iter_text(events):
        ...     print(chunk, end="|")
        Hello, |world!|
        >>> from claude_stream.testing import message_events
        >>> answer = message_events("It is 3.5 km. Really? Yes...", chunk=4)
        >>> list(iter_text(answer, by="sentence"))
        ['It is 3.5 km.', ' Really?', ' Yes...']
    """
    return drive(
        source,
        lambda builder: [in_units(Strings(builder, "text", separator), by, max_length)],
        Options(separator=separator),
    )


@overload
def iter_thinking(source: Source, /, *, by: By | None = None, max_length: int | None = None) -> Reader[str]: ...
@overload
def iter_thinking(
    source: AsyncSource, /, *, by: By | None = None, max_length: int | None = None
) -> AsyncReader[str]: ...
@overload
def iter_thinking(
    source: BetaSource, /, *, by: By | None = None, max_length: int | None = None
) -> Reader[str, BetaMessage]: ...
@overload
def iter_thinking(
    source: AsyncBetaSource, /, *, by: By | None = None, max_length: int | None = None
) -> AsyncReader[str, BetaMessage]: ...
def iter_thinking(source: Any, /, *, by: By | None = None, max_length: int | None = None) -> Any:
    r"""Yield the thinking of a stream, in chunks as they arrive, or in pieces as you ask for them. None is empty.

    Args:
        source: any stream of events.
        by: what the pieces are, as for `iter_text`.
        max_length: cut a piece when it has so many characters, as for `iter_text`.

    Raises:
        StreamError: when the stream turns out broken, after all the thinking that was received.
        TypeError: if ``source`` is no stream of events, or was read before; see `iter_text` for the options.
        ValueError: if an option has no meaning; see `iter_text`.

    Example:
        >>> from claude_stream import iter_thinking
        >>> "".join(iter_thinking(events))
        ''
        >>> from claude_stream.testing import message_events
        >>> thinking = {"type": "thinking", "thinking": "A list:\n- one\n- two", "signature": "c2ln"}
        >>> list(iter_thinking(message_events(thinking), by="line"))
        ['A list:\n', '- one\n', '- two']
    """
    return drive(source, lambda builder: [in_units(Strings(builder, "thinking"), by, max_length)])


@overload
def iter_blocks(source: Source, /) -> Reader[ContentBlock]: ...
@overload
def iter_blocks(source: AsyncSource, /) -> AsyncReader[ContentBlock]: ...
@overload
def iter_blocks(source: BetaSource, /) -> Reader[BetaContentBlock, BetaMessage]: ...
@overload
def iter_blocks(source: AsyncBetaSource, /) -> AsyncReader[BetaContentBlock, BetaMessage]: ...
def iter_blocks(source: Any, /) -> Any:
    """Yield each content block as soon as it is whole, in the order of the message.

    A block is whole when it closes. A ``tool_use`` block whose input is empty, and whatever follows
    it, waits for the stop reason, which alone tells whether the call was cut. That a ``tool_use`` block
    is whole does not mean that it is to be run: a refusal or a fallback may follow. Run what
    `iter_tool_calls` gives.

    Raises:
        ToolInputError: where a tool call comes whose input is cut or malformed.
        StreamError: when the stream turns out broken.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import iter_blocks
        >>> [block.type for block in iter_blocks(tool_events)]
        ['text', 'tool_use']
    """
    return drive(source, lambda builder: [Blocks(builder)])


@overload
def iter_parts(source: Source, /) -> Reader[Part]: ...
@overload
def iter_parts(source: AsyncSource, /) -> AsyncReader[Part]: ...
@overload
def iter_parts(source: BetaSource, /) -> Reader[Part, BetaMessage]: ...
@overload
def iter_parts(source: AsyncBetaSource, /) -> AsyncReader[Part, BetaMessage]: ...
def iter_parts(source: Any, /) -> Any:
    """Yield all that a person or an agent looks at, in order, as small objects made for ``match``.

    Text, thinking and the inputs of tool calls come as they arrive; citations, the server's tools and fallbacks
    when they are whole; tool calls as `iter_tool_calls` gives them, together, when the message is complete; and
    last a `DonePart`. Each has ``type``, and ``index``, the position of its content block.

    Raises:
        ToolInputError: instead of all tool calls, if one of them is cut or malformed.
        StreamError: when the stream turns out broken.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import DonePart, TextPart, ToolCallPart, iter_parts
        >>> for part in iter_parts(tool_events):
        ...     match part:
        ...         case TextPart(text):
        ...             print(text)
        ...         case ToolCallPart(call):
        ...             print(call.name, call.input)
        ...         case DonePart(stop_reason):
        ...             print(stop_reason)
        Let me see.
        get_weather {'city': 'Paris'}
        tool_use
    """
    return drive(source, lambda builder: [Parts(builder)])


@overload
def iter_tool_calls(source: Source, /, *, eager: bool = False) -> Reader[ToolUseBlock]: ...
@overload
def iter_tool_calls(source: AsyncSource, /, *, eager: bool = False) -> AsyncReader[ToolUseBlock]: ...
@overload
def iter_tool_calls(source: BetaSource, /, *, eager: bool = False) -> Reader[BetaToolUseBlock, BetaMessage]: ...
@overload
def iter_tool_calls(
    source: AsyncBetaSource, /, *, eager: bool = False
) -> AsyncReader[BetaToolUseBlock, BetaMessage]: ...
def iter_tool_calls(source: Any, /, *, eager: bool = False) -> Any:
    """Yield the tool calls that your program has to answer, all together, once the message is complete.

    There are any only under the stop reason ``tool_use``: whatever else a message ends with, the API does
    not want them answered. The inputs were parsed strictly and are objects. Calls of the server's own tools
    do not show here, nor do those in front of a ``fallback`` block, which another model has taken over from.

    Args:
        source: any stream of events.
        eager: hand out each call as soon as its block closes; one without input, and those behind it, wait for
            the stop reason. This saves time, and takes nothing back: a call that was handed out may be voided by
            what comes later, a refusal, a fallback, a cut, a failure. Only for tools that do no harm.

    Raises:
        ToolInputError: instead of all calls, if one of them is cut or malformed; with ``eager``, when its turn comes.
        StreamError: when the stream turns out broken.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import iter_tool_calls
        >>> for call in iter_tool_calls(tool_events):
        ...     print(call.name, call.input)
        get_weather {'city': 'Paris'}
    """
    return drive(source, lambda builder: [(EagerToolCalls if eager else ToolCalls)(builder)])


@overload
def iter_tool_inputs(source: Source, /) -> Reader[ToolInput]: ...
@overload
def iter_tool_inputs(source: AsyncSource, /) -> AsyncReader[ToolInput]: ...
@overload
def iter_tool_inputs(source: BetaSource, /) -> Reader[ToolInput, BetaMessage]: ...
@overload
def iter_tool_inputs(source: AsyncBetaSource, /) -> AsyncReader[ToolInput, BetaMessage]: ...
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
    return drive(source, lambda builder: [ToolInputs(builder)])


@overload
def iter_progress(source: Source, /, *, max_tokens: int | None = None) -> Reader[Progress]: ...
@overload
def iter_progress(source: AsyncSource, /, *, max_tokens: int | None = None) -> AsyncReader[Progress]: ...
@overload
def iter_progress(source: BetaSource, /, *, max_tokens: int | None = None) -> Reader[Progress, BetaMessage]: ...
@overload
def iter_progress(
    source: AsyncBetaSource, /, *, max_tokens: int | None = None
) -> AsyncReader[Progress, BetaMessage]: ...
def iter_progress(source: Any, /, *, max_tokens: int | None = None) -> Any:
    """Yield how far a stream is: once before its first event, and once behind each event, pings included.

    A ``Progress`` is as old as its event. Who draws in between, from a timer, keeps the last one and asks for
    ``progress.now()``, which has the times of that moment. The last one of a stream that ends well has the phase
    ``done``. Times count from this call: on an async client pass the request as it is, not awaited, so that they
    contain the wait for the response; a sync client has waited before.

    Args:
        source: any stream of events. Where others have read of it before, what had come counts, and times do not.
        max_tokens: the limit that the request has set, for ``fraction``.

    Raises:
        StreamError: when the stream turns out broken.
        ValueError: if ``max_tokens`` is less than 1.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import iter_progress
        >>> for progress in iter_progress(events, max_tokens=100):
        ...     print(progress.phase, progress.chars.text, progress.estimated_tokens, progress.fraction)
        waiting 0 0 0.0
        waiting 0 0 0.0
        text 0 0 0.0
        text 7 2 0.02
        text 13 4 0.04
        text 13 4 0.04
        text 13 12 0.12
        done 13 12 0.12
    """
    return drive(source, lambda builder: [Meter(builder, max_tokens)])


@overload
def tap(source: Source, /, *observers: Callable[[Any], object]) -> Reader[RawMessageStreamEvent]: ...
@overload
def tap(source: AsyncSource, /, *observers: Callable[[Any], object]) -> AsyncReader[RawMessageStreamEvent]: ...
@overload
def tap(
    source: BetaSource, /, *observers: Callable[[Any], object]
) -> Reader[BetaRawMessageStreamEvent, BetaMessage]: ...
@overload
def tap(
    source: AsyncBetaSource, /, *observers: Callable[[Any], object]
) -> AsyncReader[BetaRawMessageStreamEvent, BetaMessage]: ...
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
    return drive(source, lambda builder: [Tap(observers, builder)], _EVENTS)


@overload
def ensure_finished(source: Source, /) -> Reader[RawMessageStreamEvent]: ...
@overload
def ensure_finished(source: AsyncSource, /) -> AsyncReader[RawMessageStreamEvent]: ...
@overload
def ensure_finished(source: BetaSource, /) -> Reader[BetaRawMessageStreamEvent, BetaMessage]: ...
@overload
def ensure_finished(source: AsyncBetaSource, /) -> AsyncReader[BetaRawMessageStreamEvent, BetaMessage]: ...
def ensure_finished(source: Any, /) -> Any:
    """Yield the events of a stream, and raise behind the last one if the answer was cut at a limit, or refused.

    For those who want ``max_tokens``, a full context window or a refusal to be an exception. ``pause_turn`` and
    ``compaction`` ask to be resumed, and pass; so does a stop reason that is newer than this library.

    Raises:
        RefusalError: if the model refused.
        StopReasonError: if the answer was cut at a limit. Both have the whole message in ``partial``.
        StreamError: when the stream turns out broken.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import StopReasonError, ensure_finished, iter_text
        >>> from claude_stream.testing import message_events
        >>> try:
        ...     for chunk in iter_text(ensure_finished(message_events("Once upon", stop_reason="max_tokens"))):
        ...         print(chunk)
        ... except StopReasonError as error:
        ...     print(error.stop_reason)
        Once upo
        n
        max_tokens
    """
    return drive(source, lambda builder: [Finished(builder)], _EVENTS)


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
    return drive(source, options=Options(beta=beta)).result()


@overload
def with_timeout(
    source: Source, /, *, first: float | None = None, idle: float | None = None, silent: float | None = None
) -> Reader[RawMessageStreamEvent]: ...
@overload
def with_timeout(
    source: AsyncSource, /, *, first: float | None = None, idle: float | None = None, silent: float | None = None
) -> AsyncReader[RawMessageStreamEvent]: ...
@overload
def with_timeout(
    source: BetaSource, /, *, first: float | None = None, idle: float | None = None, silent: float | None = None
) -> Reader[BetaRawMessageStreamEvent, BetaMessage]: ...
@overload
def with_timeout(
    source: AsyncBetaSource, /, *, first: float | None = None, idle: float | None = None, silent: float | None = None
) -> AsyncReader[BetaRawMessageStreamEvent, BetaMessage]: ...
def with_timeout(
    source: Any, /, *, first: float | None = None, idle: float | None = None, silent: float | None = None
) -> Any:
    """Yield the events of a stream as long as none keeps the reader waiting for too long.

    A ping is no progress: the API sends pings while a model is stalled, which is how a read timeout
    can be re-armed for ever. Only waiting counts; the time that the reader takes between two events
    does not. A sync stream over HTTP/1.1 is interrupted at its socket. Where there is no socket of
    its own, as with HTTP/2, the limit is looked at whenever bytes arrive, and the client's read
    timeout sees to the rest. A message that is complete when a limit is passed ends well.

    Args:
        source: any stream of events.
        first: seconds of waiting until the first content.
        idle: seconds of waiting from one event to the next.
        silent: seconds of waiting for any byte, pings included: the connection is dead, and not only the model slow.

    Raises:
        StreamTimeoutError: when a limit is passed, after everything that was received.
        StreamError: when the stream turns out broken in another way.
        ValueError: if a limit is not more than 0.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import iter_text, with_timeout
        >>> "".join(iter_text(with_timeout(events, first=30, idle=10)))
        'Hello, world!'
    """
    return drive(source, options=Options(events=True, limits=Limits.of(first, idle, silent)))


@overload
def with_restarts(
    open: Callable[[], Source],
    /,
    *,
    restarts: int = 2,
    delay: Callable[[int], float] = backoff,
    on_restart: Callable[[StreamError], object] | None = None,
) -> Reader[RawMessageStreamEvent]: ...
@overload
def with_restarts(
    open: Callable[[], AsyncSource],
    /,
    *,
    restarts: int = 2,
    delay: Callable[[int], float] = backoff,
    on_restart: Callable[[StreamError], object] | None = None,
) -> AsyncReader[RawMessageStreamEvent]: ...
@overload
def with_restarts(
    open: Callable[[], BetaSource],
    /,
    *,
    restarts: int = 2,
    delay: Callable[[int], float] = backoff,
    on_restart: Callable[[StreamError], object] | None = None,
) -> Reader[BetaRawMessageStreamEvent, BetaMessage]: ...
@overload
def with_restarts(
    open: Callable[[], AsyncBetaSource],
    /,
    *,
    restarts: int = 2,
    delay: Callable[[int], float] = backoff,
    on_restart: Callable[[StreamError], object] | None = None,
) -> AsyncReader[BetaRawMessageStreamEvent, BetaMessage]: ...
def with_restarts(
    open: Callable[[], Any],  # noqa: A002 - it is what it does
    /,
    *,
    restarts: int = 2,
    delay: Callable[[int], float] = backoff,
    on_restart: Callable[[StreamError], object] | None = None,
) -> Any:
    """Yield the events of a stream, and open it again if it fails before its first content.

    Once content has been handed out, a failure is raised, with the partial message: nothing is shown
    twice, and nothing is paid for twice without your say. Events in front of the content are held
    back. Only errors that are ``retryable`` lead to a restart; failures to open are the SDK's, whose
    ``max_retries`` governs them. Each restart is logged to ``logging.getLogger("claude_stream")``.

    Args:
        open: sends the request and returns a stream; called at once, and for each restart.
        restarts: how many at the most.
        delay: gives the seconds to wait before restart 1, 2, ...
        on_restart: told the error before each restart.

    Raises:
        StreamError: when restarts are used up, the error is not retryable, or content was handed out.

    Example:
        >>> from claude_stream import iter_text, with_restarts
        >>> from claude_stream.testing import message_events
        >>> answers = iter([message_events(error="overloaded_error"), message_events("Hello")])
        >>> "".join(iter_text(with_restarts(lambda: next(answers), delay=lambda attempt: 0)))
        'Hello'
    """
    return restarting(open, Restarts(restarts, delay, on_restart), _EVENTS)
