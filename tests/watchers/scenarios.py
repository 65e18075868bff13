"""The ways to read a stream, the ways in which it ends, and what a watcher recorded of each.

The law: a scenario is one request of one fresh client, answered in this process. Its result says what the application
got and what the package recorded, and judges nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import inspect
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from claude_stream import iter_text, open_stream, wrap_client
from claude_stream.testing import Recording, message_events

TEXT = "Hello, world!"
FIRST = "Hello, w"
"""What comes before the cut, the error and the leaving."""

PAUSE = 0.2
"""Seconds that the application takes over the first text, and that a record has to have lasted."""

_HELLO = Recording.from_events(message_events(TEXT))
ENDS = {
    "whole": _HELLO,
    "cut": _HELLO.cut(after=3),
    "error": _HELLO.error("overloaded_error", after=3),
    "left": _HELLO,
}

WAYS = {
    "helper": "the SDK's `messages.stream`",
    "open_stream": "`open_stream`",
    "package_first": "the package, then `wrap_client`",
    "wrap_first": "`wrap_client`, then the package",
    "iter_text": "`iter_text(create(stream=True))`",
    "create": "the SDK's `create(stream=True)`",
}
OURS = ("open_stream", "package_first", "wrap_first", "iter_text")
MODES = ("sync", "async")

_REQUEST: dict[str, Any] = {
    "model": "claude-test",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hi"}],
}


@dataclasses.dataclass
class Record:
    """What a package recorded of one call."""

    text: str = ""
    input: int | None = None
    output: int | None = None
    outcome: str = "unset"
    """``ok``, ``error``, ``unset`` where it has neither, ``open`` for a record that was begun and never ended."""

    seconds: float | None = None


@dataclasses.dataclass
class Result:
    """What came of a scenario."""

    way: str
    mode: str
    end: str
    text: str = ""
    error: str = ""
    records: list[Record] = dataclasses.field(default_factory=list)


def run_all(package: Any, ways: Iterable[str]) -> Iterator[Result]:
    """Run the scenarios of some ways for a package, which is put on in the middle: some clients are made before."""
    clients: dict[Any, Any] = {}
    for way, mode, end in itertools.product(ways, MODES, ENDS):
        client = package.client(ENDS[end], is_async=mode == "async")
        clients[way, mode, end] = _wrapped(client) if way == "wrap_first" else client
    package.start()
    package.take()
    gc.freeze()  # or each collection takes half a second, with what the packages load
    for (way, mode, end), client in clients.items():
        result = Result(way, mode, end)

        def make(client: Any = client, way: str = way) -> Any:
            watched = package.watch(client)
            return _opened(way, _wrapped(watched) if way == "package_first" else watched)

        run = _run_async if mode == "async" else _run_sync
        try:
            run(make, result)
        except Exception as exc:
            result.error = type(exc).__name__
        del client
        clients[way, mode, end] = make = None
        gc.collect()
        result.records = package.take()
        yield result


def _wrapped(client: Any) -> Any:
    return wrap_client(client)


def _opened(way: str, client: Any) -> Any:
    if way == "open_stream":
        return open_stream(client, **_REQUEST)
    if way in ("iter_text", "create"):
        given = client.messages.create(**_REQUEST, stream=True)
        return iter_text(given) if way == "iter_text" else _Closed(given)
    return client.messages.stream(**_REQUEST)


class _Closed:
    """Closes a stream of the SDK behind the block, and gives it as it is: many packages do not see it entered."""

    def __init__(self, given: Any) -> None:
        self._given = given

    def __enter__(self) -> Any:
        return self._given

    def __exit__(self, *_: object) -> None:
        self._given.close()

    async def __aenter__(self) -> Any:
        self._given = await self._given
        return self._given

    async def __aexit__(self, *_: object) -> None:
        await self._given.close()


def _run_sync(make: Callable[[], Any], result: Result) -> None:
    with make() as stream:
        for text in map(_text_in, getattr(stream, "text_stream", stream)):
            if text and not result.text:
                time.sleep(PAUSE)
            result.text += text
            if text and result.end == "left":
                break


def _run_async(make: Callable[[], Any], result: Result) -> None:
    async def main() -> None:
        opened = make()
        async with await opened if inspect.iscoroutine(opened) else opened as stream:
            async for item in getattr(stream, "text_stream", stream):
                text = _text_in(item)
                if text and not result.text:
                    await asyncio.sleep(PAUSE)
                result.text += text
                if text and result.end == "left":
                    break

    async def with_time_to_end() -> None:
        try:
            await main()
        finally:
            gc.collect()
            await asyncio.sleep(0.01)  # for what the packages leave to the event loop

    asyncio.run(with_time_to_end())


def _text_in(item: Any) -> str:
    if isinstance(item, str):
        return item
    return getattr(getattr(item, "delta", None), "text", None) or ""
