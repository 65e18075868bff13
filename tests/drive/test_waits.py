"""How a wait of an async reader ends before it is over; the seconds are those of the loop's own clock."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import weakref
from typing import Any

import anyio
import pytest

from claude_stream import StreamTimeoutError
from claude_stream._drive.timeouts import Limits, Patience
from claude_stream._drive.waits import AsyncioWaits, InterruptedWaitError, TrioWaits, waits_for
from claude_stream._steps.guard import Guard
from claude_stream.testing import message_events
from tests.clocks import Timeless

ASYNC = pytest.mark.parametrize("timeless", ["asyncio", "trio"], indirect=True)
ASYNCIO = pytest.mark.parametrize("timeless", ["asyncio"], indirect=True)
START, BLOCK, *_ = message_events("Hello")


def patience(timeless: Timeless, guard: Guard | None = None, **limits: float) -> Patience:
    """Return what is left of the limits of a stream, by the clock of the loop."""
    return Patience(Limits(**limits, clock=timeless.clock), guard or Guard())


async def nothing() -> Any:
    """Wait for what never comes."""
    await anyio.sleep_forever()


@ASYNC
def test_each_loop_has_its_waits(timeless: Timeless) -> None:
    """The ones of asyncio need its tasks; trio's, its scopes."""

    async def main() -> Any:
        return waits_for(None)

    assert type(timeless.run(main)) is (AsyncioWaits if timeless.name == "asyncio" else TrioWaits)


@ASYNC
@pytest.mark.parametrize("limited", [False, True])
def test_a_wait_that_is_over_in_time(timeless: Timeless, limited: bool) -> None:
    """It gives what it gives, or raises what it raises."""

    async def give() -> str:
        await anyio.sleep(1)
        return "item"

    async def fail() -> str:
        raise ZeroDivisionError

    async def main() -> None:
        waits = waits_for(patience(timeless, idle=2) if limited else None)
        assert await waits.until(give) == "item"
        with pytest.raises(ZeroDivisionError):
            await waits.until(fail)
        assert waits.interrupt() is False

    timeless.run(main)


@ASYNC
def test_a_wait_ends_at_its_limit(timeless: Timeless) -> None:
    """To the second, and so does the next one, which has nothing left."""

    async def main() -> None:
        waits, start = waits_for(patience(timeless, idle=2.5)), timeless.clock()
        with pytest.raises(StreamTimeoutError, match=r"no event in 2\.5 s"):
            await waits.until(nothing)
        assert timeless.clock() - start == 2.5
        with pytest.raises(StreamTimeoutError):
            await waits.until(nothing)
        assert timeless.clock() - start == 2.5

    timeless.run(main)


@ASYNC
def test_a_limit_that_moves_with_each_event(timeless: Timeless) -> None:
    """Each event gives the next wait all of its time; the wait that takes longer ends at its own limit."""
    guard = Guard()

    async def main() -> None:
        waits, start = waits_for(patience(timeless, guard, idle=2)), timeless.clock()
        for event in (START, BLOCK):
            await waits.until(lambda: anyio.sleep(1.5))
            guard.feed(event)
        with pytest.raises(StreamTimeoutError):
            await waits.until(nothing)
        assert timeless.clock() - start == 5

    timeless.run(main)


@ASYNC
def test_a_limit_that_is_over(timeless: Timeless) -> None:
    """Once content has come there is no `first` any more, and without `idle` a wait may take for ever."""
    guard = Guard()

    async def main() -> None:
        waits = waits_for(patience(timeless, guard, first=2))
        await waits.until(lambda: anyio.sleep(1))
        for event in (START, BLOCK):
            guard.feed(event)
        await waits.until(lambda: anyio.sleep(1_000))

    timeless.run(main)


@ASYNCIO
def test_what_has_come_is_given_when_the_loop_was_held_up(timeless: Timeless) -> None:
    """What comes in the very turn of the loop in which a limit is due is not too late; trio's own loop sees to it."""
    guard = Guard()

    async def main() -> None:
        waits = waits_for(patience(timeless, guard, idle=1))
        event = anyio.Event()

        async def hold_up() -> None:
            await anyio.sleep(1)
            event.set()

        async with anyio.create_task_group() as group:
            group.start_soon(hold_up)
            await waits.until(event.wait)

    timeless.run(main)


@ASYNC
@pytest.mark.parametrize("limited", [False, True])
def test_another_task_interrupts(timeless: Timeless, limited: bool) -> None:
    """The wait ends at once, and the task that waited goes on as if it had never been cancelled."""

    async def main() -> None:
        waits = waits_for(patience(timeless, idle=9) if limited else None)

        async def reader() -> None:
            with pytest.raises(InterruptedWaitError):
                await waits.until(nothing)
            await anyio.sleep(1)

        async with anyio.create_task_group() as group:
            group.start_soon(reader)
            await anyio.wait_all_tasks_blocked()
            start = timeless.clock()
            assert waits.interrupt() is True
        assert timeless.clock() - start == 1

    timeless.run(main)


