"""The public functions: each takes any source, and gives a reader of its colour. What it gives, its step says."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import claude_stream
from claude_stream import (
    AsyncReader,
    Reader,
    StreamOverloadedError,
    collect,
    ensure_finished,
    from_sse,
    iter_blocks,
    iter_events,
    iter_parts,
    iter_progress,
    iter_text,
    iter_thinking,
    iter_tool_calls,
    iter_tool_inputs,
    tap,
    with_restarts,
    with_timeout,
)
from claude_stream.testing import message_events, replay
from tests.support import ASYNC_MODES, Mode, OwnError, body_of

THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
EVENTS = message_events(THINKING, "Hello", ("get_weather", {"city": "Paris"}), chunk=99)
FAILED = [EVENTS[0], *message_events(error="overloaded_error")[-1:]]

# What each function gives for these events.
FUNCTIONS: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
    "iter_events": (iter_events, [event["type"] for event in EVENTS]),
    "tap": (tap, [event["type"] for event in EVENTS]),
    "with_timeout": (lambda source: with_timeout(source, first=60, idle=60), [event["type"] for event in EVENTS]),
    "with_restarts": (lambda source: with_restarts(lambda: source), [event["type"] for event in EVENTS]),
    "iter_text": (iter_text, ["Hello"]),
    "iter_thinking": (iter_thinking, ["Hm."]),
    "iter_blocks": (iter_blocks, ["thinking", "text", "tool_use"]),
    "iter_tool_calls": (iter_tool_calls, ["tool_use"]),
    "iter_tool_inputs": (iter_tool_inputs, ["tool_input"] * 2),
    "iter_parts": (iter_parts, ["thinking", "thinking", "text", "tool_input", "tool_input", "tool_call", "done"]),
    "iter_progress": (iter_progress, ["progress"] * (len(EVENTS) + 1)),
    "ensure_finished": (ensure_finished, [event["type"] for event in EVENTS]),
}
EACH = pytest.mark.parametrize("name", FUNCTIONS)
EVENT_FUNCTIONS = ["iter_events", "tap", "with_timeout", "with_restarts", "ensure_finished"]


def shown(item: Any) -> str:
    """Return what `FUNCTIONS` says of an item."""
    return item if isinstance(item, str) else item.type


def sources(mode: Mode) -> dict[str, Callable[[], Any]]:
    """Return ways to a source of the mode's colour, all of the same stream."""
    made: dict[str, Callable[[], Any]] = {
        "dicts": lambda: mode.source(EVENTS),
        "objects": lambda: mode.source(list(iter_events(EVENTS))),
        "SDK": lambda: mode.stream(body_of(EVENTS)),
        "reader": lambda: iter_events(mode.source(EVENTS)),
        "bytes": lambda: from_sse(mode.source([body_of(EVENTS)])),
        "replay": lambda: (aiter if mode.is_async else iter)(replay(EVENTS)),
    }
    return made


# -- what is wrong --


@EACH
def test_what_is_no_stream(name: str) -> None:
    """It is refused at the call, whatever the function."""
    with pytest.raises(TypeError):
        FUNCTIONS[name][0]("text")


@EACH
def test_a_failure_of_the_stream(mode: Mode, name: str) -> None:
    """Whatever a function gives, it raises the stream's error behind all that came in front of it."""
    function, expected = FUNCTIONS[name]
    failing = [*EVENTS[:-2], *message_events(error="overloaded_error")[-1:]]
    outcome = mode.read(lambda: function(mode.source(failing)))
    in_time = (
        []
        if name == "iter_tool_calls"
        else expected[: -2 if name in (*EVENT_FUNCTIONS, "iter_parts", "iter_progress") else None]
    )
    assert list(map(shown, outcome.items)) == in_time
    assert type(outcome.error) is StreamOverloadedError


@EACH
def test_an_exception_of_the_user(mode: Mode, name: str) -> None:
    """What the user's own source raises comes through as it is."""
    error = OwnError()

    def events() -> Any:
        yield from EVENTS[:2]
        raise error

    assert mode.read(lambda: FUNCTIONS[name][0](mode.source(events()))).error is error


# -- sources and colours --


@EACH
@pytest.mark.parametrize("kind", sources(Mode("sync")))
def test_any_source_will_do(mode: Mode, name: str, kind: str) -> None:
    """The results are the same whatever the source is, and so is the message of the reader."""
    function, expected = FUNCTIONS[name]
    outcome = mode.read(lambda: function(sources(mode)[kind]()))
    assert (list(map(shown, outcome.items)), outcome.error) == (expected, None)


