"""The drivers: misuse, one reader at a time, early exit, stages on stages."""

from __future__ import annotations

import contextlib
import gc
import importlib
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import anyio
import pytest

from claude_stream import (
    Accumulator,
    MessageStream,
    StreamConnectionError,
    StreamProtocolError,
    StreamTimeoutError,
    StreamTruncatedError,
    ToolInputError,
    UnknownEvent,
    collect,
    from_sse,
    iter_blocks,
    iter_events,
    iter_text,
    iter_thinking,
    iter_tool_calls,
    iter_tool_inputs,
    tap,
)
from claude_stream.testing import Recording, message_events
from tests.faults import error_event
from tests.support import REQUEST, AsyncItems, Mode, body_of

EVENTS = message_events("Hello, world!")
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


# -- misuse --


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
        (anthropic.Anthropic(api_key="x").messages.create, "has to be called"),
        (anthropic.Anthropic(api_key="x").messages.stream(**REQUEST), "is not entered"),
        (iter_text(EVENTS), "cannot be read here"),
    ],
)
def test_what_is_no_stream_is_refused_at_once(function: Callable[..., Any], source: Any, says: str) -> None:
    """A mistake is a TypeError at the call, which says what was passed and what to do."""
    with pytest.raises(TypeError, match=says):
        function(source)


def test_an_awaitable_that_gives_no_stream(mode: Mode) -> None:
    """`create()` without `stream=True`, un-awaited, is named once it is known."""
    if not mode.is_async:
        pytest.skip("there is nothing to await")

    async def create() -> Any:
        return collect(EVENTS)

    async def create_sync() -> Any:
        return iter(EVENTS)

    for make, says in ((create, "stream=True"), (create_sync, "async stream")):
        error = mode.read(lambda make=make: iter_text(make())).error
        assert isinstance(error, TypeError)
        assert says in str(error)


@pytest.mark.parametrize("item", [collect(EVENTS), collect(EVENTS).to_dict()])
def test_a_finished_message_among_events(mode: Mode, item: Any) -> None:
    """A message in the place of an event is a mistake that no retry mends."""
    error = mode.read(lambda: iter_text(mode.source([item]))).error
    assert isinstance(error, StreamProtocolError)
    assert "a finished message is not an event" in str(error)
    assert not error.retryable


@pytest.mark.parametrize("item", ["data: x", b"data: x", 3, None])
def test_items_that_are_no_events(mode: Mode, item: Any) -> None:
    """A source that yields something else is a StreamProtocolError with what came before."""
    outcome = mode.read(lambda: iter_text(mode.source([*EVENTS[:3], item])))
    assert outcome.items == ["Hello, w"]
    assert isinstance(outcome.error, StreamProtocolError)
    assert type(item).__name__ in str(outcome.error)


def test_an_observer_that_cannot_be_called() -> None:
    """`tap` refuses it at once."""
    with pytest.raises(TypeError, match="cannot be called"):
        tap(EVENTS, None)

    async def observe(event: object) -> None:
        raise NotImplementedError

    with pytest.raises(TypeError, match="is async"):
        tap(EVENTS, observe)


def test_a_spent_sdk_stream(mode: Mode) -> None:
    """A stream that was read through us before, or read or closed without us, is named, not called cut."""
    client = mode.client
    body = Recording.from_events(EVENTS)

    def sync_spoils() -> Iterator[Any]:
        stream = client(body).messages.create(**REQUEST, stream=True)
        list(iter_text(stream))
        yield stream
        stream = client(body).messages.create(**REQUEST, stream=True)
        list(stream)
        yield stream
        stream = client(body).messages.create(**REQUEST, stream=True)
        stream.close()
        yield stream

    async def async_check() -> None:
        first = await client(body).messages.create(**REQUEST, stream=True)
        assert [chunk async for chunk in iter_text(first)]
        second = await client(body).messages.create(**REQUEST, stream=True)
        assert [event async for event in second]
        third = await client(body).messages.create(**REQUEST, stream=True)
        await third.close()
        for stream in (first, second, third):
            with pytest.raises(TypeError, match="read or closed before"):
                await collect(stream)

    if mode.is_async:
        mode.run(async_check)
        return
    for stream in sync_spoils():
        with pytest.raises(TypeError, match="read or closed before"):
            collect(stream)


