"""Time limits and restarts, without a network: what counts as waiting, and when a stream is opened again."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

from claude_stream import (
    StreamBadRequestError,
    StreamError,
    StreamOverloadedError,
    StreamTimeoutError,
    StreamTruncatedError,
    collect,
    iter_events,
    iter_text,
    with_restarts,
    with_timeout,
)
from claude_stream._steps.guard import Guard
from claude_stream._drive.timeouts import Limits, Patience, Watchdog
from claude_stream._drive.restarts import backoff
from claude_stream.testing import message_events
from tests.support import AsyncItems, Mode

EVENTS = message_events("Hello, world!")
OVERLOADED = message_events("Hello, world!", error="overloaded_error")
FAILS_FIRST = [EVENTS[0], OVERLOADED[-1]]
PING = {"type": "ping"}


class Slow(AsyncItems):
    """Items, some of which are numbers: seconds to wait."""

    async def __anext__(self) -> Any:
        for item in self._items:
            if not isinstance(item, float):
                return item
            await anyio.sleep(item)
        raise StopAsyncIteration


def waits(*items: Any) -> Iterator[Any]:
    for item in items:
        if isinstance(item, float):
            time.sleep(item)
        else:
            yield item


def slow(mode: Mode, *items: Any) -> Any:
    return Slow(items) if mode.is_async else waits(*items)


# -- time limits --


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_limit_that_is_none(seconds: float) -> None:
    """A limit is more than 0 seconds, and the error says which one is not."""
    with pytest.raises(ValueError, match="first is a number of seconds"):
        with_timeout(EVENTS, first=seconds)
    with pytest.raises(ValueError, match="idle is a number of seconds"):
        with_timeout(EVENTS, idle=seconds)


def test_an_idle_stream(mode: Mode) -> None:
    """What came in front of the silence is handed out; the error says how long it lasted."""
    items = (*EVENTS[:3], *(part for _ in range(20) for part in (0.03, PING)), *EVENTS[3:])
    outcome = mode.read(lambda: iter_text(with_timeout(slow(mode, *items), idle=0.2)))
    assert outcome.items == ["Hello, w"]
    assert isinstance(outcome.error, StreamTimeoutError)
    assert "no event in 0.2 s" in str(outcome.error)
    assert outcome.error.partial is not None


def test_pings_that_leave_no_turn_to_the_loop(mode: Mode) -> None:
    """A source that blocks the loop cannot be interrupted, but it is judged at its next turn."""

    def pings() -> Iterator[Any]:
        yield from EVENTS[:3]
        while True:
            time.sleep(0.06)
            yield PING

    class Blocking(Slow):
        async def __anext__(self) -> Any:
            return next(self._items)

    outcome = mode.read(
        lambda: iter_text(with_timeout(Blocking(pings()) if mode.is_async else pings(), idle=0.05)),
    )
    assert outcome.items == ["Hello, w"]
    assert isinstance(outcome.error, StreamTimeoutError)


def test_content_that_does_not_come(mode: Mode) -> None:
    """Events in front of the content are no content, and pings less so."""
    items = (EVENTS[0], *(part for _ in range(20) for part in (0.03, PING)), *EVENTS[1:])
    outcome = mode.read(lambda: iter_text(with_timeout(slow(mode, *items), first=0.2, idle=60)))
    assert outcome.items == []
    assert isinstance(outcome.error, StreamTimeoutError)
    assert "no content in the first 0.2 s" in str(outcome.error)
    assert not outcome.error.content_started


def test_a_stream_in_time(mode: Mode) -> None:
    """A stream that keeps its limits is as it was; `first` says nothing about what comes after."""
    items = (*EVENTS[:3], 0.1, *EVENTS[3:])
    message = mode.message(lambda: collect(with_timeout(slow(mode, *items), first=0.05, idle=5)))
    assert message == collect(EVENTS)
    assert mode.message(lambda: collect(with_timeout(mode.source(EVENTS)))) == collect(EVENTS)


def test_only_waiting_counts(mode: Mode) -> None:
    """A reader that takes its time is not held against the stream."""

    async def read_async() -> list[str]:
        chunks = []
        async for chunk in iter_text(with_timeout(iter_events(mode.source(EVENTS)), first=0.05, idle=0.05)):
            chunks.append(chunk)
            await anyio.sleep(0.1)
        return chunks

    if mode.is_async:
        assert mode.run(read_async) == ["Hello, w", "orld!"]
        return
    chunks = []
    for chunk in iter_text(with_timeout(iter_events(mode.source(EVENTS)), first=0.05, idle=0.05)):
        chunks.append(chunk)
        time.sleep(0.1)
    assert chunks == ["Hello, w", "orld!"]


def test_patience_forgets_a_wait_that_ended_in_progress() -> None:
    """The idle limit starts over with every event but a ping; the first limit ends with the content."""
    guard = Guard()
    patience = Patience(Limits(first=10, idle=2), guard)
    assert patience.left() == 2
    patience.waited(1.5)
    guard.feed(PING)
    assert patience.left() == 0.5
    guard.feed(EVENTS[0])
    assert patience.left() == 2
    patience.waited(1.9)
    guard.feed({"type": "news"})
    patience.waited(6.1)
    guard.feed({"type": "news"})
    assert patience.left() == 0.5  # of the ten seconds until the first content
    guard.feed(EVENTS[1])
    assert patience.left() == 2
    assert Patience(Limits(), guard).left() is None


class Ours:
    """What a watchdog knows of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def shut_down(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)


