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
from claude_stream._drive.misuse import kind_of
from claude_stream.testing import Recording, message_events
from tests.support import REQUEST, AsyncItems, Mode

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


UNKNOWN = "a stream of events was expected, and this is"
NOT_ENTERED = (
    "is not entered yet: write `with client.messages.stream(...) as stream:` (`async with` on an async client) "
    "and pass `stream`"
)
NOT_ENTERED_YET = (
    "which is not entered yet: write `with ... as stream:` (`async with` on an async client), pass `stream`"
)
TO_BE_CALLED = "has to be called: pass what it gives, as with create(..., stream=True) or iter_bytes()"


async def unasked() -> None:
    """A function that nobody has called."""


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("Hello", "a stream was expected, and this is str: text is text already"),
        (b"data: 1", "a stream was expected, and this is bytes: text is text already, a body goes through from_sse(["),
        (bytearray(b"data: 1"), "a stream was expected, and this is bytearray: text is text already"),
        (type("APIResponse", (), {"parse": print})(), f"{UNKNOWN} APIResponse: pass what its parse() gives: <"),
        ({"type": "ping"}, f"{UNKNOWN} a single dict: put the events in a list"),
        (collect(EVENTS), "this is a finished Message, not a stream: call create() with stream=True"),
        (collect(EVENTS).usage, f"{UNKNOWN} a single Usage: put the events in a list"),
        (next(iter_events(EVENTS)), f"{UNKNOWN} a single RawMessageStartEvent: put the events in a list"),
        (7, f"{UNKNOWN} int: 7"),
        (None, f"{UNKNOWN} NoneType: None"),
        (CLIENT.messages.create, f"the method create() {TO_BE_CALLED}"),
        (unasked, f"function {TO_BE_CALLED}"),
        (io.BytesIO(b"").read, f"{UNKNOWN} builtin_function_or_method, which has to be called: pass what it gives: <"),
        (CLIENT.messages.stream(**REQUEST), f"MessageStreamManager {NOT_ENTERED}"),
        (CLIENT.beta.messages.stream(**REQUEST), f"BetaMessageStreamManager {NOT_ENTERED}"),
        (open_stream(CLIENT, **REQUEST), f"StreamManager {NOT_ENTERED}"),
        (open_stream(ASYNC_CLIENT, **REQUEST), f"AsyncStreamManager {NOT_ENTERED}"),
        (
            CLIENT.messages.with_streaming_response.create(**REQUEST),
            f"{UNKNOWN} ResponseContextManager, {NOT_ENTERED_YET}: <",
        ),
        (type("Lock", (), {"__aenter__": print})(), f"{UNKNOWN} Lock, {NOT_ENTERED_YET}: <"),
        (
            iter_text(EVENTS),
            "what this iterator gives cannot be read here: pass what it was made from, or use tap()",
        ),
    ],
)
def test_what_is_no_stream_is_refused_at_once(function: Callable[..., Any], source: Any, says: str) -> None:
    """A mistake is a TypeError at the call, which says what was passed and what to do."""
    with pytest.raises(TypeError) as caught:
        function(source)
    assert str(caught.value).startswith(says)


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
        assert kind_of(stream) == "async"
        assert [chunk async for chunk in iter_text(stream)] == ["Hello, w", "orld!"]
        with pytest.raises(TypeError, match="read or closed before"):
            await collect(stream)

    if mode.is_async:
        mode.run(main)
        return
    stream = proxy(client().messages.create(**REQUEST, stream=True))
    assert kind_of(stream) == "sync"
    assert list(iter_text(stream)) == ["Hello, w", "orld!"]
    with pytest.raises(TypeError, match="read or closed before"):
        collect(stream)


class Both(AsyncItems):
    """What can be iterated both ways."""

    def __iter__(self) -> Any:
        raise NotImplementedError


class Task(AsyncItems):
    """What can be awaited, and is an iterable because of how it does that."""

    def __await__(self) -> Any:
        raise NotImplementedError

    __iter__ = __await__


@pytest.mark.parametrize(
    ("given", "kind"),
    [(EVENTS, "sync"), (AsyncItems(EVENTS), "async"), (Both(EVENTS), "sync"), (Task(EVENTS), "awaitable")],
)
def test_how_a_source_is_read(given: Any, kind: str) -> None:
    """What is both is sync, as the overloads have it, unless it is awaited first."""
    assert kind_of(given) == kind


def test_a_source_of_the_users_own_that_has_a_response(mode: Mode) -> None:
    """It is read like any other: only the SDK's streams lead to a response that is closed with them."""
    source = (AsyncItems if mode.is_async else PlainItems)(EVENTS)
    source.response = "none of ours"
    assert mode.read(lambda: iter_text(source)).items == ["Hello, w", "orld!"]


class PlainItems(list[Any]):
    """Items that can have attributes."""

    response: Any


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
    for unusable, name in ((reader, "AsyncReader"), (stream, "AsyncMessageStream")):
        with pytest.raises(TypeError, match=f"^{name} is async: write `async for`$"):
            list(unusable)
    manager: Any = open_stream(ASYNC_CLIENT, **REQUEST)
    for unusable, name in (
        (reader, "AsyncReader"),
        (stream, "AsyncMessageStream"),
        (manager, "AsyncStreamManager"),
    ):
        with pytest.raises(TypeError, match=f"^{name} is async: write `async with`$"), unusable:
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
