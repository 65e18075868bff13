"""Parts: what the iterators for one thing each give, in one pass, in order, and by their rules."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from claude_stream import (
    AsyncMessageStream,
    CitationPart,
    DonePart,
    FallbackPart,
    MessageStream,
    Reader,
    ServerToolPart,
    StreamOverloadedError,
    StreamProtocolError,
    StreamTruncatedError,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolInput,
    ToolInputError,
    Usage,
    from_sse,
    iter_parts,
    iter_text,
    iter_thinking,
    iter_tool_calls,
    iter_tool_inputs,
    to_ndjson,
)
from claude_stream._drive.pipeline import Options, drive
from claude_stream._steps.builder import MessageBuilder
from claude_stream._steps.parts import Parts
from claude_stream.testing import message_events
from tests.support import Either, Mode, body_of, by_hand, delta, done, tool_events

WEATHER = ("get_weather", {"city": "Paris"})
THINKING = {"type": "thinking", "thinking": "Hm, well.", "signature": "sig"}
SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}}
RESULT = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
CITATION = {"type": "char_location", "cited_text": "a"}
FALLBACK = {
    "type": "fallback",
    "from": {"model": "a"},
    "to": {"model": "b"},
    "trigger": {"type": "refusal", "category": "bio"},
}
EVERYTHING = message_events(
    *(THINKING, {"type": "redacted_thinking", "data": "x"}, SEARCH, RESULT, FALLBACK),
    *({"type": "text", "text": "Hello, world!", "citations": [CITATION]}, WEATHER, ("ping", {})),
)


def parts_of(mode: Mode, events: Any) -> list[Any]:
    outcome = mode.read(lambda: iter_parts(mode.source(events)))
    assert outcome.error is None
    return outcome.items


def shown(part: Any) -> Any:
    """Return what a part is about, to compare."""
    match part:
        case TextPart(text, index) | ThinkingPart(text, index):
            return part.type, index, text
        case ToolInput(index=index, delta=delta):
            return part.type, index, delta
        case ToolCallPart(call, index):
            return part.type, index, call.name
        case ServerToolPart(block, index):
            return part.type, index, block.type
        case CitationPart(citation, index):
            return part.type, index, citation.cited_text
        case FallbackPart(source, to, category, index):
            return part.type, index, (source, to, category)
        case DonePart(stop_reason, usage):
            return part.type, part.index, (stop_reason, usage.output_tokens, usage.final)
    raise AssertionError(part)


def test_a_message_that_is_cut(mode: Mode) -> None:
    """Everything that came is among the parts, and then the error; no call, and nothing that looks like an end."""
    for length in range(1, len(EVERYTHING) - 2):
        outcome = mode.read(lambda length=length: iter_parts(mode.source(EVERYTHING[:length])))
        assert type(outcome.error) is StreamTruncatedError
        assert {"tool_call", "done"}.isdisjoint(part.type for part in outcome.items)
        whole = parts_of(mode, EVERYTHING)
        assert [shown(part) for part in outcome.items] == [shown(part) for part in whole[: len(outcome.items)]]


@pytest.mark.parametrize("stop_reason", ["refusal", "end_turn", "pause_turn", "tea_break"])
def test_calls_that_are_not_to_be_answered(mode: Mode, stop_reason: str) -> None:
    """There is no tool call among the parts, and the last one says why the message ended."""
    *parts, done = parts_of(mode, message_events("Hi", WEATHER, stop_reason=stop_reason))
    assert {part.type for part in parts} == {"text", "tool_input"}
    assert done.stop_reason == stop_reason


def test_a_call_that_is_broken(mode: Mode) -> None:
    """It is an error in the place of all calls, behind everything else."""
    outcome = mode.read(lambda: iter_parts(mode.source(tool_events('{"city": oops}', "tool_use"))))
    assert isinstance(outcome.error, ToolInputError)
    assert {"tool_call", "done"}.isdisjoint(part.type for part in outcome.items)


def test_an_error_event(mode: Mode) -> None:
    """What came in front of it is handed out."""
    outcome = mode.read(lambda: iter_parts(mode.source(message_events("Hi", error="overloaded_error"))))
    assert [shown(part) for part in outcome.items] == [("text", 0, "Hi")]
    assert type(outcome.error) is StreamOverloadedError


def test_everything_in_order(mode: Mode) -> None:
    """Each part says what it is, and which block it belongs to."""
    found = [shown(part) for part in parts_of(mode, EVERYTHING)]
    assert found == [
        ("thinking", 0, ""),
        ("thinking", 0, "Hm, well"),
        ("thinking", 0, "."),
        ("thinking", 1, ""),
        ("tool_input", 2, ""),
        ("tool_input", 2, '{"query"'),
        ("tool_input", 2, ': "x"}'),
        ("server_tool", 2, "server_tool_use"),
        ("server_tool", 3, "web_search_tool_result"),
        ("fallback", 4, ("a", "b", "bio")),
        ("text", 5, "Hello, w"),
        ("text", 5, "orld!"),
        ("citation", 5, "a"),
        *(("tool_input", 6, piece) for piece in ("", '{"city":', ' "Paris"', "}")),
        ("tool_input", 7, ""),
        ("tool_call", 6, "get_weather"),
        ("tool_call", 7, "ping"),
        ("done", None, ("tool_use", 12, True)),
    ]


def test_what_a_message_starts_with(mode: Mode) -> None:
    """Blocks that message_start brings along, and text that a block starts with, are parts, too."""
    start, block, *rest = message_events("Hello")
    start["message"]["content"] = [{"type": "text", "text": "Oh. ", "citations": [CITATION]}, SEARCH, RESULT]
    block["content_block"]["text"] = "Well, "
    moved = [{**event, "index": 3} if "index" in event else event for event in (block, *rest)]
    assert [shown(part) for part in parts_of(mode, [start, *moved])][:6] == [
        ("text", 0, "Oh. "),
        ("citation", 0, "a"),
        ("server_tool", 1, "server_tool_use"),
        ("server_tool", 2, "web_search_tool_result"),
        ("text", 3, "Well, "),
        ("text", 3, "Hello"),
    ]


def test_thinking_that_is_not_shown(mode: Mode) -> None:
    """Its beginning is a part, and so are the API's estimates of its length."""
    start, block, delta, stop, *rest = message_events({"type": "thinking", "thinking": "x"})
    hidden = {**delta, "delta": {"type": "thinking_delta", "thinking": "", "estimated_tokens": 50}}
    signed = {**delta, "delta": {"type": "signature_delta", "signature": "sig"}}
    parts = parts_of(mode, [start, block, hidden, hidden, signed, stop, *rest])
    assert parts[:-1] == [ThinkingPart("", 0), ThinkingPart("", 0, 50), ThinkingPart("", 0, 50)]


