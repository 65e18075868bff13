"""Sources, steps and readers put together: what an awaitable may give, and stages on stages."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from claude_stream import (
    Accumulator,
    AsyncMessageStream,
    MessageStream,
    StreamTruncatedError,
    collect,
    from_sse,
    iter_events,
    iter_text,
    open_stream,
    tap,
    with_restarts,
    with_timeout,
)
from claude_stream._drive.pipeline import Options, drive
from claude_stream.testing import Recording, message_events
from tests.support import ASYNC_MODES, REQUEST, Mode, body_of, open_and_read_in

EVENTS = message_events("Hello, world!")
FAILS_FIRST = [EVENTS[0], *message_events(error="overloaded_error")[-1:]]
PING = {"type": "ping"}


def no_delay(_attempt: int) -> float:
    return 0


# -- what is given --


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


@ASYNC_MODES
def test_an_awaitable_that_gives_the_chunks_of_a_body(mode: Mode) -> None:
    """A body that is still to be asked for is decoded like any other."""

    async def body() -> Any:
        return mode.source([body_of(EVENTS)])

    assert mode.message(lambda: collect(from_sse(body()))) == collect(EVENTS)


def test_a_stream_object_is_read_by_its_one_cursor(mode: Mode) -> None:
    """A function over one of our streams sees the events of the API, and not those that the stream would show."""
    cls = AsyncMessageStream if mode.is_async else MessageStream
    events = mode.read(lambda: iter_events(cls(mode.source([EVENTS[0], PING, *EVENTS[1:]])))).items
    assert [event.type for event in events] == [event["type"] for event in [EVENTS[0], PING, *EVENTS[1:]]]


def test_the_objects_of_a_source_are_handed_out_as_they_are(mode: Mode) -> None:
    """They are no copies, nor is one of them handed out twice."""
    given = list(iter_events(message_events("Hello, world!", chunk=1)))
    events = mode.read(lambda: iter_events(mode.source(given))).items
    assert [id(event) for event in events] == [id(event) for event in given]


# -- what is asked of it --

OVER: dict[str, Callable[[Any], Any]] = {
    "source": lambda source: source,
    "reader": iter_events,
    "restarts": lambda source: with_restarts(lambda: source),
}
OVER_EACH = pytest.mark.parametrize("over", OVER.values(), ids=OVER)


@OVER_EACH
@pytest.mark.parametrize(
    ("beta", "parsed", "expected"),
    [
        (False, False, "Message"),
        (False, True, "ParsedMessage"),
        (True, False, "BetaMessage"),
        (True, True, "ParsedBetaMessage"),
    ],
)
def test_the_class_of_the_message(mode: Mode, over: Any, beta: bool, parsed: bool, expected: str) -> None:
    """It is what the last stage asks for, whatever that is put on."""
    options = Options(beta=beta, parsed=parsed)
    message = mode.message(lambda: drive(over(mode.source(EVENTS)), options=options).result())
    assert type(message).__name__.partition("[")[0] == expected


@OVER_EACH
@pytest.mark.parametrize("strict", [False, True])
def test_whether_half_a_message_will_do(mode: Mode, over: Any, strict: bool) -> None:
    """The last stage says so for all in front of it."""
    outcome = mode.read(lambda: drive(over(mode.source(EVENTS[:3])), options=Options(events=True, strict=strict)))
    assert len(outcome.items) == 3
    assert type(outcome.error) is (StreamTruncatedError if strict else type(None))


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (iter_events, "Hello, world!"),
        (iter_text, "Hello, world!"),
        (lambda source: iter_text(source, separator="|"), "Hello, |world!"),
    ],
    ids=["events", "text", "separated"],
)
def test_the_text_of_a_reader_has_its_separator(mode: Mode, read: Any, text: str) -> None:
    """It stands between two blocks, as in what the reader gave, and where none was asked for there is none."""
    readers: list[Any] = []

    def make() -> Any:
        readers.append(read(mode.source(message_events("Hello, ", "world!"))))
        return readers[0]

    mode.read(make)
    assert readers[0].text == text


def test_the_response_is_known_before_the_first_read(mode: Mode) -> None:
    """It is that of the stream, once there is a stream."""

    async def main() -> None:
        given = await mode.stream(body_of(EVENTS))
        async with AsyncMessageStream(given) as stream:
            assert stream.response is given.response

    if mode.is_async:
        mode.run(main)
        return
    with mode.stream(body_of(EVENTS)) as given:
        assert MessageStream(given).response is given.response


@pytest.mark.parametrize(
    ("read", "gives"),
    [(iter_events, iter_text), (from_sse, iter_text), (from_sse, iter_events)],
    ids=["events of text", "bytes of text", "bytes of events"],
)
def test_a_reader_of_something_else(mode: Mode, read: Any, gives: Any) -> None:
    """What a reader gives has to be events, and what is decoded has to be bytes."""
    error = mode.read(lambda: read(gives(mode.source(EVENTS)))).error
    assert type(error) is TypeError
    assert str(error) == "what this iterator gives cannot be read here: pass what it was made from, or use tap()"


# -- one after the other, and on each other --

ATTEMPTS: dict[str, Callable[[Any], Any]] = {
    "source": lambda source: source,
    "reader": iter_events,
    "stages": lambda source: tap(with_timeout(source, first=60)),
    "restarts": lambda source: with_restarts(lambda: source, restarts=0),
    "stream": lambda source: (AsyncMessageStream if hasattr(source, "__anext__") else MessageStream)(source),
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_attempts_may_be_readers_of_ours(mode: Mode, attempt: Any) -> None:
    """What a restart opens is read like what was opened first, and the message is that of the last attempt."""

    def make() -> Any:
        streams = iter([FAILS_FIRST, [PING, *FAILS_FIRST], EVENTS])
        return with_restarts(lambda: attempt(mode.source(next(streams))), delay=no_delay)

    events = mode.read(make).items
    assert [event.type for event in events] == [event["type"] for event in EVENTS]
    assert mode.read(lambda: iter_text(make())).items == ["Hello, w", "orld!"]
    assert mode.message(lambda: collect(make())).to_dict() == collect(EVENTS).to_dict()


@pytest.mark.parametrize("attempt", [lambda source: source, iter_events], ids=["source", "reader"])
def test_the_request_id_is_that_of_the_last_attempt(mode: Mode, attempt: Any) -> None:
    """The message, and an error, name the response that they came from."""
    answers = [
        dataclasses.replace(Recording.from_events(events), headers={"request-id": f"req_{number}"})
        for number, events in enumerate((FAILS_FIRST, EVENTS, FAILS_FIRST, FAILS_FIRST))
    ]
    client = mode.client(*answers)

    def make() -> Any:
        return with_restarts(
            lambda: attempt(client.messages.create(**REQUEST, stream=True)), restarts=1, delay=no_delay
        )

    assert mode.message(lambda: collect(make()))._request_id == "req_1"
    error: Any = mode.read(make).error
    assert error.request_id == "req_3"


@pytest.mark.parametrize("failures", [0, 2])
def test_a_request_that_is_sent_again(mode: Mode, monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
    """`open_stream` opens its restarts as it opened the first attempt, and no more than it needs."""
    monkeypatch.setattr("claude_stream._open.backoff", no_delay)
    client = mode.client(*[Recording.from_events(events) for events in (*[FAILS_FIRST] * failures, EVENTS)])
    stream, text = open_and_read_in(mode, lambda: open_stream(client, **REQUEST, restarts=2))
    assert (text, stream.text) == ("Hello, world!", "Hello, world!")
    assert type(stream.message).__name__.partition("[")[0] == "ParsedMessage"


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
