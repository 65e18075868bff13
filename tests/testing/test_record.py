"""Making recordings: `record` over any stream, `recording_client` over real sockets, and what a file never holds."""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import itertools
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import pytest

from claude_stream import (
    StreamAPIError,
    StreamConnectionError,
    StreamError,
    StreamProtocolError,
    StreamTimeoutError,
    StreamTruncatedError,
    collect,
    from_sse,
    iter_events,
    iter_text,
    tap,
    with_restarts,
    wrap_client,
)
from claude_stream.testing import Recording, message_events, record, recording_client, replay
from claude_stream.testing._http import http_package
from tests.clocks import Clock
from tests.faults import BODIES
from tests.loopback import End, Loopback, Script
from tests.nets import JSON, SSE, Api, Net
from tests.support import (
    ASYNC_MODES,
    PATIENCE,
    REQUEST,
    SOON,
    Either,
    Mode,
    body_of,
    done,
    entered,
    failing,
    in_every_mode,
    read,
    streaming,
)

EVENTS = message_events("Hello, wonderful world!")  # eight: two of the start, three deltas, three of the end
WHOLE = body_of(EVENTS)
FIRST, REST = body_of(EVENTS[:4]), body_of(EVENTS[4:])  # cut behind the text "Hello, wonderful"
PARTIAL = FIRST + REST[:30]  # cut inside an event
PING = body_of([{"type": "ping"}])
NO_JSON = b"event: content_block_delta\ndata: oops\n\n"
OVERLOADED = Recording.http_error(529, message="busy").body()
SYNC = Mode("sync")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where to record."""
    return tmp_path / "recorded.jsonl"


@contextlib.asynccontextmanager
async def recorder(mode: Mode, url: str, path: Path, *, timeout: float = PATIENCE, **options: Any) -> Any:
    """Give a recording client of the mode's colour, whose every wait is bounded."""
    async with Net(tls=False).client(url, mode, timeout=timeout) as client:
        yield recording_client(client, path, **options)


def create(client: Any, **params: Any) -> Any:
    return client.messages.create(**{**REQUEST, **params}, stream=True)


def replayed(path: Path) -> Any:
    """Return the text that a recording gives, and how it ends."""
    return SYNC.read(lambda: iter_text(iter(replay(path))))


def assert_replayed(path: Path, live: Any) -> None:
    """Check that the recording gives the text that the live stream gave, and ends in the same way."""
    _assert_same(replayed(path), live)


def assert_replayed_by_a_client(path: Path, live: Any) -> None:
    """Check the same where the SDK decodes what the recording holds."""
    _assert_same(SYNC.read(lambda: iter_text(create(SYNC.client(path)))), live)


def _assert_same(again: Any, live: Any) -> None:
    assert "".join(again.items) == "".join(live.items)
    assert type(again.error) is type(live.error)
    if isinstance(live.error, StreamError):
        assert again.error.partial == live.error.partial
        assert again.error.content_started == live.error.content_started
        assert again.error.retryable == live.error.retryable
    if isinstance(live.error, StreamAPIError):
        assert (again.error.status_code, again.error.type) == (live.error.status_code, live.error.type)
        assert again.error.body == live.error.body or isinstance(live.error.body, str)


# -- record: streams that fail --


@pytest.mark.parametrize("is_dict", [False, True], ids=["objects", "dicts"])
@in_every_mode
async def test_a_folder_that_is_not_there(mode: Mode, tmp_path: Path, is_dict: bool) -> None:
    """A file that cannot be written is an OSError at the call, before anything is read."""
    begun: list[str] = []

    def events() -> Iterator[Any]:
        begun.append("source")
        yield from EVENTS if is_dict else iter_events(EVENTS)

    with pytest.raises(FileNotFoundError, match="missing"):
        record(mode.source(events()), tmp_path / "missing" / "recorded.jsonl")
    with pytest.raises(IsADirectoryError):
        record(mode.source(events()), tmp_path)
    assert begun == []


@pytest.mark.parametrize("name", BODIES)
def test_whatever_is_wrong_with_a_body(mode: Mode, path: Path, name: str) -> None:
    """The recording of each broken stream is valid, gives the same text, and ends in the same exception."""
    answer = Recording.from_bytes(BODIES[name])
    live = mode.read(lambda: iter_text(record(mode.stream(answer), path)))
    assert_replayed(path, live)
    assert_replayed_by_a_client(path, live)


