"""Runs one cell: takes the way out, and measures what it left behind.

The law: whatever is measured is written into a `Result`, and what differs from `expected` is named in its
`problems`; nothing is asserted here.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import gc
import importlib
import logging
import re
import signal
import ssl
import sys
import threading
import time
import traceback
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import anthropic
import anyio
import trio
import trustme

from tests.exits.matrix import EVENTS, OVERLOADED, PING, TEXT, Cell, expected
from tests.exits.servers import BOUND, Gate, Hold, InProcess, Pings, Scripts, Server
from tests.exits.sources import ConsumerError, Subject, ahead_of, done, message_text, text_in
from tests.support import REQUEST, body_of

from claude_stream import open_stream  # isort: skip

READ_TIMEOUT = 12.0
"""Seconds of the client's read timeout: a wait that only it ends is a hang."""

SHORT_TIMEOUT = 1.0
"""The same where nothing else can end a read."""

LIMIT = 5.0
"""Seconds that any way out may take: far more than one needs, and far less than for ever."""

SETTLE = 0.08
"""Seconds for a reader to be back in its read once the server has sent what it had."""

_THEIRS = re.compile(
    r"[Aa]sync generator '(anthropic|httpx2?|httpcore2?|anyio|trio|aiohttp)\._?[\w.]+' "
    r"(was garbage collected|-- surround)"
)
_NAMES_OF_OTHERS = ("AnyIO worker", "Trio thread", "trio thread", "asyncio_", "ThreadPool", "exits-server", "pydevd")


@dataclasses.dataclass
class Result:
    """What came of a cell."""

    cell: Cell
    text: str = ""
    items: int = 0
    outcome: str = "left"
    error: str = ""
    retryable: bool | None = None
    partial: str | None = None
    reading_on: str = "-"
    seconds: float = 0.0
    connection: str = "none"
    problems: list[str] = dataclasses.field(default_factory=list)

    @property
    def short(self) -> str:
        """The outcome in a few words: how it ended, what reading on gave, what became of the connection."""
        words = [_short(self.error) if self.error else self.outcome]
        if self.reading_on != "-":
            words.append({"end": "ends"}.get(self.reading_on, self.reading_on))
        return f"{' → '.join(words)} · {self.connection}"


def http() -> Any:
    """Return the HTTP package of the installed SDK."""
    packages = (base.__module__.partition(".")[0] for base in anthropic.DefaultHttpxClient.__mro__)
    return importlib.import_module(next(package for package in packages if package.startswith("httpx")))


