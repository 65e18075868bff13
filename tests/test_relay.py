"""Streams as bytes: relays of any colour, how they end, and bodies cut anywhere. How bytes become events: wire/."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_stream import (
    SSE_HEADERS,
    AsyncMessageStream,
    AsyncReader,
    MessageStream,
    Reader,
    StreamError,
    StreamOverloadedError,
    StreamProtocolError,
    StreamTruncatedError,
    ToolInputError,
    collect,
    from_ndjson,
    from_sse,
    iter_blocks,
    iter_events,
    iter_parts,
    iter_progress,
    iter_text,
    iter_thinking,
    iter_tool_calls,
    iter_tool_inputs,
    to_ndjson,
    to_sse,
)
from claude_stream.testing import Recording, message_events
from tests.support import (
    ASYNC_MODES,
    PATIENCE,
    SYNC_MODE,
    AsyncItems,
    Either,
    Mode,
    OwnError,
    body_of,
    by_hand,
    done,
    failing,
    in_every_mode,
    text_of,
    tool_events,
    until_somebody_reads,
    wire_events,
)

EVENTS = message_events("Hello, world!")
BODY = body_of(EVENTS)
RELAYS: dict[str, tuple[Any, Any]] = {"sse": (to_sse, from_sse), "ndjson": (to_ndjson, from_ndjson)}
TO_AND_FROM = pytest.mark.parametrize(("to", "from_"), RELAYS.values(), ids=RELAYS)
TO = pytest.mark.parametrize("to", [to_sse, to_ndjson])
GENERAL = {"type": "error", "error": {"type": "api_error", "message": "The answer could not be completed."}}

pytestmark = pytest.mark.usefixtures("quiet_log")


@pytest.fixture
def quiet_log(caplog: pytest.LogCaptureFixture) -> None:
    """Keeps the log of failures out of the output."""
    caplog.set_level(logging.WARNING, "claude_stream")


def event_source(body: bytes) -> list[tuple[str, str, str]]:
    """Return id, name and data of each event, as a browser's EventSource finds them, by the steps of its standard."""
    found: list[tuple[str, str, str]] = []
    last_id = name = ""
    data: list[str] = []
    for line in re.split("\r\n|\n|\r", body.decode()):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                found.append((last_id, name or "message", "\n".join(data)))
            name, data = "", []
        elif field == "id" and "\0" not in value:
            last_id = value
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
    return found


def shown(frames: Iterable[bytes]) -> list[dict[str, Any]]:
    """Return the data of frames of either kind, each whole."""
    found: list[dict[str, Any]] = []
    for frame in frames:
        if frame.startswith(b"id: "):
            assert frame.endswith(b"\n\n")
            [(_, name, data)] = event_source(frame)
            assert json.loads(data)["type"] == name
        else:
            data = frame.decode()
            assert (frame[-1:], frame.count(b"\n")) == (b"\n", 1)
        found.append(json.loads(data))
    return found


# -- mistakes --


@TO
@in_every_mode
async def test_what_has_no_frames(mode: Mode, to: Any) -> None:
    """Blocks, calls to run, and frames themselves are no things to show; nor is what is no stream."""
    for make in (iter_blocks, iter_tool_calls, to_sse, to_ndjson):
        with pytest.raises(TypeError, match="has no frames"):
            to(make(mode.source(EVENTS)))
    for mistake in ("text", EVENTS[0], collect(EVENTS), None):
        with pytest.raises(TypeError):
            to(mistake)


@TO
def test_an_on_error_that_is_no_plain_function(to: Any) -> None:
    """It is refused before anything is read."""

    async def tell(_: Exception) -> None: ...

    for mistake in (tell, "log"):
        with pytest.raises(TypeError, match="on_error is a plain function"):
            to(EVENTS, on_error=mistake)


