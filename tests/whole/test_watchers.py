"""Somebody who watches a call goes on seeing it: what stand-ins for instrumentation packages learn of a stream.

These stand-ins are what the real packages do (tests/watchers/), in the few forms that there are: a wrapper on
the class, a proxy around the stream, a generator over it.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import wrapt

from claude_stream import (
    StreamConnectionError,
    StreamOverloadedError,
    StreamProtocolError,
    StreamTruncatedError,
    iter_text,
    open_stream,
)
from claude_stream import wrap_client as wrap
from claude_stream.testing import Recording, message_events
from tests.support import REQUEST, Mode
from tests.support import open_and_read_in as read

HELLO = Recording.from_events(message_events("Hello, world!"))
KINDS = [event["type"] for event in message_events("Hello, world!")]


class Watcher:
    """What a package learns: the events, and how they ended."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.ends: list[str] = []

    def proxy(self, stream: Any) -> Any:
        """Return a proxy around a stream, which can be iterated both ways, as wrapt's can."""
        watcher = self

        class Proxy(wrapt.ObjectProxy):
            def __iter__(self) -> Any:
                return self

            def __next__(self) -> Any:
                with watcher.watching(StopIteration):
                    return watcher.seen(next(self.__wrapped__))

            def __aiter__(self) -> Any:
                return self

            async def __anext__(self) -> Any:
                with watcher.watching(StopAsyncIteration):
                    return watcher.seen(await self.__wrapped__.__anext__())

        return Proxy(stream)

    def generator(self, stream: Any) -> Any:
        """Return a generator over a stream."""
        return self._agenerator(stream) if hasattr(stream, "__aiter__") else self._generator(stream)

    def _generator(self, stream: Any) -> Iterator[Any]:
        with self.watching():
            for event in stream:
                yield self.seen(event)
        self.ends.append("read")

    async def _agenerator(self, stream: Any) -> Any:
        with self.watching():
            async for event in stream:
                yield self.seen(event)
        self.ends.append("read")

    def seen(self, event: Any) -> Any:
        self.events.append(event.type)
        return event

    def watching(self, end: type[Exception] | None = None) -> Any:
        return _Watching(self, end)


class _Watching:
    def __init__(self, watcher: Watcher, end: type[Exception] | None) -> None:
        self.watcher, self.end = watcher, end

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.watcher.ends.append("read" if kind is self.end else kind.__name__)


