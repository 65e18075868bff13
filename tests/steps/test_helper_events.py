"""The helper's events: those of the SDK's `MessageStream`, in type, order and content."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import jiter
import pytest
from anthropic.lib import streaming as sdk

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
            assert ours.__class__ is theirs.__class__
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
        ({"type": "text", "text": ""}, {"type": "input_json_delta", "partial_json": "{}"}),
        ({"type": "text", "text": ""}, {"type": "compaction_delta", "content": "Summary"}),
        ({"type": "tool_use", "id": "t", "name": "save", "input": {}}, {"type": "shout_delta", "volume": 11}),
        ({"type": "compaction", "content": None}, {"type": "shout_delta", "volume": 11}),
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


# -- the snapshot of a tool's input, when somebody looks at it --


def input_events(count: int = 99) -> list[Any]:
    """Return the events about an input that a stream gives, unread by anybody else."""
    events = message_events(("save", {"path": "a" * 20, "size": 7}))
    with MessageStream(events) as stream:
        return [event for event in stream if event.type == "input_json"][:count]


USES: dict[str, Callable[[Any], Any]] = {
    "attribute": lambda event: event.snapshot,
    "dump": lambda event: event.model_dump()["snapshot"],
    "to_dict": lambda event: event.to_dict()["snapshot"],
    "json": lambda event: json.loads(event.to_json())["snapshot"],
    "iteration": lambda event: dict(event)["snapshot"],
    "vars": lambda event: vars(event)["snapshot"],
    "copy": lambda event: copy.copy(event).snapshot,
    "deepcopy": lambda event: copy.deepcopy(event).snapshot,
    "model_copy": lambda event: event.model_copy(update={"partial_json": ""}).snapshot,
    "pickle": lambda event: pickle.loads(pickle.dumps(event)).snapshot,
}


def matched(event: Any) -> Any:
    match event:
        case sdk.InputJsonEvent(snapshot=snapshot):
            return snapshot
    raise AssertionError(event)


USES["match"] = matched


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_snapshot_is_there_whoever_asks(use: Callable[[Any], Any]) -> None:
    """It is what it was at that event, though the stream has gone on, and the same the second time."""
    events = input_events()
    assert [use(event) for event in events] == [use(event) for event in events]
    snapshots = [use(event) for event in events]
    assert snapshots[0] == {}
    assert snapshots[-1] == {"path": "a" * 20, "size": 7}
    lengths = [len(snapshot.get("path", "")) for snapshot in snapshots]
    assert lengths == sorted(lengths)


def test_an_event_with_a_late_snapshot_is_the_sdks() -> None:
    """By class, equality both ways, fields, and what it prints."""
    ours = input_events()[1]
    theirs = sdk.InputJsonEvent(type="input_json", partial_json=ours.partial_json, snapshot=ours.snapshot)
    assert isinstance(input_events()[1], sdk.InputJsonEvent)
    assert input_events()[1] == theirs
    assert theirs == input_events()[1]
    assert repr(input_events()[1]) == repr(theirs)
    assert repr(type(input_events()[1])) == repr(type(theirs))
    assert input_events()[1].model_fields_set == theirs.model_fields_set
    with pytest.raises(AttributeError, match="'InputJsonEvent' object has no attribute 'other'"):
        _ = input_events()[1].other
    event = input_events()[1]
    event.snapshot = "mine"
    assert (event.snapshot, event.to_dict()["snapshot"]) == ("mine", "mine")


def test_an_input_is_parsed_only_for_who_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Iterating all events of a long input parses nothing but the whole one at its end."""
    parsed: list[int] = []
    from_json = jiter.from_json

    def counted(raw: bytes, **options: Any) -> Any:
        parsed.append(len(raw))
        return from_json(raw, **options)

    monkeypatch.setattr("claude_stream._steps.block.jiter.from_json", counted)
    events = message_events(("save", {"numbers": [*range(1000)]}))
    with MessageStream(events) as stream:
        seen = [event for event in stream if event.type == "input_json"]
    assert len(seen) > 500
    assert len(parsed) < 10
    assert len(seen[250].snapshot["numbers"]) > 100


def test_a_text_so_far_after_events_that_somebody_else_read() -> None:
    """Where another view has read on in between, the text so far is looked up, and is right."""
    with MessageStream(message_events("Hello, world!", chunk=2)) as stream:
        snapshots = []
        for event in stream:
            if event.type == "text":
                snapshots.append(event.snapshot)
                next(stream._reader, None)  # an event that this view never sees
        assert snapshots == ["He", "Hello,", "Hello, wor", "Hello, world!"]


def test_a_snapshot_after_events_that_somebody_else_read() -> None:
    """Where another view has read on in between, the length of the input is looked up, and is right."""
    with MessageStream(message_events("Hi", ("save", {"a": "b" * 40}))) as stream:
        iterator, snapshots = iter(stream), []
        for event in iterator:
            if event.type == "input_json":
                snapshots.append((event.snapshot, str(event.partial_json)))
                next(stream._reader, None)  # an event that this view never sees
        assert snapshots[-1][0]["a"].startswith("bbbb")
        assert stream.get_final_message().content[1].input == {"a": "b" * 40}
