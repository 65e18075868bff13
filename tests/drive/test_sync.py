"""The sync driver: one thread reads, another may close, and Ctrl-C comes at any time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import anthropic
import pytest

from claude_stream import MessageStream, StreamConnectionError, StreamTruncatedError, iter_events, iter_text
from claude_stream.testing import Recording, message_events
from claude_stream.testing._http import http_package
from tests.support import PATIENCE, REQUEST, failing

EVENTS = message_events("Hello, world!")
VIEWS: dict[str, Callable[[Any], Any]] = {
    "a reader": iter_text,
    "a reader over a reader": lambda stream: iter_text(iter_events(stream)),
    "a view of a stream": lambda stream: MessageStream(stream).text_stream,
}


def test_an_interrupt_is_never_swallowed() -> None:
    """KeyboardInterrupt reaches the reader as it is."""
    with pytest.raises(KeyboardInterrupt):
        list(iter_text(failing(KeyboardInterrupt(), EVENTS[:3])))


def test_going_on_after_ctrl_c() -> None:
    """A program that catches KeyboardInterrupt and reads on does not take what it has for the whole message."""
    iterator = iter_text(failing(KeyboardInterrupt(), EVENTS[:3]))
    assert next(iterator) == "Hello, w"
    with pytest.raises(KeyboardInterrupt):
        next(iterator)
    with pytest.raises(StreamTruncatedError, match="the reading was interrupted") as caught:
        next(iterator)
    assert caught.value.partial is not None
    with pytest.raises(StreamTruncatedError, match="the reading was interrupted"):
        next(iterator)


@pytest.mark.parametrize("make", [iter_text, lambda events: MessageStream(events).text_stream], ids=["driver", "view"])
def test_a_second_thread_is_refused(make: Any) -> None:
    """One reader at a time: the second gets a RuntimeError, and the first is not disturbed."""
    in_source, go_on = threading.Event(), threading.Event()

    def events() -> Iterator[Any]:
        yield from EVENTS[:3]
        in_source.set()
        assert go_on.wait(PATIENCE)
        yield from EVENTS[3:]

    iterator = make(events())
    chunks: list[str] = []
    reader = threading.Thread(target=lambda: chunks.extend(iterator))
    reader.start()
    assert in_source.wait(PATIENCE)
    with pytest.raises(RuntimeError, match="one reader at a time"):
        next(iterator)
    go_on.set()
    reader.join(PATIENCE)
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
                assert closed.wait(PATIENCE)
        except StreamConnectionError as exc:
            outcome.append(exc)

    reader = threading.Thread(target=read)
    reader.start()
    assert read_one.wait(PATIENCE)
    iterator.close()
    closed.set()
    reader.join(PATIENCE)
    assert outcome[0] == "Hello, w"
    assert isinstance(outcome[1], StreamConnectionError)
    assert not outcome[1].retryable
    assert outcome[1].partial is not None
    with pytest.raises(StreamConnectionError) as caught:
        next(iterator)
    assert caught.value is outcome[1]


def test_closing_from_another_thread_after_a_failure() -> None:
    """A stream that has failed before is not interrupted by a close."""
    iterator: Any = iter_text(EVENTS[:3])
    with ThreadPoolExecutor() as pool, pytest.raises(StreamTruncatedError):
        pool.submit(list, iterator).result(PATIENCE)
    iterator.close()
    with pytest.raises(StreamTruncatedError):
        next(iterator)


def test_closing_a_whole_message_from_another_thread_is_no_error() -> None:
    """A reader that has got the whole message, and not yet its end, loses nothing by a close."""
    iterator: Any = iter_events(EVENTS)
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: [next(iterator) for _ in EVENTS]).result(PATIENCE)
    iterator.close()
    assert list(iterator) == []


def test_closing_a_read_that_nothing_can_interrupt() -> None:
    """Without a socket of its own a response is not closed under its reader, who learns of it with the next event."""
    in_source, go_on = threading.Event(), threading.Event()
    closed: list[str] = []
    chunks = Recording.from_events(EVENTS).chunks
    package = http_package()

    class Body(package.SyncByteStream):  # as over HTTP/2, or in this process
        def __iter__(self) -> Iterator[bytes]:
            yield from chunks[:3]
            in_source.set()
            assert go_on.wait(PATIENCE)
            closed.append("go on")
            yield from chunks[3:]

        def close(self) -> None:
            closed.append("close")

    headers = {"content-type": "text/event-stream"}
    transport = package.MockTransport(lambda _: package.Response(200, headers=headers, stream=Body()))
    client = anthropic.Anthropic(api_key="x", max_retries=0, http_client=package.Client(transport=transport))
    texts = iter_text(client.messages.create(**REQUEST, stream=True))
    with ThreadPoolExecutor() as pool:
        reader = pool.submit(list, texts)
        assert in_source.wait(PATIENCE)
        texts.close()
        assert closed == []
        go_on.set()
        with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
            reader.result(PATIENCE)
    assert closed == ["go on", "close"]
    assert texts.text == "Hello, world!"  # what it learned of it by is kept


@pytest.mark.parametrize("name", VIEWS)
def test_a_socket_is_not_closed_under_its_reader(name: str) -> None:
    """A close shuts it down, and its reader closes it when it is back: the system would give its number to others."""
    in_read, closed = threading.Event(), threading.Event()
    done_by: list[tuple[str, threading.Thread]] = []
    ours, theirs = socket.socketpair()
    package = http_package()

    class Body(package.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield from Recording.from_events(EVENTS).chunks[:3]
            in_read.set()
            assert ours.recv(1) == b""
            assert closed.wait(PATIENCE)
            done_by.append(("read", threading.current_thread()))

        def close(self) -> None:
            done_by.append(("close", threading.current_thread()))

    network = SimpleNamespace(get_extra_info={"socket": ours}.get)
    options = {"headers": {"content-type": "text/event-stream"}, "stream": Body()}
    extensions = {"http_version": b"HTTP/1.1", "network_stream": network}
    transport = package.MockTransport(lambda _: package.Response(200, **options, extensions=extensions))
    client = anthropic.Anthropic(api_key="x", max_retries=0, http_client=package.Client(transport=transport))
    view = VIEWS[name](client.messages.create(**REQUEST, stream=True))
    with ours, theirs, ThreadPoolExecutor() as pool:
        reading = pool.submit(list, view)
        assert in_read.wait(PATIENCE)
        view.close()
        closed.set()
        with pytest.raises(StreamConnectionError, match="closed before its message was complete"):
            reading.result(PATIENCE)
        assert [what for what, _ in done_by][:2] == ["read", "close"]
        assert threading.current_thread() not in [thread for _, thread in done_by]
