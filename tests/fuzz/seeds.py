"""What examples are made from: streams by the testing kit, of every kind of block, and the recordings of a folder.

The law: recordings are read where they lie, and never copied. Nothing here is changed by an example.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from claude_stream.testing import message_events

LONGEST = 24
"""Events of a recording that is used: its beginning and its end, because each event of an example costs time."""

_THINKING = {"type": "thinking", "thinking": "Well.\nLet me think.", "signature": "c2lnbmF0dXJl"}
_CITED = {"type": "text", "text": "It rains.", "citations": [{"type": "char_location", "cited_text": "Rain."}]}
_SERVER = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "rain"}}
_RESULT = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
_FALLBACK = {
    "type": "fallback",
    "from": {"model": "claude-a"},
    "to": {"model": "claude-b"},
    "trigger": {"category": "bio"},
}
_CALL = ("get_weather", {"city": "Pâris", "days": [1, 2.5, None, True], "note": {"a": "\U0001f327"}})


def streams(recordings: Path | None = None) -> list[list[dict[str, Any]]]:
    """Return the events of all seeds."""
    built = [
        message_events("\U0001f600\U0001f601 and \U0001f602.", _CALL, id="msg_0", chunk=2),
        message_events("Hello, world!", id="msg_1"),
        message_events(id="msg_2", stop_reason="refusal"),
        message_events("A \U0001f600 smile. And 3.5 km, really? Yes.\r\n日本語。はい", id="msg_3", chunk=3),
        message_events(_THINKING, "So.", id="msg_4"),
        message_events("Let me see.", _CALL, ("now", {}), id="msg_5", chunk=11),
        message_events(_CALL, id="msg_6", stop_reason="max_tokens", chunk=17)[:-4],
        message_events(_SERVER, _RESULT, _CITED, id="msg_7"),
        message_events("One", _CALL, _FALLBACK, "Two", id="msg_8"),
        message_events("Par", "Two", id="msg_9", error="overloaded_error"),
        _refused(),
        _interleaved(),
        _beta(),
    ]
    return built + [_short(recorded(file.read_bytes())) for file in _files(recordings)]


def _files(folder: Path | None) -> list[Path]:
    return [] if folder is None else sorted(folder.glob("*.sse"))


def recorded(body: bytes) -> list[dict[str, Any]]:
    """Return the events in a recorded body, read the plainest way."""
    found: list[dict[str, Any]] = []
    for line in body.splitlines():
        if line.startswith(b"data:"):
            with contextlib.suppress(ValueError):
                found.append(json.loads(line[5:]))
    return found


def _short(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return events if len(events) <= LONGEST else [*events[: LONGEST // 2], *events[-LONGEST // 2 :]]


def _refused() -> list[dict[str, Any]]:
    """A refusal before any output, behind one of another model, with all that the API says of it."""
    iterations = [{"type": "message", "input_tokens": 3}, {"type": "fallback_message", "model": "claude-b"}]
    events = message_events(_FALLBACK, id="msg_12", stop_reason="refusal", usage={"iterations": iterations})
    events[-2]["delta"]["stop_details"] = {"type": "refusal", "category": "cyber", "explanation": None}
    return events


def _interleaved() -> list[dict[str, Any]]:
    """Two blocks that are open at the same time, with pings and an event of tomorrow between their deltas."""
    start, *_, tail, stop = message_events(id="msg_10")
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": ""}]
    events: list[dict[str, Any]] = [start, {"type": "ping"}]
    events += [
        {"type": "content_block_start", "index": index, "content_block": block} for index, block in enumerate(blocks)
    ]
    for index, text in ((0, "b"), (1, "c"), (1, "d"), (0, "e"), (1, "f")):
        events.append({"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}})
    news = {"type": "news_delta", "text": "g", "list": [1], "signature": "s"}
    events += [{"type": "news", "index": 0}, {"type": "content_block_delta", "index": 0, "delta": news}]
    return [*events, *({"type": "content_block_stop", "index": index} for index in (0, 1)), tail, stop]


def _beta() -> list[dict[str, Any]]:
    """What only beta streams have: iterations, a compaction, estimates of thinking, fields beside the usage."""
    iterations = [{"type": "message", "input_tokens": 3, "output_tokens": 4}]
    start, *_, tail, stop = message_events(id="msg_11", usage={"iterations": iterations})
    whole = {"type": "compaction", "content": None}
    deltas = [
        ({"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "hm", "estimated_tokens": 2}),
        (whole, {"type": "compaction_delta", "content": "all of it", "encrypted_content": "eA=="}),
    ]
    events: list[dict[str, Any]] = [start]
    for index, (block, delta) in enumerate(deltas):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    return [*events, {**tail, "context_management": {"applied_edits": []}}, stop]
