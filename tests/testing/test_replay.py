"""Playing recordings: `replay`, `sse_response`, the pace, and how each fault ends on every way to a stream."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anthropic
import anyio
import pytest
import respx

from claude_stream import (
    StreamConnectionError,
    StreamError,
    StreamOverloadedError,
    StreamProtocolError,
    StreamTimeoutError,
    StreamTruncatedError,
    collect,
    iter_events,
    iter_text,
)
from claude_stream.testing import Recording, message_events, replay, sse_response
from claude_stream.testing._http import http_package
from claude_stream.testing._replay import Playback
from tests.clocks import Clock, Timeless
from tests.support import ASYNC_MODES, REQUEST, Either, Mode, Outcome, by_hand, done, in_every_mode, read, streaming

EVENTS = message_events("Hello, world!", chunk=6)  # eight: two of the start, three deltas, three of the end
RECORDING = Recording.from_events(EVENTS)
URL = "https://api.anthropic.com/v1/messages"
USING = "httpcore2" if http_package().__name__ == "httpx2" else "httpcore"

FAULTS: dict[str, tuple[Callable[[Recording, int], Recording], type[StreamError], type[anthropic.APIError]]] = {
    "cut": (lambda r, after: r.cut(after=after), StreamTruncatedError, anthropic.APIConnectionError),
    "reset": (lambda r, after: r.reset(after=after), StreamConnectionError, anthropic.APIConnectionError),
    "stall": (lambda r, after: r.stall(after=after), StreamTimeoutError, anthropic.APITimeoutError),
    "error": (
        lambda r, after: r.error("overloaded_error", after=after),
        StreamOverloadedError,
        anthropic.APIStatusError,
    ),
}
"""How to break a recording, the exception that it ends in, and the SDK's own that it is as well."""


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    """Mocks the routes of the SDK's own HTTP package."""
    with respx.mock(using=USING) as router:
        yield router


@contextlib.asynccontextmanager
async def real_client(mode: Mode) -> Any:
    """Give a client of the SDK that would go to the network."""
    kind = anthropic.AsyncAnthropic if mode.is_async else anthropic.Anthropic
    client: Any = kind(api_key="x", max_retries=0)
    try:
        yield client
    finally:
        await done(client.close())


def played(mode: Mode, recorded: Any, **options: Any) -> Any:
    """Return `replay` as a source of the mode's colour."""
    source = replay(recorded, **options)
    return aiter(source) if mode.is_async else source


def paced(*offsets: float) -> Recording:
    """Return the recording with the times of its first events; the others come with the last of these."""
    return dataclasses.replace(RECORDING, offsets=(*offsets, *offsets[-1:] * (len(EVENTS) - len(offsets))))


class OwnInterrupt(BaseException):
    """What a signal handler of the user's may raise."""


def _ignore(_: str) -> None:
    pass


async def by_create(mode: Mode, recording: Recording, _: respx.MockRouter, on_text: Any = _ignore) -> Outcome:
    return await read(iter_text(mode.stream(recording)), on_text)


async def by_open_stream(mode: Mode, recording: Recording, _: respx.MockRouter, on_text: Any = _ignore) -> Outcome:
    async with streaming(mode.client(recording)) as stream:
        return await read(stream.text_stream, on_text)


async def by_replay(mode: Mode, recording: Recording, _: respx.MockRouter, on_text: Any = _ignore) -> Outcome:
    return await read(iter_text(played(mode, recording)), on_text)


async def by_route(mode: Mode, recording: Recording, router: respx.MockRouter, on_text: Any = _ignore) -> Outcome:
    router.post(URL).mock(return_value=sse_response(recording))
    async with real_client(mode) as client:
        return await read(iter_text(client.messages.create(**REQUEST, stream=True)), on_text)


WAYS = pytest.mark.parametrize(
    "way", [by_create, by_open_stream, by_replay, by_route], ids=lambda way: way.__name__.removeprefix("by_")
)


# -- faults --


