"""The helper's events: those of the SDK's `MessageStream`, in type, order and content."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_stream import AsyncMessageStream, MessageStream, ToolInputError, open_stream
from claude_stream.testing import Recording, message_events
from tests.faults import BODIES
from tests.support import REQUEST, WITH_TODAYS_HELPER, Mode, body_of, merged, wire_events

THINKING = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}
CITED = {"type": "text", "text": "Hi", "citations": [{"type": "char_location", "cited_text": "a"}] * 2}
SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}}
COMPACTION = {"type": "compaction", "content": "Summary"}
WEATHER = ("get_weather", {"city": "Paris"})


def dumped(event: Any) -> tuple[str, Any]:
    return type(event).__name__, event.to_dict(mode="json", warnings=False)


# How the events differ from those of the SDK's helper where the helper's are not right.
# docs/explanation.md says why, in one table.
def differs(name: str, ours: Any, theirs: Any) -> bool:
    """Whether a difference between two events is one that the table names."""
    if name.endswith("MessageStopEvent"):
        return True  # the final message is compared with the merged wire JSON instead
    block = ours.get("content_block", {})
    if name.endswith("ContentBlockStopEvent") and block.get("type") in ("compaction", "mcp_tool_use"):
        return {**theirs["content_block"], **{k: block.get(k) for k in ("content", "input", "encrypted_content")}} == {
            **block,
            **{k: block.get(k) for k in ("content", "input", "encrypted_content")},
        }
    return bool(ours == theirs)


@WITH_TODAYS_HELPER
@pytest.mark.parametrize("beta", [False, True], ids=["stable", "beta"])
def test_the_events_are_those_of_the_sdks_helper(mode: Mode, recorded_body: bytes, beta: bool) -> None:
    """Iterating gives the helper's events in type, order and content; the message is the merged wire JSON."""
    recording = Recording.from_bytes(recorded_body)

    async def read_async() -> tuple[list[Any], list[Any], Any]:
        client = mode.client(recording, recording)
        messages = client.beta.messages if beta else client.messages
        async with open_stream(messages, **REQUEST) as stream:
            ours = [dumped(event) async for event in stream]
            final = await stream.get_final_message()
        async with messages.stream(**REQUEST) as helper:
            return ours, [dumped(event) async for event in helper], final

    def read() -> tuple[list[Any], list[Any], Any]:
        client = mode.client(recording, recording)
        messages = client.beta.messages if beta else client.messages
        with open_stream(messages, **REQUEST) as stream:
            ours = [dumped(event) for event in stream]
            final = stream.get_final_message()
        with messages.stream(**REQUEST) as helper:
            return ours, [dumped(event) for event in helper], final

    ours, theirs, final = mode.run(read_async) if mode.is_async else read()
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    assert [name for (name, a), (_, b) in zip(ours, theirs) if not differs(name, a, b)] == []
    assert json.loads(final.to_json(warnings=False)) == merged(wire_events(recorded_body))
    assert type(final).__name__.startswith("ParsedBetaMessage" if beta else "ParsedMessage")


@WITH_TODAYS_HELPER
@pytest.mark.parametrize("beta", [False, True], ids=["stable", "beta"])
def test_built_streams_give_the_helpers_events(beta: bool) -> None:
    """Every kind of block gives the helper's events; fields set by the SDK are set here."""
    content = [THINKING, "Hello, world!", CITED, WEATHER, SEARCH, COMPACTION if beta else "!"]
    recording = Recording.from_events(message_events(*content))
    mode = Mode("sync")
    client = mode.client(recording, recording)
    messages = client.beta.messages if beta else client.messages
    with open_stream(messages, **REQUEST) as stream, messages.stream(**REQUEST) as helper:
        for ours, theirs in zip(stream, helper, strict=True):
            assert type(ours) is type(theirs)
            if ours.type == "message_stop":
                continue
            if not (beta and getattr(ours, "content_block", ours).type == "compaction"):
                assert ours == theirs
                assert ours.model_fields_set == theirs.model_fields_set


def test_compaction_events() -> None:
    """A compaction delta gives the beta helper's event of its own."""
    head, *_, tail, stop = message_events()
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "compaction", "content": None}}
    delta = {"type": "compaction_delta", "content": "Summary", "encrypted_content": "x"}
    body = body_of(
        [
            head,
            start,
            {"type": "content_block_delta", "index": 0, "delta": delta},
            {"type": "content_block_stop", "index": 0},
            tail,
            stop,
        ]
    )
    client = Mode("sync").client(Recording.from_bytes(body))
    with open_stream(client.beta.messages, **REQUEST) as stream:
        [event] = [event for event in stream if event.type == "compaction"]
    assert (event.content, event.encrypted_content) == ("Summary", "x")


def test_malformed_tool_input_in_the_events() -> None:
    """The helper raises ValueError at the malformed piece; ours goes on to message_stop, which has nothing to carry."""
    body = BODIES["tool input malformed"]
    client = Mode("sync").client(Recording.from_bytes(body), Recording.from_bytes(body))
    with (
        client.messages.stream(**REQUEST) as helper,
        pytest.raises(ValueError, match=r"tool parameter JSON|line 1 column"),
    ):
        list(helper)
    seen: list[str] = []
    with open_stream(client, **REQUEST) as stream, pytest.raises(ToolInputError):
        seen.extend(event.type for event in stream)
    assert seen[-1] == "message_delta"


def test_an_unknown_event_is_no_mislabelled_one() -> None:
    """An event of an unknown type is an UnknownEvent; the helper's is a RawMessageStartEvent, or missing."""
    events = message_events("Hello")
    events.insert(2, {"type": "news", "headline": "hello"})
    with MessageStream(events) as stream:
        assert type(list(stream)[2]).__name__ == "UnknownEvent"


def test_pings_are_left_out(mode: Mode) -> None:
    """The helper does not show pings, and neither do we."""
    events = message_events("Hi")
    events.insert(2, {"type": "ping"})
    cls = AsyncMessageStream if mode.is_async else MessageStream
    kinds = [event.type for event in mode.read(lambda: cls(mode.source(events))).items]
    assert len(kinds) == len(events)  # one less, and the helper's own `text`
    assert "ping" not in kinds


@pytest.mark.parametrize("beta", [False, True], ids=["stable", "beta"])
@pytest.mark.parametrize(
    ("block", "delta"),
    [
        ({"type": "text", "text": ""}, {"type": "shout_delta", "volume": 11}),
        ({"type": "poem"}, {"type": "text_delta", "text": "Roses"}),
        ({"type": "text", "text": ""}, {"type": "signature_delta", "signature": "c2ln"}),
    ],
)
def test_a_delta_of_which_the_helper_makes_nothing(block: Any, delta: Any, beta: bool) -> None:
    """An unknown delta, and a known one for another kind of block, stand alone: neither has an event of its own."""
    head, *_, tail, stop = message_events()
    events = [
        head,
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        tail,
        stop,
    ]
    client = Mode("sync").client(Recording.from_events(events))
    with open_stream(client.beta.messages if beta else client.messages, **REQUEST) as stream:
        assert [event.type for event in stream] == [event["type"] for event in events]
