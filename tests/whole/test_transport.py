"""What the network does to a stream: real sockets on loopback, and the SDK's real clients.

The law: each behaviour is one async function, for sync, asyncio and trio. Sync mode runs it by hand,
since everything that it awaits there is done at once. The server sends nothing that could be lost
before it was read: where the fault would overtake the bytes, it waits until the reader has them.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import inspect
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import anyio
import pytest
import trustme
from typing_extensions import Self

from claude_stream import (
    StreamConnectionError,
    StreamError,
    StreamTimeoutError,
    StreamTruncatedError,
    collect,
    iter_events,
    iter_text,
)
from claude_stream.testing import message_events
from tests.loopback import End, Loopback, Script
from tests.support import REQUEST, Mode, Outcome, body_of

EVENTS = message_events("Hello, wonderful world!")  # eight: two of the start, three deltas, three of the end
WHOLE = body_of(EVENTS)
FIRST, REST = body_of(EVENTS[:4]), body_of(EVENTS[4:])  # cut behind the text "Hello, wonderful"
PARTIAL = FIRST + REST[:30]  # cut inside an event

SYNC_MODE = pytest.mark.parametrize("mode", ["sync"], indirect=True)
ASYNC_MODES = pytest.mark.parametrize("mode", ["asyncio", "trio"], indirect=True)


def by_hand(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run what has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("sync code has nothing to wait for")


def in_every_mode(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in whichever mode it gets."""

    @functools.wraps(test)
    def run(mode: Mode, **fixtures: Any) -> None:
        async def bounded() -> None:
            with anyio.fail_after(8) if mode.is_async else contextlib.nullcontext():
                await test(mode, **fixtures)
            gc.collect()  # so that what was left behind shows in this test

        if mode.is_async:
            mode.run(bounded)
        else:
            by_hand(bounded())

    return run


async def done(value: Any) -> Any:
    """Return a result of either colour."""
    return await value if inspect.isawaitable(value) else value


class Either(AsyncIterator[Any]):
    """An iterator of ours of either colour, to be read, entered and closed as if it were async."""

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator
        self._is_async = hasattr(iterator, "__anext__")

    async def __anext__(self) -> Any:
        if self._is_async:
            return await self._iterator.__anext__()
        for item in self._iterator:
            return item
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        await done(self._iterator.__aenter__() if self._is_async else self._iterator.__enter__())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await done((self._iterator.__aexit__ if self._is_async else self._iterator.__exit__)(*exc_info))

    async def aclose(self) -> None:
        await done(self._iterator.aclose() if self._is_async else self._iterator.close())


async def read(texts: Any, when_received: Callable[[], object] = lambda: None) -> Outcome:
    """Read to the end or the failure, and report once the text of `FIRST` is there."""
    outcome = Outcome([])
    try:
        async for text in Either(texts):
            outcome.items.append(text)
            if "".join(outcome.items) == "Hello, wonderful":
                when_received()
    except Exception as exc:
        outcome.error = exc.with_traceback(None)
    return outcome


def http() -> Any:
    """Return the HTTP package of the installed SDK: `httpx` before 1.0, `httpx2` since."""
    packages = (base.__module__.partition(".")[0] for base in anthropic.DefaultHttpxClient.__mro__)
    return importlib.import_module(next(package for package in packages if package.startswith("httpx")))


