"""What is made by the short way is what the SDK makes, for every recorded event and for generated ones."""

from __future__ import annotations

import pickle
from typing import Any

import anthropic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_stream import from_sse, iter_events, open_stream
from claude_stream._steps.helper_events import _BETA, _STABLE
from claude_stream._wire.deltas import DELTA_STRINGS, DELTAS, EVENTS, Shape, SourcedEvent, event_of, piece_of, wire_of
from claude_stream._wire.events import to_event
from claude_stream.testing import Recording, message_events, replay_client
from tests.support import REQUEST, WITH_TODAYS_HELPER

IS_BETA = pytest.mark.parametrize("beta", [False, True], ids=["stable", "beta"])


def dumped(model: anthropic.BaseModel) -> Any:
    """Return a model's JSON, or why it has none: half of a surrogate pair is no UTF-8."""
    try:
        return model.model_dump_json(warnings=False)
    except Exception as exc:
        return type(exc)


def assert_same(ours: Any, theirs: Any) -> None:
    """Two values are the same in all that pydantic knows of them, down to the order of their fields."""
    assert ours.__class__ is theirs.__class__
    if isinstance(ours, anthropic.BaseModel):
        assert list(vars(ours)) == list(vars(theirs))
        assert ours.model_fields_set == theirs.model_fields_set
        assert ours.model_extra == theirs.model_extra
        assert ours.__pydantic_private__ == theirs.__pydantic_private__
        for name, value in vars(ours).items():
            assert_same(value, getattr(theirs, name))
    elif isinstance(ours, list):
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs):
            assert_same(mine, other)
    else:
        assert ours == theirs


def assert_same_event(ours: Any, theirs: Any) -> None:
    assert ours == theirs
    assert_same(ours, theirs)
    assert_same(pickle.loads(pickle.dumps(ours)), theirs)
    assert dumped(ours) == dumped(theirs)
    assert ours.to_dict(warnings=False) == theirs.to_dict(warnings=False)
    assert ours.to_dict(exclude_unset=False, warnings=False) == theirs.to_dict(exclude_unset=False, warnings=False)


def messages_of(client: Any, beta: bool) -> Any:
    return client.beta.messages if beta else client.messages


def sdk_events(recording: Recording, beta: bool) -> list[Any]:
    """Return the events that the SDK's own stream gives for a body."""
    return list(messages_of(replay_client(recording), beta).create(**REQUEST, stream=True))


def assert_like_the_sdk(recording: Recording, beta: bool) -> None:
    ours = [event for event in from_sse(recording.chunks, beta=beta) if event.type != "ping"]
    theirs = sdk_events(recording, beta)
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs):
        assert_same_event(mine, other)
        wire = wire_of(other)
        if wire is not None:
            assert wire == other.to_dict(mode="json", warnings=False)
            assert wire.source is other


@IS_BETA
def test_recorded_events(recorded_body: bytes, beta: bool) -> None:
    """Built from the body, each is the object that the SDK's stream gives, and a delta's JSON is the SDK's."""
    assert_like_the_sdk(Recording.from_bytes(recorded_body), beta)


@WITH_TODAYS_HELPER
@IS_BETA
def test_recorded_events_of_the_helper(recorded_body: bytes, beta: bool) -> None:
    """So is each that the SDK's helper puts between them."""
    recording = Recording.from_bytes(recorded_body)
    client = replay_client(recording, recording)
    made = {"text", "thinking", "signature", "input_json", "citation"}
    with open_stream(messages_of(client, beta), **REQUEST) as stream:
        ours = [event for event in stream if event.type in made]
    with messages_of(client, beta).stream(**REQUEST) as helper:
        theirs = [event for event in helper if event.type in made]
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs):
        assert_same_event(mine, other)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)
# pydantic keeps what begins with an underscore to itself, and some names are those of a model's methods.
extras = st.dictionaries(st.sampled_from(["extra", "more", "estimated_tokens", "x"]), json_values, max_size=2)


@st.composite
def deltas(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(map(str, DELTA_STRINGS))))
    text = draw(st.text(st.characters(), max_size=8))
    delta = {"type": kind, DELTA_STRINGS[kind]: text, **draw(st.just({}) | extras)}
    return {"type": "content_block_delta", "index": 0, "delta": delta, **draw(st.just({}) | extras)}


@pytest.mark.slow
@IS_BETA
@given(st.lists(deltas(), max_size=5))
@settings(max_examples=100)
def test_generated_events(beta: bool, middle: list[dict[str, Any]]) -> None:
    """Whatever stands in a delta, and beside it, half of a surrogate pair among it."""
    head, start, *_, stop, tail, end = message_events("Hello")
    assert_like_the_sdk(Recording.from_events([head, start, *middle, stop, tail, end]), beta)


@IS_BETA
@pytest.mark.parametrize("kind", sorted(map(str, DELTA_STRINGS)))
def test_the_short_way_is_taken(kind: str, beta: bool) -> None:
    """It is taken by every delta of one string, both ways: else the SDK's classes have changed shape."""
    wire = {"type": "content_block_delta", "index": 7, "delta": {"type": kind, DELTA_STRINGS[kind]: "é\ud83d"}}
    event = event_of(wire, beta=beta)
    assert type(event) is EVENTS[beta]
    assert type(event.delta) is DELTAS[kind][beta]
    assert wire_of(event) == wire_of(event, sourced=False) == wire
    assert not isinstance(wire_of(event, sourced=False), SourcedEvent)
    sourced = wire_of(event)
    assert isinstance(sourced, SourcedEvent)
    assert sourced.source is event
    assert to_event(wire, beta=beta) == event
    assert next(iter(iter_events([message_events("")[0], event]))) is not None


