"""What differs from the SDK's helper, row by row, as the table in docs/explanation.md has it.

The law: each row of the table is a test here, which looks at both sides, and each test is a row.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.lib import streaming as sdk

from claude_stream import (
    StreamConnectionError,
    StreamOverloadedError,
    StreamProtocolError,
    StreamTruncatedError,
    ToolInputError,
    UnknownEvent,
    open_stream,
)
from claude_stream.testing import Recording, message_events
from tests.nets import http_of_the_sdk
from tests.support import REQUEST, WITH_TODAYS_HELPER, Mode, merged

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation.md"
HELLO = message_events("Hello, world!")
CALL = message_events("Let me see.", ("get_weather", {"city": "Paris"}))

ROWS: dict[str, Callable[[], None]] = {}


def row(name: str) -> Callable[[Any], Any]:
    """Make a test the one of a row."""

    def keep(test: Any) -> Any:
        ROWS[name] = test
        return test

    return keep


def sides(events: Any, *, beta: bool = False, change: Callable[[Recording], Recording] = lambda it: it) -> Any:
    """Return what opens a stream of these events, by the SDK's helper and by us."""
    recording = change(Recording.from_events(events))

    def client() -> Any:
        made = Mode("sync").client(recording, recording)
        return made.beta.messages if beta else made.messages

    return (lambda: client().stream(**REQUEST)), (lambda: open_stream(client(), **REQUEST))


def final(opened: Any) -> Any:
    with opened as stream:
        return stream.get_final_message()


def kinds(opened: Any) -> list[str]:
    with opened as stream:
        return [event.type for event in stream]


# -- content --


@row("text in `content_block_start`")
def _() -> None:
    events = message_events("Hello")
    events[1]["content_block"]["text"] = "Oh. "
    theirs, ours = sides(events)
    for opened, text in ((theirs, "Hello"), (ours, "Oh. Hello")):
        with opened() as stream:
            assert "".join(stream.text_stream) == text
            assert stream.get_final_text() == "Oh. Hello"


@row("an event of an unknown type")
def _() -> None:
    theirs, ours = sides([*HELLO[:2], {"type": "news", "headline": "x"}, *HELLO[2:]])
    with theirs() as stream:
        assert not any(isinstance(event, UnknownEvent) for event in stream)
    with ours() as stream:
        [event] = [event for event in stream if event.type == "news"]
        assert (type(event), event.headline) == (UnknownEvent, "x")


@row("fields that the SDK has no name for")
def _() -> None:
    events = [*HELLO[:-2], {**HELLO[-2], "delta": {**HELLO[-2]["delta"], "news": 1}}, HELLO[-1]]
    theirs, ours = sides(events)
    assert "news" not in final(theirs()).to_dict()
    assert final(ours()).to_dict() == merged(events)
    assert final(ours()).news == 1


@row("`stop_details` that was not sent")
def _() -> None:
    theirs, ours = sides(HELLO)
    assert "stop_details" not in final(ours()).to_dict()
    if WITH_TODAYS_HELPER.args == (False,):
        assert final(theirs()).to_dict()["stop_details"] is None


@row("deltas of `compaction` and `mcp_tool_use` blocks, read without beta")
def _() -> None:
    theirs, ours = sides(
        message_events({"type": "mcp_tool_use", "id": "m", "name": "ask", "server_name": "s", "input": {"a": 1}})
    )
    assert final(theirs()).content[0].input == {}
    assert final(ours()).content[0].input == {"a": 1}


@row("`encrypted_content` of a compaction that was not sent")
def _() -> None:
    head, *_, tail, stop = message_events()
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "compaction", "content": None}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "compaction_delta", "content": "Summary"}}
    theirs, ours = sides([head, block, delta, {"type": "content_block_stop", "index": 0}, tail, stop], beta=True)
    assert "encrypted_content" not in final(ours()).content[0].to_dict()
    if WITH_TODAYS_HELPER.args == (False,):
        assert final(theirs()).content[0].to_dict()["encrypted_content"] is None


