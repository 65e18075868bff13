"""Many threads on few connections, whose bodies end just about when the drain does.

The law: a connection that is back in the pool belongs to somebody else. Whatever a stream does to its socket late,
by its drain or by a `close` from another thread, must not reach the next request on it: none may fail.
"""

from __future__ import annotations

import collections
import contextlib
import multiprocessing
import queue
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import anthropic

from claude_stream import iter_text, open_stream
from tests.exits.matrix import EVENTS, TEXT
from tests.exits.run import http
from tests.exits.servers import Server
from tests.support import REQUEST, body_of

DRAIN = 0.25
"""Seconds of the drain, by contract 1."""

AROUND = 0.03
"""Seconds around it in which the bodies end."""


def reuse(requests: int = 2000, threads: int = 16, connections: int = 4, *, loaded: bool = False) -> dict[str, Any]:
    """Send requests, read each to its end, close some of them late, and return the counts."""
    frames = tuple(body_of([event]) for event in EVENTS)
    scripts = {
        f"late-{number}": (b"".join(frames), DRAIN - AROUND + number * AROUND / 10, "finish") for number in range(21)
    }
    scripts["prompt"] = (b"".join(frames), "finish")
    counts: collections.Counter[str] = collections.Counter()
    package = http()
    limits = package.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=60)
    timeout = package.Timeout(30, pool=300)
    start = time.monotonic()
    with _load(loaded), Server(scripts) as server:
        http_client = anthropic.DefaultHttpxClient(limits=limits, timeout=timeout, trust_env=False)
        client = anthropic.Anthropic(
            base_url=server.url, api_key="x", max_retries=0, timeout=timeout, http_client=http_client
        )
        todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(requests):
            todo.put(number)
        lock = threading.Lock()

        def work(seed: int) -> None:
            chance = random.Random(seed)
            while True:
                try:
                    number = todo.get_nowait()
                except queue.Empty:
                    return
                what = _one(client, chance, number)
                with lock:
                    counts[what] += 1

        workers = [threading.Thread(target=work, args=(seed,), name="exits-reuse") for seed in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        client.close()
        accepted = len(server.connections)
    return {
        "requests": requests,
        "failed": requests - counts["good"],
        "connections opened": accepted,
        "seconds": round(time.monotonic() - start),
        **{what: count for what, count in counts.items() if what != "good"},
    }


def _one(client: Any, chance: random.Random, number: int) -> str:
    script = "prompt" if chance.random() < 0.2 else f"late-{chance.randrange(21)}"
    options: dict[str, Any] = {**REQUEST, "extra_headers": {"x-script": script}}
    is_closed_late, failed = chance.random() < 0.4, threading.Event()
    try:
        if number % 2:
            reader: Any = iter_text(client.messages.create(**options, stream=True))
            items: Any = reader
        else:
            reader = open_stream(client, **options).__enter__()
            items = reader.text_stream
        if is_closed_late:
            delay = DRAIN + chance.uniform(-AROUND, AROUND)
            threading.Thread(target=_close_late, args=(reader, delay, failed)).start()
        text = "".join(items)
    except Exception as exc:
        failed.set()
        cause = exc.__cause__ or exc.__context__
        return f"{type(exc).__name__}: {exc} ({type(cause).__name__}: {cause})"[:300]
    finally:
        if not is_closed_late:
            with contextlib.suppress(UnboundLocalError):
                reader.close()
    return "good" if text == TEXT and reader.complete else f"another text: {text!r}"


def _close_late(reader: Any, delay: float, failed: threading.Event) -> None:
    """Close when the drain ends, or nearly; of a prompt body, long after another request has the connection."""
    while not reader.complete:  # on a busy machine, the message may take longer than the drain
        if failed.wait(0.002):
            return
    time.sleep(delay)
    reader.close()


@contextlib.contextmanager
def _load(loaded: bool) -> Iterator[None]:
    """Keep every core busy meanwhile."""
    context = multiprocessing.get_context("spawn")
    busy = [context.Process(target=_spin, daemon=True) for _ in range(multiprocessing.cpu_count() if loaded else 0)]
    for process in busy:
        process.start()
    try:
        yield
    finally:
        for process in busy:
            process.terminate()
            process.join()


def _spin() -> None:
    while True:
        pass
