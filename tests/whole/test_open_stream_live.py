"""`open_stream` over real sockets: the SDK's real clients, its connection pools, and servers on loopback.

The law: as in `test_transport`, each behaviour is one async function for sync, asyncio and trio, and the
server sends nothing that could be lost before it was read. Only the crowd at the end has a server of
its own, since a thread a connection does not carry a thousand. Limits and delays by a clock of the test's
own are tested in `drive/`: here time really passes, and only a fault takes as long as what is allowed.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import json
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import anyio
import pytest
from typing_extensions import Self

from claude_stream import (
    StreamAPIError,
    StreamConnectionError,
    StreamError,
    StreamOverloadedError,
    StreamTimeoutError,
    StreamTruncatedError,
)
from claude_stream.testing import message_events
from tests.loopback import End, Script
from tests.nets import Net
from tests.support import (
    ASYNC_MODES,
    PATIENCE,
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
    streaming,
    text_of,
    until_somebody_reads,
)

pytestmark = pytest.mark.socket

TEXT = "Hello, wonderful world!"
EVENTS = message_events(TEXT)  # eight: two of the start, three deltas, three of the end
WHOLE = body_of(EVENTS)
START = body_of(EVENTS[:1])  # before any content
FIRST, REST = body_of(EVENTS[:4]), body_of(EVENTS[4:])  # cut behind the text "Hello, wonderful"
PING = body_of([{"type": "ping"}])
PINGS: tuple[bytes | float, ...] = (PING, 0.02) * 250  # five seconds of them: for ever, next to what is waited for
OVERLOADED = body_of([{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}])
CONTENT_THEN_OVERLOADED = FIRST + OVERLOADED

WATCHDOG = "claude-stream-watchdog"

STACKS = pytest.mark.parametrize(
    "options",
    [{}, {"restarts": 2, "first_timeout": PATIENCE, "idle_timeout": PATIENCE}],
    ids=["bare", "restarts and timeouts"],
)
"""The same stream through the fewest and the most drivers that `open_stream` puts together."""


@pytest.fixture
def no_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a restart follow at once."""
    monkeypatch.setattr("claude_stream._open.backoff", lambda _attempt: 0.0)


def when_first_is_there(call: Callable[[], object]) -> Callable[[str], None]:
    """Return a listener to texts that calls once all of `FIRST` has been read."""
    return lambda so_far: (call(), None)[1] if so_far == "Hello, wonderful" else None


def assert_kept(outcome: Outcome, expected: type[StreamError], stream: Any) -> None:
    """Check that the text of `FIRST` came, and then an error of just this class; both hold what came."""
    error = outcome.error
    assert type(error) is expected, repr(error)
    assert isinstance(error, StreamError)
    assert "".join(outcome.items) == "Hello, wonderful"
    assert text_of(error.partial) == text_of(stream.current_message_snapshot) == "Hello, wonderful"
    assert (error.content_started, error.request_id, stream.complete) == (True, "req_loopback", False)


def assert_whole(outcome: Outcome) -> None:
    assert (outcome.error, "".join(outcome.items)) == (None, TEXT)


class Watch:
    """Measures a block of code."""

    seconds = 0.0

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.seconds = time.perf_counter() - self._start


# -- connections --


@pytest.mark.usefixtures("patient_drain")
@STACKS
@in_every_mode
async def test_streams_share_a_connection(mode: Mode, plain: Net, options: dict[str, Any]) -> None:
    """Streams that are read to the end, in whatever way, use one TCP connection, one after the other."""
    with plain.serve((WHOLE, "finish"), (WHOLE, 0.05, "finish"), (WHOLE, "finish")) as server:
        async with plain.client(server.url, mode) as client:
            async with streaming(client, **options) as stream:
                assert_whole(await read(stream.text_stream))
            async with streaming(client, **options) as stream:
                assert text_of(await done(stream.get_final_message())) == TEXT
            async with streaming(client, **options) as stream:
                assert [event.type async for event in Either(stream)][-1] == "message_stop"
        assert (server.accepted, server.requests) == (1, 3)


@STACKS
@in_every_mode
async def test_a_body_that_does_not_end(mode: Mode, net: Net, options: dict[str, Any]) -> None:
    """A server that lingers after message_stop holds up neither the message nor the way out for long."""
    with net.serve((WHOLE, "linger")) as server:
        async with net.client(server.url, mode) as client:
            with Watch() as watch:
                async with streaming(client, **options) as stream:
                    message = await done(stream.get_final_message())
            assert watch.seconds < SOON
            assert (text_of(message), message.stop_reason, stream.complete) == (TEXT, "end_turn", True)
            assert server.wait_until_closed()


