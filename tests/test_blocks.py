"""Blocks, tool calls and tool inputs: a call is handed out only when it is certain to be whole."""

from __future__ import annotations

from typing import Any

import pytest

from claude_stream import (
    StreamError,
    StreamTruncatedError,
    ToolInputError,
    collect,
    iter_blocks,
    iter_tool_calls,
    iter_tool_inputs,
)
from claude_stream.testing import message_events
from tests.support import Mode

WEATHER = ("get_weather", {"city": "Paris"})


def tool_events(raw: str, stop_reason: str | None, *, block_type: str = "tool_use", close: bool = True) -> list[Any]:
    """Return a stream with a text and one tool call whose input is `raw`; no stop reason means no end."""
    start, *text, delta, stop = message_events("Hello")
    block = {"type": block_type, "id": "toolu_1", "name": "get_weather", "input": {}}
    events: list[Any] = [start, *text, {"type": "content_block_start", "index": 1, "content_block": block}]
    for piece in ("", *raw):
        delta_json = {"type": "input_json_delta", "partial_json": piece}
        events.append({"type": "content_block_delta", "index": 1, "delta": delta_json})
    if close:
        events.append({"type": "content_block_stop", "index": 1})
    if stop_reason:
        events += [{**delta, "delta": {"stop_reason": stop_reason}}, stop]
    return events


BROKEN = ['{"city": oops}', '{"city": "Pa', "[1]", '"Paris"', "null", "{}}"]


@pytest.mark.parametrize("raw", BROKEN)
@pytest.mark.parametrize("stop_reason", ["tool_use", "max_tokens", "end_turn", "refusal"])
def test_a_broken_call_is_never_handed_out(mode: Mode, raw: str, stop_reason: str) -> None:
    """Cut, malformed and non-object input is a ToolInputError with the raw text and the whole message."""
    for function in (iter_tool_calls, iter_blocks):
        outcome = mode.read(lambda f=function: f(mode.source(tool_events(raw, stop_reason))))
        assert [block.type for block in outcome.items] == (["text"] if function is iter_blocks else [])
        error = outcome.error
        assert isinstance(error, ToolInputError)
        assert (error.raw, error.tool_name, error.tool_use_id) == (raw, "get_weather", "toolu_1")
        assert error.partial is not None
        assert error.partial.stop_reason == stop_reason  # it waited for it
        assert error.usage is not None
        assert error.usage.output_tokens == 12


@pytest.mark.parametrize("stop_reason", ["max_tokens", "end_turn", "stop_sequence", "refusal", "new_reason"])
def test_an_empty_call_is_refused_unless_it_is_to_be_answered(mode: Mode, stop_reason: str) -> None:
    """Without a byte of input, only `tool_use` and `pause_turn` say that the call was not cut."""
    outcome = mode.read(lambda: iter_tool_calls(mode.source(tool_events("", stop_reason))))
    assert outcome.items == []
    assert isinstance(outcome.error, ToolInputError)
    assert outcome.error.raw == ""


@pytest.mark.parametrize("stop_reason", ["tool_use", "pause_turn"])
def test_a_call_of_a_tool_without_parameters(mode: Mode, stop_reason: str) -> None:
    """An empty input is handed out when the stop reason says that the call is meant."""
    [call] = mode.read(lambda: iter_tool_calls(mode.source(tool_events("", stop_reason)))).items
    assert (call.name, call.input) == ("get_weather", {})


def test_a_stream_that_is_cut_before_the_stop_reason(mode: Mode) -> None:
    """A call that had to wait for the stop reason is not handed out when none comes."""
    for raw in ("", '{"city": "Pa'):
        outcome = mode.read(lambda raw=raw: iter_tool_calls(mode.source(tool_events(raw, None))))
        assert outcome.items == []
        assert isinstance(outcome.error, StreamTruncatedError)


