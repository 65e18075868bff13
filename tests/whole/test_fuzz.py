"""Fuzzing, in short: a few hundred examples of each target, whose long form is ``python -m tests.fuzz``."""

from __future__ import annotations

import random
from typing import Any

import pytest

import claude_stream
from claude_stream import StreamProtocolError, StreamTruncatedError
from claude_stream.testing import message_events
from tests.fuzz import run as runner
from tests.fuzz.events import Case
from tests.fuzz.mutator import Mutator
from tests.fuzz.page import section
from tests.fuzz.reference import events_in_lines, events_in_sse, fold
from tests.fuzz.run import TARGETS, Result, run, smaller
from tests.fuzz.seeds import streams
from tests.pages import write

SEEDS = streams()
EXAMPLES = 200


@pytest.mark.parametrize("name", TARGETS)
def test_a_target(name: str) -> None:
    """Whatever it is fed: documented exceptions, what the reference has, the same in sync and asyncio."""
    result = run(name, SEEDS, seed=15, examples=EXAMPLES)
    assert "\n".join(map(str, result.failures)) == ""
    assert result.examples == EXAMPLES


def test_every_iterator_is_a_target() -> None:
    """Who adds an iterator adds a target."""
    names = {name for name in claude_stream.__all__ if name.startswith(("iter_", "from_", "to_"))}
    assert names | {"collect", "tap", "ensure_finished", "Accumulator", "MessageStream"} <= set(TARGETS)


def test_an_example_is_decided_by_its_number() -> None:
    """The same number gives the same example, and no other does."""
    first, again, other = (Mutator(random.Random(f"1/x/{number}"), SEEDS).stream() for number in (7, 7, 8))
    assert repr(first) == repr(again) != repr(other)


def test_seeds_stay_as_they_are() -> None:
    """What is changed is copied first."""
    seeds = streams()
    for number in range(300):
        Mutator(random.Random(number), seeds).sse()
    assert repr(seeds) == repr(streams())


class Broken:
    """A target that fails at a `ping`."""

    name = "broken"

    def case(self, mutator: Mutator) -> Case:
        return Case([*mutator.stream(), {"type": "ping"}, {"type": "news"}])

    def check(self, case: Case, run: Any) -> None:
        del run
        assert {"type": "ping"} not in case.items, "a ping"


def test_a_failure_is_found_once_and_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first example of it is reported, without the items that it does not need."""
    monkeypatch.setitem(runner.TARGETS, "broken", Broken())
    result = run("broken", SEEDS, seed=1, examples=20, start=5)
    [failure] = result.failures
    assert (failure.number, failure.case.items) == (5, [{"type": "ping"}])
    assert "a ping" in str(failure)
    assert "{'type': 'ping'}" in str(failure)


def test_many_different_failures_end_a_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten of them say enough."""
    monkeypatch.setattr(runner, "ENOUGH", 1)
    monkeypatch.setitem(runner.TARGETS, "broken", Broken())
    assert run("broken", SEEDS, seed=1, examples=20).examples == 1


def test_another_failure_is_no_smaller_case() -> None:
    """Making a case small does not leave its failure for another one."""
    case = smaller(Case([1, 2, 3]), lambda each: ("sum", sum(each.items)) if 2 in each.items else ("other", ""), "sum")
    assert case.items == [2]


def test_the_reference() -> None:
    """It knows what a whole stream, a cut one and one in disorder end in."""
    start, *middle, tail, stop = message_events("Hello", ("tool", {"a": 1}), id="msg_1")
    whole = fold([start, *middle, tail, stop])
    message = whole.message()
    assert message is not None
    assert [block.get("text", block.get("input")) for block in message["content"]] == ["Hello", {"a": 1}]
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("tool_use", 12)
    assert (whole.error, whole.calls(), whole.complete) == (None, [1], True)
    assert fold([start, *middle]).error is StreamTruncatedError
    assert fold([start, start]).error is StreamProtocolError
    assert fold([start, {"type": "error", "error": {"type": "overloaded_error"}}]).error is (
        claude_stream.StreamOverloadedError
    )


def test_the_reference_reads_bodies() -> None:
    """Whatever ends a line; what cannot be decoded is None."""
    assert events_in_sse(b'event: a\rdata: {"b":1}\r\rdata: [\n\ndata: {"type":"c"}') == [
        {"type": "a", "b": 1},
        None,
        {"type": "c"},
    ]
    assert events_in_lines(b'{"type":"a"}\n\n[]\n{"type"') == [{"type": "a"}, None]


def test_the_page(tmp_path: Any) -> None:
    """The section is written where it stood, and what others wrote stays."""
    page = tmp_path / "page.md"
    page.write_text("# Reliability\n\n## Soak\n\nThousands.\n\n<!-- fuzz: begin --><!-- fuzz: end -->")
    for examples in (111, 222):
        results = [Result("from_sse", examples, 3.0, [])]
        write(page, "fuzz", section(results, seed=7, seeds=11, recordings=0, command="python -m tests.fuzz"))
    text = page.read_text()
    assert "| `from_sse` | 222 | 3 | 0 |" in text
    assert "111" not in text
    assert text.startswith("# Reliability\n\n## Soak\n\nThousands.\n\n<!-- fuzz:")
