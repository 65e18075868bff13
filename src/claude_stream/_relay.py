"""Streams as bytes: what comes off a wire, and what is sent on.

The law: a relay ends in good order, whatever its stream does. The last frame says how it ended, the failure is logged
and told, and the stream is closed: when it ends, when the relay is closed, and when a read of it is cancelled. What
the frames are, `_steps.frames` says; how their bytes are cut and made, `_wire` does.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Literal, TypeAlias, overload

import anyio
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage, BetaRawMessageStreamEvent
from typing_extensions import TypeVar

from ._drive.aio import AsyncReader
from ._drive.pipeline import Options, drive, is_reader
from ._drive.reader import Stage
from ._drive.source import Chunks
from ._drive.sync import Reader
from ._sources import AsyncBetaSource, AsyncSource, BetaSource, Source
from ._steps.blocks import ToolInput
from ._steps.frames import Frames, Framing
from ._steps.parts import Part
from ._steps.progress import Progress
from ._wire.line import MAX_EVENT
from ._wire.ndjson import NDJSONDecoder, ndjson_frame
from ._wire.sse import SSEDecoder, SSEFrames

logger = logging.getLogger("claude_stream")

MessageT = TypeVar("MessageT", default=Message)
OnError: TypeAlias = Callable[[Exception], object]
Shown: TypeAlias = (
    Reader[str, MessageT] | Reader[Part, MessageT] | Reader[ToolInput, MessageT] | Reader[Progress, MessageT]
)
AsyncShown: TypeAlias = (
    AsyncReader[str, MessageT]
    | AsyncReader[Part, MessageT]
    | AsyncReader[ToolInput, MessageT]
    | AsyncReader[Progress, MessageT]
)

SSE_HEADERS: Mapping[str, str] = {
    # What the API itself sends. UTF-8 is the only encoding that server-sent events have; said here, no framework adds
    # another. https://html.spec.whatwg.org/multipage/server-sent-events.html
    "Content-Type": "text/event-stream; charset=utf-8",
    # An answer is for one reader, once. What transforms it, such as a middleware that compresses, holds frames back.
    # https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2
    "Cache-Control": "no-cache, no-transform",
    # nginx collects a response in its buffers, unless it is told by this not to.
    # https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
    "X-Accel-Buffering": "no",
}
"""The headers of a response whose body is what `to_sse` gives, for any framework.

``Connection: keep-alive`` is not among them: HTTP/1.1 has it by default, and HTTP/2 forbids it.

Example:
    >>> from claude_stream import SSE_HEADERS
    >>> SSE_HEADERS["Content-Type"]
    'text/event-stream; charset=utf-8'