def test_the_watchdog_bites_in_time_and_only_then() -> None:
    """A read that is blocked ends at its limit; one that is over in time is left alone."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watchdog = Watchdog(Ours(ours))
        watchdog.arm(time.monotonic() + 30)
        time.sleep(0.05)  # by now the thread sleeps until then, unless it is told
        watchdog.deadline = None
        start = time.monotonic()
        watchdog.arm(start + 0.15)
        assert ours.recv(1) == b""
        assert 0.1 <= time.monotonic() - start < 5
        assert watchdog.fired

    ours, theirs = socket.socketpair()
    with ours, theirs:
        watchdog = Watchdog(Ours(ours))
        for _ in range(3):
            watchdog.arm(time.monotonic() + 0.2)
            time.sleep(0.01)
            watchdog.deadline = None
        time.sleep(0.3)
        theirs.send(b"x")
        assert ours.recv(1) == b"x"
        assert not watchdog.fired


def test_an_idle_watchdog_goes_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits, nobody watches; the next wait is watched all the same."""
    monkeypatch.setattr("claude_stream._drive.timeouts.LINGER", 0.05)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watchdog = Watchdog(Ours(ours))
        watchdog.arm(time.monotonic() + 0.05)
        watchdog.deadline = None
        deadline = time.monotonic() + 5
        while watchdog.watching and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not watchdog.watching
        watchdog.arm(time.monotonic() + 0.05)
        assert ours.recv(1) == b""


# -- restarts --


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
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "restart 2 of 2 in 0.01 s" in caplog.text


def test_stages_on_restarts(mode: Mode) -> None:
    """The message, the text and the limits are those of the stream that came through."""
    open_next, _ = opener(mode, FAILS_FIRST, EVENTS)
    assert mode.message(lambda: collect(with_restarts(open_next, delay=no_delay))) == collect(EVENTS)
    open_next, _ = opener(mode, FAILS_FIRST, EVENTS)
    chunks = mode.read(lambda: iter_text(with_timeout(with_restarts(open_next, delay=no_delay), first=5, idle=5)))
    assert (chunks.items, chunks.error) == (["Hello, w", "orld!"], None)


def test_a_limit_holds_for_each_attempt(mode: Mode) -> None:
    """A stream that keeps waiting is opened again, with all of its time."""
    streams = iter([(EVENTS[0], 0.4, *EVENTS[1:]), (EVENTS[0], 0.1, *EVENTS[1:])])
    chunks = mode.read(
        lambda: iter_text(with_timeout(with_restarts(lambda: slow(mode, *next(streams)), delay=no_delay), first=0.25))
    )
    assert (chunks.items, chunks.error) == (["Hello, w", "orld!"], None)


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