@in_every_mode
async def test_leaving_at_the_last_event(mode: Mode, net: Net) -> None:
    """Who leaves the block at message_stop does not wait at all for a server that lingers."""
    with net.serve((WHOLE, "linger")) as server:
        async with net.client(server.url, mode) as client:
            with Watch() as watch:
                async with streaming(client) as stream:
                    async for event in Either(stream):
                        if event.type == "message_stop":
                            break
            assert watch.seconds < SOON
            assert (stream.complete, text_of(stream.current_message_snapshot)) == (True, TEXT)
            assert server.wait_until_closed()


@in_every_mode
async def test_abandoned_streams(mode: Mode, plain: Net) -> None:
    """200 streams, each abandoned after its first text, never wait for one of the pool's ten connections."""
    with plain.serve((FIRST, "stall")) as server:
        async with plain.client(server.url, mode, connections=10, timeout=SOON) as client:
            for _ in range(200):  # where the pool is used up, the eleventh ends in its PoolTimeout
                async with streaming(client) as stream:
                    async for text in Either(stream.text_stream):
                        assert text == "Hello, w"
                        break
            assert server.wait_until_closed()  # while the client is still open
        assert server.requests == 200


# -- timeouts --


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "until the connection ends"])
@pytest.mark.parametrize("more", [(), PINGS], ids=["silent", "pings"])
@in_every_mode
async def test_idle_timeout(mode: Mode, net: Net, more: tuple[bytes | float, ...], chunked: bool) -> None:
    """A stalled stream ends after idle_timeout, pings or not, however its body is framed. The error has the partial."""
    with net.serve((FIRST, *more, "stall"), chunked=chunked) as server:
        async with net.client(server.url, mode) as client, streaming(client, idle_timeout=0.3) as stream:
            with Watch() as watch:
                outcome = await read(stream.text_stream)
            assert 0.25 < watch.seconds < SOON
            assert server.wait_until_closed()  # before the block is left
        assert server.requests == 1
    assert_kept(outcome, StreamTimeoutError, stream)
    assert isinstance(outcome.error, anthropic.APITimeoutError)
    assert "0.3 s" in str(outcome.error)


@pytest.mark.parametrize("more", [(), PINGS], ids=["silent", "pings"])
@in_every_mode
async def test_first_timeout(mode: Mode, plain: Net, more: tuple[bytes | float, ...]) -> None:
    """A stream without content ends after first_timeout, pings or not, and the error holds the message so far."""
    with plain.serve((START, *more, "stall")) as server:
        async with plain.client(server.url, mode) as client, streaming(client, first_timeout=0.3) as stream:
            with Watch() as watch:
                outcome = await read(stream.text_stream)
            assert 0.25 < watch.seconds < SOON
            assert server.wait_until_closed()
    error = outcome.error
    assert type(error) is StreamTimeoutError
    assert error.partial is not None
    assert (error.partial.id, error.partial.content, outcome.items) == (EVENTS[0]["message"]["id"], [], [])
    assert (error.content_started, error.retryable) == (False, True)
    assert "no content in the first 0.3 s" in str(error)


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "until the connection ends"])
@in_every_mode
async def test_first_timeout_before_any_event(mode: Mode, net: Net, chunked: bool) -> None:
    """A response whose body does not even begin ends after first_timeout, too, and then there is no partial."""
    with net.serve(("stall",), chunked=chunked) as server:
        async with net.client(server.url, mode) as client, streaming(client, first_timeout=0.3) as stream:
            with Watch() as watch:
                outcome = await read(stream.text_stream)
            assert 0.25 < watch.seconds < SOON
            assert server.wait_until_closed()
    assert type(outcome.error) is StreamTimeoutError
    assert outcome.error.partial is None


@in_every_mode
async def test_content_ends_the_first_timeout(mode: Mode, plain: Net) -> None:
    """Once content has come, first_timeout is over, however long the rest takes."""
    with plain.serve((FIRST, 0.5, REST, "finish")) as server:
        async with plain.client(server.url, mode) as client, streaming(client, first_timeout=0.3) as stream:
            assert_whole(await read(stream.text_stream))


@pytest.mark.slow
@in_every_mode
async def test_progress_ends_the_idle_timeout(mode: Mode, plain: Net) -> None:
    """A stream that takes longer than idle_timeout as a whole, but never between two events, is read whole."""
    events = [body_of([event]) for event in EVENTS]
    script: Script = (*(step for event in events for step in (event, 0.3)), "finish")
    with plain.serve(script) as server:
        async with plain.client(server.url, mode) as client, streaming(client, idle_timeout=2.0) as stream:
            with Watch() as watch:
                assert_whole(await read(stream.text_stream))
            assert watch.seconds > 2.0
        assert server.accepted == 1


def dawdling(mode: Mode, seconds: float, begins: Callable[[], object] = lambda: None) -> Callable[[str], Any]:
    """Return a listener to texts that takes its time once all of `FIRST` is there."""

    def dawdle(so_far: str) -> Any:
        if so_far != "Hello, wonderful":
            return None
        begins()
        return anyio.sleep(seconds) if mode.is_async else time.sleep(seconds)

    return dawdle


