"""What becomes of an end, of a failure and of a close: a reader that did not end well never looks finished."""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import anthropic
import anyio
import pytest

from claude_stream import (
    StreamConnectionError,
    StreamOverloadedError,
    StreamTruncatedError,
    collect,
    from_sse,
    iter_blocks,
    iter_events,
    iter_parts,
    iter_progress,
    iter_text,
    iter_tool_calls,
    open_stream,
    tap,
    to_ndjson,
    to_sse,
    with_restarts,
    with_timeout,
)
from claude_stream.testing import Recording, message_events
from tests.faults import error_event
from tests.support import (
    REQUEST,
    AsyncItems,
    Either,
    Mode,
    OwnError,
    assert_same_error_again,
    body_of,
    by_hand,
    failing,
    in_every_mode,
)

EVENTS = message_events("Hello, world!")


def test_after_a_failure_the_error_comes_again(mode: Mode) -> None:
    """Reading on after an error raises that very error: a second loop must not take what came for all."""
    assert_same_error_again(mode, lambda: iter_text(mode.source(EVENTS[:3])), StreamTruncatedError)


def test_after_an_error_in_the_middle_it_comes_again(mode: Mode) -> None:
    """Reading on after an error event does not go on behind it."""
    events = [*EVENTS[:3], error_event("api_error"), *EVENTS[3:]]
    assert_same_error_again(mode, lambda: iter_text(mode.source(events)), anthropic.InternalServerError)


def test_what_is_held_back_goes_out_in_front_of_an_error(mode: Mode) -> None:
    """The word whose end did not come is the last that came, whatever ended it."""
    for make, expected in ((iter, StreamTruncatedError), (functools.partial(failing, OwnError()), OwnError)):
        outcome = mode.read(lambda make=make: iter_text(mode.source(make(EVENTS[:3])), by="word"))
        assert outcome.items == ["Hello,", " w"]
        assert type(outcome.error) is expected


class Closing:
    """A source that has somebody close a reader in the middle of a read, and then fails."""

    def __init__(self, mode: Mode, events: Iterable[Any]) -> None:
        self.reader: Any = None
        self._events = iter(events)
        self._mode = mode

    def source(self) -> Any:
        return _AsyncClosing(self) if self._mode.is_async else self._give()

    def _give(self) -> Iterator[Any]:
        yield from self._events
        self.reader.close()
        raise OwnError

    async def anext(self) -> Any:
        for event in self._events:
            return event
        await self.reader.aclose()
        raise OwnError


class _AsyncClosing(AsyncItems):
    def __init__(self, closing: Closing) -> None:
        self._closing = closing

    async def __anext__(self) -> Any:
        return await self._closing.anext()


@pytest.mark.parametrize(("stages", "level"), [(0, 0), (2, 0), (2, 1), (2, 2)])
def test_a_close_in_the_middle_of_a_read(mode: Mode, stages: int, level: int) -> None:
    """The stop button stops, on whatever reader it is pressed: the one that is read gives no rest, and raises."""
    made: list[Any] = []

    def make() -> Any:
        closing = Closing(mode, EVENTS[:3])
        source: Any = closing.source()
        for _ in range(stages):
            made.append(source := iter_events(source))
        made.append(iter_text(source, by="word"))
        closing.reader = made[level]
        return made[-1]

    outcome = mode.read(make)
    assert outcome.items == ["Hello,"]
    assert isinstance(outcome.error, StreamConnectionError)
    assert "the stream was closed before its message was complete" in str(outcome.error)
    assert not outcome.error.retryable
    assert made[-1].text == "Hello, w"


def test_reading_on_after_a_close(mode: Mode) -> None:
    """After a close by the reader itself there is nothing more, and what came does not look whole."""

    async def main() -> None:
        iterator: Any = from_sse(mode.source([body_of(EVENTS)]))
        assert (await anext(iterator)).type == "message_start"
        await iterator.aclose()
        with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
            await anext(iterator)

    if mode.is_async:
        mode.run(main)
        return
    iterator: Any = from_sse([body_of(EVENTS)])
    assert next(iterator).type == "message_start"
    iterator.close()
    with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
        next(iterator)