@WAYS
@pytest.mark.parametrize(("after", "text"), [(0, ""), (1, ""), (4, "Hello, world")])
@pytest.mark.parametrize("fault", FAULTS)
@in_every_mode
async def test_a_fault_ends_as_it_is_named(
    mode: Mode, router: respx.MockRouter, fault: str, after: int, text: str, way: Any
) -> None:
    """On each way the text in front of the fault is read, and the exception is the documented one, and holds it."""
    make, expected, sdk_class = FAULTS[fault]
    outcome = await way(mode, make(RECORDING, after), router)
    error = outcome.error
    assert "".join(outcome.items) == text
    assert type(error) is expected
    assert isinstance(error, StreamError)
    assert isinstance(error, sdk_class)
    assert (error.retryable, error.content_started) == (True, after > 1)
    assert "".join(block.text for block in error.partial.content) == text if error.partial else after == 0
    if isinstance(error, StreamOverloadedError):
        assert (error.status_code, error.type) == (529, "overloaded_error")
    causes = {"reset": http_package().ReadError, "stall": http_package().ReadTimeout}
    assert fault not in causes or type(error.__cause__) is causes[fault]


@WAYS
@pytest.mark.parametrize("fault", ["cut", "reset", "stall", "error"])
@in_every_mode
async def test_a_fault_behind_the_whole_message(mode: Mode, router: respx.MockRouter, fault: str, way: Any) -> None:
    """What comes behind the last event changes nothing."""
    outcome = await way(mode, FAULTS[fault][0](RECORDING, len(EVENTS)), router)
    assert ("".join(outcome.items), outcome.error) == ("Hello, world!", None)


@WAYS
@pytest.mark.parametrize("by", ["whole", "event", "random", 1, 50])
@in_every_mode
async def test_the_chunks_change_nothing(mode: Mode, router: respx.MockRouter, by: Any, way: Any) -> None:
    """However the body is cut, the text is the same, and so is the text in front of a fault."""
    whole = await way(mode, RECORDING.chunked(by), router)
    assert ("".join(whole.items), whole.error) == ("Hello, world!", None)
    broken = await way(mode, RECORDING.reset(after=4).chunked(by), router)
    assert ("".join(broken.items), type(broken.error)) == ("Hello, world", StreamConnectionError)


@WAYS
@pytest.mark.parametrize("by", [KeyboardInterrupt, SystemExit(3), OwnInterrupt])
@pytest.mark.parametrize(("after", "text"), [(0, ""), (4, "Hello, world")])
@in_every_mode
async def test_an_interruption(mode: Mode, router: respx.MockRouter, after: int, text: str, by: Any, way: Any) -> None:
    """On each way the reader gets all that came before it, and then the very exception that was asked for."""
    kind = by if isinstance(by, type) else type(by)
    texts: list[str] = []
    with pytest.raises(kind) as caught:
        await way(mode, RECORDING.interrupted(after=after, by=by), router, texts.append)
    assert type(caught.value) is kind
    assert isinstance(by, type) or caught.value is by
    assert "".join(texts[-1:]) == text


@in_every_mode
async def test_what_is_left_of_an_interrupted_stream(mode: Mode) -> None:
    """The reader keeps what came, does not look finished, and its connection is closed behind the `with`."""
    async with streaming(mode.client(RECORDING.interrupted(after=4))) as stream:
        with pytest.raises(KeyboardInterrupt):
            await read(stream.text_stream)
        assert (stream.current_message_snapshot.content[0].text, stream.complete) == ("Hello, world", False)
        with pytest.raises(StreamTruncatedError):
            await done(stream.get_final_message())
    assert stream.response.is_closed


@in_every_mode
async def test_an_interruption_that_the_sdk_takes_for_a_fault(mode: Mode) -> None:
    """What is an `Exception` ends in a StreamError, whose cause it is, as any other would."""
    outcome = await read(iter_text(mode.stream(RECORDING.interrupted(after=4, by=TimeoutError("alarm")))))
    assert "".join(outcome.items) == "Hello, world"
    assert type(outcome.error) is StreamTimeoutError
    assert str(outcome.error.__cause__) == "alarm"


