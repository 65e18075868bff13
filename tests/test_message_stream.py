"""The drop-in stream: the SDK's events and names, one cursor, and what it adds."""

from __future__ import annotations

from typing import Any

import anyio
import pydantic
import pytest
from anthropic.lib import streaming as sdk
from anthropic.types import ParsedMessage

from claude_stream import (
    AsyncMessageStream,
    MessageStream,
    StreamConnectionError,
    StreamTruncatedError,
    ToolInputError,
    collect,
    open_stream,
)
from claude_stream.testing import Recording, message_events
from tests.support import REQUEST, Mode

THINKING = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}
WEATHER = ("get_weather", {"city": "Paris"})


class Reader:
    """Does the same with a sync and an async stream: every step may be awaited."""

    def __init__(self, mode: Mode, stream: Any) -> None:
        self._mode = mode
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._stream, name)
        if self._mode.is_async or name not in ("get_final_message", "get_final_text", "until_done", "close"):
            return value

        async def call(*args: Any) -> Any:
            return value(*args)

        return call

    async def all(self, iterator: Any) -> list[Any]:
        iterator = iterator._stream if isinstance(iterator, Reader) else iterator
        return [item async for item in iterator] if self._mode.is_async else list(iterator)

    async def next(self, iterator: Any) -> Any:
        iterator = iterator._stream if isinstance(iterator, Reader) else iterator
        return await iterator.__anext__() if self._mode.is_async else next(iterator)


def with_stream(mode: Mode, source: Any, use: Any, **options: Any) -> Any:
    """Open a stream over events, in the mode's colour, and run an async function with its reader."""

    async def main() -> Any:
        if "output_format" in options:  # which is an option of a request
            request = open_stream(mode.client(Recording.from_events(source)), **REQUEST, **options)
            if mode.is_async:
                async with request as stream:
                    return await use(Reader(mode, stream))
            with request as sync_stream:
                return await use(Reader(mode, sync_stream))
        if mode.is_async:
            async with AsyncMessageStream(mode.source(source), **options) as stream:
                return await use(Reader(mode, stream))
        with MessageStream(mode.source(source), **options) as sync_stream:
            return await use(Reader(mode, sync_stream))

    return mode.run(main) if mode.is_async else anyio.run(main)


# -- what is wrong --


def test_misuse(mode: Mode) -> None:
    """A source of the wrong colour, or none, is refused at once."""
    wrong = iter([]) if mode.is_async else Nothing()
    cls = AsyncMessageStream if mode.is_async else MessageStream
    with pytest.raises(TypeError):
        cls(wrong)
    with pytest.raises(TypeError):
        cls("text")


def test_a_cut_stream(mode: Mode) -> None:
    """Every way to the end raises, and the partial is there, again and again."""

    async def use(stream: Any) -> None:
        for read in (stream.get_final_message, stream.get_final_text):
            with pytest.raises(StreamTruncatedError) as caught:
                await read()
            assert caught.value.partial.content[0].text == "Hello"
        assert not stream.complete
        assert stream.current_message_snapshot.content[0].text == "Hello"
        assert stream.to_param() == {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}

    with_stream(mode, message_events("Hello", cut=3), use)


def test_before_the_first_event(mode: Mode) -> None:
    """There is no snapshot, and that is said; the rest is empty."""

    async def use(stream: Any) -> None:
        with pytest.raises(RuntimeError, match="no message yet"):
            _ = stream.current_message_snapshot
        assert (stream.response, stream.request_id, stream.workspace_id) == (None, None, None)
        assert (stream.complete, stream.to_param(), stream.usage.final) == (False, None, False)

    with_stream(mode, message_events("Hello"), use)


def test_a_message_without_text(mode: Mode) -> None:
    """`get_final_text` says what there is instead."""

    async def use(stream: Any) -> None:
        with pytest.raises(RuntimeError, match="no text block, but tool_use"):
            await stream.get_final_text()

    with_stream(mode, message_events(WEATHER), use)


