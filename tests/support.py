"""What the tests share: one way to run a behaviour in sync, asyncio and trio, ways in, and the plainest reading."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import gc
import inspect
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from types import FrameType
from typing import Any

import anthropic
import anyio
import pytest
from typing_extensions import Self

from claude_stream import Accumulator, AsyncMessageStream, MessageStream, open_stream
from claude_stream._drive import sync
from claude_stream.testing import Recording, async_replay_client, message_events, replay_client

MODES = ("sync", "asyncio", "trio")
SYNC_MODE = pytest.mark.parametrize("mode", ["sync"], indirect=True)
ASYNC_MODES = pytest.mark.parametrize("mode", ["asyncio", "trio"], indirect=True)
REQUEST: dict[str, Any] = {"model": "any", "max_tokens": 1, "messages": []}

PATIENCE = 60.0
"""How many seconds a test waits for what has to come: so many that only a fault takes them, on whatever machine."""

SOON = 10.0
"""How many seconds may pass on a busy machine over what takes less than one, and what a fault makes take `PATIENCE`."""


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


# -- one async function for sync, asyncio and trio --


def by_hand(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run what has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("sync code has nothing to wait for")


def in_every_mode(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test in whichever mode it gets."""

    @functools.wraps(test)
    def run(mode: Mode, **fixtures: Any) -> None:
        async def bounded() -> None:
            with anyio.fail_after(2 * PATIENCE) if mode.is_async else contextlib.nullcontext():
                await test(mode, **fixtures)
            gc.collect()  # so that what was left behind shows in this test

        if mode.is_async:
            mode.run(bounded)
        else:
            by_hand(bounded())

    return run


async def done(value: Any) -> Any:
    """Return a result of either colour."""
    return await value if inspect.isawaitable(value) else value


def until_somebody_reads() -> None:
    """Wait until another thread is in the middle of reading a sync stream, where a second one is refused."""
    end = time.monotonic() + PATIENCE
    while not any(map(_reads, sys._current_frames().values())):
        assert time.monotonic() < end
        time.sleep(0.001)


def _reads(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == sync.__file__ and frame.f_code.co_flags & inspect.CO_GENERATOR:
            return True
        frame = frame.f_back
    return False


class Either(AsyncIterator[Any]):
    """An iterator of ours of either colour, to be read, entered and closed as if it were async."""

    def __init__(self, iterator: Any) -> None:
        self._iterator = iterator
        self._is_async = hasattr(iterator, "__anext__")

    async def __anext__(self) -> Any:
        if self._is_async:
            return await self._iterator.__anext__()
        for item in self._iterator:
            return item
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        await done(self._iterator.__aenter__() if self._is_async else self._iterator.__enter__())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await done((self._iterator.__aexit__ if self._is_async else self._iterator.__exit__)(*exc_info))

    async def aclose(self) -> None:
        await done(self._iterator.aclose() if self._is_async else self._iterator.close())


async def read(texts: Any, on_text: Callable[[str], Any] = lambda _: None) -> Outcome:
    """Read texts of either colour to the end or the failure, and report all that has come, at each of them."""
    outcome = Outcome([])
    try:
        async for text in Either(texts):
            outcome.items.append(text)
            await done(on_text("".join(outcome.items)))
    except Exception as exc:
        _keep(outcome, exc)
    return outcome


@contextlib.asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """Enter a context manager of either colour."""
    if hasattr(manager, "__aenter__"):
        async with manager as stream:
            yield stream
    else:
        with manager as stream:
            yield stream


def streaming(client: Any, **options: Any) -> Any:
    """Return `open_stream` over a client of either colour, to be entered as if it were async."""
    return entered(open_stream(client, **{**REQUEST, **options}))


# -- bodies and messages --


def wire_events(body: bytes) -> list[dict[str, Any]]:
    """Read a body the plainest way: those that it is for are well formed."""
    return [json.loads(line[5:]) for line in body.splitlines() if line.startswith(b"data:")]


def merged(events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Merge the wire JSON of a well-formed stream by hand, with nothing of the library."""
    message: dict[str, Any] = {}
    for event in copy.deepcopy(list(events)):
        kind = event["type"]
        if kind == "message_start":
            message = event["message"]
        elif kind == "content_block_start":
            message["content"].append(event["content_block"])
        elif kind == "content_block_delta":
            block, delta = message["content"][event["index"]], event["delta"]
            if delta["type"] == "input_json_delta":
                block["raw"] = block.get("raw", "") + delta["partial_json"]
            elif delta["type"] == "citations_delta":
                block["citations"] = [*(block.get("citations") or []), delta["citation"]]
            elif delta["type"] == "signature_delta":
                block["signature"] = delta["signature"]
            else:
                for key in delta.keys() - {"type"}:
                    block[key] = (block.get(key) or "") + delta[key]
        elif kind == "message_delta":
            message.update(event["delta"])
            message["usage"].update({k: v for k, v in event["usage"].items() if v is not None})
            message.update({k: v for k, v in event.items() if k not in ("type", "delta", "usage")})
    for block in message["content"]:
        if raw := block.pop("raw", ""):
            block["input"] = json.loads(raw)
    return message


def text_of(message: Any) -> str:
    """Return the text of all text blocks of a message."""
    return "".join(block.text for block in message.content if block.type == "text")


def fed(events: Iterable[Any]) -> Accumulator:
    """Return an accumulator that has seen the events."""
    accumulator: Accumulator = Accumulator()
    for event in events:
        accumulator.feed(event)
    return accumulator


def delta(index: int, **fields: Any) -> dict[str, Any]:
    """Return a delta for a block."""
    return {"type": "content_block_delta", "index": index, "delta": fields}


def tool_events(raw: str, stop_reason: str | None, *, block_type: str = "tool_use", close: bool = True) -> list[Any]:
    """Return a stream with a text and one tool call whose input is `raw`; no stop reason means no end."""
    start, *text, tail, stop = message_events("Hello")
    block = {"type": block_type, "id": "toolu_1", "name": "get_weather", "input": {}}
    events: list[Any] = [start, *text, {"type": "content_block_start", "index": 1, "content_block": block}]
    for piece in ("", *raw):
        delta_json = {"type": "input_json_delta", "partial_json": piece}
        events.append({"type": "content_block_delta", "index": 1, "delta": delta_json})
    if close:
        events.append({"type": "content_block_stop", "index": 1})
    if stop_reason:
        events += [{**tail, "delta": {"stop_reason": stop_reason}}, stop]
    return events


# -- what goes wrong --


class OwnError(Exception):
    """An exception of the user's."""


def failing(exc: BaseException, events: Iterable[Any]) -> Iterator[Any]:
    """Give the events, and then fail."""
    yield from events
    raise exc


def assert_same_error_again(mode: Mode, make: Callable[[], Any], expected: type[Exception]) -> None:
    """Check that reading on after the failure raises the very same error, in whatever way."""

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


async def open_and_read(mode: Mode, manager: Any) -> tuple[Any, str]:
    """Enter a manager in the mode's colour, and return its stream and the whole text."""
    if mode.is_async:
        async with manager as stream:
            assert isinstance(stream, AsyncMessageStream)
            return stream, await stream.get_final_text()
    with manager as stream:
        assert isinstance(stream, MessageStream)
        return stream, stream.get_final_text()


def open_and_read_in(mode: Mode, make: Callable[[], Any]) -> tuple[Any, str]:
    """Do the same with a manager that is made on the mode's loop; a sync one inside asyncio, where any code may run."""

    async def main() -> Any:
        return await open_and_read(mode, make())

    return (mode if mode.is_async else Mode("asyncio")).run(main)
