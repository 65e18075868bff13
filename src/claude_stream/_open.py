"""One request, opened through the SDK's client: `open_stream`.

The law: the SDK sends the request, with its retries, its authentication and its tracing; what comes back is read in one
of two ways. The bytes of the body are decoded here, except where only the SDK can read them (Bedrock's binary frames),
where it traces the call, or where somebody else watches it: then the stream that `create` gives is read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import anyio
from anthropic.lib import streaming as sdk
from anthropic.types import ParsedMessage
from anthropic.types.beta.parsed_beta_message import ParsedBetaMessage
from typing_extensions import Unpack

from . import _request as request
from ._drive.ahead import Ahead
from ._drive.live import Body, SDKStream, Watched, is_changed
from ._drive.misuse import AsyncOnly, kind_of
from ._drive.pipeline import AnyReader, Options, drive, no_steps, over, restarting
from ._drive.restarts import Restarts, backoff
from ._drive.source import Source
from ._drive.spans import stream_observer
from ._drive.timeouts import Limits
from ._message_stream import AsyncMessageStream, MessageStream, MessageT, StandsFor, options_of
from ._steps.timer import StreamTimer

if TYPE_CHECKING:
    from anthropic import NotGiven, Omit

    from ._params import AsyncBetaClient, AsyncClient, BetaClient, BetaParams, Client, Params

T = TypeVar("T")

_BEDROCK = "application/vnd.amazon.eventstream"
_EVENTS = Options(events=True)


@overload
def open_stream(
    client: Client,
    /,
    *,
    output_format: Omit | NotGiven | None = ...,
    **params: Unpack[Params],
) -> StreamManager[ParsedMessage[None]]: ...
@overload
def open_stream(
    client: Client,
    /,
    *,
    output_format: type[T],
    **params: Unpack[Params],
) -> StreamManager[ParsedMessage[T]]: ...
@overload
def open_stream(
    client: AsyncClient,
    /,
    *,
    output_format: Omit | NotGiven | None = ...,
    **params: Unpack[Params],
) -> AsyncStreamManager[ParsedMessage[None]]: ...
@overload
def open_stream(
    client: AsyncClient,
    /,
    *,
    output_format: type[T],
    **params: Unpack[Params],
) -> AsyncStreamManager[ParsedMessage[T]]: ...
@overload
def open_stream(
    client: BetaClient,
    /,
    *,
    output_format: Omit | NotGiven | None = ...,
    **params: Unpack[BetaParams],
) -> StreamManager[ParsedBetaMessage[None]]: ...
@overload
def open_stream(
    client: BetaClient,
    /,
    *,
    output_format: type[T],
    **params: Unpack[BetaParams],
) -> StreamManager[ParsedBetaMessage[T]]: ...
@overload
def open_stream(
    client: AsyncBetaClient,
    /,
    *,
    output_format: Omit | NotGiven | None = ...,
    **params: Unpack[BetaParams],
) -> AsyncStreamManager[ParsedBetaMessage[None]]: ...
@overload
def open_stream(
    client: AsyncBetaClient,
    /,
    *,
    output_format: type[T],
    **params: Unpack[BetaParams],
) -> AsyncStreamManager[ParsedBetaMessage[T]]: ...
def open_stream(
    client: Any,
    /,
    *,
    output_format: Any = None,
    strict: bool = True,
    restarts: int = 0,
    first_timeout: float | None = None,
    idle_timeout: float | None = None,
    silent_timeout: float | None = None,
    **params: Any,
) -> Any:
    """Send one request and read its answer: what ``client.messages.stream(...)`` does, with this library's promises.

    Args:
        client: any client of the SDK, its ``.messages`` or its ``.beta.messages``.
        output_format: a type; the message then has ``parsed_output``, as with the SDK's helper.
        strict: raise if the stream ends before its message does; if not, take what came.
        restarts: how often to send the request again if the stream fails before its first content.
        first_timeout: seconds of waiting until the first content, once the response has begun; until
            then the client's own timeout holds.
        idle_timeout: seconds of waiting from one event to the next; a ping is none.
        silent_timeout: seconds of waiting for any byte, pings included.
        **params: the parameters of ``client.messages.create``, ``stream`` excepted.

    Returns:
        A context manager, to be entered with ``with`` or ``async with`` after the client's kind. Entering
        it sends the request and gives a `MessageStream` or `AsyncMessageStream`; each further time it sends another.
        Its ``open()`` (awaited on async clients) gives the stream for somebody else to close, once the message has
        begun, and raises whatever went wrong before: who passes the answer on can still choose a status.

    Raises:
        TypeError: if ``client`` is none, or the parameters are not those of ``create``.
        anthropic.APIError: when it is entered, what the SDK raises about a request that fails.

    Example:
        >>> from claude_stream import open_stream
        >>> question = [{"role": "user", "content": "Hi"}]
        >>> with open_stream(client, model="claude-sonnet-5-5", max_tokens=1024, messages=question) as stream:
        ...     for chunk in stream.text_stream:
        ...         print(chunk, end="")
        Hello, world!
        >>> stream.usage.output_tokens
        12
    """
    caller = request.Caller(1)
    if "stream" in params:
        raise TypeError("open_stream() always streams: leave `stream` out")
    messages = request.messages_of(client)
    request.check(params, request.own_function(messages, "create"), "open_stream")
    reading = Reading(strict, restarts, Limits.of(first_timeout, idle_timeout, silent_timeout))
    return manager_of(messages, messages.create, {**params, "output_format": output_format}, reading, caller)


@dataclasses.dataclass(frozen=True)
class Reading:
    """How an answer is to be read."""

    strict: bool
    restarts: int
    limits: Limits | None


def manager_of(
    messages: Any, create: Callable[..., Any], params: Mapping[str, Any], reading: Reading, caller: request.Caller
) -> StreamManager[Any] | AsyncStreamManager[Any]:
    """Return the manager for a request.

    Args:
        messages: what has the `create` of a client.
        create: which function sends the request.
        params: what it is given, and perhaps an ``output_format``.
        reading: how the answer is to be read.
        caller: the line of the program that asks for it.
    """
    beta = request.is_beta(messages)
    rest = {name: value for name, value in params.items() if name != "output_format"}
    given, adapter = request.with_format(rest, params.get("output_format"), beta=beta)
    kinds: tuple[Any, Any] = (
        (_AsyncRequest, AsyncStreamManager) if request.is_async(messages) else (_Request, StreamManager)
    )
    kind, manager = kinds
    made: StreamManager[Any] | AsyncStreamManager[Any] = manager(
        kind(create, given, adapter, reading, caller, beta=beta)
    )
    return made


class _Request:
    """What is asked of the API and of us. It knows nothing of its streams, so that one that is dropped is gone."""

    def __init__(
        self,
        create: Callable[..., Any],
        params: Mapping[str, Any],
        adapter: Any,
        reading: Reading,
        caller: request.Caller,
        *,
        beta: bool,
    ) -> None:
        self.beta = beta
        self._create = create
        self._params = {**params, "stream": True}
        self._adapter = adapter
        self.restarts = reading.restarts
        self._options = options_of(strict=reading.strict, beta=beta, limits=reading.limits)
        self._caller = caller

    def open(self) -> Any:
        """Send it, and return the source of its answer; an awaitable of it for an async client."""
        return self._source(self._caller.call(self._create, self._params), is_async=False)

    def _source(self, given: Any, *, is_async: bool) -> Source:
        if request.is_watched(self._create) or is_changed(given, is_async=is_async):
            if _leads_to_a_response(given):
                return SDKStream(given, is_async=is_async, is_watched=True)
            return Watched(given, is_async=kind_of(given) == "async")
        if _only_the_sdk_can_read(given.response):
            return SDKStream(_as_dicts(given), is_async=is_async)
        return Body(given.response, is_async=is_async)

    def reader(self, timer: StreamTimer, opened: Source) -> AnyReader:
        """Return the reader of an answer that is open already, and of those of its restarts."""

        def steps(_: object) -> list[StreamTimer]:
            return [timer]

        if not self.restarts:
            return drive(opened, steps, self._options)
        return restarting(self.open, Restarts(self.restarts, backoff), self._options, steps, first=opened)

    def stream(self, cls: Any, timer: StreamTimer, reader: AnyReader) -> Any:
        """Return the stream over a reader."""
        return cls.over_reader(reader, timer, self._adapter)


class _AsyncRequest(_Request):
    async def open(self) -> Source:
        given = self._caller.call(self._create, self._params)
        if kind_of(given) == "awaitable":
            given = await self._caller.wait_for(given)
        return self._source(given, is_async=True)


def _leads_to_a_response(given: Any) -> bool:
    """Whether a response can be had, of which a mock's attributes have nothing."""
    bases = type(getattr(given, "response", None)).__mro__
    return any(base.__module__.partition(".")[0] in ("httpx", "httpx2") for base in bases)


