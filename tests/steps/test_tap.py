"""Observers: who looks at every event while it passes, and what becomes of an exception of theirs."""

from __future__ import annotations

from typing import Any

import pytest

from claude_stream import StreamConnectionError, from_sse, iter_text, tap
from claude_stream.testing import message_events
from tests.support import Mode, OwnError, assert_same_error_again, body_of

EVENTS = message_events("Hello, world!")


def test_an_observer_that_cannot_be_called() -> None:
    """`tap` refuses it at once."""
    with pytest.raises(TypeError, match="cannot be called"):
        tap(EVENTS, None)

    async def observe(event: object) -> None:
        raise NotImplementedError

    with pytest.raises(TypeError, match="is async"):
        tap(EVENTS, observe)


@pytest.mark.parametrize("exc", [StopIteration, StopAsyncIteration])
def test_an_observer_cannot_pass_for_the_end(mode: Mode, exc: type[Exception]) -> None:
    """StopIteration out of an observer is an error, as it is in a generator."""

    def observe(event: Any) -> None:
        if event.type == "content_block_stop":
            raise exc

    outcome = mode.read(lambda: iter_text(tap(mode.source(EVENTS), observe)))
    assert "".join(outcome.items) == "Hello, world!"
    assert type(outcome.error) is RuntimeError
    assert str(outcome.error) == f"an observer raised {exc.__name__}"
    assert type(outcome.error.__cause__) is exc


def test_an_observers_exception_reaches_the_reader_as_it_is(mode: Mode) -> None:
    """A failing observer is the user's business, even over an SDK stream, and comes in its place."""
    seen: list[str] = []

    def observe(event: Any) -> None:
        seen.append(event.type)
        if event.type == "content_block_stop":
            raise OwnError

    outcome = mode.read(lambda: iter_text(tap(mode.stream(body_of(EVENTS)), observe)))
    assert "".join(outcome.items) == "Hello, world!"
    assert type(outcome.error) is OwnError
    assert seen[-1] == "content_block_stop"


@pytest.mark.parametrize("beta", [False, True])
def test_an_observer_sees_the_classes_of_the_stream(mode: Mode, beta: bool) -> None:
    """Events of a beta stream are the SDK's beta events."""
    seen: list[Any] = []
    outcome = mode.read(lambda: iter_text(tap(from_sse(mode.source([body_of(EVENTS)]), beta=beta), seen.append)))
    assert outcome.error is None
    assert [type(event).__module__.startswith("anthropic.types.beta") for event in seen] == [beta] * len(EVENTS)


def test_an_observer_that_closes_the_stream() -> None:
    """Closing one's own stream in the middle gives nothing more, and half a message never looks whole."""
    iterators: list[Any] = []
    seen: list[str] = []

    def stop(event: Any) -> None:
        if event.type == "content_block_delta":
            iterators[0].close()

    iterators.append(tap(EVENTS, stop))
    with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
        seen.extend(event.type for event in iterators[0])
    assert seen == [event["type"] for event in EVENTS[:3]]


def test_after_an_observers_exception_it_comes_again(mode: Mode) -> None:
    """What a user's own code raised ends the stream for good, on the stages behind it as well."""

    def observe(event: Any) -> None:
        if event.type == "content_block_delta":
            raise OwnError

    assert_same_error_again(mode, lambda: iter_text(tap(mode.source(EVENTS), observe)), OwnError)
