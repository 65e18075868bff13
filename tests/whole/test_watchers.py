"""Somebody who watches a call goes on seeing it: what stand-ins for instrumentation packages learn of a stream.

These stand-ins are what the real packages do (tests/watchers/), in the few forms that there are. Around what a
patched `create` returns: a proxy that sees each event, a proxy that looks in ``__iter__`` and ``__aiter__`` only, an
object that holds a generator and leads to the stream, a bare generator. Without a patched `create`: a stream class of
their own, a patch on the SDK's stream class, a patch inside it.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
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
SDK = tuple(int(part) for part in anthropic.__version__.split(".")[:2])


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

    def loop(self, stream: Any) -> Any:
        """Return a proxy around a stream that sees what loops over it; its ``__anext__`` is the stream's own."""
        watcher = self

        class Proxy(wrapt.ObjectProxy):
            def __iter__(self) -> Any:
                return watcher._generator(self.__wrapped__)

            def __aiter__(self) -> Any:
                return watcher._agenerator(self.__wrapped__)

        return Proxy(stream)

    def holder(self, stream: Any) -> Any:
        """Return an object that gives what a generator gives, and has all else from the stream."""
        return (_AsyncHolder if hasattr(stream, "__aiter__") else _SyncHolder)(self.generator(stream), stream)

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


class _Holder:
    def __init__(self, generator: Any, stream: Any) -> None:
        self._generator, self._stream = generator, stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _SyncHolder(_Holder):
    def __iter__(self) -> Any:
        return self._generator

    def close(self) -> None:
        self._generator.close()
        self._stream.close()


class _AsyncHolder(_Holder):
    def __aiter__(self) -> Any:
        return self

    def __anext__(self) -> Any:
        return self._generator.__anext__()

    async def close(self) -> None:
        await self._generator.aclose()
        await self._stream.close()


class _Watching:
    def __init__(self, watcher: Watcher, end: type[Exception] | None) -> None:
        self.watcher, self.end = watcher, end

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.watcher.ends.append("read" if kind is self.end else kind.__name__)


@pytest.fixture(params=["proxy", "loop", "holder", "generator"])
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
    assert watcher.ends == (["read"] if watcher.kind == "generator" else ["StreamTruncatedError"])


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
        if watcher.kind != "proxy":
            assert watcher.ends == ["GeneratorExit"]
        if watcher.kind != "generator":
            assert stream.response.is_closed

    (mode if mode.is_async else Mode("asyncio")).run(main)


def test_iter_text_of_what_a_watched_create_gives(mode: Mode, watcher: Watcher) -> None:
    """The same holds where the application calls `create` itself."""
    if watcher.kind in ("holder", "generator"):
        pytest.skip("it is the user's own, and is not read behind message_stop")
    client = mode.client(HELLO, HELLO.cut(after=3))
    outcome = mode.read(lambda: iter_text(client.messages.create(**REQUEST, stream=True)))
    assert ("".join(outcome.items), outcome.error) == ("Hello, world!", None)
    assert (watcher.events, watcher.ends) == (KINDS, ["read"])
    outcome = mode.read(lambda: iter_text(client.messages.create(**REQUEST, stream=True)))
    assert isinstance(outcome.error, StreamTruncatedError)
    assert watcher.ends == ["read", "StreamTruncatedError"]


def _of_its_own_class(watcher: Watcher, patch: pytest.MonkeyPatch) -> None:
    def sending(send: Any) -> Any:
        def request(*args: Any, stream_cls: Any, **options: Any) -> Any:
            class Stream(stream_cls):
                def __iter__(self) -> Any:
                    return watcher._generator(super().__iter__())

                def __aiter__(self) -> Any:
                    return watcher._agenerator(super().__aiter__())

            return send(*args, **options, stream_cls=Stream)

        return request

    for cls in (anthropic.Anthropic, anthropic.AsyncAnthropic):
        patch.setattr(cls, "request", sending(cls.request))


def _patched_class(watcher: Watcher, patch: pytest.MonkeyPatch) -> None:
    own, async_own = anthropic.Stream.__iter__, anthropic.AsyncStream.__aiter__
    patch.setattr(anthropic.Stream, "__iter__", lambda stream: watcher._generator(own(stream)))
    patch.setattr(anthropic.AsyncStream, "__aiter__", lambda stream: watcher._agenerator(async_own(stream)))


def _patched_inside(watcher: Watcher, patch: pytest.MonkeyPatch) -> None:
    own, async_own = anthropic.Stream._iter_events, anthropic.AsyncStream._iter_events

    def seen(item: Any) -> Any:
        watcher.events.append(item.event)
        return item

    def iter_events(stream: Any) -> Any:
        with watcher.watching():
            yield from map(seen, own(stream))
        watcher.ends.append("read")

    async def async_iter_events(stream: Any) -> Any:
        with watcher.watching():
            async for item in async_own(stream):
                yield seen(item)
        watcher.ends.append("read")

    patch.setattr(anthropic.Stream, "_iter_events", iter_events)
    patch.setattr(anthropic.AsyncStream, "_iter_events", async_iter_events)


@pytest.mark.parametrize(
    ("put_on", "way"),
    [
        (_of_its_own_class, "open_stream"),
        (_of_its_own_class, "iter_text"),
        # These patch `create` besides, or mark the streams that they mean; of all others, `open_stream` reads the body.
        (_patched_class, "iter_text"),
        (_patched_inside, "iter_text"),
    ],
)
@pytest.mark.parametrize(
    ("recording", "error", "end"),
    [(HELLO, None, "read"), (HELLO.cut(after=3), StreamTruncatedError, "StreamTruncatedError")],
    ids=["whole", "cut"],
)
def test_who_watches_without_create_sees_it_too(
    mode: Mode, monkeypatch: pytest.MonkeyPatch, put_on: Any, way: str, recording: Recording, error: Any, end: str
) -> None:
    """The stream itself shows that it is watched; one who is inside, which nothing shows, learns of an early end."""
    watcher = Watcher()
    put_on(watcher, monkeypatch)
    client = mode.client(recording)
    if way == "iter_text":
        outcome = mode.read(lambda: iter_text(client.messages.create(**REQUEST, stream=True)))
        assert type(outcome.error) is (error or type(None))
    elif error is None:
        assert read(mode, lambda: open_stream(client, **REQUEST))[1] == "Hello, world!"
    else:
        with pytest.raises(error):
            read(mode, lambda: open_stream(client, **REQUEST))
    assert watcher.events == (KINDS if error is None else KINDS[:3])
    if put_on is not _patched_inside or error is not None:  # what is inside is closed behind message_stop
        assert watcher.ends == [end]


def test_a_watched_stream_that_is_dropped_is_gone_soon(watcher: Watcher) -> None:
    """Nothing of ours ties it to itself: it is gone when the event loop has closed the generators of the SDK."""
    if watcher.kind == "generator":
        pytest.skip("there is nothing of ours around it")
    if SDK < (1, 14):
        pytest.skip("the SDK's stream is tied to itself")

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
