"""Times, by a clock that the test sets."""

from __future__ import annotations

from typing import Any

import pytest

from claude_stream import StreamProtocolError, StreamTimer, StreamTruncatedError, collect, iter_text, tap
from claude_stream.testing import message_events
from tests.support import Mode, delta

THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def timed(events: list[dict[str, Any]], seconds: float = 1.0) -> StreamTimer:
    """Feed events to a timer, a fixed time after each other."""
    clock = Clock()
    timer = StreamTimer(clock)
    for event in events:
        clock.now += seconds
        assert timer.feed(event) == (event,)
    return timer


def test_before_the_first_event() -> None:
    """Nothing is known, and the clock runs."""
    clock = Clock()
    timer = StreamTimer(clock)
    clock.now += 2.5
    assert (timer.ttft, timer.ttft_text, timer.longest_gap, timer.tokens_per_second) == (None, None, 0.0, None)
    assert timer.elapsed == 2.5
    assert repr(timer) == "StreamTimer(ttft=None, ttft_text=None, longest_gap=0.0)"


def test_a_whole_stream() -> None:
    """First content, first visible text, the end, and the speed from the first content on."""
    # 1 message_start, 2 thinking starts, 3 thinks, 4 signature, 5 stop, 6 text starts, 7 text, 8 stop, 9 delta, 10 stop
    timer = timed(message_events(THINKING, "Hello", usage={"output_tokens": 16}))
    assert (timer.ttft, timer.ttft_text, timer.elapsed) == (2.0, 7.0, 10.0)
    assert timer.tokens_per_second == 16 / 8
    assert timer.longest_gap == 1.0


def test_the_speed_is_unknown_until_the_usage_is_final() -> None:
    """A placeholder is no count, and neither is a count that may still grow."""
    events = message_events("Hello")
    assert timed(events[:-1]).tokens_per_second is None
    failed = timed(events[:-1])
    failed.fail(ValueError())
    assert failed.tokens_per_second is None
    ended = timed(events[:-1])
    ended.finish()
    assert ended.tokens_per_second == 12 / 3
    without_content = [events[0], *events[-2:]]
    assert timed(without_content).tokens_per_second is None
    assert timed(events, seconds=0).tokens_per_second is None
    assert timed(message_events("Hello", usage={"output_tokens": 1})).tokens_per_second is not None
    for count in (0, -1, 10**400, "16", None):
        assert timed(message_events("Hello", usage={"output_tokens": count})).tokens_per_second is None


def test_a_ping_is_no_event_to_wait_for() -> None:
    """The longest gap is between events of the message."""
    events = message_events("Hello")
    events[2:2] = [{"type": "ping"}, {"type": "ping"}]
    assert timed(events).longest_gap == 3.0


def test_the_clock_stops_with_the_message() -> None:
    """What comes after the end, or after a failure, does not count."""
    clock = Clock()
    timer = StreamTimer(clock)
    for event in message_events("Hello"):
        timer.feed(event)
    for late in ({"type": "news"}, delta(0, type="text_delta", text="!")):
        clock.now += 5
        timer.feed(late)
    assert (timer.elapsed, timer.longest_gap) == (0.0, 0.0)


@pytest.mark.parametrize(("content", "expected"), [([{"type": "text", "text": "Hi"}], 1.0), (None, 3.0), ([], 3.0)])
def test_content_in_message_start_counts(content: Any, expected: float) -> None:
    """Text that the message starts with is the first text."""
    start, *rest = message_events("Hello")
    start["message"]["content"] = content
    assert timed([start, *rest]).ttft_text == expected


def test_it_can_look_on(mode: Mode) -> None:
    """As an observer of a stream it times that stream, also one that is cut; helper events are nothing to it."""
    timer = StreamTimer()
    mode.message(lambda: collect(tap(mode.source(message_events("Hello")), timer.feed)))
    assert timer.ttft is not None
    assert timer.tokens_per_second is not None
    outcome = mode.read(lambda: iter_text(tap(mode.source(message_events("Hello", cut=3)), StreamTimer().feed)))
    assert isinstance(outcome.error, StreamTruncatedError)
    from anthropic.lib.streaming import TextEvent

    synthesised = TextEvent.construct(type="text", text="a", snapshot="a")
    assert StreamTimer().feed(synthesised) == (synthesised,)


def test_what_is_no_event_is_refused() -> None:
    """A timer that is fed by hand names what is no event."""
    with pytest.raises(StreamProtocolError):
        StreamTimer().feed("text")


def test_a_delta_that_lacks_something() -> None:
    """It is an event like another to the clock; what is wrong with it is for others to say."""
    timer = StreamTimer()
    for event in message_events({"type": "thinking", "thinking": "Hm."})[:3]:
        timer.feed(event)
    for broken in ({}, {"delta": None}):
        assert timer.feed({"type": "content_block_delta", "index": 0, **broken}) is not None
    assert timer.ttft is not None
    assert timer.ttft_text is None


def test_text_that_a_block_starts_with_is_visible() -> None:
    """The first text counts where it comes."""
    start, block, *rest = message_events("Hello")
    block["content_block"] = {"type": "text", "text": "Hi"}
    assert timed([start, block, *rest]).ttft_text == 2.0
    assert timed([start, {**block, "content_block": {"type": "text", "text": ""}}, *rest]).ttft_text == 3.0


@pytest.mark.parametrize("tokens", [None, 0, "9", 9.5])
def test_a_count_that_is_none_keeps_the_one_before(tokens: Any) -> None:
    """The speed is that of the last real count."""
    *events, end, stop = message_events("Hello", usage={"output_tokens": 8})
    timer = timed([*events, end, {**end, "usage": {"output_tokens": tokens}}, stop])
    assert timer.tokens_per_second == 8 / (timer.elapsed - 2.0)


@pytest.mark.parametrize("way", ["finish", "fail"])
def test_the_clock_stops_where_the_stream_does(way: str) -> None:
    """Also where it ends without message_stop, or fails."""
    clock = Clock()
    timer = StreamTimer(clock)
    clock.now += 3.0
    if way == "fail":
        exc = ValueError()
        assert timer.fail(exc) is exc
    else:
        assert list(timer.finish()) == []
    clock.now += 5.0
    assert timer.elapsed == 3.0
    assert timer.tokens_per_second is None


def test_events_that_stand_nowhere() -> None:
    """A timer is no guard: a first delta is content, wherever it stands, and what has no type is no event."""
    assert timed([{"type": "content_block_delta", "index": 0, "delta": {"thinking": "Hm."}}]).ttft == 1.0
    assert timed([{"type": "message_start"}, {"type": "news", "message": {"content": [THINKING]}}]).ttft is None
    with pytest.raises(StreamProtocolError, match="without a type"):
        StreamTimer(Clock()).feed({})
