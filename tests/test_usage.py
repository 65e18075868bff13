"""Token counts: one message's, and many messages' together."""

from __future__ import annotations

from typing import Any

import pytest

from claude_stream import Accumulator, Usage, UsageTally, collect
from claude_stream.testing import message_events


def message(identifier: str, model: str = "claude-a", **usage: Any) -> Any:
    events = message_events("Hi", usage=usage)
    events[0]["message"].update(id=identifier, model=model)
    return collect(events)


@pytest.mark.parametrize("item", ["text", None, 3, {"usage": {}}])
def test_what_cannot_be_counted_is_refused(item: Any) -> None:
    """Only messages and accumulators are counted."""
    with pytest.raises(TypeError, match="takes a Message or an Accumulator"):
        UsageTally().add(item)


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"input_tokens": None, "output_tokens_details": None},
        {"output_tokens": "many"},
        {"output_tokens_details": "many"},
    ],
)
def test_counts_that_are_missing_are_zero(usage: dict[str, Any]) -> None:
    """Null, missing and nonsensical counts are 0."""
    assert Usage.from_wire(usage, final=True) == Usage(final=True)


def test_every_count_is_read() -> None:
    """The counts of the API's usage object, and their sum on the way in."""
    wire = {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 4,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    usage = Usage.from_wire(wire, final=True)
    assert usage == Usage(1, 2, 3, 4, 5, final=True)
    assert usage.total_input == 8


def test_usages_add_up() -> None:
    """The sum is final only if both are."""
    assert Usage(1, 2, 3, 4, 5, final=True) + Usage(1, 1, 1, 1, 1) == Usage(2, 3, 4, 5, 6)
    assert (Usage(final=True) + Usage(final=True)).final
    assert sum([Usage(1, final=True), Usage(2, final=True)]) == Usage(3, final=True)
    with pytest.raises(TypeError):
        _ = 1 + Usage()


def test_a_message_counts_once() -> None:
    """Adding the same message again changes nothing."""
    tally = UsageTally()
    assert tally.total == Usage(final=True)
    for _ in range(2):
        tally.add(message("a", input_tokens=5, output_tokens=7))
    tally.add(message("b", model="claude-b", input_tokens=1, output_tokens=1))
    tally.add(message("c", input_tokens=1, output_tokens=1))
    assert tally.total == Usage(7, 9, final=True)
    assert tally.by_model == {"claude-a": Usage(6, 8, final=True), "claude-b": Usage(1, 1, final=True)}
    assert list(tally.by_model) == ["claude-a", "claude-b"]


def test_an_accumulator_counts_while_it_is_at_work() -> None:
    """A message in progress counts as not final, and its end replaces what it counted for."""
    events = message_events("Hi", usage={"input_tokens": 5, "output_tokens": 7})
    tally, accumulator = UsageTally(), Accumulator()
    tally.add(accumulator)
    assert tally.total == Usage(final=True)
    for event in events[:3]:
        accumulator.feed(event)
    tally.add(accumulator)
    assert tally.total == Usage(5, 1)
    partial = accumulator.message
    assert partial is not None
    tally.add(partial)
    assert tally.total == Usage(5, 1)
    for event in events[3:]:
        accumulator.feed(event)
    tally.add(accumulator.result())
    assert tally.total == Usage(5, 7, final=True)


def test_tallies_add_up_by_message() -> None:
    """Two tallies that counted the same message count it once together."""
    one, two = UsageTally(), UsageTally()
    one.add(message("a", input_tokens=5, output_tokens=7))
    two.add(message("a", input_tokens=5, output_tokens=7))
    two.add(message("b", input_tokens=1, output_tokens=1))
    assert (one + two).total == Usage(6, 8, final=True)
    assert one.total == Usage(5, 7, final=True)
    two.add(message("a", input_tokens=5, output_tokens=8))
    assert (one + two).total == Usage(6, 9, final=True)  # the one on the right counted it last


def test_a_message_without_usage_counts_nothing() -> None:
    """A gateway that sends no usage does not break the tally."""
    events = message_events("Hi")
    del events[0]["message"]["usage"], events[-2]["usage"]
    tally = UsageTally()
    tally.add(collect(events))
    assert tally.total == Usage(final=True)


def test_how_a_tally_is_shown() -> None:
    """One line says how many messages, how many tokens, and of which models."""
    tally = UsageTally()
    assert repr(tally) == "<UsageTally: 0 messages; 0 tokens in, 0 out; no model>"
    tally.add(collect(message_events("Hello")))
    assert repr(tally) == "<UsageTally: 1 messages; 10 tokens in, 12 out; claude-test>"
    accumulator = Accumulator()
    accumulator.feed({**message_events()[0], "message": {**message_events()[0]["message"], "id": "msg_2"}})
    tally.add(accumulator)
    assert ", not final; " in repr(tally)
