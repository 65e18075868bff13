"""The installed SDK, and clients of it whose API is in this process."""

from __future__ import annotations

import importlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any

import anthropic
import anyio
import pytest

SDK = tuple(int(part) for part in anthropic.__version__.split(".")[:2])
"""Its version, as far as anything changes with it."""

HTTP: Any = importlib.import_module("httpx" if SDK < (1, 0) else "httpx2")

REQUEST: dict[str, Any] = {"model": "any", "max_tokens": 1, "messages": []}

BOTH = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
STABLE_AND_BETA = pytest.mark.parametrize("beta", [False, True], ids=["stable", "beta"])

START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-a",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    },
}
END: list[dict[str, Any]] = [
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 12},
    },
    {"type": "message_stop"},
]


def block(start: dict[str, Any], *deltas: dict[str, Any], index: int = 0) -> list[dict[str, Any]]:
    """Return the events of a content block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(*pieces: str, start: str = "") -> list[dict[str, Any]]:
    """Return the events of a text block."""
    return block({"type": "text", "text": start}, *({"type": "text_delta", "text": piece} for piece in pieces))


def tool(*pieces: str) -> list[dict[str, Any]]:
    """Return the events of a tool call, by the pieces of its input."""
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return block({"type": "tool_use", "id": "toolu_1", "name": "ask", "input": {}}, *deltas)


HELLO = [START, *text("Hello, ", "world!"), *END]


def frame(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def body_of(events: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(map(frame, events))


class Chunks(HTTP.SyncByteStream, HTTP.AsyncByteStream):
    """The chunks of a body; an exception among them is raised."""

    def __init__(self, chunks: Iterable[bytes | Exception]) -> None:
        self._chunks = [*chunks]

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk

    async def aclose(self) -> None:
        pass


class API:
    """Answers with the same body each time, and keeps the requests."""

    def __init__(
        self, *chunks: bytes | Exception, status: int = 200, content_type: str = "text/event-stream", **headers: str
    ) -> None:
        self.requests: list[Any] = []
        self._chunks = chunks
        self._status = status
        self._headers = {"content-type": content_type, **{key.replace("_", "-"): headers[key] for key in headers}}

    def client(self, *, is_async: bool = False, cls: Any = None, **options: Any) -> Any:
        """Return a client that asks it."""
        inner = (HTTP.AsyncClient if is_async else HTTP.Client)(transport=HTTP.MockTransport(self._answer))
        made = cls or (anthropic.AsyncAnthropic if is_async else anthropic.Anthropic)
        return made(http_client=inner, **{"api_key": "key", "max_retries": 0, **options})

    def _answer(self, request: Any) -> Any:
        self.requests.append(request)
        return HTTP.Response(self._status, headers=self._headers, stream=Chunks(self._chunks))


def messages_of(client: Any, *, beta: bool) -> Any:
    return client.beta.messages if beta else client.messages


def stream_of(*chunks: bytes | Exception, is_async: bool = False, beta: bool = False, **answer: Any) -> Any:
    """Return what `create(stream=True)` gives for a body."""
    messages = messages_of(API(*chunks, **answer).client(is_async=is_async), beta=beta)
    return wait_for(messages.create(**REQUEST, stream=True)) if is_async else messages.create(**REQUEST, stream=True)


def events_of(*chunks: bytes | Exception, is_async: bool = False, beta: bool = False, **answer: Any) -> list[Any]:
    """Return the events that it gives."""
    return read(stream_of(*chunks, is_async=is_async, beta=beta, **answer))


def helped(events: Iterable[dict[str, Any]], *, beta: bool = False, **params: Any) -> tuple[list[Any], Any]:
    """Return the events of the helper, and its final message."""
    messages = messages_of(API(body_of(events)).client(), beta=beta)
    with messages.stream(**REQUEST, **params) as stream:
        return [*stream], stream.get_final_message()


def read(stream: Any) -> list[Any]:
    """Read a stream of either colour."""
    if not hasattr(stream, "__aiter__"):
        return [*stream]

    async def all_of_it() -> list[Any]:
        return [item async for item in stream]

    found: list[Any] = anyio.run(all_of_it)
    return found


def wait_for(awaitable: Awaitable[Any]) -> Any:
    """Await on an event loop of its own."""

    async def wait() -> Any:
        return await awaitable

    return anyio.run(wait)


def raised(function: Callable[[], Any]) -> Exception:
    """Return what a function raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - who asks looks at it
        function()
    return caught.value
