"""Iterables of the user's own: read before, and closed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from claude_stream import collect, iter_events, iter_text
from claude_stream.testing import message_events
from tests.support import ASYNC_MODES, Mode, body_of

EVENTS = message_events("Hello, world!")


def test_a_finished_generator(mode: Mode) -> None:
    """A generator that has nothing left is a mistake, not a cut stream."""

    async def agenerate() -> Any:
        for event in EVENTS:
            yield event

    async def check_async() -> None:
        generator = agenerate()
        assert [event async for event in generator]
        with pytest.raises(TypeError, match="read or closed before"):
            await collect(generator)

    if mode.is_async:
        mode.run(check_async)
        return
    generator = (event for event in EVENTS)
    list(generator)
    with pytest.raises(TypeError, match="read or closed before"):
        collect(generator)


@ASYNC_MODES
def test_an_unawaited_request_that_is_never_read(mode: Mode) -> None:
    """Closing an iterator that was never read closes the coroutine that it was given, without a warning."""

    async def main() -> None:
        await iter_text(mode.stream(body_of(EVENTS))).aclose()

    mode.run(main)
    gc.collect()


def test_closing_over_a_list_is_fine(mode: Mode) -> None:
    """A source that has nothing to close is none to complain about."""

    async def main() -> None:
        async with iter_text(mode.source(EVENTS)) as chunks:
            assert await chunks.__anext__() == "Hello, w"

    if mode.is_async:
        mode.run(main)
    else:
        with iter_text(EVENTS) as chunks:
            assert next(chunks) == "Hello, w"
    assert not hasattr(EVENTS, "close")


def test_closing_closes_a_users_generator(mode: Mode) -> None:
    """`close` reaches through stages to the source."""
    closed: list[bool] = []

    def events() -> Iterator[Any]:
        try:
            yield from EVENTS
        finally:
            closed.append(True)

    async def aevents() -> Any:
        try:
            for event in EVENTS:
                yield event
        finally:
            closed.append(True)

    async def main() -> None:
        async with iter_text(iter_events(aevents())) as chunks:
            assert await chunks.__anext__() == "Hello, w"

    if mode.is_async:
        mode.run(main)
    else:
        with iter_text(iter_events(events())) as chunks:
            assert next(chunks) == "Hello, w"
    assert closed == [True]
