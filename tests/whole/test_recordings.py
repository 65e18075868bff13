"""Every recorded stream, through every iterator, in every mode, whole, split anywhere and cut anywhere."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from anthropic.types import Message
from anthropic.types.beta import BetaMessage

from claude_stream import (
    Accumulator,
    StreamTruncatedError,
    collect,
    from_sse,
    iter_blocks,
    iter_events,
    iter_text,
    iter_thinking,
    iter_tool_calls,
    iter_tool_inputs,
)
from tests.support import Mode, body_of, merged, text_of, wire_events


def positions(length: int, count: int) -> list[int]:
    """Every position of a short body, a fixed sample of a long one's."""
    return list(range(length)) if length <= count else sorted(random.Random(length).sample(range(length), count))


@pytest.fixture(params=["bytes", "client"])
def source(request: pytest.FixtureRequest, mode: Mode, recorded_body: bytes) -> Callable[[], Any]:
    """Makes the recorded stream anew, from its bytes and through the real client."""
    if request.param == "client":
        return lambda: mode.stream(recorded_body)
    return lambda: from_sse(mode.source([recorded_body]))


def test_the_message_is_the_merged_wire_json(mode: Mode, source: Callable[[], Any], recorded_body: bytes) -> None:
    """`collect` equals the message constructed from the merged JSON, and has every field of it."""
    expected = merged(wire_events(recorded_body))
    message = mode.message(lambda: collect(source()))
    assert message == Message.construct(**expected)
    assert message.to_dict(mode="json", warnings=False) == Message.construct(**expected).to_dict(
        mode="json", warnings=False
    )
    assert json.loads(message.to_json(warnings=False)) == expected


def test_the_text_is_the_text_of_the_message(mode: Mode, source: Callable[[], Any]) -> None:
    """The chunks of `iter_text` and `iter_thinking`, joined, are those of the final message."""
    message = mode.message(lambda: collect(source()))
    assert "".join(mode.read(lambda: iter_text(source())).items) == text_of(message)
    thinking = "".join(block.thinking for block in message.content if block.type == "thinking")
    assert "".join(mode.read(lambda: iter_thinking(source())).items) == thinking


def test_blocks_and_tool_calls_are_those_of_the_message(mode: Mode, source: Callable[[], Any]) -> None:
    """`iter_blocks` gives the content of the message, and `iter_tool_calls` its tool calls."""
    message = mode.message(lambda: collect(source()))
    blocks = mode.read(lambda: iter_blocks(source()))
    calls = mode.read(lambda: iter_tool_calls(source()))
    assert (blocks.error, calls.error) == (None, None)
    assert blocks.items == message.content
    assert calls.items == [block for block in message.content if block.type == "tool_use"]


def test_tool_inputs_end_in_the_input(mode: Mode, source: Callable[[], Any]) -> None:
    """The last snapshot of each tool input is the block's input."""
    message = mode.message(lambda: collect(source()))
    pieces = mode.read(lambda: iter_tool_inputs(source()))
    assert pieces.error is None
    for piece in {piece.index: piece for piece in pieces.items}.values():
        assert piece.snapshot == message.content[piece.index].input


def test_events_are_the_recorded_ones(recorded_body: bytes) -> None:
    """`iter_events` gives every event with every field, pings included."""
    events = [event.to_dict(mode="json", warnings=False) for event in iter_events(from_sse([recorded_body]))]
    assert events == [_as_sdk_sees(event) for event in wire_events(recorded_body)]


def _as_sdk_sees(event: dict[str, Any]) -> dict[str, Any]:
    # Only times are written differently, by pydantic.
    return json.loads(json.dumps(event).replace("+00:00", "Z"))


def test_beta_gives_the_same_as_beta_objects(mode: Mode, recorded_body: bytes) -> None:
    """With `beta=True` the message is a `BetaMessage` of the same JSON."""
    expected = merged(wire_events(recorded_body))
    message = mode.message(lambda: collect(from_sse(mode.source([recorded_body]), beta=True)))
    assert type(message) is BetaMessage
    assert json.loads(message.to_json(warnings=False)) == expected


def test_splitting_the_bytes_anywhere_changes_nothing(recorded_body: bytes) -> None:
    """Two chunks, cut at any byte, and chunks of one byte give the same message."""
    expected = collect(from_sse([recorded_body]))
    for at in positions(len(recorded_body), 150):
        assert collect(from_sse([recorded_body[:at], recorded_body[at:]])) == expected
    assert collect(from_sse(recorded_body[at : at + 1] for at in range(len(recorded_body)))) == expected


def test_splitting_the_deltas_again_changes_nothing(recorded_body: bytes) -> None:
    """Deltas of one character each give the same message and the same text."""
    resplit: list[dict[str, Any]] = []
    for event in wire_events(recorded_body):
        delta = event.get("delta", {})
        field = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}.get(
            delta.get("type", "")
        )
        pieces = list(delta[field]) if field else []
        resplit += [{**event, "delta": {**delta, field: piece}} for piece in pieces] or [event]
    assert collect(resplit) == collect(from_sse([recorded_body]))
    assert "".join(iter_text(resplit)) == "".join(iter_text(from_sse([recorded_body])))


def test_every_proper_prefix_is_truncated_or_complete(recorded_body: bytes) -> None:
    """A body cut at any byte raises `StreamTruncatedError` with all the text so far, or was complete already."""
    complete = collect(from_sse([recorded_body]))
    for at in positions(len(recorded_body), 300):
        chunks: list[str] = []
        try:
            chunks.extend(iter_text(from_sse([recorded_body[:at]])))
        except StreamTruncatedError as error:
            _assert_partial_is_whole(error, recorded_body[:at])
        else:
            assert collect(from_sse([recorded_body[:at]])) == complete


def _assert_partial_is_whole(error: StreamTruncatedError, prefix: bytes) -> None:
    received = Accumulator()
    for line in prefix.splitlines():
        if line.startswith(b"data:"):
            try:
                event = json.loads(line[5:])
            except ValueError:
                break  # the line in which the body was cut
            received.feed(event)
    assert error.partial == received.message
    text = "".join(
        event["delta"].get("text", "")
        for event in wire_events(prefix[: prefix.rfind(b"\n\n") + 1])
        if event["type"] == "content_block_delta"
    )
    assert text_of(error.partial).startswith(text) if error.partial else text == ""


def test_every_prefix_of_events_is_truncated_or_complete(mode: Mode, recorded_body: bytes) -> None:
    """The same through the real client, cut after each of its events (a sample of a long stream's)."""
    events = wire_events(recorded_body)
    for count in positions(len(events), 12):
        outcome = mode.read(lambda count=count: collect(mode.stream(body_of(events[:count]))))
        if isinstance(outcome.error, StreamTruncatedError):
            text = "".join(e["delta"].get("text", "") for e in events[:count] if e["type"] == "content_block_delta")
            assert (text_of(outcome.error.partial) if outcome.error.partial else "") == text
        else:
            assert outcome.error is None
            assert outcome.items[0].stop_reason is not None
