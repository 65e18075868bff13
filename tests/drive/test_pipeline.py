"""Sources, steps and readers put together: what an awaitable may give, and stages on stages."""

from __future__ import annotations

from typing import Any

import pytest

from claude_stream import Accumulator, collect, from_sse, iter_events, iter_text, tap
from claude_stream.testing import message_events
from tests.support import ASYNC_MODES, Mode, body_of

EVENTS = message_events("Hello, world!")


@ASYNC_MODES
def test_an_awaitable_that_gives_no_stream(mode: Mode) -> None:
    """`create()` without `stream=True`, un-awaited, is named once it is known."""

    async def create() -> Any:
        return collect(EVENTS)

    async def create_sync() -> Any:
        return iter(EVENTS)

    for make, says in ((create, "stream=True"), (create_sync, "async stream")):
        error = mode.read(lambda make=make: iter_text(make())).error
        assert isinstance(error, TypeError)
        assert says in str(error)


def test_stages_on_stages_share_one_guard(mode: Mode) -> None:
    """Stages nest to any depth, and the observers see the very objects that the reader gets."""
    seen: list[Any] = []
    accumulator = Accumulator()

    def make() -> Any:
        return tap(iter_events(tap(mode.stream(body_of(EVENTS)), seen.append)), accumulator.feed)

    events = mode.read(make).items
    assert [id(event) for event in events] == [id(event) for event in seen]
    assert accumulator.result() == collect(EVENTS)
    assert "".join(mode.read(lambda: iter_text(make())).items) == "Hello, world!"


@pytest.mark.parametrize("beta", [False, True])
def test_observers_see_beta_objects_where_beta_is_asked_for(mode: Mode, beta: bool) -> None:
    """`beta=True` in front of a tap holds for its observers."""
    seen: list[Any] = []
    outcome = mode.read(lambda: tap(from_sse(mode.source([body_of(EVENTS)]), beta=beta), seen.append))
    assert outcome.error is None
    assert {type(event).__name__.startswith("Beta") for event in seen} == {beta}
    assert [id(event) for event in outcome.items] == [id(event) for event in seen]  # the very objects
