"""One request, opened through the SDK's client: `open_stream`, and clients whose `messages.stream` is ours.

The law: the SDK sends the request, with its retries, its authentication and its tracing; what comes
back is read in one of two ways. The bytes of the body are decoded here, except where only the SDK
can read them (Bedrock's binary frames) or watches them (a traced call): then its own stream does.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import anthropic
import pydantic
from anthropic.types import ParsedMessage
from anthropic.types.beta.parsed_beta_message import ParsedBetaMessage
from typing_extensions import Unpack

from ._drive.live import Body, SDKStream
from ._drive.misuse import AsyncOnly
from ._drive.pipeline import drive, restarting
from ._drive.restarts import Restarts, backoff
from ._drive.source import Source
from ._drive.spans import stream_observer
from ._drive.timeouts import Limits
from ._message_stream import AsyncMessageStream, MessageStream, options_of
from ._steps.timer import StreamTimer

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from ._params import AsyncClient, BetaAsyncMessages, BetaMessages, BetaParams, Client, Params

ClientT = TypeVar("ClientT")
T = TypeVar("T")

_BEDROCK = "application/vnd.amazon.eventstream"


@overload
def open_stream(
    client: Client,
    /,
    *,
    output_format: None = None,
    strict: bool = True,
    restarts: int = 0,
    first_timeout: float | None = None,
    idle_timeout: float | None = None,
    silent_timeout: float | None = None,
    **params: Unpack[Params],
) -> AbstractContextManager[MessageStream[ParsedMessage[None]]]: ...
@overload
def open_stream(
    client: Client,
    /,
    *,
    output_format: type[T],
    strict: bool = True,
    restarts: int = 0,
    first_timeout: float | None = None,
    idle_timeout: float | None = None,
    silent_timeout: float | None = None,
    **params: Unpack[Params],
) -> AbstractContextManager[MessageStream[ParsedMessage[T]]]: ...
@overload
def open_stream(
    client: AsyncClient,
    /,
    *,
    output_format: None = None,
    strict: bool = True,
    restarts: int = 0,
    first_timeout: float | None = None,
    idle_timeout: float | None = None,
    silent_timeout: float | None = None,
    **params: Unpack[Params],
) -> AbstractAsyncContextManager[AsyncMessageStream[ParsedMessage[None]]]: ...
@overload
def open_stream(
    client: AsyncClient,
    /,
    *,
    output_format: type[T],
    strict: bool = True,
    restarts: int = 0,
    first_timeout: float | None = None,
    idle_timeout: float | None = None,
    silent_timeout: float | None = None,
    **params: Unpack[Params],
) -> AbstractAsyncContextManager[AsyncMessageStream[ParsedMessage[T]]]: ...
@overload
def open_stream(
    client: BetaMessages,
    /,
    *,
    output_format: type[T] | None = None,
    strict: bool = True,
    restarts: int = 0,
    first_timeout: float | None = None,
    idle_timeout: float | None = None,
    silent_timeout: float | None = None,
    **params: Unpack[BetaParams],
) -> AbstractContextManager[MessageStream[ParsedBetaMessage[T]]]: ...
@overload
def open_stream(
    client: BetaAsyncMessages,
    /,
    *,
    output_format: type[T] | None = None,
    strict: bool = True,
    restarts: int = 0,
    first_timeout: float | None = None,
    idle_timeout: float | None = None,
    silent_timeout: float | None = None,
    **params: Unpack[BetaParams],
) -> AbstractAsyncContextManager[AsyncMessageStream[ParsedBetaMessage[T]]]: ...
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
        it sends the request and gives a `MessageStream` or `AsyncMessageStream`.

    Raises:
        TypeError: if ``client`` is none, or ``stream`` is among the parameters.
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
    if "stream" in params:
        raise TypeError("open_stream() always streams: leave `stream` out")
    messages = _messages_of(client)
    if output_format is not None:
        schema = anthropic.transform_schema(pydantic.TypeAdapter(output_format).json_schema())
        config = cast("Mapping[str, Any]", params.get("output_config") or {})
        params["output_config"] = {**config, "format": {"type": "json_schema", "schema": schema}}
    kinds: tuple[Any, Any] = (_AsyncRequest, _AsyncManager) if _is_async(messages) else (_SyncRequest, _Manager)
    request, manager = kinds
    asked = request(
        messages,
        params,
        output_format=output_format,
        strict=strict,
        restarts=restarts,
        first_timeout=first_timeout,
        idle_timeout=idle_timeout,
        silent_timeout=silent_timeout,
    )
    return manager(asked)


def _messages_of(client: Any) -> Any:
    messages = getattr(client, "messages", client)
    if isinstance(client, type):
        raise TypeError(f"a client was expected, and this is the class {client.__name__}: pass {client.__name__}()")
    if not hasattr(messages, "with_streaming_response") or not hasattr(messages, "create"):
        raise TypeError(f"a client of the SDK was expected, or its messages, and this is {type(client).__name__}")
    return messages


def _is_async(messages: Any) -> bool:
    return inspect.iscoroutinefunction(inspect.unwrap(messages.create))


def _is_beta(messages: Any) -> bool:
    return any("beta" in base.__module__ for base in type(messages).__mro__)


def _only_the_sdk_can_read(response: Any) -> bool:
    """Whether the body has to go through the SDK's own stream: Bedrock's binary frames, and traced calls."""
    traced = stream_observer(response) is not None
    return traced or response.headers.get("content-type", "").partition(";")[0].strip() == _BEDROCK


class _Request:
    """What is asked of the API and of us. It knows nothing of its streams, so that one that is dropped is gone."""

    def __init__(
        self,
        messages: Any,
        params: dict[str, Any],
        *,
        output_format: Any,
        strict: bool,
        restarts: int,
        first_timeout: float | None,
        idle_timeout: float | None,
        silent_timeout: float | None,
    ) -> None:
        self._messages = messages
        self._params = params
        self._adapter = None if output_format is None else pydantic.TypeAdapter[Any](output_format)
        self._restarts = restarts
        self._options = options_of(
            strict=strict, beta=_is_beta(messages), limits=Limits.of(first_timeout, idle_timeout, silent_timeout)
        )

    def _response(self) -> Any:
        return self._messages.with_streaming_response.create(**self._params, stream=True)

    def open(self) -> Any:
        """Send it, and return the source of its answer; an awaitable of it for an async client."""
        raise NotImplementedError

    def stream(self, cls: Any, timer: StreamTimer, opened: Source) -> Any:
        """Return the stream over an answer that is open already, and over those of its restarts."""

        def steps(_: object) -> list[StreamTimer]:
            return [timer]

        if self._restarts:
            restarts = Restarts(self._restarts, backoff)
            reader = restarting(self.open, restarts, steps, self._options, first=opened)
        else:
            reader = drive(opened, steps, self._options)
        return cls.over_reader(reader, timer, self._adapter)


class _SyncRequest(_Request):
    def open(self) -> Source:
        response = self._response().__enter__()
        if _only_the_sdk_can_read(response.http_response):
            return SDKStream(response.parse(to=anthropic.Stream[object]), is_async=False)
        return Body(response.http_response, is_async=False)


class _AsyncRequest(_Request):
    async def open(self) -> Source:
        response = await self._response().__aenter__()
        if _only_the_sdk_can_read(response.http_response):
            return SDKStream(await response.parse(to=anthropic.AsyncStream[object]), is_async=True)
        return Body(response.http_response, is_async=True)


class _Manager:
    """Sends the request when its block is entered, and closes the response when it is left."""

    def __init__(self, request: _SyncRequest) -> None:
        self._request = request
        self._streams: list[MessageStream[Any]] = []  # those that are open, the last one entered at the end

    def __enter__(self) -> MessageStream[Any]:
        timer = StreamTimer()
        stream: MessageStream[Any] = self._request.stream(MessageStream, timer, self._request.open())
        self._streams.append(stream)
        return stream

    def __exit__(self, *exc_info: object) -> None:
        if self._streams:
            self._streams.pop().close()


class _AsyncManager(AsyncOnly):
    """The same for an async client."""

    def __init__(self, request: _AsyncRequest) -> None:
        self._request = request
        self._streams: list[AsyncMessageStream[Any]] = []

    async def __aenter__(self) -> AsyncMessageStream[Any]:
        timer = StreamTimer()
        stream: AsyncMessageStream[Any] = self._request.stream(AsyncMessageStream, timer, await self._request.open())
        self._streams.append(stream)
        return stream

    async def __aexit__(self, *exc_info: object) -> None:
        if self._streams:
            await self._streams.pop().aclose()


def wrap_client(
    client: ClientT,
    /,
    *,
    strict: bool = True,
    restarts: int = 0,
    first_timeout: float | None = None,
    idle_timeout: float | None = None,
    silent_timeout: float | None = None,
) -> ClientT:
    """Return a copy of a client whose ``messages.stream`` and ``beta.messages.stream`` are `open_stream`.

    The copy has the same type and shares the HTTP client; the client that was passed in is not changed.
    Clients made of it by ``with_options``, ``copy`` and the like are wrapped as well. Everything else,
    ``create`` and the tool runner included, is the SDK's. The options are those of `open_stream`.

    Raises:
        TypeError: if this is no client of the SDK.

    Example:
        >>> from claude_stream import wrap_client
        >>> client = wrap_client(client)
        >>> with client.messages.stream(model="claude-sonnet-5-5", max_tokens=1024, messages=[]) as stream:
        ...     stream.get_final_text()
        'Hello, world!'
    """
    if isinstance(client, type):
        raise TypeError(f"a client was expected, and this is the class {client.__name__}: pass {client.__name__}()")
    if not hasattr(client, "messages") or not hasattr(client, "with_options"):
        raise TypeError(f"a client of the SDK was expected, and this is {type(client).__name__}")
    options = {
        "strict": strict,
        "restarts": restarts,
        "first_timeout": first_timeout,
        "idle_timeout": idle_timeout,
        "silent_timeout": silent_timeout,
    }
    original: Any = getattr(client, "_claude_stream_original", client)
    wrapped: ClientT = _wrapped(original, options)
    return wrapped


def _wrapped(original: Any, options: Mapping[str, Any]) -> Any:
    wrapped = copy.copy(original)
    wrapped._claude_stream_original = original
    wrapped.messages = _with_our_stream(original.messages, wrapped, options)
    wrapped.beta = type(original.beta)(wrapped)
    wrapped.beta.messages = _with_our_stream(original.beta.messages, wrapped, options)
    for name in ("copy", "with_options", "with_middleware"):
        setattr(wrapped, name, _rewrapping(getattr(original, name), options))
    return wrapped


def _with_our_stream(messages: Any, client: Any, options: Mapping[str, Any]) -> Any:
    ours = type(messages)(client)
    ours.stream = functools.partial(open_stream, ours, **options)
    if hasattr(messages, "tool_runner"):
        ours.tool_runner = messages.tool_runner  # it reads the SDK's own streams
    return ours


def _rewrapping(method: Callable[..., Any], options: Mapping[str, Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def copied(*args: Any, **kwargs: Any) -> Any:
        return wrap_client(method(*args, **kwargs), **options)

    return copied
