"""Steps in a row: nothing is fed before what came of the item before it is taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from claude_stream._step import Step, beginnings, flow, leftovers, salvaged


class Noted(Step[Any, Any]):
    """Gives each item so many times, notes what it is fed, and has something before the first and behind the last."""

    def __init__(self, name: str, times: int = 1) -> None:
        self._name = name
        self._times = times
        self.fed: list[Any] = []

    def begin(self) -> Iterable[Any]:
        return (f"{self._name} begins",)

    def feed(self, item: Any) -> Iterable[Any]:
        self.fed.append(item)
        return [f"{item} {self._name}"] * self._times

    def finish(self) -> Iterable[Any]:
        return (f"{self._name} ends",)

    def salvage(self) -> Iterable[Any]:
        return (f"{self._name} breaks",)


class Plain(Step[Any, Any]):
    """A step that is nothing but a step."""

    def feed(self, item: Any) -> Iterable[Any]:
        return (item,)


def test_a_step_feeds() -> None:
    """What has no `feed` is no step."""
    with pytest.raises(TypeError, match="feed"):
        Step()


def test_a_plain_step() -> None:
    """It knows nothing in advance, holds nothing back, leaves an exception as it is, and no relay shows its results."""
    step, error = Plain(), ValueError()
    assert (list(step.begin()), list(step.finish()), step.fail(error)) == ([], [], error)
    assert (list(step.salvage()), step.frames) == ([], "")


def test_no_steps_change_nothing() -> None:
    """What flows through no steps is what came."""
    assert list(flow([], [1, 2])) == [1, 2]
    assert (list(beginnings([])), list(leftovers([])), list(salvaged([]))) == ([], [], [])


def test_items_flow_one_by_one() -> None:
    """No step is fed, and the source is not asked, before somebody takes what came of the item before."""
    first, second = Noted("a", times=2), Noted("b")
    asked: list[int] = []

    def source() -> Iterator[int]:
        for number in (1, 2):
            asked.append(number)
            yield number

    flowing = flow([first, second], source())
    assert (asked, first.fed, second.fed) == ([], [], [])
    assert next(flowing) == "1 a b"
    assert (asked, first.fed, second.fed) == ([1], [1], ["1 a"])
    assert next(flowing) == "1 a b"
    assert (asked, second.fed) == ([1], ["1 a", "1 a"])
    assert list(flowing) == ["2 a b"] * 2


def test_what_a_step_knows_goes_through_those_behind_it() -> None:
    """So does what it has held back; those in front of it never see it."""
    steps = [Noted("a"), Noted("b"), Noted("c")]
    assert list(beginnings(steps)) == ["a begins b c", "b begins c", "c begins"]
    assert list(leftovers(steps)) == ["a ends b c", "b ends c", "c ends"]
    assert list(salvaged(steps)) == ["a breaks b c", "b breaks c", "c breaks"]
    assert [step.fed for step in steps] == [
        [],
        ["a begins", "a ends", "a breaks"],
        ["a begins b", "b begins", "a ends b", "b ends", "a breaks b", "b breaks"],
    ]