@in_every_mode
async def test_a_second_reader_disturbs_nothing(mode: Mode) -> None:
    """It gets a RuntimeError, and no frame; the first one goes on."""
    relays: list[Any] = []
    errors: list[Any] = []

    def intrude() -> None:
        try:
            if mode.is_async:
                relays[0].__anext__().send(None)
            else:
                next(relays[0])
        except Exception as exc:
            errors.append(exc)

    def source() -> Iterator[Any]:
        for event in EVENTS:
            intrude()
            yield event

    relays.append(to_sse(mode.source(source())))
    frames = [frame async for frame in Either(relays[0])]
    assert shown(frames) == EVENTS
    assert {type(error) for error in errors} == {RuntimeError}
    assert len(errors) == len(EVENTS)


# -- failures --

BROKEN: dict[str, Callable[[], tuple[Iterable[Any], type[Exception], dict[str, Any]]]] = {
    "cut": lambda: (EVENTS[:3], StreamTruncatedError, GENERAL),
    "nothing": lambda: ([], StreamTruncatedError, GENERAL),
    "out of order": lambda: ([*EVENTS[:3], EVENTS[0]], StreamProtocolError, GENERAL),
    "overloaded": lambda: (
        [*EVENTS[:3], {"type": "error", "error": {"type": "overloaded_error", "message": "overloaded_error"}}],
        StreamOverloadedError,
        {"type": "error", "error": {"type": "overloaded_error", "message": "overloaded_error"}},
    ),
    "of the user's": lambda: (failing(OwnError("secret"), EVENTS[:3]), OwnError, GENERAL),
    "of a socket": lambda: (failing(ConnectionResetError("secret"), EVENTS[:3]), ConnectionResetError, GENERAL),
    "no JSON": lambda: ([*EVENTS[:3], {"type": "news", "secret": object()}], StreamProtocolError, GENERAL),
}
EACH_BROKEN = pytest.mark.parametrize("name", BROKEN)


