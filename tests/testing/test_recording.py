"""Recordings as values: equality, how a body is cut, and what each fault makes of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from claude_stream import StreamAPIError
from claude_stream.testing import Recording, message_events
from tests import faults

EVENTS = message_events("Hello, world!", chunk=6)  # eight: two of the start, three deltas, three of the end
RECORDING = Recording.from_events(EVENTS)
TIMED = dataclasses.replace(RECORDING, offsets=tuple(0.5 + number / 4 for number in range(8)))
CHUNKS = RECORDING.chunks
BODIES: dict[str, bytes] = {
    "whole": RECORDING.body(),
    "CRLF line ends": faults.BODIES["CRLF line ends"],
    "cut inside an event": faults.BODIES["cut inside an event"],
    "empty body": b"",
    "a JSON error": Recording.http_error(529).body(),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where to save a recording."""
    return tmp_path / "recording.jsonl"


# -- files --


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is an OSError that names it."""
    with pytest.raises(FileNotFoundError, match=r"nothing\.sse"):
        Recording.load(tmp_path / "nothing.sse")


def test_comments_are_no_events() -> None:
    """What a proxy sends to keep a connection open is not counted where a fault counts events."""
    body = b": keep-alive\n\n".join((b"", *(sse for sse in Recording.from_events(EVENTS).chunks)))
    recording = Recording.from_bytes(body)
    for after in range(len(EVENTS) + 1):
        assert recording.cut(after).events() == EVENTS[:after]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'\n {"type": "error"}', "application/json"),
        (b"<html>", "text/html"),
        (b"", "text/event-stream"),
        (b": keep-alive", "text/event-stream"),
    ],
)
def test_a_raw_body_that_may_be_no_event_stream(content: bytes, kind: str) -> None:
    """What a failing server sent in its place is served as what it is."""
    assert Recording.from_bytes(content).content_type == kind


# -- equality --


@pytest.mark.parametrize(
    "other",
    [
        dataclasses.replace(RECORDING, status=201),
        dataclasses.replace(RECORDING, content_type="text/plain"),
        RECORDING.reset(after=8),
        RECORDING.cut(after=7),
        Recording.from_events([{"type": "ping"}, *EVENTS]),
        Recording.from_events([*EVENTS[:3], EVENTS[4], EVENTS[3], *EVENTS[5:]]),
        Recording.from_events([{**EVENTS[0], "more": None}, *EVENTS[1:]]),
        Recording.from_bytes(RECORDING.body() + b"data: oops\n\n"),
        Recording(()),
        "recording",
        RECORDING.body(),
        None,
    ],
)
def test_recordings_that_differ(other: object) -> None:
    """Another status, content type, failure or event makes another recording, and so does another type."""
    recording = RECORDING
    assert recording != other
    assert other != recording
    assert not recording == other  # noqa: SIM201 - both operators are tested


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (RECORDING.reset(after=2), RECORDING.stall(after=2)),
        (RECORDING.reset(after=2), RECORDING.reset(after=3)),
        (RECORDING.reset(after=2), RECORDING.cut(after=2)),
        (Recording.http_error(529), Recording.http_error(500, error="overloaded_error")),
        (RECORDING.interrupted(after=2), RECORDING.cut(after=2)),
        (RECORDING.interrupted(after=2), RECORDING.interrupted(after=2, by=SystemExit)),
        (Recording.http_error(529), Recording.http_error(529, message="no")),
        (Recording((b"<html>",)), Recording((b"<htm>",))),
        (Recording((b"<html>" + b"x" * 500,)), Recording((b"<html>" + b"x" * 501,))),
        (Recording((*CHUNKS, b"data: oops\n\n")), Recording((*CHUNKS, b"data: oh no\n\n"))),
    ],
)
def test_faults_that_differ(one: Recording, other: Recording) -> None:
    """Another kind of fault, or another place, makes another recording."""
    assert one != other


@pytest.mark.parametrize(
    "other",
    [
        RECORDING,
        TIMED,
        RECORDING.chunked("whole"),
        RECORDING.paced(3),
        RECORDING.chunked(1),
        TIMED.chunked("random"),
        dataclasses.replace(RECORDING, headers={"request-id": "req_1"}, sdk_version="1.0"),
        Recording.from_bytes(RECORDING.body().replace(b'":', b'" : ').replace(b"\n", b"\r\n")),
        Recording.from_bytes(b": keep-alive\n\n" + RECORDING.body()),
        Recording.from_bytes(RECORDING.body().replace(b"event: message_stop\n", b"")),
    ],
)
def test_recordings_that_answer_alike(other: Recording) -> None:
    """Times, chunks, headers, and how the events are written make no difference."""
    assert other == RECORDING
    assert other.reset(after=0) == RECORDING.reset(after=0)


def test_a_recording_is_no_key() -> None:
    """What compares by its events has no hash."""
    with pytest.raises(TypeError, match="unhashable"):
        hash(RECORDING)


# -- chunks --


@pytest.mark.parametrize("by", [0, -1, True, False, 1.5, "x", "events", None, b"whole"])
def test_a_body_that_cannot_be_cut_so(by: Any) -> None:
    """What is no way to cut is refused by name."""
    with pytest.raises(ValueError, match=r"a body is cut by .* and not by") as caught:
        RECORDING.chunked(by)
    assert str(caught.value).endswith(repr(by))


@pytest.mark.parametrize("by", ["whole", "event", "random", 1, 7, 10_000])
@pytest.mark.parametrize("name", BODIES)
def test_how_a_body_is_cut(by: Any, name: str) -> None:
    """The body stays as it is, and no chunk is empty."""
    body = BODIES[name]
    recording = Recording.from_bytes(body)
    cut = dataclasses.replace(recording, failure=TIMED.reset(0).failure, headers={"retry-after": "1"}).chunked(by)
    assert cut.body() == body
    assert all(cut.chunks)
    assert cut == dataclasses.replace(recording, failure=cut.failure)
    assert (cut.offsets, cut.headers) == (None, {"retry-after": "1"})
    if by == "whole":
        assert len(cut.chunks) == (1 if body else 0)
    elif by == "event":
        assert cut.chunks == recording.chunks
    elif by != "random":
        assert {len(chunk) for chunk in cut.chunks[:-1]} <= {by}
        assert all(len(chunk) <= by for chunk in cut.chunks)


def test_chance_has_a_seed() -> None:
    """The same seed gives the same chunks, another seed others, and each has 1 to 40 bytes."""
    long = Recording.from_events(message_events("x" * 5000))
    assert long.chunked("random", seed=3).chunks == long.chunked("random", seed=3).chunks
    assert long.chunked("random").chunks == long.chunked("random", seed=0).chunks
    assert len({long.chunked("random", seed=seed).chunks for seed in range(10)}) == 10
    sizes = {len(chunk) for chunk in long.chunked("random").chunks[:-1]}
    assert (min(sizes), max(sizes)) == (1, 40)


def test_a_chunk_comes_when_its_last_byte_does() -> None:
    """Cut in another way, each chunk has the time at which the whole of it had come."""
    recording = Recording((b"abc", b"", b"def", b"gh"), offsets=(1.0, 1.5, 2.0, 3.0))
    assert recording.chunked("whole").offsets == (3.0,)
    assert recording.chunked(1).offsets == (1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0)
    assert recording.chunked(3).offsets == (1.0, 2.0, 3.0)
    assert recording.chunked(4).offsets == (2.0, 3.0)
    assert TIMED.chunked("whole").chunked("event").offsets == (2.25,) * 8
    assert TIMED.chunked("event") == TIMED
    assert TIMED.chunked("event").offsets == TIMED.offsets
    assert Recording((), offsets=()).chunked(1).offsets == ()


# -- faults --

FAULTS: dict[str, Callable[[Recording, int], Recording]] = {
    "cut": lambda recording, after: recording.cut(after=after),
    "reset": lambda recording, after: recording.reset(after=after),
    "stall": lambda recording, after: recording.stall(after=after),
    "error": lambda recording, after: recording.error("api_error", after=after),
    "interrupted": lambda recording, after: recording.interrupted(after=after),
}


@pytest.mark.parametrize("after", [-1, 9])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_behind_no_event(fault: str, after: int) -> None:
    """A fault behind more events than there are, or fewer than none, is refused."""
    with pytest.raises(ValueError, match=f"there are 8 events, so that nothing can happen after {after}"):
        FAULTS[fault](RECORDING, after)


@pytest.mark.parametrize("by", ["whole", "event", 5])
@pytest.mark.parametrize("after", [0, 3, 8])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_comes_behind_so_many_events(fault: str, after: int, by: Any) -> None:
    """However the body is cut, the events before the fault stay, with their times, and those behind it go."""
    before = TIMED.events()
    broken = FAULTS[fault](TIMED.chunked(by), after)
    more = 1 if fault == "error" else 0
    assert broken.events()[:after] == EVENTS[:after]
    assert len(broken.events()) == after + more
    assert broken.offsets is not None
    assert len(broken.offsets) == len(broken.chunks) == after + more
    assert list(broken.offsets) == sorted(broken.offsets)
    kinds = {"reset": "connection", "stall": "timeout"}
    assert (broken.failure.kind if broken.failure else None) == kinds.get(fault)
    assert broken.interruption is (KeyboardInterrupt if fault == "interrupted" else None)
    assert TIMED.events() == before  # the one that it was made of is not changed


@pytest.mark.parametrize("first", FAULTS)
@pytest.mark.parametrize("then", FAULTS)
def test_the_last_fault_holds(first: str, then: str) -> None:
    """A second fault takes the place of the first one."""
    assert FAULTS[then](FAULTS[first](TIMED, 5), 3) == FAULTS[then](TIMED, 3)


@pytest.mark.parametrize(
    ("error", "body"),
    [
        ("overloaded_error", {"type": "overloaded_error", "message": "overloaded_error"}),
        ({"type": "api_error", "message": "é", "details": {}}, {"type": "api_error", "message": "é", "details": {}}),
    ],
)
@pytest.mark.parametrize(("after", "offsets"), [(0, (0.0,)), (2, (0.5, 0.75, 0.75))])
def test_an_error_event(error: Any, body: dict[str, Any], after: int, offsets: tuple[float, ...]) -> None:
    """It holds the type, or the body, that was asked for, and comes with the event before it."""
    broken = TIMED.error(error, after=after)
    assert broken.events() == [*EVENTS[:after], {"type": "error", "error": body}]
    assert broken.offsets == offsets
    assert RECORDING.error(error, after=after).offsets is None


def test_a_fault_keeps_what_was_said_before_the_body() -> None:
    """Status, content type and headers are not changed by a fault in the body."""
    recording = dataclasses.replace(RECORDING, status=202, content_type="text/x", headers={"retry-after": "1"})
    for make in FAULTS.values():
        broken = make(recording, 3)
        assert (broken.status, broken.content_type, broken.headers) == (202, "text/x", {"retry-after": "1"})


@pytest.mark.parametrize("status", [399, 600, 200, 0, -1])
def test_a_status_that_is_no_error(status: int) -> None:
    """A status that refuses nothing cannot refuse a request."""
    with pytest.raises(ValueError, match=f"400 to 599, and not {status}"):
        Recording.http_error(status)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (409, "conflict_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
        (418, "api_error"),
        (599, "api_error"),
    ],
)
def test_the_type_of_a_refusal(status: int, kind: str) -> None:
    """It is the documented one of the status, unless another one is given; the body is JSON."""
    refusal = Recording.http_error(status, message="no")
    assert json.loads(refusal.body()) == {"type": "error", "error": {"type": kind, "message": "no"}}
    assert (refusal.status, refusal.content_type, refusal.headers) == (status, "application/json", {})
    other = Recording.http_error(status, error="overloaded_error")
    assert json.loads(other.body())["error"] == {"type": "overloaded_error", "message": "refused"}
    body = {"type": "x", "message": "y", "details": {}}
    assert json.loads(Recording.http_error(status, error=body, message="no").body())["error"] == body


@pytest.mark.parametrize(
    "make",
    [
        lambda error: RECORDING.error(error, after=3),
        lambda error: Recording.http_error(529, error=error),
    ],
    ids=["error", "http_error"],
)
def test_an_error_that_is_not_documented(make: Callable[[str], Recording]) -> None:
    """A typo is refused, with the names that there are."""
    with pytest.raises(ValueError, match=r"'overloaded' is no error.type .* overloaded_error; "):
        make("overloaded")


def test_subclasses_of_the_user_are_left_alone() -> None:
    """An exception class that somebody derives from ours is neither made nor asked for a status."""

    class OwnError(StreamAPIError):
        _status, _type = 529, "own_error"

        def __init__(self, _: str) -> None:
            raise AssertionError("nobody asked for one")

    assert OwnError in StreamAPIError.__subclasses__()
    assert json.loads(Recording.http_error(529).body())["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize("by", [5, None, "KeyboardInterrupt", int])
def test_an_interruption_that_is_no_exception(by: Any) -> None:
    """What cannot be raised is refused by name."""
    with pytest.raises(TypeError, match="by an exception, or its class, and not by") as caught:
        RECORDING.interrupted(after=3, by=by)
    assert str(caught.value).endswith(repr(by))


@pytest.mark.parametrize("name", ["recording.jsonl", "recording.sse"])
def test_an_interruption_cannot_be_saved(tmp_path: Path, name: str) -> None:
    """It is nothing that a server did, so that a file could hold it; the error says so, and writes nothing."""
    with pytest.raises(ValueError, match=r"an interruption \(<class 'KeyboardInterrupt'>\) cannot be saved"):
        RECORDING.interrupted(after=3).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    RECORDING.interrupted(after=3).cut(after=3).save(tmp_path / name)


# -- the pace --


@pytest.mark.parametrize("seconds", [-0.1, float("nan"), float("inf")])
def test_a_pace_that_is_none(seconds: float) -> None:
    """What is no number of seconds is refused."""
    with pytest.raises(ValueError, match=f"a number of seconds between two events, and not {seconds}"):
        RECORDING.paced(seconds)


@pytest.mark.parametrize("recording", [RECORDING, TIMED, RECORDING.chunked(7), TIMED.chunked("whole")])
def test_a_pace(recording: Recording) -> None:
    """Each event is a chunk, so many seconds behind the one before it, whatever the times and chunks were."""
    paced = recording.paced(0.5)
    assert paced.chunks == RECORDING.chunks
    assert paced.offsets == (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5)
    assert paced.cut(after=3).offsets == (0, 0.5, 1)
    assert paced.chunked("whole").offsets == (3.5,)
    assert (paced.speed, recording.speed) == (1, None)


def test_the_pace_of_what_is_no_event() -> None:
    """Comments come with the event before them, and a body without events comes at once."""
    first, *rest = CHUNKS
    recording = Recording.from_bytes(b": a\n\n" + first + b": b\n\n" + b"".join(rest))
    assert recording.paced(2).offsets == (0, 0, 0, 2, 4, 6, 8, 10, 12, 14)
    assert Recording.http_error(529).paced(2).offsets == (0,)
    assert Recording(()).paced(2).offsets == ()


@pytest.mark.parametrize(("seconds", "header"), [(0, "0"), (7, "7"), (0.5, "0.5"), (120.0, "120")])
def test_when_to_come_back(path: Path, seconds: float, header: str) -> None:
    """`retry_after` is the header of that name, which a file keeps."""
    refusal = Recording.http_error(529, retry_after=seconds)
    assert refusal.headers == {"retry-after": header}
    refusal.save(path)
    assert Recording.load(path) == refusal
    assert Recording.load(path).headers == refusal.headers


def test_how_a_recording_is_shown() -> None:
    """One line says how much it is, how long it took, and how it ends."""
    recording = Recording.from_events(message_events("Hello"))
    assert repr(recording).startswith("<Recording: 6 chunks, ")
    assert repr(recording).endswith(" bytes; status 200, text/event-stream>")
    timed = dataclasses.replace(recording, offsets=tuple(map(float, range(6))), content_type="")
    assert repr(timed.reset(after=2)).endswith(" over 1.00 s; status 200, no content type; then a connection failure>")
    assert repr(recording.interrupted(after=2)).endswith("; then <class 'KeyboardInterrupt'>>")