@pytest.mark.parametrize("early", [True, False], ids=["already sent", "sent meanwhile"])
@in_every_mode
async def test_a_slow_consumer_is_not_judged(mode: Mode, net: Net, early: bool) -> None:
    """Events that are there are delivered, although the consumer took longer than idle_timeout over the last one."""
    go = threading.Event()
    if early:
        go.set()
    with net.serve((FIRST, go, REST, "finish")) as server:

        def the_rest_is_sent() -> None:
            go.set()
            assert server.wait_until_sent(2)

        async with (
            net.client(server.url, mode) as client,
            streaming(client, idle_timeout=0.25, first_timeout=0.25) as stream,
        ):
            assert_whole(await read(stream.text_stream, dawdling(mode, 0.4, the_rest_is_sent)))
            assert stream.complete


@in_every_mode
async def test_only_waiting_counts(mode: Mode, plain: Net) -> None:
    """After a slow consumer, a stalled stream still has all of its idle_timeout."""
    with plain.serve((FIRST, "stall")) as server:
        async with plain.client(server.url, mode) as client, streaming(client, idle_timeout=0.3) as stream:
            with Watch() as watch:
                outcome = await read(stream.text_stream, dawdling(mode, 0.4))
    assert_kept(outcome, StreamTimeoutError, stream)
    assert watch.seconds > 0.65


@ASYNC_MODES
@in_every_mode
async def test_a_held_up_loop_is_not_the_streams_fault(mode: Mode, plain: Net) -> None:
    """Events that come while something else holds up the event loop for longer than idle_timeout are delivered."""
    held_up = threading.Event()
    with plain.serve((FIRST, held_up, REST, "finish")) as server:
        async with plain.client(server.url, mode) as client, streaming(client, idle_timeout=0.3) as stream:

            async def hold_up() -> None:
                held_up.set()  # by now the reader waits for more
                assert server.wait_until_sent(2)
                time.sleep(0.6)

            async with anyio.create_task_group() as tasks:
                listener = when_first_is_there(lambda: tasks.start_soon(hold_up))
                outcome = await read(stream.text_stream, listener)
            assert_whole(outcome)


@SYNC_MODE
@in_every_mode
async def test_no_thread_outlives_its_stream(mode: Mode, plain: Net) -> None:
    """The thread that watches over a sync wait is gone soon after the stream, however long its timeout is."""
    with plain.serve((FIRST, 0.05, REST, "finish")) as server:
        async with plain.client(server.url, mode) as client, streaming(client, idle_timeout=PATIENCE) as stream:
            assert_whole(await read(stream.text_stream))
    end = time.monotonic() + PATIENCE
    while (left := [t for t in threading.enumerate() if t.name == WATCHDOG]) and time.monotonic() < end:
        time.sleep(0.02)
    assert left == []


@in_every_mode
async def test_a_refused_timeout_leaves_no_connection(mode: Mode, plain: Net) -> None:
    """A timeout that makes no sense is refused, and no connection is left open by it."""
    with plain.serve((FIRST, "stall")) as server:
        async with plain.client(server.url, mode, timeout=SOON) as client:
            for _ in range(3):  # one more than the pool has connections
                with pytest.raises(ValueError, match="more than 0"):
                    async with streaming(client, idle_timeout=-1):
                        pass
            assert server.wait_until_closed()


# -- the stop button --


def final_message(stream: Any, _: Callable[[], object]) -> Outcome:
    try:
        return Outcome([text_of(stream.get_final_message())])
    except Exception as exc:
        return Outcome([], exc.with_traceback(None))


def texts(stream: Any, received: Callable[[], object] = lambda: None) -> Outcome:
    return by_hand(read(stream.text_stream, when_first_is_there(received)))


def wait_for(stream: Any, text: str) -> None:
    """Wait until the message has come so far, as another thread sees it."""
    end = time.monotonic() + PATIENCE
    while stream.message is None or text_of(stream.message) != text:
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("reading", [texts, final_message])
@STACKS
@SYNC_MODE
@in_every_mode
async def test_stop_button(
    mode: Mode, net: Net, options: dict[str, Any], reading: Callable[[Any, Callable[[], object]], Outcome]
) -> None:
    """close() from another thread ends a blocked sync reader at once, and the partial is kept."""
    received = threading.Event()
    with net.serve((FIRST, "stall")) as server, ThreadPoolExecutor() as pool:
        async with net.client(server.url, mode) as client, streaming(client, **options) as stream:
            reader = pool.submit(reading, stream, received.set)
            wait_for(stream, "Hello, wonderful")
            assert reading is final_message or received.wait(PATIENCE)
            until_somebody_reads()
            assert not reader.done()
            with Watch() as watch:
                stream.close()
                outcome = reader.result(timeout=PATIENCE)
            assert watch.seconds < SOON
            assert server.wait_until_closed()
        assert server.requests == 1
    if reading is texts:
        assert_kept(outcome, StreamConnectionError, stream)
    assert type(outcome.error) is StreamConnectionError
    assert outcome.error.retryable is False
    assert text_of(outcome.error.partial) == text_of(stream.current_message_snapshot) == "Hello, wonderful"