def test_a_spent_iterator_of_ours(mode: Mode) -> None:
    """One cursor: a second pass is empty, and a second stage is refused."""

    async def check_async() -> None:
        events = iter_events(mode.source(EVENTS))
        assert [chunk async for chunk in iter_text(events)]
        assert [event async for event in events] == []
        with pytest.raises(TypeError, match="read or closed before"):
            await collect(events)

    if mode.is_async:
        mode.run(check_async)
        return
    events = iter_events(EVENTS)
    assert list(iter_text(events))
    assert list(events) == []
    with pytest.raises(TypeError, match="read or closed before"):
        collect(events)


def test_a_finished_generator(mode: Mode) -> None:
    """A generator that has nothing left is a mistake, not a cut stream."""

    async def agenerate() -> Any:
        for event in EVENTS:
            yield event

    async def check_async() -> None:
        generator = agenerate()
        assert [event async for event in generator]
        with pytest.raises(TypeError, match="read or closed before"):
            await collect(generator)

    if mode.is_async:
        mode.run(check_async)
        return
    generator = (event for event in EVENTS)
    list(generator)
    with pytest.raises(TypeError, match="read or closed before"):
        collect(generator)


def test_a_response_that_is_no_event_stream(mode: Mode) -> None:
    """An SDK stream over another kind of body is an error that names the content type."""
    outcome = mode.read(lambda: iter_text(mode.stream(Recording((b"<html>",), content_type="text/html"))))
    assert isinstance(outcome.error, StreamProtocolError)
    assert "text/html" in str(outcome.error)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<html>oops</html>", StreamProtocolError),
        (b'{"type": "error"}', StreamProtocolError),
        (b"event: ping\ndata: {}\n\n", StreamTruncatedError),
        (b"event: ping\n\n", StreamTruncatedError),
        (body_of(EVENTS[:3]) + b"event: message_delta\ndata: {oops\n\n", StreamProtocolError),
        (b"", StreamTruncatedError),
    ],
)
def test_a_response_that_was_loaded_at_once(mode: Mode, content: bytes, expected: type[Exception]) -> None:
    """A test double gives its whole body at once, and looks closed; it is no spent stream for that."""
    assert type(mode.read(lambda: collect(loaded(mode, content))).error) is expected
    assert mode.message(lambda: collect(loaded(mode, body_of(EVENTS)))) == collect(EVENTS)


def loaded(mode: Mode, content: bytes) -> Any:
    client = mode.client()
    http = importlib.import_module(type(client._client).__module__.partition(".")[0])
    headers = {"content-type": "text/event-stream"}
    transport = http.MockTransport(lambda _: http.Response(200, headers=headers, content=content))
    double = client.copy(http_client=(http.AsyncClient if mode.is_async else http.Client)(transport=transport))
    return double.messages.create(**REQUEST, stream=True)


# -- failures of the source --


class OwnError(Exception):
    """An exception of the user's."""


def failing(exc: BaseException) -> Iterator[Any]:
    yield from EVENTS[:3]
    raise exc


REFUSED = anthropic.AuthenticationError(
    "no", response=type("Response", (), {"status_code": 401, "headers": {}, "request": None})(), body=None
)