def test_an_iterator_that_is_closed_unread(mode: Mode) -> None:
    """What was closed before the first read gives nothing, and says so."""

    async def main() -> None:
        iterator: Any = iter_text(mode.source(EVENTS))
        await iterator.aclose()
        with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
            await anext(iterator)

    if mode.is_async:
        mode.run(main)
        return
    iterator: Any = iter_text(EVENTS)
    iterator.close()
    with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
        next(iterator)


def test_a_close_of_the_wrong_colour(mode: Mode) -> None:
    """Each reader has one way to close it; the other one names it, and closes nothing."""

    async def main() -> None:
        texts = iter_text(mode.source(EVENTS))
        if mode.is_async:
            with pytest.raises(TypeError, match=r"await reader\.aclose\(\)"):
                texts.close()
        else:
            with pytest.raises(TypeError, match=r"write `reader\.close\(\)`"):
                await texts.aclose()
        assert [text async for text in Either(texts)] == ["Hello, w", "orld!"]

    mode.run(main) if mode.is_async else by_hand(main())


def test_closing_in_front_of_what_is_held_back() -> None:
    """A stream that was closed gives nothing more; a complete message is no reason to complain."""
    iterator: Any = iter_tool_calls(iter(message_events(("tool", {}), ("tool", {}), chunk=99)))
    assert next(iterator).name == "tool"
    iterator.close()
    assert list(iterator) == []


def test_a_spent_iterator_of_ours(mode: Mode) -> None:
    """One cursor: a second pass is empty, and a second stage is refused."""

    async def check_async() -> None:
        events = iter_events(mode.source(EVENTS))
        assert [chunk async for chunk in iter_text(events)]
        assert [event async for event in events] == []
        with pytest.raises(TypeError, match=r"this stream \(AsyncReader\) was read or closed before"):
            await collect(events)

    if mode.is_async:
        mode.run(check_async)
        return
    events = iter_events(EVENTS)
    assert list(iter_text(events))
    assert list(events) == []
    with pytest.raises(TypeError, match=r"this stream \(Reader\) was read or closed before"):
        collect(events)


@in_every_mode
async def test_a_stage_over_a_reader_that_was_closed_behind_its_message(mode: Mode) -> None:
    """There is nothing left in it, which is a mistake; unless it ended in an error, which comes again."""
    for events, expected in (
        (EVENTS, TypeError),
        ([*EVENTS[:-1], error_event("api_error")], anthropic.InternalServerError),
    ):
        source = Either(reader := iter_events(mode.source(events)))
        for _ in EVENTS[:-1]:
            await anext(source)
        with contextlib.suppress(anthropic.InternalServerError):
            await anext(source)
        await source.aclose()
        with pytest.raises(expected):
            await anext(Either(iter_text(reader)))


def test_an_abandoned_iterator_warns_nobody(mode: Mode) -> None:
    """An iterator that is dropped in the middle leaves no warning of ours."""

    async def main() -> None:
        async for _ in iter_text(mode.source(EVENTS)):
            break
        gc.collect()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if mode.is_async:
            mode.run(main)
        else:
            for _ in iter_text(mode.source(EVENTS)):
                break
        gc.collect()


@pytest.mark.parametrize("function", [iter_text, iter_events, collect])
def test_a_fault_behind_a_message_that_is_complete_by_its_stop_reason(mode: Mode, function: Any) -> None:
    """With a stop reason and no block open the message is whole, whatever the transport then does."""
    body = body_of(EVENTS[:-1])
    outcome = mode.read(lambda: function(from_sse(mode.source(failing(ConnectionResetError(), [body])))))
    assert outcome.error is None
    if function is collect:
        assert outcome.items == [collect(EVENTS)]
    else:
        assert len(outcome.items) == (2 if function is iter_text else len(EVENTS) - 1)