class Net:
    """Plain HTTP or TLS: servers, and clients that trust them."""

    def __init__(self, tls: bool) -> None:
        self._server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        self._client_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._server_tls is not None:
            authority = trustme.CA()
            authority.issue_cert("127.0.0.1").configure_cert(self._server_tls)
            authority.configure_trust(self._client_tls)

    def serve(self, *scripts: Script) -> Loopback:
        """Return a server, to be entered."""
        return Loopback(*scripts, tls=self._server_tls)

    @contextlib.asynccontextmanager
    async def client(self, server: Loopback, mode: Mode, timeout: float = 5.0) -> AsyncIterator[Callable[[], Any]]:
        """Give the `create` of a client with two connections at most, whose every wait is bounded."""
        http_client, client = (
            (anthropic.DefaultAsyncHttpxClient, anthropic.AsyncAnthropic)
            if mode.is_async
            else (anthropic.DefaultHttpxClient, anthropic.Anthropic)
        )
        limits = http().Limits(max_connections=2)
        transport = http_client(limits=limits, verify=self._client_tls, trust_env=False)
        made: Any = client(
            base_url=server.url,
            api_key="x",
            max_retries=0,
            timeout=timeout,
            http_client=transport,
        )
        try:
            yield functools.partial(made.messages.create, **REQUEST, stream=True)
        finally:
            await done(made.close())


@pytest.fixture(scope="module", autouse=True)
def only_new_garbage() -> Iterator[None]:
    """Makes `gc.collect` look at nothing older than these tests, which takes 0.1 s off each."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module", params=[False, True], ids=["http", "https"])
def net(request: pytest.FixtureRequest) -> Net:
    """Runs the test over plain HTTP and over TLS."""
    return Net(tls=request.param)


def assert_kept(outcome: Outcome) -> None:
    """Check that the text of `FIRST` came, and then an error of ours that holds it."""
    error = outcome.error
    assert isinstance(error, StreamError)
    assert "".join(outcome.items) == "Hello, wonderful"
    assert error.partial is not None
    assert [block.text for block in error.partial.content if block.type == "text"] == ["Hello, wonderful"]


def assert_failed(outcome: Outcome, expected: type[StreamConnectionError]) -> None:
    """Check the same, and that it is an error of just this class, which the SDK's own `except` clauses catch."""
    assert_kept(outcome)
    error = outcome.error
    assert type(error) is expected
    assert isinstance(error, anthropic.APIConnectionError)
    assert (error.retryable, error.content_started, error.request_id) == (True, True, "req_loopback")


# -- faults before the end --


@pytest.mark.parametrize("end", ["reset", "cut"])
@in_every_mode
async def test_a_broken_connection(mode: Mode, net: Net, end: End) -> None:
    """A connection that breaks in mid-body gives all the text before it, then an error caused by the transport's."""
    go = threading.Event()
    with net.serve((PARTIAL, go, end)) as server:
        async with net.client(server, mode) as create:
            outcome = await read(iter_text(create()), go.set)
    assert_failed(outcome, StreamConnectionError)
    assert outcome.error is not None
    assert isinstance(outcome.error.__cause__, http().TransportError)


@pytest.mark.parametrize("end", ["finish", "short"])
@in_every_mode
async def test_a_clean_end_too_early(mode: Mode, net: Net, end: End) -> None:
    """A body that ends properly, but before its message does, is truncated, and its connection is used again."""
    with net.serve((PARTIAL, end)) as server:
        async with net.client(server, mode) as create:
            outcomes = [await read(iter_text(create())) for _ in range(2)]
        assert server.accepted == 1
    for outcome in outcomes:
        assert_failed(outcome, StreamTruncatedError)


@in_every_mode
async def test_a_stalled_server(mode: Mode, net: Net) -> None:
    """When nothing arrives for the client's read timeout, the reader gets StreamTimeoutError with the partial."""
    with net.serve((PARTIAL, "stall")) as server:
        async with net.client(server, mode, timeout=0.4) as create:
            start = time.perf_counter()
            outcome = await read(iter_text(create()))
            assert 0.3 < time.perf_counter() - start < 2
            assert server.wait_until_closed()
    assert_failed(outcome, StreamTimeoutError)
    assert isinstance(outcome.error, anthropic.APITimeoutError)
    assert isinstance(outcome.error.__cause__, http().ReadTimeout)


# -- after message_stop --