@EACH_BROKEN
@in_every_mode
async def test_a_failure_is_the_last_frame_of_sse(mode: Mode, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is told, logged, and the body ends in good order; what came before it is all there."""
    events, expected, frame = BROKEN[name]()
    told: list[Exception] = []
    relay = to_sse(mode.source(events), on_error=told.append)
    frames = shown([frame async for frame in Either(relay)])
    assert frames[-1] == frame
    assert frames[:-1] == ([] if name == "nothing" else EVENTS[:3])
    assert [type(error) for error in told] == [expected]
    [record] = caplog.records
    assert (record.name, record.levelno, record.exc_info[1]) == ("claude_stream", logging.ERROR, told[0])
    assert [frame async for frame in Either(relay)] == []


@EACH_BROKEN
@in_every_mode
async def test_a_failure_is_raised_behind_its_line_of_ndjson(mode: Mode, name: str) -> None:
    """Readers in JavaScript pass that line over, and notice only a connection that breaks."""
    events, expected, frame = BROKEN[name]()
    told: list[Exception] = []
    relay = Either(to_ndjson(mode.source(events), on_error=told.append))
    lines: list[bytes] = []
    for _ in range(2):
        with pytest.raises(expected) as caught:
            async for line in relay:
                lines.append(line)
    assert shown(lines)[-1] == frame
    assert told == [caught.value]


@EACH_BROKEN
def test_nothing_secret_is_in_a_frame(mode: Mode, name: str) -> None:
    """Neither the text of an exception nor a traceback."""
    body = b"".join(mode.read(lambda: to_sse(mode.source(BROKEN[name]()[0]))).items)
    assert b"secret" not in body
    assert b"Traceback" not in body


@TO
@in_every_mode
async def test_an_on_error_that_fails(mode: Mode, to: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The client learns of the end all the same, and the log of both."""

    def tell(_: Exception) -> None:
        raise OwnError("told")

    frame = await anext(Either(to(mode.source([]), on_error=tell)))
    assert shown([frame]) == [GENERAL]
    assert [type(record.exc_info[1]) for record in caplog.records] == [StreamTruncatedError, OwnError]


class Closing(AsyncItems):
    """A source of either colour that notes when it is closed, and may fail to."""

    def __init__(self, items: Iterable[Any], fails: bool = False) -> None:
        self.rest = iter(items)
        super().__init__(self.rest)
        self.closed = 0
        self.fails = fails

    def close(self) -> None:
        self.closed += 1
        if self.fails:
            raise OwnError("closing")

    async def aclose(self) -> None:
        self.close()

    def of(self, mode: Mode) -> Any:
        return self if mode.is_async else Sync(self)


class Sync:
    """What it is in sync."""

    def __init__(self, source: Closing) -> None:
        self.close = source.close
        self._items = source.rest

    def __iter__(self) -> Iterator[Any]:
        return self._items


@pytest.mark.parametrize("events", [EVENTS, EVENTS[:3]], ids=["whole", "cut"])
@in_every_mode
async def test_a_stream_that_cannot_be_closed(mode: Mode, events: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A body that is whole is not broken off for that; the log knows."""
    source = Closing(events, fails=True)
    frames = shown([frame async for frame in Either(to_sse(source.of(mode)))])
    assert frames[-1]["type"] == ("message_stop" if events is EVENTS else "error")
    assert caplog.records[0].getMessage() == "closing the stream of a relay failed"


@pytest.mark.parametrize("make", [iter_events, iter_text, iter_parts])
@in_every_mode
async def test_what_ended_early_never_looks_finished(mode: Mode, make: Any) -> None:
    """Also where the stream was asked not to mind, the last frame is an error."""
    stream: Any = (AsyncMessageStream if mode.is_async else MessageStream)(mode.source(EVENTS[:3]), strict=False)
    frames = shown([frame async for frame in Either(to_sse(make(stream)))])
    assert [frame["type"] for frame in frames if frame["type"] in ("done", "message_stop", "error")] == ["error"]


@in_every_mode
async def test_a_tool_call_that_is_malformed(mode: Mode) -> None:
    """An iterator's own failure is the relay's as well."""
    told: list[Any] = []
    parts = iter_parts(mode.source(tool_events('{"a": tru', "tool_use")))
    frames = shown([frame async for frame in Either(to_sse(parts, on_error=told.append))])
    assert frames[-1] == GENERAL
    assert [type(error) for error in told] == [ToolInputError]


@ASYNC_MODES
def test_a_request_that_is_refused(mode: Mode) -> None:
    """A request that is awaited by the relay may fail, and what the API said of it is told."""
    refused = Recording.http_error(529, message="Overloaded")

    async def main() -> None:
        request = mode.client(refused).messages.create(model="any", max_tokens=1, messages=[], stream=True)
        [frame] = shown([frame async for frame in to_sse(request)])
        assert frame["error"] == {"type": "overloaded_error", "message": "Overloaded"}

    mode.run(main)


@in_every_mode
async def test_a_stream_that_was_read_before(mode: Mode) -> None:
    """That shows at the first read, when headers may have been sent: it is a failure like all others."""
    reader = iter_text(mode.source(EVENTS))
    await done(reader.result())
    told: list[Any] = []
    assert shown([frame async for frame in Either(to_sse(reader, on_error=told.append))]) == [GENERAL]
    assert [type(error) for error in told] == [TypeError]


# -- who closes --


@TO
@pytest.mark.parametrize("make", [lambda source: source, iter_events, iter_text], ids=["source", "events", "text"])
@in_every_mode
async def test_the_end_closes(mode: Mode, to: Any, make: Any) -> None:
    """The stream that a relay was given is closed when it ends, though reading closes nothing else of yours."""
    source = Closing(EVENTS)
    frames = [frame async for frame in Either(to(make(source.of(mode))))]
    assert (shown(frames)[-1]["type"], source.closed) == ("done" if make is iter_text else "message_stop", 1)


@in_every_mode
async def test_a_failure_closes_before_it_is_told(mode: Mode) -> None:
    """Who has got the last frame may never ask for another."""
    source = Closing(EVENTS[:1])
    relay = Either(to_sse(source.of(mode)))
    await anext(relay)
    assert source.closed == 0
    assert shown([await anext(relay)]) == [GENERAL]
    assert source.closed == 1


@TO
@in_every_mode
async def test_a_close_closes(mode: Mode, to: Any) -> None:
    """Leaving the `with` of a relay closes the stream; read on, it is an error like any other."""
    source = Closing(EVENTS)
    async with Either(to(source.of(mode))) as relay:
        await anext(relay)
    assert source.closed == 1
    assert shown([await anext(relay)]) == [GENERAL]


@SYNC_MODE
@pytest.mark.parametrize("exc", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_a_thread_is_never_a_frame(mode: Mode, exc: type[BaseException]) -> None:
    """It passes, and the stream is closed."""
    source = Closing(failing(exc(), EVENTS[:1]))
    relay = to_sse(source.of(mode))
    next(relay)
    with pytest.raises(exc):
        next(relay)
    assert source.closed == 1


@ASYNC_MODES
def test_ctrl_c_is_never_a_frame(mode: Mode) -> None:
    """It passes, and the stream is closed."""

    class Interrupted(Closing):
        async def __anext__(self) -> Any:
            raise KeyboardInterrupt

    async def main() -> None:
        source = Interrupted(EVENTS)
        with pytest.raises(KeyboardInterrupt):
            await anext(to_sse(source))
        assert source.closed == 1

    mode.run(main)


class Waiting(Closing):
    """Events, and then silence."""

    async def __anext__(self) -> Any:
        try:
            return await super().__anext__()
        except StopAsyncIteration:
            await anyio.sleep_forever()


@ASYNC_MODES
def test_a_cancelled_read_closes(mode: Mode) -> None:
    """The stream is closed although the task may not wait any more, and the cancellation goes on."""

    class Slow(Waiting):
        async def aclose(self) -> None:
            await anyio.lowlevel.checkpoint()
            await super().aclose()

    async def main() -> None:
        source = Slow(EVENTS[:2])
        frames: list[bytes] = []
        with anyio.move_on_after(PATIENCE) as scope:
            async for frame in to_sse(source):
                frames.append(frame)
                if len(frames) == 2:
                    scope.deadline = anyio.current_time()
        assert scope.cancelled_caught
        assert (shown(frames), source.closed) == (EVENTS[:2], 1)

    mode.run(main)


@ASYNC_MODES
def test_a_close_that_hangs_holds_no_cancellation_up(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task that is cancelled is gone soon, whatever the stream does."""
    monkeypatch.setattr("claude_stream._relay._CLOSE_SECONDS", 0.0)

    class Hanging(Waiting):
        async def aclose(self) -> None:
            await anyio.sleep_forever()

    async def main() -> None:
        with anyio.move_on_after(0) as scope:
            await anext(to_sse(Hanging([])))
        assert scope.cancelled_caught

    mode.run(main)


def test_a_read_that_is_thrown_away() -> None:
    """It may not wait for anything, and does not try to: not in its event loop, nor behind the end of that."""

    async def begin() -> Any:
        read = to_sse(Waiting([])).__anext__()
        read.send(None)
        return read

    async def begin_and_close() -> None:
        (await begin()).close()

    anyio.run(begin_and_close)
    anyio.run(begin).close()


@ASYNC_MODES
def test_the_stop_button(mode: Mode) -> None:
    """A relay that another task closes ends the read that waits, by a frame that says that it did not finish."""

    async def main() -> None:
        relay = to_sse(Waiting(EVENTS[:2]))
        frames: list[bytes] = []

        async def read() -> None:
            async for frame in relay:
                frames.append(frame)
                if len(frames) == 2:
                    waits.set()

        async with anyio.create_task_group() as group:
            waits = anyio.Event()
            group.start_soon(read)
            await waits.wait()
            await anyio.wait_all_tasks_blocked()
            await relay.aclose()
        assert shown(frames) == [*EVENTS[:2], GENERAL]

    mode.run(main)


def test_the_stop_button_of_another_thread() -> None:
    """A generator cannot be interrupted: the relay ends at its next item."""
    goes_on = threading.Event()

    def source() -> Iterator[Any]:
        yield EVENTS[0]
        goes_on.wait(PATIENCE)
        yield from EVENTS[1:]

    relay = to_sse(source())
    frames: list[bytes] = []
    thread = threading.Thread(target=lambda: frames.extend(relay))
    thread.start()
    until_somebody_reads()
    relay.close()
    goes_on.set()
    thread.join(PATIENCE)
    assert shown(frames)[0] == EVENTS[0]
    assert shown(frames)[-1] == GENERAL


# -- what goes on --

PING = {"type": "ping"}
NEWS = {"type": "news", "headline": "hello", "index": [1, None]}
AWKWARD = "a\u2028b\u2029c\x85d\re\nf\r\ng\0h\x0b\x0c\x1c\x7f\ufeff \ud83d \U0001f600"


def with_pings(events: list[Any]) -> list[Any]:
    return [event for each in events[:-1] for event in (each, PING, NEWS)] + events[-1:]


@TO_AND_FROM
def test_events_go_on_as_they_came(mode: Mode, to: Any, from_: Any) -> None:
    """Pings and events of unknown types are among them, and every field."""
    events = with_pings(message_events(AWKWARD, ("tool", {AWKWARD: AWKWARD})))
    frames = mode.read(lambda: to(mode.source(events))).items
    assert shown(frames) == events
    again = mode.read(lambda: to(from_(mode.source(frames)))).items
    assert again == frames


@TO_AND_FROM
def test_a_relay_is_read_as_a_body(mode: Mode, to: Any, from_: Any) -> None:
    """What `to_...` returns goes straight into `from_...`, in its colour, and is closed through it."""
    assert mode.message(lambda: collect(from_(to(mode.source(EVENTS))))) == collect(EVENTS)


@TO_AND_FROM
def test_objects_of_the_sdk(mode: Mode, to: Any, from_: Any) -> None:
    """A stream that the SDK decodes is relayed as the API sent it, but for pings, which the SDK keeps to itself."""
    frames = mode.read(lambda: to(mode.stream(body_of(with_pings(EVENTS))))).items
    assert [event for event in shown(frames) if event["type"] != "news"] == EVENTS
    del from_


@TO_AND_FROM
def test_recordings_come_back(to: Any, from_: Any, recorded_body: bytes) -> None:
    """There and back, split at any byte, every event of a recording is what it was."""
    expected = wire_events(recorded_body)
    body = b"".join(to(from_sse([recorded_body])))
    for at in (0, len(body) // 3, len(body) // 2, len(body) - 1):
        assert shown(to(from_([body[:at], body[at:]]))) == expected
    assert shown(to(from_(body[at : at + 1] for at in range(len(body))))) == expected


@TO_AND_FROM
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=())), max_size=4),
    extra=st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.text())),
    data=st.data(),
)
def test_generated_events_come_back(to: Any, from_: Any, texts: Any, extra: Any, data: st.DataObject) -> None:
    """There and back, split at any byte, they are what they were."""
    texts = [text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") for text in texts]
    events = message_events(*texts, chunk=2, id="msg_1")
    events[1:1] = [{**extra, "type": data.draw(st.text().map("x{}".format))}]
    frames = [*to(events)]
    body = b"".join(frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=3)))
    chunks = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)])]
    assert [*to(from_(chunks))] == frames
    name = events[1]["type"]
    assert [json.loads(each[2]) for each in event_source(body)] == events if to is to_sse else shown(frames) == events
    assert to is to_ndjson or event_source(body)[1][1] in (name, "message")