@EACH
def test_a_reader_has_the_colour_of_its_source(mode: Mode, name: str) -> None:
    """A sync source makes a `Reader`, an async one an `AsyncReader`, and nothing is read for that."""
    reader = FUNCTIONS[name][0](mode.source(EVENTS))
    assert type(reader) is (AsyncReader if mode.is_async else Reader)


@EACH
def test_every_reader_knows_the_message(mode: Mode, name: str) -> None:
    """Read to its end, each has the message, its text and its usage."""
    made: list[Any] = []

    def make() -> Any:
        made.append(FUNCTIONS[name][0](mode.source(EVENTS)))
        return made[0]

    assert mode.read(make).error is None
    [reader] = made
    assert reader.message == collect(EVENTS)
    assert (reader.text, reader.complete, reader.usage.output_tokens) == ("Hello", True, 12)


@pytest.mark.parametrize("inner", EVENT_FUNCTIONS)
@pytest.mark.parametrize("outer", FUNCTIONS)
def test_functions_on_functions(mode: Mode, inner: str, outer: str) -> None:
    """What gives events can be read by any other function."""
    outcome = mode.read(lambda: FUNCTIONS[outer][0](FUNCTIONS[inner][0](mode.source(EVENTS))))
    assert (list(map(shown, outcome.items)), outcome.error) == (FUNCTIONS[outer][1], None)


RELAY = ("from_ndjson", "from_sse", "to_ndjson", "to_sse")  # which tests/test_relay.py has


def test_every_function_is_here() -> None:
    """A new function is tested here as well."""
    functions = {name for name, value in vars(claude_stream).items() if inspect.isfunction(value)}
    others = {"collect", "open_stream", "print_stream", "wrap_client", *RELAY}
    assert functions & set(claude_stream.__all__) == {*FUNCTIONS, *others}


# -- what is each function's own --


def test_the_separator_is_the_readers_as_well(mode: Mode) -> None:
    """`.text` is what `iter_text` gave, joined."""
    made: list[Any] = []

    def make() -> Any:
        made.append(iter_text(mode.source(message_events("One.", "Two.")), separator="\n"))
        return made[0]

    chunks = mode.read(make).items
    assert made[0].text == "".join(chunks) == "One.\nTwo."


@pytest.mark.parametrize(("eager", "expected"), [(False, []), (True, ["get_weather"])])
def test_eager_calls(mode: Mode, eager: bool, expected: list[str]) -> None:
    """`eager` hands out what a later failure voids."""
    cut = EVENTS[:-2]
    outcome = mode.read(lambda: iter_tool_calls(mode.source(cut), eager=eager))
    assert [call.name for call in outcome.items] == expected
    assert outcome.error is not None


def test_eager_calls_of_a_stream_that_may_be_restarted(mode: Mode) -> None:
    """A call is handed out once, also one whose block opens while the events in front of it are held back."""
    events = message_events(("get_weather", {"city": "Paris"}))
    calls = mode.read(lambda: iter_tool_calls(with_restarts(lambda: mode.source(events)), eager=True)).items
    assert [call.name for call in calls] == ["get_weather"]


def test_observers_are_called_in_their_order(mode: Mode) -> None:
    """Each sees every event, and the first one first."""
    seen: list[tuple[str, str]] = []
    observers = [lambda event, name=name: seen.append((name, event.type)) for name in "ab"]
    mode.read(lambda: tap(mode.source(EVENTS[:1]), *observers))
    assert seen == [("a", "message_start"), ("b", "message_start")]


@ASYNC_MODES
def test_a_message_to_be_awaited(mode: Mode) -> None:
    """`collect` of an async source is a coroutine; of a sync one, the message."""
    coroutine = collect(mode.source(EVENTS))
    assert inspect.iscoroutine(coroutine)
    coroutine.close()
    assert mode.message(lambda: collect(mode.source(EVENTS))) == collect(EVENTS)


@pytest.mark.parametrize("limits", [{"first": 0}, {"idle": -1}])
def test_a_limit_is_refused_at_once(limits: dict[str, float]) -> None:
    """A number of seconds that makes no sense is a mistake in the call."""
    with pytest.raises(ValueError, match="more than 0"):
        with_timeout(EVENTS, **limits)


def test_what_restarts_are_asked_for(mode: Mode) -> None:
    """How often, after how many seconds, and who is told: all three are the caller's to say."""
    streams = iter([FAILED, FAILED, EVENTS])
    told: list[Any] = []
    attempts: list[int] = []

    def delay(attempt: int) -> float:
        attempts.append(attempt)
        return 0

    def make() -> Any:
        return with_restarts(lambda: mode.source(next(streams)), restarts=2, delay=delay, on_restart=told.append)

    assert len(mode.read(make).items) == len(EVENTS)
    assert attempts == [1, 2]
    assert [type(error) for error in told] == [StreamOverloadedError] * 2