@SYNC_MODE
@in_every_mode
async def test_stop_button_before_content(mode: Mode, net: Net) -> None:
    """close() before the first content leads to no restart, whatever `restarts` says."""
    with net.serve((START, "stall"), (WHOLE, "finish")) as server, ThreadPoolExecutor() as pool:
        async with net.client(server.url, mode) as client, streaming(client, restarts=2) as stream:
            reader = pool.submit(texts, stream)
            wait_for(stream, "")
            until_somebody_reads()
            with Watch() as watch:
                stream.close()
                outcome = reader.result(timeout=PATIENCE)
            assert watch.seconds < SOON
            assert server.wait_until_closed()
        assert server.requests == 1
    assert (type(outcome.error), outcome.items) == (StreamConnectionError, [])


@SYNC_MODE
@in_every_mode
async def test_stop_button_before_a_restart(mode: Mode, plain: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """close() while a restart is being waited for ends the reader at once, and no further request is sent."""
    waiting = threading.Event()
    monkeypatch.setattr("claude_stream._open.backoff", lambda _attempt: PATIENCE if waiting.set() is None else 0.0)
    with plain.serve((START + OVERLOADED, "finish"), (WHOLE, "finish")) as server, ThreadPoolExecutor() as pool:
        async with plain.client(server.url, mode) as client, streaming(client, restarts=2) as stream:
            reader = pool.submit(texts, stream)
            assert waiting.wait(PATIENCE)
            with Watch() as watch:
                stream.close()
                outcome = reader.result(timeout=PATIENCE)
        requests = server.requests
    assert requests == 1
    assert watch.seconds < SOON
    assert (type(outcome.error), outcome.items) == (StreamConnectionError, [])


@ASYNC_MODES
@in_every_mode
async def test_stop_button_of_a_task_before_a_restart(mode: Mode, plain: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """aclose() by another task, while a restart is being waited for, means that no further request is sent."""
    waiting = anyio.Event()
    monkeypatch.setattr("claude_stream._open.backoff", lambda _attempt: PATIENCE if waiting.set() is None else 0.0)
    outcomes: list[Outcome] = []
    with plain.serve((START + OVERLOADED, "finish"), (WHOLE, "finish")) as server:
        async with plain.client(server.url, mode) as client, streaming(client, restarts=2) as stream:

            async def reader() -> None:
                outcomes.append(await read(stream.text_stream))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(reader)
                await waiting.wait()
                await anyio.lowlevel.checkpoint()  # by now the reader waits for its restart
                with Watch() as watch:
                    await stream.aclose()
            assert watch.seconds < SOON
        requests = server.requests
    [outcome] = outcomes
    assert requests == 1
    assert (type(outcome.error), outcome.items) == (StreamConnectionError, [])


@pytest.mark.usefixtures("no_delay")
@SYNC_MODE
@in_every_mode
async def test_stop_button_in_a_restart(mode: Mode, plain: Net) -> None:
    """close() while the request of a restart is on its way ends the reader when the response comes, and closes that."""
    answer = threading.Event()
    scripts: list[Script] = [(START + OVERLOADED, "finish"), (answer, FIRST, "stall")]
    with plain.serve(*scripts) as server, ThreadPoolExecutor() as pool:
        async with plain.client(server.url, mode) as client, streaming(client, restarts=2) as stream:
            reader = pool.submit(texts, stream)
            assert server.wait_until_requests(2)
            stream.close()
            answer.set()
            outcome = reader.result(timeout=PATIENCE)
            assert (type(outcome.error), outcome.items) == (StreamConnectionError, [])
            assert server.wait_until_closed()


@pytest.mark.usefixtures("no_delay")
@ASYNC_MODES
@in_every_mode
async def test_stop_button_of_a_task_in_a_restart(mode: Mode, plain: Net) -> None:
    """aclose() by another task while the request of a restart is on its way ends the reader, and leaves nothing."""
    answer = threading.Event()
    outcomes: list[Outcome] = []
    with plain.serve((START + OVERLOADED, "finish"), (answer, FIRST, "stall")) as server:
        async with plain.client(server.url, mode) as client, streaming(client, restarts=2) as stream:

            async def reader() -> None:
                outcomes.append(await read(stream.text_stream))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(reader)
                while server.requests < 2:
                    await anyio.sleep(0.01)
                await stream.aclose()
                answer.set()
            [outcome] = outcomes
            assert (type(outcome.error), outcome.items) == (StreamConnectionError, [])
            assert server.wait_until_closed()


@pytest.mark.usefixtures("no_delay")
@ASYNC_MODES
@in_every_mode
async def test_cancellation_in_a_restart(mode: Mode, plain: Net) -> None:
    """A task that is cancelled while the request of a restart is on its way leaves no connection open."""
    answer = threading.Event()
    with plain.serve((START + OVERLOADED, "finish"), (answer, FIRST, "stall")) as server:
        async with plain.client(server.url, mode) as client:
            with anyio.CancelScope() as scope:
                async with streaming(client, restarts=2) as stream, anyio.create_task_group() as tasks:
                    tasks.start_soon(stream.get_final_message)
                    while server.requests < 2:
                        await anyio.sleep(0.01)
                    scope.cancel()
            answer.set()
            assert server.wait_until_closed()


@STACKS
@ASYNC_MODES
@in_every_mode
async def test_stop_button_of_a_task(mode: Mode, net: Net, options: dict[str, Any]) -> None:
    """aclose() by another task ends the reader at once, and the partial is kept."""
    outcomes: list[Outcome] = []
    received = anyio.Event()
    with net.serve((FIRST, "stall")) as server:
        async with net.client(server.url, mode) as client, streaming(client, **options) as stream:

            async def reader() -> None:
                outcomes.append(await read(stream.text_stream, when_first_is_there(received.set)))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(reader)
                await received.wait()
                await anyio.lowlevel.checkpoint()  # by now the reader waits for more
                with Watch() as watch:
                    await stream.aclose()
            assert watch.seconds < SOON
            assert server.wait_until_closed()
        assert server.requests == 1
    [outcome] = outcomes
    assert_kept(outcome, StreamConnectionError, stream)


# -- restarts --


@pytest.mark.parametrize("before", [b"", START, START + PING], ids=["first event", "after start", "after ping"])
@pytest.mark.parametrize("failures", [1, 2])
@pytest.mark.usefixtures("no_delay")
@in_every_mode
async def test_restart_after_an_error_event(mode: Mode, plain: Net, failures: int, before: bytes) -> None:
    """A server that is overloaded before the first content is asked again, and the text and message are whole."""
    second = message_events(TEXT, id="msg_second", usage={"input_tokens": 7})
    failed: Script = (before + OVERLOADED, "finish")
    with plain.serve(*[failed] * failures, (body_of(second), "finish")) as server:
        async with plain.client(server.url, mode) as client, streaming(client, restarts=2) as stream:
            outcome = await read(stream.text_stream)
            message = await done(stream.get_final_message())
        assert server.requests == failures + 1
    assert_whole(outcome)
    assert (text_of(message), message.id, stream.usage.input_tokens) == (TEXT, "msg_second", 7)


@pytest.mark.usefixtures("no_delay")
@in_every_mode
async def test_no_event_of_a_failed_attempt_is_shown(mode: Mode, plain: Net) -> None:
    """Who iterates the events sees those of the attempt that succeeded, and no other."""
    second = message_events(TEXT, id="msg_second")
    with plain.serve((START + PING + OVERLOADED, "finish"), (body_of(second), "finish")) as server:
        async with plain.client(server.url, mode) as client, streaming(client, restarts=2) as stream:
            events = [event async for event in Either(stream)]
    assert [event.type for event in events if event.type != "text"] == [event["type"] for event in second]
    assert events[0].message.id == "msg_second"


@pytest.mark.parametrize("end", ["reset", "cut", "finish"])
@pytest.mark.usefixtures("no_delay")
@in_every_mode
async def test_restart_after_a_broken_connection(
    mode: Mode, net: Net, end: End, caplog: pytest.LogCaptureFixture
) -> None:
    """A connection that breaks before the first content is no more than one line in the log."""
    entered = threading.Event()  # a reset must not overtake the response's head
    with net.serve((START, entered, end), (WHOLE, "finish")) as server:
        async with net.client(server.url, mode) as client:
            with caplog.at_level(logging.WARNING, "claude_stream"):
                async with streaming(client, restarts=1) as stream:
                    entered.set()
                    assert_whole(await read(stream.text_stream))
        assert server.requests == 2
    assert [record.getMessage().partition(" in ")[0] for record in caplog.records] == ["restart 1 of 1"]


@pytest.mark.slow
@pytest.mark.usefixtures("no_delay")
@in_every_mode
async def test_restart_after_a_timeout(mode: Mode, plain: Net) -> None:
    """A server that stalls before the first content is asked again, with its time limit anew."""
    late: Script = (START, 0.1, FIRST[len(START) :] + REST, "finish")
    with plain.serve((START, *PINGS, "stall"), (START, "stall"), late) as server:
        async with plain.client(server.url, mode) as client:
            async with streaming(client, restarts=2, first_timeout=1.0) as stream:
                with Watch() as watch:
                    assert_whole(await read(stream.text_stream))
            assert 2.0 < watch.seconds < 2 * SOON
        assert server.requests == 3


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ((CONTENT_THEN_OVERLOADED, "finish"), StreamOverloadedError),
        ((FIRST, 0.05, OVERLOADED, "finish"), StreamOverloadedError),
        ((FIRST, "cut"), StreamConnectionError),
        ((FIRST, "finish"), StreamTruncatedError),
    ],
    ids=["overloaded at once", "overloaded later", "cut", "truncated"],
)
@pytest.mark.usefixtures("no_delay")
@in_every_mode
async def test_no_restart_after_content(mode: Mode, plain: Net, script: Script, expected: type[StreamError]) -> None:
    """Once content has come there is no restart: the typed error is raised behind the text, with the partial."""
    with plain.serve(script, (WHOLE, "finish")) as server:
        async with plain.client(server.url, mode) as client, streaming(client, restarts=2) as stream:
            outcome = await read(stream.text_stream)
        assert server.requests == 1
    assert_kept(outcome, expected, stream)


