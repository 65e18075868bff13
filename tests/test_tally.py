"""What many messages cost together, each once, whatever the order."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from claude_stream import Accumulator, MessageStream, Usage, UsageTally, collect, iter_text
from claude_stream.testing import message_events


def message(identifier: str, model: str = "claude-a", **usage: Any) -> Any:
    events = message_events("Hi", usage=usage)
    events[0]["message"].update(id=identifier, model=model)
    return collect(events)


@pytest.mark.parametrize(
    "item",
    [
        "text",
        None,
        3,
        {"usage": {}},
        Usage(1),
        SimpleNamespace(usage=Usage(1)),
        SimpleNamespace(stop_reason="end_turn"),
    ],
)
def test_what_cannot_be_counted_is_refused(item: Any) -> None:
    """Only messages and accumulators are counted."""
    with pytest.raises(TypeError, match="takes a message, or a reader"):
        UsageTally().add(item)


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


def test_what_is_billed_is_added_to_the_model_that_is_billed() -> None:
    """A compaction counts, and an advisor's turns are the advisor's."""
    iterations = [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_000},
        {"type": "advisor_message", "input_tokens": 700, "output_tokens": 90, "model": "claude-c"},
        {"type": "message", "input_tokens": 900, "output_tokens": 40},
    ]
    tally = UsageTally()
    tally.add(message("a", input_tokens=900, output_tokens=40, iterations=iterations))
    tally.add(message("b", input_tokens=1, output_tokens=2))
    assert tally.total.total_input == 181_601
    assert tally.total.output_tokens == 3_132
    found = {model: (usage.input_tokens, usage.output_tokens) for model, usage in tally.by_model.items()}
    assert found == {"claude-a": (180_901, 3_042), "claude-c": (700, 90)}


def test_the_order_changes_nothing() -> None:
    """A partial count never replaces a final one, nor a smaller a greater one, in whatever order they are added."""
    events = message_events("Hi", id="msg_1", usage={"input_tokens": 5, "output_tokens": 7})
    less = message_events("Hi", id="msg_1", usage={"output_tokens": 6})
    counts: list[Any] = [collect(events)]
    for length in (1, 3):
        accumulator = Accumulator()
        for event in events[:length]:
            accumulator.feed(event)
        counts.append(accumulator)
    for order in itertools.permutations([*counts, collect(less)]):
        tally, parts = UsageTally(), UsageTally()
        for item in order:
            tally.add(item)
            part = UsageTally()
            part.add(item)
            parts += part
        assert tally.total == parts.total == Usage(5, 7, final=True)


def test_readers_and_streams_are_counted() -> None:
    """As far as they were read."""
    events = message_events("Hi", usage={"input_tokens": 5, "output_tokens": 7})
    for make in (iter_text, MessageStream):
        tally, reader = UsageTally(), make(events)
        tally.add(reader)
        assert tally.total == Usage(final=True)
        next(iter(reader))
        tally.add(reader)
        assert tally.total == Usage(5, 1)
        list(reader)
        tally.add(reader)
        assert tally.total == Usage(5, 7, final=True)


def test_messages_without_an_id_count_each() -> None:
    """There is no telling whether they are the same."""
    tally = UsageTally()
    for _ in range(2):
        tally.add(message("", input_tokens=5, output_tokens=7))
    assert tally.total == Usage(10, 14, final=True)


def test_a_tally_is_added_to_a_tally() -> None:
    """And to nothing else."""
    with pytest.raises(TypeError):
        _ = UsageTally() + 3


@pytest.mark.parametrize("odd", [{"a": 1}, [1], 5, pytest.param(10**5000, id="long"), None])
def test_an_id_and_a_model_of_any_shape(odd: Any) -> None:
    """They are counted, each message by itself, and break nothing."""
    start, *_ = message_events(usage={"iterations": [{"type": "message", "output_tokens": 3}]})
    start["message"].update(id=odd, model=odd)
    tally = UsageTally()
    for _ in range(2):
        accumulator = Accumulator()
        accumulator.feed(start)
        tally.add(accumulator)
    [model] = tally.by_model
    assert isinstance(model, str)
    assert tally.total.output_tokens == 6
