"""Reading one stream in sync and on asyncio, and what has to be the same in both.

The law: an outcome is everything that a consumer could see: the results, the exception, the message so far.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from claude_stream import StreamError

Run = Callable[[Any], Any]


@dataclasses.dataclass
class Outcome:
    """What an iterator gave, and the exception that ended it, if one did."""

    items: list[Any] = dataclasses.field(default_factory=list)
    error: Exception | None = None
    reader: Any = None


class AsyncItems(AsyncIterator[Any]):
    """An async iterator over items, which lets others run now and then."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = enumerate(items)

    async def __anext__(self) -> Any:
        for number, item in self._items:
            if number % 4 == 3:
                await asyncio.sleep(0)
            return item
        raise StopAsyncIteration


def read(make: Callable[[Any], Any], items: Iterable[Any]) -> Outcome:
    """Read a sync iterator to its end or its failure, and then once more."""
    outcome = Outcome()
    try:
        outcome.reader = reader = make(iter(items))
        if not hasattr(reader, "__next__"):
            outcome.items.append(reader)
            return outcome
        for item in reader:
            outcome.items.append(item)
    except Exception as exc:
        outcome.error = exc
    again: Any = None
    try:
        next(outcome.reader)
    except (Exception, StopIteration) as exc:
        again = exc
    _ends_again(outcome, None if isinstance(again, StopIteration) else again)
    return outcome


async def aread(make: Callable[[Any], Any], items: Iterable[Any]) -> Outcome:
    """Do the same on the running event loop."""
    outcome = Outcome()
    try:
        outcome.reader = reader = make(AsyncItems(items))
        if not hasattr(reader, "__anext__"):
            outcome.items.append(await reader)
            return outcome
        async for item in reader:
            outcome.items.append(item)
    except Exception as exc:
        outcome.error = exc
    again: Any = None
    try:
        await anext(outcome.reader)
    except (Exception, StopAsyncIteration) as exc:
        again = exc
    _ends_again(outcome, None if isinstance(again, StopAsyncIteration) else again)
    return outcome


def _ends_again(outcome: Outcome, again: Exception | None) -> None:
    if hasattr(outcome.reader, "__next__") or hasattr(outcome.reader, "__anext__"):
        assert again is outcome.error, f"reading on gave {again!r} behind {outcome.error!r}"


def same(one: Any, two: Any) -> bool:
    """Whether two values are equal, where NaN equals itself."""
    return bool(one == two) or shown(one) == shown(two)


def shown(value: Any) -> str:
    """Return what a value looks like, or that Python does not say."""
    try:
        return repr(value)
    except (ValueError, RecursionError) as exc:
        return f"{type(value).__name__}: {type(exc).__name__}"


def assert_agree(one: Outcome, two: Outcome, key: Callable[[Any], Any] = lambda item: item) -> None:
    """Check that two readings of the same stream gave the same."""
    assert type(one.error) is type(two.error), f"one reading ended in {one.error!r}, another in {two.error!r}"
    assert str(one.error) == str(two.error), f"one error says {str(one.error)!r}, another {str(two.error)!r}"
    assert len(one.items) == len(two.items), f"one reading gave {len(one.items)} results, another {len(two.items)}"
    for first, second in zip(one.items, two.items):
        assert same(key(first), key(second)), f"one reading gave {shown(first)}, another {shown(second)}"
    if isinstance(one.error, StreamError) and isinstance(two.error, StreamError):
        assert same(one.error.partial, two.error.partial), "two readings have different partials"
        for name in ("usage", "retryable", "content_started", "request_id", "body"):
            assert same(getattr(one.error, name), getattr(two.error, name)), f"two readings differ in {name}"
