"""Blocks, tool calls and tool inputs: a call is handed out only when it is certain to be whole."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from claude_stream import (
    StreamError,
    StreamTruncatedError,
    ToolInputError,
    iter_blocks,
    iter_events,
    iter_tool_calls,
    iter_tool_inputs,
)
from claude_stream._json import excerpt
from claude_stream._steps.blocks import Blocks, EagerToolCalls, ToolCalls
from claude_stream._steps.builder import MessageBuilder
from claude_stream.testing import message_events
from tests.support import Mode, tool_events

eager_tool_calls = functools.partial(iter_tool_calls, eager=True)
WEATHER = ("get_weather", {"city": "Paris"})
NOT_JSON = ['{"n": NaN}', '{"n": -Infinity}']
BROKEN = ['{"city": oops}', '{"city": "Pa', "[1]", '"Paris"', "null", "{}}"]


@pytest.mark.parametrize("raw", BROKEN)
@pytest.mark.parametrize("stop_reason", ["tool_use", "max_tokens", "model_context_window_exceeded"])
@pytest.mark.parametrize("function", [iter_tool_calls, eager_tool_calls, iter_blocks])
def test_a_broken_call_is_never_handed_out(mode: Mode, raw: str, stop_reason: str, function: Any) -> None:
    """Cut, malformed and non-object input is a ToolInputError with the raw text and the whole message."""
    outcome = mode.read(lambda: function(mode.source(tool_events(raw, stop_reason))))
    assert [block.type for block in outcome.items] == (["text"] if function is iter_blocks else [])
    error = outcome.error
    assert isinstance(error, ToolInputError)
    assert (error.raw, error.tool_name, error.tool_use_id) == (raw, "get_weather", "toolu_1")
    assert error.partial is not None
    assert error.partial.stop_reason == stop_reason  # it waited for it
    assert error.usage is not None
    assert error.usage.output_tokens == 12


NO_ANSWER = ["end_turn", "stop_sequence", "refusal", "pause_turn", "compaction", "new_reason"]


@pytest.mark.parametrize("raw", ["", '{"city": "Paris"}', *BROKEN])
@pytest.mark.parametrize("stop_reason", NO_ANSWER)
def test_only_tool_use_asks_for_an_answer(mode: Mode, raw: str, stop_reason: str) -> None:
    """Under any other stop reason, known or not, there is no call to answer, whole, empty or broken."""
    outcome = mode.read(lambda: iter_tool_calls(mode.source(tool_events(raw, stop_reason))))
    assert (outcome.items, outcome.error) == ([], None)


@pytest.mark.parametrize("function", [iter_tool_calls, eager_tool_calls, iter_blocks])
def test_input_that_is_nested_without_end(mode: Mode, function: Any) -> None:
    """It is a broken call like any other: neither the parser's recursion nor Python's escapes."""
    raw = '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"
    error = mode.read(lambda: function(mode.source(tool_events(raw, "tool_use")))).error
    assert isinstance(error, ToolInputError)
    assert error.raw == raw
    assert len(str(error)) < 1000


@pytest.mark.parametrize("raw", NOT_JSON)
def test_what_python_would_take_for_json(mode: Mode, raw: str) -> None:
    """NaN and Infinity are no JSON: a request that sends such an input back is refused."""
    error = mode.read(lambda: iter_tool_calls(mode.source(tool_events(raw, "tool_use")))).error
    assert isinstance(error, ToolInputError)


@pytest.mark.parametrize("stop_reason", ["max_tokens", "model_context_window_exceeded"])
def test_a_whole_call_of_a_message_that_was_cut(mode: Mode, stop_reason: str) -> None:
    """Who hit a limit behind a whole call may have wanted to say more: it is not handed out."""
    outcome = mode.read(lambda: iter_tool_calls(mode.source(tool_events('{"city": "Paris"}', stop_reason))))
    assert (outcome.items, outcome.error) == ([], None)
    [call] = mode.read(lambda: eager_tool_calls(mode.source(tool_events('{"city": "Paris"}', stop_reason)))).items
    assert call.input == {"city": "Paris"}


@pytest.mark.parametrize("stop_reason", ["max_tokens", "model_context_window_exceeded"])
def test_an_empty_call_of_a_message_that_was_cut(mode: Mode, stop_reason: str) -> None:
    """Without a byte of input, a limit may have cut the call at its first byte."""
    for function in (iter_tool_calls, eager_tool_calls):
        outcome = mode.read(lambda f=function: f(mode.source(tool_events("", stop_reason))))
        assert outcome.items == []
        assert isinstance(outcome.error, ToolInputError)
        assert outcome.error.raw == ""


def test_a_cut_call_takes_the_whole_ones_with_it(mode: Mode) -> None:
    """Half of a batch is not what the model wanted to do: the calls go out together, or not at all."""
    events = message_events(WEATHER, ("get_time", {"zone": "x"}), chunk=99, stop_reason="max_tokens")
    second = next(e for e in events if e.get("index") == 1 and e["type"] == "content_block_delta")
    second["delta"]["partial_json"] = '{"zo'
    outcome = mode.read(lambda: iter_tool_calls(mode.source(events)))
    assert outcome.items == []
    assert isinstance(outcome.error, ToolInputError)
    assert outcome.error.tool_name == "get_time"


def test_calls_in_front_of_a_fallback_are_void(mode: Mode) -> None:
    """Another model has taken over: what the one before it called is not to be answered."""
    fallback = {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}
    events = message_events(WEATHER, fallback, ("get_time", {"zone": "x"}), chunk=99)
    calls = mode.read(lambda: iter_tool_calls(mode.source(events))).items
    assert [call.name for call in calls] == ["get_time"]
    eager = mode.read(lambda: eager_tool_calls(mode.source(events))).items
    assert [call.name for call in eager] == ["get_weather", "get_time"]


def test_a_call_of_a_tool_without_parameters(mode: Mode) -> None:
    """An empty input is handed out when the stop reason says that the call is meant."""
    for function in (iter_tool_calls, eager_tool_calls):
        [call] = mode.read(lambda f=function: f(mode.source(tool_events("", "tool_use")))).items
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


@pytest.mark.parametrize("eager", [False, True])
def test_when_calls_come(mode: Mode, eager: bool) -> None:
    """All together when the message is complete; with `eager`, each as it closes, one without input in its turn."""
    position = 0
    seen: list[tuple[str, int]] = []

    def events() -> Any:
        nonlocal position
        for number, event in enumerate(message_events(WEATHER, ("ping", {}), ("get_time", {"zone": "x"}), chunk=99)):
            position = number
            yield event

    async def read_async() -> None:
        async for call in iter_tool_calls(mode.source(events()), eager=eager):
            seen.append((call.name, position))

    if mode.is_async:
        mode.run(read_async)
    else:
        for call in iter_tool_calls(mode.source(events()), eager=eager):
            seen.append((call.name, position))
    # Events: 0 message_start, 1-4 get_weather, 5-7 ping, 8-11 get_time, 12 message_delta.
    first = 4 if eager else 12
    assert seen == [("get_weather", first), ("ping", 12), ("get_time", 12)]


def test_tool_calls_are_yours_alone(mode: Mode) -> None:
    """Calls of the server's tools are no concern of `iter_tool_calls`, broken or not."""
    for raw in ('{"query": "x"}', "{oops"):
        events = tool_events(raw, "end_turn", block_type="server_tool_use")
        outcome = mode.read(lambda events=events: iter_tool_calls(mode.source(events)))
        assert (outcome.items, outcome.error) == ([], None)


