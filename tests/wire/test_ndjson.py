"""Lines of JSON to wire dicts and back: the same cases whole, byte by byte, and as lines of text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_stream import StreamProtocolError
from claude_stream._json import excerpt
from claude_stream._wire.ndjson import NDJSONDecoder, ndjson_frame


def decode(chunks: list[Any]) -> list[Any]:
    decoder = NDJSONDecoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [*events, *decoder.finish()]


CASES: dict[str, tuple[bytes, list[Any]]] = {
    "nothing": (b"", []),
    "two lines": (b'{"type":"a"}\n{"type":"b"}\n', [{"type": "a"}, {"type": "b"}]),
    "blank lines": (b'\n \n{"type":"a"}\n\n\t\n{"type":"b"}\n\n', [{"type": "a"}, {"type": "b"}]),
    "CRLF line ends": (b'{"type":"a"}\r\n\r\n{"type":"b"}\r\n', [{"type": "a"}, {"type": "b"}]),
    "a last line without its end": (b'{"type":"a"}\n{"type":"b"}', [{"type": "a"}, {"type": "b"}]),
    "half a last line": (b'{"type":"a"}\n{"type":', [{"type": "a"}]),
    "a byte order mark": (b'\xef\xbb\xbf{"type":"a"}\n', [{"type": "a"}]),
    "what others take for line ends": (
        '{"type":"a\u2028b\x85"}\n'.encode(),
        [{"type": "a\u2028b\x85"}],
    ),
    "half a surrogate pair": (b'{"type":"\\ud83d"}\n', [{"type": "\ud83d"}]),
}

FAULTS = {
    "not JSON": (b'{"type":"a"}\n\n<html>\n{"type":"b"}\n', "line 3 is not JSON .*<html>"),
    "not an object": (b'{"type":"a"}\n[1]\n{"type":"b"}\n', r"line 2 is not a JSON object: \[1\]"),
    "two on a line": (b'{"type":"a"}\n{}{}\n{"type":"b"}\n', "line 2 is not JSON"),
    "nested too deeply": (b'{"type":"a"}\n' + b"[" * 100_000 + b'\n{"type":"b"}\n', "line 2 is not JSON"),
    "not UTF-8": (b'{"type":"a"}\n{"type":"\xff"}\n{"type":"b"}\n', "line 2 is not JSON"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_stands_in_its_place_and_names_its_line(name: str) -> None:
    """Events in front of it and behind it are given all the same."""
    body, message = FAULTS[name]
    first, fault, last = decode([body])
    assert (first, last) == ({"type": "a"}, {"type": "b"})
    assert isinstance(fault, StreamProtocolError)
    with pytest.raises(StreamProtocolError, match=message):
        raise fault


@pytest.mark.parametrize("chunk", [None, 1, {"type": "a"}])
def test_what_is_no_chunk(chunk: object) -> None:
    """An event, say, in the place of its line is a mistake, which is named."""
    with pytest.raises(TypeError, match="chunks of bytes, or lines of text") as caught:
        decode([chunk])
    assert str(caught.value).endswith(f"{type(chunk).__name__}: {excerpt(chunk)}")


@pytest.mark.parametrize("name", CASES)
def test_a_body_whole_and_byte_by_byte(name: str) -> None:
    """The same events however the bytes are cut."""
    body, expected = CASES[name]
    assert decode([body]) == expected
    assert decode([bytearray(body[at : at + 1]) for at in range(len(body))]) == expected
    for at in range(len(body)):
        assert decode([body[:at], memoryview(b""), body[at:]]) == expected


@pytest.mark.parametrize("name", sorted(CASES.keys() - {"a byte order mark"}))
def test_lines_of_text(name: str) -> None:
    """A str is whole lines, with or without their ends, one or all of them."""
    body, expected = CASES[name]
    assert decode([body.decode()]) == expected
    assert decode(body.decode().split("\n")) == expected
    assert decode([*filter(None, body.decode().replace("\n", "\n\0").split("\0"))]) == expected


def test_a_line_of_text_leaves_at_once() -> None:
    """What has no line end is an event all the same, before the next line has come."""
    assert [*NDJSONDecoder().feed('{"type":"a"}')] == [{"type": "a"}]


@pytest.mark.parametrize("lines", [["{}\n", "{}\n", "oops\n", "{}"], ["{}", "{}", "oops", "{}"], ["{}\n{}\noops\n{}"]])
def test_lines_of_text_are_counted_as_they_are(lines: list[str]) -> None:
    """A line end that comes with its line is no line more."""
    assert "line 3 is not JSON" in str(decode(lines)[2])


@given(st.lists(st.dictionaries(st.text(), st.text())), st.data())
def test_lines_come_back(events: list[Any], data: st.DataObject) -> None:
    """What is written is read as the same events, cut anywhere."""
    body = b"".join(map(ndjson_frame, events))
    cut = data.draw(st.integers(0, len(body)))
    assert decode([body[:cut], body[cut:]]) == events


@pytest.mark.parametrize("size", [1, 7, 60])
def test_a_line_without_end(size: int) -> None:
    """It is a fault that names the line as soon as more is held than the limit, and is let go of."""
    decoder = NDJSONDecoder(max_event=100)
    assert list(decoder.feed(b'{"type":"a"}\n')) == [{"type": "a"}]
    fed, found = 0, []
    while not found:
        found = list(decoder.feed(b"x" * size))
        fed += size
    [fault] = found
    assert isinstance(fault, StreamProtocolError)
    assert str(fault).startswith("line 2 has more than 100 bytes and no end")
    assert str(fault).endswith(f"; it begins: {excerpt(b'x' * fed)}")
    assert 100 < fed <= 100 + size
    assert list(decoder.finish()) == []


@pytest.mark.parametrize("line", ['{"type":"\ud83d"}', '{"type":"\ud83d"}\n'])
def test_half_a_surrogate_pair_in_a_line_of_text(line: str) -> None:
    """It is no UTF-8, and so no JSON; that is a fault in its place, and the line behind it is read."""
    fault, event = decode([line, '{"type":"b"}'])
    assert isinstance(fault, StreamProtocolError)
    assert isinstance(fault.__cause__, ValueError)
    assert event == {"type": "b"}