@pytest.mark.parametrize("exc", [OwnError("x"), ValueError("x"), ConnectionResetError("x"), TimeoutError("x"), REFUSED])
def test_a_users_own_exception_passes_unchanged(mode: Mode, exc: Exception) -> None:
    """What a user's own generator raises is the user's; so is what the SDK raises before a response begins."""
    outcome = mode.read(lambda: iter_text(mode.source(failing(exc))))
    assert (outcome.items, outcome.error) == (["Hello, w"], exc)


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (anthropic.APIConnectionError(request=None), StreamConnectionError),
        (anthropic.APITimeoutError(request=None), StreamTimeoutError),
        (anthropic.APIError("odd", request=None, body=None), StreamProtocolError),
    ],
)
def test_an_error_of_the_sdk_is_ours_whoever_passes_it_on(
    mode: Mode, exc: Exception, expected: type[Exception]
) -> None:
    """The SDK's errors are translated also when a user's generator stands between."""
    outcome = mode.read(lambda: iter_text(mode.source(failing(exc))))
    assert outcome.items == ["Hello, w"]
    assert type(outcome.error) is expected
    assert outcome.error.__cause__ is exc


@pytest.mark.parametrize(
    ("exc", "expected"),
    [
        (ConnectionResetError("reset"), StreamConnectionError),
        (TimeoutError("late"), StreamTimeoutError),
        (EOFError("end"), StreamConnectionError),
        (OwnError("x"), OwnError),
    ],
)
def test_plain_errors_of_sockets_count_where_bytes_are_read(
    mode: Mode, exc: Exception, expected: type[Exception]
) -> None:
    """Bytes come from a transport, so that a socket's or file's error is the transport's there."""
    outcome = mode.read(lambda: iter_text(from_sse(mode.source(failing_bytes(exc)))))
    assert outcome.items == ["Hello, w"]
    assert type(outcome.error) is expected


@pytest.mark.parametrize("name", ["ReadError", "RemoteProtocolError", "ReadTimeout", "DecodingError"])
def test_errors_of_the_http_package(mode: Mode, name: str) -> None:
    """The HTTP package's exceptions, which the SDK lets through, are ours."""
    package = anthropic.DefaultHttpxClient.__mro__[2].__module__.partition(".")[0]
    exc = getattr(importlib.import_module(package if package.startswith("httpx") else "httpx2"), name)("broken")
    expected = {"ReadTimeout": StreamTimeoutError, "DecodingError": StreamProtocolError}.get(
        name, StreamConnectionError
    )
    outcome = mode.read(lambda: iter_text(from_sse(mode.source(failing_bytes(exc)))))
    assert outcome.items == ["Hello, w"]
    assert type(outcome.error) is expected


def failing_bytes(exc: Exception) -> Iterator[bytes]:
    yield body_of(EVENTS[:3])
    raise exc


def test_an_interrupt_is_never_swallowed() -> None:
    """KeyboardInterrupt reaches the reader as it is."""
    with pytest.raises(KeyboardInterrupt):
        list(iter_text(failing(KeyboardInterrupt())))


@pytest.mark.parametrize("exc", [StopIteration, StopAsyncIteration])
def test_an_observer_cannot_pass_for_the_end(mode: Mode, exc: type[Exception]) -> None:
    """StopIteration out of an observer is an error, as it is in a generator."""

    def observe(event: Any) -> None:
        if event.type == "content_block_stop":
            raise exc

    outcome = mode.read(lambda: iter_text(tap(mode.source(EVENTS), observe)))
    assert "".join(outcome.items) == "Hello, world!"
    assert type(outcome.error) is RuntimeError
    assert type(outcome.error.__cause__) is exc


def test_going_on_after_ctrl_c() -> None:
    """Whoever catches KeyboardInterrupt and reads on does not take what he has for the whole message."""
    iterator = iter_text(failing(KeyboardInterrupt()))
    assert next(iterator) == "Hello, w"
    with pytest.raises(KeyboardInterrupt):
        next(iterator)
    with pytest.raises(StreamTruncatedError, match="the reading was interrupted") as caught:
        next(iterator)
    assert caught.value.partial is not None
    with pytest.raises(StreamTruncatedError, match="the reading was interrupted"):
        next(iterator)