@row("a `fallback` block, read without beta")
def _() -> None:
    fallback = {"type": "fallback", "from": {"model": "claude-a"}, "to": {"model": "claude-b"}}
    theirs, ours = sides(message_events("Hel", fallback, "lo"))
    assert final(theirs()).model == HELLO[0]["message"]["model"]
    assert final(ours()).model == "claude-b"


@row("fields of a `message_delta` beside its usage, such as `context_management`, read without beta")
def _() -> None:
    delta = {**HELLO[-2], "context_management": {"applied_edits": []}}
    delta["delta"] = {**delta["delta"], "container": {"id": "c", "expires_at": "2026-01-01T00:00:00Z"}}
    theirs, ours = sides([*HELLO[:-2], delta, HELLO[-1]])
    message = final(ours()).to_dict()
    assert (message["container"]["id"], message["context_management"]) == ("c", {"applied_edits": []})
    message = final(theirs()).to_dict()
    assert "context_management" not in message
    assert ("container" in message) is (WITH_TODAYS_HELPER.args == (False,))


@row("`citations` that were not sent, read without beta")
def _() -> None:
    theirs, ours = sides(HELLO)
    assert "citations" not in final(ours()).content[0].to_dict()
    assert ("citations" in final(theirs()).content[0].to_dict()) is (WITH_TODAYS_HELPER.args == (True,))


@row("a later `message_delta` whose `stop_reason` is null")
def _() -> None:
    later = {**HELLO[-2], "delta": {"stop_reason": None, "stop_sequence": None}}
    theirs, ours = sides([*HELLO[:-1], later, HELLO[-1]])
    assert final(theirs()).stop_reason is None
    assert final(ours()).stop_reason == "end_turn"


@row("a `message_delta` without `usage`")
def _() -> None:
    theirs, ours = sides([*HELLO[:-2], {k: v for k, v in HELLO[-2].items() if k != "usage"}, HELLO[-1]])
    with pytest.raises(AttributeError):
        final(theirs())
    message = final(ours())
    assert (message.stop_reason, message.usage) == ("end_turn", anthropic.types.Usage(**HELLO[0]["message"]["usage"]))


@row("malformed tool input")
def _() -> None:
    events = [*CALL]
    at = next(i for i, event in enumerate(events) if event.get("delta", {}).get("partial_json"))
    events[at] = {**events[at], "delta": {"type": "input_json_delta", "partial_json": "{]"}}
    theirs, ours = sides(events)
    with theirs() as stream, pytest.raises(ValueError, match="Unable to parse tool parameter"):
        list(stream.text_stream)
    with ours() as stream:
        assert "".join(stream.text_stream) == "Let me see."
        with pytest.raises(ToolInputError):
            list(stream.tool_calls())


@row("a tool call that is cut")
def _() -> None:
    start = next(i for i, event in enumerate(CALL) if event.get("delta", {}).get("type") == "input_json_delta")
    pieces = [{"type": "input_json_delta", "partial_json": '{"unit": "C", "city": "Par'}]
    cut = [*CALL[:start], *({**CALL[start], "delta": piece} for piece in pieces)]
    theirs, ours = sides(cut)
    message = final(theirs())
    assert (message.content[1].input, message.stop_reason) == ({"unit": "C"}, None)
    with ours() as stream, pytest.raises(StreamTruncatedError):
        list(stream.tool_calls())


@row("a refusal after a tool call")
def _() -> None:
    events = [*CALL[:-2], {**CALL[-2], "delta": {"stop_reason": "refusal", "stop_sequence": None}}, CALL[-1]]
    theirs, ours = sides(events)
    assert [block.type for block in final(theirs()).content] == ["text", "tool_use"]
    with ours() as stream:
        assert list(stream.tool_calls()) == []
        assert stream.to_param() is None


# -- order --


