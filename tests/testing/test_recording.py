"""Recordings as values: both formats without loss, equality, how a body is cut, and what each fault makes of it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_stream import StreamProtocolError
from claude_stream.testing import Recording, message_events
from tests import faults
from tests.support import body_of, wire_events

HEADER = '{"claude_stream_recording": 1}'
LINE = '{"at": 0, "event": {"type": "ping"}}'
EVENTS = message_events("Hello, world!", chunk=6)  # eight: two of the start, three deltas, three of the end
RECORDING = Recording.from_events(EVENTS)
TIMED = dataclasses.replace(RECORDING, offsets=tuple(0.5 + number / 4 for number in range(8)))
CHUNKS = RECORDING.chunks
NEWS = b'event: news\ndata: {"type":"news","v":%b}\n\n'

# Bodies that a careless format would change, next to all the broken ones of `faults`.
BODIES: dict[str, bytes] = {
    **faults.BODIES,
    "whole": RECORDING.body(),
    "spaces in the JSON": b'event: ping\ndata: {"type": "ping",  "a" : [ 1 ] }   \n\n',
    "spaces in the JSON, then no JSON": b'event: ping\ndata: {"type": "ping" }  \n\ndata: oops\n\n',
    "unknown fields": NEWS % b'{"a":[null,true,{"b":{}}],"":""}',
    "line ends of Unicode": NEWS % '"\u2028\u2029\u0085\u000b😀"'.encode(),
    "escapes": NEWS % rb'"\u00e9\/\n\u0000\ud83d\ude00"',
    "half a surrogate pair": NEWS % rb'"\ud83d"' + NEWS % rb'"\ude00 and \u00e9"',
    "large integers": NEWS % b"[18446744073709551617,-9223372036854775809,%b]" % (b"9" * 400),
    "an integer that json refuses": NEWS % (b"9" * 5000),
    "floats": NEWS % b"[1e-7,1.0,1e22,0.30000000000000004,-0.0,1E5,123456789.123456789]",
    "duplicate keys": NEWS % b'{"a":1,"a":2}',
    "pings": body_of([{"type": "ping"}, *EVENTS[:4], {"type": "ping"}, {"type": "ping"}, *EVENTS[4:]]),
    "comments": b": keep-alive\n\n" + body_of(EVENTS[:4]) + b": keep-alive\n\n" + body_of(EVENTS[4:]),
    "id and retry": b'id: 7\nretry: 10\nevent: ping\ndata: {"type":"ping"}\n\n',
    "a type and no name": b'data: {"type":"ping"}\n\n',
    "a name and no type": b'event: ping\ndata: {"a":1}\n\n',
    "neither name nor type": b'data: {"a":1}\n\n',
    "a name other than the type": b'event: ping\ndata: {"type":"news"}\n\n',
    "a type that is no string": b'event: 1\ndata: {"type":1}\n\n',
    "a type with a line end": rb'data: {"type":"a\nb"}' + b"\n\n",
    "data in several lines": b'event: ping\ndata: {"type":\ndata: "ping"}\n\n',
    "no space behind the colon": b'event:ping\ndata:{"type":"ping"}\n\n',
    "line ends of all kinds": b'event: ping\r\ndata: {"type":"ping"}\n\r\n\revent: ping\ndata: {"type":"a"}\r\n\n',
    "blank lines": b"\n\n\n" + RECORDING.body().replace(b"\n\n", b"\n\n\n\n\n"),
    "bytes that are not UTF-8": b"\xff\xfe\x00: \xed\xa0\x80",
    "a JSON error": Recording.http_error(529).body(),
    "nested far too deeply": NEWS % (b"[" * 100_000 + b"]" * 100_000),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where to save a recording."""
    return tmp_path / "recording.jsonl"


def answer(recording: Recording) -> tuple[object, ...]:
    """Return what a recording answers, so that 1 and 1.0, and the order of keys, are told apart."""
    try:
        body = json.dumps(recording.events())
    except StreamProtocolError as error:
        body = str(error)
    return recording.status, recording.content_type, recording.failure, body