@pytest.mark.parametrize("restarts", [0, 1, 2])
@pytest.mark.usefixtures("no_delay")
@in_every_mode
async def test_exhausted_restarts(mode: Mode, plain: Net, restarts: int) -> None:
    """A server that fails once more than there are restarts: the typed error is raised, and nothing else is sent."""
    with plain.serve(*[(START + OVERLOADED, "finish")] * (restarts + 1), (WHOLE, "finish")) as server:
        async with plain.client(server.url, mode) as client, streaming(client, restarts=restarts) as stream:
            outcome = await read(stream.text_stream)
            assert server.requests == restarts + 1
    error = outcome.error
    assert type(error) is StreamOverloadedError
    assert isinstance(error, anthropic.OverloadedError)
    assert (outcome.items, error.content_started, error.status_code) == ([], False, 529)
    assert error.partial is not None
    assert error.partial.id == EVENTS[0]["message"]["id"]


@pytest.mark.usefixtures("no_delay")
@in_every_mode
async def test_no_restart_of_what_is_not_retryable(mode: Mode, plain: Net) -> None:
    """An error event that a second request would meet as well is raised at once."""
    refused = body_of([{"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}])
    with plain.serve((START + refused, "finish"), (WHOLE, "finish")) as server:
        async with plain.client(server.url, mode) as client, streaming(client, restarts=2) as stream:
            outcome = await read(stream.text_stream)
        assert server.requests == 1
    assert isinstance(outcome.error, StreamAPIError)
    assert isinstance(outcome.error, anthropic.BadRequestError)


@pytest.mark.usefixtures("no_delay")
@in_every_mode
async def test_restarts_leave_no_connection(mode: Mode, plain: Net) -> None:
    """The connections of the attempts that failed are given back, even from a pool that holds only one."""
    with plain.serve((START, "cut"), (OVERLOADED, "linger"), (FIRST, "stall")) as server:
        async with plain.client(server.url, mode, connections=1, timeout=SOON) as client:
            async with streaming(client, restarts=2) as stream:
                async for text in Either(stream.text_stream):
                    assert text == "Hello, w"
                    break
            assert server.wait_until_closed()
        assert server.requests == 3


# -- leaving early --


async def leave_unread(_stream: Any) -> None:
    pass


async def leave_by_break(stream: Any) -> None:
    async for _ in Either(stream.text_stream):
        break


async def leave_by_exception(stream: Any) -> None:
    async for _ in Either(stream.text_stream):
        raise ZeroDivisionError


async def leave_from_the_events(stream: Any) -> None:
    async for event in Either(stream):
        if event.type == "text":
            break


async def leave_by_cancelled_read(stream: Any) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.get_final_message)
        while stream.message is None or stream_text(stream) != "Hello, wonderful":
            await anyio.sleep(0.005)
        tasks.cancel_scope.cancel()
    assert tasks.cancel_scope.cancelled_caught


async def check_left(mode: Mode, net: Net, leave: Callable[[Any], Coroutine[Any, Any, None]], **options: Any) -> None:
    with net.serve((FIRST, "stall")) as server:
        async with net.client(server.url, mode) as client:
            for _ in range(3):  # one more than the pool has connections
                with contextlib.suppress(ZeroDivisionError):
                    async with streaming(client, **options) as stream:
                        await leave(stream)
            assert server.wait_until_closed()  # while the client is still open
            if leave is not leave_unread:
                assert text_of(stream.current_message_snapshot) == "Hello, wonderful"[: len(stream_text(stream))]
                assert stream_text(stream).startswith("Hello, w")
        assert server.requests == 3


def stream_text(stream: Any) -> str:
    return text_of(stream.current_message_snapshot)


@pytest.mark.parametrize("leave", [leave_unread, leave_by_break, leave_by_exception, leave_from_the_events])
@STACKS
@in_every_mode
async def test_leaving_early(
    mode: Mode, net: Net, options: dict[str, Any], leave: Callable[[Any], Coroutine[Any, Any, None]]
) -> None:
    """Whoever leaves the block early leaves no connection open, and keeps the partial."""
    await check_left(mode, net, leave, **options)


@STACKS
@ASYNC_MODES
@in_every_mode
async def test_cancellation_in_the_block(mode: Mode, net: Net, options: dict[str, Any]) -> None:
    """A read that is cancelled inside the block leaves no connection open, and keeps the partial."""
    await check_left(mode, net, leave_by_cancelled_read, **options)


@pytest.mark.parametrize("where", ["in a read", "in the consumer"])
@STACKS
@ASYNC_MODES
@in_every_mode
async def test_cancellation_of_the_block(mode: Mode, net: Net, options: dict[str, Any], where: str) -> None:
    """A block that is cancelled as a whole leaves no connection open, and keeps the partial."""
    with net.serve((FIRST, "stall")) as server:
        async with net.client(server.url, mode) as client:
            for _ in range(3):  # one more than the pool has connections
                with anyio.CancelScope() as scope:
                    async with streaming(client, **options) as stream:
                        async for text in Either(stream.text_stream):
                            if text == "onderful":
                                scope.deadline = anyio.current_time() + 0.02
                                await (anyio.lowlevel.checkpoint() if where == "in a read" else anyio.sleep_forever())
                assert scope.cancelled_caught
            assert server.wait_until_closed()
            assert stream_text(stream) == "Hello, wonderful"


@pytest.mark.parametrize("number", range(4))
@ASYNC_MODES
@in_every_mode
async def test_cancellation_while_entering(mode: Mode, plain: Net, number: int) -> None:
    """A task that is cancelled while its request is being opened leaves no connection open.

    Over TLS the SDK's HTTP package may leave one whose handshake was cancelled, with or without us.
    """
    with plain.serve((FIRST, "stall")) as server:
        async with plain.client(server.url, mode) as client:
            for step in range(8):
                with anyio.move_on_after((number * 8 + step) * 0.0004):
                    async with streaming(client) as stream:
                        await stream.get_final_message()
            assert server.wait_until_closed()


# -- a crowd --

KINDS = ("complete", "cut", "truncated", "error", "cancelled", "stalled", "left")
REUSABLE = ("complete", "truncated")  # their bodies end properly, and so their connections are kept
CROWD = 1000


@dataclasses.dataclass(frozen=True)
class Member:
    """One stream of the crowd: what is asked for, and which text tells it from all others."""

    number: int

    @property
    def kind(self) -> str:
        return KINDS[self.number % len(KINDS)]

    @property
    def first(self) -> str:
        return f"<{self.number:04}|"

    @property
    def rest(self) -> str:
        return f"{self.number * 7:05}>"

    @property
    def text(self) -> str:
        return self.first + self.rest

    def events(self) -> list[dict[str, Any]]:
        return message_events(self.text, chunk=len(self.first), id=f"msg_{self.number}")


class CrowdServer:
    """Answers each request as the request asks, on one event loop in one thread, once so many have come.

    Args:
        crowd: how many requests have to be there at the same time before any is answered past its first event.
    """

    def __init__(self, crowd: int) -> None:
        self.requests = 0
        self.most = 0  # connections at the same time
        self.ports: list[int] = []
        self._crowd = crowd
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._all_there = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def _call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=2 * self._crowd))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def open_after(self, expected: int, seconds: float = PATIENCE) -> int:
        """Return how many connections are open, as soon as it is the expected number, or after so many seconds."""
        end = time.monotonic() + seconds
        while len(self._open) != expected and time.monotonic() < end:
            time.sleep(0.01)
        return len(self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        self.most = max(self.most, len(self._open))
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await self._respond(reader, writer):
                pass
        self._open.discard(writer)
        writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        request = json.loads(await reader.readexactly(int(length.partition(b":")[2])))
        member = Member(int(request["messages"][0]["content"]))
        self.requests += 1
        if self.requests >= self._crowd:
            self._all_there.set()
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
            b"request-id: req_%d\r\n\r\n" % member.number
        )
        events = member.events()
        _send(writer, events[:1])
        await self._all_there.wait()
        _send(writer, events[1:3])
        await writer.drain()
        if member.kind in ("cancelled", "stalled", "left"):
            await reader.read(1)  # until the client closes
            return False
        if member.kind == "complete":
            _send(writer, events[3:])
        elif member.kind == "error":
            _send(writer, [{"type": "error", "error": {"type": "overloaded_error", "message": member.text}}])
        if member.kind != "cut":
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return member.kind != "cut"