def test_an_error_event_behind_a_stop_reason_still_counts(mode: Mode) -> None:
    """The API itself says that something is wrong: that is no matter of the transport."""
    events = [*EVENTS[:-1], error_event("overloaded_error")]
    assert type(mode.read(lambda: iter_text(mode.source(events))).error) is StreamOverloadedError


def test_a_limit_for_a_reader_that_has_begun(mode: Mode) -> None:
    """It is too late to say how long the first content may take: that is a mistake, and it names the fix."""

    async def main() -> None:
        events = iter_events(mode.source(EVENTS))
        await anext(Either(events))
        with pytest.raises(TypeError, match="before the first read"):
            with_timeout(events, idle=1)

    mode.run(main) if mode.is_async else by_hand(main())


def test_who_answered(mode: Mode) -> None:
    """`request_id` is what to quote to Anthropic's support; where there is no response there is none."""
    made: list[Any] = []

    def make(source: Any) -> Any:
        made.append(iter_text(source))
        return made[-1]

    assert mode.read(lambda: make(mode.stream(body_of(EVENTS)))).error is None
    assert mode.read(lambda: make(mode.source(EVENTS))).error is None
    assert [reader.request_id for reader in made] == ["req_replay", None]


def test_how_a_reader_is_shown(mode: Mode) -> None:
    """Its class, the error that ended it if one did, and the message so far."""
    name = "AsyncReader" if mode.is_async else "Reader"
    made: list[Any] = []

    def make(events: list[Any]) -> Any:
        made.append(iter_text(mode.source(events)))
        return made[-1]

    assert repr(make(EVENTS)) == f"<{name}: no message yet>"
    mode.read(lambda: make(EVENTS))
    assert repr(made[-1]) == f"<{name}: complete, end_turn; text; 13 characters of text; 12 tokens out>"
    mode.read(lambda: make(EVENTS[:3]))
    so_far = "not complete; text; 8 characters of text; 1 tokens out"
    assert repr(made[-1]) == f"<{name}: StreamTruncatedError; {so_far}>"


def test_the_text_of_a_reader(mode: Mode) -> None:
    """Its blocks are joined by the separator that was asked for, and by nothing if none was."""
    events = message_events("one", "two")
    for make, expected in (
        (iter_text, "onetwo"),
        (to_sse, "onetwo"),
        (lambda source: iter_text(source, separator=" | "), "one | two"),
    ):
        made: list[Any] = []

        def make_and_keep(make: Any = make, made: list[Any] = made) -> Any:
            made.append(make(mode.source(events)))
            return made[0]

        assert mode.read(make_and_keep).error is None
        assert made[0].text == expected


@pytest.mark.parametrize("beta", [False, True])
def test_events_are_those_of_their_api(mode: Mode, beta: bool) -> None:
    """The objects are the SDK's for the API that was asked."""
    [first, *_] = mode.read(lambda: from_sse(mode.source([body_of(EVENTS)]), beta=beta)).items
    assert type(first).__name__ == ("BetaRawMessageStartEvent" if beta else "RawMessageStartEvent")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (iter_events, "message_start"),
        (iter_text, "text"),
        (iter_parts, "text"),
        (iter_progress, "progress"),
    ],
)
def test_what_a_relay_calls_the_results(mode: Mode, make: Any, name: str) -> None:
    """The frames of a stage over a reader have the name of what the last of its steps gives."""
    frames = mode.read(lambda: to_ndjson(make(mode.source(EVENTS)))).items
    assert json.loads(frames[0])["type"] == name


@pytest.mark.parametrize("make", [iter_blocks, iter_tool_calls])
def test_what_no_relay_has_a_name_for(mode: Mode, make: Any) -> None:
    """Results that are for no page are refused."""
    with pytest.raises(TypeError, match="what this iterator gives has no frames"):
        to_sse(make(mode.source(EVENTS)))


