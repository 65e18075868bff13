"""The kinds of source, and how a stream of each is opened, read, left and read on, in either colour.

The law: a `Subject` is driven as if it were async; in sync modes everything that it awaits is done at once.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, ClassVar

import anyio

from claude_stream import (
    AsyncMessageStream,
    MessageStream,
    collect,
    from_sse,
    iter_events,
    iter_text,
    open_stream,
    tap,
    with_restarts,
    with_timeout,
)
from tests.exits.matrix import BEFORE, EVENTS, OVERLOADED, PING, TEXT, Cell
from tests.exits.servers import TICK, Gate
from tests.support import REQUEST

GENEROUS = 20.0
"""Seconds of the time limits that are set and never met."""


class OwnError(Exception):
    """What a user's own generator raises."""


class ConsumerError(Exception):
    """What a consumer or an observer raises."""


async def done(value: Any) -> Any:
    """Return a result of either colour."""
    return await value if inspect.isawaitable(value) else value


def ahead_of(cell: Cell) -> int:
    """Return how many events come in front of the moment of a cell."""
    types = [event["type"] for event in EVENTS]
    if cell.moment in ("before_first", "opening"):
        return 0
    if cell.moment == "in_front":
        return 1
    if cell.whole_by_then and cell.moment != "behind_stop_reason":
        return len(EVENTS)
    if cell.moment == "behind_stop_reason":
        return types.index("message_stop")
    return 4  # behind the second piece of text


def text_in(item: Any) -> str:
    """Return the text of an item: a piece of text, or an event that holds one."""
    if isinstance(item, str):
        return item
    delta = getattr(item, "delta", None)
    return str(getattr(delta, "text", "")) if getattr(item, "type", None) == "content_block_delta" else ""


def message_text(message: Any) -> str:
    """Return the text of a message, or nothing if there is none."""
    return "" if message is None else "".join(block.text for block in message.content if block.type == "text")


