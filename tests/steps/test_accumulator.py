"""The push-mode core: what it says of the message so far, and what it refuses."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from anthropic.types import Message
from anthropic.types.beta import BetaMessage

from claude_stream import Accumulator, StreamAPIError, StreamProtocolError, StreamTruncatedError, Usage, collect
from claude_stream.testing import message_events
from tests.faults import error_event
from tests.support import delta, fed

THINKING = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}
WEATHER = ("get_weather", {"city": "Paris"})


@pytest.mark.parametrize("item", [None, 1, "text", b"bytes", [], {}, {"type": None}, {"type": ["x"]}, object()])
def test_what_is_no_event_is_named(item: Any) -> None:
    """Anything that is no event is a StreamProtocolError that shows it."""
    with pytest.raises(StreamProtocolError, match=r"is not an event|without a type"):
        Accumulator().feed(item)


def test_an_error_holds_the_message_so_far() -> None:
    """An accumulator that is fed by hand gives its errors the partial message, too."""
    accumulator = fed(message_events("Hello", cut=4))
    with pytest.raises(StreamProtocolError) as caught:
        accumulator.feed(delta(7, type="text_delta", text="x"))
    assert caught.value.partial == accumulator.message
    assert "event 5 (content_block_delta)" in str(caught.value)
    assert "characters of text 5" in str(caught.value)
    with pytest.raises(StreamAPIError) as caught_api:
        accumulator.feed(error_event("api_error"))
    assert caught_api.value.partial == accumulator.message


def test_the_result_of_an_incomplete_message_is_refused() -> None:
    """`result()` raises until the message is complete; `message` gives what there is."""
    with pytest.raises(StreamTruncatedError):
        Accumulator().result()
    accumulator = fed(message_events("Hello", cut=3))
    with pytest.raises(StreamTruncatedError):
        accumulator.result()
    assert not accumulator.complete
    assert accumulator.open_blocks == (0,)
    assert accumulator.message is not None
    assert accumulator.message.content[0].text == "Hello"


def test_before_the_first_event() -> None:
    """There is no message, no usage and nothing to send back."""
    accumulator = Accumulator()
    assert (accumulator.message, accumulator.usage, accumulator.to_param()) == (None, Usage(), None)
    assert (accumulator.complete, accumulator.open_blocks) == (False, ())


def test_what_comes_after_message_stop_is_ignored() -> None:
    """A complete message cannot fail any more, whatever is fed to it."""
    events = message_events("Hello")
    accumulator = fed(events)
    for item in (error_event("api_error"), message_events("again")[0], None, "junk", ValueError()):
        accumulator.feed(item)
    assert accumulator.result() == collect(events)


def test_usage_is_a_placeholder_until_the_message_is_complete() -> None:
    """`final` tells a placeholder from a count."""
    events = message_events("Hello")
    accumulator = fed(events[:-2])
    assert (accumulator.usage.output_tokens, accumulator.usage.final) == (1, False)
    accumulator.feed(events[-2])
    assert (accumulator.usage.output_tokens, accumulator.usage.final) == (12, True)


@pytest.mark.parametrize(
    ("raw", "stop_reason", "expected"),
    [("", "max_tokens", (1,)), ('{"a', "max_tokens", (1,)), ("", "tool_use", ()), ('{"a": 1}', "max_tokens", ())],
)
def test_open_blocks_name_a_call_that_was_cut(raw: str, stop_reason: str, expected: tuple[int, ...]) -> None:
    """A tool call that the stop reason cut is open, although the API closed its block."""
    events = message_events("Hello", ("tool", {}), stop_reason=stop_reason)
    if raw:
        events[5]["delta"]["partial_json"] = raw
    accumulator = fed(events)
    assert accumulator.open_blocks == expected
    assert accumulator.result().stop_reason == stop_reason


def test_snapshots_are_copies() -> None:
    """What a user does to a snapshot, or to the events it fed, changes nothing."""
    events = message_events("Hello", ("tool", {"a": {"b": [1]}}))
    events[0]["message"]["extra"] = {"list": [1]}
    pristine = copy.deepcopy(events)
    accumulator = fed(events)
    snapshot: Any = accumulator.message
    snapshot.content[1].input["a"]["b"].append(2)
    snapshot.extra["list"].append(2)
    snapshot.usage.output_tokens = 99
    assert events == pristine
    events[0]["message"]["extra"]["list"].append(3)
    assert accumulator.message == collect(pristine)
    assert accumulator.usage.output_tokens == 12


def test_the_same_events_can_be_fed_twice() -> None:
    """Accumulating does not consume or change a list of events."""
    events = message_events(THINKING, "Hello", WEATHER)
    assert collect(events) == collect(events)


def test_the_text_so_far() -> None:
    """It is there at any time, without a message being built."""
    accumulator = fed(message_events("One. ", THINKING, "Two.", cut=4))
    assert (accumulator.text, accumulator.complete) == ("One. ", False)
    assert fed(message_events("One. ", THINKING, "Two.")).text == "One. Two."
    assert Accumulator().text == ""


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], "no message yet"),
        (message_events(cut=1), "not complete; no content; 0 characters of text; 1 tokens out"),
        (message_events("Hello", WEATHER, cut=3), "not complete; text; 5 characters of text; 1 tokens out"),
        (message_events("Hello", WEATHER), "complete, tool_use; text, tool_use; 5 characters of text; 12 tokens out"),
        (
            message_events(usage={"output_tokens": 10**5000}),
            "complete, end_turn; no content; 0 characters of text; 0 tokens out",
        ),
    ],
)
def test_how_it_is_shown(events: list[Any], expected: str) -> None:
    """What one wants to know at a glance, and nothing that is long or secret."""
    assert repr(fed(events)) == f"<Accumulator: {expected}>"


@pytest.mark.parametrize("beta", [False, True])
def test_which_message_it_makes(beta: bool) -> None:
    """A beta one of plain dicts, if that is asked for."""
    accumulator = Accumulator(beta=beta)
    for event in message_events("Hello"):
        accumulator.feed(event)
    assert type(accumulator.result()) is (BetaMessage if beta else Message)


def test_a_prefill_is_asked_for() -> None:
    """Only then the white space at the end goes, which the API refuses there and not elsewhere."""
    accumulator = Accumulator()
    for event in message_events("Hello \n", cut=5):
        accumulator.feed(event)
    assert accumulator.to_param() == {"role": "assistant", "content": [{"type": "text", "text": "Hello \n"}]}
    assert accumulator.to_param(prefill=True) == {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}