@functools.cache
def tls_contexts() -> tuple[ssl.SSLContext, ssl.SSLContext, ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server, of one that speaks HTTP/2, and of the client of either.

    A client says in its context what it speaks, whenever it connects: two that speak different things share none.
    """
    authority = trustme.CA()
    server, http2 = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = authority.issue_cert("127.0.0.1")
    for context in (server, http2):
        certificate.configure_cert(context)
    http2.set_alpn_protocols(["h2"])
    clients = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context in clients:
        authority.configure_trust(context)
    return server, http2, *clients


# -- the scripts --


def scripts_of(cell: Cell, gate: Gate, neighbour: Gate) -> Scripts:
    """Return what the server of a cell sends."""
    frames = [body_of([event]) for event in EVENTS]
    count = ahead_of(cell)
    ping = body_of([PING])
    script: tuple[Any, ...] = tuple(frames[:count])
    if count == 1:
        script += (ping,)
    if cell.moment == "opening":
        script = (gate, *frames, "finish")
    elif cell.way == "cut":
        script += ("cut",) if not _late(cell) else (0.05, "cut")
    elif cell.way == "short":
        script += ("finish",)
    elif cell.way == "error":
        script += (body_of([OVERLOADED]), gate, "finish")
    elif cell.way == "end" and cell.moment in ("middle", "behind_stop_reason"):
        script += ("finish",)
    elif cell.moment == "late_end":
        script += (0.1, "finish")
    elif cell.moment == "pings":
        script += (Pings(ping, gate), "finish")
    elif cell.moment == "silent":
        script += (gate, "linger")
    else:
        script += (gate, ping, *frames[count:], "finish")
    first = (body_of([EVENTS[0], OVERLOADED]), "finish")
    return {
        "cell": script if cell.kind != "restarts.delay" else tuple(frames),
        "first": first,
        "probe": (*frames, "finish"),
        "neighbour": (*frames[:4], Pings(ping, neighbour), *frames[4:], "finish"),
    }


def _late(cell: Cell) -> bool:
    return cell.transport != "in_process"


# -- clients --


@contextlib.asynccontextmanager
async def client_of(cell: Cell, server: Server | InProcess, timeout: float, connections: int = 4) -> AsyncIterator[Any]:
    """Give a client of the SDK for the mode and the transport of a cell."""
    package = http()
    limits = package.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=60)
    options: dict[str, Any] = {"limits": limits, "timeout": timeout, "trust_env": False}
    if isinstance(server, InProcess):
        options = {"transport": server.transport, "timeout": timeout}
    elif cell.transport in ("tls", "http2"):
        options["verify"] = tls_contexts()[3 if cell.transport == "http2" else 2]
        options["http2"] = cell.transport == "http2"
    kind: Any = anthropic.AsyncAnthropic if cell.is_async else anthropic.Anthropic
    http_client: Any = anthropic.DefaultAsyncHttpxClient if cell.is_async else anthropic.DefaultHttpxClient
    if cell.transport == "aiohttp":
        http_client = anthropic.DefaultAioHttpClient
    url = "http://in.process" if isinstance(server, InProcess) else server.url
    client = kind(base_url=url, api_key="x", max_retries=0, timeout=timeout, http_client=http_client(**options))
    try:
        yield client
    finally:
        with anyio.CancelScope(shield=True) if cell.is_async else contextlib.nullcontext():
            await done(client.close())


# -- the ways out --


class Run:
    """One cell on its way.

    Args:
        cell: which one.
        result: what is filled in.
    """

    def __init__(self, cell: Cell, result: Result, client: Any, gate: Gate) -> None:
        self.cell = cell
        self.result = result
        self.gate = gate
        self.subject = Subject(cell, client, gate, self._observe)
        self.began_to_leave = 0.0
        self._texts: list[str] = []
        self._observed = ""

    def problem(self, what: str) -> None:
        self.result.problems.append(what)

    def _observe(self, event: Any) -> None:
        self._observed += text_in(event)
        if self.began_to_leave or self.cell.way not in ("observer", "ctrl_c_step", "close_step"):
            return
        if self.subject.is_there(event, self._observed, as_event=True):
            self.began_to_leave = time.monotonic()
            if self.cell.way == "close_step":
                self.subject.close()
                return
            raise ConsumerError if self.cell.way == "observer" else KeyboardInterrupt

    async def read(self, *, until_there: bool = False) -> None:
        """Read to the end, to a failure, or to the moment."""
        result, subject = self.result, self.subject
        try:
            while True:
                item = await subject.next()
                result.items += 1
                self._texts.append(text_in(item))
                result.text = "".join(self._texts)
                if until_there and subject.is_there(item, result.text):
                    return
        except StopAsyncIteration:
            result.outcome = "whole"
            if until_there:
                self.problem("the stream ended in front of its moment")
        except Exception as exc:
            self.failed(exc)

    def failed(self, exc: Exception) -> None:
        """Write an error down."""
        result = self.result
        result.outcome, result.error = "raises", type(exc).__name__
        result.retryable = getattr(exc, "retryable", None)
        if hasattr(exc, "partial"):
            result.partial = message_text(exc.partial)
        self.message = str(exc)
        if result.error not in expected(self.cell).errors:
            self.problem("unexpected: " + "".join(traceback.format_exception(exc))[-1500:])
        exc.__traceback__ = None

    async def out(self) -> None:
        """Take the way out, and leave the block."""
        cell = self.cell
        if cell.way == "unentered":
            manager = open_stream(self.subject.client, **REQUEST)
            await done((manager.__aexit__ if cell.is_async else manager.__exit__)(None, None, None))
            return
        if cell.way == "dropped":
            await self._dropped()
            return
        if cell.way == "cancel":
            await self._cancelled()
        else:
            await self._inside()
        self.result.seconds = time.monotonic() - self.began_to_leave
        await self._read_on("outside")

    async def _inside(self) -> None:
        await self.subject.open()
        exc_info: tuple[Any, ...] = ()
        try:
            await getattr(self, f"_{self.cell.way}", self._plain)()
        except ConsumerError as exc:
            exc_info = (type(exc), exc, None)
        except BaseException as exc:
            self.began_to_leave = self.began_to_leave or time.monotonic()
            await self.subject.leave(type(exc), exc, None)
            raise
        self.began_to_leave = self.began_to_leave or time.monotonic()
        await self.subject.leave(*exc_info)

    async def _plain(self) -> None:
        """Read until something happens: the end, a cut, an error."""
        start = time.monotonic()
        await self.read()
        self.began_to_leave = start
        await self._read_on("inside")

    async def _unread(self) -> None:
        self.began_to_leave = time.monotonic()
        await done(self.subject.close())

    async def _break(self) -> None:
        if self.cell.moment != "before_first":
            await self.read(until_there=True)

    async def _exception(self) -> None:
        await self._break()
        raise ConsumerError

    async def _close_twice(self) -> None:
        await self._break()
        self.began_to_leave = time.monotonic()
        for _ in range(2):
            await done(self.subject.close())
        await self._read_on("inside")

    async def _ctrl_c_step(self) -> None:
        try:
            await self.read()
        except KeyboardInterrupt:
            self.result.outcome = "left"
        else:
            self.problem("the KeyboardInterrupt of a step was swallowed")
        self.gate.opened.set()
        await self._read_on("inside")

    async def _ctrl_c(self) -> None:
        def interrupt() -> None:
            self.began_to_leave = time.monotonic()
            signal.pthread_kill(main, signal.SIGINT)

        main = threading.main_thread().ident or 0
        thread = threading.Thread(target=self._when_reached, args=(interrupt,), name="exits-trigger")
        thread.start()
        try:
            await self.read()
        except KeyboardInterrupt:
            self.result.outcome = "left"
        except asyncio.CancelledError:  # how asyncio says it to the main task
            task: Any = asyncio.current_task()
            task.uncancel()
            self.result.outcome = "left"
        else:
            self.problem("the KeyboardInterrupt was swallowed")
        thread.join()
        self.gate.opened.set()
        await self._read_on("inside")

    async def _cancel_read(self) -> None:
        with anyio.CancelScope() as scope:
            async with self._meanwhile(scope.cancel):
                await self.read()
        if scope.cancelled_caught:
            self.result.outcome = "left"
        else:
            self.problem("the cancellation was swallowed")
        self.gate.opened.set()
        await self._read_on("inside")

    async def _close_elsewhere(self) -> None:
        if self.cell.moment == "middle":
            await self.read(until_there=True)
            async with self._meanwhile(self._close_here, at_once=True):
                pass
        else:
            async with self._meanwhile(self._close_here):
                await self.read()
            await self._read_on("inside")
            return
        await self.read()
        await self._read_on("inside")

    async def _close_step(self) -> None:
        await self.read()
        await self._read_on("inside")

    async def _close_by_two(self) -> None:
        await self._close_elsewhere()

    async def _close_here(self) -> None:
        self.began_to_leave = time.monotonic()
        try:
            if self.cell.way == "close_by_two":
                await self._both(self.subject.close)
            else:
                await done(self.subject.close())
        except Exception as exc:
            self.problem("close() from elsewhere raised: " + "".join(traceback.format_exception(exc))[-1500:])
        if not self.cell.interruptible and self.cell.moment != "silent":
            threading.Timer(0.3, self.gate.opened.set).start()  # the next item, which ends the read

    async def _both(self, close: Callable[[], Any]) -> None:
        async def await_close() -> None:
            await close()

        if self.cell.is_async:
            async with anyio.create_task_group() as group:
                group.start_soon(await_close)
                await close()
        else:
            thread = threading.Thread(target=close, name="exits-closer")
            thread.start()
            close()
            thread.join(LIMIT)

    @contextlib.asynccontextmanager
    async def _meanwhile(self, action: Callable[[], Any], *, at_once: bool = False) -> AsyncIterator[None]:
        """Do something from elsewhere while the body of the block waits."""

        def in_thread() -> None:
            by_hand(_awaiting(action))

        if not self.cell.is_async:
            target = in_thread if at_once else functools.partial(self._when_reached, in_thread)
            thread = threading.Thread(target=target, name="exits-trigger")
            thread.start()
            if at_once:
                thread.join(LIMIT)
            yield
            thread.join(BOUND)
            return

        async def in_task() -> None:
            if not at_once:
                await self._until_reached()
            self.began_to_leave = time.monotonic()
            with anyio.CancelScope(shield=True):
                await done(action())

        async with anyio.create_task_group() as group:
            group.start_soon(in_task)
            if at_once:
                await anyio.sleep(SETTLE)
            yield

    def _has_arrived(self) -> bool:
        """Whether the reader has all that the server has sent so far."""
        with contextlib.suppress(Exception):  # it may be at work on its message in another thread
            return self.subject.has_arrived
        return False

    def _when_reached(self, action: Callable[[], object]) -> None:
        self.gate.reached.wait(BOUND)
        deadline = time.monotonic() + LIMIT
        while not self._has_arrived() and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(SETTLE)
        action()

    async def _cancelled(self) -> None:
        """Cancel the task that reads, block and all, as its event loop does it."""
        if self.cell.mode == "asyncio":
            task = asyncio.create_task(self._block())
            await self._until_reached()
            self.began_to_leave = time.monotonic()
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                self.problem(f"the cancellation was swallowed: {task.exception() if task.done() else task!r}")
        else:
            scope = trio.CancelScope()

            async def block() -> None:
                with scope:
                    await self._block()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(block)
                await self._until_reached()
                self.began_to_leave = time.monotonic()
                scope.cancel()
            if not scope.cancelled_caught:
                self.problem("the cancellation was swallowed")
        self.result.outcome = "left"

    async def _block(self) -> None:
        await self.subject.open()
        try:
            await self.read()
        except BaseException as exc:
            await self.subject.leave(type(exc), exc, None)
            raise
        await self.subject.leave()

    async def _until_reached(self) -> None:
        while not self.gate.reached.is_set():
            await anyio.sleep(0.005)
        deadline = time.monotonic() + LIMIT
        while not self._has_arrived() and time.monotonic() < deadline:
            await anyio.sleep(0.005)
        await anyio.sleep(SETTLE)

    async def _dropped(self) -> None:
        await self.subject.open()
        await self._break()
        self.began_to_leave = time.monotonic()
        self.subject.forget()
        gc.collect()
        if self.cell.is_async:
            await anyio.sleep(0.02)
        gc.collect()
        self.result.seconds = time.monotonic() - self.began_to_leave

    async def _read_on(self, where: str) -> None:
        """Read on in every way there is, and say whether that went as it should."""
        result, want = self.result, expected(self.cell).reading_on
        if want == "-":
            return
        start = time.monotonic()
        found = await self.subject.read_on()
        if (seconds := time.monotonic() - start) > LIMIT:
            self.problem(f"reading on {where} took {seconds:.1f} s")
        names = {came if isinstance(came, str) else came[0] for came in found.values()}
        result.reading_on = " or ".join(sorted(_short(name) for name in names))
        for name, came in found.items():
            wrong = self._wrong(want, came, where)
            if wrong:
                self.problem(f"reading on {where}, {name}: {wrong}: {came}")

    def _wrong(self, want: str, came: Any, where: str) -> str | None:
        ended = came == "end"
        if want == "end":
            return None if ended else "a complete message has to end"
        if want == "rest":
            if ended:
                return None if self.subject.complete else "ended silently"
            again = "StreamOverloadedError" if self.cell.kind == "restarts.delay" else ""
            if came[0] not in ("StreamConnectionError", "StreamTruncatedError", again):
                return "no error of a connection"
            return None
        if ended:
            return "ended silently"
        if want == "again":
            return None if came[0] == self.result.error and came[2] == self.message else "not the same error"
        good = came[0] == "StreamConnectionError" and came[1] is False
        return None if good else f"not a StreamConnectionError that is not retryable, {where}"


def _short(name: str) -> str:
    return name.removeprefix("Stream").removesuffix("Error")


# -- the measuring --


def by_hand(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run what has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("sync code has nothing to wait for")


async def _awaiting(action: Callable[[], Any]) -> Any:
    return await done(action())


@contextlib.contextmanager
def listening(result: Result) -> Iterator[None]:
    """Write down every warning and every exception that nobody gets, unless it is somebody else's."""
    said: list[str] = []

    def unraisable(args: Any) -> None:
        where = f"{getattr(args.object, '__qualname__', args.object)!s:.200}"
        said.append(f"unraisable in {where}: {args.exc_value!r}")

    def in_thread(args: Any) -> None:
        said.append("in a thread: " + "".join(traceback.format_exception(args.exc_value))[-800:])

    hooks = sys.unraisablehook, threading.excepthook
    handler, trios = _Said(said), logging.getLogger("trio.async_generator_errors")
    trios.addHandler(handler)
    trios.propagate = False
    sys.unraisablehook, threading.excepthook = unraisable, in_thread
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
            gc.collect()
        said += [f"{each.category.__name__}: {each.message}" for each in caught]
    finally:
        sys.unraisablehook, threading.excepthook = hooks
        trios.removeHandler(handler)
    result.problems += [f"said: {what}" for what in said if not _is_of_others(result.cell, what)]


def _is_of_others(cell: Cell, said: str) -> bool:
    if _THEIRS.search(said):
        return True
    # Who drops an un-awaited request, or a generator of his own, hears so from Python and from trio.
    own = "AsyncMessages.create" in said or "sources.Subject." in said
    return cell.way == "dropped" and own


class _Said(logging.Handler):
    """Writes down what trio logs about async generators."""

    def __init__(self, said: list[str]) -> None:
        super().__init__()
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.append(f"{record.name}: {record.getMessage()} {record.exc_info and record.exc_info[1]!r}")


def run(cell: Cell) -> Result:
    """Run one cell and return what came of it."""
    result = Result(cell)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)  # shells have it ignored in the background
    logging.getLogger("claude_stream").addHandler(logging.NullHandler())
    logging.getLogger("claude_stream").propagate = False
    gc.collect()
    gc.freeze()  # so that each collection looks at this cell alone
    before = set(threading.enumerate())
    with listening(result):
        try:
            if cell.is_async:
                anyio.run(_bounded, cell, result, backend=cell.mode)
            elif cell.mode == "threads":
                _in_a_thread(cell, result)
            else:
                by_hand(_measured(cell, result))
        except BaseException as exc:
            result.problems.append("failed: " + "".join(traceback.format_exception(exc))[-2500:])
            if isinstance(exc, KeyboardInterrupt) and cell.way not in ("ctrl_c", "ctrl_c_step"):
                raise
        gc.collect()
    gc.unfreeze()
    deadline = time.monotonic() + 3
    while (left := threads_left(before)) and time.monotonic() < deadline:
        time.sleep(0.01)
    result.problems += [f"a thread is left: {name}" for name in left]
    _compare(result)
    return result