@pytest.mark.parametrize("stages", [[], [tap], [with_timeout, tap], [lambda source: with_restarts(lambda: source)]])
def test_a_request_that_fails_is_the_sdks_business(mode: Mode, stages: list[Any]) -> None:
    """What is raised before a response begins stays what it is, through any number of stages, and comes again."""
    if not mode.is_async:
        pytest.skip("a sync request is sent before there is a reader")
    refused = anthropic.APIConnectionError(request=None)

    async def create() -> Any:
        raise refused

    async def main() -> None:
        source: Any = create()
        for stage in stages:
            source = stage(source)
        reader = iter_text(source)
        for _ in range(2):
            with pytest.raises(anthropic.APIConnectionError) as caught:
                await anext(reader)
            assert caught.value is refused

    mode.run(main)


def test_a_request_that_was_cancelled(mode: Mode) -> None:
    """A coroutine cannot be awaited twice: reading on says that nothing came, and not what Python says of that."""
    if not mode.is_async:
        pytest.skip("a sync request is sent before there is a reader")

    async def main() -> None:
        reader = iter_text(anyio.sleep_forever())
        with anyio.move_on_after(0.01) as scope:
            await anext(reader)
        assert scope.cancelled_caught
        for _ in range(2):
            with pytest.raises(StreamConnectionError):
                await anext(reader)

    mode.run(main)


def test_a_manager_makes_a_stream_for_each_entry(mode: Mode) -> None:
    """Entering it again sends a second request and gives its answer; leaving it unentered does nothing."""
    answers = [Recording.from_events(message_events(text)) for text in ("Hello", "again")]
    manager: Any = open_stream(mode.client(*answers), **REQUEST)

    async def main() -> None:
        await manager.__aexit__(None, None, None)
        for expected in ("Hello", "again"):
            async with manager as stream:
                assert await stream.get_final_text() == expected

    if mode.is_async:
        mode.run(main)
        return
    manager.__exit__(None, None, None)
    for expected in ("Hello", "again"):
        with manager as stream:
            assert stream.get_final_text() == expected


def test_a_manager_whose_first_entry_failed(mode: Mode) -> None:
    """A request that is refused leaves nothing behind: the next entry begins like a first one."""
    answers = [Recording.http_error(400), Recording.from_events(EVENTS)]
    manager: Any = open_stream(mode.client(*answers), **REQUEST)

    async def main() -> None:
        with pytest.raises(anthropic.BadRequestError):
            await manager.__aenter__()
        async with manager as stream:
            assert await stream.get_final_text() == "Hello, world!"

    if mode.is_async:
        mode.run(main)
        return
    with pytest.raises(anthropic.BadRequestError):
        manager.__enter__()
    with manager as stream:
        assert stream.get_final_text() == "Hello, world!"


@pytest.mark.parametrize("close", [True, False], ids=["closed", "failed"])
def test_a_stage_over_a_reader_that_is_over_too_early(mode: Mode, close: bool) -> None:
    """It gets the reader's error, whether it was made before or after, and not the word that nothing is left."""
    events = message_events("Hello, world!")

    async def main() -> None:
        source = iter_events(mode.source(events[:3]))
        before = iter_text(source)
        if close:
            await source.aclose()
        else:
            with pytest.raises(StreamTruncatedError):
                await source.read()
        for stage in (before, iter_text(source)):
            with pytest.raises(StreamConnectionError):
                await anext(stage)

    if mode.is_async:
        mode.run(main)
        return
    source = iter_events(events[:3])
    before = iter_text(source)
    if close:
        source.close()
    else:
        with pytest.raises(StreamTruncatedError):
            source.read()
    for stage in (before, iter_text(source)):
        with pytest.raises(StreamConnectionError):
            next(stage)