def test_malformed_tool_input(mode: Mode) -> None:
    """The text is undisturbed; the calls and the message raise, with the partial."""
    events = message_events("Hello", WEATHER, chunk=99)
    events[6]["delta"]["partial_json"] = "{oops"

    async def use(stream: Any) -> None:
        assert "".join(await stream.all(stream.text_stream)) == "Hello"
        for read in (stream.get_final_message, lambda: stream.all(stream.tool_calls())):
            with pytest.raises(ToolInputError) as caught:
                await read()
            assert caught.value.partial.content[0].text == "Hello"

    with_stream(mode, events, use)


def test_lenient(mode: Mode) -> None:
    """With `strict=False` an early end is taken as the SDK takes it, but not for complete."""

    async def use(stream: Any) -> Any:
        message = await stream.get_final_message()
        assert not stream.complete
        return message

    message = with_stream(mode, message_events("Hello", ("tool", {"a": "b"}), cut=7, chunk=5), use, strict=False)
    assert [block.type for block in message.content] == ["text", "tool_use"]
    assert message.content[1].input == {}
    assert message.stop_reason is None


# -- parity with the SDK --


def test_events_that_nobody_looks_at_are_not_built(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading text and the final message builds no event."""

    def built(*_: Any) -> Any:
        raise AssertionError("an event was built")

    monkeypatch.setattr("claude_stream._steps.helper_events.HelperEvents.feed", built)
    monkeypatch.setattr("claude_stream._drive.reader.to_event", built)

    async def use(stream: Any) -> None:
        assert "".join(await stream.all(stream.text_stream)) == "Hello"
        assert (await stream.get_final_message()).stop_reason == "end_turn"

    with_stream(mode, message_events("Hello"), use)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(MessageStream, sdk.MessageStream), (AsyncMessageStream, sdk.AsyncMessageStream)]
)
def test_every_public_name_of_the_sdks_class_is_there(ours: type[Any], theirs: type[Any]) -> None:
    """A new name in the SDK's class reaches us as a failure."""
    names = {name for name in dir(theirs) if not name.startswith("_")} | set(theirs.__annotations__)
    stream = MessageStream(iter([])) if ours is MessageStream else AsyncMessageStream(Nothing())
    assert names - set(dir(stream)) == set()


class Nothing:
    """An async source of nothing."""

    def __aiter__(self) -> Nothing:
        return self

    async def __anext__(self) -> Any:
        raise StopAsyncIteration


# -- one cursor --


def test_views_share_one_cursor(mode: Mode) -> None:
    """What one view has read, another does not see; at the end all of them are empty."""

    async def use(stream: Any) -> None:
        first = await stream.next(stream)
        assert first.type == "message_start"
        events = [await stream.next(stream) for _ in range(2)]  # up to the first delta; its `text` event is pending
        assert events[-1].type == "content_block_delta"
        assert await stream.next(stream.text_stream) == "lo, wor"
        events = [await stream.next(stream), await stream.next(stream)]
        assert [getattr(event, "snapshot", None) for event in events] == [None, "Hello, world!"]
        message = await stream.get_final_message()
        assert message.content[0].text == "Hello, world!"
        for view in (stream, stream.text_stream, stream.thinking_stream, stream.tool_calls()):
            assert await stream.all(view) == []
        assert stream.complete

    events = message_events("Hello, world!", chunk=1)
    pieces = ["Hel", "lo, wor", "ld!"]
    head, start, *_, stop, tail, end = events
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}} for piece in pieces
    ]
    with_stream(mode, [head, start, *deltas, stop, tail, end], use)


def test_tool_calls_that_are_whole_already_come_first(mode: Mode) -> None:
    """`tool_calls()` replays what was whole before it was asked, each time, and goes on."""

    async def read(stream: Any) -> None:
        for _ in range(9):  # up to the end of the first call
            await stream.next(stream)
        calls = stream.tool_calls()
        assert (await stream.next(calls)).name == "get_weather"
        assert [call.name for call in await stream.all(calls)] == ["get_time"]
        assert [call.name for call in await stream.all(stream.tool_calls())] == ["get_weather", "get_time"]

    with_stream(mode, message_events(WEATHER, ("get_time", {"zone": "x"}), chunk=50), read)


