"""Rounds of streams, many at a time, and what each round leaves behind.

The law: a round begins with nothing and ends with nothing. Its servers and clients are its own, and what is there
behind it that was not there before is named: a request that a server is still answering although every stream is over,
an open socket, a thread, a task, an object of the library, a warning.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import dataclasses
import gc
import itertools
import logging
import os
import queue
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import anyio

from tests.exits.run import Result, client_of, listening, tasks_left, threads_left, tls_contexts
from tests.exits.servers import Server
from tests.soak.faults import Fault, faults, scripts_of
from tests.soak.streams import ITERATORS, KINDS, LIMIT, TRANSPORTS, WAYS, Case, Run
from tests.support import by_hand

MODES = ("threads", "asyncio", "trio")
AT_A_TIME = 24
MEMORY = 2**26
"""Bytes by which a run may grow behind its first three rounds, however long it is."""

FEW = 100
"""Objects of the library that may be left, after however many streams: aiohttp holds on to the last exceptions."""

PATIENCE = 30.0
"""Seconds in which what a round leaves has to go."""

_FDS = Path("/proc/self/fd")
_STATM = Path("/proc/self/statm")


@dataclasses.dataclass
class Report:
    """What came of all rounds."""

    seed: int
    streams: int = 0
    seconds: float = 0.0
    by_fault: dict[str, collections.Counter[str]] = dataclasses.field(default_factory=dict)
    by_way: dict[str, collections.Counter[str]] = dataclasses.field(default_factory=dict)
    by_mode: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    by_kind: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    censuses: list[Census] = dataclasses.field(default_factory=list)
    problems: list[str] = dataclasses.field(default_factory=list)

    def add(self, run: Run) -> None:
        """Count a stream."""
        case = run.case
        self.streams += 1
        self.by_fault.setdefault(case.fault.kind, collections.Counter())[run.outcome] += 1
        self.by_way.setdefault(case.way, collections.Counter())[run.outcome] += 1
        self.by_mode[f"{case.mode}, {case.transport}"] += 1
        self.by_kind[case.kind] += 1
        self.problems += [f"{case}: {problem}" for problem in run.problems]


@dataclasses.dataclass(frozen=True)
class Census:
    """What is there at one moment, with nothing going on."""

    files: int  # open files, sockets among them; 0 where the system does not tell
    threads: int
    objects: int  # of the library's classes
    resident: int  # bytes of memory; 0 where the system does not tell

    @classmethod
    def take(cls) -> Census:
        """Count."""
        gc.collect()
        own = sum(1 for each in gc.get_objects() if str(type(each).__module__).startswith("claude_stream"))
        files = len([*_FDS.iterdir()]) if _FDS.exists() else 0
        threads = len(threads_left(set()))  # but those of asyncio and trio, which wait for more work
        if _STATM.exists() and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
            libc.malloc_trim(0)  # what was freed, and lies between what is in use, is no growth
        pages = int(_STATM.read_text().split()[1]) if _STATM.exists() else 0
        return cls(files, threads, own, pages * os.sysconf("SC_PAGE_SIZE"))

    def left(self, before: Census) -> list[str]:
        """Return what there is now and was not before."""
        found = [("open files", self.files - before.files), ("threads", self.threads - before.threads)]
        found += [("objects", max(0, self.objects - before.objects - FEW))]
        return [f"{count} {what} too many are left" for what, count in found if count > 0]


def keep_one_heap() -> None:
    """Have glibc use one heap for all threads; elsewhere, nothing happens.

    Else each of several heaps keeps what its threads freed last, and the memory of the process tells nothing. To be
    called before there is a thread.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(-8, 1)  # M_ARENA_MAX


