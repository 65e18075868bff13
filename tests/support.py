"""What the tests share: one way to run a behaviour in sync, asyncio and trio, and ways in."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import anthropic
import anyio
import pytest

from claude_stream.testing import Recording, async_replay_client, replay_client

MODES = ("sync", "asyncio", "trio")
REQUEST: dict[str, Any] = {"model": "any", "max_tokens": 1, "messages": []}


# In 0.122 the SDK's helper learnt about the server's tools and about fields set to null.
WITH_TODAYS_HELPER = pytest.mark.skipif(
    tuple(int(part) for part in anthropic.__version__.split(".")[:2]) < (0, 122), reason="the SDK's helper is another"
)


@dataclasses.dataclass
class Outcome:
    """What an iterator gave, and the exception that ended it, if one did."""

    items: list[Any]
    error: BaseException | None = None


class AsyncItems(AsyncIterator[Any]):
    """An async iterator over items; no generator, so that leaving it early warns nobody."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)

    async def __anext__(self) -> Any:
        await anyio.lowlevel.checkpoint()
        for item in self._items:
            return item
        raise StopAsyncIteration


class Mode:
    """Runs the same behaviour in sync, or async on one of the two event loops."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_async = name != "sync"

    def source(self, items: Iterable[Any]) -> Any:
        """Return the items as a source of this mode's colour."""
        return AsyncItems(items) if self.is_async else iter(items)

    def run(self, function: Callable[[], Awaitable[Any]]) -> Any:
        """Run an async function on this mode's loop."""
        return anyio.run(function, backend=self.name)

    def read(self, make: Callable[[], Any]) -> Outcome:
        """Make an iterator, or an awaitable of one result, and read it to its end or its failure."""
        outcome = Outcome([])
        if self.is_async:
            self.run(lambda: _aread(make, outcome))
        else:
            try:
                made = make()
                outcome.items.extend(made) if hasattr(made, "__next__") else outcome.items.append(made)
            except Exception as exc:
                _keep(outcome, exc)
        return outcome

    def message(self, make: Callable[[], Any]) -> Any:
        """Return the one result of `collect`, or raise what it raises."""
        outcome = self.read(make)
        if outcome.error is not None:
            raise outcome.error
        [result] = outcome.items
        return result

    def client(self, *recordings: Any) -> Any:
        """Return a real client of this mode that answers from recordings."""
        return async_replay_client(*recordings) if self.is_async else replay_client(*recordings)

    def stream(self, body: bytes | Iterable[bytes] | Recording) -> Any:
        """Return what `create(stream=True)` returns when the API answers with this body; async: un-awaited."""
        if isinstance(body, bytes):
            body = Recording.from_bytes(body) if body else Recording(())
        elif not isinstance(body, Recording):
            body = Recording(tuple(body))
        return self.client(body).messages.create(**REQUEST, stream=True)


async def _aread(make: Callable[[], Any], outcome: Outcome) -> None:
    try:
        made = make()
        if hasattr(made, "__anext__"):
            async for item in made:
                outcome.items.append(item)
        else:
            outcome.items.append(await made)
    except Exception as exc:
        _keep(outcome, exc)


def _keep(outcome: Outcome, exc: Exception) -> None:
    # The frames of a traceback would keep streams alive beyond the loop that they belong to.
    outcome.error = exc.with_traceback(None)


def body_of(events: Iterable[dict[str, Any]]) -> bytes:
    """Return events as the API would send them."""
    return Recording.from_events(events).body()
