"""What may be read, and what is refused with an error that names the mistake and the fix."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import anthropic
import pytest
import wrapt

from claude_stream import (
    AsyncMessageStream,
    collect,
    from_sse,
    iter_blocks,
    iter_events,
    iter_text,
    iter_thinking,
    iter_tool_calls,
    iter_tool_inputs,
    open_stream,
    tap,
    wrap_client,
)
from claude_stream.testing import Recording, message_events
from tests.support import REQUEST, Mode

EVENTS = message_events("Hello, world!")
CLIENT = anthropic.Anthropic(api_key="x")
ASYNC_CLIENT = anthropic.AsyncAnthropic(api_key="x")
FUNCTIONS: list[Callable[..., Any]] = [
    iter_events,
    iter_text,
    iter_thinking,
    iter_blocks,
    iter_tool_calls,
    iter_tool_inputs,
    tap,
    collect,
    from_sse,
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("Hello", "this is str"),
        (b"data: 1", "from_sse"),
        (type("APIResponse", (), {"parse": print})(), "what its parse"),
        ({"type": "ping"}, "single dict"),
        (collect(EVENTS), "stream=True"),
        (7, "this is int"),
        (None, "this is NoneType"),
        (CLIENT.messages.create, "has to be called"),
        (CLIENT.messages.stream(**REQUEST), "is not entered"),
        (iter_text(EVENTS), "cannot be read here"),
        (next(iter_events(EVENTS)), "single RawMessageStartEvent: put the events in a list"),
        (CLIENT.messages.with_streaming_response.create(**REQUEST), "ResponseContextManager, which is not entered yet"),
        (open_stream(CLIENT, **REQUEST), "StreamManager is not entered yet"),
        (open_stream(ASYNC_CLIENT, **REQUEST), "AsyncStreamManager is not entered yet"),
        (io.BytesIO(b"").read, "has to be called"),
    ],
)
def test_what_is_no_stream_is_refused_at_once(function: Callable[..., Any], source: Any, says: str) -> None:
    """A mistake is a TypeError at the call, which says what was passed and what to do."""
    with pytest.raises(TypeError, match=says):
        function(source)


class Awaitable(wrapt.ObjectProxy):
    """A proxy that can be awaited, whatever it stands for."""

    def __await__(self) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("proxy", [wrapt.ObjectProxy, Awaitable])
def test_a_proxy_has_the_colour_of_the_stream_inside(mode: Mode, proxy: Callable[[Any], Any]) -> None:
    """What instrumentation packages return can be iterated both ways, and awaited besides."""

    def client() -> Any:
        return mode.client(Recording.from_events(EVENTS))

    async def main() -> None:
        stream = proxy(await client().messages.create(**REQUEST, stream=True))
        assert [chunk async for chunk in iter_text(stream)] == ["Hello, w", "orld!"]
        with pytest.raises(TypeError, match="read or closed before"):
            await collect(stream)

    if mode.is_async:
        mode.run(main)
        return
    stream = proxy(client().messages.create(**REQUEST, stream=True))
    assert list(iter_text(stream)) == ["Hello, w", "orld!"]
    with pytest.raises(TypeError, match="read or closed before"):
        collect(stream)


def test_a_stream_of_ours_is_a_source(mode: Mode) -> None:
    """A MessageStream is read by its one cursor, and refused when nothing is left in it."""

    async def main() -> None:
        async with open_stream(mode.client(Recording.from_events(EVENTS)), **REQUEST) as stream:
            assert [chunk async for chunk in iter_text(stream)] == ["Hello, w", "orld!"]
            assert (await stream.get_final_message()).stop_reason == "end_turn"
            with pytest.raises(TypeError, match="read or closed before"):
                await collect(stream)

    if mode.is_async:
        mode.run(main)
        return
    with open_stream(mode.client(Recording.from_events(EVENTS)), **REQUEST) as stream:
        assert list(iter_text(stream)) == ["Hello, w", "orld!"]
        assert stream.get_final_message().stop_reason == "end_turn"
        with pytest.raises(TypeError, match="read or closed before"):
            collect(stream)


def test_sync_syntax_on_what_is_async() -> None:
    """A plain `for` or `with` over an async reader, stream or manager names the mistake."""

    async def request() -> Any:
        raise NotImplementedError

    reader: Any = iter_text(awaiting := request())
    stream: Any = AsyncMessageStream(reader_of := iter_events(AsyncNothing()))
    for unusable in (reader, stream):
        with pytest.raises(TypeError, match="is async: write `async for`"):
            list(unusable)
    manager: Any = open_stream(ASYNC_CLIENT, **REQUEST)
    for unusable in (reader, stream, manager):
        with pytest.raises(TypeError, match="is async: write `async with`"), unusable:
            raise NotImplementedError
    awaiting.close()
    del reader_of


class AsyncNothing:
    """An async source that nobody reads."""

    def __aiter__(self) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("take", [wrap_client, lambda cls: open_stream(cls, **REQUEST)])
def test_a_class_is_no_client(take: Callable[[Any], Any]) -> None:
    """The class is refused, and stays as it is: a patch of it would reach every later client."""
    before = dict(vars(anthropic.Anthropic))
    with pytest.raises(TypeError, match=r"this is the class Anthropic: pass Anthropic\(\)"):
        take(anthropic.Anthropic)
    assert dict(vars(anthropic.Anthropic)) == before