def threads_left(before: set[threading.Thread]) -> list[str]:
    return [
        thread.name
        for thread in threading.enumerate()
        if thread not in before and not thread.name.startswith(_NAMES_OF_OTHERS)
    ]


def _in_a_thread(cell: Cell, result: Result) -> None:
    def work() -> None:
        try:
            by_hand(_measured(cell, result))
        except BaseException as exc:
            result.problems.append("failed: " + "".join(traceback.format_exception(exc))[-2500:])

    thread = threading.Thread(target=work, name="exits-reader")
    thread.start()
    thread.join()


async def _bounded(cell: Cell, result: Result) -> None:
    loop_said: list[str] = []
    if cell.mode == "asyncio":
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: loop_said.append(f"{context.get('message')}: {context.get('exception')!r}")
        )
    with anyio.move_on_after(BOUND) as scope:
        await _measured(cell, result)
        await tasks_left(cell.mode, result)
    if scope.cancelled_caught:
        result.problems.append(f"it hung: nothing ended it in {BOUND:g} s")
    result.problems += [f"the loop said: {what}" for what in loop_said]


async def tasks_left(mode: str, result: Result) -> None:
    for _ in range(20):
        await anyio.sleep(0)
    if mode == "asyncio":
        left: list[Any] = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    else:
        me = trio.lowlevel.current_task()
        left = [] if me.parent_nursery is None else [t for t in me.parent_nursery.child_tasks if t is not me]
    result.problems += [f"a task is left: {task!r:.300}" for task in left]