def test_frames_have_ids() -> None:
    """1, 2, 3 and so on, to the one that says how it ended."""
    for events in (EVENTS, EVENTS[:4]):
        found = event_source(b"".join(to_sse(events)))
        assert [each[0] for each in found] == [str(number) for number in range(1, len(found) + 1)]


@pytest.mark.parametrize("name", ["a\nb", "a\rdata: x", "\ud800", "\0"])
def test_a_type_that_is_no_name(name: str) -> None:
    """It breaks no frame: the event goes without a name, and its data has it."""
    found = event_source(b"".join(to_sse([{"type": name}, *EVENTS])))
    assert (found[0][1], json.loads(found[0][2])) == ("message", {"type": name})
    assert len(found) == len(EVENTS) + 1


@TO_AND_FROM
def test_16_mb_in_one_frame(to: Any, from_: Any) -> None:
    """A frame may be as long as its event."""
    text = AWKWARD + "x" * 16_000_000
    events = message_events(text, chunk=len(text))
    assert collect(from_(to(events))).content[0].text == text


@in_every_mode
async def test_a_message_that_is_complete_without_its_last_event(mode: Mode) -> None:
    """The client needs it to know, and to close its EventSource: it is added."""
    assert shown([frame async for frame in Either(to_sse(mode.source(EVENTS[:-1])))]) == EVENTS