@row("events behind `message_stop`")
def _() -> None:
    theirs, ours = sides([*HELLO, {"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {}}])
    assert final(ours()).stop_reason == "end_turn"
    with theirs() as stream:
        with contextlib.suppress(AttributeError):  # what a delta without usage is for it
            stream.until_done()
        assert stream.current_message_snapshot.stop_reason == "refusal"


@row("an event of a message in front of `message_start`")
def _() -> None:
    theirs, ours = sides([HELLO[2], *HELLO])
    with pytest.raises(StreamProtocolError, match="cannot stand here"):
        final(ours())
    if WITH_TODAYS_HELPER.args == (False,):
        assert final(theirs()).stop_reason == "end_turn"


@row("an index that does not exist")
def _() -> None:
    theirs, ours = sides([*HELLO[:3], {**HELLO[2], "index": 3}, *HELLO[3:]])
    with pytest.raises(IndexError):
        final(theirs())
    with pytest.raises(StreamProtocolError, match="block 3 is not open"):
        final(ours())


@row("data that is no JSON")
def _() -> None:
    theirs, ours = sides(HELLO, change=lambda recording: _with_last_data(recording, b"data: {'type': 1}\n\n"))
    with pytest.raises(json.JSONDecodeError):
        final(theirs())
    with pytest.raises(StreamProtocolError, match="not valid JSON"):
        final(ours())


def _with_last_data(recording: Recording, data: bytes) -> Recording:
    name, *_ = recording.chunks[-1].partition(b"data:")
    return dataclasses.replace(recording, chunks=(*recording.chunks[:-1], name + data))


@row("a last event without its blank line")
def _() -> None:
    theirs, ours = sides(HELLO, change=lambda recording: Recording((recording.body().rstrip(b"\n"),)))
    assert kinds(theirs())[-1] == "message_delta"
    assert kinds(ours())[-1] == "message_stop"


# -- ends --


@row("a stream that ends early")
def _() -> None:
    theirs, ours = sides(HELLO, change=lambda recording: recording.cut(after=3))
    assert final(theirs()).stop_reason is None
    with pytest.raises(StreamTruncatedError):
        final(ours())


@row("an `error` event")
def _() -> None:
    theirs, ours = sides(HELLO, change=lambda recording: recording.error("overloaded_error", after=3))
    with pytest.raises(anthropic.APIStatusError) as caught:
        final(theirs())
    assert caught.value.status_code == 200
    with pytest.raises(anthropic.OverloadedError) as ours_caught:
        final(ours())
    assert isinstance(ours_caught.value, StreamOverloadedError)
    assert ours_caught.value.partial is not None


@row("a connection that fails in the middle")
def _() -> None:
    package = http_of_the_sdk()
    theirs, ours = sides(HELLO, change=lambda recording: recording.reset(after=3))
    with pytest.raises(package.ReadError):
        final(theirs())
    with pytest.raises(anthropic.APIConnectionError) as caught:
        final(ours())
    assert not isinstance(caught.value, package.ReadError)
    assert isinstance(caught.value, StreamConnectionError)
    assert isinstance(caught.value.__cause__, package.ReadError)


@row("a connection that fails behind `message_stop`")
def _() -> None:
    package = http_of_the_sdk()
    theirs, ours = sides(HELLO, change=lambda recording: recording.reset(after=len(HELLO)))
    with pytest.raises(package.ReadError):
        final(theirs())
    assert final(ours()).stop_reason == "end_turn"


@row("a model that says nothing more, while pings come")
def _() -> None:
    pings = [{"type": "ping"}] * 30
    recording = Recording.from_events([*HELLO[:3], *pings, *HELLO[3:]]).paced(0.02)

    def client() -> Any:
        return Mode("sync").client(recording)

    assert final(client().messages.stream(**REQUEST)).stop_reason == "end_turn"
    with pytest.raises(anthropic.APITimeoutError):
        final(open_stream(client(), **REQUEST, idle_timeout=0.1))


@row("reading on after an error or a close")
def _() -> None:
    theirs, ours = sides(HELLO, change=lambda recording: recording.error("overloaded_error", after=3))
    for opened, again in ((theirs, None), (ours, StreamOverloadedError)):
        with opened() as stream:
            with pytest.raises(anthropic.APIStatusError):
                list(stream)
            if again is None:
                assert list(stream) == []
            else:
                with pytest.raises(again):
                    list(stream)


# -- objects --


@row("the final message, asked for twice")
def _() -> None:
    theirs, ours = sides(HELLO)
    with theirs() as stream:
        assert stream.get_final_message() is stream.get_final_message()
    with ours() as stream:
        first, second = stream.get_final_message(), stream.get_final_message()
        assert first == second
        assert first is not second


@row("a snapshot, as the stream goes on")
def _() -> None:
    theirs, ours = sides(HELLO)
    for opened, changes in ((theirs, True), (ours, False)):
        with opened() as stream:
            for event in stream:
                if event.type == "text":
                    break
            snapshot = stream.current_message_snapshot
            assert snapshot.content[0].text == "Hello, w"
            stream.until_done()
            assert (snapshot.content[0].text == "Hello, world!") is changes


@row("a snapshot before the first event")
def _() -> None:
    theirs, ours = sides(HELLO)
    for opened, error in ((theirs, AssertionError), (ours, RuntimeError)):
        with opened() as stream, pytest.raises(error):
            _ = stream.current_message_snapshot


@row("the class of an `input_json` event, by `type()`")
def _() -> None:
    theirs, ours = sides(CALL)
    for opened, same in ((theirs, True), (ours, False)):
        with opened() as stream:
            event = next(event for event in stream if event.type == "input_json")
        assert isinstance(event, sdk.InputJsonEvent)
        assert (type(event) is sdk.InputJsonEvent) is same


# -- the request --


@row("headers of the request that name the helper")
def _() -> None:
    recording = Recording.from_events(HELLO)
    client = Mode("sync").client(recording, recording)
    final(client.messages.stream(**REQUEST))
    final(open_stream(client, **REQUEST))
    names = [{name for name in sent.headers if "helper" in name.lower()} for sent in client.requests]
    assert names[0]
    assert names[1] == set()


@row("an async manager that is entered twice")
def _() -> None:
    recording = Recording.from_events(HELLO)
    mode = Mode("asyncio")

    async def twice(make: Callable[[Any], Any]) -> list[str]:
        manager = make(mode.client(recording, recording))
        texts = []
        for _ in range(2):
            async with manager as stream:
                texts.append(await stream.get_final_text())
        return texts

    with pytest.raises(RuntimeError, match="coroutine"):
        mode.run(lambda: twice(lambda client: client.messages.stream(**REQUEST)))
    assert mode.run(lambda: twice(lambda client: open_stream(client, **REQUEST))) == ["Hello, world!"] * 2


@pytest.mark.slow  # one of them is about seconds that pass
@pytest.mark.parametrize("name", ROWS)
def test_a_row(name: str) -> None:
    """Each side does what the row says."""
    ROWS[name]()


def test_the_table_has_these_rows() -> None:
    """The page has each of them, in this order, and no other."""
    section = PAGE.read_text().partition("| where | the SDK's helper | here |\n")[2].partition("\n\n")[0]
    assert re.findall(r"^\| (.*?) \| .* \| .* \|$", section, re.MULTILINE)[1:] == [*ROWS]


def test_the_readmes_comparison_is_shown() -> None:
    """Each row names a test that looks at both sides, or tables of the benchmark."""
    section = (ROOT / "README.md").read_text().partition("| what happens |")[2].partition("\n\n")[0]
    shown = re.findall(r"\| ((?:test|benchmark): .*?) \|$", section, re.MULTILINE)
    assert len(shown) == section.count("\n") - 1 > 5
    benchmarks = (ROOT / "docs" / "benchmarks.md").read_text()
    for kind, name in (each.split(": ", 1) for cell in shown for each in cell.split("<br>")):
        assert name in ROWS if kind == "test" else f"## {name}\n" in benchmarks, name
