"""Playing a recording: as events, as the answer of a client, as a mocked route. The only place with its pace.

The law: a `Playback` is both an iterator and an async iterator over the body's chunks, waits between
them as the recording says, and ends as the recording ends: quietly, or with the error that the SDK's
own HTTP package would raise.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Union

import anyio
from anthropic.types import RawMessageStreamEvent

from claude_stream import Reader, StreamAPIError, StreamError, collect, from_sse

from ._format import Failure, is_stream
from ._http import http_package, response
from ._recording import Recorded, Recording, recording_of

Sleep = Callable[[float], object]
_Raised = Union[BaseException, "type[BaseException]"]


class Playback(Iterator[bytes], AsyncIterator[bytes]):
    """One playing of a recording.

    Args:
        recording: what to play.
        speed: how fast, where 1 is the recorded pace and 0 is all at once; None leaves it to the recording.
        sleep: waits for so many seconds; what it returns is awaited by an async reader, if it can be.
    """

    def __init__(self, recording: Recording, speed: float | None, sleep: Sleep | None = None) -> None:
        self._plan = _plan(recording, speed)
        self._sleep = sleep

    def __next__(self) -> bytes:
        delay, chunk = next(self._plan)
        if delay > 0:
            (self._sleep or time.sleep)(delay)
        return _give(chunk)

    async def __anext__(self) -> bytes:
        delay, chunk = next(self._plan, (0.0, None))
        if chunk is None:
            raise StopAsyncIteration
        # Other tasks have their turn between two chunks, as they have while a real response is read.
        waiting = (self._sleep or anyio.sleep)(max(delay, 0.0))
        if inspect.isawaitable(waiting):
            await waiting
        return _give(chunk)


class _Async(AsyncIterator[bytes]):
    """A playback that is an async iterator and nothing else: what is both is read as a sync source."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback

    async def __anext__(self) -> bytes:
        return await anext(self._playback)


def _plan(recording: Recording, speed: float | None) -> Iterator[tuple[float, bytes | _Raised]]:
    """Give each chunk, and what is raised behind the last one, with the seconds to wait before it."""
    speed = recording.speed if speed is None else speed
    times = [at / speed for at in recording.offsets] if recording.offsets and speed else None
    start = time.monotonic()
    for position, chunk in enumerate(recording.chunks):
        yield (times[position] - (time.monotonic() - start) if times else 0.0), chunk
    if recording.interruption is not None:
        yield 0.0, recording.interruption
    if recording.failure is not None:
        package = http_package()
        error = package.ReadTimeout if recording.failure.kind == "timeout" else package.ReadError
        yield 0.0, error(recording.failure.message)


def _give(chunk: bytes | _Raised) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    raise chunk


def playable(recorded: Any, speed: float | None) -> Recording:
    """Return the recording that something stands for, if it can be played at that speed.

    Raises:
        OSError, ValueError, TypeError: as `recording_of` does.
        ValueError: if there is a speed, and the recording has no times.
    """
    recording = recording_of(recorded)
    if speed and recording.offsets is None and is_stream(recording.content_type):
        raise ValueError(
            f"this recording has no times, so that it has no pace to be played at with speed={speed:g}: "
            "leave speed out, or give it a pace, such as recording.paced(0.03)"
        )
    return recording


def unstreamed(recording: Recording) -> Recording:
    """Return the answer to the same request without ``stream=True``: the message as JSON, or what there was instead."""
    if not is_stream(recording.content_type):
        return recording
    plain = dataclasses.replace(recording, content_type="application/json", failure=None, interruption=None)
    try:
        message = collect(from_sse([recording.body()]))
    except StreamAPIError as error:
        body = json.dumps(error.body).encode()
        return dataclasses.replace(plain, status=error.status_code, chunks=(body,), offsets=None)
    except StreamError as error:
        fault = Failure("connection", f"the recording holds no whole message: {error}")
        broken = dataclasses.replace(plain, chunks=(), offsets=None, failure=recording.failure or fault)
        return dataclasses.replace(broken, interruption=recording.interruption)
    body = message.to_json(indent=None, warnings=False).encode()
    offsets = recording.offsets and recording.offsets[-1:]  # it comes when the last event does
    return dataclasses.replace(plain, chunks=(body,), offsets=offsets)