def soak(
    seed: int, *, seconds: float = 1e9, streams: int = 10**9, size: int = 200, say: Callable[[str], object] = print
) -> Report:
    """Run rounds, one mode after the other, until the time is over or so many streams have been read.

    Args:
        seed: of all chances.
        seconds: how long; the round that is on then is finished.
        streams: how many; the same.
        size: of a round.
        say: told of each round and of each problem.
    """
    report = Report(seed)
    start = time.monotonic()
    for mode in itertools.cycle(MODES):
        if not report.censuses:
            report.censuses.append(Census.take())
        number = len(report.censuses)
        chance = random.Random(f"{seed} {number}")  # a round can be run again by itself
        found = len(report.problems)
        _round(mode, chance, size, report)
        report.seconds = time.monotonic() - start
        census = report.censuses[-1]
        say(f"round {number} ({mode}): {report.streams} streams, {report.seconds:.0f} s, {census}")
        for problem in report.problems[found:]:
            say("RED " + problem)
        done = number >= len(MODES) and (report.seconds >= seconds or report.streams >= streams)
        if done:
            grown = census.resident - report.censuses[len(MODES)].resident
            if grown > MEMORY:
                report.problems.append(f"the memory has grown by {grown / 2**20:.0f} MB")
            return report
    raise AssertionError


def cases(mode: str, chance: random.Random, size: int) -> list[Case]:
    """Return so many cases of a mode, chosen by chance among those that are possible.

    Each large fault is in one. So is each failure behind which the server waits, read by what has to close the response
    by itself: chance alone would rarely put these together.
    """
    all_faults = faults(chance)
    small = [fault for fault in all_faults if not fault.large]
    chosen = [_case(mode, fault, chance) for fault in all_faults if fault.large]
    waiting = [fault for fault in small if fault.script[-1] == "linger" and not fault.stalls]
    chosen += [_case(mode, fault, chance, tuple(ITERATORS), ("end",)) for fault in waiting]
    return chosen + [_case(mode, chance.choice(small), chance) for _ in range(size - len(chosen))]


def _case(
    mode: str, fault: Fault, chance: random.Random, kinds: tuple[str, ...] = KINDS, ways: tuple[str, ...] = WAYS
) -> Case:
    while True:
        case = Case(
            mode,
            chance.choice(TRANSPORTS[mode]),
            fault,
            chance.choice(kinds),
            chance.choice(ways),
            chance.randint(1, 4),
            chance.uniform(0.05, 0.4) if fault.stalls else chance.uniform(0, 0.1),
        )
        if case.is_possible:
            return case


class _Round(Result):
    """What `listening` writes into; it passes over what a stream that is dropped makes others say."""

    def __init__(self, mode: str) -> None:
        cell: Any = _Dropped(mode)
        super().__init__(cell)


@dataclasses.dataclass
class _Dropped:
    mode: str
    way: ClassVar[str] = "dropped"


def _round(mode: str, chance: random.Random, size: int, report: Report) -> None:
    chosen = cases(mode, chance, size)
    scripts = scripts_of([case.fault for case in chosen])
    result = _Round(mode)
    before, threads = report.censuses[0], set(threading.enumerate())
    logging.getLogger("claude_stream").setLevel(logging.CRITICAL)  # restarts are told of
    with listening(result), contextlib.ExitStack() as stack:
        servers = {
            "http1": stack.enter_context(Server(scripts, bound=LIMIT)),
            "tls": stack.enter_context(Server(scripts, tls_contexts()[0], bound=LIMIT)),
            "http2": stack.enter_context(Server(scripts, tls_contexts()[1], http2=True, bound=LIMIT)),
        }
        servers["aiohttp"] = servers["http1"]

        async def go() -> None:
            async with contextlib.AsyncExitStack() as clients:
                given = {
                    transport: await clients.enter_async_context(
                        client_of(_cell(mode, transport), servers[transport], LIMIT, connections=1000)
                    )
                    for transport in TRANSPORTS[mode]
                }
                streams = [Run(case, given[case.transport]) for case in chosen]
                await _all(mode, streams)
                for run in streams:
                    report.add(run)
                result.problems += await _unclosed(mode, servers, given)
                for run in streams:
                    run.forget()
                result.problems += [f"over HTTP/2: {failure}" for failure in servers["http2"].failures]
            if mode != "threads":
                await tasks_left(mode, result)

        # Python collects streams that were dropped whenever it likes, in whatever thread: in one that holds a lock of
        # the HTTP package, where closing them waits for that lock, and so for itself; or in a thread of a server, while
        # the event loop closes their generators, too. So they are collected in this thread, when all have been read.
        gc.disable()
        try:
            if mode == "threads":
                by_hand(go())
            else:
                anyio.run(go, backend=mode)
        finally:
            gc.enable()
    chosen.clear()
    deadline = time.monotonic() + PATIENCE
    while (left := threads_left(threads)) and time.monotonic() < deadline:
        time.sleep(0.01)
    while (after := Census.take()).left(before) and time.monotonic() < deadline:
        time.sleep(0.1)
    result.problems += [f"a thread is left: {name}" for name in left]
    theirs = tuple(f"raddr=('127.0.0.1', {servers[name].url.rpartition(':')[2]})" for name in ("tls", "http2"))
    result.problems = [each for each in result.problems if not _is_of_a_handshake(each, theirs)]
    report.censuses.append(after)
    report.problems += [f"round of {mode}: {problem}" for problem in (*result.problems, *after.left(before))]