def test_a_call_that_comes_whole_in_its_start(mode: Mode) -> None:
    """Input in content_block_start, with no delta, is the input."""
    events = tool_events("", "tool_use")
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


def test_tool_inputs_grow(mode: Mode) -> None:
    """Each piece comes with its call and a snapshot of what is certain, which later pieces do not change."""
    events = message_events("Hi", ("get_weather", {"city": "Paris", "days": 3}), chunk=10)
    pieces = mode.read(lambda: iter_tool_inputs(mode.source(events))).items
    assert "".join(piece.delta for piece in pieces) == '{"city": "Paris", "days": 3}'
    assert {(piece.index, piece.id, piece.name) for piece in pieces} == {(1, "toolu_test_1", "get_weather")}
    snapshots = [piece.snapshot for piece in pieces]
    assert snapshots == [{}, {}, {"city": "Paris"}, {"city": "Paris", "days": 3}]
    assert [piece.text for piece in pieces] == [
        "",
        '{"city": "',
        '{"city": "Paris", "d',
        '{"city": "Paris", "days": 3}',
    ]
    assert repr(pieces[1]) == "ToolInput(index=1, id='toolu_test_1', name='get_weather', delta='{\"city\": \"')"


def test_tool_inputs_from_the_middle(mode: Mode) -> None:
    """Who reads a reader on from the middle of an input gets the rest of it, and its text from the beginning."""
    events = message_events(("get_weather", {"city": "Paris", "days": 3}), chunk=10)

    async def areads() -> list[Any]:
        source = iter_events(mode.source(events))
        for _ in range(4):
            await anext(source)
        return [piece async for piece in iter_tool_inputs(source)]

    if mode.is_async:
        pieces = mode.run(areads)
    else:
        source = iter_events(events)
        for _ in range(4):
            next(source)
        pieces = list(iter_tool_inputs(source))
    assert [piece.delta for piece in pieces] == ['Paris", "d', 'ays": 3}']
    assert [piece.text for piece in pieces] == ['{"city": "Paris", "d', '{"city": "Paris", "days": 3}']