@in_every_mode
async def test_a_refused_request_is_no_stream(mode: Mode) -> None:
    """Where there is no request, the answer to a refused one is no event stream, and is shown."""
    outcome = await by_replay(mode, Recording.http_error(529, message="busy"), respx.MockRouter())
    assert outcome.items == []
    assert type(outcome.error) is StreamProtocolError
    assert "busy" in str(outcome.error)


# -- replay --


@pytest.mark.parametrize("recorded", [5, None, b"data: {}", {"type": "ping"}, {}, ["Hi"], [{"type": "ping"}, None]])
@pytest.mark.parametrize("function", [replay, sse_response])
def test_what_is_no_recording(function: Callable[[Any], Any], recorded: Any) -> None:
    """What is none is named when it is passed, not when it is read."""
    with pytest.raises(TypeError, match="a recording, a path or a list of events") as caught:
        function(recorded)
    assert repr(recorded) in str(caught.value)


@pytest.mark.parametrize("function", [replay, sse_response])
def test_a_file_that_cannot_be_read(tmp_path: Path, function: Callable[[Any], Any]) -> None:
    """A file that is not there, or is damaged, is refused when it is passed."""
    with pytest.raises(FileNotFoundError, match=r"nothing\.sse"):
        function(tmp_path / "nothing.sse")
    (tmp_path / "damaged.jsonl").write_text('{"claude_stream_recording": 1}\noops')
    with pytest.raises(ValueError, match=r"damaged\.jsonl, line 2"):
        function(tmp_path / "damaged.jsonl")


@pytest.mark.parametrize("kind", ["recording", "events", "generator", "path", "string", "jsonl"])
@in_every_mode
async def test_whatever_stands_for_a_recording(mode: Mode, tmp_path: Path, kind: str) -> None:
    """A recording, a list or a generator of events, and the path of a file of either format give the same events."""
    path = tmp_path / ("answer.jsonl" if kind == "jsonl" else "answer.sse")
    RECORDING.save(path)
    recorded = {"recording": RECORDING, "events": EVENTS, "generator": iter(EVENTS), "string": str(path)}.get(
        kind, path
    )
    assert [event.to_dict() async for event in Either(iter_events(played(mode, recorded)))] == EVENTS


@in_every_mode
async def test_it_is_played_from_the_beginning_each_time(mode: Mode) -> None:
    """A replay can be iterated any number of times, by two readers at once, too."""
    source = replay(RECORDING)
    begin: Callable[[Any], Any] = aiter if mode.is_async else iter
    one, other = begin(source), begin(source)
    first = [await anext(Either(reader)) for reader in (one, other, one, other)]
    assert [event.type for event in first] == ["message_start", "message_start", *["content_block_start"] * 2]
    for _ in range(2):
        assert "".join((await read(iter_text(begin(source)))).items) == "Hello, world!"


def test_playing_adds_nothing_to_what_the_recording_holds() -> None:
    """The chunks that are played are the recording's own, one after the other, and no copies."""
    playback = Playback(RECORDING, 0)
    for chunk in RECORDING.chunks:
        assert next(playback) is chunk


@in_every_mode
async def test_pings_are_played(mode: Mode) -> None:
    """What an SDK stream would pass over is there as well."""
    events = [*EVENTS[:3], {"type": "ping"}, *EVENTS[3:]]
    kinds = [event.type async for event in Either(iter_events(played(mode, events)))]
    assert kinds == [event["type"] for event in events]


@ASYNC_MODES
def test_passed_directly_it_is_a_sync_source(mode: Mode) -> None:
    """Passed to a function of the library, a replay is read as a sync source, even on an event loop."""

    async def main() -> str:
        return "".join(iter_text(replay(RECORDING)))

    assert mode.run(main) == "Hello, world!"