def _only_the_sdk_can_read(response: Any) -> bool:
    """Whether the body has to go through the SDK's own stream: Bedrock's binary frames, and traced calls."""
    traced = stream_observer(response) is not None
    return traced or response.headers.get("content-type", "").partition(";")[0].strip() == _BEDROCK


def _as_dicts(stream: Any) -> Any:
    """Return the SDK's stream over the same response that gives dicts, which takes a third of the time."""
    try:
        dicts: Any = stream.__class__(cast_to=object, response=stream.response, client=stream._client)
    except (AttributeError, TypeError):  # a later SDK keeps its client elsewhere: its objects will do
        return stream
    return dicts


class StreamManager(StandsFor, Generic[MessageT]):
    """Sends the request when its block is entered, and closes the response when it is left."""

    def __init__(self, asked: _Request) -> None:
        self._asked = asked
        self._streams: list[MessageStream[MessageT]] = []  # those that are open, the last one entered at the end

    def _stands_for(self) -> type[Any]:
        return sdk.BetaMessageStreamManager if self._asked.beta else sdk.MessageStreamManager

    def open(self) -> MessageStream[MessageT]:
        """Send the request, and return the stream once its message has begun. Who gets it closes it.

        With restarts, that is once the first content has come, because everything in front of it is held back.

        Raises:
            anthropic.APIError: whatever went wrong before: a request that is refused, an overload, a time limit.
        """
        timer = StreamTimer()
        reader: Any = self._asked.reader(timer, self._asked.open())
        ahead = Ahead(reader, content=self._asked.restarts > 0)
        try:
            ahead.fetch()
        except BaseException:
            reader.close()
            raise
        stream: MessageStream[MessageT] = self._asked.stream(MessageStream, timer, over(ahead, no_steps, _EVENTS))
        return stream

    def __enter__(self) -> MessageStream[MessageT]:
        timer = StreamTimer()
        reader = self._asked.reader(timer, self._asked.open())
        stream: MessageStream[MessageT] = self._asked.stream(MessageStream, timer, reader)
        self._streams.append(stream)
        return stream

    def __exit__(self, *exc_info: object) -> None:
        if self._streams:
            self._streams.pop().close()