@pytest.mark.parametrize("raw", ["", '{"city": "Paris"}'])
def test_a_call_that_is_never_closed(mode: Mode, raw: str) -> None:
    """A call that is still open at message_stop is refused, even if its input looks whole."""
    for function in (iter_tool_calls, iter_blocks):
        outcome = mode.read(lambda f=function: f(mode.source(tool_events(raw, "tool_use", close=False))))
        assert isinstance(outcome.error, ToolInputError)
        assert "its block was never closed" in str(outcome.error)


def test_a_call_that_is_never_closed_and_cut_before_its_first_byte(mode: Mode) -> None:
    """`max_tokens` explains a call of which nothing came, open or closed."""
    message = mode.message(lambda: collect(mode.source(tool_events("", "max_tokens", close=False))))
    assert message.content[1].input == {}


def test_a_text_block_that_is_never_closed_is_not_lost(mode: Mode) -> None:
    """A block that the message ended without closing comes at the end."""
    events = [event for event in message_events("Hello") if event["type"] != "content_block_stop"]
    [block] = mode.read(lambda: iter_blocks(mode.source(events))).items
    assert block.text == "Hello"


def test_blocks_come_when_they_close_and_in_order(mode: Mode) -> None:
    """Each block is there before the next event is read; an empty call, and what follows it, waits."""
    position = 0
    seen: list[tuple[str, int]] = []

    def events() -> Any:
        nonlocal position
        for number, event in enumerate(message_events("Hi", ("ping", {}), WEATHER, chunk=99)):
            position = number
            yield event

    async def read_async() -> None:
        async for block in iter_blocks(mode.source(events())):
            seen.append((getattr(block, "name", block.type), position))

    if mode.is_async:
        mode.run(read_async)
    else:
        for block in iter_blocks(mode.source(events())):
            seen.append((getattr(block, "name", block.type), position))
    # Events: 0 message_start, 1-3 text, 4-6 ping, 7-10 get_weather, 11 message_delta.
    assert seen == [("text", 3), ("ping", 11), ("get_weather", 11)]


def test_a_call_does_not_wait_for_another(mode: Mode) -> None:
    """A call that is certain to be whole is handed out although an earlier one is not yet."""
    outcome = mode.read(lambda: iter_tool_calls(mode.source(message_events(("ping", {}), WEATHER, error="api_error"))))
    assert [call.name for call in outcome.items] == ["get_weather"]
    calls = mode.read(lambda: iter_tool_calls(mode.source(message_events(("ping", {}), WEATHER)))).items
    assert [call.name for call in calls] == ["get_weather", "ping"]


def test_tool_calls_are_yours_alone(mode: Mode) -> None:
    """Calls of the server's tools are no concern of `iter_tool_calls`, broken or not."""
    for raw in ('{"query": "x"}', "{oops"):
        events = tool_events(raw, "end_turn", block_type="server_tool_use")
        outcome = mode.read(lambda events=events: iter_tool_calls(mode.source(events)))
        assert (outcome.items, outcome.error) == ([], None)


@pytest.mark.parametrize("stop_reason", ["tool_use", "max_tokens"])
def test_a_call_that_comes_whole_in_its_start(mode: Mode, stop_reason: str) -> None:
    """Input in content_block_start, with no delta, is the input."""
    events = tool_events("", stop_reason)
    start = next(e for e in events if e.get("content_block", {}).get("type") == "tool_use")
    start["content_block"]["input"] = {"city": "Rome"}
    [call] = mode.read(lambda: iter_tool_calls(mode.source(events))).items
    assert call.input == {"city": "Rome"}


def test_several_calls(mode: Mode) -> None:
    """Parallel calls come one by one, with ids, names and inputs."""
    events = message_events("Let me see.", WEATHER, ("get_time", {"zone": ["a", {"b": 1.5}]}))
    calls = mode.read(lambda: iter_tool_calls(mode.source(events))).items
    assert [(call.id, call.name, call.input) for call in calls] == [
        ("toolu_test_1", "get_weather", {"city": "Paris"}),
        ("toolu_test_2", "get_time", {"zone": ["a", {"b": 1.5}]}),
    ]


