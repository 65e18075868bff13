"""One stream of the soak: a fault, a view that reads it, and a way of leaving; and what has to become of that.

The law: whatever happens is written down in `problems`, and nothing is asserted here. What must happen follows from the
fault and from the way alone: a stream ends as its fault says, or it is left, and never in anything else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import anthropic
import anyio

from claude_stream import (
    StreamError,
    collect,
    iter_blocks,
    iter_events,
    iter_parts,
    iter_text,
    iter_thinking,
    iter_tool_calls,
)
from tests.exits.run import http
from tests.exits.servers import Gate
from tests.exits.sources import ConsumerError, Subject, done
from tests.soak.faults import MOST, Fault, text_in
from tests.support import by_hand, merged, text_of

LIMIT = 60.0
"""Seconds that a stream may take: far more than one needs on a busy machine, and far less than for ever."""

READ_TIMEOUT = 90.0
"""Seconds of the client's read timeout: a wait that only it ends is a hang."""

SHORT_TIMEOUT = 1.5
"""The same where a server stalls, and nothing else is to end the wait."""

ITERATORS: dict[str, Callable[[Any], Any]] = {
    "iter_text": iter_text,
    "iter_thinking": iter_thinking,
    "iter_parts": iter_parts,
    "iter_blocks": iter_blocks,
    "iter_tool_calls": iter_tool_calls,
    "iter_events": iter_events,
}
KINDS = (
    *ITERATORS,
    *("collect", "from_sse", "tap.text", "timeout.text", "stream.text"),
    *("open.text", "open.thinking", "open.parts", "open.tools", "open.events", "open.final", "open.done"),
    "open.guarded",
)
WAYS = ("end", "break", "exception", "dropped", "cancel", "close")
TRANSPORTS = {"threads": ("http1", "tls", "http2"), "trio": ("http1", "tls", "http2")}
TRANSPORTS["asyncio"] = (*TRANSPORTS["trio"], "aiohttp")


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """One stream. It stands for a `Cell` of the matrix of exits where that asks.

    Args:
        mode: `threads`, `asyncio` or `trio`.
        transport: one of those that the mode has.
        fault: what the server does.
        kind: what reads it.
        way: how it is left.
        items: that are read before it is left.
        seconds: before it is cancelled or closed from elsewhere.
    """

    mode: str
    transport: str
    fault: Fault
    kind: str
    way: str
    items: int = 1
    seconds: float = 0.0
    moment: ClassVar[str] = ""

    def __str__(self) -> str:
        return f"{self.mode}/{self.transport}/{self.kind}/{self.way}/{self.fault.name}"

    @property
    def is_async(self) -> bool:
        """Whether the client is an async one."""
        return self.mode != "threads"

    @property
    def gives_one(self) -> bool:
        """Whether there is one result and nothing in front of it."""
        return self.kind in ("collect", "open.final", "open.done")

    @property
    def closes_itself(self) -> bool:
        """Whether nobody closes it: a live response is closed when it has ended or failed."""
        return self.way == "end" and not self.kind.startswith("open.") and self.kind != "from_sse"

    @property
    def decoded_by_us(self) -> bool:
        """Whether the SDK does not decode the bytes."""
        return self.kind.startswith("open.") or self.kind == "from_sse"

    @property
    def interruptible(self) -> bool:
        """Whether a close ends a read that is blocked, by contract 9."""
        return self.is_async or (self.transport != "http2" and self.kind != "from_sse")

    @property
    def is_possible(self) -> bool:
        """Whether the parts go together."""
        fault, way = self.fault, self.way
        if self.transport not in TRANSPORTS[self.mode] or (way == "cancel" and not self.is_async):
            return False
        if self.gives_one and (way in ("break", "exception", "dropped") or (way == "close" and self.kind == "collect")):
            return False
        if fault.endless and not self.decoded_by_us:
            return False  # the SDK collects it before we see any of it
        if self.transport == "http2":
            # A cancelled write takes frames of the neighbours with it; where one stream is silent, the bytes of its
            # neighbours begin its read timeout again; and the second attempt of a restart is not alone in its thread.
            interrupted = self.is_async and way in ("cancel", "close")
            return not (interrupted or self.fault.large or self.fault.stalls)
        return True

    @property
    def ends(self) -> tuple[str, ...]:
        """What the fault has to end in here."""
        if self.kind == "from_sse" and self.fault.name == "one event of 16 MB":
            return ("StreamProtocolError",)  # it is told to hold no more than `MOST`
        return self.fault.ends

    @property
    def is_whole(self) -> bool:
        """Whether the message may be complete."""
        return self.ends == ("whole",)

    @property
    def came(self) -> list[dict[str, Any]] | None:
        """The events that have to come, or None where some may be lost on their way."""
        if not self.is_whole and self.fault.is_whole:
            return self.fault.events[:2]
        # Over HTTP/2 and with aiohttp, an error of the connection overtakes what is still in the client's buffers.
        is_lost = "StreamConnectionError" in self.ends and self.transport in ("http2", "aiohttp")
        return None if is_lost else self.fault.came

    @property
    def timeout(self) -> Any:
        """The timeout of the request."""
        waits = self.fault.stalls and not (self.way == "cancel" or (self.way == "close" and self.interruptible))
        return http().Timeout(READ_TIMEOUT, read=SHORT_TIMEOUT if waits else READ_TIMEOUT)


