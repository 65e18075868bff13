"""How a wait of an async reader ends before it is over: by a close from another task, or at a time limit.

The law: whatever it is that waits, a socket, a stream among many on one connection, a generator of the user's, it
learns of it as of a cancellation. On asyncio the waiting task is cancelled, and the cancellation taken back where
it arrives, which costs next to nothing as long as nobody closes and no limit is passed: one of anyio's cancel scopes
costs more than all the rest of an event. On trio, where a task cannot be cancelled, there is a scope around each wait.
"""

from __future__ import annotations

import asyncio
import functools
import math
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import anyio

from .timeouts import Patience

Wait: TypeAlias = Callable[[], Awaitable[Any]]


_GRACE = 3
"""Turns that the event loop gets to deliver what came while it was held up, before a limit is enforced."""


class InterruptedWaitError(Exception):
    """The wait was ended by a close."""


def waits_for(patience: Patience | None) -> AsyncioWaits | TrioWaits:
    """Return the waits of a reader on the event loop that runs.

    Args:
        patience: what is left of the time limits, if there are any.
    """
    try:
        on_asyncio = asyncio.current_task() is not None
    except RuntimeError:
        on_asyncio = False
    return AsyncioWaits(patience) if on_asyncio else TrioWaits(patience)


class AsyncioWaits:
    """Waits that are ended by cancelling the task."""

    def __init__(self, patience: Patience | None) -> None:
        self._patience = patience
        self._task: asyncio.Task[Any] | None = None  # while it waits
        self._ends_by: Callable[[], Exception] | None = None  # what the cancellation stands for that is on its way
        self._deadline = math.inf
        self._timer: asyncio.TimerHandle | None = None
        if patience is not None:
            patience.moved = functools.partial(self._move, patience)

    async def until(self, wait: Wait) -> Any:
        """Return what a wait gives.

        Raises:
            InterruptedWaitError: if it was ended by `interrupt`.
            StreamTimeoutError: if it took longer than a limit allows.
        """
        task = self._task = asyncio.current_task()
        try:
            item = await (wait() if self._patience is None else self._within(self._patience, wait))
        except BaseException as exc:
            error = self._ends_by
            others = error is not None and not _taken_back(task) and isinstance(exc, asyncio.CancelledError)
            if error is None or others:
                raise
        else:
            error = self._ends_by
            if error is None:
                return item
            _taken_back(task)  # who was waited for has made nothing of the cancellation
        finally:
            self._task = self._ends_by = None
        raise error()

    async def _within(self, patience: Patience, wait: Wait) -> Any:
        left, clock = patience.left(0), patience.clock
        start = clock()
        patience.begins(start)
        self._deadline = math.inf if left is None else start + left
        if left is not None and self._timer is None:
            self._set_timer(left)
        try:
            return await wait()
        finally:
            patience.count(clock() - start)

    def _move(self, patience: Patience) -> None:
        self._deadline = patience.clock() + patience.left_now()

    def _set_timer(self, seconds: float) -> None:
        # It knows us by a weak reference: a reader that is dropped does not live on until the limit is over.
        self._timer = asyncio.get_running_loop().call_later(seconds, _ring, weakref.ref(self), _GRACE)

    def ring(self, grace: int) -> None:
        """End the wait that is on, if its time is over. Earlier waits may have been short: then ring once more."""
        self._timer = None
        patience = self._patience
        if self._task is None or patience is None or self._deadline == math.inf:
            return  # the next wait that has a limit sets the timer again
        left = self._deadline - patience.clock()
        if left > 0:
            self._set_timer(left)
        elif grace:
            self._timer = asyncio.get_running_loop().call_later(0, _ring, weakref.ref(self), grace - 1)
        else:
            self._end(patience.error)

    def interrupt(self) -> bool:
        """End the wait that is on, and return whether there was one, of another task than this."""
        if self._task is None or self._task is asyncio.current_task():
            return False
        self._end(InterruptedWaitError)
        return True

    def _end(self, error: Callable[[], Exception]) -> None:
        if self._ends_by is None and self._task is not None:
            self._ends_by = error
            self._task.cancel()


def _ring(waits: Callable[[], AsyncioWaits | None], grace: int) -> None:
    alive = waits()
    if alive is not None:
        alive.ring(grace)


def _taken_back(task: asyncio.Task[Any] | None) -> bool:
    """Take back the cancellation by which we ended a wait, and return whether it was the only one.

    Python 3.10 does not count them: there, a close that meets another cancellation in the same turn of the loop wins.
    """
    uncancel: Callable[[], int] = getattr(task, "uncancel", int)
    return uncancel() == 0


class TrioWaits:
    """Waits that are ended by a cancel scope around each."""

    def __init__(self, patience: Patience | None) -> None:
        self._patience = patience
        self._scope: anyio.CancelScope | None = None  # while there is a wait
        self._interrupted = False
        if patience is not None:
            patience.moved = functools.partial(self._move, patience)

    async def until(self, wait: Wait) -> Any:
        """Return what a wait gives; see `AsyncioWaits.until`."""
        patience = self._patience
        left = None if patience is None else patience.left(0)
        start = 0.0 if patience is None else patience.clock()
        if patience is not None:
            patience.begins(start)
        try:
            with anyio.move_on_after(left) as self._scope:
                return await wait()
        finally:
            self._scope = None
            if patience is not None:
                patience.count(patience.clock() - start)
        raise InterruptedWaitError if self._interrupted or patience is None else patience.error()

    def _move(self, patience: Patience) -> None:
        if self._scope is not None:  # else a close reads the rest
            self._scope.deadline = anyio.current_time() + patience.left_now()

    def interrupt(self) -> bool:
        """End the wait that is on, and return whether there was one."""
        if self._scope is None:
            return False
        self._interrupted = True
        self._scope.cancel()
        return True
