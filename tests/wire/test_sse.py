"""Bytes to wire dicts: the same cases whole, byte by byte, and with every kind of line end."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_stream import StreamProtocolError
from claude_stream._json import excerpt
from claude_stream._wire.sse import MAX_EVENT, SSEDecoder, SSEFrames


def decode(chunks: list[bytes]) -> list[Any]:
    decoder = SSEDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [*events, *decoder.finish()]


CASES: dict[str, tuple[bytes, list[Any]]] = {
    "one event": (b'event: ping\ndata: {"type":"ping"}\n\n', [{"type": "ping"}]),
    "no space after the colon": (b'event:ping\ndata:{"type":"ping"}\n\n', [{"type": "ping"}]),
    "data over two lines": (b'data: {"type":\ndata: "ping"}\n\n', [{"type": "ping"}]),
    "the name gives a missing type": (b'event: ping\ndata: {"a":1}\n\n', [{"type": "ping", "a": 1}]),
    "a name without data is no event": (b"event: ping\n\nevent: ping\n\n", []),
    "the name does not outlive its event": (b'event: ping\n\ndata: {"a":1}\n\n', [{"type": None, "a": 1}]),
    "neither a name nor a type": (b'data: {"a":1}\n\n', [{"type": None, "a": 1}]),
    "a byte order mark behind a blank line": (
        b'\n\xef\xbb\xbfdata: {"type":"a"}\n\ndata: {"type":"b"}\n\n',
        [{"type": "b"}],
    ),
    "a name that needs no space": (b'event:ping\ndata:{"a":1}\n\n', [{"type": "ping", "a": 1}]),
    "a name that is no text": (b'event: \xff\ndata: {"a":1}\n\n', [{"type": "\ufffd", "a": 1}]),
    "an error that is no text": (b"event: error\ndata: \xff\n\n", [{"type": "error", "error": "\ufffd"}]),
    "half an event at the end, and whole lines": (b'data: {"type":"a"}\n\ndata: {"type":\n', [{"type": "a"}]),
    "comments and other fields": (b': hi\nid: 3\nretry: 5\nfoo: bar\nfoo\ndata: {"type":"a"}\n\n', [{"type": "a"}]),
    "no blank line at the end": (b'data: {"type":"a"}\n\ndata: {"type":"b"}', [{"type": "a"}, {"type": "b"}]),
    "half an event at the end": (b'data: {"type":"a"}\n\ndata: {"type":', [{"type": "a"}]),
    "an event with empty data is none": (b'event: ping\ndata:\ndata: \n\ndata: {"type":"a"}\n\n', [{"type": "a"}]),
    "half a surrogate pair": (b'data: {"type":"a","text":"\\ud83d"}\n\n', [{"type": "a", "text": "\ud83d"}]),
    "mixed line ends": (b'data: {"type":"a"}\r\n\ndata: {"type":"b"}\r\n\n', [{"type": "a"}, {"type": "b"}]),
    "a byte order mark further on": (b'data: {"type":"a"}\n\n\xef\xbb\xbfdata: {"type":"b"}\n\n', [{"type": "a"}]),
    "nothing but blank lines": (b"\n\n\n", []),
    "an error that is not JSON": (b"event: error\ndata: oops\n\n", [{"type": "error", "error": "oops"}]),
    "an error under another type": (
        b'event: error\ndata: {"type":"x"}\n\n',
        [{"type": "error", "error": {"type": "x"}}],
    ),
    "an error with its body": (
        b'event: error\ndata: {"error":{"type":"x"}}\n\n',
        [{"type": "error", "error": {"type": "x"}}],
    ),
}


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", CASES)
def test_a_body_whole_and_byte_by_byte(name: str, line_end: bytes, bom: bytes) -> None:
    """The same events however the bytes are cut, whatever ends a line, with or without a byte order mark."""
    body, expected = CASES[name]
    body = bom + body.replace(b"\n", line_end)
    assert decode([body]) == expected
    assert decode([body[at : at + 1] for at in range(len(body))]) == expected
    for at in range(len(body)):
        assert decode([body[:at], b"", body[at:]]) == expected


DEEP = b'{"type":"b","a":' + b"[" * 100_000 + b'"\\u0041"' + b"]" * 100_000 + b"}"


@pytest.mark.parametrize("data", [b"{oops", b"null", b"[]", b'"s"', b"1", b'{"a":"\xff"}', b'"\\ud83d', DEEP])
def test_a_fault_comes_in_its_place_among_the_events(data: bytes) -> None:
    """What is no JSON object is an error that names the event, behind the events in front of it."""
    first, fault, last = decode([b'data: {"type":"a"}\n\nevent: b\ndata: ' + data + b'\n\ndata: {"type":"c"}\n\n'])
    assert (first, last) == ({"type": "a"}, {"type": "c"})
    assert isinstance(fault, StreamProtocolError)
    assert "event 2 (b)" in str(fault)
    assert str(fault).endswith(excerpt(data))
    assert isinstance(fault.__cause__, ValueError) is ("not valid JSON" in str(fault))


@pytest.mark.parametrize("body", [b'{"type":"error"}', b"<html>\n<p>data: 1</p>\n</html>", b"Bad\n\n", b"x" * 1000])
def test_a_body_that_is_no_event_stream_is_shown(body: bytes) -> None:
    """Another kind of body is an error with the beginning of that body."""
    for size in (1, 150, 1000):
        [fault] = decode([body[at : at + size] for at in range(0, len(body), size)])
        assert isinstance(fault, StreamProtocolError)
        assert str(fault) == f"the body is not an event stream; it begins: {body[:200].decode()}"


@pytest.mark.parametrize(
    "body", [b"", b"ev", b"event", b"event: message_start\nda", b": hello", b"id: 1:2\n", b"retry: 3\n", b"\xef\xbb"]
)
def test_the_beginning_of_an_event_stream_is_not_mistaken_for_something_else(body: bytes) -> None:
    """A body that is merely cut gives no event and no fault; the guard knows that it is cut."""
    assert decode([body]) == []


@pytest.mark.parametrize("item", ["text", 1, None, {"type": "ping"}])
def test_what_is_no_bytes_is_misuse(item: Any) -> None:
    """Text or events in the place of bytes are named."""
    with pytest.raises(TypeError, match=r"from_sse\(\) takes chunks of bytes") as caught:
        SSEDecoder().feed(item)
    assert str(caught.value).endswith(f"{type(item).__name__}: {excerpt(item)}")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_bytes_will_do(kind: Any) -> None:
    """Chunks may be bytes, bytearrays or memoryviews."""
    assert list(SSEDecoder().feed(kind(b'data: {"type":"a"}\n\n'))) == [{"type": "a"}]


def test_a_large_event_in_small_chunks_is_linear() -> None:
    """A line of 8 MB in chunks of 64 bytes does not copy what came before at each chunk."""
    line = b'data: {"type":"a","text":"' + b"x" * 8_000_000 + b'"}\n\n'
    [event] = decode([line[at : at + 64] for at in range(0, len(line), 64)])
    assert len(event["text"]) == 8_000_000


ENDLESS = {  # how it begins, how it goes on, and what is shown of it
    "a line without end": (b'event: a\ndata: {"text":"', b"x" * 50, b'data: {"text":"' + b"x" * 185),
    "a line without end behind data": (b'event: a\ndata: {"type":"a"}\n: ', b"x" * 50, b'{"type":"a"}'),
    "lines without a blank one": (b"event: a\ndata: 1\ndata: 2\n", b"data: 12345\n" * 5, b"1"),
    "a comment without end": (b": hi", b" hi" * 20, (b": hi" + b" hi" * 80)[:200]),
    "the name of an event without end": (b"event: hi", b"hi" * 20, (b"event: " + b"hi" * 100)[:200]),
    "another body without a line": (b"<html>", b"<p>" * 20, (b"<html>" + b"<p>" * 80)[:200]),
}


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("size", [1, 7, 60])
def test_an_event_without_end(name: str, size: int) -> None:
    """It is a fault behind the events in front of it as soon as more is held than the limit, and is let go of."""
    head, more, begins = ENDLESS[name]
    endless = (head + more * 100)[: 100 * 60]
    decoder = SSEDecoder(max_event=1000)
    assert list(decoder.feed(b'data: {"type":"a"}\n\n')) == [{"type": "a"}]
    fed = 0
    for at in range(0, len(endless), size):
        events = list(decoder.feed(endless[at : at + size]))
        fed += size
        if events:
            break
    [fault] = events
    assert isinstance(fault, StreamProtocolError)
    assert str(fault).startswith("event 2 has more than 1000 bytes and no end")
    assert str(fault).endswith(f"; it begins: {excerpt(begins)}")
    assert 1000 < fed < 1600
    assert list(decoder.finish()) == []


@pytest.mark.parametrize("size", [1, 7, 50])
def test_an_event_of_the_limit_is_none_too_many(size: int) -> None:
    """What has as many bytes as the limit says is read, and so are many events that have more together."""
    line = b'data: {"type":"a","x":"' + b"x" * 75 + b'"}'
    assert len(line) == 100
    body = (line + b"\n\n") * 20
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    decoder = SSEDecoder(max_event=100)
    assert [type(event) for chunk in chunks for event in decoder.feed(chunk)] == [dict] * 20


def test_an_event_that_is_whole_in_its_chunk_is_not_measured() -> None:
    """It is in memory already, whatever the limit says."""
    chunk = b'event: content_block_delta\ndata: {"type":"a","x":"' + b"x" * 100 + b'"}\n\n'
    decoder = SSEDecoder(max_event=10)
    assert [len(list(decoder.feed(chunk * count))) for count in (1, 1, 2)] == [1, 1, 2]


def test_a_generous_limit_holds_without_being_asked_for() -> None:
    """A line of 64 MiB and no end is a fault, also for who has set no limit."""
    decoder = SSEDecoder()
    chunk = b"x" * 2**20
    assert [list(decoder.feed(chunk)) for _ in range(MAX_EVENT // 2**20)] == [[]] * 64
    [fault] = decoder.feed(chunk)
    assert isinstance(fault, StreamProtocolError)
    assert len(str(fault)) < 1000


@given(
    st.lists(
        st.sampled_from([b"data:", b"event:", b" ", b"\n", b"\r", b"\r\n", b'{"type":"a"}', b"x", b"error"])
        | st.sampled_from([b'event: content_block_delta\ndata: {"type":"b"', b"}", b"\n\n", b',\n"x":1'])
    ),
    st.data(),
)
def test_any_bytes_however_split_give_the_same(pieces: list[bytes], data: st.DataObject) -> None:
    """No bytes raise, and no way to cut them makes a difference."""
    body = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=4)))
    chunks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)])]
    assert repr(decode(chunks)) == repr(decode([body]))


@pytest.mark.parametrize("chunks", [[b"", b"data:\n\n", b" "], [b"\n\n", b"data:\n\n", b"<"], [b"data:\n\n ", b""]])
def test_what_is_shown_of_another_body_begins_at_its_beginning(chunks: list[bytes]) -> None:
    """Chunks without an event, in whatever form, belong to what an error shows."""
    assert repr(decode(chunks)) == repr(decode([b"".join(chunks)]))


@pytest.mark.parametrize(
    "name", [b"b", b"content_block_delta", b"error", b"b\nid: 1", b"b\nevent: error", b"b\ndata:[1]"]
)
@pytest.mark.parametrize(
    "data",
    [
        *(b"{oops", b"[1]", b'{"a":1}', b"null", b'{"type":"b"}  ', b'{"type":"b"}\ndata: ', b'{"type":"b"}\nid: 1'),
        *(
            b'{"type":"b",\n"a":1}',
            b'{"type":"b",\r"a":1}',
            b'{"type":"b",\r\n"a":1}',
            b'{"type":"b"}\r',
            b'{"type":"b"}\n ',
        ),
    ],
)
def test_one_event_a_chunk_is_read_like_byte_by_byte(name: bytes, data: bytes) -> None:
    """Whole events, as they come from the API, have ways of their own, which lead to the same events and faults."""
    events = [
        b'event: a\ndata: {"type":"a"}\n\n',
        b"event: " + name + b"\ndata: " + data + b"\n\n",
        b"event: c\ndata: {}\n\n",
    ]
    body = b"".join(events)
    assert repr(decode(events)) == repr(decode([body[at : at + 1] for at in range(len(body))])) == repr(decode([body]))
    assert len(decode(events)) == 3


@pytest.mark.parametrize("spaces", range(40))
def test_a_comment_is_no_event(spaces: int) -> None:
    """Whatever stands in it, and wherever."""
    first = b'event: a\ndata: {"type":"a"}\n\n'
    assert decode([first, b":" + b" " * spaces + b'{"type":"b"}\n\n', first]) == [{"type": "a"}] * 2


WHOLE_EVENTS = [
    b'event: content_block_delta\ndata: {"type":"b"}\n\n',
    b'event: c\ndata: {"type":"c"}\n\n',
    b"event: d\ndata: oops\n\n",
    b'data: {"type":"e"}\n\n',
]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("order", list(itertools.permutations(WHOLE_EVENTS)))
def test_several_whole_events_a_chunk(order: tuple[bytes, ...], size: int) -> None:
    """None is lost, and a fault among them says which one it is, as byte by byte."""
    events = [b'event: a\ndata: {"type":"a"}\n\n', *order]
    body = b"".join(events)
    chunks = [events[0], *(b"".join(order[at : at + size]) for at in range(0, len(order), size))]
    assert repr(decode(chunks)) == repr(decode([body[at : at + 1] for at in range(len(body))]))
    [fault] = [event for event in decode(chunks) if isinstance(event, StreamProtocolError)]
    assert f"event {order.index(WHOLE_EVENTS[2]) + 2} (d)" in str(fault)
    assert [event["type"] for event in decode(chunks) if isinstance(event, dict)] == [
        json.loads(event.partition(b"data: ")[2])["type"] for event in events if b"oops" not in event
    ]


@pytest.mark.parametrize("half", [b"data: 1\n", b"event: error\n", b"data: 1", b"event: error\ndata: 1\n", b"\n\r"])
@pytest.mark.parametrize("whole", WHOLE_EVENTS)
def test_a_whole_event_behind_half_of_one(half: bytes, whole: bytes) -> None:
    """A chunk that is a whole event by itself is none if an event had begun in front of it."""
    chunks = [b'event: a\ndata: {"type":"a"}\n\n', half, whole]
    body = b"".join(chunks)
    assert repr(decode(chunks)) == repr(decode([body[at : at + 1] for at in range(len(body))]))


def test_frames() -> None:
    """They are numbered from 1, and named; a name that would end its line is in the data alone."""
    frames = SSEFrames()
    assert [frames({"type": name}) for name in ("a", "b", "c\nd", "e")] == [
        b'id: 1\nevent: a\ndata: {"type":"a"}\n\n',
        b'id: 2\nevent: b\ndata: {"type":"b"}\n\n',
        b'id: 3\ndata: {"type":"c\\nd"}\n\n',
        b'id: 4\nevent: e\ndata: {"type":"e"}\n\n',
    ]


def test_an_event_that_is_no_json_gets_no_number() -> None:
    """The number of the frame behind it is the next one."""
    frames = SSEFrames()
    with pytest.raises(ValueError, match="JSON"):
        frames({"type": "a", "number": float("nan"), "text": "\ud83d"})
    assert frames({"type": "a"}).startswith(b"id: 1\n")