@pytest.mark.parametrize(
    "odd",
    [
        *({}, {"from": 5, "to": "b", "trigger": []}, {"from": {"model": "a"}, "trigger": None}),
        {"from": {"model": "a"}, "to": {"model": 5}, "trigger": {"category": ["bio"]}},
    ],
)
def test_a_fallback_of_an_odd_shape(mode: Mode, odd: dict[str, Any]) -> None:
    """It is a part all the same."""
    [part, _] = parts_of(mode, message_events({"type": "fallback", **odd}))
    assert part == FallbackPart("a" if isinstance(odd.get("from"), dict) else None, None, None, 0)


def test_from_the_middle_and_from_the_end(mode: Mode) -> None:
    """Parts of a stream that was read before are those that are left; calls that are whole come again."""

    async def main() -> None:
        stream = (AsyncMessageStream if mode.is_async else MessageStream)(mode.source(EVERYTHING))
        assert await anext(Either(stream.text_stream)) == "Hello, w"
        parts = Either(stream.parts())
        assert [(await anext(parts)).type for _ in range(2)] == ["text", "citation"]
        await done(stream.until_done())
        assert [part.type async for part in Either(stream.parts())] == ["tool_call", "tool_call", "done"]

    mode.run(main) if mode.is_async else by_hand(main())


def test_parts_in_a_relay() -> None:
    """Each has a frame of its own type; what no frame can be made of is said to be a part."""
    types = [json.loads(frame)["type"] for frame in to_ndjson(iter_parts(EVERYTHING))]
    assert types == [part.type for part in iter_parts(EVERYTHING)]
    citation = delta(0, type="citations_delta", citation={**CITATION, "news": object()})
    events = message_events("Hi")
    with pytest.raises(StreamProtocolError, match=r"^part cannot be written as JSON"):
        list(to_ndjson(iter_parts([*events[:3], citation, *events[3:]])))


def test_a_message_that_may_be_cut() -> None:
    """Without `strict`, what came of it is given, and no word that it is done."""
    reader: Any = drive(EVERYTHING[:5], lambda builder: [Parts(builder)], Options(strict=False))
    assert isinstance(reader, Reader)
    assert [part.type for part in reader] == ["thinking", "thinking", "thinking"]


def test_parts_are_what_the_single_iterators_give(recorded_body: bytes) -> None:
    """The same text, thinking, inputs and calls, and the same end."""

    def events() -> Any:
        return from_sse([recorded_body])

    parts = list(iter_parts(events()))
    reader = iter_text(events())
    assert [part.text for part in parts if isinstance(part, TextPart)] == list(reader)
    assert [part.text for part in parts if isinstance(part, ThinkingPart) and part.text] == list(
        iter_thinking(events())
    )
    assert [part.delta for part in parts if isinstance(part, ToolInput)] == [
        piece.delta for piece in iter_tool_inputs(events())
    ]
    assert [part.call for part in parts if isinstance(part, ToolCallPart)] == list(iter_tool_calls(events()))
    done = parts[-1]
    assert isinstance(done, DonePart)
    assert (done.stop_reason, done.usage) == (reader.result().stop_reason, reader.usage)
    assert isinstance(done.usage, Usage)


