"""Time limits: what counts as waiting, and who ends it. No second passes here, but for one of the watchdog's waits."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import anthropic
import anyio
import pytest

from claude_stream import (
    StreamTimeoutError,
    collect,
    iter_events,
    iter_text,
    with_timeout,
)
from claude_stream._drive.pipeline import Options, drive
from claude_stream._drive.timeouts import Limits, Patience, Watchdog, watched
from claude_stream._drive.waits import AsyncioWaits, TrioWaits
from claude_stream._steps.guard import Guard
from claude_stream.testing import message_events
from claude_stream.testing._http import http_package
from tests.clocks import Clock, Timeless
from tests.support import PATIENCE, REQUEST, SOON, AsyncItems, Either, Mode, body_of, by_hand, done, failing

http = http_package()
EVENTS = message_events("Hello, world!")
TIMELESS_ASYNC = pytest.mark.parametrize("timeless", ["asyncio", "trio"], indirect=True)
PING = {"type": "ping"}


def limited(mode: Timeless, source: Any, **limits: float) -> Any:
    """Return what `with_timeout` does, by the clock of the mode."""
    return drive(source, options=Options(events=True, limits=Limits(**limits, clock=mode.clock)))


# -- time limits --


@pytest.mark.parametrize("name", ["first", "idle", "silent"])
def test_one_limit_is_enough(name: str) -> None:
    """Each is a limit by itself."""
    given: dict[str, Any] = dict.fromkeys(("first", "idle", "silent"))
    assert Limits.of(**given) is None
    assert Limits.of(**{**given, name: 5}) == Limits(**{name: 5})


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_limit_that_is_none(seconds: float) -> None:
    """A limit is more than 0 seconds, and the error says which one is not."""
    with pytest.raises(ValueError, match=f"^first is a number of seconds, more than 0, and not {seconds}$"):
        with_timeout(EVENTS, first=seconds)
    with pytest.raises(ValueError, match=f"^idle is a number of seconds, more than 0, and not {seconds}$"):
        with_timeout(EVENTS, idle=seconds)
    with pytest.raises(ValueError, match=f"^silent is a number of seconds, more than 0, and not {seconds}$"):
        with_timeout(EVENTS, silent=seconds)


def test_an_idle_stream(timeless: Timeless) -> None:
    """What came in front of the silence is handed out; the error says how long it lasted."""
    items = (*EVENTS[:3], *(part for _ in range(20) for part in (0.03, PING)), *EVENTS[3:])
    outcome = timeless.read(lambda: iter_text(limited(timeless, timeless.paced(*items), idle=0.2)))
    assert outcome.items == ["Hello, w"]
    assert isinstance(outcome.error, StreamTimeoutError)
    assert "no event in 0.2 s" in str(outcome.error)
    assert outcome.error.partial is not None
    assert outcome.error.last_ping is not None
    assert outcome.error.last_ping < 0.04
    assert "the last ping came" in str(outcome.error)


def test_a_source_that_leaves_no_turn_to_the_loop(mode: Mode) -> None:
    """A source that blocks the loop cannot be interrupted, but it is judged at its next turn."""
    clock = Clock()

    def pings() -> Iterator[Any]:
        yield from EVENTS[:3]
        while True:
            clock.sleep(0.06)
            yield PING

    class Blocking(AsyncItems):
        async def __anext__(self) -> Any:
            return next(self._items)

    source = Blocking(pings()) if mode.is_async else pings()
    limits = Limits(idle=0.05, clock=clock)
    outcome = mode.read(lambda: iter_text(drive(source, options=Options(events=True, limits=limits))))
    assert outcome.items == ["Hello, w"]
    assert isinstance(outcome.error, StreamTimeoutError)


def test_content_that_does_not_come(timeless: Timeless) -> None:
    """Events in front of the content are no content, and pings less so."""
    items = (EVENTS[0], *(part for _ in range(20) for part in (0.03, PING)), *EVENTS[1:])
    outcome = timeless.read(lambda: iter_text(limited(timeless, timeless.paced(*items), first=0.2, idle=60)))
    assert outcome.items == []
    assert isinstance(outcome.error, StreamTimeoutError)
    assert "no content in the first 0.2 s" in str(outcome.error)
    assert not outcome.error.content_started


def test_pings_are_a_sign_of_life(timeless: Timeless) -> None:
    """A stream that sends nothing but pings is not silent, however long it does."""
    items = (*EVENTS[:3], *(part for _ in range(20) for part in (0.03, PING)), *EVENTS[3:])
    source = timeless.paced(*items)
    assert timeless.message(lambda: collect(limited(timeless, source, silent=0.05))) == collect(EVENTS)


@TIMELESS_ASYNC
def test_a_silent_stream(timeless: Timeless) -> None:
    """Not even a ping: the connection is dead. The error says for how long, and when the last ping came."""
    items = (*EVENTS[:3], 0.03, PING, 0.2, *EVENTS[3:])
    outcome = timeless.read(lambda: iter_text(limited(timeless, timeless.paced(*items), silent=0.05, idle=60)))
    assert outcome.items == ["Hello, w"]
    error = outcome.error
    assert isinstance(error, StreamTimeoutError)
    assert "not a byte in 0.05 s; the last ping came 0.05 s before" in str(error)
    assert error.last_ping == pytest.approx(0.05)


@TIMELESS_ASYNC
@pytest.mark.parametrize("limits", [{"idle": 0.1}, {"silent": 0.1}, {"idle": 0.1, "silent": 0.1}])
def test_a_whole_message_is_not_late(timeless: Timeless, limits: dict[str, float]) -> None:
    """Behind the stop reason, with no block open, silence and pings are no failure."""
    items = (*EVENTS[:-1], 0.03, PING, 60.0, *EVENTS[-1:])
    source = timeless.paced(*items)
    assert timeless.message(lambda: collect(limited(timeless, source, **limits))) == collect(EVENTS)


class Paced(http.AsyncByteStream):
    """A body that waits where one of its chunks is a number of seconds."""

    def __init__(self, *chunks: bytes | float) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> Any:
        for chunk in self._chunks:
            if isinstance(chunk, float):
                await anyio.sleep(chunk)
            else:
                yield chunk


@TIMELESS_ASYNC
@pytest.mark.parametrize("pings", [5, 100])
def test_where_the_sdk_keeps_the_pings(timeless: Timeless, pings: int) -> None:
    """Bytes tell that the server lives, though no event comes of them; without them, it is silent."""
    ping = b"event: ping\ndata: {}\n\n"
    alive = [part for _ in range(pings) for part in (0.03, ping)]
    body = Paced(body_of(EVENTS[:3]), *alive, 0.2, body_of(EVENTS[3:]))
    answer = http.Response(200, headers={"content-type": "text/event-stream"}, stream=body)

    async def main() -> None:
        transport = http.MockTransport(lambda _: answer)
        http_client = http.AsyncClient(transport=transport)
        client = anthropic.AsyncAnthropic(api_key="key", max_retries=0, http_client=http_client)
        stream = await client.messages.create(**REQUEST, stream=True)
        start = timeless.clock()
        with pytest.raises(StreamTimeoutError, match=r"not a byte in 0.05 s \(") as caught:
            await collect(limited(timeless, stream, silent=0.05, idle=60, first=60))
        assert timeless.clock() - start == pytest.approx(pings * 0.03 + 0.05)
        assert caught.value.last_ping is None

    timeless.run(main)


def test_a_stream_in_time(timeless: Timeless) -> None:
    """A stream that keeps its limits is as it was; `first` says nothing about what comes after."""
    items = (*EVENTS[:3], 0.1, *EVENTS[3:])
    paced = timeless.paced(*items)
    assert timeless.message(lambda: collect(limited(timeless, paced, first=0.05, idle=5))) == collect(EVENTS)


def test_no_limits_are_no_limits(mode: Mode) -> None:
    """`with_timeout` without a limit changes nothing."""
    assert mode.message(lambda: collect(with_timeout(mode.source(EVENTS)))) == collect(EVENTS)


def test_only_waiting_counts(timeless: Timeless) -> None:
    """A reader that takes its time is not held against the stream."""

    async def read_slowly() -> list[str]:
        chunks = []
        stream = limited(timeless, iter_events(timeless.source(EVENTS)), first=0.05, idle=0.05)
        async for chunk in Either(iter_text(stream)):
            chunks.append(chunk)
            await done(timeless.sleep(0.1))
        return chunks

    chunks = timeless.run(read_slowly) if timeless.is_async else by_hand(read_slowly())
    assert chunks == ["Hello, w", "orld!"]


def test_patience_forgets_a_wait_that_ended_in_progress() -> None:
    """The idle limit starts over with every event but a ping; the first limit ends with the content."""
    guard = Guard()
    patience = Patience(Limits(first=10, idle=2), guard)
    assert patience.left(0) == 2
    patience.count(1.5)
    guard.feed(PING)
    assert patience.left(0) == 0.5
    guard.feed(EVENTS[0])
    assert patience.left(0) == 2
    patience.count(1.9)
    guard.feed({"type": "news"})
    patience.count(6.1)
    guard.feed({"type": "news"})
    assert patience.left(0) == 0.5  # of the ten seconds until the first content
    guard.feed(EVENTS[1])
    assert patience.left(0) == 2
    assert Patience(Limits(), guard).left(0) is None


def test_a_limit_that_is_used_up() -> None:
    """A wait may take all of it, and then there is none left."""
    guard = Guard()
    patience = Patience(Limits(idle=2), guard)
    assert patience.left(0) == 2
    guard.feed(EVENTS[0])
    assert patience.left(1.5) == 2
    assert patience.left(1.5) == 0.5
    with pytest.raises(StreamTimeoutError, match="no event in 2 s, pings aside"):
        patience.left(0.5)


def test_what_comes_in_front_of_the_content_takes_its_time() -> None:
    """The limit for the first content runs on through the events before it."""
    guard = Guard()
    patience = Patience(Limits(first=10), guard)
    assert patience.left(0) == 10
    guard.feed(EVENTS[0])
    assert patience.left(4) == 6
    assert patience.left(1) == 5


@pytest.mark.parametrize(("limit", "left"), [("first", 1.5), ("idle", 1.5), ("silent", 2.5)])
def test_what_is_left_in_the_middle_of_a_wait(limit: str, left: float) -> None:
    """Bytes put off the end of silence, and of nothing else."""
    clock = Clock(100)
    patience = Patience(Limits(**{limit: 4}, clock=clock), Guard())
    patience.begins(clock())
    clock.sleep(1)
    patience.touch()
    clock.sleep(1.5)
    assert patience.left_now() == left


class Noting(Watchdog):
    """A watchdog without a thread, which notes when it is to look."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.woken_for: list[float] = []
        self.is_stopped = False
        Noting.last = self

    last: Any = None

    def wake(self) -> None:
        self.woken_for.append(self.deadline)

    def stop(self) -> None:
        self.is_stopped = True