async def _measured(cell: Cell, result: Result) -> None:
    gate, neighbour = (Hold() if cell.moment == "opening" else Gate()), Gate()
    scripts = scripts_of(cell, gate, neighbour)
    timeout = SHORT_TIMEOUT if cell.moment == "silent" else READ_TIMEOUT
    server: Server | InProcess
    if cell.transport == "in_process":
        server = InProcess(http(), scripts, timeout)
    else:
        tls = {"tls": tls_contexts()[0], "http2": tls_contexts()[1]}.get(cell.transport)
        server = Server(scripts, tls, http2=cell.transport == "http2")
    alarm = threading.Timer(BOUND, _give_up, (server, gate, neighbour))
    alarm.daemon = True
    alarm.start()
    try:
        with server if isinstance(server, Server) else contextlib.nullcontext():
            async with client_of(cell, server, timeout) as client:
                await _with_neighbour(cell, result, client, server, gate, neighbour)
            if isinstance(server, Server):
                opened = [each for each in server.connections if not each.closed.wait(2)]
                if opened:
                    result.problems.append(f"{len(opened)} sockets are open behind the client's close")
    finally:
        gate.opened.set()
        neighbour.opened.set()
        alarm.cancel()


def _give_up(server: Server | InProcess, *gates: Gate) -> None:
    for gate in gates:
        gate.opened.set()
    if isinstance(server, Server):
        server.closing.set()


