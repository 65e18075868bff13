"""The matrix as data: its five axes, the rules that leave cells out, and what the contract owes in each cell.

The law: nothing here knows the code under test. What is expected follows from the contracts 1, 9, 10 and 11 of the
design: what ended early raises, what is complete does not, and whoever opened a stream closes it.
"""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Literal

from claude_stream.testing import message_events

TEXT = "Hello, wonderful world!"
BEFORE = "Hello, wonderful"  # what has come in the middle
EVENTS = message_events(TEXT, ("get_weather", {"city": "Paris"}))
PING = {"type": "ping"}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

WAYS = {
    "end": "read to the end",
    "cut": "the connection breaks",
    "short": "the body ends early, in good order",
    "error": "an `error` event",
    "break": "the block is left by `break`",
    "exception": "the block is left by an exception of the consumer",
    "observer": "an observer raises, inside a step",
    "cancel": "the task is cancelled, block and all",
    "cancel_read": "a read is cancelled inside the block",
    "ctrl_c": "Ctrl-C during a read",
    "ctrl_c_step": "KeyboardInterrupt inside a step",
    "close_elsewhere": "`close()` from another thread or task",
    "close_by_two": "`close()` from two other threads or tasks at once",
    "close_step": "`close()` inside a step",
    "close_twice": "`close()` twice, then the end of the block",
    "dropped": "dropped, without a block",
    "unread": "closed without a read",
    "unentered": "never entered, then left",
}

TRANSPORTS = ("http1", "tls", "http2", "aiohttp", "in_process")
MODES = ("sync", "threads", "asyncio", "trio")

KINDS = {
    "open.text": "`open_stream`: `text_stream`",
    "open.events": "`open_stream`: its events",
    "open.tools": "`open_stream`: `tool_calls()`",
    "open.done": "`open_stream`: `until_done()`",
    "open.view": "`open_stream`: `text_stream`, which is closed itself",
    "open.guarded": "`open_stream`: `text_stream`, with restarts and time limits",
    "sdk.text": "`iter_text(create(stream=True))`",
    "sdk.events": "`iter_events(create(stream=True))`",
    "stream.text": "`MessageStream(create(stream=True))`: `text_stream`",
    "helper.text": "`iter_text` over the SDK's `messages.stream(...)`",
    "collect": "`collect(create(stream=True))`",
    "timeout.text": "`iter_text(with_timeout(...))`",
    "tap.text": "`iter_text(tap(...))`",
    "tap.inner": "`iter_text(tap(...))`, where the tap is closed",
    "tap.events": "`tap(...)`",
    "restarts.delay": "`with_restarts`, during its delay",
    "restarts.second": "`with_restarts`, its second request",
    "own.live": "a generator of the user's, around a live stream",
    "own.list": "a generator of the user's, around a list",
    "from_sse": "`from_sse` over the chunks of a body",
}

MOMENTS = {
    "opening": "while the request of a read is on its way",
    "before_first": "before the first event",
    "in_front": "in front of content",
    "middle": "in the middle, between two reads",
    "blocked": "in the middle, in a read that is blocked",
    "silent": "the same, and nothing comes any more",
    "behind_stop_reason": "behind the stop reason",
    "behind_stop": "behind `message_stop`, while the body lingers",
    "late_end": "behind `message_stop`, and the body ends 0.1 s later",
    "pings": "behind `message_stop`, while pings go on",
}

Outcome = Literal["whole", "raises", "left"]