def test_an_observer_that_closes_the_stream() -> None:
    """Closing one's own stream in the middle gives nothing more, and half a message never looks whole."""
    iterators: list[Any] = []
    seen: list[str] = []

    def stop(event: Any) -> None:
        if event.type == "content_block_delta":
            iterators[0].close()

    iterators.append(tap(EVENTS, stop))
    with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
        seen.extend(event.type for event in iterators[0])
    assert seen == [event["type"] for event in EVENTS[:3]]


def test_closing_in_front_of_what_is_held_back() -> None:
    """A stream that was closed gives nothing more; a complete message is no reason to complain."""
    iterator: Any = iter_tool_calls(iter(message_events(("tool", {}), ("tool", {}), chunk=99)))
    assert next(iterator).name == "tool"
    iterator.close()
    assert list(iterator) == []


def test_an_observers_exception_reaches_the_reader_as_it_is(mode: Mode) -> None:
    """A failing observer is the user's business, even over an SDK stream, and comes in its place."""
    seen: list[str] = []

    def observe(event: Any) -> None:
        seen.append(event.type)
        if event.type == "content_block_stop":
            raise OwnError

    outcome = mode.read(lambda: iter_text(tap(mode.stream(body_of(EVENTS)), observe)))
    assert "".join(outcome.items) == "Hello, world!"
    assert type(outcome.error) is OwnError
    assert seen[-1] == "content_block_stop"


# -- reading, stopping, nesting --


def test_stages_on_stages_share_one_guard(mode: Mode) -> None:
    """Stages nest to any depth, and the observers see the very objects that the reader gets."""
    seen: list[Any] = []
    accumulator = Accumulator()

    def make() -> Any:
        return tap(iter_events(tap(mode.stream(body_of(EVENTS)), seen.append)), accumulator.feed)

    events = mode.read(make).items
    assert [id(event) for event in events] == [id(event) for event in seen]
    assert accumulator.result() == collect(EVENTS)
    assert "".join(mode.read(lambda: iter_text(make())).items) == "Hello, world!"


def test_objects_of_the_source_are_handed_on(mode: Mode) -> None:
    """`iter_events` gives the very objects that the source gave."""
    events = list(iter_events(EVENTS))
    assert all(a is b for a, b in zip(mode.read(lambda: iter_events(mode.source(events))).items, events))


def test_the_sdks_helper_is_counted_once(mode: Mode) -> None:
    """A MessageStream yields each text twice, raw and synthesised; here it counts once."""
    body = Recording.from_events(message_events("Hello, world!", ("tool", {"a": 1})))

    async def read_async() -> tuple[str, Any]:
        async with mode.client(body, body).messages.stream(**REQUEST) as stream:
            text = "".join([chunk async for chunk in iter_text(stream)])
        async with mode.client(body).messages.stream(**REQUEST) as stream:
            return text, await collect(stream)

    if mode.is_async:
        text, message = mode.run(read_async)
    else:
        with mode.client(body).messages.stream(**REQUEST) as stream:
            text = "".join(iter_text(stream))
        with mode.client(body).messages.stream(**REQUEST) as stream:
            message = collect(stream)
    assert text == "Hello, world!"
    assert message == collect(message_events("Hello, world!", ("tool", {"a": 1})))


def test_the_sdks_helper_chokes_on_malformed_input(mode: Mode) -> None:
    """The SDK's MessageStream parses each piece of a tool's input, so its failure ends the text as well."""
    body = body_of(message_events("Hello", ("tool", {"a": 1}), chunk=50)).replace(b'{\\"a\\": 1}', b"{oops}")

    async def read_async() -> Any:
        chunks: list[str] = []
        async with mode.client(Recording.from_bytes(body)).messages.stream(**REQUEST) as stream:
            with pytest.raises(ToolInputError) as caught:
                async for chunk in iter_text(stream):
                    chunks.append(chunk)
        return chunks, caught.value

    if mode.is_async:
        chunks, error = mode.run(read_async)
    else:
        chunks = []
        with mode.client(Recording.from_bytes(body)).messages.stream(**REQUEST) as stream:
            with pytest.raises(ToolInputError) as caught:
                chunks.extend(iter_text(stream))
            error = caught.value
    assert error.raw == ("{oops}" if "JSON: " in str(error) else "")  # SDKs before 0.122 do not say
    assert error.partial.content[0].text == "Hello"


