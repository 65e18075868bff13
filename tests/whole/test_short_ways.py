"""A delta like the one before takes a short way through each step, and ends as it would by the long one."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_stream import Accumulator, StreamTimer
from claude_stream._steps.builder import MessageBuilder
from claude_stream._wire.events import to_event
from claude_stream.testing import message_events

START, *_ = message_events()
STARTS = [
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "n"}},
]
GOOD = st.sampled_from(
    [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "good"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"type": "c"}}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": " "}},
    ]
)
OTHERS = st.sampled_from(
    [
        {"type": "ping"},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
        {"type": "news", "index": 0},
    ]
)
ODD = st.sampled_from([None, 1, "news", [], {"stop_reason": "end_turn"}])
CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "type": ODD,
    "index": st.sampled_from([False, 0, 1, 2, None]),
    "delta": ODD | st.just({}),
}
DELTA_CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "type": ODD | st.sampled_from(["text_delta", "input_json_delta", "thinking_delta"]),
    "text": ODD,
    "partial_json": ODD,
}


@st.composite
def nearly_good(draw: st.DrawFn) -> dict[str, Any]:
    """Return a delta in which one thing is not as it should be, or missing."""
    event: dict[str, Any] = draw(GOOD)
    if draw(st.booleans()):
        return changed(draw, event, CHANGES)
    return {**event, "delta": changed(draw, event["delta"], DELTA_CHANGES)}


def changed(draw: st.DrawFn, fields: dict[str, Any], changes: dict[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    """Return the fields with one of them changed, added or left out."""
    name = draw(st.sampled_from(sorted(changes)))
    if draw(st.booleans()):
        return {key: value for key, value in fields.items() if key != name}
    return {**fields, name: draw(changes[name])}


STREAMS = st.lists(GOOD | GOOD | nearly_good() | OTHERS, max_size=8)


class LongWay(dict[str, Any]):
    """An event that is a dict, and yet none that a short way is for."""


def fed(feed: Callable[[Any], Any], events: list[Any]) -> list[Any]:
    """Return what comes of each event, or how it is refused."""
    outcomes: list[Any] = []
    for event in events:
        try:
            outcomes.append(copy.deepcopy(list(map(dict, feed(event)))))  # a dict may be good until the next event
        except Exception as exc:
            outcomes.append((type(exc), str(exc).replace("LongWay", "dict")))
    return outcomes


def timer() -> StreamTimer:
    """Return a timer whose clock goes on by more each time that it is read."""
    return StreamTimer(itertools.accumulate(itertools.count(1)).__next__)


@pytest.mark.slow
@settings(max_examples=1_000)
@given(STREAMS)
def test_the_accumulator(events: list[Any]) -> None:
    """The results, the refusals, the message and the counts are the same."""
    events = [START, *STARTS, *events]
    short, long = MessageBuilder(), MessageBuilder()
    assert fed(short.feed, events) == fed(long.feed, list(map(LongWay, events)))
    assert short.message == long.message
    assert vars(short.guard) == vars(long.guard)
    assert short.open_blocks == long.open_blocks


def as_objects(events: list[Any]) -> list[Any]:
    """Return the events as the SDK's objects, where they can be made into any."""
    objects: list[Any] = []
    for event in events:
        try:
            objects.append(to_event(copy.deepcopy(event)))
        except Exception:
            objects.append(event)
    return objects


@pytest.mark.slow
@settings(max_examples=1_000)
@given(STREAMS)
def test_objects_that_nobody_sees(events: list[Any]) -> None:
    """Where no event is handed out, objects of the SDK make no dicts; all that comes of them is the same."""
    objects = as_objects([START, *STARTS, *events])
    short, long = MessageBuilder(sourced=False), MessageBuilder(sourced=True)
    assert fed(short.feed, objects) == fed(long.feed, objects)
    assert short.message == long.message
    assert vars(short.guard) == vars(long.guard)
    assert short.open_blocks == long.open_blocks


@pytest.mark.slow
@settings(max_examples=1_000)
@given(STREAMS)
def test_the_timer(events: list[Any]) -> None:
    """The refusals and the times are the same."""
    short, long = timer(), timer()
    assert fed(short.feed, events) == fed(long.feed, list(map(LongWay, events)))
    assert repr(short) == repr(long)
    assert (short.elapsed, short.tokens_per_second) == (long.elapsed, long.tokens_per_second)


@pytest.mark.parametrize("size", [1, 6])
def test_many_pieces(size: int) -> None:
    """The pieces of a long string are joined on the way, by either way, and none is lost."""
    text = "".join(map(str, range(3_000)))
    events: list[Any] = message_events(text, ("tool", {"text": text}), chunk=size)
    for kind in (dict, LongWay):
        accumulator = Accumulator()
        for event in events:
            accumulator.feed(kind(event))
        first, second = accumulator.result().content
        assert first.type == "text"
        assert first.text == text
        assert second.type == "tool_use"
        assert second.input == {"text": text}


class Name(str):
    """A string of a class of its own, as an enumeration of strings has them."""

    __slots__ = ()


def test_a_type_that_is_a_string_of_another_class() -> None:
    """It counts as the string that it is."""
    events: list[Any] = message_events("Hello")
    for event in events:
        if "delta" in event and "type" in event["delta"]:
            event["delta"]["type"] = Name(event["delta"]["type"])
    accumulator = Accumulator()
    for event in events:
        accumulator.feed(event)
    [block] = accumulator.result().content
    assert block.type == "text"
    assert block.text == "Hello"
