"""The async driver: one task reads, another may close, and each may be cancelled."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from claude_stream import Accumulator, StreamConnectionError, iter_events, iter_text, tap
from claude_stream.testing import message_events
from tests.support import ASYNC_MODES, AsyncItems, Mode

EVENTS = message_events("Hello, world!")


@ASYNC_MODES
def test_a_second_task_is_refused(mode: Mode) -> None:
    """One reader at a time holds for tasks as well."""

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


@ASYNC_MODES
def test_cancelling_leaves_the_partial_readable(mode: Mode) -> None:
    """A cancelled reader leaves an accumulator with what had come."""
    accumulator = Accumulator()

    class Stalls(AsyncItems):
        async def __anext__(self) -> Any:
            try:
                return await super().__anext__()
            except StopAsyncIteration:
                stalled.set()
                await anyio.sleep_forever()

    async def read() -> None:
        async for _ in tap(Stalls(EVENTS[:3]), accumulator.feed):
            pass

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await stalled.wait()
            group.cancel_scope.cancel()
        assert group.cancel_scope.cancelled_caught

    stalled = anyio.Event()

    mode.run(main)
    assert accumulator.message is not None
    assert accumulator.message.content[0].text == "Hello, w"


@ASYNC_MODES
def test_closing_from_another_task_never_looks_like_the_end(mode: Mode) -> None:
    """A task whose stream another task closes gets an error that asks for no retry."""

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


@ASYNC_MODES
def test_closing_a_whole_message_from_another_task_is_no_error(mode: Mode) -> None:
    """A task that waits for more behind a message that is complete by its stop reason loses nothing by a close."""
    chunks: list[str] = []

    class Waits(AsyncItems):
        async def __anext__(self) -> Any:
            try:
                return await super().__anext__()
            except StopAsyncIteration:
                waiting.set()
                await anyio.sleep_forever()

    async def main() -> None:
        texts: Any = iter_text(iter_events(Waits(EVENTS[:-1])))

        async def read() -> None:
            chunks.extend([chunk async for chunk in texts])

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await waiting.wait()
            await texts.aclose()
        assert texts.complete

    waiting = anyio.Event()
    mode.run(main)
    assert chunks == ["Hello, w", "orld!"]
