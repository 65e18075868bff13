"""Progress: what has come, how long it took, and what of it is no more than an estimate."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from claude_stream import (
    AsyncMessageStream,
    Chars,
    MessageStream,
    Progress,
    StreamOverloadedError,
    StreamTruncatedError,
    collect,
    from_sse,
    iter_progress,
    iter_tool_inputs,
    with_restarts,
)
from claude_stream._drive.pipeline import Options, drive
from claude_stream._steps.builder import MessageBuilder
from claude_stream._steps.progress import Meter
from claude_stream.testing import message_events
from tests.clocks import Clock
from tests.support import Either, Mode, by_hand, text_of

WEATHER = ("get_weather", {"city": "Paris"})
THINKING = {"type": "thinking", "thinking": "Hm, well.", "signature": "sig"}
SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}}
RESULT = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
FALLBACK = {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}
PING = {"type": "ping"}


def progress_of(mode: Mode, events: Any, **options: Any) -> list[Progress]:
    outcome = mode.read(lambda: iter_progress(mode.source(events), **options))
    assert outcome.error is None
    return outcome.items


def metered(events: list[dict[str, Any]], seconds: float = 1.0, **options: Any) -> list[Progress]:
    """Feed events to a meter, a fixed time after each other."""
    clock, builder = Clock(), MessageBuilder()
    meter = Meter(builder, clock=clock, **options)
    found = list(meter.begin())
    for event in events:
        clock.sleep(seconds)
        for wire in builder.feed(event):
            found += meter.feed(wire)
    return [*found, *meter.finish()]


def hidden(*hints: Any) -> list[dict[str, Any]]:
    """Return a stream with thinking that is not shown, of which the API gives these estimates."""
    start, block, delta, stop, *rest = message_events({"type": "thinking", "thinking": "x"}, "Hello, world")
    deltas = [
        {**delta, "delta": {"type": "thinking_delta", "thinking": "", "estimated_tokens": hint}} for hint in hints
    ]
    signed = {**delta, "delta": {"type": "signature_delta", "signature": "sig"}}
    return [start, block, *deltas, signed, stop, *rest]


# -- what is broken --


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_that_is_none(limit: int) -> None:
    """It is refused at the call; the lowest that the API takes is 1."""
    with pytest.raises(ValueError, match="max_tokens has to be 1 or more"):
        iter_progress([], max_tokens=limit)
    assert [*iter_progress(message_events(usage={"output_tokens": 1}), max_tokens=1)][-1].fraction == 1.0


def test_a_stream_that_is_cut(mode: Mode) -> None:
    """All that came is told of, and then the error; it never looks done."""
    events = message_events(THINKING, "Hello", WEATHER)
    whole = progress_of(mode, events)
    for length in range(len(events) - 2):
        outcome = mode.read(lambda length=length: iter_progress(mode.source(events[:length])))
        assert type(outcome.error) is StreamTruncatedError
        assert [each.chars for each in outcome.items] == [each.chars for each in whole[: length + 1]]
        assert "done" not in {each.phase for each in outcome.items}


def test_an_error_behind_the_stop_reason(mode: Mode) -> None:
    """A message that has its stop reason and fails all the same was never done."""
    failing = [*message_events("Hello")[:-1], *message_events(error="overloaded_error")[-1:]]
    outcome = mode.read(lambda: iter_progress(mode.source(failing)))
    assert outcome.items[-1].phase == "text"
    assert type(outcome.error) is StreamOverloadedError


def test_a_message_that_may_be_cut() -> None:
    """Without `strict`, what came of it is told of, and no word that it is done."""
    reader: Any = drive(message_events("Hello")[:3], lambda builder: [Meter(builder)], Options(strict=False))
    assert [each.phase for each in reader] == ["waiting", "waiting", "text", "text"]


# -- phases and characters --


def test_the_first_one_comes_before_the_first_event(mode: Mode) -> None:
    """There is something to show before anything has come, also of a stream in which nothing comes."""
    outcome = mode.read(lambda: iter_progress(mode.source([])))
    assert [(each.phase, each.chars, each.usage.final) for each in outcome.items] == [("waiting", Chars(), False)]
    assert type(outcome.error) is StreamTruncatedError


def test_phases_and_characters_in_order(mode: Mode) -> None:
    """A phase begins with its block, characters are counted as they come, and each event is told of, pings too."""
    events = message_events(THINKING, {"type": "redacted_thinking", "data": "x"}, "Hello, world!", WEATHER)
    events.insert(2, PING)
    found = [
        (each.phase, each.chars.thinking, each.chars.text, each.chars.tool_input) for each in progress_of(mode, events)
    ]
    assert found == [
        ("waiting", 0, 0, 0),
        ("waiting", 0, 0, 0),  # message_start
        ("thinking", 0, 0, 0),
        ("thinking", 0, 0, 0),  # the ping
        ("thinking", 8, 0, 0),
        ("thinking", 9, 0, 0),
        *[("thinking", 9, 0, 0)] * 4,  # signature, end; redacted thinking, end
        ("text", 9, 0, 0),
        ("text", 9, 8, 0),
        ("text", 9, 13, 0),
        ("text", 9, 13, 0),
        *[("tool_input", 9, 13, 0)] * 2,  # the first piece is empty
        ("tool_input", 9, 13, 8),
        ("tool_input", 9, 13, 16),
        ("tool_input", 9, 13, 17),
        *[("tool_input", 9, 13, 17)] * 2,  # end, message_delta
        ("done", 9, 13, 17),
    ]


def test_waiting_for_others_than_the_model(mode: Mode) -> None:
    """While one of the server's tools runs, and while another model takes over, nothing is being written."""
    phases = [each.phase for each in progress_of(mode, message_events("Hi", SEARCH, RESULT, FALLBACK, "So"))]
    changes = [phase for before, phase in zip([None, *phases], phases) if phase != before]
    assert changes == ["waiting", "text", "tool_input", "waiting", "text", "done"]