@dataclasses.dataclass(frozen=True)
class Cell:
    """One way out, over one transport, in one mode, from one kind of source, at one moment."""

    way: str
    transport: str
    mode: str
    kind: str
    moment: str

    def __str__(self) -> str:
        return "/".join(dataclasses.astuple(self))

    @property
    def is_async(self) -> bool:
        """Whether the client is an async one."""
        return self.mode in ("asyncio", "trio")

    @property
    def gives_text(self) -> bool:
        """Whether the reader's items are text."""
        return not self.gives_events and not self.gives_nothing

    @property
    def gives_events(self) -> bool:
        """Whether the reader's items are events."""
        return self.kind.endswith(".events")

    @property
    def gives_nothing(self) -> bool:
        """Whether nothing is handed out before the message is complete."""
        return self.kind in ("open.tools", "open.done", "collect")

    @property
    def consumer_leaves(self) -> bool:
        """Whether it is the consumer who leaves, between two reads."""
        return self.way in ("break", "exception", "close_twice", "dropped")

    @property
    def in_a_read(self) -> bool:
        """Whether the way out is taken while a read is blocked."""
        return self.way in ("cancel", "cancel_read", "ctrl_c") or (
            self.way in ("close_elsewhere", "close_by_two") and self.moment != "middle"
        )

    @property
    def whole_by_then(self) -> bool:
        """Whether the message is complete at that moment."""
        return self.moment in ("behind_stop_reason", "behind_stop", "late_end", "pings") or (
            self.way == "end" and self.moment == "middle"
        )

    @property
    def interruptible(self) -> bool:
        """Whether a blocked read can be ended from elsewhere, by contract 9 and 10."""
        own_socket = self.transport in ("http1", "tls") and self.kind not in ("own.live", "own.list", "from_sse")
        own_socket = own_socket and self.moment != "opening"
        return self.is_async or own_socket or self.kind == "restarts.delay"

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that may have been handed out by then."""
        if self.way in ("observer", "ctrl_c_step") and self.moment == "middle":
            return (BEFORE[:8],)  # what an observer fails in is not handed out
        if self.way in ("close_elsewhere", "close_by_two") and not self.interruptible:
            return (self.text, BEFORE[:8], TEXT)  # the item that ends the read is handed out
        return (self.text,)

    @property
    def text(self) -> str:
        """The text that has come by that moment."""
        if self.whole_by_then:
            return TEXT
        return BEFORE if self.moment in ("middle", "blocked", "silent") and self.kind != "restarts.delay" else ""


Rule = tuple[str, Callable[[Cell], bool]]

_CLOSES = ("close_elsewhere", "close_by_two")
_BLOCKING = ("cancel", "cancel_read", "ctrl_c", *_CLOSES)
_ENDS = ("middle", "behind_stop_reason", "behind_stop", "late_end", "pings")
_STEPS = ("observer", "ctrl_c_step", "close_step")
_NOT_LIVE = ("own.live", "own.list", "from_sse", "helper.text")


def _closes_collect(cell: Cell) -> bool:
    other = ("end", "cut", "short", "error", "cancel", "cancel_read", "ctrl_c")
    return cell.kind == "collect" and cell.way not in other


LEFT_OUT: tuple[Rule, ...] = (
    ("aiohttp runs on asyncio only", lambda c: c.transport == "aiohttp" and c.mode != "asyncio"),
    ("only tasks can be cancelled", lambda c: c.way in ("cancel", "cancel_read") and not c.is_async),
    ("signals reach the main thread only", lambda c: c.way == "ctrl_c" and c.mode == "threads"),
    ("a list has no transport", lambda c: c.kind == "own.list" and c.transport != "in_process"),
    ("only a tap has observers", lambda c: c.way in _STEPS and not c.kind.startswith("tap.")),
    ("only a manager can be left un-entered", lambda c: c.way == "unentered" and c.kind != "open.text"),
    (
        "what is not read has no moments",
        lambda c: c.way in ("unread", "unentered") and c.moment != "before_first",
    ),
    (
        "the end of a stream has its own moments",
        lambda c: c.moment not in _ENDS if c.way == "end" else c.moment in ("late_end", "pings"),
    ),
    ("only a blocked read is blocked", lambda c: c.moment == "blocked" and c.way not in _BLOCKING),
    (
        "who waits is in a read",
        lambda c: c.moment == "middle" and c.way in ("cancel", "cancel_read", "ctrl_c"),
    ),
    (
        "only where nothing else can end a read does it matter whether something comes",
        lambda c: c.moment == "silent" and (c.way not in _CLOSES or c.interruptible or c.kind.startswith("own.")),
    ),
    (
        (
            "over HTTP/2 a sync read that gets nothing more cannot be ended: the client's read timeout breaks the "
            "connection of all streams, and neighbours put it off"
        ),
        lambda c: c.moment == "silent" and c.transport == "http2",
    ),
    (
        "a reader of text hands nothing out in front of content, nor behind it",
        lambda c: (
            (c.consumer_leaves or (c.way in _CLOSES and c.moment == "middle"))
            and not c.gives_events
            and c.moment in ("in_front", "behind_stop_reason", "behind_stop")
        ),
    ),
    (
        "what hands out nothing before the end cannot be left in between",
        lambda c: (
            c.gives_nothing
            and (c.consumer_leaves or c.way in _CLOSES)
            and c.moment not in ("before_first", "blocked", "silent")
        ),
    ),
    (
        "an observer sees events, so there is one",
        lambda c: c.way in _STEPS and c.moment == "before_first",
    ),
    (
        "behind `message_stop` a source that is not ours to drain is left alone",
        lambda c: (
            c.moment == "behind_stop"
            and c.way in _BLOCKING
            and (c.kind in _NOT_LIVE or (c.transport in ("http2", "in_process")))
        ),
    ),
    (
        "a request is on its way in a read only where the source is awaited, opened again, or a generator",
        lambda c: c.moment == "opening" and (c.way not in _BLOCKING or not sends_late(c) or c.kind == "own.list"),
    ),
    ("a step cannot await a close", lambda c: c.way == "close_step" and c.is_async),
    ("the coroutine of `collect` has nobody who could close it", _closes_collect),
    (
        "in the delay of a restart there is one moment",
        lambda c: c.kind == "restarts.delay" and (c.moment != "blocked" or c.way not in _BLOCKING),
    ),
    (
        "a restart undoes a failure in front of content",
        lambda c: (
            c.kind in ("restarts.second", "open.guarded")
            and c.way in ("cut", "short", "error")
            and c.moment in ("before_first", "in_front")
        ),
    ),
    (
        "TLS differs from HTTP/1.1 in how a socket is read and shut down, which five kinds of source show",
        lambda c: (
            c.transport == "tls" and c.kind not in ("open.text", "open.guarded", "sdk.text", "timeout.text", "own.live")
        ),
    ),
    (
        "two modes are enough for what a thread more cannot change",
        lambda c: (
            c.mode == "threads"
            and (c.way in ("exception", "unread", "unentered", "close_twice", *_STEPS) or c.transport == "tls")
        ),
    ),
)


def reason_left_out(cell: Cell) -> str | None:
    """Return why a combination makes no sense, or None if it does."""
    return next((reason for reason, holds in LEFT_OUT if holds(cell)), None)


def short_form() -> list[Cell]:
    """Return a few cells among which every way out meets every transport and mode, and every kind every mode."""
    every = list(cells())
    random.Random(10).shuffle(every)
    chosen: list[Cell] = []
    seen: set[tuple[str, ...]] = set()
    for least in (4, 3, 2, 1):
        for cell in every:
            new = {
                ("transport", cell.way, cell.transport),
                ("mode", cell.way, cell.mode),
                ("kind", cell.kind, cell.mode),
                ("moment", cell.way, cell.moment),
            } - seen
            if len(new) >= least:
                chosen.append(cell)
                seen |= new
    return chosen


def cells() -> Iterator[Cell]:
    """Yield every cell that makes sense."""
    for axes in itertools.product(WAYS, TRANSPORTS, MODES, KINDS, MOMENTS):
        cell = Cell(*axes)
        if reason_left_out(cell) is None:
            yield cell


@dataclasses.dataclass(frozen=True)
class Expected:
    """What the contract owes in a cell.

    Args:
        outcome: `whole` ends without an error, `raises` ends in one, `left` was left by the consumer.
        errors: the names of the errors of which it has to be one.
        retryable: what the error says, or None if it is not ours.
        reading_on: `end` for nothing more and no error, `again` for the same error, `closed` for a
            StreamConnectionError that is not retryable, `rest` for all of the rest or an error that says that it
            does not come, `-` where nobody is left to read on.
        connection: `reused`, `closed`, or `either` of the two; HTTP/2's is always `reused`.
    """

    outcome: Outcome
    errors: tuple[str, ...] = ()
    retryable: bool | None = None
    reading_on: str = "end"
    connection: str = "closed"


def expected(cell: Cell) -> Expected:
    """Return what the contract owes in this cell."""
    found = _expected(cell)
    if cell.kind == "collect":
        found = dataclasses.replace(found, reading_on="-")
    if cell.moment == "opening":
        found = dataclasses.replace(found, connection="any")
    if cell.kind == "restarts.delay" and found.connection == "closed":
        found = dataclasses.replace(found, connection="either")  # the first body ends in good order
    if cell.transport == "http2" and found.connection != "none":
        return dataclasses.replace(found, connection="reused")
    if cell.transport == "in_process" and found.connection in ("reused", "either"):
        return dataclasses.replace(found, connection="closed")
    return found


def _expected(cell: Cell) -> Expected:
    whole, way = cell.whole_by_then, cell.way
    ours = cell.kind not in _NOT_LIVE  # it is we who read the response
    never_sent = cell.moment == "before_first" and (cell.consumer_leaves or way == "unread") and sends_late(cell)
    none = "none" if cell.kind == "own.list" or way == "unentered" or never_sent else ""
    connection = none or "closed"
    if way == "end":
        ends = cell.moment in ("middle", "behind_stop_reason", "late_end")
        return Expected("whole", connection=none or ("either" if not ours else "reused" if ends else "closed"))
    if way in ("cut", "short"):
        if cell.kind == "own.list" and way == "cut" and cell.moment != "behind_stop":
            return Expected("raises", ("OwnError",), None, "again", none)  # it is no transport's
        if whole:
            ends = way == "short" and cell.moment == "behind_stop_reason"
            return Expected("whole", connection=none or ("either" if way == "short" else "closed"))
        error = ("StreamTruncatedError",) if way == "short" else ("StreamConnectionError",)
        return Expected("raises", error, True, "again", none or ("either" if way == "short" else "closed"))
    if way == "error":
        if cell.moment == "behind_stop":
            return Expected("whole", connection=connection)
        return Expected("raises", ("StreamOverloadedError",), True, "again", connection)
    if way == "observer":
        return Expected("raises", ("ConsumerError",), None, "again", connection)
    if way in ("cancel_read", "ctrl_c", "ctrl_c_step"):
        return Expected("left", reading_on="rest", connection=none or "either")
    if way in (*_CLOSES, "close_step") and not whole:
        return Expected("raises", ("StreamConnectionError",), False, "closed", connection)
    if way in (*_CLOSES, "close_step"):
        return Expected("whole", connection=none or "either")
    if way == "dropped":
        # What nobody has read and nobody closes is open as long as the SDK's own response is.
        return Expected(
            "left", reading_on="-", connection=none or ("any" if cell.moment == "before_first" else "closed")
        )
    if way == "unentered":
        return Expected("left", reading_on="-", connection=connection)
    return Expected(
        "left", reading_on="end" if whole else "closed", connection=none or ("either" if whole else "closed")
    )


def sends_late(cell: Cell) -> bool:
    """Whether the request of the cell is sent with the first read."""
    if cell.kind in ("own.live", "own.list", "restarts.second"):
        return True
    return cell.is_async and not cell.kind.startswith("open.") and cell.kind not in ("from_sse", "helper.text")