THOUGHT = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}
TALK = message_events(THOUGHT, "Hello", ("tool", {"a": 1}), chunk=100)
USAGE = {"input_tokens": 10, "output_tokens": 12, "final": True}


def without_usage(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    assert frames[-1]["usage"].items() >= USAGE.items()
    return [{key: value for key, value in frame.items() if key != "usage"} for frame in frames]


SHOWN: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "text": (iter_text, [{"type": "text", "text": "Hello"}]),
    "thinking": (iter_thinking, [{"type": "thinking", "text": "Let me see."}]),
    "tool inputs": (
        iter_tool_inputs,
        [{"type": "tool_input", "index": 2, "id": "toolu_test_2", "name": "tool", "delta": '{"a": 1}'}],
    ),
    "parts": (
        iter_parts,
        [
            {"type": "thinking", "text": "Let me see.", "index": 0, "estimated_tokens": None},
            {"type": "text", "text": "Hello", "index": 1},
            {"type": "tool_input", "index": 2, "id": "toolu_test_2", "name": "tool", "delta": '{"a": 1}'},
            {
                "type": "tool_call",
                "call": {"type": "tool_use", "id": "toolu_test_2", "name": "tool", "input": {"a": 1}},
                "index": 2,
            },
        ],
    ),
}


@TO
@pytest.mark.parametrize("name", SHOWN)
def test_what_a_page_shows(mode: Mode, to: Any, name: str) -> None:
    """Frames of their own names, their fields as JSON, and `done` at the end."""
    make, expected = SHOWN[name]
    frames = without_usage(shown(mode.read(lambda: to(make(mode.source(TALK)))).items))
    frames = [frame for frame in frames if frame.get("delta") != "" and frame.get("text") != ""]
    assert frames == [*expected, {"type": "done", "stop_reason": "tool_use"}]