def test_what_blocks_start_with(mode: Mode) -> None:
    """Text and thinking in the start of a block count, and so do whole blocks that message_start brings along."""
    start, block, *rest = message_events("Hello")
    start["message"]["content"] = [{"type": "thinking", "thinking": "Hm."}, SEARCH]
    block["content_block"]["text"] = "Well, "
    moved = [{**event, "index": 2} if "index" in event else event for event in (block, *rest)]
    _, begun, *_, last = progress_of(mode, [start, *moved])
    assert (begun.phase, begun.chars) == ("waiting", Chars(thinking=3))
    assert last.chars == Chars(thinking=3, text=11)
    assert last.chars.total == 14


def test_what_is_newer_than_this_library(mode: Mode) -> None:
    """Events, blocks and deltas that nobody knows are signs of life, and nothing is counted of them."""
    news = message_events({"type": "news", "headline": "x"})
    text = message_events("Hello")
    odd = {"type": "content_block_delta", "index": 0, "delta": {"type": "news_delta", "text": 5}}
    assert {each.phase for each in progress_of(mode, news)} == {"waiting", "done"}
    assert progress_of(mode, [*text[:3], odd, {"type": "news"}, *text[3:]])[-1].chars == Chars(text=5)
    assert len(progress_of(mode, [*news[:1], {"type": "news"}, *news[1:]])) == len(news) + 2


def test_a_message_without_its_last_event(mode: Mode) -> None:
    """It is complete by its stop reason, which shows at its end."""
    found = progress_of(mode, message_events("Hello")[:-1])
    assert [each.phase for each in found[-2:]] == ["text", "done"]


