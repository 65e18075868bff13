"""What the network does to a stream: real sockets on loopback, and the SDK's real clients.

The law: each behaviour is one async function, for sync, asyncio and trio. Sync mode runs it by hand,
since everything that it awaits there is done at once. The server sends nothing that could be lost
before it was read: where the fault would overtake the bytes, it waits until the reader has them.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import anyio
import pytest

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
from tests.loopback import End, Loopback
from tests.nets import Net, http_of_the_sdk
from tests.support import (
    ASYNC_MODES,
    PATIENCE,
    REQUEST,
    SOON,
    SYNC_MODE,
    Either,
    Mode,
    Outcome,
    body_of,
    by_hand,
    done,
    in_every_mode,
    read,
    until_somebody_reads,
)

EVENTS = message_events("Hello, wonderful world!")  # eight: two of the start, three deltas, three of the end
WHOLE = body_of(EVENTS)
FIRST, REST = body_of(EVENTS[:4]), body_of(EVENTS[4:])  # cut behind the text "Hello, wonderful"
PARTIAL = FIRST + REST[:30]  # cut inside an event

pytestmark = pytest.mark.socket


@contextlib.asynccontextmanager
async def creating(net: Net, server: Loopback, mode: Mode, **options: Any) -> AsyncIterator[Callable[[], Any]]:
    """Give the `create` of a client with two connections at most."""
    async with net.client(server.url, mode, **options) as client:
        yield functools.partial(client.messages.create, **REQUEST, stream=True)


def when_first_is_there(call: Callable[[], object]) -> Callable[[str], None]:
    """Return a listener to texts that calls once all of `FIRST` has been read."""
    return lambda so_far: (call(), None)[1] if so_far == "Hello, wonderful" else None


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
        async with creating(net, server, mode) as create:
            outcome = await read(iter_text(create()), when_first_is_there(go.set))
    assert_failed(outcome, StreamConnectionError)
    assert outcome.error is not None
    assert isinstance(outcome.error.__cause__, http_of_the_sdk().TransportError)


@pytest.mark.parametrize("end", ["finish", "short"])
@in_every_mode
async def test_a_clean_end_too_early(mode: Mode, net: Net, end: End) -> None:
    """A body that ends properly, but before its message does, is truncated, and its connection is used again."""
    with net.serve((PARTIAL, end)) as server:
        async with creating(net, server, mode) as create:
            outcomes = [await read(iter_text(create())) for _ in range(2)]
        assert server.accepted == 1
    for outcome in outcomes:
        assert_failed(outcome, StreamTruncatedError)


@pytest.mark.slow
@in_every_mode
async def test_a_stalled_server(mode: Mode, net: Net) -> None:
    """When nothing arrives for the client's read timeout, the reader gets StreamTimeoutError with the partial."""
    with net.serve((PARTIAL, "stall")) as server:
        async with creating(net, server, mode, timeout=1.0) as create:
            start = time.perf_counter()
            outcome = await read(iter_text(create()))
            assert time.perf_counter() - start > 0.9
            assert server.wait_until_closed()
    assert_failed(outcome, StreamTimeoutError)
    assert isinstance(outcome.error, anthropic.APITimeoutError)
    assert isinstance(outcome.error.__cause__, http_of_the_sdk().ReadTimeout)


# -- after message_stop --


@pytest.mark.parametrize(("pause", "end"), [(0.0, "cut"), (0.05, "cut"), (0.05, "reset")])
@in_every_mode
async def test_a_fault_after_the_message(mode: Mode, net: Net, pause: float, end: End) -> None:
    """A connection that breaks after message_stop is no error: the text and the message are whole."""
    with net.serve((WHOLE, pause, end)) as server:
        async with creating(net, server, mode) as create:
            outcome = await read(iter_text(create()))
            message = await done(collect(create()))
            assert server.wait_until_closed()
    assert (outcome.error, "".join(outcome.items)) == (None, "Hello, wonderful world!")
    assert (message.content[0].text, message.stop_reason) == ("Hello, wonderful world!", "end_turn")