@TO
def test_progress_for_a_page(mode: Mode, to: Any) -> None:
    """A frame for each event, and one in front of them all, without what only this process can read: its clock."""
    frames = shown(mode.read(lambda: to(iter_progress(mode.source(TALK), max_tokens=100))).items)
    assert [frame["type"] for frame in frames] == [*["progress"] * (len(TALK) + 1), "done"]
    assert (frames[0]["phase"], frames[-2]["phase"], frames[-2]["chars"]["text"]) == ("waiting", "done", 5)
    assert frames[-2]["fraction"] == 0.12
    assert "at" not in frames[0]


@in_every_mode
async def test_views_of_a_stream(mode: Mode) -> None:
    """A stream of ours, its text and its parts are relayed like what the functions give, and closed."""
    views: list[Callable[[Any], Any]] = [lambda stream: stream, lambda stream: stream.text_stream]
    views += [lambda stream: stream.thinking_stream, lambda stream: stream.parts()]
    for view in views:
        source = Closing(TALK)
        stream: Any = (AsyncMessageStream if mode.is_async else MessageStream)(source.of(mode))
        frames = shown([frame async for frame in Either(to_sse(view(stream)))])
        assert frames[-1]["type"] in ("done", "message_stop")
        assert source.closed == 1
        assert stream.complete


