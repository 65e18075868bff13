"""Reading ahead: `open()` of a manager gives a stream that has begun, or raises why it did not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from claude_stream import (
    StreamConnectionError,
    StreamOverloadedError,
    StreamProtocolError,
    StreamTimeoutError,
    StreamTruncatedError,
    open_stream,
)
from claude_stream.testing import Recording, message_events
from tests.support import REQUEST, Mode

HELLO = Recording.from_events(message_events("Hello, world!"))
PINGED = Recording.from_events([{"type": "ping"}, *message_events("Hello, world!")])
NOTHING = Recording(())


async def opened(mode: Mode, recording: Any, **options: Any) -> Any:
    manager: Any = open_stream(
        mode.client(*recording if isinstance(recording, list) else [recording]), **options, **REQUEST
    )
    return await manager.open() if mode.is_async else manager.open()


def run(mode: Mode, function: Callable[[], Any]) -> Any:
    return (mode if mode.is_async else Mode("asyncio")).run(function)


async def rest(mode: Mode, iterator: Any) -> list[Any]:
    return [item async for item in iterator] if mode.is_async else list(iterator)


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        (Recording.http_error(529), anthropic.OverloadedError),
        (Recording.http_error(400), anthropic.BadRequestError),
        (HELLO.error("overloaded_error", after=0), StreamOverloadedError),
        (HELLO.cut(after=0), StreamTruncatedError),
        (HELLO.reset(after=0), StreamConnectionError),
        (HELLO.stall(after=0), StreamTimeoutError),
        (Recording.from_bytes(b"<html>"), StreamProtocolError),
    ],
    ids=["529", "400", "overloaded", "cut", "reset", "stall", "html"],
)
def test_what_goes_wrong_before_the_message(mode: Mode, recording: Recording, expected: type[Exception]) -> None:
    """It is raised where the stream is opened, and nothing is left open."""
    client = mode.client(recording)

    async def main() -> None:
        manager: Any = open_stream(client, **REQUEST)
        with pytest.raises(expected):
            await manager.open() if mode.is_async else manager.open()

    run(mode, main)


def test_what_goes_wrong_later_is_for_who_reads(mode: Mode) -> None:
    """An error behind the first event does not stand in the way of opening."""

    async def main() -> None:
        stream = await opened(mode, HELLO.error("overloaded_error", after=1))
        with pytest.raises(StreamOverloadedError):
            await rest(mode, stream.text_stream)
        with pytest.raises(StreamOverloadedError):
            await rest(mode, stream)

    run(mode, main)


@pytest.mark.parametrize("view", ["text_stream", "events"])
@pytest.mark.parametrize("recording", [HELLO, PINGED], ids=["plain", "pinged"])
@pytest.mark.parametrize("options", [{}, {"restarts": 1, "idle_timeout": 60}], ids=["plain", "guarded"])
def test_nothing_is_lost(mode: Mode, recording: Recording, view: str, options: dict[str, Any]) -> None:
    """All that was read ahead comes first, on every view, and the stream is what it is without reading ahead."""

    async def main() -> None:
        stream = await opened(mode, recording, **options)
        assert (stream.complete, stream.message.id, stream.request_id) == (False, stream.message.id, "req_replay")
        items = await rest(mode, stream if view == "events" else stream.text_stream)
        if view == "events":
            assert [item.type for item in items][:3] == ["message_start", "content_block_start", "content_block_delta"]
            assert items[-1].type == "message_stop"
        else:
            assert items == ["Hello, w", "orld!"]
        assert (stream.complete, stream.text, stream.timing.ttft is not None) == (True, "Hello, world!", True)
        assert stream.response.is_closed

    run(mode, main)


def test_a_stream_that_is_opened_is_closed_by_who_has_it(mode: Mode) -> None:
    """Leaving the manager does not close it, its own block does, and reading on is an error then."""

    async def main() -> None:
        manager: Any = open_stream(mode.client(HELLO, HELLO), **REQUEST)
        if mode.is_async:
            stream = await manager.open()
            async with manager:
                pass
            async with stream:
                assert not stream.response.is_closed
        else:
            stream = manager.open()
            with manager:
                pass
            with stream:
                assert not stream.response.is_closed
        assert stream.response.is_closed
        with pytest.raises(StreamConnectionError):
            await rest(mode, stream.text_stream)

    run(mode, main)


def test_restarts_come_before_opening_ends(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails before its content is asked for again, and the stream begins with what is not taken back."""
    monkeypatch.setattr("claude_stream._open.backoff", lambda _: 0)

    async def main() -> None:
        stream = await opened(mode, [HELLO.error("overloaded_error", after=1), HELLO], restarts=1)
        assert await rest(mode, stream.text_stream) == ["Hello, w", "orld!"]
        with pytest.raises(StreamOverloadedError):
            await opened(mode, [HELLO.error("overloaded_error", after=1)] * 2, restarts=1)

    run(mode, main)


def test_an_empty_stream_where_that_is_allowed(mode: Mode) -> None:
    """Without `strict`, it is opened, and has nothing."""

    async def main() -> None:
        stream = await opened(mode, NOTHING, strict=False)
        assert await rest(mode, stream.text_stream) == []
        assert stream.message is None

    run(mode, main)
