"""Real SDK clients whose requests are answered from recordings, in this process.

The law: everything but the network is real. The SDK builds the request, sends it through the HTTP
package that it uses itself, and decodes what comes back.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeAlias, Union

import anthropic
import anyio
from anthropic import Anthropic, AsyncAnthropic

from ._recording import Recording

_Recorded: TypeAlias = Union[Recording, str, "os.PathLike[str]"]


def _http() -> Any:
    """Return the HTTP package of the installed SDK: `httpx` before 1.0, `httpx2` since."""
    packages = (base.__module__.partition(".")[0] for base in anthropic.DefaultHttpxClient.__mro__)
    return importlib.import_module(next(package for package in packages if package.startswith("httpx")))


def replay_client(*recordings: _Recorded, speed: float = 0) -> Anthropic:
    """Return an `Anthropic` client that answers its requests from recordings, one a request, in order.

    Args:
        recordings: what to answer with: recordings, or paths of files that hold one.
        speed: how fast to play, where 1 is the recorded pace and 0 is all at once. A recording
            without times is played at once.

    Raises:
        OSError, ValueError: if a file cannot be read, or is damaged.
    """
    http = _http()
    transport = http.MockTransport(_Player(recordings, http, lambda recording: _play(recording, speed)))
    return Anthropic(api_key="sk-ant-replay", max_retries=0, http_client=http.Client(transport=transport))


def async_replay_client(*recordings: _Recorded, speed: float = 0) -> AsyncAnthropic:
    """Return the same as `replay_client` does, as an `AsyncAnthropic` client."""
    http = _http()
    transport = http.MockTransport(_Player(recordings, http, lambda recording: _aplay(recording, speed)))
    return AsyncAnthropic(api_key="sk-ant-replay", max_retries=0, http_client=http.AsyncClient(transport=transport))


class _Player:
    """The handler of a mock transport: a request in, a streaming response out."""

    def __init__(self, recordings: tuple[_Recorded, ...], http: Any, play: Callable[[Recording], Any]) -> None:
        loaded = [item if isinstance(item, Recording) else Recording.load(item) for item in recordings]
        self._count = len(loaded)
        self._left = iter(loaded)
        self._http = http
        self._play = play

    def __call__(self, _request: Any) -> Any:
        recording = next(self._left, None)
        if recording is None:
            message = f"no recording is left for request {self._count + 1}: so many were given: {self._count}"
            body = {"type": "error", "error": {"type": "not_found_error", "message": message}}
            return self._http.Response(404, json=body)
        headers = {"content-type": recording.content_type, "request-id": "req_replay"}
        return self._http.Response(200, headers=headers, content=self._play(recording))


def _delays(recording: Recording, speed: float) -> Iterator[tuple[float, bytes]]:
    """Give each chunk with the seconds to wait before it."""
    start = time.monotonic()
    for position, chunk in enumerate(recording.chunks):
        at = recording.offsets[position] / speed if recording.offsets and speed else 0.0
        yield at - (time.monotonic() - start), chunk


def _play(recording: Recording, speed: float) -> Iterator[bytes]:
    for delay, chunk in _delays(recording, speed):
        if delay > 0:
            time.sleep(delay)
        yield chunk


async def _aplay(recording: Recording, speed: float) -> AsyncIterator[bytes]:
    for delay, chunk in _delays(recording, speed):
        if delay > 0:
            await anyio.sleep(delay)
        yield chunk