class Subject:
    """One stream, of the kind that a cell asks for."""

    sse_options: ClassVar[dict[str, Any]] = {}
    """What `from_sse` is given."""

    generous: ClassVar[float] = GENEROUS
    """Seconds of a time limit that is not to end anything."""

    def __init__(self, cell: Cell, client: Any, gate: Gate, observer: Callable[[Any], object]) -> None:
        self.cell = cell
        self.gate = gate
        self.client = client
        self._observer = observer
        self._attempts = 0
        self._outer: Any = None  # what has to be left, besides the reader
        self._reader: Any = None  # what is closed
        self._items: Any = None  # what is read
        self._inner: Any = None  # the tap below the reader

    # -- opening --

    def _options(self, script: str = "cell") -> dict[str, Any]:
        return {**REQUEST, "extra_headers": {"x-script": script}}

    def _create(self, script: str = "cell") -> Any:
        return self.client.messages.create(**self._options(script), stream=True)

    def _attempt(self) -> Any:
        self._attempts += 1
        return self._create("first" if self._attempts == 1 else "cell")

    async def open(self) -> None:
        """Make the reader, as far as that goes without a read."""
        kind, cell = self.cell.kind, self.cell
        if kind.startswith("open."):
            options: dict[str, Any] = {}
            if kind == "open.guarded":
                options = {"restarts": 2, "first_timeout": self.generous, "idle_timeout": self.generous}
            self._outer = open_stream(self.client, **self._options(), **options)
            enter = self._outer.__aenter__ if cell.is_async else self._outer.__enter__
            self._reader = await done(enter())
            self._items = self._reader if kind == "open.events" else self._reader.text_stream
            if kind == "open.tools":
                self._items = self._reader.tool_calls()
            return
        if kind == "from_sse":
            self._outer = self.client.messages.with_streaming_response.create(**self._options(), stream=True)
            response = await done((self._outer.__aenter__ if cell.is_async else self._outer.__enter__)())
            chunks = response.http_response.aiter_bytes() if cell.is_async else response.http_response.iter_bytes()
            self._reader = iter_text(from_sse(chunks, **self.sse_options))
        elif kind == "own.live":
            self._reader = iter_text(self._agenerator() if cell.is_async else self._generator())
        elif kind == "own.list":
            self._reader = iter_text(self._alist() if cell.is_async else self._list())
        elif kind == "helper.text":
            self._outer = self.client.messages.stream(**self._options())
            self._reader = iter_text(await done((self._outer.__aenter__ if cell.is_async else self._outer.__enter__)()))
        elif kind == "stream.text":
            self._reader = (AsyncMessageStream if cell.is_async else MessageStream)(self._create())
            self._items = self._reader.text_stream
            return
        elif kind == "collect":
            return
        elif kind == "tap.inner":
            self._inner = tap(self._create(), self._observer)
            self._reader = iter_text(self._inner)
        elif kind == "sdk.text":
            self._reader = iter_text(self._create())
        elif kind == "sdk.events":
            self._reader = iter_events(self._create())
        elif kind == "timeout.text":
            self._reader = iter_text(with_timeout(self._create(), first=self.generous, idle=self.generous))
        elif kind == "tap.text":
            self._reader = iter_text(tap(self._create(), self._observer))
        elif kind == "tap.events":
            self._reader = tap(self._create(), self._observer)
        elif kind == "restarts.second":
            self._reader = iter_text(with_restarts(self._attempt, delay=lambda _: 0.0))
        elif kind == "restarts.delay":
            delayed = with_restarts(self._attempt, delay=lambda _: 30.0, on_restart=lambda _: self.gate.reached.set())
            self._reader = iter_text(delayed)
        self._items = self._reader

    def _generator(self) -> Iterator[Any]:
        with self._create() as stream:
            yield from stream

    async def _agenerator(self) -> AsyncIterator[Any]:
        async with await self._create() as stream:
            async for event in stream:
                yield event

    def _list(self) -> Iterator[Any]:
        for step in self._own_steps():
            while isinstance(step, Gate) and not step.opened.is_set():
                step.reached.set()
                time.sleep(TICK)
            if isinstance(step, float):
                time.sleep(step)
            elif isinstance(step, dict):
                yield step

    async def _alist(self) -> AsyncIterator[Any]:
        for step in self._own_steps():
            while isinstance(step, Gate) and not step.opened.is_set():
                step.reached.set()
                await anyio.sleep(TICK)
            if isinstance(step, float):
                await anyio.sleep(step)
            elif isinstance(step, dict):
                yield step

    def _own_steps(self) -> Iterator[Any]:
        """Yield what a script of the same cell sends, as events."""
        cell, count = self.cell, ahead_of(self.cell)
        yield from EVENTS[:count]
        if cell.way == "error":
            yield OVERLOADED
        elif cell.way == "cut":
            raise OwnError
        elif cell.moment == "late_end":
            yield 0.1
        elif cell.moment == "pings":
            for _ in range(200):
                yield PING
                yield 0.02
        elif cell.way not in ("short", "end"):
            yield self.gate
            yield PING
            yield from EVENTS[count:]

    # -- reading --

    async def next(self) -> Any:
        """Return the next item."""
        if self.cell.kind == "open.done":
            await done(self._reader.until_done())
            raise StopAsyncIteration
        if self.cell.kind == "collect":
            await done(collect(self._create()))
            raise StopAsyncIteration
        if self.cell.is_async:
            return await anext(self._items)
        for item in self._items:
            return item
        raise StopAsyncIteration

    def is_there(self, item: Any, texts: str, *, as_event: bool = False) -> bool:
        """Whether the moment has come with this item."""
        if self.cell.gives_events or as_event:
            kind = getattr(item, "type", None)
            wanted = {"in_front": "message_start", "behind_stop_reason": "message_delta"}
            if self.cell.moment in ("middle", "blocked", "silent"):
                return texts == BEFORE and kind == "content_block_delta"
            return kind == wanted.get(self.cell.moment, "message_stop")
        return texts == (TEXT if self.cell.whole_by_then else BEFORE)

    @property
    def complete(self) -> bool:
        """Whether the message is complete."""
        return bool(self._reader.complete)

    @property
    def has_arrived(self) -> bool:
        """Whether all that comes in front of the moment has been read."""
        cell, reader = self.cell, self._reader
        if reader is None or cell.kind == "restarts.delay" or ahead_of(cell) == 0:
            return True
        message = reader.message
        return message is not None and message_text(message) == cell.text and reader.complete == cell.whole_by_then

    def close(self) -> Any:
        """Close the reader; to be awaited if it is an async one."""
        closed = {"open.view": self._items, "tap.inner": self._inner}.get(self.cell.kind, self._reader)
        return closed.aclose() if self.cell.is_async else closed.close()

    async def leave(self, *exc_info: Any) -> None:
        """Leave the block."""
        exits: list[Any] = [] if self.cell.kind.startswith("open.") else [self._reader]
        if self.cell.kind == "collect":
            return
        exits += [self._outer] if self._outer is not None else []
        error: BaseException | None = None
        for each in exits:
            leave = each.__aexit__ if self.cell.is_async else each.__exit__
            try:
                await done(leave(*(exc_info or (None, None, None))))
            except BaseException as exc:  # so that the outer one is left as well
                error = exc
        if error is not None:
            raise error

    def forget(self) -> None:
        """Drop everything."""
        self._outer = self._reader = self._items = self._inner = None

    async def read_on(self) -> dict[str, str | tuple[str, bool | None, str]]:
        """Read on in every way there is, and return what came of each: `end`, or the error."""
        ways: dict[str, Callable[[], Any]] = {}
        reader = self._reader
        if self.cell.kind.startswith(("open.", "stream.")):
            for name, view in (
                ("text_stream", reader.text_stream),
                ("thinking_stream", reader.thinking_stream),
                ("events", reader),
                ("tool_calls()", reader.tool_calls()),
            ):
                ways[name] = lambda view=view: self._rest(view)
            ways["until_done()"] = reader.until_done
            ways["get_final_message()"] = reader.get_final_message
        else:
            ways = {"iteration": lambda: self._rest(reader), "result()": reader.result, "read()": reader.read}
        found: dict[str, Any] = {}
        for name, read in [*ways.items(), *ways.items()]:
            try:
                await done(read())
            except Exception as exc:
                came: Any = (type(exc).__name__, getattr(exc, "retryable", None), str(exc))
            else:
                came = "end"
            if name in found and found[name] != came:
                came = ("differs the second time", None, f"{found[name]} then {came}")
            found[name] = came
        return found

    async def _rest(self, view: Any) -> None:
        if self.cell.is_async:
            async for _ in view:
                pass
        else:
            for _ in view:
                pass