def _send(writer: asyncio.StreamWriter, events: list[dict[str, Any]]) -> None:
    body = body_of(events)
    writer.write(b"%x\r\n%b\r\n" % (len(body), body))


ENDS: dict[str, type[StreamError] | None] = {
    "complete": None,
    "cut": StreamConnectionError,
    "truncated": StreamTruncatedError,
    "error": StreamOverloadedError,
    "cancelled": None,
    "stalled": StreamTimeoutError,
    "left": None,
}


def faults(member: Member, outcome: Outcome, stream: Any, cancelled: bool) -> list[str]:
    """Return what is not as it should be about one stream of the crowd."""
    error = outcome.error
    text = member.text if member.kind == "complete" else member.first
    seen: dict[str, tuple[Any, Any]] = {
        "error": (None if error is None else type(error), ENDS[member.kind]),
        "text": ("".join(outcome.items), text),
        "snapshot": (stream_text(stream), text),
        "id": (stream.current_message_snapshot.id, f"msg_{member.number}"),
        "request": (stream.request_id, f"req_{member.number}"),
        "complete": ((stream.complete, stream.usage.final), (member.kind == "complete",) * 2),
        "cancelled": (cancelled, member.kind == "cancelled"),
    }
    if isinstance(error, StreamError):
        seen["partial"] = (text_of(error.partial), text)
        seen["error's request"] = (error.request_id, f"req_{member.number}")
    if isinstance(error, StreamOverloadedError):
        seen["error's message"] = (member.text in str(error), True)
    return [f"{member}: {name} is {is_}, not {should}" for name, (is_, should) in seen.items() if is_ != should]


