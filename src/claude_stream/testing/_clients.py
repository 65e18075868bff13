"""Real SDK clients whose requests are answered from recordings, in this process.

The law: everything but the network is real. The SDK builds the request, sends it through the HTTP
package that it uses itself, and decodes what comes back.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

from anthropic import Anthropic, AsyncAnthropic
from typing_extensions import Unpack

from ._http import http_package
from ._recording import Recorded, Recording, recording_of
from ._replay import answer, playable, unstreamed


@dataclasses.dataclass(frozen=True)
class ReplayRequest:
    """What a replaying client was asked, for assertions and to choose an answer by.

    Example:
        >>> from claude_stream.testing import ReplayRequest, message_events, replay_client
        >>> def choose(request: ReplayRequest):
        ...     return message_events(f"I am {request.body['model']}.")
        >>> client = replay_client(choose=choose)
        >>> client.messages.create(model="claude-sonnet-5-5", max_tokens=100, messages=[]).content[0].text
        'I am claude-sonnet-5-5.'
        >>> [request.path for request in client.requests]
        ['/v1/messages']
    """

    path: str
    """The path of the URL, such as ``/v1/messages``."""

    body: Mapping[str, Any]
    """The parameters of the request: ``model``, ``messages``, ``tools``, ``stream`` and the rest."""

    headers: Mapping[str, str]
    """The headers, under lower-case names."""

    _sent: list[Any] = dataclasses.field(default_factory=list[Any], repr=False, compare=False)  # the response, then

    @property
    def closed(self) -> bool:
        """Whether the response is closed: read to its end, or given up, as it has to be when a browser has left."""
        return any(response.is_closed for response in self._sent)


class Options(TypedDict, total=False):
    """What `replay_client` takes by name."""

    choose: Callable[[ReplayRequest], Recorded] | None
    speed: float | None


class ReplayClient(Anthropic):
    """An `Anthropic` client that answers from recordings. `replay_client` makes it.

    Example:
        >>> from claude_stream import open_stream
        >>> from claude_stream.testing import ReplayClient, replay_client
        >>> def ask(client: ReplayClient) -> str:
        ...     with open_stream(client, model="any", max_tokens=100, messages=[]) as stream:
        ...         return stream.get_final_text()
        >>> client = replay_client("answer.sse")
        >>> ask(client), len(client.requests), client.requests[0].closed
        ('Hello, world!', 1, True)
    """

    @property
    def requests(self) -> list[ReplayRequest]:
        """What this client and its copies were asked so far, in order."""
        return _player(self._client).requests


class AsyncReplayClient(AsyncAnthropic):
    """An `AsyncAnthropic` client that answers from recordings. `async_replay_client` makes it.

    Example:
        >>> import asyncio
        >>> from claude_stream import open_stream
        >>> from claude_stream.testing import AsyncReplayClient, async_replay_client
        >>> async def ask(client: AsyncReplayClient) -> str:
        ...     async with open_stream(client, model="any", max_tokens=100, messages=[]) as stream:
        ...         return await stream.get_final_text()
        >>> client = async_replay_client("answer.sse")
        >>> asyncio.run(ask(client)), len(client.requests), client.requests[0].closed
        ('Hello, world!', 1, True)
    """

    @property
    def requests(self) -> list[ReplayRequest]:
        """What this client and its copies were asked so far, in order."""
        return _player(self._client).requests


def replay_client(
    *recordings: Recorded,
    choose: Callable[[ReplayRequest], Recorded] | None = None,
    speed: float | None = None,
) -> ReplayClient:
    """Return an `Anthropic` client that answers its requests from recordings, one a request, in order.

    A request too many gets an error that says so, a `NotFoundError`. How a recording is cut into chunks
    and where it fails is the recording's: see `Recording.chunked`, ``cut``, ``reset``, ``stall``, ``interrupted``,
    ``error`` and ``http_error``. The client retries nothing, but ``with_options(max_retries=...)`` does.

    ``create()`` without ``stream=True`` gets the message as JSON, as from the API. Where the stream would have
    ended in an ``error`` event, such a request is refused, with the HTTP status of that error; where it would have
    been cut, or have broken in another way, there is an `APIConnectionError`, whose cause names the fault.

    Args:
        recordings: what to answer with: recordings, paths of files that hold one, or lists of events.
        choose: gives the answer to each request, instead of ``recordings``.
        speed: how fast to play, where 1 is the recorded pace and 0 is all at once. None is all at once, too, but for
            a recording that is `Recording.paced`.

    Raises:
        OSError, ValueError: if a file cannot be read, or is damaged.
        ValueError: if there is a speed, and a recording has no times.
        TypeError: if a recording is nothing of the kind, or there are both recordings and ``choose``.

    Example:
        >>> from claude_stream import iter_text
        >>> from claude_stream.testing import message_events, replay_client
        >>> client = replay_client("answer.sse", message_events("Bye."))
        >>> for prompt in ("Hello!", "Bye!"):
        ...     question = [{"role": "user", "content": prompt}]
        ...     stream = client.messages.create(model="any", max_tokens=100, messages=question, stream=True)
        ...     print("".join(iter_text(stream)))
        Hello, world!
        Bye.
        >>> [request.body["messages"][0]["content"] for request in client.requests]
        ['Hello!', 'Bye!']
    """
    http_client = _http_client("Client", recordings, choose, speed)
    return ReplayClient(api_key="sk-ant-replay", max_retries=0, http_client=http_client)


def async_replay_client(
    *recordings: Recorded,
    choose: Callable[[ReplayRequest], Recorded] | None = None,
    speed: float | None = None,
) -> AsyncReplayClient:
    """Return the same as `replay_client` does, as an `AsyncAnthropic` client.

    Example:
        >>> import asyncio
        >>> from claude_stream import collect
        >>> from claude_stream.testing import async_replay_client
        >>> client = async_replay_client("answer.sse")
        >>> request = client.messages.create(model="any", max_tokens=100, messages=[], stream=True)
        >>> asyncio.run(collect(request)).stop_reason
        'end_turn'
    """
    http_client = _http_client("AsyncClient", recordings, choose, speed)
    return AsyncReplayClient(api_key="sk-ant-replay", max_retries=0, http_client=http_client)


def _http_client(
    kind: str, recordings: tuple[Recorded, ...], choose: Callable[[ReplayRequest], Recorded] | None, speed: float | None
) -> Any:
    if recordings and choose is not None:
        raise TypeError("the answers are the recordings, or what choose() gives, and not both")
    package = http_package()
    player = _Player(package, choose or _in_order([playable(item, speed) for item in recordings]), speed)
    http_client = getattr(package, kind)(transport=package.MockTransport(player))
    http_client.player = player  # where the copies of the client find it, too
    return http_client


def _player(http_client: Any) -> _Player:
    return cast("_Player", http_client.player)


def _in_order(recordings: list[Recording]) -> Callable[[ReplayRequest], Recorded]:
    left: Iterator[Recording] = iter(recordings)
    none_left = (
        f"no recording is left for request {len(recordings) + 1}, since so many were given to the client: "
        f"{len(recordings)}. Give it one for each request, as in replay_client(first, second), "
        "or a function that answers any number of them: replay_client(choose=lambda request: recording)"
    )
    return lambda _: next(left, None) or Recording.http_error(404, message=none_left)


class _Player:
    """The handler of a mock transport: a request in, a streaming response out."""

    def __init__(self, package: Any, choose: Callable[[ReplayRequest], Recorded], speed: float | None) -> None:
        self.requests: list[ReplayRequest] = []
        self._package = package
        self._choose = choose
        self._speed = speed

    def __call__(self, request: Any) -> Any:
        content: bytes = request.content
        sent: list[Any] = []
        asked = ReplayRequest(request.url.path, json.loads(content) if content else {}, dict(request.headers), sent)
        self.requests.append(asked)
        recording = playable(self._choose(asked), self._speed)
        if asked.path.endswith("/messages") and not asked.body.get("stream"):
            recording = unstreamed(recording)
        sent.append(answer(self._package, recording, self._speed))
        return sent[0]


class ClaudeReplay:
    """Makes replaying clients out of the recordings in a folder: what the fixture ``claude_replay`` is.

    Args:
        folder: where the paths of recordings begin.

    Example:
        >>> from claude_stream import iter_text
        >>> from claude_stream.testing import ClaudeReplay
        >>> claude_replay = ClaudeReplay(".")  # in a test, take the fixture
        >>> client = claude_replay("answer.sse")
        >>> stream = client.messages.create(model="any", max_tokens=100, messages=[], stream=True)
        >>> "".join(iter_text(stream))
        'Hello, world!'
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def __call__(self, *recordings: Recorded, **options: Unpack[Options]) -> ReplayClient:
        """Return what `replay_client` does."""
        return replay_client(*map(self._found, recordings), **self._options(options))

    def async_client(self, *recordings: Recorded, **options: Unpack[Options]) -> AsyncReplayClient:
        """Return what `async_replay_client` does."""
        return async_replay_client(*map(self._found, recordings), **self._options(options))

    def recording(self, path: str | os.PathLike[str]) -> Recording:
        """Return a recording of the folder, to cut it, or to let it fail.

        Raises:
            OSError, ValueError: if the file cannot be read, or is damaged.
        """
        return recording_of(self._found(path))

    def _options(self, options: Options) -> Options:
        choose = options.get("choose")
        return options if choose is None else {**options, "choose": lambda request: self._found(choose(request))}

    def _found(self, recorded: Recorded) -> Recorded:
        return self.folder / recorded if isinstance(recorded, (str, os.PathLike)) else recorded
