"""A recorded response: chunks of bytes, each with the time at which it came, and how it ended.

The law: a recording is a value. It is read from a file, built from events or taken from a live
response, and every change, a fault among them, is a method that returns another one. So a client, an
iterator and a mocked route replay the same faults, and know nothing of them.
"""

from __future__ import annotations

import bisect
import dataclasses
import json
import math
import os
import random
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Literal, TypeAlias, Union, cast

from typing_extensions import Self

from claude_stream._errors import API_ERRORS
from claude_stream._wire.sse import SSEDecoder

from ._build import error_event
from ._format import (
    Failure,
    Head,
    check_start,
    chunk_line,
    failure_line,
    header_line,
    is_event,
    media_type,
    read_lines,
    split_events,
    sse_chunk,
)

Recorded: TypeAlias = Union["Recording", str, "os.PathLike[str]", Iterable[Mapping[str, Any]]]
"""A recording, the path of a file that holds one, or a list of events."""


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
    """A response to a streaming request, recorded or written by hand.

    Two recordings are equal if they answer alike: the same status and content type, the same events
    (or the same bytes, where the body is no stream of events), the same failure or interruption. When the
    chunks came makes no difference, nor how they are cut.

    Example:
        >>> from claude_stream.testing import Recording
        >>> recording = Recording.load("answer.sse")
        >>> len(recording.chunks), recording.offsets
        (7, None)
        >>> recording == Recording.from_events(recording.events())
        True
    """

    chunks: tuple[bytes, ...]
    """The body as it is sent, in a file's case cut behind each event."""

    offsets: tuple[float, ...] | None = None
    """When each chunk came, in seconds from the request, or None where that is not known."""

    content_type: str = "text/event-stream"
    """The response's header of that name."""

    status: int = 200
    """The HTTP status."""

    headers: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Other headers of the response. A file keeps ``request-id`` and ``retry-after`` of them, and nothing secret."""

    failure: Failure | None = None
    """How the transport failed behind the last chunk: ``kind`` is ``"connection"`` or ``"timeout"``."""

    sdk_version: str | None = None
    """The SDK's version that it was recorded with, where that is known."""

    interruption: BaseException | type[BaseException] | None = None
    """What is raised in the reader behind the last chunk. See `interrupted`; no file holds it."""

    speed: float | None = None
    """How fast it is played where nobody says: 1 is at its own pace, None at once. See `paced`; no file holds it."""

    def __eq__(self, other: object) -> bool:
        """Whether both answer alike."""
        return self._answer() == other._answer() if isinstance(other, Recording) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # events are dicts, and have none

    def _answer(self) -> tuple[object, ...]:
        events = list(self._decoded())
        body: object = self.body()
        if any(isinstance(event, dict) for event in events):
            body = [str(event) if isinstance(event, Exception) else event for event in events]
        return self.status, media_type(self.content_type), self.failure, self.interruption, body

    def _decoded(self) -> Iterator[dict[str, Any] | Exception]:
        decoder = SSEDecoder()
        yield from decoder.feed(self.body())
        yield from decoder.finish()

    def __repr__(self) -> str:
        size = sum(map(len, self.chunks))
        times = f" over {self.offsets[-1]:.2f} s" if self.offsets else ""
        end = "" if self.failure is None else f"; then a {self.failure.kind} failure"
        if self.interruption is not None:
            end += f"; then {self.interruption!r}"
        kind = self.content_type or "no content type"
        return f"<Recording: {len(self.chunks)} chunks, {size} bytes{times}; status {self.status}, {kind}{end}>"

    # -- files and events --

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a recording from a file of either format.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if the file is a damaged ``.jsonl`` recording; names the file, the line and the fault. Or if
                it does not begin as an answer of a server does, unless its name ends in ``.sse``: a body may be
                broken from its beginning.
        """
        path, content = Path(path), Path(path).read_bytes()
        if path.suffix != ".sse":
            check_start(content, os.fspath(path))
        return cls.from_bytes(content, name=os.fspath(path))

    @classmethod
    def from_bytes(cls, content: bytes, *, name: str = "recording") -> Self:
        """Read a recording from the content of a file; ``name`` is what an error calls it."""
        parts = read_lines(content, name)
        if parts is None:
            kinds = {b"{": "application/json", b"<": "text/html"}  # what a server that fails sends instead
            content_type = kinds.get(content.lstrip()[:1], cls.content_type)
            return cls(tuple(split_events(content)), content_type=content_type)
        head, lines = parts
        return cls(
            tuple(line.chunk for line in lines if line.failure is None),
            tuple(line.at for line in lines if line.failure is None and line.at is not None) or None,
            failure=next((line.failure for line in lines if line.failure is not None), None),
            **head._asdict(),
        )

    @classmethod
    def from_events(cls, events: Iterable[Mapping[str, Any]]) -> Self:
        """Make a recording of events as dicts, written by hand or built with `message_events`."""
        return cls(tuple(sse_chunk(event) for event in events))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the recording to a file: the raw body if its name ends in ``.sse``, else the ``.jsonl`` format.

        A raw body holds nothing but the body: no times, no status, and no failure of the transport.

        Raises:
            OSError: if the file cannot be written.
            ValueError: if the recording is `interrupted`, which is nothing that the server did: no file can hold it.

        Example:
            >>> from claude_stream.testing import Recording, message_events
            >>> recording = Recording.from_events(message_events("Hello, world!"))
            >>> recording.save("hello.jsonl")
            >>> Recording.load("hello.jsonl") == recording
            True
        """
        if self.interruption is not None:
            raise ValueError(
                f"an interruption ({self.interruption!r}) cannot be saved, since it is no part of an answer: "
                "save the recording, and call interrupted() on what load() gives"
            )
        path = Path(path)
        if path.suffix == ".sse":
            path.write_bytes(self.body())
            return
        lines = self.chunked("event")
        times: Iterable[float | None] = lines.offsets or [None] * len(lines.chunks)
        first = lines.chunks[0] if lines.chunks else b""
        content = [header_line(Head(self.status, self.content_type, self.headers, self.sdk_version), first)]
        content += map(chunk_line, times, lines.chunks)
        if self.failure is not None:
            content.append(failure_line(lines.offsets[-1] if lines.offsets else None, self.failure))
        path.write_bytes(b"".join(content))

    def body(self) -> bytes:
        """Return the whole body."""
        return b"".join(self.chunks)

    def events(self) -> list[dict[str, Any]]:
        """Return the events in the body as dicts, the pings and ``error`` events among them.

        Raises:
            StreamProtocolError: if the body is no stream of events, or the data of one cannot be decoded.
        """
        events: list[dict[str, Any]] = []
        for event in self._decoded():
            if isinstance(event, Exception):
                raise event
            events.append(event)
        return events

    # -- how it is sent --

    def chunked(self, by: Literal["whole", "event", "random"] | int, *, seed: int = 0) -> Self:
        """Return the same recording with its body cut in another way.

        Args:
            by: everything in one chunk, one event a chunk, chunks of so many bytes, or of 1 to 40 bytes by chance.
            seed: decides what chance does; the same seed gives the same chunks.

        Raises:
            ValueError: if ``by`` is none of these.
        """
        body = self.body()
        if by == "event":
            pieces = split_events(body)
        elif by == "whole":
            pieces = [body] if body else []
        elif by == "random":
            dice = random.Random(seed)  # noqa: S311 - it guards no secret
            pieces = _cut(body, iter(lambda: dice.randint(1, 40), 0))
        elif type(by) is int and by >= 1:
            pieces = _cut(body, iter(lambda: by, 0))
        else:
            raise ValueError(f'a body is cut by "whole", "event", "random" or a number of bytes, and not by {by!r}')
        offsets = None
        if self.offsets is not None:  # a chunk comes when its last byte does
            ends = list(accumulate(map(len, self.chunks)))
            offsets = tuple(self.offsets[bisect.bisect_left(ends, end)] for end in accumulate(map(len, pieces)))
        return dataclasses.replace(self, chunks=tuple(pieces), offsets=offsets)

    def paced(self, seconds: float) -> Self:
        """Return the same recording with its events so many seconds apart, one event a chunk, the first at once.

        It is played at this pace, unless the player is given a ``speed``: 0 plays it at once, 2 twice as fast. Cut
        it into other chunks behind this: ``recording.paced(0.03).chunked(7)``.

        Raises:
            ValueError: if this is no number of seconds.

        Example:
            >>> from claude_stream import StreamTimer, collect, tap
            >>> from claude_stream.testing import Recording, replay
            >>> recording = Recording.load("answer.sse").paced(0.01)
            >>> recording.offsets
            (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06)
            >>> timer = StreamTimer()
            >>> message = collect(tap(replay(recording), timer.feed))
            >>> timer.elapsed >= 0.06
            True
        """
        if not 0 <= seconds < math.inf:
            raise ValueError(f"a pace is a number of seconds between two events, and not {seconds}")
        pieces = self.chunked("event")
        numbers = accumulate(map(is_event, pieces.chunks))  # a comment comes with the event before it
        return dataclasses.replace(pieces, offsets=tuple(seconds * max(0, number - 1) for number in numbers), speed=1)

    # -- faults --

    def cut(self, after: int) -> Self:
        """Return a recording whose body ends, without a fault of the transport, behind so many events.

        Every method here counts the events in the body, pings among them.

        Raises:
            ValueError: if there are fewer events.

        Example:
            >>> from claude_stream import StreamTruncatedError, collect
            >>> from claude_stream.testing import Recording, replay
            >>> try:
            ...     collect(replay(Recording.load("answer.sse").cut(after=3)))
            ... except StreamTruncatedError as error:
            ...     print(error.partial.content[0].text)
            Hello,
        """
        pieces = self.chunked("event")
        ends = [0, *(end for end, chunk in enumerate(pieces.chunks, start=1) if is_event(chunk))]
        if not 0 <= after < len(ends):
            raise ValueError(f"there are {len(ends) - 1} events, so that nothing can happen after {after}")
        end = ends[after]
        offsets = None if pieces.offsets is None else pieces.offsets[:end]
        return dataclasses.replace(self, chunks=pieces.chunks[:end], offsets=offsets, failure=None, interruption=None)

    def reset(self, after: int) -> Self:
        """Return a recording whose connection is lost behind so many events: a `StreamConnectionError`."""
        return dataclasses.replace(self.cut(after), failure=Failure("connection", "the connection was reset"))

    def stall(self, after: int) -> Self:
        """Return a recording that falls silent behind so many events: a `StreamTimeoutError`, without the waiting."""
        return dataclasses.replace(self.cut(after), failure=Failure("timeout", "nothing came in time"))

    def interrupted(self, after: int, by: BaseException | type[BaseException] = KeyboardInterrupt) -> Self:
        """Return a recording in which the reader is interrupted behind so many events, as by Ctrl-C.

        It is raised where a reader waits for more, which is where Ctrl-C nearly always finds it. On asyncio, Ctrl-C
        cancels the main task: give ``asyncio.CancelledError`` to see what a task does then. What is an `Exception` is
        a fault of the transport to the SDK and to this library, as everything is that comes out of a read; what is
        not, passes through both unchanged. Behind the last event a reader may wait no more, and then nothing is raised.

        Args:
            after: behind how many events.
            by: the exception, or its class.

        Raises:
            TypeError: if ``by`` is no exception.
            ValueError: if there are fewer events.

        Example:
            >>> from claude_stream import iter_text
            >>> from claude_stream.testing import Recording, replay
            >>> reader = iter_text(replay(Recording.load("answer.sse").interrupted(after=3)))
            >>> try:
            ...     print(reader.read())
            ... except KeyboardInterrupt:
            ...     print(reader.text)
            Hello,
        """
        kind: type = by if isinstance(by, type) else type(by)
        if not issubclass(kind, BaseException):
            raise TypeError(f"a reader is interrupted by an exception, or its class, and not by {by!r}")
        return dataclasses.replace(self.cut(after), interruption=by)

    def error(self, error: str | Mapping[str, Any], *, after: int) -> Self:
        """Return a recording that has an ``error`` event behind so many events, and ends there.

        Args:
            error: an ``error.type`` that the API documents, such as ``"overloaded_error"``, or the body of any error.
            after: how many events come in front of it.

        Raises:
            ValueError: if the API documents no such type, or there are fewer events.

        Example:
            >>> from claude_stream import StreamOverloadedError, collect
            >>> from claude_stream.testing import Recording, replay
            >>> try:
            ...     collect(replay(Recording.load("answer.sse").error("overloaded_error", after=3)))
            ... except StreamOverloadedError as error:
            ...     print(error.status_code, error.partial.content[0].text)
            529 Hello,
        """
        event = sse_chunk(error_event(error))
        kept = self.cut(after)
        offsets = None if kept.offsets is None else (*kept.offsets, *(kept.offsets[-1:] or (0.0,)))
        return dataclasses.replace(kept, chunks=(*kept.chunks, event), offsets=offsets)

    @classmethod
    def http_error(
        cls,
        status: int,
        *,
        error: str | Mapping[str, Any] | None = None,
        message: str = "refused",
        retry_after: float | None = None,
    ) -> Self:
        """Return the answer to a request that is refused before any stream begins.

        Args:
            status: the HTTP status, 400 or more.
            error: an ``error.type`` that the API documents, or the body of any error; None stands for the type of
                this status.
            message: what the API says, where ``error`` is no body.
            retry_after: the header of that name, in seconds. The SDK obeys it if the client has ``max_retries``,
                unless it is 0.

        Raises:
            ValueError: if the status is none of an error, or the API documents no such type.

        Example:
            >>> from claude_stream.testing import Recording, message_events, replay_client
            >>> client = replay_client(Recording.http_error(529, retry_after=0.01), message_events("Hello, world!"))
            >>> client = client.with_options(max_retries=1)
            >>> client.messages.create(model="any", max_tokens=100, messages=[], stream=True).response.status_code
            200
            >>> len(client.requests)
            2
        """
        if not 400 <= status <= 599:
            raise ValueError(f"the status of an error is 400 to 599, and not {status}")
        documented = {known("").status_code: kind for kind, known in API_ERRORS.items()}
        body = error_event(error or documented.get(status, "api_error"), message)
        return cls(
            (json.dumps(body).encode(),),
            content_type="application/json",
            status=status,
            headers={} if retry_after is None else {"retry-after": f"{retry_after:g}"},
        )


def recording_of(recorded: Any) -> Recording:
    """Return the recording that something stands for.

    Raises:
        OSError, ValueError: if it is the path of a file that cannot be read, or is damaged.
        TypeError: if it is nothing of the kind.
    """
    if isinstance(recorded, Recording):
        return recorded
    if isinstance(recorded, (str, os.PathLike)):
        return Recording.load(cast("str", recorded))
    hint = ""
    if hasattr(recorded, "__iter__") and not isinstance(recorded, (bytes, Mapping)):
        events: list[Any] = list(recorded)
        if all(isinstance(event, Mapping) for event in events):
            return Recording.from_events(events)
        if all(isinstance(item, (Recording, list)) for item in events):
            hint = " (several recordings are several arguments, and not a list)"
    raise TypeError(
        f"a recording, a path or a list of events (dicts) was expected{hint}, and this is {recorded!r:.200}"
    )


def _cut(body: bytes, sizes: Iterator[int]) -> list[bytes]:
    ends = [0]
    while ends[-1] < len(body):
        ends.append(ends[-1] + next(sizes))
    return [body[start:end] for start, end in pairwise(ends)]
