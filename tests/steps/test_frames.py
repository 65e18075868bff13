"""Frames, and the one that says how a stream ended, made by feeding the step."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from anthropic.types import CitationCharLocation

from claude_stream import CitationPart, StreamProtocolError, StreamTruncatedError, TextPart, UnknownEvent
from claude_stream._steps.builder import MessageBuilder
from claude_stream._steps.frames import Frames
from claude_stream._wire.ndjson import ndjson_frame
from claude_stream.testing import message_events
from tests.support import OwnError


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
