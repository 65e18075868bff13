"""What may be acted on, under every stop reason, in every mode: as the table of docs/explanation.md has it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from claude_stream import (
    RefusalError,
    StopReasonError,
    ToolInputError,
    collect,
    ensure_finished,
    iter_parts,
    iter_tool_calls,
)
from claude_stream.testing import message_events
from tests.support import Mode

EXPLANATION = Path(__file__).parents[2] / "docs" / "explanation.md"

STOP_REASONS = (
    *("end_turn", "stop_sequence", "tool_use", "max_tokens", "model_context_window_exceeded"),
    *("pause_turn", "compaction", "refusal", "tea_break"),
)
TEXT = {"type": "text", "text": "Hello"}
CONTENTS: dict[str, tuple[Any, ...]] = {
    "text": (TEXT,),
    "thinking, text": ({"type": "thinking", "thinking": "Hm.", "signature": "sig"}, TEXT),
    "two calls": (TEXT, ("one", {"a": 1}), ("two", {"b": 2})),
    "a call, and one that is cut": (TEXT, ("one", {"a": 1}), ("cut", {"b": 2})),
    "a call in front of a fallback": (
        ("one", {"a": 1}),
        {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}, "trigger": {"type": "refusal"}},
        TEXT,
    ),
    "a server's call without its result": (
        TEXT,
        {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}},
    ),
}
NAMES = {"tool_use": "call", "server_tool_use": "server's call"}


def events(content: str, stop_reason: str) -> list[dict[str, Any]]:
    found = message_events(*CONTENTS[content], stop_reason=stop_reason, chunk=100)
    if "cut" in content:
        found[-4]["delta"]["partial_json"] = '{"b": '
    return found


def _table() -> dict[tuple[str, str], tuple[str, ...]]:
    rows: dict[tuple[str, str], tuple[str, ...]] = {}
    for line in EXPLANATION.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and cells[0] in CONTENTS:
            for stop_reason in re.findall(r"`(\w+)`", cells[1]):
                assert (cells[0], stop_reason) not in rows
                rows[cells[0], stop_reason] = tuple(cells[2:])
    return rows


TABLE = _table()


def outcome(mode: Mode, content: str, stop_reason: str) -> tuple[str, ...]:
    """Return what the table says of a row: calls, calls of an eager reader, what goes back, `collect`, the last."""

    def source() -> Any:
        return mode.source(events(content, stop_reason))

    readers: list[Any] = []

    def kept(reader: Any) -> Any:
        readers.append(reader)
        return reader

    calls = mode.read(lambda: kept(iter_tool_calls(source())))
    eager = mode.read(lambda: kept(iter_tool_calls(source(), eager=True)))
    parts = mode.read(lambda: iter_parts(source()))
    assert [part.call for part in parts.items if part.type == "tool_call"] == calls.items
    assert type(parts.error) is type(calls.error)
    collected = mode.read(lambda: collect(source())).error
    finished = mode.read(lambda: ensure_finished(source())).error
    assert type(collected) in (type(None), ToolInputError)
    return (
        _calls(calls),
        _calls(eager),
        _sent(readers[0].to_param()),
        "the message" if collected is None else "`ToolInputError`",
        {type(None): "passes", StopReasonError: "`StopReasonError`", RefusalError: "`RefusalError`"}[type(finished)],
    )


def _calls(read: Any) -> str:
    said = [", ".join(call.name for call in read.items)] if read.items else []
    if read.error is not None:
        assert type(read.error) is ToolInputError
        said.append("`ToolInputError`")
    return ", then ".join(said) or "none"


def _sent(param: Any) -> str:
    return (
        "nothing" if param is None else ", ".join(NAMES.get(block["type"], block["type"]) for block in param["content"])
    )


def test_the_table_is_whole() -> None:
    """Every stop reason, documented or not, stands with every content, once."""
    assert set(TABLE) == {(content, stop_reason) for content in CONTENTS for stop_reason in STOP_REASONS}


@pytest.mark.parametrize("stop_reason", STOP_REASONS)
@pytest.mark.parametrize("content", CONTENTS)
def test_what_may_be_acted_on(mode: Mode, content: str, stop_reason: str) -> None:
    """Sync, asyncio and trio agree with the table."""
    assert outcome(mode, content, stop_reason) == TABLE[content, stop_reason]
