"""Iterables of the user's own: read before, and closed."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from claude_stream import (
    AsyncMessageStream,
    MessageStream,
    StreamConnectionError,
    StreamTimeoutError,
    collect,
    from_sse,
    iter_events,
    iter_text,
)
from claude_stream._drive.pipeline import Options, drive
from claude_stream._drive.timeouts import Limits
from claude_stream.testing import message_events
from claude_stream.testing._http import http_package
from tests.clocks import Timeless
from tests.support import ASYNC_MODES, AsyncItems, Mode, OwnError, body_of, failing

EVENTS = message_events("Hello, world!")


def test_a_finished_generator(mode: Mode) -> None:
    """A generator that has nothing left is a mistake, not a cut stream."""

    async def agenerate() -> Any:
        for event in EVENTS:
            yield event

    async def check_async() -> None:
        generator = agenerate()
        assert [event async for event in generator]
        with pytest.raises(TypeError, match=r"this stream \(async_generator\) was read or closed before"):
            await collect(generator)

    if mode.is_async:
        mode.run(check_async)
        return
    generator = (event for event in EVENTS)
    list(generator)
    with pytest.raises(TypeError, match=r"this stream \(generator\) was read or closed before"):
        collect(generator)


class Lender:
    """An async iterable that is no iterator."""

    def __aiter__(self) -> Any:
        return AsyncItems(EVENTS)


class Generating(AsyncItems):
    """An iterator whose `__aiter__` makes a generator, as that of the SDK's stream does."""

    async def __aiter__(self) -> Any:
        raise AssertionError("who leaves it early has a generator to close")
        yield


@ASYNC_MODES
@pytest.mark.parametrize("make", [Lender, lambda: Generating(EVENTS)], ids=["iterable", "iterator"])
def test_an_async_source_is_asked_for_no_generator(mode: Mode, make: Callable[[], Any]) -> None:
    """Of what is an iterator, no other is asked for; of what is none, one is."""
    assert mode.message(lambda: collect(make())) == collect(EVENTS)


def test_what_follows_a_message_is_left_alone(mode: Mode) -> None:
    """An iterator may hold one message after the other: each reader takes one."""
    items = iter([*EVENTS, *message_events("Bye.")])

    def make() -> Any:
        return iter_text(AsyncItems(items) if mode.is_async else items)

    assert mode.read(make).items == ["Hello, w", "orld!"]
    assert mode.read(make).items == ["Bye."]
    assert list(items) == []


@pytest.mark.parametrize(
    ("cls", "from_events", "from_bytes"),
    [
        (OwnError, None, None),
        (OSError, None, StreamConnectionError),
        (http_package().ReadError, StreamConnectionError, StreamConnectionError),
    ],
    ids=["one's own", "of a socket or file", "of the transport"],
)
def test_what_an_iterable_raises(mode: Mode, cls: Any, from_events: Any, from_bytes: Any) -> None:
    """Errors of a transport are ours, those of plain sockets only where bytes are read; others stay what they are."""
    for make, items, expected in (
        (iter_text, EVENTS[:4], from_events),
        (lambda source: iter_text(from_sse(source)), [body_of(EVENTS[:4])], from_bytes),
    ):
        error = cls("lost")
        outcome = mode.read(lambda make=make, items=items, error=error: make(mode.source(failing(error, items))))
        assert outcome.items == ["Hello, w", "orld!"]
        if expected is None:
            assert outcome.error is error
        else:
            assert type(outcome.error) is expected
            assert outcome.error.__cause__ is error


def test_what_is_held_back_goes_out_in_front_of_an_error(mode: Mode) -> None:
    """A source of one's own is not closed by anybody, as far as can be known, and what it gave is shown."""
    outcome = mode.read(lambda: iter_text(mode.source(failing(OwnError(), EVENTS[:4])), by="sentence"))
    assert outcome.items == ["Hello, world!"]
    assert type(outcome.error) is OwnError


def test_what_has_no_response(mode: Mode) -> None:
    """There is none to be shown."""
    cls = AsyncMessageStream if mode.is_async else MessageStream
    assert cls(mode.source(EVENTS)).response is None


@pytest.mark.parametrize("timeless", ["asyncio", "trio"], indirect=True)
def test_a_limit_for_what_is_awaited_first(timeless: Timeless) -> None:
    """It holds for the stream that the awaitable gives."""

    async def create() -> Any:
        return timeless.paced(*EVENTS[:3], 9.0, *EVENTS[3:])

    outcome = timeless.read(
        lambda: drive(create(), options=Options(events=True, limits=Limits(idle=8, clock=timeless.clock)))
    )
    assert len(outcome.items) == 3
    assert type(outcome.error) is StreamTimeoutError


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


def test_what_is_closed_twice(mode: Mode) -> None:
    """A source is closed once, however often its reader is."""
    closes: list[None] = []

    class Closable(AsyncItems if mode.is_async else list):
        def close(self) -> None:
            closes.append(None)

    reader: Any = iter_text(Closable(EVENTS))
    for _ in range(2):
        mode.run(reader.aclose) if mode.is_async else reader.close()
    assert len(closes) == 1


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
