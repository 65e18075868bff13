"""One content block under construction: how its deltas are merged, and what that costs."""

from __future__ import annotations

import copy
import time
import tracemalloc
from typing import Any

import pytest

from claude_stream import collect
from claude_stream.testing import message_events
from tests.support import delta, fed

THINKING = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}


@pytest.mark.parametrize("fields", [{"volume": 11}, {"type": None}, {"type": ["x"]}, {}])
def test_a_delta_of_an_unknown_shape_is_merged(fields: dict[str, Any]) -> None:
    """No delta that is an object raises."""
    events = message_events("Hello")
    events.insert(3, {"type": "content_block_delta", "index": 0, "delta": fields})
    message = collect(events)
    assert message.content[0].text == "Hello"
    assert message.content[0].to_dict().get("volume") == fields.get("volume")


def test_unknown_deltas_are_merged_by_the_obvious_rule() -> None:
    """Strings append, lists extend, others replace, a signature replaces, and null never erases."""
    start = {"type": "content_block_start", "index": 0}
    block = {
        "type": "poem",
        "title": None,
        "verse": "Ro",
        "lines": ["a"],
        "rank": 1,
        "signature": "old",
        "meta": {"a": 1},
    }
    head, *_, tail, stop = message_events()
    events = [
        head,
        {**start, "content_block": block},
        delta(0, type="poem_delta", title="Odes", verse="ses", lines=["b"], rank=2, signature="new", meta=None),
        delta(0, type="poem_delta", verse="!", extra=[1], none=None, rank=3, signature="newer"),
        {"type": "content_block_stop", "index": 0},
        tail,
        stop,
    ]
    assert collect(events).content[0].to_dict(warnings=False) == {
        "type": "poem",
        "title": "Odes",
        "verse": "Roses!",
        "lines": ["a", "b"],
        "rank": 3,
        "signature": "newer",
        "meta": {"a": 1},
        "extra": [1],
        "none": None,
    }


def test_thinking_hints_are_no_field_of_the_block() -> None:
    """`estimated_tokens` is for a progress bar; the message of create() does not have it."""
    events = message_events(THINKING)
    events[2]["delta"]["estimated_tokens"] = 50
    assert collect(events).content[0].to_dict() == THINKING


def test_a_compaction_comes_whole() -> None:
    """A compaction delta replaces, as in the SDK, and null keeps what was there."""
    head, *_, tail, stop = message_events()
    block = {"type": "compaction", "content": None, "encrypted_content": "old"}
    events = [
        head,
        {"type": "content_block_start", "index": 0, "content_block": block},
        delta(0, type="compaction_delta", content="Summary", encrypted_content=None),
        {"type": "content_block_stop", "index": 0},
        tail,
        stop,
    ]
    assert collect(events, beta=True).content[0].to_dict() == {**block, "content": "Summary"}


@pytest.mark.parametrize("citations", [None, [], [{"type": "char_location", "cited_text": "a"}]])
def test_citations_are_added(citations: Any) -> None:
    """Citations go behind those that the block starts with, whether it starts with null, none or some."""
    events = message_events({"type": "text", "text": "Hi", "citations": [{"type": "char_location", "cited_text": "b"}]})
    events[1]["content_block"]["citations"] = copy.deepcopy(citations)
    texts = [citation.cited_text for citation in collect(events).content[0].citations]
    assert texts == (["a", "b"] if citations else ["b"])


@pytest.mark.slow
def test_memory_stays_near_the_text() -> None:
    """A long text in small deltas does not weigh many times itself."""
    head, block, *_ = message_events("Hello")
    accumulator = fed([head, block])
    tracemalloc.start()
    for number in range(300_000):
        accumulator.feed(delta(0, type="text_delta", text=f"{number:06}"))
    message: Any = accumulator.message
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    length = len(message.content[0].text)
    assert length == 1_800_000
    assert peak <= 3 * length


def test_a_long_tool_input_is_linear() -> None:
    """Sixteen times the input takes sixteen times the work, and not 256 times, as where each delta is parsed again."""

    def seconds(count: int) -> float:
        events = message_events(("tool", {"text": "x" * count}), chunk=20)
        start = time.process_time()  # what others do on this machine does not count
        collect(events)
        return time.process_time() - start

    short = min(seconds(20_000) for _ in range(3))
    assert min(seconds(320_000) for _ in range(3)) < 80 * short


def test_a_string_that_is_replaced_under_construction() -> None:
    """A delta of tomorrow may replace what deltas of today have begun, and they go on from there."""
    start, block, *_ = message_events("")
    accumulator = fed([start, block])
    steps: list[tuple[dict[str, Any], Any]] = [
        ({"type": "text_delta", "text": "a"}, "a"),
        ({"type": "text_delta", "text": "b"}, "ab"),
        ({"type": "news_delta", "text": ["c"]}, ["c"]),
        ({"type": "text_delta", "text": "d"}, "d"),
        ({"type": "text_delta", "text": "e"}, "de"),
        ({"type": "news_delta", "text": "f"}, "def"),
        ({"type": "thinking_delta", "thinking": "", "text": 1}, 1),
        ({"type": "text_delta", "text": "g"}, "g"),
    ]
    for fields, expected in steps:
        accumulator.feed(delta(0, **fields))
        message: Any = accumulator.message
        assert message.content[0].text == expected