class _Chunks:
    """What a response needs to be read again and again."""

    def __init__(self, recording: Recording, speed: float | None) -> None:
        self._recording, self._speed = recording, speed

    def begin(self) -> Playback:
        return Playback(self._recording, self._speed)

    def close(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


def answer(package: Any, recording: Recording, speed: float | None) -> Any:
    """Return a recording as a response of an HTTP package."""
    headers = {"request-id": "req_replay", **recording.headers, "content-type": recording.content_type}
    return response(package, recording.status, headers, _Chunks(recording, speed))


def sse_response(recording: Recorded, *, speed: float | None = None) -> Any:
    """Return the response for a route of respx: ``respx_mock.post(url).mock(return_value=sse_response(...))``.

    It is streamed chunk by chunk, to sync and async clients, and serves any number of requests. It is
    an ``httpx.Response``, which respx expects for SDKs on httpx2 as well. For those, install pytest-httpx2
    and use its ``httpx2_mock`` fixture, or ``respx.mock(using="httpcore2")``.

    Args:
        recording: a recording, the path of a file that holds one, or a list of events.
        speed: how fast to play, where 1 is the recorded pace and 0 is all at once. None is all at once, too, but for
            a recording that is `Recording.paced`.

    Raises:
        OSError, ValueError: if a file cannot be read, or is damaged.
        ValueError: if there is a speed, and the recording has no times.
        TypeError: if ``recording`` is nothing of the kind.

    Example:
        >>> import anthropic, respx
        >>> from claude_stream import iter_text
        >>> from claude_stream.testing import sse_response
        >>> client = anthropic.Anthropic(api_key="any")
        >>> with respx.mock(using=using) as router:  # "httpcore2" for SDK 1.0 and newer, "httpcore" before
        ...     _ = router.post("https://api.anthropic.com/v1/messages").mock(return_value=sse_response("answer.sse"))
        ...     stream = client.messages.create(model="any", max_tokens=100, messages=[], stream=True)
        ...     print("".join(iter_text(stream)))
        Hello, world!
    """
    import httpx  # noqa: PLC0415 - which respx brings, and nothing else here needs

    return answer(httpx, playable(recording, speed), speed)


class Replay:
    """The events of a recording, from the beginning each time they are iterated. `replay` makes it.

    Example:
        >>> from claude_stream import collect
        >>> from claude_stream.testing import Replay, replay
        >>> def text_of(answer: Replay) -> str:
        ...     return collect(answer).content[0].text
        >>> answer = replay("answer.sse")
        >>> text_of(answer), text_of(answer)
        ('Hello, world!', 'Hello, world!')
    """

    def __init__(self, recording: Recording, speed: float | None, sleep: Sleep | None) -> None:
        self._recording, self._speed, self._sleep = recording, speed, sleep

    @property
    def _reader(self) -> Reader[RawMessageStreamEvent]:
        # What the functions of the library read of a stream of ours: events as they came, which no SDK can refuse.
        return from_sse(iter(Playback(self._recording, self._speed, self._sleep)))

    def __iter__(self) -> Iterator[RawMessageStreamEvent]:
        return self._reader

    def __aiter__(self) -> AsyncIterator[RawMessageStreamEvent]:
        return from_sse(_Async(Playback(self._recording, self._speed, self._sleep)))


def replay(path: Recorded, *, speed: float | None = None, sleep: Sleep | None = None) -> Replay:
    """Return the events of a recording, to stand where a live stream would.

    It is iterable and async iterable, any number of times. The functions of the library take it for a
    sync source; ``aiter(replay(...))`` is an async one. A recording that ends in a fault ends in its
    exception here as well.

    Args:
        path: the path of a file, a recording, or a list of events.
        speed: how fast to play, where 1 is the recorded pace and 0 is all at once. None is all at once, too, but for
            a recording that is `Recording.paced`.
        sleep: waits for so many seconds, instead of `time.sleep` and `anyio.sleep`.

    Raises:
        OSError, ValueError: if the file cannot be read, or is damaged.
        ValueError: if there is a speed, and the recording has no times.
        TypeError: if ``path`` is nothing of the kind.

    Example:
        >>> from claude_stream import iter_text
        >>> from claude_stream.testing import replay
        >>> list(iter_text(replay("answer.sse")))
        ['Hello, ', 'world!']
    """
    return Replay(playable(path, speed), speed, sleep)