async def _with_neighbour(
    cell: Cell, result: Result, client: Any, server: Server | InProcess, gate: Gate, neighbour: Gate
) -> None:
    has_one = (cell.transport == "http2" or cell.mode == "threads") and isinstance(server, Server)
    if not has_one:
        await _out(cell, result, client, server, gate)
        return
    manager: Any = open_stream(client, **REQUEST, extra_headers={"x-script": "neighbour"})
    stream = await done((manager.__aenter__ if cell.is_async else manager.__enter__)())
    try:
        text = await _next(cell, stream.text_stream)
        await _out(cell, result, client, server, gate)
        neighbour.opened.set()
        message = await done(stream.get_final_message())
        if message_text(message) != TEXT or not text:
            result.problems.append(f"the neighbour has another text: {message_text(message)!r}")
    except Exception as exc:
        result.problems.append("the neighbour died: " + "".join(traceback.format_exception(exc))[-1500:])
    finally:
        await done((manager.__aexit__ if cell.is_async else manager.__exit__)(None, None, None))


async def _next(cell: Cell, items: Any) -> Any:
    return await anext(items) if cell.is_async else next(items)


async def _out(cell: Cell, result: Result, client: Any, server: Server | InProcess, gate: Gate) -> None:
    way = Run(cell, result, client, gate)
    await way.out()
    del way
    await _connection(cell, result, client, server)
    gate.opened.set()


