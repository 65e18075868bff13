"""One content block under construction: how its deltas are merged, and what that costs."""

from __future__ import annotations

import copy
import time
import tracemalloc
from typing import Any

import pytest

from claude_stream import collect
from claude_stream._json import excerpt
from claude_stream._steps.block import Block
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


@pytest.mark.parametrize("kind", ["text_delta", "news"])
@pytest.mark.parametrize("signature", ["c2ln", ["a"], {"a": 1}])
def test_a_signature_replaces_whatever_it_is(kind: str, signature: Any) -> None:
    """Also beside the string of a delta."""
    events = message_events("Hello")
    events[3:3] = [delta(0, type=kind, text="", signature=signature)] * 2
    assert collect(events).content[0].to_dict(warnings=False)["signature"] == signature


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
        start = time.thread_time()  # not what others do on this machine, and exact beside an interval timer, too
        collect(events)
        return time.thread_time() - start

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


# -- one block by itself --


@pytest.mark.parametrize("start", [{}, {"verse": None}, {"verse": ""}, {"verse": 5}, {"verse": ["z"]}])
def test_null_never_erases_a_string(start: dict[str, Any]) -> None:
    """Also where the block came without it; a list behind it takes its place."""
    block = Block({"type": "poem", **start})
    for verse in ("a", None, "b"):
        block.add({"type": "poem_delta", "verse": verse})
    assert block.merged() == {"type": "poem", "verse": "ab"}
    block.add({"type": "poem_delta", "verse": ["c"]})
    assert block.merged() == {"type": "poem", "verse": ["c"]}


def tool(*pieces: str, close: bool = True, **fields: Any) -> Block:
    block = Block({"type": "tool_use", "id": "toolu_1", "name": "get_weather", **fields})
    for piece in pieces:
        text = block.text_for("input_json_delta")
        assert text is not None
        text.add(piece)
    if close:
        block.close()
    return block


@pytest.mark.parametrize(
    ("block", "unusable", "empty", "cut"),
    [
        (tool('{"a"', ":1}"), False, False, True),
        (tool(), False, True, True),
        (tool(input={}), False, True, True),
        (tool(input={"a": 1}), False, False, True),
        (tool("", input={}), False, True, True),
        (tool(close=False), True, True, True),
        (tool('{"a', close=False), True, False, True),
        (tool('{"a'), True, False, True),
        (tool(" {"), True, False, True),
        (tool("  "), True, False, True),
        (tool('{"a":oops'), True, False, False),
        (tool("["), True, False, False),
        (tool("[1]"), True, False, False),
        (tool("]{"), True, False, False),
        (Block({"type": "text", "text": ""}), False, False, True),
    ],
)
def test_what_an_input_is_worth(block: Block, unusable: bool, empty: bool, cut: bool) -> None:
    """Whole, empty, or of no use; and whether what came is the beginning of an object."""
    assert (bool(block.unusable_input), bool(block.empty_input), bool(block.cut)) == (unusable, empty, cut)


@pytest.mark.parametrize(
    ("block", "why", "raw"),
    [
        (tool(close=False), "its block was never closed", ""),
        (tool(), "nothing of it came", ""),
        (tool("[", "1]"), "it is not a JSON object", "[1]"),
        (tool('{"a":oops'), "it is not whole JSON (", '{"a":oops'),
    ],
)
def test_what_is_wrong_with_an_input(block: Block, why: str, raw: str) -> None:
    """The error says whose input it is, why it is of no use, and all that came of it."""
    error = block.input_error()
    assert str(error).startswith(f"the input of the tool call 'get_weather' cannot be used: {why}")
    assert str(error).endswith(f": {excerpt(raw)}")
    assert (error.raw, error.tool_name, error.tool_use_id) == (raw, "get_weather", "toolu_1")


def test_an_input_as_it_was() -> None:
    """What is certain of a part of it, and of nothing the input that the block came with."""
    block = tool('{"a":1,', '"b":2}', input={"c": 3})
    assert [block.input_at(length) for length in (0, 7, 13)] == [{"c": 3}, {"a": 1}, {"a": 1, "b": 2}]
    assert block.merged()["input"] == {"a": 1, "b": 2}


@pytest.mark.parametrize("start", ["Hello", "", None, 5])
def test_the_string_of_a_field(start: object) -> None:
    """What the block came with and what was added, and an empty string where it is none."""
    block = Block({"type": "text", "text": start})
    before = start if isinstance(start, str) else ""
    assert (block.string("text"), block.string("thinking")) == (before, "")
    text = block.text_for("text_delta")
    assert text is not None
    text.add(", world")
    assert (block.string("text"), block.merged()["text"], block.get("type")) == (before + ", world",) * 2 + ("text",)


def test_each_change_is_a_change() -> None:
    """A snapshot tells by `changes` whether it is still right."""
    block = Block({"type": "text", "text": ""})
    seen = [block.changes]
    for number in range(3):
        block.add_beside({"type": "text_delta", "text": "a", "more": [number]})
        seen.append(block.changes)
        block.add({"type": "news_delta", "news": [number]})
        seen.append(block.changes)
    block.close()
    seen.append(block.changes)
    assert len(set(seen)) == len(seen)
    assert block.merged()["more"] == block.merged()["news"] == [0, 1, 2]


def test_the_last_compaction_stays() -> None:
    """Each comes whole, and none is added to the one before it."""
    block = Block({"type": "compaction", "content": "first"})
    for content in ("second", None, "third"):
        block.add({"type": "compaction_delta", "content": content})
    assert block.merged() == {"type": "compaction", "content": "third"}