class View(Subject):
    """A stream, of one of the kinds here."""

    sse_options: ClassVar[dict[str, Any]] = {"max_event": MOST}
    generous: ClassVar[float] = LIMIT
    message: Any = None

    def _options(self, script: str = "cell") -> dict[str, Any]:
        cell: Any = self.cell
        options = super()._options(cell.fault.name if script == "cell" else script)
        return {**options, "timeout": cell.timeout}

    async def open(self) -> None:
        """Make the reader, as far as that goes without a read."""
        kind = self.cell.kind
        if kind in ITERATORS:
            self._reader = self._items = ITERATORS[kind](self._create())
            return
        await super().open()
        if kind == "open.thinking":
            self._items = self._reader.thinking_stream
        elif kind == "open.parts":
            self._items = self._reader.parts()

    async def next(self) -> Any:
        """Return the next item."""
        if self.cell.kind == "collect":
            self.message = await done(collect(self._create()))
        elif self.cell.kind == "open.final":
            self.message = await done(self._reader.get_final_message())
        else:
            return await super().next()
        raise StopAsyncIteration

    def whole_message(self) -> Any:
        """Return the message of a stream that ended well."""
        return self.message or self._reader.message


class Run:
    """One case on its way.

    Args:
        case: which one.
        client: of its mode and transport.
    """

    def __init__(self, case: Case, client: Any) -> None:
        self.case = case
        self.problems: list[str] = []
        self.outcome = "not begun"
        self._view: Any = View(case, client, Gate(), lambda _: None)
        self._handed: dict[str, str] = {"text": "", "thinking": ""}
        self._calls: list[Any] = []
        self._error: Exception | None = None
        self._opened = False

    async def run(self) -> None:
        """Open, read, leave, read on, and say what is wrong with what came of it."""
        start = time.monotonic()
        try:
            if self.case.way == "cancel":
                with anyio.move_on_after(self.case.seconds) as scope:
                    await self._block()
                if scope.cancelled_caught:
                    self.outcome = "left"
            else:
                await self._block()
        except Exception as exc:
            self._problem("escaped", exc)
        seconds = time.monotonic() - start
        if seconds > LIMIT:
            self.problems.append(f"it took {seconds:.1f} s")
        self._check()
        if self._error is not None:
            self._error.__traceback__ = None
        self._error = None
        if not self.case.closes_itself:
            self.forget()

    def forget(self) -> None:
        """Drop the stream."""
        self._view = None

    def _problem(self, what: str, exc: BaseException) -> None:
        self.problems.append(f"{what}: " + "".join(traceback.format_exception(exc))[-1500:])

    async def _block(self) -> None:
        view, way = self._view, self.case.way
        try:
            await view.open()
        except Exception as exc:
            self._failed(exc)
            return
        self._opened = True
        if way == "dropped":
            await self._read(self.case.items)
            view.forget()
            return
        exc_info: tuple[Any, ...] = ()
        try:
            if way == "close":
                async with self._closing():
                    await self._read(None)
            else:
                await self._read(self.case.items if way in ("break", "exception") else None)
            if way == "exception" and self.outcome == "left":
                raise ConsumerError  # noqa: TRY301 - the consumer's, in the block
        except ConsumerError as exc:
            exc_info = (type(exc), exc, None)
        except BaseException as exc:
            await view.leave(type(exc), exc, None)
            raise
        if not self.case.closes_itself:
            await view.leave(*exc_info)
        await self._read_on()

    async def _read(self, count: int | None) -> None:
        number = 0
        try:
            while count is None or number < count:
                self._take(await self._view.next())
                number += 1
            self.outcome = "left"
        except StopAsyncIteration:
            self.outcome = "whole"
            self._check_message()
        except Exception as exc:
            self._failed(exc)

    def _failed(self, exc: Exception) -> None:
        self.outcome, self._error = type(exc).__name__, exc

    @contextlib.asynccontextmanager
    async def _closing(self) -> AsyncIterator[None]:
        """Close the stream from elsewhere while the body of the block reads."""

        async def close() -> None:
            try:
                await done(self._view.close())
            except Exception as exc:
                self._problem("close() from elsewhere raised", exc)

        if not self.case.is_async:
            timer = threading.Timer(self.case.seconds, lambda: by_hand(close()))
            timer.start()
            yield
            timer.cancel()
            timer.join()
            return

        async def in_task() -> None:
            await anyio.sleep(self.case.seconds)
            with anyio.CancelScope(shield=True):
                await close()

        async with anyio.create_task_group() as group:
            group.start_soon(in_task)
            yield
            group.cancel_scope.cancel()

    # -- what came --

    def _take(self, item: Any) -> None:
        kind = self.case.kind
        if isinstance(item, str):
            self._handed["thinking" if "thinking" in kind else "text"] += item
        elif kind in ("iter_tool_calls", "open.tools"):
            self._calls.append((item.name, item.input))
        elif kind.endswith("events"):
            if item.type == "content_block_delta":
                self._handed["text"] += getattr(item.delta, "text", "")
                self._handed["thinking"] += getattr(item.delta, "thinking", "")
        elif item.type in self._handed:  # a part or a block
            self._handed[item.type] += getattr(item, "thinking" if hasattr(item, "thinking") else "text")
        elif item.type == "tool_call":
            self._calls.append((item.call.name, item.call.input))

    @property
    def _expected(self) -> dict[str, Any]:
        return merged(self.case.fault.events)

    def _check_message(self) -> None:
        """Check that a stream that ended well has the whole message, and has handed all of it out."""
        message, expected = self._view.whole_message(), self._expected
        got = [
            (block.type, getattr(block, block.type, None) or getattr(block, "input", None)) for block in message.content
        ]
        want = [(block["type"], block.get(block["type"]) or block.get("input")) for block in expected["content"]]
        if got != want:
            self.problems.append(f"another message: {got!r:.500}")
        ends = (message.stop_reason, message.usage.output_tokens)
        if ends != (expected["stop_reason"], expected["usage"]["output_tokens"]):
            self.problems.append(f"the message ends in {ends!r}")
        kind, events = self.case.kind, self.case.fault.events
        if self.case.gives_one:
            return
        thinks = "thinking" in kind or kind.endswith(("parts", "blocks", "events"))
        calls = [(block["name"], block["input"]) for block in expected["content"] if block["type"] == "tool_use"]
        if kind not in ("iter_tool_calls", "open.tools"):
            self._equal("text", "" if "thinking" in kind else text_in(events))
            self._equal("thinking", text_in(events, "thinking") if thinks else "")
        if kind.endswith(("calls", "tools", "parts")) and self._calls != calls:
            self.problems.append(f"other calls: {self._calls!r}")

    def _equal(self, what: str, expected: str) -> None:
        if self._handed[what] != expected:
            self.problems.append(f"the {what} is {self._handed[what]!r:.300}, and not {expected!r:.300}")

    def _check(self) -> None:
        """Check what came against what the fault and the way allow."""
        case, error = self.case, self._error
        if self.outcome == "left" and case.way in ("end", "close"):
            self.problems.append("it was left, and nobody left it")
        if self.outcome == "whole" and not case.is_whole:
            self.problems.append("a stream that cannot be whole ended like one that is")
        if self._calls and not case.is_whole:
            self.problems.append(f"calls of an incomplete message were handed out: {self._calls!r}")
        for what, text in self._handed.items():
            whole = text_in(case.fault.events, what)
            if not whole.startswith(text):
                self.problems.append(f"the {what} {text!r:.300} is not in the message")
        if error is not None:
            self._check_error(error)

    def _check_error(self, error: Exception) -> None:
        case = self.case
        names = {cls.__name__ for cls in type(error).__mro__}
        closed = (
            case.way == "close" and type(error).__name__ == "StreamConnectionError" and "closed before" in str(error)
        )
        if closed and error.retryable is not False:
            self.problems.append("the error of a close asks for a retry")
        if not closed and not names & set(case.ends):
            self._problem(f"another error than {case.ends}", error)
        if not closed and case.fault.status is not None and getattr(error, "status_code", None) != case.fault.status:
            self.problems.append(f"status {getattr(error, 'status_code', None)}")
        if not isinstance(error, StreamError):
            if case.fault.opens and not isinstance(error, anthropic.APITimeoutError):
                self._problem("not one of ours", error)
            return
        partial = "" if error.partial is None else text_of(error.partial)
        if not text_in(case.fault.events).startswith(partial):
            self.problems.append(f"the partial {partial!r:.300} is not in the message")
        if not partial.startswith(self._handed["text"]):
            self.problems.append(
                f"{self._handed['text']!r:.300} was handed out and is not in the partial, {partial!r:.300}"
            )
        if case.came is not None and not closed and case.fault.opens:
            came = text_in(case.came)
            if partial != came:
                self.problems.append(f"{came!r:.300} came, and the partial is {partial!r:.300}")
            if "text" in case.kind and self._handed["text"] != came:
                self.problems.append(f"{came!r:.300} came, and {self._handed['text']!r:.300} was handed out")

    async def _read_on(self) -> None:
        """Read on in every way there is: only a stream that is complete may end."""
        if self.case.kind == "collect" or not self._opened:
            return
        error = self._error
        for name, came in (await self._view.read_on()).items():
            if came == "end":
                if not self._view.complete:
                    self.problems.append(f"reading on, {name}: ended silently")
            elif self._view.complete and error is None:
                self.problems.append(f"reading on, {name}: {came} though the message is complete")
            elif error is None and (came[0] != "StreamConnectionError" or came[1] is not False):
                self.problems.append(f"reading on, {name}: {came} behind a close")
            elif error is not None and came[0] != type(error).__name__:
                self.problems.append(f"reading on, {name}: {came}, and not {error!r:.200} again")