@pytest.mark.parametrize(("pause", "end"), [(0.0, "cut"), (0.05, "cut"), (0.05, "reset")])
@in_every_mode
async def test_a_fault_after_the_message(mode: Mode, net: Net, pause: float, end: End) -> None:
    """A connection that breaks after message_stop is no error: the text and the message are whole."""
    with net.serve((WHOLE, pause, end)) as server:
        async with net.client(server, mode) as create:
            outcome = await read(iter_text(create()))
            message = await done(collect(create()))
            assert server.wait_until_closed()
    assert (outcome.error, "".join(outcome.items)) == (None, "Hello, wonderful world!")
    assert (message.content[0].text, message.stop_reason) == ("Hello, wonderful world!", "end_turn")


@in_every_mode
async def test_a_body_that_does_not_end(mode: Mode, net: Net) -> None:
    """A body that stays open after message_stop is waited for only briefly, and its connection is given up."""
    with net.serve((WHOLE, "linger")) as server:
        async with net.client(server, mode) as create:
            start = time.perf_counter()
            outcome = await read(iter_text(create()))
            middle = time.perf_counter()
            message = await done(collect(create()))
            end = time.perf_counter()
            assert max(middle - start, end - middle) < 0.6
            assert server.wait_until_closed()
    assert (outcome.error, "".join(outcome.items)) == (None, "Hello, wonderful world!")
    assert message.stop_reason == "end_turn"


@pytest.mark.parametrize("pause", [0.0, 0.05])
@in_every_mode
async def test_streams_share_a_connection(mode: Mode, net: Net, pause: float) -> None:
    """Streams that were read to the end use one connection, even if the end of the body comes late."""
    with net.serve((WHOLE, pause, "finish")) as server:
        async with net.client(server, mode) as create:
            assert (await read(iter_text(create()))).error is None
            assert (await done(collect(create()))).stop_reason == "end_turn"
            assert (await read(iter_text(iter_events(create())))).error is None
        assert server.accepted == 1


@in_every_mode
async def test_leaving_a_block_at_the_end_keeps_the_connection(mode: Mode, net: Net) -> None:
    """Closing an iterator that was read to its end does not touch the connection, which serves others by then."""
    with net.serve((WHOLE, "finish")) as server:
        async with net.client(server, mode) as create:
            for _ in range(2):
                async with Either(iter_text(create())) as texts:
                    assert "".join([text async for text in texts]) == "Hello, wonderful world!"
        assert server.accepted == 1


@in_every_mode
async def test_a_shared_connection_is_left_alone(mode: Mode, net: Net) -> None:
    """The watch over the end of one stream does not touch the next one on the same connection."""
    with net.serve((WHOLE, "finish"), (FIRST, 0.5, REST, "finish")) as server:
        async with net.client(server, mode) as create:
            assert (await read(iter_text(create()))).error is None
            outcome = await read(iter_text(create()))
        assert server.accepted == 1
    assert (outcome.error, "".join(outcome.items)) == (None, "Hello, wonderful world!")


# -- several readers, and the stop button --


@pytest.mark.parametrize(
    "stages", [iter_text, lambda source: iter_text(iter_events(source))], ids=["one stage", "two stages"]
)
@SYNC_MODE
@in_every_mode
async def test_close_from_another_thread(mode: Mode, net: Net, stages: Callable[[Any], Any]) -> None:
    """close() ends a reader that another thread is blocked in at once, and the reader keeps the partial."""
    received = threading.Event()
    with net.serve((PARTIAL, "stall")) as server, ThreadPoolExecutor() as pool:
        async with net.client(server, mode) as create:
            stream = stages(create())
            reader = pool.submit(by_hand, read(stream, received.set))
            assert received.wait(5)
            time.sleep(0.1)  # by now the reader waits for more
            start = time.perf_counter()
            stream.close()
            outcome = reader.result(timeout=4)
            assert time.perf_counter() - start < 1
            assert server.wait_until_closed()
    assert_kept(outcome)