class AsyncStreamManager(StandsFor, AsyncOnly, Generic[MessageT]):
    """The same for an async client."""

    def __init__(self, asked: _AsyncRequest) -> None:
        self._asked = asked
        self._streams: list[AsyncMessageStream[MessageT]] = []

    def _stands_for(self) -> type[Any]:
        return sdk.BetaAsyncMessageStreamManager if self._asked.beta else sdk.AsyncMessageStreamManager

    async def open(self) -> AsyncMessageStream[MessageT]:
        """Send the request, and return the stream once its message has begun; see `StreamManager.open`."""
        timer = StreamTimer()
        reader: Any = self._asked.reader(timer, await self._asked.open())
        ahead = Ahead(reader, content=self._asked.restarts > 0)
        try:
            await ahead.afetch()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await reader.aclose()
            raise
        stream: AsyncMessageStream[MessageT] = self._asked.stream(
            AsyncMessageStream, timer, over(ahead, no_steps, _EVENTS)
        )
        return stream

    async def __aenter__(self) -> AsyncMessageStream[MessageT]:
        timer = StreamTimer()
        reader = self._asked.reader(timer, await self._asked.open())
        stream: AsyncMessageStream[MessageT] = self._asked.stream(AsyncMessageStream, timer, reader)
        self._streams.append(stream)
        return stream

    async def __aexit__(self, *exc_info: object) -> None:
        if self._streams:
            await self._streams.pop().aclose()