def _is_of_a_handshake(problem: str, theirs: tuple[str, ...]) -> bool:
    """Whether a socket was left by the HTTP package: it does not close one whose TLS handshake is cancelled.

    A transport of asyncio does not say where it leads. Its socket is among the open files that are counted.
    """
    return "unclosed transport" in problem or (
        "unclosed <socket" in problem and any(each in problem for each in theirs)
    )


def _cell(mode: str, transport: str) -> Any:
    """Return what `client_of` asks of a cell."""
    return Case(mode, transport, None, "", "")


async def _all(mode: str, streams: list[Run]) -> None:
    """Run streams, so many at a time."""
    if mode == "threads":
        todo: queue.SimpleQueue[Run] = queue.SimpleQueue()
        for run in streams:
            todo.put(run)
        # The package's sync HTTP/2 numbers streams without a lock: two threads that send at once break the protocol.
        alone = threading.Lock()

        def work() -> None:
            with contextlib.suppress(queue.Empty):
                while True:
                    run = todo.get_nowait()
                    with alone if run.case.transport == "http2" else contextlib.nullcontext():
                        by_hand(run.run())

        workers = [threading.Thread(target=work, name="soak-reader") for _ in range(AT_A_TIME)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return
    limiter = anyio.Semaphore(AT_A_TIME)

    async def one(run: Run) -> None:
        async with limiter:
            await run.run()

    async with anyio.create_task_group() as group:
        for run in streams:
            group.start_soon(one, run)


async def _unclosed(mode: str, servers: dict[str, Server], clients: dict[str, Any]) -> list[str]:
    """Return the responses that are open although every stream is over.

    A server sees that its client has left, but not over HTTP/2, where the HTTP package does not tell it, and not if it
    waits for room in the system's buffers: a socket that is shut down and then closed, as a thread's is, does not wake
    it. There the pool of the client knows. On event loops it knows too much: it keeps a connection whose TLS handshake
    is cancelled, which never had a response.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        gc.collect()
        seen, known = ((), ("http1", "tls", "http2")) if mode == "threads" else (("http1", "tls"), ("http2",))
        found = [f"{name}: {script}" for name in seen for script in [*servers[name].playing]]
        for name in known:
            pool: Any = clients[name]._client._transport_for_url(clients[name].base_url)._pool
            found += [f"{name}: {each.info()}" for each in pool.connections if not (each.is_idle() or each.is_closed())]
        if not found or time.monotonic() > deadline:
            return [f"a response that nobody has closed, over {what}" for what in sorted(found)]
        if mode == "threads":
            time.sleep(0.05)
        else:
            await anyio.sleep(0.05)