@pytest.mark.parametrize("name", BODIES)
def test_whatever_is_wrong_with_bytes(path: Path, name: str) -> None:
    """The same where the library decodes the bytes."""
    live = SYNC.read(lambda: iter_text(record(from_sse([BODIES[name]]), path)))
    assert_replayed(path, live)


@pytest.mark.parametrize("after", [0, 1, 4])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Recording.cut, StreamTruncatedError),
        (Recording.reset, StreamConnectionError),
        (Recording.stall, StreamTimeoutError),
        (lambda recording, after: recording.error("rate_limit_error", after=after), anthropic.RateLimitError),
        (lambda recording, after: Recording((*recording.chunks[:after], NO_JSON)), StreamProtocolError),
    ],
    ids=["cut", "reset", "stall", "error", "no JSON"],
)
def test_a_fault_is_recorded(mode: Mode, path: Path, fault: Any, error: type[Exception], after: int) -> None:
    """A recording ends in the fault that ended the stream, wherever that was."""
    live = mode.read(lambda: iter_text(record(mode.stream(fault(Recording.from_events(EVENTS), after)), path)))
    assert isinstance(live.error, error)
    assert_replayed(path, live)
    recording = Recording.load(path)
    kinds = {StreamConnectionError: "connection", StreamTimeoutError: "timeout"}
    assert (recording.failure.kind if recording.failure else None) == kinds.get(error)
    again = path.with_name("again.jsonl")  # a recording of the recording
    assert_replayed_by_a_client(path, mode.read(lambda: iter_text(record(mode.stream(recording), again))))
    assert Recording.load(again).cut(after) == recording.cut(after)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_an_exception_of_the_user(mode: Mode, path: Path, count: int) -> None:
    """A source's own exception passes unchanged, and what came before it is recorded."""
    mine = RuntimeError("mine")

    def events() -> Iterator[Any]:
        yield from EVENTS[:count]
        raise mine

    outcome = mode.read(lambda: record(mode.source(events()), path))
    assert outcome.error is mine
    assert len(outcome.items) == count
    assert Recording.load(path).events() == EVENTS[:count]
    assert type(replayed(path).error) is StreamTruncatedError


@pytest.mark.parametrize("count", [0, 1, 4])
@in_every_mode
async def test_a_stream_that_is_abandoned(mode: Mode, path: Path, count: int) -> None:
    """What was read before the reader left is recorded, and no more."""
    async with Either(record(mode.stream(WHOLE), path)) as events:
        for _ in range(count):
            await anext(events)
    assert Recording.load(path).events() == EVENTS[:count]


REFUSAL = Recording.http_error(400, message="because", retry_after=7)


@pytest.mark.parametrize("way", ["a generator", "a restart"])
@in_every_mode
async def test_a_request_that_is_refused(mode: Mode, path: Path, way: str) -> None:
    """A request that the source sends, and the API refuses, is recorded as the refusal that it is, and raised."""
    client = mode.client(REFUSAL)
    if way == "a generator":
        source: Any = agenerated(client) if mode.is_async else generated(client)
    else:
        broken = mode.source(failing(StreamTruncatedError("cut"), []))
        attempts = (make() for make in (lambda: broken, lambda: create(client)))
        source = with_restarts(attempts.__next__, delay=lambda _: 0)
    await assert_refused(source, path)


@ASYNC_MODES
@in_every_mode
async def test_an_unawaited_request_that_is_refused(mode: Mode, path: Path) -> None:
    """So is one that is passed in before it is awaited."""
    await assert_refused(create(mode.client(REFUSAL)), path)


async def assert_refused(source: Any, path: Path) -> None:
    with pytest.raises(anthropic.BadRequestError, match="because"):
        await done(collect(record(source, path)))
    assert Recording.load(path) == REFUSAL
    assert Recording.load(path).headers == {"request-id": "req_replay", "retry-after": "7"}
    assert json.loads(path.read_bytes().splitlines()[0])["sdk"] == anthropic.__version__


def generated(client: Any) -> Iterator[Any]:
    yield from create(client)


async def agenerated(client: Any) -> Any:
    async for event in await create(client):
        yield event