def test_what_from_sse_says_of_frames_for_a_page(mode: Mode) -> None:
    """They hold no message: it ends early, and is not taken for one."""
    frames = mode.read(lambda: to_sse(iter_parts(mode.source(TALK)))).items
    error = mode.read(lambda: collect(from_sse(mode.source(frames)))).error
    assert type(error) is StreamTruncatedError


@TO
@in_every_mode
async def test_a_relay_knows_the_message(mode: Mode, to: Any) -> None:
    """It is a reader like all others."""
    relay = to(mode.source(EVENTS))
    assert type(relay).__mro__[1] is (AsyncReader if mode.is_async else Reader)
    for _ in range(3):
        await anext(Either(relay))
    assert (relay.text, relay.complete) == ("Hello, w", False)
    assert await done(relay.result()) == collect(EVENTS)
    assert (relay.usage.output_tokens, relay.complete) == (12, True)


def test_the_headers() -> None:
    """A plain dict of strings, which every framework takes."""
    assert type(SSE_HEADERS) is dict
    assert SSE_HEADERS["Cache-Control"].startswith("no-cache")
    assert {type(item) for pair in SSE_HEADERS.items() for item in pair} == {str}


# -- bodies --


def test_chunks_that_are_no_bytes(mode: Mode) -> None:
    """Text instead of bytes is a mistake, which is named."""
    error = mode.read(lambda: from_sse(mode.source([BODY.decode()]))).error
    assert isinstance(error, TypeError)
    assert "chunks of bytes" in str(error)


def test_a_body_that_is_no_event_stream(mode: Mode) -> None:
    """A page instead of the events is shown."""
    error = mode.read(lambda: from_sse(mode.source([b"<html>\n", b"Bad gateway</html>\n"]))).error
    assert isinstance(error, StreamProtocolError)
    assert "Bad gateway" in str(error)


def test_lines_that_are_no_json(mode: Mode) -> None:
    """The events in front of them are given, and then the error comes, with the number of the line."""
    lines = [*to_ndjson(EVENTS[:-1])]
    outcome = mode.read(lambda: from_ndjson(mode.source([*lines[:2], b"\n<html>\n", *lines[2:]])))
    assert [event.to_dict() for event in outcome.items] == EVENTS[:2]
    assert isinstance(outcome.error, StreamProtocolError)
    assert "line 4 is not JSON" in str(outcome.error)


def test_a_line_that_tells_of_an_error(mode: Mode) -> None:
    """It is raised as the API's `error` event is, by its class."""
    lines = mode.read(lambda: to_ndjson(mode.source(message_events("Hello", error="overloaded_error")))).items
    outcome = mode.read(lambda: iter_text(from_ndjson(mode.source([line.decode() for line in lines]))))
    assert outcome.items == ["Hello"]
    assert type(outcome.error) is StreamOverloadedError


@TO
def test_a_relay_holds_one_event(mode: Mode, to: Any) -> None:
    """It reads the next one when its frame is taken, so that a slow client fills nobody's memory."""
    taken = 0

    def counted() -> Iterator[Any]:
        nonlocal taken
        for event in EVENTS:
            taken += 1
            yield event

    async def main() -> None:
        frames = Either(to(mode.source(counted())))
        for count in range(1, len(EVENTS)):
            await anext(frames)
            assert taken == count
        await frames.aclose()

    mode.run(main) if mode.is_async else by_hand(main())


LINES = "".join(json.dumps(event) + "\n" for event in EVENTS[:4]).encode()


@pytest.mark.parametrize(("read", "start"), [(from_sse, body_of(EVENTS[:4])), (from_ndjson, LINES)])
def test_an_event_without_end(mode: Mode, read: Any, start: bytes) -> None:
    """It ends the reading at the limit, with the message so far, and not in an exhausted machine."""
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield start
        yield b"data: "
        while True:
            taken += 1
            yield b"x" * 100

    outcome = mode.read(lambda: iter_text(read(mode.source(endless()), max_event=10_000)))
    assert "".join(outcome.items) == "Hello, world!"
    assert isinstance(outcome.error, StreamProtocolError)
    assert "max_event" in str(outcome.error)
    assert not outcome.error.retryable
    assert outcome.error.partial is not None
    assert text_of(outcome.error.partial) == "Hello, world!"
    assert taken <= 100