def test_a_ping_is_an_unknown_event_with_all_its_fields() -> None:
    """The SDK has no class for a ping; ours keeps the fields."""
    [ping, *_] = iter_events([{"type": "ping", "at": 3}, *EVENTS])
    assert isinstance(ping, UnknownEvent)
    assert ping.to_dict() == {"type": "ping", "at": 3}


@pytest.mark.parametrize("make", [iter_text, lambda events: MessageStream(events).text_stream], ids=["driver", "view"])
def test_a_second_thread_is_refused(make: Any) -> None:
    """One reader at a time: the second gets a RuntimeError, and the first is not disturbed."""
    in_source, go_on = threading.Event(), threading.Event()

    def events() -> Iterator[Any]:
        yield from EVENTS[:3]
        in_source.set()
        assert go_on.wait(5)
        yield from EVENTS[3:]

    iterator = make(events())
    chunks: list[str] = []
    reader = threading.Thread(target=lambda: chunks.extend(iterator))
    reader.start()
    assert in_source.wait(5)
    with pytest.raises(RuntimeError, match="one reader at a time"):
        next(iterator)
    go_on.set()
    reader.join(5)
    assert chunks == ["Hello, w", "orld!"]


def test_closing_from_another_thread_never_looks_like_the_end() -> None:
    """A reader whose stream another thread closes gets an error, also between two reads, that asks for no retry."""
    iterator: Any = iter_text(iter(EVENTS))
    read_one, closed = threading.Event(), threading.Event()
    outcome: list[Any] = []

    def read() -> None:
        try:
            for chunk in iterator:
                outcome.append(chunk)
                read_one.set()
                assert closed.wait(5)
        except StreamConnectionError as exc:
            outcome.append(exc)

    reader = threading.Thread(target=read)
    reader.start()
    assert read_one.wait(5)
    iterator.close()
    closed.set()
    reader.join(5)
    assert outcome[0] == "Hello, w"
    assert isinstance(outcome[1], StreamConnectionError)
    assert not outcome[1].retryable
    assert outcome[1].partial is not None
    with pytest.raises(StreamConnectionError) as caught:
        next(iterator)
    assert caught.value is outcome[1]


def test_a_second_task_is_refused(mode: Mode) -> None:
    """One reader at a time holds for tasks as well."""
    if not mode.is_async:
        pytest.skip("tasks are async")

    async def main() -> None:
        iterator = iter_text(mode.source(EVENTS))
        errors: list[Exception] = []

        async def read() -> None:
            try:
                async for _ in iterator:
                    pass
            except RuntimeError as exc:
                errors.append(exc)

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            group.start_soon(read)
        assert len(errors) == 1

    mode.run(main)


def test_cancelling_leaves_the_partial_readable(mode: Mode) -> None:
    """A cancelled reader leaves an accumulator with what had come."""
    if not mode.is_async:
        pytest.skip("only tasks can be cancelled")
    accumulator = Accumulator()

    class Stalls(AsyncItems):
        async def __anext__(self) -> Any:
            try:
                return await super().__anext__()
            except StopAsyncIteration:
                await anyio.sleep_forever()

    async def main() -> None:
        with anyio.move_on_after(0.05) as scope:
            async for _ in tap(Stalls(EVENTS[:3]), accumulator.feed):
                pass
        assert scope.cancelled_caught

    mode.run(main)
    assert accumulator.message is not None
    assert accumulator.message.content[0].text == "Hello, w"