@IS_BETA
@pytest.mark.parametrize("kind", sorted(map(str, DELTA_STRINGS)))
def test_the_short_way_makes_what_pydantic_makes(kind: str, beta: bool) -> None:
    """In all that it knows of the object, so that this can be copied, pickled and written as JSON."""
    wire = {"type": "content_block_delta", "index": 7, "delta": {"type": kind, DELTA_STRINGS[kind]: "é"}}
    assert_same_event(event_of(wire, beta=beta), EVENTS[beta].model_validate(wire))


@pytest.mark.parametrize(
    "change",
    [
        {"type": "news"},
        {"index": True},
        {"index": "0"},
        {"delta": None},
        {"delta": {"type": "text_delta", "text": 1}},
        {"delta": {"type": "text_delta", "text": "a", "more": 1}},
        {"delta": {"type": "text_delta"}},
        {"delta": {"type": "news_delta", "text": "a"}},
        {"delta": {"type": ["text_delta"], "text": "a"}},
        {"more": 1},
    ],
)
def test_the_long_way_is_left_to_others(change: dict[str, Any]) -> None:
    """What has one thing more, less or other is not for the short way, in either direction."""
    wire = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}, **change}
    assert event_of(wire, beta=False) is None
    built = EVENTS.stable.construct(**wire)
    assert wire_of(built) is None or wire_of(built) == wire


@pytest.mark.parametrize(
    "cls", [*EVENTS, *(cls for pair in DELTAS.values() for cls in pair), *_STABLE.values(), *_BETA.values()]
)
def test_the_classes_have_plain_fields(cls: type[anthropic.BaseModel]) -> None:
    """No class that is made by hand does anything when it is made, or has a default that is not a plain value."""
    assert cls.model_post_init is anthropic.BaseModel.model_post_init
    assert not cls.__private_attributes__
    assert cls.model_config.get("extra") == "allow"
    for field in cls.model_fields.values():
        assert field.default_factory is None
        assert field.alias is None
        assert field.is_required() or field.default is None


def test_an_object_has_its_own_fields() -> None:
    """Nothing is shared between two objects of one class."""
    shape = Shape(EVENTS.stable)
    one, two = shape.make({"index": 1}), shape.make({"index": 2})
    one.more = 1
    one.index = 3
    assert (two.index, two.model_extra, two.model_fields_set) == (2, {}, {"index"})
    assert (one.index, one.model_extra) == (3, {"more": 1})


@IS_BETA
@pytest.mark.parametrize("kind", sorted(map(str, DELTA_STRINGS)))
def test_the_piece_in_a_delta(kind: str, beta: bool) -> None:
    """It is there for the block and the kind that are asked for, and for no others."""
    event = event_of(
        {"type": "content_block_delta", "index": 7, "delta": {"type": kind, DELTA_STRINGS[kind]: "é"}}, beta=beta
    )
    index = event.index
    assert piece_of(event, index, kind) == "é"
    assert piece_of(event, 8, kind) is None
    assert piece_of(event, None, kind) is None
    for other in {*DELTA_STRINGS, None} - {kind}:
        assert piece_of(event, index, other) is None


@IS_BETA
@pytest.mark.parametrize(
    "change",
    [
        lambda event: setattr(event, "more", 1),
        lambda event: setattr(event.delta, "more", 1),
        lambda event: setattr(event, "type", "content_block_stop"),
        lambda event: setattr(event.delta, "type", "thinking_delta"),
        lambda event: setattr(event.delta, "type", "news_delta"),
        lambda event: setattr(event.delta, "text", 5),
        lambda event: setattr(event.delta, "text", None),
        lambda event: setattr(event, "delta", None),
        lambda event: setattr(event, "delta", {"type": "text_delta", "text": "é"}),
        lambda event: delattr(event, "delta"),
        lambda event: event.model_fields_set.discard("index"),
        lambda event: event.delta.model_fields_set.discard("type"),
        lambda event: event.model_fields_set.add("more"),
        lambda event: event.delta.model_fields_set.add("more"),
    ],
)
def test_a_delta_with_one_thing_more_or_less_has_no_piece(change: Any, beta: bool) -> None:
    """It takes the long way, which loses nothing of it."""
    event = event_of(message_events("é")[2], beta=beta)
    index = event.index
    assert piece_of(event, index, "text_delta") == "é"
    change(event)
    for kind in (*DELTA_STRINGS, "news_delta", None):
        assert piece_of(event, index, kind) is None


@pytest.mark.parametrize("item", [None, "text", {}, message_events("é")[2], *map(to_event, message_events("é")[:2])])
def test_what_is_no_delta_has_no_piece(item: Any) -> None:
    """Neither a dict nor another event."""
    assert piece_of(item, 0, "text_delta") is None


def test_the_string_of_each_delta() -> None:
    """As the API's documentation has them."""
    assert DELTA_STRINGS == {
        "text_delta": "text",
        "thinking_delta": "thinking",
        "input_json_delta": "partial_json",
        "signature_delta": "signature",
    }
