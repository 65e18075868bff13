"""Restarts, without a network: when a stream is opened again, and what is shown of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from claude_stream import (
    StreamBadRequestError,
    StreamConnectionError,
    StreamError,
    StreamOverloadedError,
    StreamTimeoutError,
    StreamTruncatedError,
    collect,
    iter_text,
    with_restarts,
    with_timeout,
)
from claude_stream._drive.pipeline import Options, drive
from claude_stream._drive.restarts import backoff
from claude_stream._drive.timeouts import Limits
from claude_stream.testing import message_events
from tests.clocks import Timeless
from tests.support import PATIENCE, Either, Mode, in_every_mode

EVENTS = message_events("Hello, world!")
OVERLOADED = message_events("Hello, world!", error="overloaded_error")
FAILS_FIRST = [EVENTS[0], OVERLOADED[-1]]
PING = {"type": "ping"}


def opener(mode: Mode, *streams: list[dict[str, Any]]) -> tuple[Callable[[], Any], list[int]]:
    """Return a function that opens one stream after the other, and a list that counts its calls."""
    left, calls = iter(streams), []

    def open_next() -> Any:
        calls.append(len(calls))
        return mode.source(next(left))

    return open_next, calls


def no_delay(_attempt: int) -> float:
    return 0


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (OVERLOADED, StreamOverloadedError),  # content was handed out
        (EVENTS[:2], StreamTruncatedError),  # a block had started
        ([EVENTS[0], {"type": "error", "error": {"type": "invalid_request_error"}}], StreamBadRequestError),
    ],
)
def test_no_restart(mode: Mode, first: list[dict[str, Any]], expected: type[StreamError]) -> None:
    """After content, or for an error that would come again, there is no restart."""
    open_next, calls = opener(mode, first, EVENTS)
    outcome = mode.read(lambda: iter_text(with_restarts(open_next, delay=no_delay)))
    assert type(outcome.error) is expected
    assert calls == [0]


def test_restarts_are_used_up(mode: Mode) -> None:
    """After so many restarts the error is raised, with what the last try brought, which is handed out first."""
    open_next, calls = opener(mode, *[FAILS_FIRST] * 3, EVENTS)
    outcome = mode.read(lambda: with_restarts(open_next, restarts=2, delay=no_delay))
    assert [event.type for event in outcome.items] == ["message_start"]
    assert isinstance(outcome.error, StreamOverloadedError)
    assert outcome.error.partial is not None
    assert calls == [0, 1, 2]


def test_a_restart(mode: Mode, caplog: pytest.LogCaptureFixture) -> None:
    """A stream that fails before its first content is opened again: nothing of it is left, and it is told."""
    told: list[StreamError] = []
    waits: list[int] = []

    def delay(attempt: int) -> float:
        waits.append(attempt)
        return 0.01

    open_next, calls = opener(mode, FAILS_FIRST, [PING, *FAILS_FIRST], EVENTS)
    with caplog.at_level(logging.WARNING, logger="claude_stream"):
        events = mode.read(lambda: with_restarts(open_next, delay=delay, on_restart=told.append)).items
    assert [event.type for event in events] == [event["type"] for event in EVENTS]
    assert calls == [0, 1, 2]
    assert waits == [1, 2]
    assert [type(error) for error in told] == [StreamOverloadedError] * 2
    assert [(record.name, record.levelname) for record in caplog.records] == [("claude_stream", "WARNING")] * 2
    assert caplog.messages == [f"restart {number} of 2 in 0.01 s: {error}" for number, error in enumerate(told, 1)]


def test_stages_on_restarts(mode: Mode) -> None:
    """The message, the text and the limits are those of the stream that came through."""
    open_next, _ = opener(mode, FAILS_FIRST, EVENTS)
    assert mode.message(lambda: collect(with_restarts(open_next, delay=no_delay))) == collect(EVENTS)
    open_next, _ = opener(mode, FAILS_FIRST, EVENTS)
    chunks = mode.read(lambda: iter_text(with_timeout(with_restarts(open_next, delay=no_delay), first=5, idle=5)))
    assert (chunks.items, chunks.error) == (["Hello, w", "orld!"], None)


@pytest.mark.parametrize(("last", "expected"), [(0.1, None), (0.4, StreamTimeoutError)])
def test_a_limit_holds_for_each_attempt(timeless: Timeless, last: float, expected: type[Exception] | None) -> None:
    """A stream that keeps waiting is opened again, with all of its time, and no more than that."""
    streams = iter([(EVENTS[0], pause, PING, *EVENTS[1:]) for pause in (0.4, 0.4, last)])
    limits = Limits(first=0.25, clock=timeless.clock)

    def make() -> Any:
        restarting = with_restarts(lambda: timeless.paced(*next(streams)), restarts=2, delay=no_delay)
        return iter_text(drive(restarting, options=Options(events=True, limits=limits)))

    chunks = timeless.read(make)
    if expected is None:
        assert (chunks.items, chunks.error) == (["Hello, w", "orld!"], None)
    else:
        assert (chunks.items, type(chunks.error)) == ([], expected)


def test_pings_without_end_are_not_held_without_end(timeless: Timeless) -> None:
    """A limit for the first content bounds what is held in front of it, since pings do not extend it."""
    pings = [item for _ in range(1000) for item in (PING, 0.1)]
    limits = Limits(first=5, clock=timeless.clock)

    def make() -> Any:
        restarting = with_restarts(lambda: timeless.paced(EVENTS[0], *pings), restarts=0)
        return iter_text(drive(restarting, options=Options(events=True, limits=limits)))

    assert type(timeless.read(make).error) is StreamTimeoutError


def test_held_events_are_handed_out_at_the_end(mode: Mode) -> None:
    """A message without content is complete with its last event, and nothing of it is lost."""
    open_next, _ = opener(mode, message_events())
    events = mode.read(lambda: with_restarts(open_next)).items
    assert [event.type for event in events] == ["message_start", "message_delta", "message_stop"]
    open_next, _ = opener(mode, message_events()[:-1])
    assert len(mode.read(lambda: with_restarts(open_next)).items) == 2


def test_backoff_grows_and_is_bounded() -> None:
    """Half a second, doubling, at most eight, less up to a quarter."""
    for attempt, most in ((1, 0.5), (2, 1.0), (5, 8.0), (50, 8.0)):
        assert all(0.75 * most <= backoff(attempt) <= most for _ in range(50))


def test_an_interrupted_delay_is_no_end(timeless: Timeless) -> None:
    """A delay that a cancellation or Ctrl-C has ended gives up: reading on raises, as half a stream must."""
    open_next, calls = opener(timeless, FAILS_FIRST, EVENTS)

    async def main() -> None:
        reader: Any = iter_text(with_restarts(open_next, delay=lambda _: 9))
        with anyio.move_on_after(1) as scope:
            await anext(reader)
        assert scope.cancelled_caught
        for _ in range(2):
            with pytest.raises(StreamOverloadedError):
                await anext(reader)
        assert not reader.complete

    def interrupted(_attempt: int) -> float:
        raise KeyboardInterrupt

    if timeless.is_async:
        timeless.run(main)
    else:
        reader: Any = iter_text(with_restarts(open_next, delay=interrupted))
        with pytest.raises(KeyboardInterrupt):
            next(reader)
        for _ in range(2):
            with pytest.raises(StreamError):
                next(reader)
        assert not reader.complete
    assert calls == [0]


def test_closing_in_a_delay(mode: Mode) -> None:
    """A close from elsewhere ends the delay at once, with an error that asks for no retry."""
    open_next, calls = opener(mode, FAILS_FIRST, EVENTS)
    readers: list[Any] = []

    async def main() -> None:
        readers.append(iter_text(with_restarts(open_next, delay=lambda _: 900)))
        async with anyio.create_task_group() as group:

            async def close() -> None:
                await anyio.wait_all_tasks_blocked()
                await readers[0].aclose()

            group.start_soon(close)
            with pytest.raises(StreamConnectionError, match="closed before") as caught:
                await anext(readers[0])
            assert not caught.value.retryable

    def close_meanwhile(_attempt: int) -> float:
        with ThreadPoolExecutor() as pool:  # as a stop button does
            pool.submit(readers[0].close).result(PATIENCE)
        return 900

    if mode.is_async:
        mode.run(main)
    else:
        readers.append(iter_text(with_restarts(open_next, delay=close_meanwhile)))
        with pytest.raises(StreamConnectionError, match="closed before") as caught:
            next(readers[0])
        assert not caught.value.retryable
    assert calls == [0]


@in_every_mode
async def test_closing_where_no_delay_was_needed(mode: Mode) -> None:
    """It closes the attempt that is on."""
    closed: list[bool] = []

    def items() -> Iterator[Any]:
        try:
            yield from EVENTS
        finally:
            closed.append(True)

    source = mode.source(generator := items())
    if mode.is_async:
        source.close = generator.close
    texts = Either(iter_text(with_restarts(lambda: source)))
    assert await anext(texts) == "Hello, w"
    await texts.aclose()
    assert closed == [True]
    with pytest.raises(StreamConnectionError, match="closed before"):
        await anext(texts)


def test_closing_while_the_request_is_on_its_way() -> None:
    """The stream that it brings is closed unread: nobody waits for what it might say."""
    closed: list[bool] = []

    class Answer:
        def __iter__(self) -> Any:
            raise NotImplementedError

        def close(self) -> None:
            closed.append(True)

    def open_next() -> Any:
        if not attempts.append(True) and len(attempts) == 1:
            return iter(FAILS_FIRST)
        with ThreadPoolExecutor() as pool:  # as a stop button does
            pool.submit(reader.close).result(PATIENCE)
        return Answer()

    attempts: list[bool] = []
    reader = iter_text(with_restarts(open_next, delay=no_delay))
    with pytest.raises(StreamConnectionError, match="closed before") as caught:
        next(reader)
    assert not caught.value.retryable
    assert closed == [True]