async def _connection(cell: Cell, result: Result, client: Any, server: Server | InProcess) -> None:
    """Find out what became of the cell's connection, with one more request on the same client."""
    mine = server.of("cell" if cell.kind != "restarts.delay" else "first")
    if mine is None:
        return
    start = time.monotonic()
    stream = await done(client.messages.create(**REQUEST, stream=True, extra_headers={"x-script": "probe"}))
    if cell.is_async:
        async with stream:
            events = [event async for event in stream]
    else:
        with stream:
            events = list(stream)
    if len(events) != len(EVENTS) or time.monotonic() - start > LIMIT:
        result.problems.append(f"the next request gave {len(events)} events in {time.monotonic() - start:.1f} s")
    if isinstance(server, InProcess):
        body: Any = mine
        result.connection = "closed" if body.closed else "open"
        return
    if server.of("probe") is mine:
        result.connection = "reused"
        return
    for each in {
        id(connection): connection for name, connection in server.requests if name in ("cell", "first")
    }.values():
        deadline = time.monotonic() + 2
        while not (closed := each.closed.is_set()) and time.monotonic() < deadline:
            if cell.is_async:
                await anyio.sleep(0.005)
            else:
                time.sleep(0.005)
        if each is mine:
            result.connection = "closed" if closed else "open"
        elif not closed and server.of("probe") is not each:
            result.problems.append("the connection of the first attempt is open")


def _compare(result: Result) -> None:
    """Name what differs from what the contract owes."""
    cell, want, problem = result.cell, expected(result.cell), result.problems.append
    if result.outcome != want.outcome:
        problem(f"the outcome is {result.outcome} {result.error}, and not {want.outcome}")
    if want.outcome == "raises" and result.outcome == "raises":
        if result.error in want.errors and result.retryable is not want.retryable:
            problem(f"retryable is {result.retryable}")
        if result.partial is not None and result.partial not in (cell.text, *cell.texts):
            problem(f"the partial is {result.partial!r}")
        if result.partial is None and want.retryable is not None:
            problem("the error has no partial")
    read = cell.way not in ("unread", "unentered") and cell.moment not in ("before_first", "opening")
    if read and not cell.gives_nothing and result.text not in cell.texts:
        problem(f"the text is {result.text!r}, and not {cell.texts!r}")
    if result.seconds > LIMIT:
        problem(f"it took {result.seconds:.1f} s")
    if want.connection == "either":
        if result.connection not in ("reused", "closed"):
            problem(f"the connection is {result.connection}")
    elif want.connection not in {result.connection, "any"}:
        problem(f"the connection is {result.connection}, and not {want.connection}")
