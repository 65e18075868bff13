"""Broken streams by name; docs/explanation.md says in one table how each ends, and test_faults.py holds it to that.

Each is a body as the API or a proxy could send it. All but a few begin with the same good events, so
that "nothing already received is lost" can be seen: `GOOD_TEXT` arrives in front of the fault.
"""

from __future__ import annotations

import json
import re
from typing import Any

from claude_stream.testing import message_events
from tests.support import body_of

GOOD_TEXT = "Hello, world"
_START, _BLOCK, *_DELTAS, _STOP, _DELTA, _END = message_events(GOOD_TEXT)
_GOOD = [_START, _BLOCK, *_DELTAS]
_REST = [_STOP, _DELTA, _END]


def _data(text: str | bytes, name: str = "content_block_delta") -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def _with(*middle: dict[str, Any] | bytes) -> bytes:
    """Put events, or raw bytes, between the good text and the good end."""
    return body_of(_GOOD) + b"".join(m if isinstance(m, bytes) else body_of([m]) for m in middle) + body_of(_REST)


def _delta(index: object, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta or {"type": "text_delta", "text": "!"}}


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def _tool(raw: str, stop_reason: str, *, pieces: int = 2, close: bool = True) -> bytes:
    size = max(1, -(-len(raw) // pieces))
    block = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}
    events = [
        *_GOOD,
        _STOP,
        {"type": "content_block_start", "index": 1, "content_block": block},
        *(
            _delta(1, type="input_json_delta", partial_json=raw[start : start + size])
            for start in range(0, len(raw), size)
        ),
        *([{"type": "content_block_stop", "index": 1}] if close else []),
        {**_DELTA, "delta": {"stop_reason": stop_reason, "stop_sequence": None}},
        _END,
    ]
    return body_of(events)


def error_event(kind: str, **more: Any) -> dict[str, Any]:
    """Return an `error` event of a type."""
    return {"type": "error", "error": {"type": kind, "message": "said the API"}, **more}


_WHOLE = body_of([*_GOOD, *_REST])

BODIES: dict[str, bytes] = {
    "empty body": b"",
    "cut between two events": body_of(_GOOD),
    "cut inside an event": body_of(_GOOD) + body_of([_delta(0)])[:-20],
    "cut inside a character": body_of(_GOOD)
    + body_of([_delta(0, type="text_delta", text="é")]).partition("é".encode())[0]
    + b"\xc3",
    "cut before message_stop": body_of([*_GOOD, _STOP, _DELTA]),
    "last event without its blank line": _WHOLE.rstrip(b"\n"),
    "a block never closed": body_of([*_GOOD, _DELTA, _END]),
    "error event": _with(error_event("overloaded_error")),
    "error event of an unknown type": _with(error_event("weather_error")),
    "error event that is not JSON": _with(_data("upstream failed", "error")),
    "error event first": body_of([error_event("overloaded_error")]),
    "error under another name": _with(_data(json.dumps(error_event("overloaded_error")), "message_delta")),
    "data is not JSON": _with(_data("{'type': 1}")),
    "data is not UTF-8": _with(
        _data(b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\xff"}}')
    ),
    "data without type": _with(_data('{"index":0,"delta":{"type":"text_delta","text":"!"}}')),
    "data is null": _with(_data("null")),
    "data is a list": _with(_data("[1]")),
    "data is a string": _with(_data('"hi"')),
    "delta before message_start": body_of([_delta(0)]),
    "index out of range": _with(_delta(3)),
    "index -1": _with(_delta(-1)),
    "index is no number": _with(_delta([0])),
    "index is a float": _with(_delta(0.0)),
    "block text is a number": body_of(
        [*_GOOD, _STOP, {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": 5}}]
    ),
    "unknown block with a number for text": body_of(
        [*_GOOD, _STOP, {"type": "content_block_start", "index": 1, "content_block": {"type": "poem", "text": 5}}]
    ),
    "delta type is a list": _with(_delta(0, type=["x"], volume=1)),
    "stop_reason is a list": body_of([*_GOOD, _STOP, {**_DELTA, "delta": {"stop_reason": ["x"]}}]),
    "nested too deeply": _with(_delta(0, type="deep_delta", deep=_nested(700))),
    "field with a name that the SDK trips over": _with(
        {"type": "news", "_fields_set": [1]}, _delta(0, _fields_set=[1])
    ),
    "message_start with broken content": body_of(
        [{"type": "message_start", "message": {**_START["message"], "content": [{"text": "Hi"}]}}, *_GOOD[1:], *_REST]
    ),
    "delta is null": _with({"type": "content_block_delta", "index": 0, "delta": None}),
    "text is null": _with(_delta(0, type="text_delta", text=None)),
    "second message_start": _with(_START),
    "content_block_start repeated": _with(_BLOCK),
    "content_block_start skips an index": _with({**_BLOCK, "index": 2}),
    "content_block_stop for no block": _with({"type": "content_block_stop", "index": 4}),
    "message_start without message": body_of([{"type": "message_start"}, *_GOOD[1:], *_REST]),
    "message_delta first": body_of([_DELTA]),
    "message_stop first": body_of([_END]),
    "message_delta without usage": body_of([*_GOOD, _STOP, {k: v for k, v in _DELTA.items() if k != "usage"}, _END]),
    "later message_delta with null stop_reason": body_of(
        [*_GOOD, _STOP, _DELTA, {**_DELTA, "delta": {"stop_reason": None, "stop_sequence": None}}, _END]
    ),
    "byte order mark": b"\xef\xbb\xbf" + _WHOLE,
    "CRLF line ends": _WHOLE.replace(b"\n", b"\r\n"),
    "CR line ends": _WHOLE.replace(b"\n", b"\r"),
    "JSON body with status 200": json.dumps(error_event("overloaded_error")).encode(),
    "HTML body with status 200": b"<!DOCTYPE html>\n<html><body>Bad gateway</body></html>\n",
    "HTML body that calls itself an event stream": b"<!DOCTYPE html>\n<html><body>Bad gateway</body></html>\n",
    "events without their names": re.sub(rb"^event: .*\n", b"", _WHOLE, flags=re.MULTILINE),
    "unknown event": _with({"type": "news", "headline": "hello"}),
    "unknown delta": _with(_delta(0, type="shout_delta", volume="11")),
    "unknown block": body_of(
        [
            *_GOOD,
            _STOP,
            {"type": "content_block_start", "index": 1, "content_block": {"type": "poem", "lines": ["a"]}},
            {"type": "content_block_stop", "index": 1},
            _DELTA,
            _END,
        ]
    ),
    "content is null in message_start": body_of(
        [{"type": "message_start", "message": {**_START["message"], "content": None}}, *_GOOD[1:], *_REST]
    ),
    "usage is missing in message_start": body_of(
        [
            {"type": "message_start", "message": {k: v for k, v in _START["message"].items() if k != "usage"}},
            *_GOOD[1:],
            *_REST,
        ]
    ),
    "events after message_stop": _WHOLE + body_of([_START]) + b"data: nonsense\n\n",
    "tool input malformed": _tool('{"city": oops}', "tool_use"),
    "tool input not an object": _tool('["Paris"]', "tool_use"),
    "tool call never closed": _tool('{"city": "Paris"}', "tool_use", close=False),
    "tool call never closed, cut by max_tokens": _tool('{"city": "Par', "max_tokens", close=False),
    "tool input cut by max_tokens": _tool('{"city": "Pa', "max_tokens"),
    "tool input cut before its first byte": _tool("", "max_tokens"),
}

CONTENT_TYPES = {"JSON body with status 200": "application/json", "HTML body with status 200": "text/html"}

# The faults in front of which nothing of the good text has come.
NOTHING_RECEIVED = {
    "empty body",
    "error event first",
    "delta before message_start",
    "message_start without message",
    "message_delta first",
    "message_stop first",
    "message_start with broken content",
    *CONTENT_TYPES,
    "HTML body that calls itself an event stream",
}

# And those in front of which the SDK itself has dropped it.
LOST_ON_THE_TYPED_WAY = {"byte order mark", "events without their names"}