@in_every_mode
async def test_a_refusal_that_nobody_could_read(mode: Mode, path: Path) -> None:
    """Where the body of a refusal was closed unread, the status is recorded, and the SDK's error is raised."""
    package = http_package()

    class Unread(package.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            raise AssertionError("nobody reads it")

    request = package.Request("POST", "https://any/")
    response = package.Response(529, headers=JSON, stream=Unread(), request=request)
    refused = anthropic.InternalServerError("busy", response=response, body=None)
    outcome = await read(iter_text(record(mode.source(failing(refused, [])), path)))
    assert outcome.error is refused
    assert Recording.load(path) == Recording((), status=529, content_type=JSON["content-type"])


@in_every_mode
async def test_a_second_request_that_is_refused(mode: Mode, path: Path) -> None:
    """The recording of one answer says nothing of the refusal of another, for which a source may ask."""
    with pytest.raises(anthropic.OverloadedError) as caught:
        await done(mode.client(Recording.http_error(529)).messages.create(**REQUEST, stream=True))
    outcome = await read(iter_text(record(mode.source(failing(caught.value, EVENTS[:4])), path)))
    assert outcome.error is caught.value
    assert Recording.load(path).body() == FIRST


# -- record: streams that end well --


@in_every_mode
async def test_the_file_is_up_to_date(mode: Mode, path: Path) -> None:
    """After every event the file holds it, so that a program that dies loses nothing."""
    path.write_text("something older")
    events = Either(record(mode.stream(WHOLE), path))
    assert path.read_bytes() == b""
    for count, expected in enumerate(EVENTS, start=1):
        assert (await anext(events)).to_dict() == expected
        assert Recording.load(path).events() == EVENTS[:count]
    assert [event async for event in events] == []
    assert Recording.load(path) == Recording.from_events(EVENTS)


@in_every_mode
async def test_the_offsets_are_those_of_the_clock(mode: Mode, path: Path) -> None:
    """Each event has the seconds since the call, to the microsecond, and a failure has them as well."""
    clock = itertools.count(100, 0.25).__next__
    outcome = await read(iter_text(record(mode.stream(Recording.from_events(EVENTS).reset(4)), path, clock=clock)))
    assert type(outcome.error) is StreamConnectionError
    assert Recording.load(path).offsets == (0.25, 0.5, 0.75, 1.0)
    assert json.loads(path.read_bytes().splitlines()[-1])["at"] == 1.25
    clock = itertools.count(0, 1 / 3).__next__
    await done(collect(record(mode.stream(WHOLE), path, clock=clock)))
    assert Recording.load(path).offsets == tuple(round(number / 3, 6) for number in range(1, 9))


@pytest.mark.parametrize(
    "stages",
    [
        lambda source, path: iter_text(record(source, path)),
        lambda source, path: iter_text(record(iter_events(source), path)),
        lambda source, path: iter_text(iter_events(record(tap(source), path))),
        lambda source, path: iter_text(record(record(source, path.with_name("other.jsonl")), path)),
    ],
    ids=["at the source", "over events", "between stages", "twice"],
)
@pytest.mark.parametrize("fault", [None, "reset"])
def test_it_stands_anywhere(mode: Mode, path: Path, stages: Callable[[Any, Path], Any], fault: str | None) -> None:
    """It records the same wherever it stands in a pipeline, and passes everything on."""
    recording = Recording.from_events(EVENTS)
    live = mode.read(lambda: stages(mode.stream(recording.reset(4) if fault else recording), path))
    assert "".join(live.items) == ("Hello, wonderful" if fault else "Hello, wonderful world!")
    assert type(live.error) is (StreamConnectionError if fault else type(None))
    assert_replayed(path, live)
    assert Recording.load(path).events() == (EVENTS[:4] if fault else EVENTS)


@in_every_mode
async def test_sources_of_every_kind(mode: Mode, path: Path) -> None:
    """Plain dicts, the SDK's helper, `open_stream` and a replay are recorded as the API sent them."""
    client = mode.client(WHOLE_RECORDING, WHOLE_RECORDING)
    helper = client.messages.stream(**REQUEST)
    async with entered(helper) as stream:
        await done(collect(record(stream, path)))
    assert Recording.load(path).events() == EVENTS
    async with streaming(client) as stream:
        await done(collect(record(stream, path)))
    assert Recording.load(path).events() == EVENTS
    for source in (mode.source(EVENTS), replay(WHOLE_RECORDING)):
        recorded = record(source, path)
        if hasattr(recorded, "__anext__"):
            await done(collect(recorded))
        else:
            collect(recorded)
        assert Recording.load(path).events() == EVENTS


WHOLE_RECORDING = Recording.from_events(EVENTS)


@in_every_mode
async def test_what_is_written_of_the_response(mode: Mode, path: Path) -> None:
    """The header names the SDK and the model; of the response `record` knows nothing else."""
    await done(collect(record(mode.stream(WHOLE), path)))
    assert json.loads(path.read_bytes().splitlines()[0]) == {
        "claude_stream_recording": 1,
        "sdk": anthropic.__version__,
        "model": "claude-test",
        "status": 200,
        "content_type": "text/event-stream",
        "headers": {},
    }


# -- recording_client: responses that fail --


@pytest.mark.socket
@in_every_mode
async def test_a_file_that_cannot_be_written(mode: Mode, tmp_path: Path) -> None:
    """A file that cannot be written is an OSError that names it, after one request at most."""
    with Api(WHOLE) as server:
        async with Net(tls=False).client(server.url, mode) as client:
            with pytest.raises(FileNotFoundError, match="missing"):
                await done(
                    create(recording_client(client, tmp_path / "missing" / "x.jsonl").with_options(max_retries=2))
                )
        assert len(server.asked) <= 1


def test_misuse_leaves_the_file_alone(path: Path) -> None:
    """What is no stream is a TypeError before anything is written over."""
    path.write_text("precious")
    with pytest.raises(TypeError):
        record("abc", path)
    assert path.read_text() == "precious"


@pytest.mark.socket
@pytest.mark.parametrize("end", ["cut", "reset"])
@in_every_mode
async def test_a_broken_connection(mode: Mode, path: Path, end: End) -> None:
    """A connection that breaks in mid-body is recorded with all the bytes before, and with the failure."""
    go = threading.Event()
    with Loopback((PARTIAL, go, end)) as server:
        async with recorder(mode, server.url, path) as client:
            live = await read(iter_text(create(client)), lambda so_far: so_far == "Hello, wonderful" and go.set())
    assert type(live.error) is StreamConnectionError
    recording = Recording.load(path)
    assert recording.body() == PARTIAL
    assert recording.failure is not None
    assert recording.failure.kind == "connection"
    assert_replayed(path, live)


@pytest.mark.slow
@pytest.mark.socket
@in_every_mode
async def test_a_stalled_server(mode: Mode, path: Path) -> None:
    """A server that falls silent is recorded as a timeout."""
    with Loopback((PARTIAL, "stall")) as server:
        async with recorder(mode, server.url, path, timeout=1.0) as client:
            live = await read(iter_text(create(client)))
    assert type(live.error) is StreamTimeoutError
    recording = Recording.load(path)
    assert recording.body() == PARTIAL
    assert recording.failure is not None
    assert recording.failure.kind == "timeout"
    assert_replayed(path, live)


@pytest.mark.socket
@pytest.mark.parametrize("body", [PARTIAL, FIRST, b""])
@pytest.mark.parametrize("end", ["finish", "short"])
@in_every_mode
async def test_a_clean_end_too_early(mode: Mode, path: Path, end: End, body: bytes) -> None:
    """A body that ends too early, but properly, has no failure, and keeps the event in which it was cut."""
    with Loopback((body, end) if end == "short" or body else (end,)) as server:
        async with recorder(mode, server.url, path) as client:
            live = await read(iter_text(create(client)))
    assert type(live.error) is StreamTruncatedError
    assert Recording.load(path).body() == body
    assert Recording.load(path).failure is None
    assert_replayed(path, live)


@pytest.mark.socket
@in_every_mode
async def test_a_stream_that_is_left(mode: Mode, path: Path) -> None:
    """A reader that leaves closes the connection at once, and what had come is recorded, with no failure."""
    with Loopback((PARTIAL, "stall")) as server:
        async with Net(tls=False).client(server.url, mode) as client:
            async with Either(iter_text(create(recording_client(client, path)))) as texts:
                assert await anext(texts) == "Hello, w"
            assert server.wait_until_closed()
    assert Recording.load(path).body() == PARTIAL
    assert Recording.load(path).failure is None


@pytest.mark.parametrize("name", BODIES)
def test_whatever_is_wrong_with_a_response(mode: Mode, path: Path, name: str) -> None:
    """The recording of each broken body gives the same text, and ends in the same exception."""
    answer = Recording.from_bytes(BODIES[name])
    live = mode.read(lambda: iter_text(create(recording_client(mode.client(answer), path))))
    client = mode.client(path)
    again = mode.read(lambda: iter_text(create(client)))
    assert ("".join(again.items), repr(again.error)) == ("".join(live.items), repr(live.error))
    assert BODIES[name].startswith(Recording.load(path).body())


@pytest.mark.socket
@pytest.mark.parametrize("body", [OVERLOADED, b"", b"<html>busy</html>"], ids=["JSON", "empty", "HTML"])
@in_every_mode
async def test_a_refused_request(mode: Mode, path: Path, body: bytes) -> None:
    """Status, headers and body of a refusal are recorded, and replayed as the SDK's same exception."""
    headers = {**JSON, "retry-after": "7", "request-id": "req_9", "x-should-retry": "false"}
    with Api(body, headers, 529) as server:
        async with recorder(mode, server.url, path) as client:
            with pytest.raises(anthropic.APIStatusError) as live:
                await done(create(client))
    recording = Recording.load(path)
    assert (recording.status, recording.content_type, recording.body()) == (529, "application/json", body)
    assert recording.headers == {name: value for name, value in headers.items() if name != "content-type"}
    with pytest.raises(anthropic.APIStatusError) as again:
        await done(create(mode.client(path)))
    assert type(again.value) is type(live.value)
    assert (str(again.value), again.value.body) == (str(live.value), live.value.body)
    assert again.value.request_id == "req_9"
    assert again.value.response.headers["retry-after"] == "7"


@pytest.mark.socket
@in_every_mode
async def test_a_body_that_cannot_be_decompressed(mode: Mode, path: Path) -> None:
    """A body whose compression is broken ends in the same exception when it is replayed."""
    with Api(b"no gzip at all", {**SSE, "content-encoding": "gzip"}) as server:
        async with recorder(mode, server.url, path) as client:
            live = await read(iter_text(create(client)))
    assert type(live.error) is StreamProtocolError
    assert_replayed(path, live)
    assert_replayed_by_a_client(path, live)


@pytest.mark.socket
@in_every_mode
async def test_no_server_at_all(mode: Mode, path: Path) -> None:
    """Where there is no response, the SDK's own error is raised, and nothing is recorded."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    async with recorder(mode, f"http://127.0.0.1:{port}", path) as client:
        with pytest.raises(anthropic.APIConnectionError) as caught:
            await done(create(client))
    assert not isinstance(caught.value, StreamError)
    assert not path.exists() or path.read_bytes() == b""


@in_every_mode
async def test_a_read_behind_a_close(mode: Mode, path: Path) -> None:
    """Whoever closes a body reads it once more to learn of it: what that raises is no failure of the stream."""
    package = http_package()
    closed: list[bool] = []

    class Body(package.SyncByteStream, package.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield FIRST
            raise package.ReadError("it is closed" if closed else "it is lost")

        async def __aiter__(self) -> Any:
            for chunk in self:
                yield chunk

        def close(self) -> None:
            closed.append(True)

        async def aclose(self) -> None:
            closed.append(True)

    transport = package.MockTransport(lambda _: package.Response(200, headers=SSE, stream=Body()))
    http_client = (package.AsyncClient if mode.is_async else package.Client)(transport=transport)
    kind: Any = anthropic.AsyncAnthropic if mode.is_async else anthropic.Anthropic
    client = recording_client(kind(api_key="x", http_client=http_client), path)
    async with Either(iter_text(create(client))) as texts:
        assert await anext(texts) == "Hello, w"
    assert closed
    assert Recording.load(path).body() == FIRST
    assert Recording.load(path).failure is None


# -- recording_client: what is recorded --


@pytest.mark.socket
@in_every_mode
async def test_what_comes_over_the_wire(mode: Mode, path: Path) -> None:
    """Pings, and when each event came, are recorded; an event that comes in two chunks comes with the second."""
    clock = Clock()
    begin, go = threading.Event(), threading.Event()
    script: Script = (begin, FIRST + PING + REST[:10], go, REST[10:] + PING, "finish")

    def answer() -> None:
        assert server.wait_until_requests(1)
        clock.now += 0.5
        begin.set()

    def go_on(so_far: str) -> None:
        if so_far == "Hello, wonderful":
            clock.now += 0.25
            go.set()

    with Loopback(script) as server, ThreadPoolExecutor() as pool:
        answered = pool.submit(answer)
        async with recorder(mode, server.url, path, clock=clock) as client:
            outcome = await read(iter_text(create(client)), go_on)
        answered.result(PATIENCE)
    assert (outcome.error, "".join(outcome.items)) == (None, "Hello, wonderful world!")
    recording = Recording.load(path)
    assert recording.events() == [*EVENTS[:4], {"type": "ping"}, *EVENTS[4:], {"type": "ping"}]
    assert recording.offsets == (0.5,) * 5 + (0.75,) * 5
    assert recording.headers == {"request-id": "req_loopback"}
    assert recording.sdk_version == anthropic.__version__


@pytest.mark.socket
@in_every_mode
async def test_the_clock_begins_with_the_request(mode: Mode, path: Path) -> None:
    """The offsets count from the moment at which the request was sent."""
    ticks = itertools.count(50, 0.5)
    with Loopback((FIRST, "finish")) as server:
        async with recorder(mode, server.url, path, clock=ticks.__next__) as client:
            await done(create(client, extra_body={}))
            assert not path.read_bytes()
            stream = await done(create(client))
            async for _ in Either(iter(stream) if not mode.is_async else aiter(stream)):
                pass
    # One tick for the first request, which was never read, and one for the second.
    assert Recording.load(path.with_stem("recorded-2")).offsets == (0.5, 1.0, 1.5, 2.0)


@pytest.mark.socket
@in_every_mode
async def test_a_body_that_does_not_end(mode: Mode, path: Path) -> None:
    """Behind a recording client, too, a body that stays open after its message is waited for only briefly."""
    with Loopback((WHOLE, "linger")) as server:
        async with recorder(mode, server.url, path) as client:
            start = time.perf_counter()
            outcome = await read(iter_text(create(client)))
            assert time.perf_counter() - start < SOON
    assert (outcome.error, "".join(outcome.items)) == (None, "Hello, wonderful world!")
    assert Recording.load(path).events() == EVENTS


@pytest.mark.socket
@in_every_mode
async def test_the_file_grows_while_the_response_does(mode: Mode, path: Path) -> None:
    """The events that have come are in the file while others are still to come."""
    go = threading.Event()
    seen: list[int] = []

    def look(so_far: str) -> None:
        if so_far == "Hello, wonderful":
            seen.append(len(Recording.load(path).events()))
            go.set()

    with Loopback((FIRST, go, REST, "finish")) as server:
        async with recorder(mode, server.url, path) as client:
            outcome = await read(iter_text(create(client)), look)
    assert (outcome.error, seen) == (None, [4])
    assert len(Recording.load(path).events()) == 8


@pytest.mark.socket
@in_every_mode
async def test_a_compressed_body(mode: Mode, path: Path) -> None:
    """A compressed body is recorded, and handed on, as it is behind the compression."""
    with Api(gzip.compress(WHOLE), {**SSE, "content-encoding": "gzip"}) as server:
        async with recorder(mode, server.url, path) as client:
            assert (await done(collect(create(client)))).content[0].text == "Hello, wonderful world!"
    assert Recording.load(path) == WHOLE_RECORDING


@pytest.mark.usefixtures("patient_drain")
@pytest.mark.socket
@in_every_mode
async def test_each_response_has_its_file(mode: Mode, tmp_path: Path) -> None:
    """A second response goes to a file with `-2` in its name, and so on, from copies of the client, too."""
    scripts: list[Script] = [(body_of(message_events(text)), "finish") for text in "abcd"]
    with Loopback(*scripts) as server:
        async with recorder(mode, server.url, tmp_path / "answer.v1.jsonl") as client:
            for each in (client, client.with_options(timeout=SOON), client.copy(), client.with_options(max_retries=1)):
                await done(collect(create(each)))
        assert server.accepted == 1
    names = ["answer.v1.jsonl", *(f"answer.v1-{number}.jsonl" for number in (2, 3, 4))]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names)
    assert ["".join(replayed(tmp_path / name).items) for name in names] == ["a", "b", "c", "d"]


@pytest.mark.usefixtures("patient_drain")
@pytest.mark.socket
@in_every_mode
async def test_the_client_that_was_passed_in(mode: Mode, path: Path) -> None:
    """It records nothing, keeps its connection and its options, and outlives the recording client."""
    with Loopback((WHOLE, "finish")) as server:
        async with Net(tls=False).client(server.url, mode, timeout=SOON) as client:
            inner = client._client
            recorded = recording_client(client, path)
            assert type(recorded) is type(client)
            assert (recorded.timeout, recorded.max_retries, recorded.base_url) == (SOON, 0, client.base_url)
            await done(collect(create(recorded)))
            await done(recorded.close())
            assert client._client is inner
            assert not inner.is_closed
            assert (await done(collect(create(client)))).content[0].text == "Hello, wonderful world!"
        assert server.accepted == 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.socket
@in_every_mode
async def test_the_users_own_http_client(mode: Mode, path: Path) -> None:
    """Headers, cookies, parameters and hooks of an HTTP client of the user's own do what they did."""
    package = http_package()
    hooked: list[str] = []

    async def ahook(request: Any) -> None:
        hooked.append(request.url.path)

    hook = ahook if mode.is_async else lambda request: hooked.append(request.url.path)
    inner = (package.AsyncClient if mode.is_async else package.Client)(
        headers={"x-mine": "yes"}, cookies={"session": "7"}, params={"page": "1"}, event_hooks={"request": [hook]}
    )
    kind: Any = anthropic.AsyncAnthropic if mode.is_async else anthropic.Anthropic
    with Api(WHOLE, {**SSE, "set-cookie": "later=8"}) as server:
        client = kind(api_key="x", base_url=server.url, http_client=inner, max_retries=0)
        recorded = recording_client(client, path)
        for _ in range(2):
            await done(collect(create(recorded, extra_headers={"x-more": "too"})))
        await done(client.close())
        (first, body), (second, _) = server.asked
    assert (first["x-mine"], first["x-more"], first["cookie"]) == ("yes", "too", "session=7")
    assert sorted(second["cookie"].split("; ")) == ["later=8", "session=7"]
    assert json.loads(body) == {**REQUEST, "stream": True}
    assert hooked == ["/v1/messages"] * 2
    assert Recording.load(path) == WHOLE_RECORDING


@pytest.mark.socket
@in_every_mode
async def test_with_our_own_ways_in(mode: Mode, path: Path) -> None:
    """`open_stream` and a wrapped client record as well, whichever is put around which."""
    with Loopback((WHOLE, "finish")) as server:
        async with Net(tls=False).client(server.url, mode) as client:
            recorded = recording_client(client, path)
            async with streaming(recorded) as stream:
                assert await done(stream.get_final_text()) == "Hello, wonderful world!"
            for each in (wrap_client(recorded), recording_client(wrap_client(client), path.with_stem("wrapped"))):
                manager = each.messages.stream(**REQUEST)
                async with entered(manager) as stream:
                    assert await done(stream.get_final_text()) == "Hello, wonderful world!"
                    assert stream.request_id == "req_loopback"
    for name in ("recorded", "recorded-2", "wrapped"):
        assert Recording.load(path.with_stem(name)) == WHOLE_RECORDING


@in_every_mode
async def test_a_replaying_client_is_recorded(mode: Mode, path: Path) -> None:
    """The copy that records answers as the client does, and both know what either was asked."""
    client = mode.client(WHOLE_RECORDING, WHOLE_RECORDING, WHOLE_RECORDING)
    recorded = recording_client(client, path)
    assert recorded.requests == []
    for each in (recorded, client, recorded.with_options(timeout=SOON)):
        await done(collect(create(each)))
    assert [len(each.requests) for each in (client, recorded)] == [3, 3]
    assert recorded.requests[0].body == {**REQUEST, "stream": True}
    assert Recording.load(path) == Recording.load(path.with_stem("recorded-2")) == WHOLE_RECORDING


@pytest.mark.socket
@in_every_mode
async def test_what_is_no_stream(mode: Mode, path: Path) -> None:
    """Any other answer of the API is recorded as what it is, and replayed."""
    message = {**EVENTS[0]["message"], "stop_reason": "end_turn"}
    with Api(json.dumps(message).encode(), JSON) as server:
        async with recorder(mode, server.url, path) as client:
            live = await done(client.messages.create(**REQUEST))
    again = await done(mode.client(path).messages.create(**REQUEST))
    assert again == live
    assert again.stop_reason == "end_turn"


# -- what a file never holds --

SECRETS = {
    name: f"s3cret-{name}"
    for name in (
        *("api_key", "auth_token", "default-header", "client-header", "request-header", "cookie", "query", "user_id"),
        *("prompt", "set-cookie", "organization", "response-header", "session"),
    )
}


@pytest.mark.socket
@pytest.mark.parametrize("way", ["record", "recording_client"])
@pytest.mark.parametrize(
    ("body", "cut"),
    [
        (WHOLE, False),
        (PARTIAL, True),
        (FIRST + body_of([{"type": "error", "error": {"type": "api_error", "message": "no"}}]), False),
        (FIRST + NO_JSON, False),
    ],
    ids=["whole", "cut", "error", "no JSON"],
)
@in_every_mode
async def test_no_secret_is_written(mode: Mode, path: Path, way: str, body: bytes, cut: bool) -> None:
    """Keys, tokens, cookies, headers and the question are sent, sensitive headers come back, and the file has none."""
    package = http_package()
    inner = (package.AsyncClient if mode.is_async else package.Client)(
        headers={"x-client": SECRETS["client-header"]},
        cookies={"c": SECRETS["cookie"]},
        params={"q": SECRETS["query"]},
    )
    headers = {
        **SSE,
        "set-cookie": f"session={SECRETS['set-cookie']}",
        "anthropic-organization-id": SECRETS["organization"],
        "x-custom-secret": SECRETS["response-header"],
        "request-id": "req_public",
    }
    # Which of the two an SDK sends by itself depends on its version.
    credentials = {"x-api-key": SECRETS["api_key"], "authorization": f"Bearer {SECRETS['auth_token']}"}
    if cut:
        headers["content-length"] = str(len(body) + 1)
    kind: Any = anthropic.AsyncAnthropic if mode.is_async else anthropic.Anthropic
    with Api(body, headers) as server:
        client = kind(
            api_key=SECRETS["api_key"],
            base_url=server.url,
            http_client=inner,
            max_retries=0,
            default_headers={"x-default": SECRETS["default-header"]},
        )
        asked = {
            "system": SECRETS["prompt"],
            "metadata": {"user_id": SECRETS["user_id"]},
            "extra_headers": {"x-request": SECRETS["request-header"], **credentials},
            "extra_query": {"s": SECRETS["session"]},
        }
        used = recording_client(client, path) if way == "recording_client" else client
        stream = await done(create(used, **asked))
        await read(iter_text(record(stream, path) if way == "record" else stream))
        await done(client.close())
        [(sent, question)] = server.asked
    came_by = [*sent.values(), *headers.values(), question.decode(), str(stream.response.url)]
    assert [name for name, secret in SECRETS.items() if not any(secret in text for text in came_by)] == []
    written = path.read_text()
    assert [name for name, secret in SECRETS.items() if secret in written] == []
    assert "s3cret" not in written
    assert ("req_public" in written) is (way == "recording_client")
    assert len(Recording.load(path).chunks) >= 4


@pytest.mark.socket
@in_every_mode
async def test_no_secret_of_a_refusal_is_written(mode: Mode, path: Path) -> None:
    """The same for a request that is refused."""
    with Api(OVERLOADED, {**JSON, "set-cookie": "s3cret", "x-custom-secret": "s3cret"}, 529) as server:
        async with recorder(mode, server.url, path) as client:
            with pytest.raises(anthropic.APIStatusError):
                await done(create(client, extra_headers={"x-mine": "s3cret"}))
    assert "s3cret" not in path.read_text()
    assert Recording.load(path).status == 529


# -- four ways to a recording --


@pytest.mark.process
@pytest.mark.socket
@pytest.mark.parametrize("content_type", ["text/event-stream", "text/event-stream; charset=utf-8"])
@in_every_mode
async def test_four_ways_to_the_same_recording(mode: Mode, tmp_path: Path, content_type: str) -> None:
    """What curl saves, `record`, `recording_client` and `message_events` load as equal recordings."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("there is no curl")
    with Api(WHOLE, {"content-type": content_type}) as server:
        command = [curl, "-sN", "--noproxy", "*", "--max-time", "60", "-d", "{}", f"{server.url}/v1/messages"]
        with (tmp_path / "curl.sse").open("wb") as saved:
            subprocess.run(command, stdout=saved, check=True, timeout=PATIENCE)
        async with Net(tls=False).client(server.url, mode) as client:
            await done(collect(record(create(client), tmp_path / "record.jsonl")))
            await done(collect(create(recording_client(client, tmp_path / "client.jsonl"))))
    built = Recording.from_events(message_events("Hello, wonderful world!", id=EVENTS[0]["message"]["id"]))
    recordings = {name: Recording.load(tmp_path / name) for name in ("curl.sse", "record.jsonl", "client.jsonl")}
    assert [name for name, recording in recordings.items() if recording.events() != EVENTS] == []
    assert [name for name, recording in recordings.items() if recording != built] == []
    for recording in recordings.values():  # and they answer alike
        assert dataclasses.replace(recording, offsets=None).cut(after=3) == built.cut(after=3)
        message = await done(collect(mode.stream(recording)))
        assert message == await done(collect(mode.stream(built)))