def test_from_the_middle_and_from_the_end(mode: Mode) -> None:
    """What others have read counts."""
    events = message_events(THINKING, "Hello, world!", SEARCH, WEATHER, {"type": "redacted_thinking", "data": "x"})
    expected = progress_of(mode, events)[-1]
    for count in range(1, len(events) + 1):

        async def main(count: int = count) -> None:
            stream = (AsyncMessageStream if mode.is_async else MessageStream)(mode.source(events))
            reader = Either(stream._reader)
            for _ in range(count):
                await anext(reader)
            late = [each async for each in Either(iter_progress(stream))]
            assert [each.chars for each in late] == [each.chars for each in progress_of(Mode("sync"), events)][count:]
            assert [each.phase for each in late] == [each.phase for each in progress_of(Mode("sync"), events)][count:]
            assert late[-1].usage == expected.usage

        mode.run(main) if mode.is_async else by_hand(main())


def test_a_stream_that_was_restarted(mode: Mode) -> None:
    """What an attempt brought that was given up does not show."""
    failed = [*message_events("Hi")[:1], *message_events(error="overloaded_error")[-1:]]
    streams = iter([failed, failed, message_events("Hello")])
    found = mode.read(lambda: iter_progress(with_restarts(lambda: mode.source(next(streams)), delay=lambda _: 0)))
    assert [each.phase for each in found.items] == [each.phase for each in progress_of(mode, message_events("Hello"))]


# -- tokens --


def test_the_count_takes_the_place_of_the_estimate(mode: Mode) -> None:
    """Until the usage is final there is an estimate by the characters; then it is the count."""
    found = progress_of(mode, message_events("x" * 35, chunk=7, usage={"output_tokens": 16}), max_tokens=20)
    assert [each.estimated_tokens for each in found] == [0, 0, 0, 2, 4, 6, 8, 10, 10, 16, 16]
    assert [each.fraction for each in found[-3:]] == [0.5, 0.8, 0.8]
    assert [each.usage.final for each in found[-3:]] == [False, True, True]


def test_what_the_estimate_is_made_of(mode: Mode) -> None:
    """Thinking, text and the input of tools count alike: one token for each 3.5 characters."""
    thinking = {**THINKING, "thinking": "t" * 14}
    found = progress_of(mode, message_events(thinking, "x" * 21, ("run", {"a": "b" * 26}), chunk=99))
    assert [each.estimated_tokens for each in found[:-2]] == [0, 0, None, 4, 4, 4, 4, 10, 10, 10, 10, 20, 20]
    assert found[-3].chars == Chars(thinking=14, text=21, tool_input=35)
    assert found[-3].chars.total == 70


def test_the_fraction_is_never_more_than_all(mode: Mode) -> None:
    """An estimate may exceed the limit, and a server's tools may make several turns of one message."""
    found = progress_of(mode, message_events("x" * 35, usage={"output_tokens": 16}), max_tokens=4)
    assert found[-1].fraction == 1.0
    assert max(each.fraction or 0 for each in found) == 1.0
    assert {each.fraction for each in progress_of(mode, message_events("x"))} == {None}


@pytest.mark.parametrize("count", [-5, 10**400, -(10**400)], ids=["negative", "large", "both"])
def test_a_count_that_is_none(count: int) -> None:
    """JSON has no limit to its numbers, and a fraction is never less than nothing."""
    assert metered(message_events("x", usage={"output_tokens": count}), max_tokens=4)[-1].fraction == 0.0


def test_thinking_that_is_not_shown(mode: Mode) -> None:
    """The increments that the API sends are summed up, and stand for it."""
    found = progress_of(mode, hidden(50, None, 100), max_tokens=1000)
    assert [each.estimated_thinking_tokens for each in found[:7]] == [None, None, None, 50, 50, 150, 150]
    assert [each.estimated_tokens for each in found[:7]] == [0, 0, None, 50, 50, 150, 150]
    assert found[-3].estimated_tokens == 150 + round(12 / 3.5)
    summed_up = hidden(50)
    summed_up[2]["delta"]["thinking"] = "A summary of it is no more of it."
    assert progress_of(mode, summed_up)[3].estimated_tokens == 50