@pytest.mark.parametrize("citations", [5, "text", {"type": "c"}, None])
def test_citations_that_are_no_list(mode: Mode, citations: Any) -> None:
    """They are as good as none, and no `TypeError`."""
    events = message_events("Hi")
    events[1]["content_block"]["citations"] = citations
    outcome = mode.read(lambda: iter_parts(mode.source(events)))
    assert (outcome.error, [part.type for part in outcome.items]) == (None, ["text", "done"])


def test_thinking_that_is_redacted_and_has_a_field_of_that_name() -> None:
    """A part has text that is a string, whatever an encrypted block calls so."""
    block = {"type": "redacted_thinking", "data": "x", "thinking": 5}
    first, *_ = iter_parts(message_events(block))
    assert first == ThinkingPart("", 0)


def test_calls_under_a_second_stop_reason(mode: Mode) -> None:
    """They come as from `iter_tool_calls`: under the first stop reason that asks for them."""
    events = tool_events("{}", "tool_use")
    events.insert(-2, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}})
    parts = mode.read(lambda: iter_parts(mode.source(events))).items
    calls = mode.read(lambda: iter_tool_calls(mode.source(events))).items
    assert [part.call for part in parts if part.type == "tool_call"] == calls != []


# -- the step by itself --


def begun(events: list[Any], count: int) -> tuple[MessageBuilder, Parts]:
    """Return a builder that has taken some events, and parts that join it then."""
    builder = MessageBuilder()
    for event in events[:count]:
        builder.feed(event)
    return builder, Parts(builder)


def test_thinking_that_a_block_starts_with() -> None:
    """It is thinking like any other; what is hidden has none, and is there all the same."""
    start, block, *rest = message_events({"type": "thinking", "thinking": "", "signature": "c2ln"})
    block["content_block"] = {"type": "thinking", "thinking": "Hm."}
    assert next(iter(iter_parts([start, block, *rest]))) == ThinkingPart("Hm.", 0)
    block["content_block"] = {"type": "redacted_thinking", "data": "opaque"}
    assert next(iter(iter_parts([start, block, rest[-3], *rest[-2:]]))) == ThinkingPart("", 0)


@pytest.mark.parametrize("tokens", [None, 5, "5", 5.5])
def test_the_hint_of_thinking(tokens: Any) -> None:
    """A whole number of tokens, and nothing else."""
    events = message_events({"type": "thinking", "thinking": "Hm.", "signature": "c2ln"})
    events[2]["delta"]["estimated_tokens"] = tokens
    found = [part for part in iter_parts(events) if isinstance(part, ThinkingPart) and part.text]
    assert found == [ThinkingPart("Hm.", 0, tokens if tokens == 5 else None)]


def test_calls_of_a_message_that_is_complete_already() -> None:
    """A reader that joins late gets them at once, and not again at the end."""
    events = message_events(("get_weather", {"city": "Paris"}), stop_reason="tool_use")
    _, parts = begun(events, len(events))
    assert [part.call.name for part in parts.begin()] == ["get_weather"]
    assert [part.type for part in parts.finish()] == ["done"]


def test_calls_leave_with_the_stop_reason() -> None:
    """As soon as the message is complete, and not at the end of its body."""
    events = message_events(("get_weather", {"city": "Paris"}), stop_reason="tool_use")
    builder, parts = begun(events, len(events) - 2)
    assert list(parts.begin()) == []
    builder.feed(events[-2])
    assert [part.type for part in parts.feed(events[-2])] == ["tool_call"]


def test_an_input_that_had_begun() -> None:
    """The length of what came before is known to the pieces behind it."""
    events = message_events(("get_weather", {"city": "Paris"}), stop_reason="tool_use", chunk=6)
    builder, parts = begun(events, 4)
    list(parts.begin())
    builder.feed(events[4])
    [part] = parts.feed(events[4])
    assert part.text == builder.blocks[0].raw


@pytest.mark.parametrize("beta", [False, True])
def test_a_citation_is_of_the_streams_class(beta: bool) -> None:
    """Of the beta ones, if its stream is."""
    events = message_events("Hello")
    citation = {"type": "char_location", "cited_text": "a", "document_index": 0, "start_char_index": 0}
    events.insert(
        3, {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": citation}}
    )
    [found] = [part for part in iter_parts(from_sse([body_of(events)], beta=beta)) if isinstance(part, CitationPart)]
    assert type(found.citation).__module__.startswith("anthropic.types.beta") is beta
    assert (found.citation.cited_text, found.index) == ("a", 0)


@pytest.mark.parametrize(
    "part",
    [
        *(TextPart("a", 0), ThinkingPart("a", 0), CitationPart(None, 0), ToolCallPart(None, 0)),
        *(ServerToolPart(None, 0), FallbackPart("a", "b", None, 0), DonePart(None, Usage())),
    ],
)
def test_a_part_does_not_change(part: Any) -> None:
    """Whoever holds it may count on it."""
    for field in dataclasses.fields(part):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, field.name, None)


def test_thinking_without_a_hint_has_none() -> None:
    """And says so by None."""
    assert ThinkingPart("a", 0).estimated_tokens is None
