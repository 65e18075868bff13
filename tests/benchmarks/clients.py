"""The SDK's real clients over a transport in this process, the same for both sides.

The law: everything but the network is real, and the network costs nothing. The transport hands out chunks that
were made before, through an iterator written in C where it is sync, and remembers what was read.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Iterator
from typing import Any

import anthropic
from typing_extensions import Self

REQUEST: dict[str, Any] = {"model": "any", "max_tokens": 1, "messages": []}
HEADERS = {"content-type": "text/event-stream", "request-id": "req_benchmark"}

HTTP_PACKAGE = next(
    package
    for package in (base.__module__.partition(".")[0] for base in anthropic.DefaultHttpxClient.__mro__)
    if package.startswith("httpx")
)
"""The HTTP package of the installed SDK: `httpx` before 1.0, `httpx2` since."""

http: Any = importlib.import_module(HTTP_PACKAGE)

SDK_TRACES = "open_telemetry" in inspect.signature(anthropic.Anthropic).parameters
"""Whether the installed SDK is one that can trace its calls."""


class Chunks(http.SyncByteStream, http.AsyncByteStream):
    """A body on its way."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.left = iter(chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self.left

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for chunk in self.left:
            return chunk
        raise StopAsyncIteration


class Transport(http.BaseTransport, http.AsyncBaseTransport):
    """Answers every request with the same chunks."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._opened: list[Chunks] = []
        self._requests = 0

    def open(self) -> Chunks:
        """Return the body once more."""
        self._opened.append(Chunks(self._chunks))
        return self._opened[-1]

    def handle_request(self, _request: Any) -> Any:
        self._requests += 1
        return http.Response(200, headers=HEADERS, stream=self.open())

    async def handle_async_request(self, request: Any) -> Any:
        return self.handle_request(request)

    def check(self, readings: int) -> int:
        """Raise unless the body was read just so often since the last time, and to its last chunk.

        Returns:
            How many requests that took: the floor makes none.

        Raises:
            AssertionError: something was measured that did not happen.
        """
        opened, self._opened = self._opened, []
        unread = sum(1 for body in opened if next(body.left, None) is not None)
        if len(opened) != readings or unread:
            raise AssertionError(f"{readings} readings were expected: {len(opened)} were begun, {unread} not finished")
        requests, self._requests = self._requests, 0
        return requests


def sync_client(transport: Transport, **options: Any) -> anthropic.Anthropic:
    """Return a client over this transport."""
    http_client = http.Client(transport=transport)
    return anthropic.Anthropic(api_key="key", max_retries=0, http_client=http_client, **options)


def async_client(transport: Transport, **options: Any) -> anthropic.AsyncAnthropic:
    """Return an async client over this transport."""
    http_client = http.AsyncClient(transport=transport)
    return anthropic.AsyncAnthropic(api_key="key", max_retries=0, http_client=http_client, **options)


class Tracing:
    """A tracer provider that keeps the spans that have ended, for one client: no other call is traced."""

    def __init__(self) -> None:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.option = {"open_telemetry": {"tracer_provider": provider}}

    def check(self, calls: int) -> None:
        """Raise unless so many calls were traced since the last time, none as an error.

        Raises:
            AssertionError: something was measured that did not happen.
        """
        statuses = [span.status.status_code.name for span in self._exporter.get_finished_spans()]
        self._exporter.clear()
        if len(statuses) != calls or "ERROR" in statuses:
            raise AssertionError(f"{calls} calls should have been traced, and these were: {statuses}")