@pytest.mark.parametrize("hint", [None, "50", True, 5.5, pytest.param(10**400, id="large")])
def test_thinking_of_which_nothing_is_known(mode: Mode, hint: Any) -> None:
    """There is no estimate and no fraction until the count comes."""
    found = progress_of(mode, hidden(hint), max_tokens=24)
    assert found[3].phase == "thinking"
    assert {(each.estimated_tokens, each.fraction) for each in found[2:-2]} == {(None, None)}
    assert (found[-1].estimated_tokens, found[-1].fraction) == (12, 0.5)


def test_the_usage_is_worked_out_only_when_it_changes(mode: Mode) -> None:
    """A delta costs the length of the delta, whatever came before it."""
    found = progress_of(mode, message_events("Hello, world!", chunk=1))
    assert len({id(each.usage) for each in found}) == 4  # before, message_start, message_delta, message_stop


# -- time --


def test_times() -> None:
    """They count from the start; the first content of any kind is the first token; the clock stops at the end."""
    # 1 message_start, 2 thinking starts, 3 thinks, 4 signature, 5 stop, 6 text starts, 7 text, 8 stop, 9 delta, 10 stop
    found = metered([*message_events({**THINKING, "thinking": "Hm."}, "Hello"), {"type": "news"}])
    assert [each.elapsed for each in found] == [*range(11)]
    assert [each.at for each in found] == [Clock().now + seconds for seconds in range(11)]
    assert [each.ttft for each in found] == [None, None, *[2.0] * 9]
    assert {each.since_event for each in found} == {0.0}
    assert {each.since_ping for each in found} == {None}


def test_a_model_that_is_silent() -> None:
    """Pings show that the server lives, and do not hide for how long the model has said nothing."""
    start, *rest = message_events("Hello")
    found = metered([start, PING, PING, *rest])
    assert [each.since_event for each in found[:5]] == [0.0, 0.0, 1.0, 2.0, 0.0]
    assert [each.since_ping for each in found[:6]] == [None, None, 0.0, 0.0, 1.0, 2.0]
    assert metered([PING])[1].since_event == 1.0  # nothing but pings, so far


def test_between_two_events() -> None:
    """`now` has the times of this moment, and everything else as it was; a message that is done does not age."""
    start, *rest = message_events("Hello")
    before, first, silent, *_, last = metered([start, PING, *rest])
    later = silent.now(lambda: silent.at + 5)
    assert (later.elapsed, later.since_event, later.since_ping, later.at) == (7.0, 6.0, 5.0, silent.at + 5)
    assert (later.phase, later.usage) == (silent.phase, silent.usage)
    assert later.now(lambda: later.at + 1).elapsed == 8.0
    assert first.now(lambda: first.at + 5).since_ping is None
    assert before.now(lambda: before.at + 5).elapsed == 5.0
    assert last.now(lambda: last.at + 5) is last


def test_the_end_of_a_message_without_its_last_event() -> None:
    """The clock stops when the stream has ended."""
    [*_, before, last] = metered(message_events("Hello")[:-1])
    assert (before.elapsed, last.elapsed, last.phase) == (5.0, 5.0, "done")
    assert last.now() is last


def test_one_of_your_own() -> None:
    """Something to show before the request has even been sent; its clock runs."""
    mine = Progress()
    assert (mine.phase, mine.elapsed) == ("waiting", 0.0)
    assert mine.now().elapsed >= 0.0
    assert pickle.loads(pickle.dumps(mine)) == mine == Progress(at=5.0)


# -- recordings --


def test_recorded_streams(recorded_body: bytes) -> None:
    """The last one has the characters of the message and its usage, and one more comes than there are events."""
    found = list(iter_progress(from_sse([recorded_body])))
    message = collect(from_sse([recorded_body]))
    last = found[-1]
    assert last.phase == "done"
    assert last.usage.final
    assert last.chars.text == len(text_of(message))
    assert last.chars.thinking == sum(len(block.thinking) for block in message.content if block.type == "thinking")
    inputs = iter_tool_inputs(from_sse([recorded_body]))
    assert last.chars.tool_input == sum(len(piece.delta) for piece in inputs)
    assert last.estimated_tokens == message.usage.output_tokens
    assert len(found) == recorded_body.count(b"\ndata:") + 1