@in_every_mode
async def test_leaving_early_warns_nobody(mode: Mode) -> None:
    """A replay that is left in the middle leaves nothing behind."""
    for stage in (iter_events, iter_text):
        async for _ in Either(stage(played(mode, RECORDING))):
            break


# -- the pace --


@pytest.fixture
def times(timeless: Timeless, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], list[float]]:
    """Reads an iterator, and gives the times at which its items came, by a clock that only waiting moves."""
    namespace = SimpleNamespace(monotonic=timeless.clock, sleep=timeless.sleep)
    monkeypatch.setattr("claude_stream.testing._replay.time", namespace)

    async def read_all(make: Callable[[], Any]) -> list[float]:
        start = timeless.clock()
        return [timeless.clock() - start async for _ in Either(make())]

    def run(make: Callable[[], Any]) -> list[float]:
        return timeless.run(lambda: read_all(make)) if timeless.is_async else by_hand(read_all(make))

    return run


@pytest.mark.parametrize("speed", [None, 0])
def test_without_a_speed_nothing_waits(timeless: Timeless, times: Any, speed: float | None) -> None:
    """By default, and at speed 0, everything comes at once."""
    assert times(lambda: iter_text(played(timeless, paced(0, 600), speed=speed))) == [0, 0, 0]


@pytest.mark.parametrize("recorded", [RECORDING, EVENTS, RECORDING.chunked("whole"), Recording(())])
@pytest.mark.parametrize("function", [replay, sse_response])
def test_without_times_there_is_no_pace(function: Callable[..., Any], recorded: Any) -> None:
    """A speed for a recording that has no times is refused, for nothing would wait; no speed, and 0, are fine."""
    with pytest.raises(ValueError, match=r"has no times, .* speed=1: .*, such as recording\.paced\(0\.03\)"):
        function(recorded, speed=1)
    for speed in (None, 0):
        function(recorded, speed=speed)


@pytest.mark.parametrize("function", [replay, sse_response])
def test_a_refusal_needs_no_times(function: Callable[..., Any]) -> None:
    """What is no stream of events has nothing to wait for, and stands beside recordings that have."""
    function(Recording.http_error(529), speed=1)


@pytest.mark.parametrize(("speed", "at"), [(None, [1, 1.5, 2]), (1, [1, 1.5, 2]), (2, [0.5, 0.75, 1]), (0, [0, 0, 0])])
def test_a_pace_of_ones_own(timeless: Timeless, times: Any, speed: float | None, at: list[float]) -> None:
    """A paced recording is played at its pace, unless there is a speed."""
    recording = RECORDING.paced(0.5)
    assert times(lambda: iter_text(played(timeless, recording, speed=speed))) == at


@pytest.mark.parametrize("speed", [1, 2, 0.5])
def test_how_long_a_sync_reader_waits(monkeypatch: pytest.MonkeyPatch, speed: float) -> None:
    """Before each chunk it waits until the time of that, by the speed; the time that the reader takes counts."""
    clock, waits = Clock(), list[float]()
    monkeypatch.setattr("claude_stream.testing._replay.time", SimpleNamespace(monotonic=clock))
    source = replay(paced(0, 10, 20, 30), speed=speed, sleep=waits.append)
    for _ in range(2):
        waits.clear()
        for _ in source:
            clock.now += 0.25
        # Since this sleep does not sleep, every wait is counted from the beginning.
        due = [at / speed for at in (10, 20, 30, 30, 30, 30, 30)]
        assert waits == [at - 0.25 * number for number, at in enumerate(due, start=1)]


@pytest.mark.parametrize("timeless", ["asyncio", "trio"], indirect=True)
@pytest.mark.parametrize("awaited", [True, False], ids=["a coroutine function", "a plain function"])
def test_how_long_an_async_reader_waits(timeless: Timeless, times: Any, awaited: bool) -> None:
    """The same for an async reader, whose sleep may be a coroutine function or a plain one."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        await anyio.sleep(0)
        waits.append(seconds)

    recording = paced(0, 10, 20, 30)
    assert times(lambda: played(timeless, recording, speed=2, sleep=sleep if awaited else waits.append)) == [0] * 8
    # It is asked before each chunk, due or not, so that other tasks have their turn.
    assert waits == [0, 5, 10, 15, 15, 15, 15, 15]


def test_the_recorded_pace(timeless: Timeless, times: Any) -> None:
    """With no sleep of one's own it really waits."""
    assert times(lambda: iter_text(played(timeless, paced(0, 0, 0.25, 0.25, 0.5), speed=2))) == [0.125, 0.125, 0.25]