def test_leaving_early_closes_what_the_block_is_over(mode: Mode) -> None:
    """A `with` block over an iterator closes the SDK's stream; closing twice is fine, reading on is an error."""

    async def main() -> None:
        stream = await mode.stream(body_of(EVENTS))
        async with iter_text(stream) as chunks:
            async for _ in chunks:
                break
        assert stream.response.is_closed
        await chunks.aclose()
        with pytest.raises(StreamConnectionError, match="closed before"):
            await anext(chunks)

    if mode.is_async:
        mode.run(main)
        return
    stream = mode.stream(body_of(EVENTS))
    with contextlib.closing(iter_text(stream)) as chunks:
        next(chunks)
    assert stream.response.is_closed
    with chunks:
        pass
    with pytest.raises(StreamConnectionError, match="closed before"):
        next(chunks)


def test_an_unawaited_request_that_is_never_read(mode: Mode) -> None:
    """Closing an iterator that was never read closes the coroutine that it was given, without a warning."""
    if not mode.is_async:
        pytest.skip("there is nothing to await")

    async def main() -> None:
        await iter_text(mode.stream(body_of(EVENTS))).aclose()

    mode.run(main)
    gc.collect()


def test_closing_over_a_list_is_fine(mode: Mode) -> None:
    """A source that has nothing to close is none to complain about."""

    async def main() -> None:
        async with iter_text(mode.source(EVENTS)) as chunks:
            assert await chunks.__anext__() == "Hello, w"

    if mode.is_async:
        mode.run(main)
    else:
        with iter_text(EVENTS) as chunks:
            assert next(chunks) == "Hello, w"
    assert not hasattr(EVENTS, "close")


def test_closing_closes_a_users_generator(mode: Mode) -> None:
    """`close` reaches through stages to the source."""
    closed: list[bool] = []

    def events() -> Iterator[Any]:
        try:
            yield from EVENTS
        finally:
            closed.append(True)

    async def aevents() -> Any:
        try:
            for event in EVENTS:
                yield event
        finally:
            closed.append(True)

    async def main() -> None:
        async with iter_text(iter_events(aevents())) as chunks:
            assert await chunks.__anext__() == "Hello, w"

    if mode.is_async:
        mode.run(main)
    else:
        with iter_text(iter_events(events())) as chunks:
            assert next(chunks) == "Hello, w"
    assert closed == [True]


def test_a_failure_closes_the_live_response(mode: Mode) -> None:
    """An error in the middle of a live stream leaves its response closed, through any number of stages."""
    streams: list[Any] = []
    body = body_of([*EVENTS[:3], error_event("api_error"), *EVENTS[3:]])

    async def main() -> None:
        streams.append(await mode.stream(body))
        with contextlib.suppress(anthropic.APIError):
            await collect(iter_events(streams[0]))
        assert streams[0].response.is_closed  # now, and not only when the loop ends
        streams.append(await mode.stream(body_of(message_events(("tool", {"a": 1}))).replace(b'{\\"a', b"oops")))
        with contextlib.suppress(anthropic.APIError):
            async for _ in iter_tool_calls(iter_events(streams[1])):
                pass
        assert streams[1].response.is_closed

    if mode.is_async:
        mode.run(main)
    else:
        streams.append(mode.stream(body))
        with contextlib.suppress(anthropic.APIError):
            collect(iter_events(streams[0]))
        streams.append(mode.stream(body_of(message_events(("tool", {"a": 1}))).replace(b'{\\"a', b"oops")))
        with contextlib.suppress(anthropic.APIError):
            list(iter_tool_calls(iter_events(streams[1])))
    assert [stream.response.is_closed for stream in streams] == [True, True]


