"""Both formats of a recording, without loss: what stands in a file, and what is refused of one."""

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


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("chat.py", b"import os\n\ndata: str\n"),
        ("README.md", b"\n# A title\n\ndata: {}\n"),
        ("page.txt", b"HTTP/2 200\r\ncontent-type: text/event-stream\r\n\r\nevent: ping\n"),
        ("picture.png", b"\x89PNG\r\n\x1a\n"),
        ("answer.jsonl", b"[]"),
        ("events.txt", b"events: none\n"),
        ("words", b"\xef\xbb\xbfWords " + b"and words " * 99),
    ],
)
def test_a_file_that_is_no_recording(tmp_path: Path, name: str, content: bytes) -> None:
    """It is named, with how it begins, and what a recording would be."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} is no recording, for it begins with '") as caught:
        Recording.load(path)
    assert "curl -N" in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(path))
    path.replace(tmp_path / "body.sse")
    assert Recording.load(tmp_path / "body.sse").body() == content
    assert Recording.from_bytes(content).body() == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" \n",
        b": keep-alive\n\n",
        b"event: ping\ndata: {}\n\n",
        b"\r\ndata",
        b"id\n",
        b"\xef\xbb\xbfdata:{}",
        b"\xef\xbb\xbf",
        b' {"type": "error"}',
        b"<html>",
    ],
)
def test_whatever_a_server_may_have_sent(path: Path, content: bytes) -> None:
    """A body of any kind is taken under any name: a cut one, an empty one, and what a proxy says."""
    path.write_bytes(content)
    assert Recording.load(path).body() == content


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Some editors put one in front of the header."""
    recording = Recording.from_events(EVENTS)
    recording.save(tmp_path / "x.jsonl")
    marked = b"\xef\xbb\xbf" + (tmp_path / "x.jsonl").read_bytes()
    assert Recording.from_bytes(marked) == recording


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


@pytest.mark.slow
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


def test_bytes_that_are_no_utf_8_are_not_mended(path: Path) -> None:
    """Half of a surrogate pair as bytes is a broken event, and stays one in a file."""
    start, *rest = Recording.from_events(message_events("Hi")).chunks
    broken = Recording((start, *(chunk.replace(b"Hi", b"\xed\xa0\xbd") for chunk in rest)))
    broken.save(path)
    assert Recording.load(path).body() == broken.body()
    with pytest.raises(StreamProtocolError, match="not valid JSON"):
        Recording.load(path).events()