@ASYNC_MODES
def test_others_have_their_turn(mode: Mode) -> None:
    """An async replay lets other tasks run between any two events, even at once."""
    turns: list[str] = []

    async def other() -> None:
        while len(turns) < 20:
            turns.append("other")
            await anyio.lowlevel.checkpoint()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(other)
            async for _ in replay(RECORDING):
                turns.append("event")

    mode.run(main)
    assert turns.count("event") == 8
    assert "event event event" not in " ".join(turns)  # two of them may meet where two rounds of the loop do


# -- sse_response --


@pytest.mark.parametrize("kind", ["path", "events"])
@in_every_mode
async def test_a_route_serves_any_number_of_requests(
    mode: Mode, router: respx.MockRouter, tmp_path: Path, kind: str
) -> None:
    """One response, from a path or from events, answers each request in full."""
    RECORDING.save(path := tmp_path / "answer.sse")
    route = router.post(URL).mock(return_value=sse_response(path if kind == "path" else EVENTS))
    async with real_client(mode) as client:
        for _ in range(3):
            stream = await done(client.messages.create(**REQUEST, stream=True))
            assert stream.response.headers["content-type"] == "text/event-stream"
            assert (await done(collect(stream))).content[0].text == "Hello, world!"
    assert route.call_count == 3


@in_every_mode
async def test_a_route_serves_two_kinds_of_client(mode: Mode, router: respx.MockRouter) -> None:
    """The same response is read by `open_stream` as well, and by two readers at once."""
    router.post(URL).mock(return_value=sse_response(RECORDING))
    async with (
        real_client(mode) as client,
        Either(iter_text(client.messages.create(**REQUEST, stream=True))) as one,
        streaming(client) as stream,
    ):
        texts = [one, Either(stream.text_stream)]
        pieces = [await anext(texts[number % 2]) for number in range(6)]
    assert "".join(pieces[::2]) == "".join(pieces[1::2]) == "Hello, world!"


def test_a_route_streams_chunk_by_chunk(timeless: Timeless, times: Any, router: respx.MockRouter) -> None:
    """The first text is there while the last is still to come."""
    router.post(URL).mock(return_value=sse_response(paced(0, 0, 0, 0.5, 0.5), speed=1))
    kind = anthropic.AsyncAnthropic if timeless.is_async else anthropic.Anthropic
    assert times(lambda: iter_text(kind(api_key="x").messages.create(**REQUEST, stream=True))) == [0, 0.5, 0.5]


@in_every_mode
async def test_a_route_refuses_a_request(mode: Mode, router: respx.MockRouter) -> None:
    """The answer to a refused request raises the SDK's own exception, with the headers of the recording."""
    router.post(URL).mock(return_value=sse_response(Recording.http_error(429, message="too fast", retry_after=7)))
    async with real_client(mode) as client:
        with pytest.raises(anthropic.RateLimitError, match="too fast") as caught:
            await done(client.messages.create(**REQUEST, stream=True))
    assert caught.value.response.headers["retry-after"] == "7"


@in_every_mode
async def test_leaving_a_route_early_warns_nobody(mode: Mode, router: respx.MockRouter) -> None:
    """A mocked stream that is left in the middle leaves nothing of ours behind."""
    router.post(URL).mock(return_value=sse_response(RECORDING))
    async with (
        real_client(mode) as client,
        Either(iter_text(client.messages.create(**REQUEST, stream=True))) as texts,
    ):
        assert await anext(texts) == "Hello,"
