"""Clocks that the tests move.

The law: no second of these passes on the wall. `Clock` is for whatever takes a clock. `Timeless` is for whatever waits
on an event loop: the loop's clock jumps to the next thing to do as soon as there is nothing else to do.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any

import anyio
import trio
from trio.testing import MockClock

from tests.support import Mode


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: float = 100.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Go on by so many seconds."""
        self.now += seconds


class _Selector(selectors.DefaultSelector):
    """A selector that goes on by the time that it should have waited, and does not wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(timeout and 0)
        if timeout and not ready:
            self.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose time is that of its selector."""

    def __init__(self) -> None:
        self._own_time = _Selector()
        super().__init__(self._own_time)

    def time(self) -> float:
        return self._own_time.now

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        del timeout  # which passes at once here, while the threads need real time
        await super().shutdown_default_executor()


class Timeless(Mode):
    """A mode in which waiting takes no time. For what happens in this thread alone, without sockets."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._clock = Clock()

    def clock(self) -> float:
        """Return the time; in async modes, on the event loop only."""
        if not self.is_async:
            return self._clock()
        return trio.current_time() if self.name == "trio" else asyncio.get_running_loop().time()

    def sleep(self, seconds: float) -> Any:
        """Wait for so many seconds of the clock; in async modes, to be awaited."""
        return anyio.sleep(seconds) if self.is_async else self._clock.sleep(seconds)

    def run(self, function: Callable[[], Awaitable[Any]]) -> Any:
        if self.name == "trio":  # older anyios keep a clock from it
            return trio.run(function, clock=MockClock(autojump_threshold=0))
        return anyio.run(function, backend=self.name, backend_options={"loop_factory": _Loop})

    def paced(self, *items: Any) -> Any:
        """Return a source of this mode's colour that gives these items, and waits where one is a number of seconds."""
        return _Paced(items) if self.is_async else self._paced(items)

    def _paced(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            if isinstance(item, float):
                self._clock.sleep(item)
            else:
                yield item


class _Paced(AsyncIterator[Any]):
    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)

    async def __anext__(self) -> Any:
        for item in self._items:
            if not isinstance(item, float):
                return item
            await anyio.sleep(item)
        raise StopAsyncIteration