@pytest.mark.parametrize("limit", [0, -1])
@pytest.mark.parametrize("read", [from_sse, from_ndjson])
def test_a_limit_without_room(read: Any, limit: int) -> None:
    """A limit of nothing is a mistake."""
    with pytest.raises(ValueError, match="max_event"):
        read([BODY], max_event=limit)


@TO_AND_FROM
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_cut_body(mode: Mode, size: int, to: Any, from_: Any) -> None:
    """All events in front of the cut are given, and then the error."""
    cut = b"".join([*to(EVENTS)][:4])[:-20]
    outcome = mode.read(lambda: from_(mode.source([cut[at : at + size] for at in range(0, len(cut), size)])))
    assert [event.to_dict() for event in outcome.items] == EVENTS[:3]
    assert type(outcome.error) is StreamTruncatedError


@TO_AND_FROM
@pytest.mark.parametrize("beta", [False, True])
def test_whose_objects_they_are(mode: Mode, beta: bool, to: Any, from_: Any) -> None:
    """With `beta=True` the events are the SDK's beta objects, and the message is one."""
    body = b"".join(to(EVENTS))
    outcome = mode.read(lambda: from_(mode.source([body]), beta=beta))
    assert [event.to_dict() for event in outcome.items] == EVENTS
    assert {type(event).__name__.startswith("Beta") for event in outcome.items} == {beta}
    message = mode.message(lambda: collect(from_(mode.source([body]), beta=beta)))
    assert type(message).__name__ == ("BetaMessage" if beta else "Message")


@TO_AND_FROM
def test_it_has_the_colour_of_its_chunks(mode: Mode, to: Any, from_: Any) -> None:
    """Sync chunks make a `Reader`, async ones an `AsyncReader`."""
    assert isinstance(from_(mode.source([BODY])), AsyncReader if mode.is_async else Reader)
    assert isinstance(to(mode.source(EVENTS)), AsyncReader if mode.is_async else Reader)


def test_an_open_file(tmp_path: Path) -> None:
    """A file that is open for reading bytes gives chunks like any other, and is closed with the reader."""
    (tmp_path / "answer.sse").write_bytes(BODY)
    with (tmp_path / "answer.sse").open("rb") as file, from_sse(file) as events:
        assert "".join(iter_text(events)) == "Hello, world!"
        events.close()
        assert file.closed


def test_an_open_file_of_lines(tmp_path: Path) -> None:
    """A file that is open for text gives lines."""
    (tmp_path / "answer.ndjson").write_bytes(b"".join(to_ndjson(EVENTS)))
    with (tmp_path / "answer.ndjson").open(encoding="utf-8") as file:
        assert collect(from_ndjson(file)) == collect(EVENTS)


def test_errors_of_ours_are_passed_on_by_the_next_relay(mode: Mode) -> None:
    """A relay of a relay says what the first one said."""
    first = mode.read(lambda: to_sse(mode.source(message_events("Hello", error="overloaded_error")))).items
    told: list[Any] = []
    again = mode.read(lambda: to_sse(from_sse(mode.source(first)), on_error=told.append)).items
    assert again == first
    assert isinstance(told[0], StreamError)


def test_pieces_of_text_are_relayed_as_text(mode: Mode) -> None:
    """`by=` changes where a frame ends, and what an error cuts off goes out in front of it."""
    events = message_events("Hello. How are", error="overloaded_error", chunk=4)
    frames = mode.read(lambda: to_ndjson(iter_text(mode.source(events), by="sentence"))).items
    assert [json.loads(frame)["type"] for frame in frames] == ["text", "text", "error"]
    assert [json.loads(frame).get("text") for frame in frames] == ["Hello.", " How are", None]