def limited_by(clock: Clock, items: Iterator[Any], guard: Guard | None = None, **limits: float) -> Iterator[Any]:
    """Watch over items that come from a connection."""
    connection: Any = object()
    return watched(items, Patience(Limits(**limits, clock=clock), guard or Guard()), connection)


@pytest.fixture
def noting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no thread in this test."""
    monkeypatch.setattr(Noting, "last", None)
    monkeypatch.setattr("claude_stream._drive.timeouts.Watchdog", Noting)


@pytest.mark.usefixtures("noting")
def test_bytes_move_the_deadline_of_a_sync_wait() -> None:
    """In the middle of a wait, only silence begins again: the other limits run on."""
    clock, deadlines = Clock(100), []
    patience = Patience(Limits(first=10, silent=5, clock=clock), Guard())

    def items() -> Iterator[Any]:
        for _ in range(3):
            deadlines.append(Noting.last.deadline)
            clock.sleep(4)
            patience.touch()
        deadlines.append(Noting.last.deadline)
        yield from ()

    connection: Any = object()
    assert list(watched(items(), patience, connection)) == []
    assert deadlines == [105, 109, 110, 110]


@pytest.mark.usefixtures("noting")
@pytest.mark.parametrize("left_early", [False, True])
def test_between_waits_nothing_is_watched(left_early: bool) -> None:
    """The consumer may take as long as it likes with an item, and when it has had enough there is no watchdog."""
    clock, given = Clock(100), 0
    items: Any = limited_by(clock, iter(EVENTS[:3]), idle=5)
    for _ in items:
        given += 1
        assert Noting.last.deadline == math.inf
        assert not Noting.last.is_stopped
        clock.sleep(60)
        if left_early:
            break
    items.close()  # which is what the end of a reader does to it
    assert given == (1 if left_early else 3)
    assert Noting.last.woken_for == [105, 165, 225, 285][: 1 if left_early else 4]
    assert Noting.last.is_stopped


@pytest.mark.usefixtures("noting")
def test_where_no_limit_is_left_nothing_is_watched() -> None:
    """Behind the first content a limit for that is none."""
    guard = Guard()
    for event in EVENTS[:2]:
        guard.feed(event)
    assert list(limited_by(Clock(100), iter(EVENTS[2:]), guard, first=5)) == EVENTS[2:]
    assert (Noting.last.woken_for, Noting.last.deadline) == ([], math.inf)


class Biting(Noting):
    """A watchdog that bites at once, as if it were time."""

    def wake(self) -> None:
        clock: Any = self._clock
        clock.now = self.deadline
        self.fired = True


@pytest.mark.parametrize("is_reset", [False, True])
@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"idle": 5}, "no event in 5 s, pings aside"),
        ({"first": 3, "silent": 5}, "no content in the first 3 s, pings aside"),
        ({"first": 5, "silent": 3}, "not a byte in 3 s"),
        ({"idle": 3, "silent": 5}, "no event in 3 s, pings aside"),
        ({"idle": 5, "silent": 3}, "not a byte in 3 s"),
    ],
)
def test_an_end_that_the_watchdog_made(
    monkeypatch: pytest.MonkeyPatch, limits: dict[str, float], says: str, is_reset: bool
) -> None:
    """Where a body ends with its connection, a shutdown looks like a clean end, and is a time limit all the same."""
    monkeypatch.setattr("claude_stream._drive.timeouts.Watchdog", Biting)
    items = failing(ConnectionResetError(), ()) if is_reset else iter(())
    with pytest.raises(StreamTimeoutError, match=f"^{says}") as caught:
        list(limited_by(Clock(100), items, **limits))
    assert isinstance(caught.value.__cause__, ConnectionResetError) is is_reset


@pytest.mark.usefixtures("noting")
@pytest.mark.parametrize("connection", [None, object()])
def test_a_failure_that_no_watchdog_made(connection: Any) -> None:
    """It stays what it is."""
    patience = Patience(Limits(idle=5, clock=Clock(100)), Guard())
    with pytest.raises(ConnectionResetError):
        list(watched(failing(ConnectionResetError(), EVENTS[:1]), patience, connection))
    assert (Noting.last is None) is (connection is None)  # without a connection, there is nothing to shut down


def test_whatever_is_given_is_handed_on() -> None:
    """What is no event is for the steps to refuse: here, nothing that comes is an end."""
    given = [EVENTS[0], None, 0, ""]
    assert list(watched(iter(given), Patience(Limits(idle=5), Guard()), None)) == given


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_read_that_is_blocked_ends_in_time(is_reset: bool) -> None:
    """By the clock of the limits, and through the connection."""
    shut_down = threading.Event()

    def items() -> Iterator[Any]:
        yield EVENTS[0]
        assert shut_down.wait(SOON)
        if is_reset:
            raise ConnectionResetError

    connection: Any = SimpleNamespace(shut_down=shut_down.set)
    limits = Limits(idle=0.02, clock=lambda: time.monotonic() + 1_000_000)
    given: list[Any] = []
    with pytest.raises(StreamTimeoutError, match=r"^no event in 0\.02 s"):
        given.extend(watched(items(), Patience(limits, Guard()), connection))
    assert given == EVENTS[:1]


def test_bytes_that_come_while_nobody_waits() -> None:
    """They move nothing: what is left of a body is read when it is closed."""
    for waits in (None, AsyncioWaits, TrioWaits):
        patience = Patience(Limits(first=4, idle=4, silent=5, clock=Clock(0)), Guard())
        _ = waits and waits(patience)
        patience.touch()
        assert patience.left_now() == 4
        silent = Patience(Limits(silent=5, clock=Clock(0)), Guard())
        assert silent.left_now() == 5
        silent.touch()
        assert silent.left_now() == 5


# -- the watchdog --


class Ours:
    """What a watchdog knows of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def shut_down(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def ours() -> Iterator[socket.socket]:
    """Give a socket to be watched; no read of it takes for ever."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(PATIENCE)
        yield ours


class LookedAt(Clock):
    """A clock that tells how often somebody has looked at it."""

    def __init__(self) -> None:
        super().__init__(0)
        self.looks = threading.Semaphore(0)

    def __call__(self) -> float:
        self.looks.release()
        return self.now


def until(is_so: Callable[[], object]) -> None:
    """Wait for what another thread is about to do."""
    end = time.monotonic() + SOON
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.001)


def arm(watchdog: Watchdog, deadline: float) -> None:
    """Begin a wait, as a reader does."""
    watchdog.deadline = deadline
    if deadline < watchdog.wakes_at:
        watchdog.wake()


def test_the_watchdog_bites_by_itself(ours: socket.socket) -> None:
    """A read that is blocked ends when its time is over, and not before."""
    watchdog = Watchdog(Ours(ours))
    deadline = time.monotonic() + 0.05
    arm(watchdog, deadline)
    assert ours.recv(1) == b""
    assert time.monotonic() >= deadline
    assert watchdog.fired
    until(lambda: not watchdog.watching)
    assert watchdog.wakes_at == math.inf


def test_a_watchdog_that_sleeps_for_longer_is_woken(ours: socket.socket) -> None:
    """A wait whose limit is shorter than that of the one before ends at its own."""
    clock = LookedAt()
    watchdog = Watchdog(Ours(ours), clock)
    arm(watchdog, 1_000_000)
    assert clock.looks.acquire(timeout=PATIENCE)
    watchdog.deadline = math.inf
    clock.now = 5
    arm(watchdog, 5)
    assert ours.recv(1) == b""
    assert watchdog.fired


def test_the_watchdog_leaves_a_wait_that_is_over_alone(ours: socket.socket) -> None:
    """Waits that end in time are none of its business, however long the reader then takes."""
    clock = LookedAt()
    watchdog = Watchdog(Ours(ours), clock)
    for _ in range(3):
        arm(watchdog, clock.now + 1_000_000)
        watchdog.deadline = math.inf
        clock.now += 2_000_000
        watchdog.wake()
        assert clock.looks.acquire(timeout=PATIENCE)
    watchdog.stop()
    assert not watchdog.fired


def test_an_idle_watchdog_goes_home(ours: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits, nobody watches; the next wait is watched all the same."""
    monkeypatch.setattr("claude_stream._drive.timeouts.LINGER", 0.01)
    watchdog = Watchdog(Ours(ours))
    arm(watchdog, time.monotonic() + PATIENCE)
    watchdog.deadline = math.inf
    watchdog.wake()
    until(lambda: not watchdog.watching)
    assert watchdog.wakes_at == math.inf
    arm(watchdog, time.monotonic())
    assert ours.recv(1) == b""


def test_the_thread_of_a_watchdog(ours: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has a name, keeps no process alive, says when it looks again, and is gone with the stream."""
    monkeypatch.setattr("claude_stream._drive.timeouts.LINGER", PATIENCE)
    before = threading.enumerate()
    looks: list[float] = []

    def clock() -> float:
        looks.append(watchdog.wakes_at)
        return 7

    watchdog = Watchdog(Ours(ours), clock)
    assert (watchdog.watching, watchdog.fired, watchdog.deadline) == (False, False, math.inf)
    arm(watchdog, 1_000_007)
    [thread] = [each for each in threading.enumerate() if each not in before]
    assert (thread.name, thread.daemon, watchdog.watching) == ("claude-stream-watchdog", True, True)
    until(lambda: watchdog.wakes_at == 1_000_007)
    watchdog.wake()
    until(lambda: len(looks) == 2)
    assert looks == [math.inf] * 2  # so that a deadline that is set meanwhile is not overlooked
    watchdog.stop()
    thread.join(SOON)
    assert (thread.is_alive(), watchdog.watching, watchdog.fired) == (False, False, False)


def test_where_no_thread_can_be_had(ours: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the interpreter ends, nobody watches, and the read goes on."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", start)
    watchdog = Watchdog(Ours(ours))
    arm(watchdog, time.monotonic())
    assert not watchdog.watching
    assert not watchdog.fired
