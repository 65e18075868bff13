"""Changes streams, as one would who knows the grammar and means harm.

The law: all that chance decides is asked of one `random.Random`, so that the number of an example is all that it takes
to have it again. What is changed is copied first: seeds stay as they are.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

Events = list[Any]


def deep(levels: int) -> Any:
    """Return arrays in each other."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


_TEXTS = [
    *(
        "",
        "a",
        "Hi. ",
        "\n",
        "\r",
        "\r\n\r\n",
        "data: {}",
        "\ufeff",
        "\x00",
        "\x85",
        "\u2028",
        "é",
        "日本。",
        "x" * 3000,
    ),
    *("\U0001f600", "\ud83d", "\ude00", "\udfff\ud800", '{"', "}", "\\", '"', "NaN", "1e999", "null", "tru", "[1,"),
]
_NAMES = [
    *("message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"),
    *("message_stop", "ping", "error", "message", "news", "text", "thinking", "redacted_thinking", "tool_use"),
    *("server_tool_use", "web_search_tool_result", "fallback", "compaction", "text_delta", "thinking_delta"),
    *("input_json_delta", "signature_delta", "citations_delta", "compaction_delta", "news_delta"),
    *("end_turn", "max_tokens", "tool_use", "pause_turn", "refusal", "stop_sequence", "tea_break"),
    *("model_context_window_exceeded", "overloaded_error", "api_error", "rate_limit_error"),
]
_NUMBERS: list[Any] = [0, 1, -1, 2, 3, 256, 257, 2**31, 2**63, -(2**64), 10**40, 0.0, -0.0, 1.5, 1e308, True, False]
_VALUES: list[Any] = [
    None,
    *([], {}, [1, None], {"a": {"b": []}}, deep(40)),
    {"type": "text", "text": "x"},
    {"type": "text_delta", "text": "y"},
    {"type": "tool_use", "id": "t", "name": "n", "input": {}},
    {"stop_reason": "end_turn"},
    {"stop_reason": "tool_use", "usage": {"output_tokens": 7}},
    {"input_tokens": 5, "output_tokens": None, "iterations": [{"type": "message", "input_tokens": 1}]},
]
# Infinite and undefined numbers; a number that Python does not print; nesting that no parser follows; names that the
# SDK's own parameters have. What comes of them is the SDK's and the parsers' matter: the reference does not know it.
_WEIRD_NAMES = ["_fields_set", "__cls", "self", "cls", "model_fields", "model_extra", "__dict__", "_request_id"]
_WEIRD: list[Callable[[], Any]] = [
    lambda: float("nan"),
    lambda: float("inf"),
    lambda: 10**5000,
    lambda: -(10**4400),
    lambda: deep(5000),
    lambda: {"a": deep(300)},
]
_FIELDS = [
    *("type", "index", "delta", "message", "content_block", "usage", "content", "text", "thinking", "partial_json"),
    *("signature", "citation", "citations", "input", "id", "name", "stop_reason", "stop_sequence", "model", "error"),
    *("iterations", "output_tokens", "input_tokens", "to", "from", "estimated_tokens", "news", "caller", "role"),
    *("stop_details", "category", "trigger", "tool_use_id", "context_management"),
]
_EXTRA: list[dict[str, Any]] = [
    {"type": "ping"},
    {"type": "news", "index": 0, "text": "x"},
    {"type": "error", "error": {"type": "overloaded_error", "message": "later"}},
    {"type": "error", "error": {"type": "rate_limit_error", "message": "slower"}, "request_id": "req_1"},
    {"type": "error"},
    {"type": "message_stop"},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
    {"type": "message_delta", "delta": {"stop_reason": None, "usage": {"output_tokens": 1}}, "usage": {"a": None}},
    {"type": "message_delta", "usage": None},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "new"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"type": "c"}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "news_delta", "text": ["z"], "input": {"k": 1}}},
]


def copied(value: Any) -> Any:
    """Return a deep copy of JSON."""
    if isinstance(value, dict):
        return {name: copied(each) for name, each in value.items()}
    return [copied(each) for each in value] if isinstance(value, list) else value