def test_thinking_and_text(mode: Mode) -> None:
    """Two views of one pass: each has what was left for it."""

    async def use(stream: Any) -> None:
        assert await stream.next(stream.thinking_stream) == "Let me s"
        assert "".join(await stream.all(stream.text_stream)) == "Hello"

    with_stream(mode, message_events(THINKING, "Hello"), use)


def test_usage_timing_and_the_end(mode: Mode) -> None:
    """The counts are final, the clock has stopped, and the message is the parsed class."""

    async def use(stream: Any) -> Any:
        await stream.until_done()
        assert (stream.usage.output_tokens, stream.usage.final) == (12, True)
        assert stream.timing.ttft <= stream.timing.ttft_text <= stream.timing.elapsed
        assert await stream.get_final_text() == "Hello"
        return await stream.get_final_message()

    events = message_events("Hello")
    message = with_stream(mode, events, use)
    assert isinstance(message, ParsedMessage)
    assert message.to_dict() == collect(events).to_dict()


def test_what_it_has_is_listed(mode: Mode) -> None:
    """`dir` has what is ours, and not only what the SDK's class has, for which `isinstance` takes it."""
    manager = open_stream(mode.client(Recording.from_events(message_events("Hello"))), **REQUEST)
    assert "open" in dir(manager)

    async def use(stream: Any) -> None:
        assert {"usage", "to_param", "tool_calls", "timing"} <= set(dir(stream._stream))
        await stream.until_done()

    with_stream(mode, message_events("Hello"), use)


def test_snapshots_are_copies(mode: Mode) -> None:
    """Changing a snapshot changes nothing."""

    async def use(stream: Any) -> None:
        await stream.until_done()
        stream.current_message_snapshot.content.clear()
        assert await stream.get_final_text() == "Hello"

    with_stream(mode, message_events("Hello"), use)


def test_leaving_early(mode: Mode) -> None:
    """After a close in the middle every view says so, closing again is fine, and the partial is readable."""

    async def use(stream: Any) -> None:
        await stream.next(stream.text_stream)
        await stream.close()
        await stream.close()
        for view in (stream.text_stream, stream.thinking_stream, stream.tool_calls(), stream):
            for _ in range(2):
                with pytest.raises(StreamConnectionError, match="closed before its message was complete") as caught:
                    await stream.next(view)
                assert not caught.value.retryable
        for read in (stream.until_done, stream.get_final_message, stream.get_final_text):
            with pytest.raises(StreamConnectionError):
                await read()
        assert stream.current_message_snapshot.content[0].text == "Hello, w"

    with_stream(mode, message_events("Hello, world!"), use)


# -- parsed output --


class City(pydantic.BaseModel):
    """What the model is asked for."""

    name: str


def test_the_parsed_output(mode: Mode) -> None:
    """With an output format the text blocks are parsed, in the message and in the event that ends the block."""

    async def use(stream: Any) -> None:
        events = await stream.all(stream)
        [block_stop] = [event for event in events if event.type == "content_block_stop"]
        assert block_stop.content_block.parsed_output == City(name="Paris")
        message = await stream.get_final_message()
        assert message.parsed_output == City(name="Paris")

    with_stream(mode, message_events('{"name": "Paris"}'), use, output_format=City)


def test_output_that_does_not_fit(mode: Mode) -> None:
    """What does not fit the format is pydantic's error, as from the SDK's helper; the text is there all the same."""

    async def use(stream: Any) -> None:
        assert "".join(await stream.all(stream.text_stream)) == "Paris"
        with pytest.raises(pydantic.ValidationError):
            await stream.get_final_message()
        assert stream.current_message_snapshot.content[0].text == "Paris"

    with_stream(mode, message_events("Paris"), use, output_format=City)
