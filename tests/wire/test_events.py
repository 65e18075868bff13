"""Events across the border: SDK objects to wire JSON and back, with nothing lost."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from anthropic import types
from anthropic.types import beta as beta_types

from claude_stream import StreamProtocolError, UnknownEvent, collect, iter_events, iter_text
from claude_stream._json import excerpt
from claude_stream._wire.events import (
    SourcedEvent,
    construct,
    initial_content,
    is_beta,
    is_whole_block,
    to_event,
    to_wire,
    with_event,
)
from claude_stream.testing import Recording, message_events
from tests.support import REQUEST, Mode

HELLO = message_events("Hello, world!")
EVENTS = [
    *message_events({"type": "thinking", "thinking": "Hm", "signature": "c2ln"}, "Hello", ("tool", {"a": 1})),
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "citations_delta", "citation": {"type": "char_location"}},
    },
    {"type": "content_block_delta", "index": 0, "delta": {"type": "shout_delta", "volume": 11}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a", "extra": 1}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}, "extra": 1},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": ["x"], "text": "a"}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 1}},
    {"type": "content_block_stop", "index": 0, "extra": 1},
    {"type": "news", "headline": "hello", "nested": {"list": [1]}},
]


# -- what is no event --


@pytest.mark.parametrize("item", [collect(HELLO), collect(HELLO).to_dict()])
def test_a_finished_message_among_events(mode: Mode, item: Any) -> None:
    """A message in the place of an event is a mistake that no retry mends."""
    error = mode.read(lambda: iter_text(mode.source([item]))).error
    assert isinstance(error, StreamProtocolError)
    assert "a finished message is not an event" in str(error)
    assert not error.retryable


@pytest.mark.parametrize("item", ["data: x", b"data: x", 3, None])
def test_items_that_are_no_events(mode: Mode, item: Any) -> None:
    """A source that yields something else is a StreamProtocolError with what came before."""
    outcome = mode.read(lambda: iter_text(mode.source([*HELLO[:3], item])))
    assert outcome.items == ["Hello, w"]
    assert isinstance(outcome.error, StreamProtocolError)
    hint = " (raw bytes go through from_sse())" if isinstance(item, (str, bytes)) else ""
    assert str(outcome.error).startswith(f"{type(item).__name__} is not an event{hint}: {excerpt(item)} (after ")


def test_an_event_that_is_nested_too_deeply_for_an_object() -> None:
    """An event that can be read may still be too deep to be handed out; that is an error of ours, and names it."""
    deep: list[Any] = []
    for _ in range(3_000):
        deep = [deep]
    with pytest.raises(StreamProtocolError, match=r"an event \(news\) that is nested too deeply"):
        to_event({"type": "news", "deep": deep})


def test_the_sdk_says_why_it_cannot() -> None:
    """What could not be made, of an event or of its JSON, and by which exception of the SDK or of pydantic."""
    deep: list[Any] = []
    for _ in range(3_000):
        deep = [deep]
    event = UnknownEvent.construct(type="news", deep=deep)
    with pytest.raises(StreamProtocolError, match="cannot be turned into JSON") as caught:
        to_wire(event)
    assert f"({type(caught.value.__cause__).__name__})" in str(caught.value)
    with pytest.raises(StreamProtocolError, match="cannot build a UnknownEvent") as caught:
        construct(UnknownEvent, {"type": "news", "_fields_set": 2, "more": 1})
    assert f"({type(caught.value.__cause__).__name__}: " in str(caught.value)


# -- there and back --


@pytest.mark.parametrize("beta", [False, True])
@pytest.mark.parametrize("wire", EVENTS, ids=lambda wire: wire["type"])
def test_there_and_back(wire: dict[str, Any], beta: bool) -> None:
    """A dict made into the SDK's object and back is the same dict, unknown fields included."""
    event = to_event(wire, beta=beta)
    again = to_wire(event)
    assert again == wire
    assert isinstance(again, SourcedEvent)
    assert to_event(again) is event


@pytest.mark.parametrize("beta", [False, True])
def test_each_type_has_the_sdks_class(beta: bool) -> None:
    """Known types get the class of that name, stable or beta, and others an UnknownEvent."""
    names = {wire["type"]: type(to_event(wire, beta=beta)).__name__ for wire in EVENTS}
    prefix = "BetaRaw" if beta else "Raw"
    assert names.pop("news") == "UnknownEvent"
    assert names == {kind: prefix + kind.title().replace("_", "") + "Event" for kind in names}


def test_an_event_that_the_sdk_mislabels_is_unknown() -> None:
    """The SDK builds an event of an unknown type as a RawMessageStartEvent; we do not pass that on."""
    mislabelled = types.RawMessageStartEvent.construct(type="news", headline="hello")
    wire = to_wire(mislabelled)
    assert wire == {"type": "news", "headline": "hello"}
    event = to_event(wire)
    assert type(event) is UnknownEvent
    assert event.to_dict() == {"type": "news", "headline": "hello"}


def test_a_ping_is_an_unknown_event_with_all_its_fields() -> None:
    """The SDK has no class for a ping; ours keeps the fields."""
    [ping, *_] = iter_events([{"type": "ping", "at": 3}, *HELLO])
    assert isinstance(ping, UnknownEvent)
    assert ping.to_dict() == {"type": "ping", "at": 3}


def test_a_mapping_will_do() -> None:
    """An event may be any mapping."""
    from types import MappingProxyType

    assert to_wire(MappingProxyType({"type": "ping"})) == {"type": "ping"}


