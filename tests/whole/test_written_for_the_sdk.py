"""A suite for the SDK's `messages.stream`, which knows nothing of this library: it passes on a wrapped client, too."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import anthropic
import anyio
import pytest

from claude_stream import iter_text, wrap_client
from claude_stream.testing import Recording, message_events
from tests.support import REQUEST, Mode

THINKING = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}
ANSWER = Recording.from_events(message_events(THINKING, "Hello, ", ("get_weather", {"city": "Paris"}), "world!"))


@pytest.fixture(params=[lambda client: client, wrap_client], ids=["plain", "wrapped"])
def make(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    """Makes the client under test of a client."""
    return request.param


# -- sync --


@pytest.fixture(params=[False, True], ids=["stable", "beta"])
def messages(request: pytest.FixtureRequest, make: Callable[[Any], Any]) -> Any:
    client = make(Mode("sync").client(ANSWER))
    return client.beta.messages if request.param else client.messages


def test_the_text_stream(messages: Any) -> None:
    """The chunks are those of the deltas."""
    with messages.stream(**REQUEST) as stream:
        assert list(stream.text_stream) == ["Hello, ", "world!"]


def test_the_event_types(messages: Any) -> None:
    """Every raw event, and behind its delta the event that the helper makes of it."""
    with messages.stream(**REQUEST) as stream:
        types = [event.type for event in stream]
    assert types[:6] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "thinking",
        "content_block_delta",
        "thinking",
    ]
    assert types[6:8] == ["content_block_delta", "signature"]
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert types.count("text") == 2
    assert types.count("input_json") == 4


def test_snapshots(messages: Any) -> None:
    """Events carry what has come so far, and stop events what is finished."""
    with messages.stream(**REQUEST) as stream:
        events = list(stream)
    assert [event.snapshot for event in events if event.type == "thinking"] == ["Let me s", "Let me see."]
    assert [event.snapshot for event in events if event.type == "input_json"][-1] == {"city": "Paris"}
    stops = [event.content_block.type for event in events if event.type == "content_block_stop"]
    assert stops == ["thinking", "text", "tool_use", "text"]
    assert events[-1].message.stop_reason == "tool_use"


def test_the_final_message(messages: Any) -> None:
    """It is there without reading anything by hand, and again."""
    with messages.stream(**REQUEST) as stream:
        message = stream.get_final_message()
        assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "text"]
        assert message.content[2].input == {"city": "Paris"}
        assert message.usage.output_tokens == 12
        assert message.parsed_output is None
        assert stream.get_final_message() == message
        assert stream.get_final_text() == "Hello, world!"


def test_reading_by_hand_and_then_the_rest(messages: Any) -> None:
    """`next`, the snapshot on the way, `until_done`, and nothing behind it."""
    with messages.stream(**REQUEST) as stream:
        assert next(stream).type == "message_start"
        assert stream.current_message_snapshot.content == []
        assert next(stream).type == "content_block_start"
        stream.until_done()
        assert stream.current_message_snapshot.stop_reason == "tool_use"
        assert list(stream) == []


def test_the_response(messages: Any) -> None:
    """The HTTP response and its request ID are within reach, and leaving the block closes it."""
    with messages.stream(**REQUEST) as stream:
        assert stream.request_id == "req_replay"
        assert stream.response.status_code == 200
        for event in stream:
            if event.type == "text":
                break
    assert stream.response.is_closed
    stream.close()


def test_no_text(make: Callable[[Any], Any]) -> None:
    """`get_final_text` of a message without text is a RuntimeError."""
    client = make(Mode("sync").client(Recording.from_events(message_events(("tool", {"a": 1})))))
    with client.messages.stream(**REQUEST) as stream, pytest.raises(RuntimeError, match="text"):
        stream.get_final_text()


def test_a_request_that_is_refused(make: Callable[[Any], Any]) -> None:
    """Entering the block raises what the API answered."""
    with pytest.raises(anthropic.NotFoundError), make(Mode("sync").client()).messages.stream(**REQUEST):
        pass


# -- async --


def on_asyncio(function: Callable[[], Any]) -> None:
    anyio.run(function)


@pytest.mark.parametrize("beta", [False, True], ids=["stable", "beta"])
def test_async(make: Callable[[Any], Any], beta: bool) -> None:
    """The async helper has the same names, to be awaited."""

    async def main() -> None:
        client = make(Mode("asyncio").client(ANSWER, ANSWER))
        messages = client.beta.messages if beta else client.messages
        async with messages.stream(**REQUEST) as stream:
            assert [text async for text in stream.text_stream] == ["Hello, ", "world!"]
            assert await stream.get_final_text() == "Hello, world!"
        async with messages.stream(**REQUEST) as stream:
            assert (await stream.__anext__()).type == "message_start"
            await stream.until_done()
            assert stream.current_message_snapshot.stop_reason == "tool_use"
            assert (await stream.get_final_message()).usage.output_tokens == 12
            assert stream.request_id == "req_replay"
            await stream.close()
        assert stream.response.is_closed

    on_asyncio(main)


# -- instrumentors --


def test_an_instrumentor_that_patches_create_sees_the_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Third parties wrap what `create` returns; reading it through us, they see every event."""
    seen: list[Any] = []
    resource = importlib.import_module("anthropic.resources.messages").Messages
    create = resource.create

    def instrumented(self: Any, **params: Any) -> Any:
        stream = create(self, **params)

        def watched() -> Any:
            for event in stream:
                seen.append(event)
                yield event

        return watched()

    monkeypatch.setattr(resource, "create", instrumented)
    client = Mode("sync").client(ANSWER)
    assert "".join(iter_text(client.messages.create(**REQUEST, stream=True))) == "Hello, world!"
    [usage] = [event.usage for event in seen if event.type == "message_delta"]
    assert usage.output_tokens == 12