class Turns:
    """Who of a crowd reads when: all are there before anybody begins, and those that stall come last, one by one.

    Their time limit is real time, which does not count before they read; and then no crowd holds them up.
    """

    def __init__(self, members: list[Member]) -> None:
        self._to_come = len(members)
        self._to_read = sum(member.kind != "stalled" for member in members)
        self._all_there = anyio.Event()
        self._all_read = anyio.Event()
        self.alone = anyio.Lock()

    async def come(self, member: Member) -> None:
        self._to_come -= 1
        if self._to_come == 0:
            self._all_there.set()
        await self._all_there.wait()
        if member.kind == "stalled":
            await self._all_read.wait()

    def go(self, member: Member) -> None:
        self._to_read -= member.kind != "stalled"
        if self._to_read == 0:
            self._all_read.set()


async def run_member(member: Member, client: Any, turns: Turns) -> list[str]:
    options = {"idle_timeout": 2.0} if member.kind == "stalled" else {}
    content = [{"role": "user", "content": str(member.number)}]
    outcome = Outcome([])
    with anyio.CancelScope() as scope:
        async with streaming(client, messages=content, **options) as stream:
            await turns.come(member)
            try:
                if member.kind == "stalled":
                    async with turns.alone:
                        outcome.items.append(await anext(stream.text_stream))
                async for text in stream.text_stream:
                    outcome.items.append(text)
                    if member.kind == "cancelled":
                        scope.deadline = anyio.current_time() + 0.01  # so that it is cancelled in its next read
                    elif member.kind == "left":
                        break
            except Exception as exc:
                outcome.error = exc.with_traceback(None)
    turns.go(member)
    return faults(member, outcome, stream, scope.cancelled_caught)