def test_content_of_message_start_is_a_block(mode: Mode) -> None:
    """Blocks that message_start brings along are handed out too."""
    start, *rest = message_events()
    start["message"]["content"] = [{"type": "text", "text": "Hello"}]
    [block] = mode.read(lambda: iter_blocks(mode.source([start, *rest]))).items
    assert block.text == "Hello"


@pytest.mark.parametrize(
    ("raw", "certain"),
    [("", {}), ('{"city": "Pa', {}), (' {"a": 1, "b": "x', {"a": 1}), ('{"a": 1, "b": "\ud83d', {"a": 1})],
)
def test_a_call_cut_by_max_tokens_in_a_collected_message(mode: Mode, raw: str, certain: object) -> None:
    """`collect` gives the message as the SDK does, with the part of the input that is certain."""
    message = mode.message(lambda: collect(mode.source(tool_events(raw, "max_tokens"))))
    assert message.content[1].input == certain
    assert message.stop_reason == "max_tokens"


@pytest.mark.parametrize(
    ("raw", "stop_reason"), [("{oops", "max_tokens"), ('{"a": "b', "end_turn"), ("[1", "max_tokens")]
)
def test_malformed_input_makes_collect_raise(mode: Mode, raw: str, stop_reason: str) -> None:
    """What max_tokens cannot explain is a ToolInputError with the message."""
    error = mode.read(lambda: collect(mode.source(tool_events(raw, stop_reason)))).error
    assert isinstance(error, ToolInputError)
    assert error.partial is not None
    assert error.partial.content[0].text == "Hello"


def test_tool_inputs_grow(mode: Mode) -> None:
    """Each piece comes with its call and a snapshot of what is certain, which later pieces do not change."""
    events = message_events("Hi", ("get_weather", {"city": "Paris", "days": 3}), chunk=10)
    pieces = mode.read(lambda: iter_tool_inputs(mode.source(events))).items
    assert "".join(piece.delta for piece in pieces) == '{"city": "Paris", "days": 3}'
    assert {(piece.index, piece.id, piece.name) for piece in pieces} == {(1, "toolu_test_1", "get_weather")}
    snapshots = [piece.snapshot for piece in pieces]
    assert snapshots == [{}, {}, {"city": "Paris"}, {"city": "Paris", "days": 3}]
    assert repr(pieces[1]) == "ToolInput(index=1, id='toolu_test_1', name='get_weather', delta='{\"city\": \"')"


def test_a_snapshot_of_what_is_no_json(mode: Mode) -> None:
    """The snapshot of a malformed input raises; the pieces are there all the same."""
    outcome = mode.read(lambda: iter_tool_inputs(mode.source(tool_events("{oops}", "tool_use"))))
    assert outcome.error is None
    with pytest.raises(ToolInputError, match="get_weather") as caught:
        _ = outcome.items[-1].snapshot
    error = caught.value
    assert (error.raw, error.tool_name, error.tool_use_id) == ("{oops}", "get_weather", "toolu_1")


def test_a_snapshot_at_half_a_surrogate_pair(mode: Mode) -> None:
    """Half a character at the end of a piece does not hide what is certain."""
    pieces = mode.read(lambda: iter_tool_inputs(mode.source(tool_events('{"a": 1, "b": "\ud83d', None)))).items
    assert pieces[-1].snapshot == {"a": 1}


def test_a_source_that_fails_hands_out_the_calls_in_front(mode: Mode) -> None:
    """Calls that were whole before a failure have been handed out."""
    outcome = mode.read(lambda: iter_tool_calls(mode.source(message_events(WEATHER, "x", error="api_error"))))
    assert [call.name for call in outcome.items] == ["get_weather"]
    assert isinstance(outcome.error, StreamError)