# -- files --


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"claude_stream_recording": 99}', "line 1: recordings of version 99"),
        ('{"claude_stream_recording": true}', "line 1: recordings of version True"),
        ('{"at": 0, "event": {"type": "ping"}}', "line 1: the header line"),
        ('{"event": {"type": "ping"}}', "line 1: the header line"),
        (f'{HEADER}\n{{"at": 1e999, "event": {{"type": "ping"}}}}', "line 2: `at` is inf"),
        ('{"claude_stream_recording": null}', "line 1: recordings of version None"),
        ('{"claude_stream_recording": 1', "line 1: not valid JSON"),
        ('{"claude_stream_recording": 1, "status": "200"}', "line 1: `status` is '200', and no int"),
        ('{"claude_stream_recording": 1, "status": null}', "line 1: `status` is None"),
        ('{"claude_stream_recording": 1, "status": true}', "line 1: `status` is True"),
        ('{"claude_stream_recording": 1, "headers": []}', r"line 1: `headers` is \[\], and no dict"),
        ('{"claude_stream_recording": 1, "headers": {"retry-after": 5}}', "line 1: `headers` is "),
        ('{"claude_stream_recording": 1, "content_type": 5}', "line 1: `content_type` is 5, and no str"),
        (f"{HEADER}\n[]", "line 2: a JSON object"),
        (f"{HEADER}\n\n  \n5", "line 4: a JSON object"),
        (f"{HEADER}\n{LINE[:-3]}", "line 2: not valid JSON"),
        (f"{HEADER}\n{LINE}{LINE}", "line 2: not valid JSON"),
        (f"{HEADER}\n\udcff", "line 2: not valid JSON"),
        (f"{HEADER}\n" + "[" * 100_000, "line 2: not valid JSON"),
        (f'{HEADER}\n{LINE}\n{{"at": 1}}', "line 3: there is neither"),
        (f'{HEADER}\n{{"event": [], "raw": null}}', "line 2: there is neither"),
        (f'{HEADER}\n{{"raw": 5}}', "line 2: there is neither"),
        (f'{HEADER}\n{{"raw": "\\ud83d"}}', "line 2: "),
        (f'{HEADER}\n{{"failure": "fire"}}', "line 2: there is neither"),
        (f'{HEADER}\n{{"failure": []}}', "line 2: there is neither"),
        (f'{HEADER}\n{{"at": "0", "event": {{}}}}', "line 2: `at` is '0', and no number"),
        (f'{HEADER}\n{{"at": true, "event": {{}}}}', "line 2: `at` is True, and no number"),
        (f'{HEADER}\n{LINE}\n{{"event": {{}}}}', "line 3: `at` stands in every line or in none"),
        (f'{HEADER}\n{{"event": {{}}}}\n{LINE}', "line 3: `at` stands in every line or in none"),
        (f'{HEADER}\n{LINE}\n\n{{"failure": "timeout"}}', "line 4: `at` stands in every line or in none"),
        (f'{HEADER}\n{{"failure": "timeout"}}\n{{"event": {{}}}}', "line 2: nothing can come behind a `failure`"),
        (f'{HEADER}\n{{"failure": "timeout"}}\n{{"failure": "timeout"}}', "line 2: nothing can come behind"),
    ],
    ids=lambda value: value[-40:],
)
def test_a_damaged_file_is_named(path: Path, content: str, says: str) -> None:
    """File, line and fault are in the message."""
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=says) as caught:
        Recording.load(path)
    assert str(caught.value).startswith(f"{path}, line ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is an OSError that names it."""
    with pytest.raises(FileNotFoundError, match=r"nothing\.sse"):
        Recording.load(tmp_path / "nothing.sse")


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Some editors put one in front of the header."""
    recording = Recording.from_events(EVENTS)
    recording.save(tmp_path / "x.jsonl")
    marked = b"\xef\xbb\xbf" + (tmp_path / "x.jsonl").read_bytes()
    assert Recording.from_bytes(marked) == recording


def test_comments_are_no_events() -> None:
    """What a proxy sends to keep a connection open is not counted where a fault counts events."""
    body = b": keep-alive\n\n".join((b"", *(sse for sse in Recording.from_events(EVENTS).chunks)))
    recording = Recording.from_bytes(body)
    for after in range(len(EVENTS) + 1):
        assert recording.cut(after).events() == EVENTS[:after]


def test_a_recorded_body_survives_both_formats(tmp_path: Path, recorded_body: bytes) -> None:
    """From `.sse` to `.jsonl` to `.sse` no event changes, and a raw body is saved as it came."""
    expected = json.dumps(wire_events(recorded_body))
    first = tmp_path / "first.sse"
    first.write_bytes(recorded_body)
    recording = Recording.load(first)
    assert json.dumps(recording.events()) == expected
    recording.save(tmp_path / "again.sse")
    assert (tmp_path / "again.sse").read_bytes() == recorded_body
    for name in ("second.jsonl", "third.sse", "fourth.jsonl"):
        recording.save(tmp_path / name)
        recording = Recording.load(tmp_path / name)
        assert json.dumps(recording.events()) == expected
        assert recording == Recording.load(first)
    lines = (tmp_path / "fourth.jsonl").read_bytes().splitlines()
    assert len(lines) == 1 + len(wire_events(recorded_body))
    assert not [line for line in lines if b'"raw"' in line]


@pytest.mark.parametrize("name", BODIES)
def test_a_body_survives_both_formats(tmp_path: Path, name: str) -> None:
    """The same of bodies that are broken, or written in another way than the API's, and of what is in them."""
    original = Recording.from_bytes(BODIES[name])
    assert original.body() == BODIES[name]
    original.save(tmp_path / "raw.sse")
    assert (tmp_path / "raw.sse").read_bytes() == BODIES[name]
    recording = original
    for file in ("first.jsonl", "second.jsonl", "third.sse", "fourth.jsonl"):
        recording.save(tmp_path / file)
        recording = Recording.load(tmp_path / file)
        assert answer(recording) == answer(original)
        assert recording == original


@given(
    st.lists(
        st.sampled_from(
            [
                *CHUNKS,
                b'event: ping\ndata: {"type": "ping"}\n\n',
                b'event: ping\r\ndata: {"type":"ping"}\r\n\r\n',
                b'data: {"type":"ping"}',
                b'{"a":1}',
                *(b"event: ", b"event: error\n", b"data: ", b"data: oops\n\n", b": keep-alive\n\n", b"\xef\xbb\xbf"),
                *(b"\n", b"\n\n", b"\r\n", b"\r", b" ", b"\xff", b"\xc3", "é\u2028".encode()),
            ]
        )
    ).map(b"".join)
)
def test_bytes_of_any_kind_survive_both_formats(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    """Whatever a server may have sent, the file answers alike."""
    original = Recording.from_bytes(body)
    assert b"".join(original.chunks) == body
    path = tmp_path_factory.getbasetemp() / "bytes.jsonl"
    original.save(path)
    assert answer(Recording.load(path)) == answer(original)
    assert Recording.load(path) == original


# Half of a surrogate pair may come in JSON; the two halves side by side come out as one character.
TEXTS = st.text(st.characters(), max_size=10).map(lambda text: re.sub("[\ud800-\udfff]", "\ud83d", text))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


# An `error` event without an `error` in it gets one when it is read.
KINDS = TEXTS.filter(lambda kind: kind.strip() != "error")
EVENT = st.builds(lambda fields, kind: {**fields, "type": kind}, st.dictionaries(TEXTS, VALUES, max_size=5), KINDS)


@given(st.lists(EVENT, max_size=5))
def test_events_of_any_kind_survive_both_formats(
    tmp_path_factory: pytest.TempPathFactory, events: list[dict[str, Any]]
) -> None:
    """Every field and every value comes back from a file of either format, in its order."""
    recording = Recording.from_events(events)
    for name in ("events.jsonl", "events.sse"):
        recording.save(path := tmp_path_factory.getbasetemp() / name)
        assert json.dumps(Recording.load(path).events()) == json.dumps(events)


def test_a_jsonl_file_can_be_read_by_people(path: Path) -> None:
    """A header that says what was answered, and a line for each event with its time; no byte is escaped in vain."""
    events = message_events("Señor 😀", chunk=99)
    chunks = (*Recording.from_events(events).chunks[:3], ": é\n\n".encode(), b"\xff")
    dataclasses.replace(TIMED, chunks=chunks, offsets=(0.1, 0.25, 1 / 3, 1, 2.5), sdk_version="9.9").save(path)
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(header) == {
        "claude_stream_recording": 1,
        "sdk": "9.9",
        "model": "claude-test",
        "status": 200,
        "content_type": "text/event-stream",
        "headers": {},
    }
    assert lines[2] == (
        '{"at": 0.333333, "event": {"type": "content_block_delta", "index": 0, '
        '"delta": {"type": "text_delta", "text": "Señor 😀"}}}'
    )
    assert lines[3:] == [r'{"at": 1, "raw": ": é\n\n"}', r'{"at": 2.5, "raw": "\udcff"}']


@pytest.mark.parametrize("by", ["whole", "event", "random", 7])
def test_a_file_has_a_line_for_each_event(path: Path, by: Any) -> None:
    """However the body was cut and padded, each event stands in a line of its own, with the time of its last byte."""
    padded = Recording.from_bytes(RECORDING.body().replace(b"\n\n", b"    \n\n"))
    recording = dataclasses.replace(padded, offsets=TIMED.offsets).chunked(by)
    recording.save(path)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()[1:]]
    assert [line["event"] for line in lines] == EVENTS
    assert tuple(line["at"] for line in lines) == recording.chunked("event").offsets


@pytest.mark.parametrize("kind", ["a\nb", "a\rb", 'a\ndata: {"type":"b"}\n\n', "", "\u2028", "é", 5, None, ["x"]])
def test_a_type_that_is_no_name(path: Path, kind: Any) -> None:
    """An event keeps its type, even one that could not stand as the name of an event."""
    Recording.from_events([{"type": kind}, {"type": "ping"}]).save(path)
    assert Recording.load(path).events() == [{"type": kind}, {"type": "ping"}]


def test_a_file_keeps_what_is_needed_and_nothing_secret(path: Path) -> None:
    """Times, status, content type, failure, version, and the headers that an SDK acts on; no other header."""
    kept = {"Request-ID": "req_1", "retry-after": "3", "retry-after-ms": "3000", "x-should-retry": "true"}
    secret = {"set-cookie": "s3cret", "anthropic-organization-id": "s3cret", "x-request-id": "s3cret"}
    recording = dataclasses.replace(
        TIMED.stall(after=5), status=503, content_type="text/plain", headers={**kept, **secret}, sdk_version="2.0"
    )
    recording.save(path)
    loaded = Recording.load(path)
    assert loaded == recording
    assert loaded.offsets == recording.offsets
    assert loaded.sdk_version == "2.0"
    assert loaded.headers == {name.lower(): value for name, value in kept.items()}
    assert "s3cret" not in path.read_text()


@pytest.mark.parametrize("make", [Recording.reset, Recording.stall])
@pytest.mark.parametrize("recording", [RECORDING, TIMED], ids=["no times", "times"])
@pytest.mark.parametrize("after", [0, 4, 8])
def test_a_fault_is_saved(path: Path, recording: Recording, make: Callable[..., Recording], after: int) -> None:
    """A fault of the transport is the last line, wherever it stands, with times and without."""
    broken = make(recording, after=after)
    broken.save(path)
    assert Recording.load(path) == broken
    assert (Recording.load(path).offsets or ()) == (broken.offsets or ())
    assert json.loads(path.read_bytes().splitlines()[-1])["failure"] == broken.failure[0]


def test_a_file_as_other_programs_write_it(path: Path) -> None:
    """Only the mark and one thing a line are needed; line ends of Windows and blank lines do no harm."""
    path.write_bytes(f'{HEADER}\r\n\r\n{{"event": {{"type": "ping"}}, "note": 5}}\r\n{{"raw": ": x"}}\r\n'.encode())
    assert Recording.load(path).body() == body_of([{"type": "ping"}]) + b": x"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_a_raw_body_is_cut_behind_each_event(line_end: bytes) -> None:
    """A raw body keeps its bytes, whatever ends its lines, and has no times."""
    body = RECORDING.body().replace(b"\n", line_end)
    recording = Recording.from_bytes(body)
    assert (recording.body(), len(recording.chunks), recording.offsets) == (body, 8, None)


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
@pytest.mark.parametrize("name", ["whole", "CRLF line ends", "cut inside an event", "empty body", "a JSON error"])
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
    assert json.loads(Recording.http_error(status, error="x").body())["error"]["type"] == "x"


@pytest.mark.parametrize(("seconds", "header"), [(0, "0"), (7, "7"), (0.5, "0.5"), (120.0, "120")])
def test_when_to_come_back(path: Path, seconds: float, header: str) -> None:
    """`retry_after` is the header of that name, which a file keeps."""
    refusal = Recording.http_error(529, retry_after=seconds)
    assert refusal.headers == {"retry-after": header}
    refusal.save(path)
    assert Recording.load(path) == refusal
    assert Recording.load(path).headers == refusal.headers