def test_a_snapshot_of_what_is_no_json(mode: Mode) -> None:
    """The snapshot of a malformed input raises; the pieces are there all the same."""
    outcome = mode.read(lambda: iter_tool_inputs(mode.source(tool_events("{oops}", "tool_use"))))
    assert outcome.error is None
    with pytest.raises(ToolInputError, match="get_weather") as caught:
        _ = outcome.items[-1].snapshot
    error = caught.value
    assert (error.raw, error.tool_name, error.tool_use_id) == ("{oops}", "get_weather", "toolu_1")
    assert str(error).endswith(f"): {excerpt(error.raw)}")


def test_a_snapshot_at_half_a_surrogate_pair(mode: Mode) -> None:
    """Half a character at the end of a piece does not hide what is certain."""
    pieces = mode.read(lambda: iter_tool_inputs(mode.source(tool_events('{"a": 1, "b": "\ud83d', None)))).items
    assert pieces[-1].snapshot == {"a": 1}


@pytest.mark.parametrize("eager", [False, True])
def test_a_source_that_fails_behind_a_call(mode: Mode, eager: bool) -> None:
    """A failure voids the calls in front of it; who is eager has had them."""
    outcome = mode.read(
        lambda: iter_tool_calls(mode.source(message_events(WEATHER, "x", error="api_error")), eager=eager)
    )
    assert [call.name for call in outcome.items] == (["get_weather"] if eager else [])
    assert isinstance(outcome.error, StreamError)


# -- the steps by themselves --


def builder_of(events: list[Any], **options: bool) -> MessageBuilder:
    builder = MessageBuilder(**options)
    for event in events:
        builder.feed(event)
    return builder


def test_blocks_that_were_whole_before() -> None:
    """A reader that joins late gets them first, and not the one that is still open."""
    events = message_events("One", "Two")
    blocks = Blocks(builder_of(events[:6]))
    assert [block.text for block in blocks.begin()] == ["One"]


@pytest.mark.parametrize("step", [Blocks, EagerToolCalls])
def test_a_doubtful_call_at_an_end_without_a_stop_reason(step: type[Blocks]) -> None:
    """It is refused where the end is taken as it is, and not passed over."""
    events = tool_events("", None)
    builder = MessageBuilder(strict=False)
    blocks = step(builder)
    for event in events:
        builder.feed(event)
        list(blocks.feed(event))
    with pytest.raises(ToolInputError, match="nothing of it came"):
        list(blocks.finish())


def test_a_doubtful_call_waits_for_the_stop_reason() -> None:
    """A message_delta without one decides nothing."""
    *events, end, stop = tool_events("", "tool_use")
    builder = builder_of(events)
    calls = EagerToolCalls(builder)
    assert list(calls.begin()) == []
    for event, expected in (({**end, "delta": {}}, []), (end, ["get_weather"]), (stop, [])):
        builder.feed(event)
        assert [call.name for call in calls.feed(event)] == expected
    assert builder.handed_out == {1}


def test_calls_wait_until_the_message_is_complete() -> None:
    """A stop reason alone is not enough, while a block is open."""
    *events, close, end, stop = tool_events("{}", "tool_use")
    builder = builder_of([*events, end])
    calls = ToolCalls(builder)
    assert list(calls.begin()) == []
    builder.feed(close)
    assert [call.name for call in calls.feed(close)] == ["get_weather"]
    builder.feed(stop)
    assert list(calls.feed(stop)) == []


def test_a_call_that_message_stop_leaves_open() -> None:
    """It is refused at once, and not at the end of the body, which may be long in coming."""
    *events, end, stop = tool_events("{}", "tool_use", close=False)
    builder = builder_of([*events, end])
    calls = ToolCalls(builder)
    assert list(calls.feed(end)) == []
    builder.feed(stop)
    with pytest.raises(ToolInputError, match="never closed"):
        list(calls.feed(stop))