def test_fields_that_the_api_did_not_send_are_not_made_up() -> None:
    """Defaults that the SDK's classes fill in are no part of the wire JSON."""
    event = beta_types.BetaRawContentBlockDeltaEvent.construct(
        type="content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "a"}
    )
    assert to_wire(event) == {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "thinking_delta", "thinking": "a"},
    }


def test_objects_of_the_source_are_handed_on(mode: Mode) -> None:
    """`iter_events` gives the very objects that the source gave."""
    events = list(iter_events(HELLO))
    assert all(a is b for a, b in zip(mode.read(lambda: iter_events(mode.source(events))).items, events))


# -- what the SDK's helper adds --


def test_what_the_helper_adds_is_left_out() -> None:
    """The helper's own events are no events of the API, and its stop events carry too much."""
    from anthropic.lib.streaming import (
        BetaInputJsonEvent,
        ParsedContentBlockStopEvent,
        ParsedMessageStopEvent,
        TextEvent,
    )

    assert to_wire(TextEvent.construct(type="text", text="a", snapshot="a")) is None
    assert to_wire(BetaInputJsonEvent.construct(type="input_json", partial_json="", snapshot={})) is None
    block = {"type": "text", "text": "a"}
    stop = ParsedContentBlockStopEvent.construct(type="content_block_stop", index=1, content_block=block)
    assert to_wire(stop) == {"type": "content_block_stop", "index": 1}
    message_stop: Any = ParsedMessageStopEvent.construct(type="message_stop", message={})
    assert to_wire(message_stop) == {"type": "message_stop"}


def test_the_sdks_helper_is_counted_once(mode: Mode) -> None:
    """A MessageStream yields each text twice, raw and synthesised; here it counts once."""
    events = message_events("Hello, world!", ("tool", {"a": 1}))
    body = Recording.from_events(events)

    async def read_async() -> tuple[str, Any]:
        async with mode.client(body, body).messages.stream(**REQUEST) as stream:
            text = "".join([chunk async for chunk in iter_text(stream)])
        async with mode.client(body).messages.stream(**REQUEST) as stream:
            return text, await collect(stream)

    if mode.is_async:
        text, message = mode.run(read_async)
    else:
        with mode.client(body).messages.stream(**REQUEST) as stream:
            text = "".join(iter_text(stream))
        with mode.client(body).messages.stream(**REQUEST) as stream:
            message = collect(stream)
    assert text == "Hello, world!"
    assert message == collect(events)


# -- parts --


@pytest.mark.parametrize("item", [{}, {"type": None}, {"type": 5}, {"type": ["ping"]}])
def test_an_event_without_a_type(item: dict[str, Any]) -> None:
    """It is refused, and shown."""
    with pytest.raises(StreamProtocolError) as caught:
        to_wire(item)
    assert str(caught.value) == f"an event without a type: {excerpt(item)}"


def test_an_exception_among_events_is_raised() -> None:
    """It is the fault of a decoder, which comes in its place."""
    fault = StreamProtocolError("oops")
    with pytest.raises(StreamProtocolError) as caught:
        to_wire(fault)
    assert caught.value is fault


@pytest.mark.parametrize(
    ("content", "expected"), [([{"type": "text"}], [{"type": "text"}]), ([], []), (None, []), ("text", []), ({}, [])]
)
def test_the_content_of_message_start(content: Any, expected: list[Any]) -> None:
    """Its list of blocks, and nothing else."""
    assert initial_content({"type": "message_start", "message": {"content": content}}) == expected
    assert initial_content({"type": "message_start", "message": {}}) == []


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        *((value, False) for value in (None, 5, "text", [], {}, {"type": None}, {"type": 5})),
        *(({"type": kind, kind: value}, True) for kind in ("text", "thinking") for value in ("", "a", None)),
        *(({"type": kind, kind: value}, False) for kind in ("text", "thinking") for value in (5, [], {})),
        *(({"type": kind}, True) for kind in ("text", "thinking", "tool_use", "news")),
        ({"type": "news", "news": 5}, True),
    ],
)
def test_what_is_a_block(block: Any, expected: bool) -> None:
    """An object with a type; what is to be a string of text or thinking is one, or missing."""
    assert is_whole_block(block) is expected


@pytest.mark.parametrize("beta", [False, True])
def test_whether_an_event_is_beta(beta: bool) -> None:
    """The object that it was made of says so; a plain dict does not know."""
    for event in HELLO:
        wire = to_wire(to_event(event, beta=beta))
        assert wire is not None
        assert is_beta(wire) is beta
        assert not is_beta(event)


def test_an_event_that_hands_out_another() -> None:
    """The dict stays as it is, and the object is the one that was given."""
    event = to_event(HELLO[2])
    wire = with_event(HELLO[2], event)
    assert wire == HELLO[2]
    assert to_event(wire) is event
    assert type(to_event(HELLO[1])) is types.RawContentBlockStartEvent
    assert to_event(HELLO[1]).content_block == types.TextBlock(type="text", text="")


def test_a_time_is_json() -> None:
    """What the SDK has made an object of is a string again, as the API sent it."""
    event = to_event({"type": "news"})
    event.at = dt.datetime(2026, 11, 25, tzinfo=dt.timezone.utc)
    assert to_wire(event) == {"type": "news", "at": "2026-11-25T00:00:00Z"}