@SYNC_MODE
@in_every_mode
async def test_a_second_thread_is_refused(mode: Mode, net: Net) -> None:
    """While one thread reads, another one gets RuntimeError, and the first reads on undisturbed."""
    received, go = threading.Event(), threading.Event()
    with net.serve((FIRST, go, REST, "finish")) as server, ThreadPoolExecutor() as pool:
        async with net.client(server, mode) as create:
            stream = iter_text(create())
            reader = pool.submit(by_hand, read(stream, received.set))
            assert received.wait(5)
            time.sleep(0.1)  # by now the reader waits for more
            with pytest.raises(RuntimeError, match="one reader at a time"):
                next(stream)
            go.set()
            outcome = reader.result(timeout=4)
    assert (outcome.error, "".join(outcome.items)) == (None, "Hello, wonderful world!")


@ASYNC_MODES
@in_every_mode
async def test_a_second_task_is_refused(mode: Mode, net: Net) -> None:
    """While one task reads, another one gets RuntimeError, and the first reads on undisturbed."""
    received, go = anyio.Event(), threading.Event()
    outcomes: list[Outcome] = []
    with net.serve((FIRST, go, REST, "finish")) as server:
        async with net.client(server, mode) as create, anyio.create_task_group() as tasks:
            stream = iter_text(create())

            async def reader() -> None:
                outcomes.append(await read(stream, received.set))

            tasks.start_soon(reader)
            await received.wait()
            await anyio.sleep(0.05)  # by now the reader waits for more
            with pytest.raises(RuntimeError, match="one reader at a time"):
                await anext(stream)
            go.set()
    [outcome] = outcomes
    assert (outcome.error, "".join(outcome.items)) == (None, "Hello, wonderful world!")


# -- leaving early --


async def leave_unread(stream: Any) -> None:
    async with Either(stream):
        pass


async def leave_by_break(stream: Any) -> None:
    async with Either(stream) as texts:
        async for text in texts:
            assert text == "Hello, w"
            break


async def leave_by_exception(stream: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        async with Either(stream) as texts:
            async for _ in texts:
                raise ZeroDivisionError


async def leave_by_closing_twice(stream: Any) -> None:
    texts = Either(stream)
    await anext(texts)
    await texts.aclose()
    await texts.aclose()
    with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
        await anext(texts)


async def leave_by_cancelled_loop(stream: Any) -> None:
    async with Either(stream) as texts:
        with anyio.move_on_after(0.05) as scope:
            async for _ in texts:
                pass
    assert scope.cancelled_caught


async def leave_by_cancelled_block(stream: Any) -> None:
    with anyio.move_on_after(0.05) as scope:
        async with Either(stream) as texts:
            async for _ in texts:
                pass
    assert scope.cancelled_caught


async def leave_in_cancelled_consumer(stream: Any) -> None:
    with anyio.move_on_after(0.05) as scope:
        async with Either(stream) as texts:
            async for _ in texts:
                await anyio.sleep(5)
    assert scope.cancelled_caught


async def check_left(mode: Mode, net: Net, leave: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    with net.serve((PARTIAL, "stall")) as server:
        async with net.client(server, mode) as create:
            for _ in range(3):  # one more than the pool has connections
                await leave(iter_text(create()))
            assert server.wait_until_closed()  # while the client is still open


@pytest.mark.parametrize("leave", [leave_unread, leave_by_break, leave_by_exception, leave_by_closing_twice])
@in_every_mode
async def test_leaving_early(mode: Mode, net: Net, leave: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    """Whoever leaves a stream early leaves no connection open and no warning of ours behind."""
    await check_left(mode, net, leave)


@pytest.mark.parametrize("leave", [leave_by_cancelled_loop, leave_by_cancelled_block, leave_in_cancelled_consumer])
@ASYNC_MODES
@in_every_mode
async def test_cancellation(mode: Mode, net: Net, leave: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    """A task that is cancelled at a stream leaves no connection open and no warning of ours behind."""
    await check_left(mode, net, leave)