@in_every_mode
async def test_a_body_that_does_not_end(mode: Mode, net: Net) -> None:
    """A body that stays open after message_stop is waited for only briefly, and its connection is given up."""
    with net.serve((WHOLE, "linger")) as server:
        async with creating(net, server, mode) as create:
            start = time.perf_counter()
            outcome = await read(iter_text(create()))
            middle = time.perf_counter()
            message = await done(collect(create()))
            end = time.perf_counter()
            assert max(middle - start, end - middle) < SOON
            assert server.wait_until_closed()
    assert (outcome.error, "".join(outcome.items)) == (None, "Hello, wonderful world!")
    assert message.stop_reason == "end_turn"


@pytest.mark.usefixtures("patient_drain")
@pytest.mark.parametrize("pause", [0.0, 0.05])
@in_every_mode
async def test_streams_share_a_connection(mode: Mode, net: Net, pause: float) -> None:
    """Streams that were read to the end use one connection, even if the end of the body comes late."""
    with net.serve((WHOLE, pause, "finish")) as server:
        async with creating(net, server, mode) as create:
            assert (await read(iter_text(create()))).error is None
            assert (await done(collect(create()))).stop_reason == "end_turn"
            assert (await read(iter_text(iter_events(create())))).error is None
        assert server.accepted == 1


@pytest.mark.usefixtures("patient_drain")
@in_every_mode
async def test_leaving_a_block_at_the_end_keeps_the_connection(mode: Mode, net: Net) -> None:
    """Closing an iterator that was read to its end does not touch the connection, which serves others by then."""
    with net.serve((WHOLE, "finish")) as server:
        async with creating(net, server, mode) as create:
            for _ in range(2):
                async with Either(iter_text(create())) as texts:
                    assert "".join([text async for text in texts]) == "Hello, wonderful world!"
        assert server.accepted == 1


@pytest.mark.slow
@in_every_mode
async def test_a_shared_connection_is_left_alone(mode: Mode, net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch over the end of one stream does not touch the next one on the same connection."""
    monkeypatch.setattr("claude_stream._drive.live.DRAIN_SECONDS", 1.0)
    with net.serve((WHOLE, "finish"), (FIRST, 1.5, REST, "finish")) as server:
        async with creating(net, server, mode) as create:
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
        async with creating(net, server, mode) as create:
            stream = stages(create())
            reader = pool.submit(by_hand, read(stream, when_first_is_there(received.set)))
            assert received.wait(PATIENCE)
            until_somebody_reads()
            start = time.perf_counter()
            stream.close()
            outcome = reader.result(timeout=PATIENCE)
            assert time.perf_counter() - start < SOON
            assert server.wait_until_closed()
    assert_kept(outcome)


@SYNC_MODE
@in_every_mode
async def test_a_second_thread_is_refused(mode: Mode, net: Net) -> None:
    """While one thread reads, another one gets RuntimeError, and the first reads on undisturbed."""
    received, go = threading.Event(), threading.Event()
    with net.serve((FIRST, go, REST, "finish")) as server, ThreadPoolExecutor() as pool:
        async with creating(net, server, mode) as create:
            stream = iter_text(create())
            reader = pool.submit(by_hand, read(stream, when_first_is_there(received.set)))
            assert received.wait(PATIENCE)
            until_somebody_reads()
            with pytest.raises(RuntimeError, match="one reader at a time"):
                next(stream)
            go.set()
            outcome = reader.result(timeout=PATIENCE)
    assert (outcome.error, "".join(outcome.items)) == (None, "Hello, wonderful world!")


@ASYNC_MODES
@in_every_mode
async def test_a_second_task_is_refused(mode: Mode, net: Net) -> None:
    """While one task reads, another one gets RuntimeError, and the first reads on undisturbed."""
    received, go = anyio.Event(), threading.Event()
    outcomes: list[Outcome] = []
    with net.serve((FIRST, go, REST, "finish")) as server:
        async with creating(net, server, mode) as create, anyio.create_task_group() as tasks:
            stream = iter_text(create())

            async def reader() -> None:
                outcomes.append(await read(stream, when_first_is_there(received.set)))

            tasks.start_soon(reader)
            await received.wait()
            await anyio.lowlevel.checkpoint()  # by now the reader waits for more
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
                await anyio.sleep_forever()
    assert scope.cancelled_caught


async def check_left(mode: Mode, net: Net, leave: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    with net.serve((PARTIAL, "stall")) as server:
        async with creating(net, server, mode) as create:
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
