"""Making recordings: of the events that a stream gives, or of the bytes that a client receives.

The law: every line is in the file before its event is handed on, so that whatever ends the stream, or
the program, leaves a valid recording of all that had been received. What a file may hold of a request
or a response is `_format`'s to say.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

import anthropic
from anthropic.types import RawMessageStreamEvent
from anthropic.types.beta import BetaRawMessageStreamEvent
from typing_extensions import Self

from claude_stream import (
    StreamAPIError,
    StreamConnectionError,
    StreamProtocolError,
    StreamTimeoutError,
    StreamTruncatedError,
)
from claude_stream._drive.pipeline import Options, drive
from claude_stream._json import Wire, is_object
from claude_stream._step import Step

from ._format import Failure, Head, chunk_line, failure_line, header_line, split_events, sse_chunk
from ._http import http_package, response

if TYPE_CHECKING:
    from claude_stream import AsyncBetaSource, AsyncSource, BetaSource, Source

ClientT = TypeVar("ClientT", bound="anthropic.Anthropic | anthropic.AsyncAnthropic")
Clock = Callable[[], float]


def _head(answer: Any) -> Head:
    """Return what the header line says of a response of an HTTP package."""
    return Head(answer.status_code, answer.headers.get("content-type", ""), answer.headers, anthropic.__version__)


class _File:
    """A recording that grows. Each line is appended by itself: nothing is held back, and nothing left open."""

    def __init__(self, path: Path, clock: Clock, start: float, head: Head) -> None:
        self._path = path
        self._clock = clock
        self._start = start
        self._head = head
        self._begun = False
        self._rest = b""

    def create(self) -> Self:
        """Write the file, empty: what cannot be written is known before anything is read."""
        self._path.write_bytes(b"")
        return self

    def write(self, data: bytes) -> None:
        """Write the events that these bytes make whole, and keep the rest."""
        chunks = split_events(self._rest + data)
        whole = not chunks or chunks[-1].endswith((b"\n\n", b"\r\r", b"\r\n\r\n"))
        self._rest = b"" if whole else chunks.pop()
        for chunk in chunks:
            self._append(chunk_line(self._now(), chunk), chunk)

    def fail(self, failure: Failure) -> None:
        """Write how the transport failed."""
        self.end()
        self._append(failure_line(self._now(), failure))

    def refuse(self, answer: Any) -> None:
        """Write the answer to a request that was refused, unless this is the recording of another one already."""
        if self._begun:
            return
        self._head = _head(answer)
        with contextlib.suppress(RuntimeError):  # it was closed before anybody, the SDK among them, had read it
            self.write(answer.content)
        self.end()

    def end(self) -> None:
        """Write what is left, and the header if there was nothing at all: there will be no more bytes."""
        chunk, self._rest = self._rest, b""
        self._append(chunk_line(self._now(), chunk) if chunk else b"", chunk)

    def _append(self, line: bytes, chunk: bytes = b"") -> None:
        if not self._begun:
            line = header_line(self._head, chunk) + line
            self._begun = True
        with self._path.open("ab") as file:
            file.write(line)

    def _now(self) -> float:
        return self._clock() - self._start


def undecodable(what: str) -> bytes:
    """Return an event whose data is no JSON, under a name that the SDK looks at."""
    return b"event: content_block_delta\ndata: %b\n\n" % " ".join(what.split()).encode(errors="replace")


class _Recorder(Step[Wire, Wire]):
    """Wire dicts in, the same out, each written down first; and so is what ends them too early."""

    def __init__(self, file: _File) -> None:
        self._file = file

    def feed(self, item: dict[str, Any]) -> Iterable[dict[str, Any]]:
        self._file.write(sse_chunk(item))
        return (item,)

    def fail(self, exc: Exception) -> Exception:
        if isinstance(exc, StreamAPIError):
            body = exc.body if is_object(exc.body) else {"error": exc.body}
            self._file.write(sse_chunk({**body, "type": "error"}))
        elif isinstance(exc, StreamProtocolError):
            # The bytes are gone. Data that is no JSON either ends in the same exception, and says what it was.
            self._file.write(undecodable(exc.message))
        elif isinstance(exc, StreamConnectionError) and not isinstance(exc, StreamTruncatedError):
            timeout = isinstance(exc, StreamTimeoutError)
            self._file.fail(Failure("timeout" if timeout else "connection", exc.message))
        elif isinstance(exc, anthropic.APIStatusError):
            self._file.refuse(exc.response)
        return exc


@overload
def record(
    source: Source, path: str | os.PathLike[str], *, clock: Clock = time.perf_counter
) -> Iterator[RawMessageStreamEvent]: ...
@overload
def record(
    source: AsyncSource, path: str | os.PathLike[str], *, clock: Clock = time.perf_counter
) -> AsyncIterator[RawMessageStreamEvent]: ...
@overload
def record(
    source: BetaSource, path: str | os.PathLike[str], *, clock: Clock = time.perf_counter
) -> Iterator[BetaRawMessageStreamEvent]: ...
@overload
def record(
    source: AsyncBetaSource, path: str | os.PathLike[str], *, clock: Clock = time.perf_counter
) -> AsyncIterator[BetaRawMessageStreamEvent]: ...
def record(source: Any, path: str | os.PathLike[str], *, clock: Clock = time.perf_counter) -> Any:
    """Yield the events of a stream, and write each into a file, in the ``.jsonl`` format, before it is handed on.

    A stream that fails leaves a recording that ends in the same failure, and a request that the API refuses leaves
    the refusal, where the request is the source's to send: an un-awaited one of an async client, or one that
    `with_restarts` or a generator of yours sends. What the source does not show is not recorded: an SDK stream
    passes over pings, and a sync client sends its request before this is called. `recording_client` records all.

    Args:
        source: as for `iter_events`.
        path: the file, which is overwritten.
        clock: gives the time in seconds. The offsets count from this call.

    Raises:
        OSError: if the file cannot be written.
        StreamError: when the stream turns out broken.
        anthropic.APIStatusError: if the request is refused; the SDK's own.
        TypeError: if ``source`` is no stream of events, or was read before.

    Example:
        >>> from claude_stream import collect
        >>> from claude_stream.testing import record, replay
        >>> message = collect(record(events, "hello.jsonl"))
        >>> collect(replay("hello.jsonl")) == message
        True
    """
    file = _File(Path(path), clock, clock(), Head(sdk_version=anthropic.__version__))
    reader = drive(source, lambda _: [_Recorder(file)], Options(events=True))
    file.create()
    return reader


def recording_client(client: ClientT, path: str | os.PathLike[str], *, clock: Clock = time.perf_counter) -> ClientT:
    """Return a copy of a client that writes down what it receives, as it comes over the wire, in the ``.jsonl`` format.

    The pings are there, the time at which each event came, counted from its request, and the bytes of a
    body that breaks. The client that was passed in is not changed, and its connections are used.

    Args:
        client: a client of the SDK, sync or async.
        path: the file for the first response, which is overwritten. For a second one it is the same
            name with ``-2`` in front of its suffix, and so on.
        clock: gives the time in seconds.

    Raises:
        OSError: if the file cannot be written.

    Example:
        >>> from claude_stream import iter_text
        >>> from claude_stream.testing import Recording, recording_client
        >>> recorded = recording_client(client, "hello.jsonl")
        >>> stream = recorded.messages.create(model="any", max_tokens=100, messages=[], stream=True)
        >>> "".join(iter_text(stream))
        'Hello, world!'
        >>> Recording.load("hello.jsonl").status
        200
    """
    path = Path(path)
    path.write_bytes(b"")
    package = http_package()
    inner: Any = client._client  # pyright: ignore[reportPrivateUsage] - the SDK has no other way to ask for it
    recorder = _Wire(package, inner, path, clock)
    is_async = isinstance(inner, package.AsyncClient)
    outer = (package.AsyncClient if is_async else package.Client)(
        transport=package.MockTransport(recorder.arequest if is_async else recorder.request),
        headers=inner.headers,
        cookies=inner.cookies,
        params=inner.params,
    )
    outer.player = getattr(inner, "player", None)  # by which a replaying client knows what it was asked
    return cast("ClientT", client.copy(http_client=outer))


class _Wire:
    """The handler of a mock transport that sends each request through another HTTP client, and records what comes."""

    def __init__(self, package: Any, inner: Any, path: Path, clock: Clock) -> None:
        self._package = package
        self._inner = inner
        self._path = path
        self._clock = clock
        self._numbers = itertools.count(1)

    def request(self, request: Any) -> Any:
        start = self._clock()
        return self._record(self._inner.send(request, stream=True), start)

    async def arequest(self, request: Any) -> Any:
        start = self._clock()
        return self._record(await self._inner.send(request, stream=True), start)

    def _record(self, received: Any, start: float) -> Any:
        number = next(self._numbers)
        path = self._path if number == 1 else self._path.with_stem(f"{self._path.stem}-{number}")
        file = _File(path, self._clock, start, _head(received)).create()
        # The body is handed on, and recorded, as it is behind any compression.
        headers = [
            (name, value)
            for name, value in received.headers.multi_items()
            if name not in {"content-encoding", "content-length", "transfer-encoding"}
        ]
        chunks = _RecordedChunks(file, received, self._package)
        return response(self._package, received.status_code, headers, chunks, received.extensions)


class _RecordedChunks(Iterator[bytes], AsyncIterator[bytes]):
    """The chunks of a response, each written down before it is handed on."""

    def __init__(self, file: _File, received: Any, package: Any) -> None:
        self._file = file
        self._received = received
        self._timeout = package.TimeoutException
        self._undecodable = package.DecodingError
        self._closed = False
        self._chunks: Any = None

    def begin(self) -> Any:
        return self

    def __next__(self) -> bytes:
        if self._chunks is None:
            self._chunks = self._received.iter_bytes()
        try:
            return self._written(next(self._chunks))
        except StopIteration:
            self._file.end()
            raise
        except Exception as exc:
            self._fail(exc)
            raise

    async def __anext__(self) -> bytes:
        if self._chunks is None:
            self._chunks = self._received.aiter_bytes()
        try:
            return self._written(await anext(self._chunks))
        except StopAsyncIteration:
            self._file.end()
            raise
        except Exception as exc:
            self._fail(exc)
            raise

    def _written(self, chunk: bytes) -> bytes:
        self._file.write(chunk)
        return chunk

    def _fail(self, exc: Exception) -> None:
        if self._closed:
            return  # it was closed, and is read once more to learn of it
        if isinstance(exc, self._undecodable):
            self._file.end()
            self._file.write(undecodable(f"{type(exc).__name__}: {exc}"))
            return
        kind: Literal["connection", "timeout"] = "timeout" if isinstance(exc, self._timeout) else "connection"
        self._file.fail(Failure(kind, f"{type(exc).__name__}: {exc}"))

    def close(self) -> None:
        self._closed = True
        self._file.end()
        self._received.close()

    async def aclose(self) -> None:
        self._closed = True
        self._file.end()
        await self._received.aclose()
