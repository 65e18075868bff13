"""Every fault, in every mode, on every way in: how it ends is what docs/explanation.md says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anthropic
import pytest

import claude_stream
from claude_stream import StreamError, collect, from_sse, iter_text
from claude_stream.testing import Recording
from tests.faults import BODIES, CONTENT_TYPES, GOOD_TEXT, LOST_ON_THE_TYPED_WAY, NOTHING_RECEIVED
from tests.support import Mode

EXPLANATION = Path(__file__).parents[2] / "docs" / "explanation.md"
WAYS = ("bytes", "typed")


def _table() -> dict[str, dict[str, str]]:
    rows = re.findall(r"^\| ([^|]+?) +\| ([^|]+?) +\| ([^|]+?) +\|$", EXPLANATION.read_text(), re.MULTILINE)
    return {name: {"bytes": in_bytes, "typed": typed} for name, in_bytes, typed in rows if name in BODIES}


ENDS = _table()


def _source(mode: Mode, way: str, name: str) -> Any:
    body = BODIES[name]
    if way == "bytes":
        return from_sse(mode.source([body]))
    chunks = Recording.from_bytes(body).chunks
    return mode.stream(Recording(chunks, content_type=CONTENT_TYPES.get(name, "text/event-stream")))


def _expected(cell: str) -> tuple[str, str]:
    """Return how iter_text and collect end, with the SDK that is installed."""
    if older := re.fullmatch(r"(\w+) \(SDK before (\d+)\.(\d+): (\w+)\)", cell):
        installed = tuple(int(part) for part in anthropic.__version__.split(".")[:2])
        cell = older[4] if installed < (int(older[2]), int(older[3])) else older[1]
    on_text, _, on_collect = cell.partition("; collect: ")
    return on_text, on_collect or on_text


@pytest.mark.parametrize("name", BODIES)
def test_each_fault_is_in_the_table(name: str) -> None:
    """The table of the documentation is complete."""
    assert name in ENDS


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", BODIES)
def test_a_fault_ends_as_the_table_says(mode: Mode, name: str, way: str) -> None:
    """The text in front of the fault arrives, the error is the one in the table, and it holds that text."""
    on_text, on_collect = _expected(ENDS[name][way])
    outcome = mode.read(lambda: iter_text(_source(mode, way, name)))
    collected = mode.read(lambda: collect(_source(mode, way, name)))
    text = "".join(outcome.items)
    _check_end(outcome.error, on_text, text)
    _check_end(collected.error, on_collect, text)
    lost_its_start = name in NOTHING_RECEIVED or (name in LOST_ON_THE_TYPED_WAY and way == "typed")
    assert text.startswith("" if lost_its_start else GOOD_TEXT)
    if collected.error is None:
        assert "".join(block.text for block in collected.items[0].content if block.type == "text") == text


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize("name", BODIES)
def test_how_the_bytes_are_cut_into_chunks_changes_nothing(name: str, size: int) -> None:
    """The same results and the same error, however the body is split."""
    mode, body = Mode("sync"), BODIES[name]
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    whole = mode.read(lambda: iter_text(from_sse([body])))
    split = mode.read(lambda: iter_text(from_sse(chunks)))
    assert split.items == whole.items
    assert repr(split.error) == repr(whole.error)


def _check_end(error: BaseException | None, expected: str, text: str) -> None:
    if expected == "whole":
        assert error is None
        return
    assert type(error) is getattr(claude_stream, expected)
    assert isinstance(error, StreamError)
    assert isinstance(error, anthropic.APIError)
    assert error.content_started is (text != "")
    received = [block.text for block in error.partial.content if block.type == "text"] if error.partial else []
    assert "".join(received) == text
    assert error.usage is not None
    assert error.usage.final is (expected == "ToolInputError")  # that one comes when all has been received
    assert str(error) == error.message