"""

_CLOSE_SECONDS = 1.0
"""How long a relay that is cancelled may take to close its stream."""


class _End:
    """What the reading of a relay ends in, one rule for both colours.

    Args:
        frames: makes the last frame.
        raises: whether the failure is raised behind it.
        on_error: is told of the failure.
    """

    def __init__(self, frames: Frames, on_error: OnError | None, *, raises: bool) -> None:
        self._frames = frames
        self._on_error = on_error
        self._raises = raises

    def frame(self, error: Exception) -> bytes | None:
        """Return the last frame, or None when it is out and the iteration ends; or raise the failure then."""
        frame = self._frames.last(error)
        if frame is None:
            if self._raises:
                raise error
            return None
        logger.error("a relay ends in an error: %s", error, exc_info=error)
        if self._on_error is not None:
            try:
                self._on_error(error)
            except Exception:  # the client must learn of the end all the same
                logger.exception("on_error failed")
        return frame


def _closing_failed(exc: Exception) -> None:
    # The last frame is out, or on its way: an exception now would break off a body that is whole.
    logger.warning("closing the stream of a relay failed", exc_info=exc)


class _Relay(Reader[bytes, MessageT]):
    """The frames of a sync stream."""

    def __init__(self, stage: Stage, frames: Frames, end: _End) -> None:
        super().__init__(stage, [frames], stage.builder)
        self._end_of = end

    def __next__(self) -> bytes:
        try:
            return super().__next__()
        except StopIteration:
            self._stop()
            raise
        except Exception as exc:
            if exc is not self._error:
                raise  # of somebody who reads at the same time: the stream goes on
            self._stop()
            if (frame := self._end_of.frame(exc)) is not None:
                return frame
        except BaseException:
            self._stop()
            raise
        raise StopIteration

    def _stop(self) -> None:
        try:
            self.close()
        except Exception as exc:
            _closing_failed(exc)


class _AsyncRelay(AsyncReader[bytes, MessageT]):
    """The frames of an async stream."""

    def __init__(self, stage: Stage, frames: Frames, end: _End) -> None:
        super().__init__(stage, [frames], stage.builder)
        self._end_of = end

    def __anext__(self) -> Coroutine[Any, Any, bytes]:
        return self._frame()

    async def _frame(self) -> bytes:
        try:
            frame: bytes | None = await self._pull()
        except StopAsyncIteration:
            await self._stop()
            raise
        except Exception as exc:
            if exc is not self._error:
                raise  # of somebody who reads at the same time: the stream goes on
            await self._stop()
            frame = self._end_of.frame(exc)
        except GeneratorExit:
            raise  # the read was thrown away, and nothing can be awaited in it any more
        except BaseException:
            with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
                await self._stop()
            raise
        if frame is None:
            raise StopAsyncIteration
        return frame

    async def _stop(self) -> None:
        try:
            await self.aclose()
        except Exception as exc:
            _closing_failed(exc)


def _relay(source: Any, framing: Framing, on_error: Any, *, raises: bool) -> Any:
    if on_error is not None and (not callable(on_error) or inspect.iscoroutinefunction(on_error)):
        raise TypeError(f"on_error is a plain function, also over an async source, and this is {on_error!r}")
    given = getattr(source, "_reader", source)  # a stream of ours is read by its one cursor
    stage = Stage(given if is_reader(given) else drive(given))
    if stage.inner is given and not (stage.gives_events or stage.frames):
        raise TypeError(
            "what this iterator gives has no frames: relay what it was made from, or its text, parts or progress"
        )
    frames = Frames(stage.builder, framing, "" if stage.gives_events else stage.frames)
    make = _AsyncRelay if stage.is_async else _Relay
    return make(stage, frames, _End(frames, on_error, raises=raises))


@overload
def to_sse(source: Shown[MessageT], /, *, on_error: OnError | None = None) -> Reader[bytes, MessageT]: ...
@overload
def to_sse(source: AsyncShown[MessageT], /, *, on_error: OnError | None = None) -> AsyncReader[bytes, MessageT]: ...
@overload
def to_sse(source: Source, /, *, on_error: OnError | None = None) -> Reader[bytes]: ...
@overload
def to_sse(source: AsyncSource, /, *, on_error: OnError | None = None) -> AsyncReader[bytes]: ...
@overload
def to_sse(source: BetaSource, /, *, on_error: OnError | None = None) -> Reader[bytes, BetaMessage]: ...
@overload
def to_sse(source: AsyncBetaSource, /, *, on_error: OnError | None = None) -> AsyncReader[bytes, BetaMessage]: ...
def to_sse(source: Any, /, *, on_error: OnError | None = None) -> Any:
    r"""Yield a stream as server-sent events, one whole frame of bytes for each thing in it: the body of a response.

    Events go on as the API sent them, pings and events of unknown types included, so that any client of the Anthropic
    API can read from such a relay. What `iter_text`, `iter_thinking`, `iter_parts` and `iter_progress` give goes on in
    frames of their own names, for a page of yours:

    ============================  ========================================  ==========================================
    source                        frames                                    data, with ``type``
    ============================  ========================================  ==========================================
    events                        as the API names them                     the API's
    ``iter_text``                 ``text``                                  ``text``
    ``iter_thinking``             ``thinking``                              ``text``
    ``iter_parts``                the part's ``type``                       the part's fields
    ``iter_tool_inputs``          ``tool_input``                            ``index``, ``id``, ``name``, ``delta``
    ``iter_progress``             ``progress``                              the fields of the progress
    all but events, at the end    ``done``                                  ``stop_reason``, ``usage``
    all, after a failure          ``error``                                 the API's ``error`` event
    ============================  ========================================  ==========================================

    So each relay ends in ``message_stop``, ``done`` or ``error``, at which an ``EventSource`` has to be closed: it
    sends its request again whenever a response ends, well or not. Frames have the ids 1, 2, 3 and so on. What ended
    early ends in ``error``, also where ``strict=False`` lets it pass.

    A failure is the last frame, by `StreamError.as_event`; it is logged to ``logging.getLogger("claude_stream")``, and
    the body ends in good order, because a framework sends the headers before it takes the first chunk. The stream is
    closed when the relay ends, is closed, or is cancelled in a read. Frameworks do not close a body that they drop:
    hold the stream in a ``with`` of your own as well.

    Args:
        source: any stream of events, or one of the readers above.
        on_error: told of the failure, whatever it is.

    Raises:
        TypeError: if ``source`` is no stream, or one of whose results no frames can be made.

    Example:
        >>> from claude_stream import iter_text, to_sse
        >>> next(to_sse(events))[:40]
        b'id: 1\nevent: message_start\ndata: {"type"'
        >>> for frame in to_sse(iter_text(events)):
        ...     print(frame.decode().splitlines()[1])
        event: text
        event: text
        event: done
    """
    return _relay(source, SSEFrames(), on_error, raises=False)


@overload
def to_ndjson(source: Shown[MessageT], /, *, on_error: OnError | None = None) -> Reader[bytes, MessageT]: ...
@overload
def to_ndjson(source: AsyncShown[MessageT], /, *, on_error: OnError | None = None) -> AsyncReader[bytes, MessageT]: ...
@overload
def to_ndjson(source: Source, /, *, on_error: OnError | None = None) -> Reader[bytes]: ...
@overload
def to_ndjson(source: AsyncSource, /, *, on_error: OnError | None = None) -> AsyncReader[bytes]: ...
@overload
def to_ndjson(source: BetaSource, /, *, on_error: OnError | None = None) -> Reader[bytes, BetaMessage]: ...
@overload
def to_ndjson(source: AsyncBetaSource, /, *, on_error: OnError | None = None) -> AsyncReader[bytes, BetaMessage]: ...
def to_ndjson(source: Any, /, *, on_error: OnError | None = None) -> Any:
    r"""Yield a stream as lines of JSON, one for each thing in it: what `to_sse` gives, in another framing.

    The lines of events are what the JavaScript SDK's ``MessageStream.fromReadableStream`` reads.

    Args:
        source: any stream of events, or a reader of text, thinking, parts, tool inputs or progress.
        on_error: told of the failure, whatever it is.

    Raises:
        Exception: the failure of the stream, behind the line that tells of it: readers in JavaScript ignore that
            line, and notice only a connection that breaks.
        TypeError: if ``source`` is no stream, or one of whose results no lines can be made.

    Example:
        >>> from claude_stream import iter_text, to_ndjson
        >>> next(to_ndjson(iter_text(events)))
        b'{"type":"text","text":"Hello, "}\n'
    """
    return _relay(source, ndjson_frame, on_error, raises=True)


def _read(body: Any, cls: type[SSEDecoder | NDJSONDecoder], max_event: int, *, beta: bool) -> Any:
    if max_event < 1:
        raise ValueError(f"max_event={max_event} leaves no room for an event: it has to be 1 or more")
    decoder = functools.partial(cls, max_event)
    if isinstance(body, (_Relay, _AsyncRelay)):  # chunks like any others, and not a reader of events
        body = Chunks(body, decoder, is_async=isinstance(body, _AsyncRelay))
    return drive(body, options=Options(decoder=decoder, beta=beta, events=True))


@overload
def from_sse(
    chunks: Iterable[bytes], /, *, beta: Literal[False] = False, max_event: int = MAX_EVENT
) -> Reader[RawMessageStreamEvent]: ...
@overload
def from_sse(
    chunks: AsyncIterable[bytes], /, *, beta: Literal[False] = False, max_event: int = MAX_EVENT
) -> AsyncReader[RawMessageStreamEvent]: ...
@overload
def from_sse(
    chunks: Iterable[bytes], /, *, beta: Literal[True], max_event: int = MAX_EVENT
) -> Reader[BetaRawMessageStreamEvent, BetaMessage]: ...
@overload
def from_sse(
    chunks: AsyncIterable[bytes], /, *, beta: Literal[True], max_event: int = MAX_EVENT
) -> AsyncReader[BetaRawMessageStreamEvent, BetaMessage]: ...
def from_sse(chunks: Any, /, *, beta: bool = False, max_event: int = MAX_EVENT) -> Any:
    """Yield the events in the bytes of a response body, cut into chunks anywhere.

    The body is the API's, or what `to_sse` makes of events. What it makes of text, parts or progress has no message in
    it, and is for a page's ``EventSource``: here, it ends in a `StreamTruncatedError`.

    Args:
        chunks: the body, as ``response.iter_bytes()``, an open file, or a list of bytes gives it.
        beta: build the SDK's beta events.
        max_event: how many bytes of an event are held while its end has not come; 64 MiB, twice what the API takes
            back in a request. One that comes whole in one chunk is in memory already, and may have more.

    Raises:
        StreamProtocolError: if the body is no event stream, its data cannot be decoded, or an event does not end.
        StreamError: when the stream turns out broken in another way.
        TypeError: if ``chunks`` does not give bytes.
        ValueError: if ``max_event`` is not more than 0.

    Example:
        >>> from claude_stream import from_sse, iter_text
        >>> with open("answer.sse", "rb") as body:
        ...     print("".join(iter_text(from_sse(body))))
        Hello, world!
    """
    return _read(chunks, SSEDecoder, max_event, beta=beta)


@overload
def from_ndjson(
    lines: Iterable[bytes] | Iterable[str], /, *, beta: Literal[False] = False, max_event: int = MAX_EVENT
) -> Reader[RawMessageStreamEvent]: ...
@overload
def from_ndjson(
    lines: AsyncIterable[bytes] | AsyncIterable[str], /, *, beta: Literal[False] = False, max_event: int = MAX_EVENT
) -> AsyncReader[RawMessageStreamEvent]: ...
@overload
def from_ndjson(
    lines: Iterable[bytes] | Iterable[str], /, *, beta: Literal[True], max_event: int = MAX_EVENT
) -> Reader[BetaRawMessageStreamEvent, BetaMessage]: ...
@overload
def from_ndjson(
    lines: AsyncIterable[bytes] | AsyncIterable[str], /, *, beta: Literal[True], max_event: int = MAX_EVENT
) -> AsyncReader[BetaRawMessageStreamEvent, BetaMessage]: ...
def from_ndjson(lines: Any, /, *, beta: bool = False, max_event: int = MAX_EVENT) -> Any:
    """Yield the events in lines of JSON: what `to_ndjson` or the JavaScript SDK's ``toReadableStream`` gives.

    An ``error`` line is raised as the API's ``error`` event is. Blank lines count for nothing, and a last line may lack
    its end, if its JSON is whole.

    Args:
        lines: the body: chunks of bytes, cut anywhere, or lines of text, with or without their line ends.
        beta: build the SDK's beta events.
        max_event: how many bytes of a line are held while its end has not come, as with `from_sse`.

    Raises:
        StreamProtocolError: if a line is not a JSON object, or does not end; it says which.
        StreamError: when the stream turns out broken in another way.
        TypeError: if ``lines`` gives something else.
        ValueError: if ``max_event`` is not more than 0.

    Example:
        >>> from claude_stream import from_ndjson, iter_text, to_ndjson
        >>> "".join(iter_text(from_ndjson(to_ndjson(events))))
        'Hello, world!'
    """
    return _read(lines, NDJSONDecoder, max_event, beta=beta)