def test_an_abandoned_iterator_warns_nobody(mode: Mode) -> None:
    """An iterator that is dropped in the middle leaves no warning of ours."""

    async def main() -> None:
        async for _ in iter_text(mode.source(EVENTS)):
            break
        gc.collect()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if mode.is_async:
            mode.run(main)
        else:
            for _ in iter_text(mode.source(EVENTS)):
                break
        gc.collect()


def test_after_a_failure_the_error_comes_again(mode: Mode) -> None:
    """Reading on after an error raises that very error: a second loop must not take what came for all."""
    same_error_twice(mode, lambda: iter_text(mode.source(EVENTS[:3])), StreamTruncatedError)


def same_error_twice(mode: Mode, make: Callable[[], Any], expected: type[Exception]) -> None:
    async def main() -> None:
        iterator = make()
        errors: list[Any] = []
        for _ in range(3):
            with pytest.raises(expected) as caught:
                while True:
                    await anext(iterator)
            errors.append(caught.value)
        assert errors[0] is errors[1] is errors[2]
        with pytest.raises(expected) as caught:
            await iterator.result()
        assert caught.value is errors[0]

    def sync_main() -> None:
        iterator = make()
        errors: list[Any] = []
        for _ in range(3):
            with pytest.raises(expected) as caught:
                list(iterator)
            errors.append(caught.value)
        assert errors[0] is errors[1] is errors[2]
        with pytest.raises(expected) as caught:
            iterator.result()
        assert caught.value is errors[0]

    if mode.is_async:
        mode.run(main)
    else:
        sync_main()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{oops", "event 4: its data is not valid JSON"),
        (b'{"type":"a","b":"\xff"}', "event 4: its data is not valid JSON"),
        (b'{"type":"content_block_delta","_fields_set":[1]}', "event 4 could not be read by the SDK"),
    ],
)
def test_what_the_sdk_cannot_read_is_named_by_its_number(mode: Mode, data: bytes, says: str) -> None:
    """What the SDK raises on an event says which event that was."""
    body = body_of(EVENTS[:3]) + b"event: content_block_delta\ndata: " + data + b"\n\n"
    outcome = mode.read(lambda: iter_text(mode.stream(body)))
    assert isinstance(outcome.error, StreamProtocolError)
    assert says in str(outcome.error)


def test_an_empty_body_of_bedrock_is_an_event_stream(mode: Mode) -> None:
    """The content type of AWS is as good as that of the API."""
    recording = Recording((), content_type="application/vnd.amazon.eventstream")
    assert type(mode.read(lambda: iter_text(mode.stream(recording))).error) is StreamTruncatedError


def test_after_an_error_in_the_middle_it_comes_again(mode: Mode) -> None:
    """Reading on after an error event does not go on behind it."""
    events = [*EVENTS[:3], error_event("api_error"), *EVENTS[3:]]
    same_error_twice(mode, lambda: iter_text(mode.source(events)), anthropic.InternalServerError)


def test_after_an_observers_exception_it_comes_again(mode: Mode) -> None:
    """What a user's own code raised ends the stream for good, on the stages behind it as well."""

    def observe(event: Any) -> None:
        if event.type == "content_block_delta":
            raise OwnError

    same_error_twice(mode, lambda: iter_text(tap(mode.source(EVENTS), observe)), OwnError)


def test_an_sdk_stream_that_was_read_in_part(mode: Mode) -> None:
    """A second iterator over a live stream is refused, although the stream has more to give."""

    async def main() -> None:
        stream = await mode.stream(body_of(EVENTS))
        async with iter_text(stream) as chunks:
            assert await anext(chunks) == "Hello, w"
            with pytest.raises(TypeError, match="read or closed before"):
                await collect(stream)

    if mode.is_async:
        mode.run(main)
        return
    with mode.stream(body_of(EVENTS)) as stream:
        assert next(iter_text(stream)) == "Hello, w"
        with pytest.raises(TypeError, match="read or closed before"):
            collect(stream)


