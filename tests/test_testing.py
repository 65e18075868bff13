"""The part of the testing kit that there is: recordings, replaying clients, streams from plain content."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import anthropic
import pytest

from claude_stream import StreamRateLimitError, collect, from_sse, iter_text
from claude_stream.testing import Recording, message_events
from tests.support import REQUEST, Mode, body_of

HEADER = '{"claude_stream_recording": 1}'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"claude_stream_recording": 99}', "line 1: recordings of version 99"),
        ('{"claude_stream_recording": 1', "line 1: not valid JSON"),
        (f"{HEADER}\n[]", "line 2: a JSON object"),
        (f'{HEADER}\n{{"at": 0, "event": {{"type": "ping"}}}}\n{{"at": 1}}', "line 3: there is neither"),
        (f'{HEADER}\n{{"at": "0", "event": {{}}}}', "line 2: `at` is '0', and no number"),
        (f"{HEADER}\n\udcff", "line 2: not valid JSON"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str, says: str) -> None:
    """File, line and fault are in the message."""
    path = tmp_path / "damaged.jsonl"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=says) as caught:
        Recording.load(path)
    assert str(path) in str(caught.value)


def test_running_out_of_recordings_is_clear(mode: Mode) -> None:
    """One request too many is an error that counts."""
    recording = Recording.from_events(message_events("Hi"))

    async def main() -> None:
        client = mode.client(recording)
        assert await collect(client.messages.create(**REQUEST, stream=True))
        with pytest.raises(anthropic.NotFoundError, match="no recording is left for request 2"):
            await client.messages.create(**REQUEST, stream=True)

    if mode.is_async:
        mode.run(main)
        return
    client = mode.client(recording)
    assert collect(client.messages.create(**REQUEST, stream=True))
    with pytest.raises(anthropic.NotFoundError, match="no recording is left for request 2"):
        client.messages.create(**REQUEST, stream=True)


def test_a_raw_body_is_cut_behind_each_event() -> None:
    """A raw body keeps its bytes, whatever ends its lines, and has no times."""
    for line_end in (b"\n", b"\r\n", b"\r"):
        body = body_of(message_events("Hi")).replace(b"\n", line_end)
        recording = Recording.from_bytes(body)
        assert (recording.body(), len(recording.chunks), recording.offsets) == (body, 6, None)


@pytest.mark.parametrize(("content", "kind"), [(b'{"type": "error"}', "application/json"), (b"<html>", "text/html")])
def test_a_raw_body_that_is_no_event_stream(content: bytes, kind: str) -> None:
    """What a failing server sent in its place is served as what it is."""
    assert Recording.from_bytes(content).content_type == kind


def test_recordings_are_answered_in_order_and_from_files(tmp_path: Path, mode: Mode) -> None:
    """Each request gets the next recording, from memory or from a file."""
    path = tmp_path / "two.sse"
    path.write_bytes(body_of(message_events("two")))
    one = Recording.from_events(message_events("one"))

    async def main() -> list[str]:
        client = mode.client(one, path)
        messages = [await collect(client.messages.create(**REQUEST, stream=True)) for _ in "12"]
        return [message.content[0].text for message in messages]

    if mode.is_async:
        assert mode.run(main) == ["one", "two"]
    else:
        client = mode.client(one, str(path))
        assert ["".join(iter_text(client.messages.create(**REQUEST, stream=True))) for _ in "12"] == ["one", "two"]


def test_the_recorded_pace(mode: Mode) -> None:
    """At speed 2 the stream takes half as long as it was recorded to take."""
    events = message_events("Hi")
    chunks = Recording.from_events(events).chunks
    recording = Recording(chunks, offsets=tuple(0.05 * number for number in range(len(chunks))))
    from claude_stream.testing import async_replay_client, replay_client

    start = time.perf_counter()
    make = async_replay_client if mode.is_async else replay_client
    mode.message(lambda: collect(make(recording, speed=2).messages.create(**REQUEST, stream=True)))
    assert 0.12 <= time.perf_counter() - start < 5


@pytest.mark.parametrize(("content", "error"), [((3,), TypeError), ((None,), TypeError)])
def test_content_that_is_none(content: Any, error: type[Exception]) -> None:
    """What is no content is named with its number."""
    with pytest.raises(error, match="content 0"):
        message_events(*content)


def test_a_chunk_has_characters() -> None:
    """A chunk of no characters is refused."""
    with pytest.raises(ValueError, match="at least 1"):
        message_events("Hi", chunk=0)


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_built_streams_are_correct(chunk: int) -> None:
    """The message of a built stream has the content it was built from."""
    content: list[Any] = [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "text", "text": "Hi", "citations": [{"type": "char_location", "cited_text": "a"}]},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "é"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "tool_use", "id": "t", "name": "tool", "input": {}},
    ]
    message = collect(message_events(*content, chunk=chunk, usage={"output_tokens": 3}))
    assert json.loads(message.to_json(warnings=False))["content"] == content
    assert (message.stop_reason, message.usage.output_tokens) == ("tool_use", 3)
    assert collect(message_events("Hi")).stop_reason == "end_turn"
    assert collect(message_events("Hi", stop_reason="max_tokens")).stop_reason == "max_tokens"


@pytest.mark.parametrize("error", ["rate_limit_error", {"type": "rate_limit_error", "message": "m"}])
def test_built_streams_break_where_they_should(error: Any) -> None:
    """`error` comes in the place of the end."""
    with pytest.raises(StreamRateLimitError):
        collect(from_sse([body_of(message_events("Hi", error=error))]))