@ASYNC
def test_nobody_waits(timeless: Timeless) -> None:
    """There is nothing to interrupt before the first wait, and behind the last one."""

    async def main() -> None:
        waits = waits_for(None)
        assert waits.interrupt() is False
        await waits.until(anyio.lowlevel.checkpoint)
        assert waits.interrupt() is False

    timeless.run(main)


@ASYNCIO
def test_a_task_does_not_interrupt_itself(timeless: Timeless) -> None:
    """What closes a stream from within its own read has nothing to wait for."""

    async def main() -> None:
        waits = waits_for(None)

        async def close() -> bool:
            return waits.interrupt()

        assert await waits.until(close) is False

    timeless.run(main)


@ASYNC
@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 does not count cancellations")
@pytest.mark.parametrize("limited", [False, True])
def test_a_cancellation_by_others_is_theirs(timeless: Timeless, limited: bool) -> None:
    """A task that is cancelled while it waits is cancelled, at a limit or not, and interrupted or not."""
    ended: list[str] = []

    async def main() -> None:
        waits = waits_for(patience(timeless, idle=9) if limited else None)

        async def reader() -> None:
            try:
                await waits.until(nothing)
            finally:
                ended.append("reader")

        async with anyio.create_task_group() as group:
            group.start_soon(reader)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
            waits.interrupt()
        assert group.cancel_scope.cancelled_caught

    timeless.run(main)
    assert ended == ["reader"]


@ASYNCIO
@pytest.mark.parametrize("passes_on", [None, ValueError("of the user")])
def test_who_is_waited_for_may_keep_a_cancellation_for_itself(timeless: Timeless, passes_on: Exception | None) -> None:
    """A generator that swallows the cancellation, or makes something else of it, is left all the same, and for good."""

    async def stubborn() -> str:
        try:
            return str(await nothing())
        except asyncio.CancelledError:
            if passes_on is not None:
                raise passes_on from None
            return "kept"

    async def main() -> None:
        waits = waits_for(None)

        async def reader() -> None:
            with pytest.raises(InterruptedWaitError):
                await waits.until(stubborn)
            await anyio.sleep(0)  # the cancellation is taken back: nothing is left to arrive here

        async with anyio.create_task_group() as group:
            group.start_soon(reader)
            await anyio.wait_all_tasks_blocked()
            assert waits.interrupt()

    timeless.run(main)


@ASYNCIO
def test_a_task_that_is_waited_for_may_keep_a_cancellation_too(timeless: Timeless) -> None:
    """The cancellation goes on to a task that a source awaits, which may end well; the wait does not."""

    async def stubborn() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await nothing()
        return "kept"

    async def wait() -> str:
        return await asyncio.create_task(stubborn())

    async def main() -> None:
        waits = waits_for(None)

        async def reader() -> None:
            with pytest.raises(InterruptedWaitError):
                await waits.until(wait)
            task: Any = asyncio.current_task()
            assert getattr(task, "cancelling", int)() == 0  # it is taken back; Python 3.10 does not count

        async with anyio.create_task_group() as group:
            group.start_soon(reader)
            await anyio.wait_all_tasks_blocked()
            assert waits.interrupt()

    timeless.run(main)


@ASYNCIO
def test_two_reasons_to_end_one_wait(timeless: Timeless) -> None:
    """The first one counts, and the task is cancelled once."""

    async def main() -> None:
        waits = waits_for(None)

        async def reader() -> None:
            with pytest.raises(InterruptedWaitError):
                await waits.until(nothing)
            await anyio.sleep(1)

        async with anyio.create_task_group() as group:
            group.start_soon(reader)
            await anyio.wait_all_tasks_blocked()
            assert waits.interrupt() is True
            assert waits.interrupt() is True

    timeless.run(main)


@ASYNCIO
def test_a_timer_keeps_nobody_alive(timeless: Timeless) -> None:
    """A reader that is dropped is gone, although the loop still has its timer, which then does nothing."""

    async def main() -> None:
        waits = waits_for(patience(timeless, idle=2))
        await waits.until(anyio.lowlevel.checkpoint)
        gone = weakref.ref(waits)
        del waits
        gc.collect()
        assert gone() is None
        await asyncio.sleep(3)

    timeless.run(main)


@ASYNCIO
def test_a_timer_between_two_waits(timeless: Timeless) -> None:
    """A limit that is due while nobody waits ends nothing; the next wait has its own."""
    guard = Guard()

    async def main() -> None:
        waits = waits_for(patience(timeless, guard, idle=2))
        await waits.until(anyio.lowlevel.checkpoint)
        guard.feed(START)
        await anyio.sleep(3)
        start = timeless.clock()
        with pytest.raises(StreamTimeoutError):
            await waits.until(nothing)
        assert timeless.clock() - start == 2

    timeless.run(main)
