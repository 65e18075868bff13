"""Frames, and the one that says how a stream ended, made by feeding the step."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from anthropic.types import CitationCharLocation

from claude_stream import (
    CitationPart,
    DonePart,
    StreamAPIError,
    StreamProtocolError,
    StreamTruncatedError,
    TextPart,
    UnknownEvent,
    Usage,
    iter_tool_inputs,
)
from claude_stream._steps.builder import MessageBuilder
from claude_stream._steps.frames import Frames
from claude_stream._wire.ndjson import ndjson_frame
from claude_stream.testing import message_events
from tests.faults import error_event
from tests.support import OwnError, tool_events


@dataclasses.dataclass(frozen=True)
class Shown:
    """Something to show."""

    chars: int


def frames_of(events: list[Any], name: str = "", *, strict: bool = True) -> Frames:
    builder = MessageBuilder(strict=strict)
    for event in events:
        builder.feed(event)
    return Frames(builder, ndjson_frame, name)


def shown(frames: Any) -> list[Any]:
    return [json.loads(frame) for frame in frames]


WHOLE = message_events("Hello")


@pytest.mark.parametrize("name", ["", "text", "part"])
def test_what_ended_early_gets_no_last_frame(name: str) -> None:
    """Also where the stream was read by somebody who lets it pass."""
    with pytest.raises(StreamTruncatedError, match="must not make it look finished"):
        frames_of(WHOLE[:3], name, strict=False).finish()


@pytest.mark.parametrize("value", [object(), {("a",): "\ud800"}])
def test_an_event_that_is_no_json(value: object) -> None:
    """It is a typed error, which names the event."""
    with pytest.raises(StreamProtocolError, match="news cannot be written as JSON"):
        frames_of([]).feed({"type": "news", "value": value})


def test_a_failure_is_told_once() -> None:
    """Behind the frame that tells of it there is none."""
    frames = frames_of(WHOLE[:3])
    assert json.loads(frames.last(OwnError("secret")) or b"")["error"]["type"] == "api_error"
    assert frames.last(OwnError("secret")) is None


def test_an_error_of_the_api_is_passed_on() -> None:
    """With the type that the API gave it, which a client may act on."""
    frames = frames_of(WHOLE[:3])
    with pytest.raises(StreamAPIError) as caught:
        frames._builder.feed(error_event("overloaded_error"))
    assert json.loads(frames.last(caught.value) or b"")["error"]["type"] == "overloaded_error"


def test_the_end_of_the_parts_is_told_once() -> None:
    """The last part is the frame that says so, and neither the end nor a failure behind it is told of again."""
    frames = frames_of(WHOLE, "part")
    [done] = shown(frames.feed(DonePart("end_turn", Usage())))
    assert done == shown(frames_of(WHOLE, "text").finish())[0]
    assert done.keys() == {"type", "stop_reason", "usage"}
    assert list(frames.finish()) == []
    assert frames.last(OwnError("secret")) is None


def test_an_event_goes_on_as_it_came() -> None:
    """To the order of its fields."""
    event = {"index": 0, "text": "a", "type": "news"}
    assert list(frames_of([]).feed(event)) == [ndjson_frame(event)]


def test_the_last_frame_of_events() -> None:
    """It is the API's own; where the message is complete without it, it is added, for the client to know."""
    assert shown(frames_of(WHOLE).finish()) == []
    assert shown(frames_of(WHOLE[:-1]).finish()) == [{"type": "message_stop"}]


def test_the_last_frame_of_everything_else() -> None:
    """It has the stop reason and the usage."""
    [done] = shown(frames_of(WHOLE, "text").finish())
    assert (done["type"], done["stop_reason"]) == ("done", "end_turn")
    assert (done["usage"]["output_tokens"], done["usage"]["final"]) == (12, True)


def test_iterations_are_json_like_all_else() -> None:
    """What is in a usage is written to its last field."""
    events = message_events("Hello")
    events[-2]["usage"]["iterations"] = [{"type": "message", "input_tokens": 3, "output_tokens": 4}]
    [done] = shown(frames_of(events, "text").finish())
    assert done["usage"]["iterations"][0]["usage"]["output_tokens"] == 4


@pytest.mark.parametrize("citation", [{"type": "tea"}, UnknownEvent.construct(type="tea"), None])
def test_a_citation_is_the_sdks_json(citation: Any) -> None:
    """Whatever the SDK made of it, no field that was not sent is added."""
    [frame] = shown(frames_of(WHOLE, "part").feed(CitationPart(citation, 1)))
    assert frame == {"type": "citation", "citation": citation and {"type": "tea"}, "index": 1}


def test_a_citation_of_an_odd_shape_warns_nobody() -> None:
    """What the API sent goes on, also where the SDK expected something else."""
    citation = CitationCharLocation.construct(type="char_location", cited_text=["a"])
    [frame] = shown(frames_of(WHOLE, "part").feed(CitationPart(citation, 0)))
    assert frame["citation"]["cited_text"] == ["a"]


def test_the_pieces_of_an_input() -> None:
    """They say whose they are, and no more: what came before is known to the client."""
    events = tool_events('{"a": 1}', "tool_use")
    frames = frames_of(events, "tool_input")
    found = [frame for piece in iter_tool_inputs(events) for frame in shown(frames.feed(piece))]
    known = {"type": "tool_input", "index": 1, "id": "toolu_1", "name": "get_weather"}
    assert found == [{**known, "delta": delta} for delta in ("", *'{"a": 1}')]


def test_halves_of_surrogate_pairs_in_objects() -> None:
    """They survive in the SDK's objects, too."""
    citation = CitationCharLocation.construct(type="char_location", cited_text="\ud800")
    [frame] = shown(frames_of(WHOLE, "part").feed(CitationPart(citation, 0)))
    assert frame["citation"] == {"type": "char_location", "cited_text": "\ud800"}


def test_an_object_without_a_type_has_the_name_of_its_step() -> None:
    """Progress is a plain dataclass, and any step may name the frames of its results."""
    assert shown(frames_of(WHOLE, "thinking").feed("Hm")) == [{"type": "thinking", "text": "Hm"}]
    assert shown(frames_of(WHOLE, "progress").feed(Shown(3))) == [{"type": "progress", "chars": 3}]
    assert shown(frames_of(WHOLE, "part").feed(TextPart("a", 0))) == [{"type": "text", "text": "a", "index": 0}]