def living_tasks(mode: Mode) -> int:
    if mode.name == "asyncio":
        return len(asyncio.all_tasks())
    import trio

    return trio.lowlevel.current_statistics().tasks_living


@pytest.mark.usefixtures("patient_drain")
@pytest.mark.slow
@ASYNC_MODES
def test_a_crowd(mode: Mode, plain: Net) -> None:
    """A thousand streams at once each end as they should and with their own text, and leave nothing behind."""
    members = [Member(number) for number in range(CROWD)]
    found: list[str] = []

    async def crowd(url: str, server: CrowdServer) -> None:
        before = living_tasks(mode)
        turns = Turns(members)

        async def one(member: Member, client: Any) -> None:
            found.extend(await run_member(member, client, turns))

        with anyio.fail_after(5 * PATIENCE):
            async with contextlib.AsyncExitStack() as stack:
                clients = [
                    await stack.enter_async_context(
                        plain.client(url, mode, connections=CROWD // 4, timeout=5 * PATIENCE)
                    )
                    for _ in range(4)  # since a pool looks through all it has for each request
                ]
                async with anyio.create_task_group() as tasks:
                    for member in members:
                        tasks.start_soon(one, member, clients[member.number % 4])
                assert living_tasks(mode) == before
                kept = sum(member.kind in REUSABLE for member in members)
                assert server.open_after(kept) == kept  # while the client is still open
            assert server.open_after(0) == 0
            assert living_tasks(mode) == before
        gc.collect()  # so that what was left behind shows in this test

    open_files = sum(1 for _ in Path("/dev/fd").iterdir())
    with CrowdServer(CROWD) as server:
        mode.run(lambda: crowd(server.url, server))
        assert (server.requests, server.most) == (CROWD, CROWD)
    gc.collect()
    assert found == []
    assert sum(1 for _ in Path("/dev/fd").iterdir()) == open_files