class Mutator:
    """Makes examples.

    Args:
        dice: decides.
        seeds: streams of events.
    """

    def __init__(self, dice: random.Random, seeds: list[Events]) -> None:
        self.dice = dice
        self.seeds = seeds
        self.weird = False  # something is in it whose end the reference does not know

    # -- events --

    def stream(self) -> Events:
        """Return the events of a seed, with up to five changes."""
        events = list(self.dice.choice(self.seeds))
        for _ in range(self.dice.choice((0, 1, 1, 1, 2, 2, 3, 5))):
            if events:
                self.dice.choice(self._changes)(self, events)
        return events

    def _at(self, events: Events) -> int:
        return self.dice.randrange(len(events))

    def _drop(self, events: Events) -> None:
        del events[self._at(events)]

    def _drop_some(self, events: Events) -> None:
        start = self._at(events)
        del events[start : start + self.dice.randint(1, 5)]

    def _repeat(self, events: Events) -> None:
        at = self._at(events)
        events.insert(at, events[at])

    def _swap(self, events: Events) -> None:
        one, two = self._at(events), self._at(events)
        events[one], events[two] = events[two], events[one]

    def _swap_neighbours(self, events: Events) -> None:
        at = self._at(events)
        events[at - 1], events[at] = events[at], events[at - 1]

    def _truncate(self, events: Events) -> None:
        del events[self._at(events) :]

    def _append(self, events: Events) -> None:
        events.extend(self.dice.choice(self.seeds)[: self.dice.randint(1, 9)])

    def _insert(self, events: Events) -> None:
        event = self.dice.choice(_EXTRA) if self.dice.random() < 0.7 else self.dice.choice(self.dice.choice(self.seeds))
        event = copied(event)
        if isinstance(event, dict) and "index" in event and self.dice.random() < 0.5:
            event["index"] = self.dice.randint(0, 3)
        events.insert(self._at(events), event)

    def _replace(self, events: Events) -> None:
        events[self._at(events)] = self.value()

    def _renumber(self, events: Events) -> None:
        at = self._at(events)
        if isinstance(events[at], dict):
            index = self.dice.choice(_NUMBERS) if self.dice.random() < 0.6 else self.value()
            events[at] = {**events[at], "index": index}

    def _change(self, events: Events) -> None:
        """Change one thing, somewhere in one event."""
        if self.weird:
            return  # what is nested too deeply cannot be copied
        at = self._at(events)
        events[at] = copied(events[at])
        node: Any = events[at]
        while True:
            below = list(node.values()) if isinstance(node, dict) else node if isinstance(node, list) else []
            inner = [each for each in below if isinstance(each, (dict, list)) and each]
            if not inner or self.dice.random() < 0.3:
                break
            node = self.dice.choice(inner)
        if isinstance(node, dict):
            self._change_object(node)
        elif isinstance(node, list):
            node[self.dice.randint(0, len(node)) :] = [self.value()]

    def _change_object(self, node: dict[str, Any]) -> None:
        what = self.dice.random()
        name = self.dice.choice(list(node)) if node else "type"
        if what < 0.2:
            node.pop(name, None)
        elif what < 0.7:
            node[name] = self.value(node.get(name))
        elif what < 0.97:
            node[self.dice.choice(_FIELDS)] = self.value()
        else:
            self.weird = True
            node[self.dice.choice(_WEIRD_NAMES)] = self.value()

    def _split(self, events: Events) -> None:
        """Cut the string of a delta in two, anywhere, also inside a surrogate pair, as UTF-16 has it."""
        found = [
            (at, name)
            for at, event in enumerate(events)
            if isinstance(event, dict) and isinstance(delta := event.get("delta"), dict)
            for name in ("text", "thinking", "partial_json")
            if isinstance(delta.get(name), str) and delta[name]
        ]
        if found:
            at, name = self.dice.choice(found)
            event = events[at]
            halves = self._halves(event["delta"][name])
            events[at : at + 1] = [{**event, "delta": {**event["delta"], name: half}} for half in halves]

    def _halves(self, text: str) -> tuple[str, str]:
        pairs = [at for at, character in enumerate(text) if ord(character) > 0xFFFF]
        cut = self.dice.choice(pairs) if pairs and self.dice.random() < 0.7 else self.dice.randint(0, len(text))
        if cut < len(text) and ord(text[cut]) > 0xFFFF:
            units = text[cut].encode("utf-16-be")
            high, low = (units[start : start + 2].decode("utf-16-be", "surrogatepass") for start in (0, 2))
            return text[:cut] + high, low + text[cut + 1 :]
        return text[:cut], text[cut:]

    _changes: ClassVar[Sequence[Callable[..., None]]] = (
        *(_drop, _drop_some, _repeat, _swap, _swap_neighbours, _truncate, _append, _insert, _insert, _replace),
        *(_renumber, _change, _change, _change, _change, _split, _split),
    )

    def value(self, before: object = None) -> Any:
        """Return any value; a string in the place of one, more often than not."""
        what = self.dice.random()
        if what < 0.02:
            self.weird = True
            return self.dice.choice(_WEIRD)()
        if isinstance(before, str) and what < 0.5:
            return before[: self.dice.randint(0, len(before))] + self.dice.choice(_TEXTS)
        return self.dice.choice(self.dice.choice((_TEXTS, _NAMES, _NUMBERS, _VALUES)))

    # -- bytes --

    def sse(self) -> bytes:
        """Return a body, with the line ends, names and comments of any server, and then with damage."""
        end = self.dice.choice((b"\n", b"\n", b"\n", b"\r\n", b"\r"))
        frames: list[bytes] = [b"\xef\xbb\xbf"] if self.dice.random() < 0.05 else []
        odd = self.dice.random() < 0.3
        for event in self.stream():
            kind = event.get("type") if isinstance(event, dict) else None
            name = kind.encode("utf-8", "replace") if isinstance(kind, str) else b"odd"
            lines = [b"event: " + name, b"data: " + self.json(event)]
            if odd:
                self._disturb(lines)
            frames.append(end.join([*lines, b"", b""]))
        return self.damaged(b"".join(frames))

    def _disturb(self, lines: list[bytes]) -> None:
        what = self.dice.randrange(9)
        if what == 0:
            del lines[0]
        elif what == 1:
            lines[0] = b"event:" + self.dice.choice((b"error", b"", b" \xff", b"ping", b"message_stop"))
        elif what == 2:
            lines.insert(self.dice.randint(0, 2), self.dice.choice((b": comment", b"id: 7", b"retry:1", b"data", b"x")))
        elif what == 3:
            lines.reverse()
        elif what == 4:
            lines[1] = lines[1].replace(b"data: ", b"data:").replace(b",", b",\ndata: ", 1)
        elif what == 5:
            lines.append(b"data: " + self.dice.choice((b"", b"{}", b"[", b"   ")))

    def ndjson(self) -> bytes:
        """Return lines of JSON, and then with damage."""
        end = self.dice.choice((b"\n", b"\n", b"\r\n", b"\n\n"))
        start = b"\xef\xbb\xbf" if self.dice.random() < 0.05 else b""
        return self.damaged(start + b"".join(self.json(event) + end for event in self.stream()))

    def json(self, event: Any) -> bytes:
        """Return an event as JSON, in UTF-8 or in ASCII."""
        try:
            text = json.dumps(event, ensure_ascii=self.dice.random() < 0.3, separators=(",", ":"))
        except (RecursionError, ValueError):  # a number of too many digits
            return self.dice.choice((b"[" * 5000, b'{"type":"ping","n":' + b"9" * 5000 + b"}"))
        return text.encode("utf-8", "surrogatepass")

    def damaged(self, body: bytes) -> bytes:
        """Return a body, half of the time with up to three places of bytes changed."""
        if self.dice.random() < 0.5:
            return body
        changed = bytearray(body)
        for _ in range(self.dice.randint(1, 3)):
            start = self.dice.randint(0, len(changed))
            what = self.dice.randrange(6)
            if what == 0:
                del changed[start:]
            elif what == 1:
                del changed[start : start + self.dice.randint(1, 40)]
            elif what == 2:
                changed[start:start] = self.dice.choice(_BYTES)
            elif what == 3:
                changed[start : start + 1] = bytes([self.dice.randrange(256)])
            elif what == 4:
                changed[start:start] = changed[start : start + self.dice.randint(1, 200)]
            else:
                changed[start : start + self.dice.randint(1, 9)] = self.dice.choice(_BYTES)
        return bytes(changed)

    def chunks(self, body: bytes) -> list[bytes]:
        """Return a body cut anywhere; with empty chunks among them."""
        what = self.dice.random()
        if what < 0.1 and len(body) < 2000:
            return [body[at : at + 1] for at in range(len(body))]
        cuts = sorted(self.dice.randint(0, len(body)) for _ in range(self.dice.choice((1, 2, 5, 20))))
        return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)])]


_BYTES = [
    *(b"\n", b"\r", b"\n\n", b"\r\n\r\n", b"\xef\xbb\xbf", b"\xff", b"\xed\xa0\x80", b"\xf0\x9f", b"\x00", b"\\ud800"),
    *(
        b"data:",
        b"data: {}\n\n",
        b"event: error\n",
        b":",
        b"<html>",
        b"{",
        b"}",
        b'"',
        b"\\",
        b"\\u0000",
        b"[]",
        b"\xc2\x85",
    ),
    *(b"null", b"NaN", b"1e999", b'"type":"error",', b"-", b"\xe2\x80\xa8", b"\nevent: content_block_delta\ndata: "),
]