@pytest.fixture(params=["proxy", "generator"])
def watcher(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Watcher:
    """Patch `create` of the SDK's classes, as instrumentation does."""
    watcher = Watcher()
    watch: Callable[[Any], Any] = getattr(watcher, request.param)

    async def awaited(given: Any) -> Any:
        return watch(await given)

    def wrapper(wrapped: Any, instance: Any, args: Any, params: Any) -> Any:
        given = wrapped(*args, **params)
        return awaited(given) if "Async" in type(instance).__name__ else watch(given)

    for module in ("anthropic.resources.messages", "anthropic.resources.beta.messages"):
        for name in ("Messages", "AsyncMessages"):
            cls = getattr(importlib.import_module(module), name)
            monkeypatch.setattr(cls, "create", wrapt.FunctionWrapper(cls.create, wrapper))
    watcher.kind = request.param
    return watcher


WAYS: dict[str, Callable[[Any], Any]] = {
    "open_stream": lambda client: open_stream(client, **REQUEST),
    "beta": lambda client: open_stream(client.beta.messages, **REQUEST),
    "wrapped": lambda client: wrap(client).messages.stream(**REQUEST),
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


@ways
def test_a_cut_stream_is_no_success(mode: Mode, watcher: Watcher, way: Any) -> None:
    """Who looks through a proxy learns of the error; our reader raises it with the partial."""
    with pytest.raises(StreamTruncatedError) as caught:
        read(mode, lambda: way(mode.client(HELLO.cut(after=3))))
    assert caught.value.partial is not None
    assert caught.value.partial.content[0].text == "Hello, w"
    assert watcher.events == KINDS[:3]
    # A generator hides the response, so that there is no way to tell who made it of an end that only we call early.
    assert watcher.ends == (["StreamTruncatedError"] if watcher.kind == "proxy" else ["read"])


@ways
@pytest.mark.parametrize(
    ("recording", "expected", "seen"),
    [
        (HELLO.error("overloaded_error", after=3), StreamOverloadedError, "APIStatusError"),
        (HELLO.reset(after=3), StreamConnectionError, "ReadError"),
    ],
    ids=["error event", "reset"],
)
def test_an_error_is_seen_as_the_sdk_has_it(
    mode: Mode, watcher: Watcher, way: Any, recording: Recording, expected: type[Exception], seen: str
) -> None:
    """Below us, it is what the SDK raises; above, it is ours."""
    with pytest.raises(expected):
        read(mode, lambda: way(mode.client(recording)))
    [end] = watcher.ends
    assert end in (seen, "OverloadedError", "InternalServerError")
    assert watcher.events == KINDS[:3]


@ways
def test_a_whole_stream_is_seen_to_its_end(mode: Mode, watcher: Watcher, way: Any) -> None:
    """All events, and then the end, though we know before it that the message is complete."""
    stream, text = read(mode, lambda: way(mode.client(HELLO)))
    assert (text, stream.usage.output_tokens, stream.complete) == ("Hello, world!", 12, True)
    assert watcher.events == KINDS
    assert watcher.ends == ["read"]


def test_without_strict_a_cut_stream_is_as_with_the_sdk(mode: Mode, watcher: Watcher) -> None:
    """Who asked for what came gets it, and the end is no error for anybody."""
    client = mode.client(HELLO.cut(after=3))
    assert read(mode, lambda: open_stream(client, **REQUEST, strict=False))[1] == "Hello, w"
    assert watcher.ends == ["read"]


def test_another_body_is_no_success(mode: Mode, watcher: Watcher) -> None:
    """HTML is named, below and above."""
    if watcher.kind == "generator":
        pytest.skip("its response is out of reach")
    with pytest.raises(StreamProtocolError):
        read(mode, lambda: open_stream(mode.client(Recording.from_bytes(b"<html>" * 9)), **REQUEST))
    assert watcher.ends == ["StreamProtocolError"]


def test_restarts_are_seen_one_by_one(mode: Mode, watcher: Watcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt is a call of its own for who watches."""
    monkeypatch.setattr("claude_stream._open.backoff", lambda _: 0)
    client = mode.client(HELLO.error("overloaded_error", after=1), HELLO)
    assert read(mode, lambda: open_stream(client, **REQUEST, restarts=1))[1] == "Hello, world!"
    assert watcher.events == ["message_start", *KINDS]
    assert watcher.ends[-1] == "read"
    assert len(watcher.ends) == 2


# Closing a generator leaves the SDK's below it suspended, and trio says so: only its maker could close that.
@pytest.mark.filterwarnings("ignore:Async generator .*AsyncStream.__stream__:ResourceWarning")
def test_leaving_early_is_seen_at_once(mode: Mode, watcher: Watcher) -> None:
    """A generator is closed; of a proxy, the stream is closed, and the response with it."""

    async def main() -> None:
        manager: Any = open_stream(mode.client(HELLO), **REQUEST)
        if mode.is_async:
            async with manager as stream:
                assert await anext(stream.text_stream) == "Hello, w"
        else:
            with manager as stream:
                assert next(stream.text_stream) == "Hello, w"
        if watcher.kind == "generator":
            assert watcher.ends == ["GeneratorExit"]
        else:
            assert stream.response.is_closed

    (mode if mode.is_async else Mode("asyncio")).run(main)


def test_iter_text_of_what_a_watched_create_gives(mode: Mode, watcher: Watcher) -> None:
    """The same holds where the application calls `create` itself."""
    if watcher.kind == "generator":
        pytest.skip("a generator is the user's own, and is not read behind message_stop")
    client = mode.client(HELLO, HELLO.cut(after=3))
    outcome = mode.read(lambda: iter_text(client.messages.create(**REQUEST, stream=True)))
    assert ("".join(outcome.items), outcome.error) == ("Hello, world!", None)
    assert (watcher.events, watcher.ends) == (KINDS, ["read"])
    outcome = mode.read(lambda: iter_text(client.messages.create(**REQUEST, stream=True)))
    assert isinstance(outcome.error, StreamTruncatedError)
    assert watcher.ends == ["read", "StreamTruncatedError"]


def test_a_watched_stream_that_is_dropped_is_gone_soon(watcher: Watcher) -> None:
    """Nothing of ours ties it to itself: it is gone when the event loop has closed the generators of the SDK."""
    if watcher.kind == "generator":
        pytest.skip("there is nothing of ours around it")

    async def main() -> None:
        manager: Any = open_stream(Mode("asyncio").client(HELLO), **REQUEST)
        stream = await manager.__aenter__()
        assert await anext(stream.text_stream) == "Hello, w"
        gone = weakref.ref(stream._builder)
        del stream, manager
        for _ in range(20):
            await asyncio.sleep(0)
        assert gone() is None

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()