def test_a_double_that_was_read_before() -> None:
    """A response that was loaded at once is spent like any other."""
    stream = loaded(Mode("sync"), body_of(EVENTS))
    list(stream)
    with pytest.raises(TypeError, match="read or closed before"):
        collect(stream)


def test_a_close_that_fails_hides_nothing(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing close of the response leaves the error of the stream as it is."""

    def close(*_: object) -> Any:
        raise OwnError

    for name in ("Stream", "AsyncStream"):
        monkeypatch.setattr(getattr(anthropic, name), "close", close)
    outcome = mode.read(lambda: iter_text(mode.stream(body_of([*EVENTS[:3], error_event("api_error")]))))
    assert outcome.items == ["Hello, w"]
    assert isinstance(outcome.error, anthropic.InternalServerError)


def test_reading_on_after_a_close(mode: Mode) -> None:
    """After a close by the reader itself there is nothing more, and what came does not look whole."""

    async def main() -> None:
        iterator: Any = from_sse(mode.source([body_of(EVENTS)]))
        assert (await anext(iterator)).type == "message_start"
        await iterator.aclose()
        with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
            await anext(iterator)

    if mode.is_async:
        mode.run(main)
        return
    iterator: Any = from_sse([body_of(EVENTS)])
    assert next(iterator).type == "message_start"
    iterator.close()
    with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
        next(iterator)


def test_closing_from_another_thread_after_a_failure() -> None:
    """A stream that has failed before is not interrupted by a close."""
    iterator: Any = iter_text(EVENTS[:3])
    with ThreadPoolExecutor() as pool, pytest.raises(StreamTruncatedError):
        pool.submit(list, iterator).result(5)
    iterator.close()
    with pytest.raises(StreamTruncatedError):
        next(iterator)


def test_an_iterator_that_is_closed_unread(mode: Mode) -> None:
    """What was closed before the first read gives nothing, and says so."""

    async def main() -> None:
        iterator: Any = iter_text(mode.source(EVENTS))
        await iterator.aclose()
        with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
            await anext(iterator)

    if mode.is_async:
        mode.run(main)
        return
    iterator: Any = iter_text(EVENTS)
    iterator.close()
    with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
        next(iterator)


def test_closing_a_whole_message_from_another_thread_is_no_error() -> None:
    """A reader that has got the whole message, and not yet its end, loses nothing by a close."""
    iterator: Any = iter_events(EVENTS)
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: [next(iterator) for _ in EVENTS]).result(5)
    iterator.close()
    assert list(iterator) == []


def test_closing_from_another_task_never_looks_like_the_end(mode: Mode) -> None:
    """A task whose stream another task closes gets an error that asks for no retry."""
    if not mode.is_async:
        pytest.skip("tasks are async")

    class Waits(AsyncItems):
        async def __anext__(self) -> Any:
            try:
                return await super().__anext__()
            except StopAsyncIteration:
                waiting.set()
                await closed.wait()
                raise

        async def aclose(self) -> None:
            closed.set()

    async def main() -> None:
        iterator: Any = iter_text(Waits(EVENTS[:3]))

        async def read() -> None:
            with pytest.raises(StreamConnectionError, match="closed before its message was complete") as caught:
                async for _ in iterator:
                    pass
            assert not caught.value.retryable

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await waiting.wait()
            await iterator.aclose()

    waiting, closed = anyio.Event(), anyio.Event()
    mode.run(main)


@pytest.mark.parametrize("beta", [False, True])
def test_observers_see_beta_objects_where_beta_is_asked_for(mode: Mode, beta: bool) -> None:
    """`beta=True` in front of a tap holds for its observers."""
    seen: list[Any] = []
    outcome = mode.read(lambda: tap(from_sse(mode.source([body_of(EVENTS)]), beta=beta), seen.append))
    assert outcome.error is None
    assert {type(event).__name__.startswith("Beta") for event in seen} == {beta}
    assert [id(event) for event in outcome.items] == [id(event) for event in seen]  # the very objects
