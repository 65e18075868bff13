"""Many async streams at once in one process, over real sockets: CPU seconds per million events.

The law: the server is a process of its own, so that the CPU time of this one is the client's alone: sockets, HTTP
package, SDK and reader, from the first request to the last message. Both sides read the same answers, at one of two
paces: as fast as the server can write, where a side that falls behind finds many events in one read; or so slowly that
each event is read alone, as it is when the API sends it, and waking up for it costs more than all the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import anthropic

from .bodies import Body, spaced, text_body
from .children import start
from .measure import Facts, Row, row
from .readers import bytes_facts, keep_bytes_async, read_helper_async, read_ours_async, result_facts

GROUP = "Concurrency: async streams over sockets, CPU seconds per million events"

ALONE = 0.00016
"""A gap between two events of all streams together, in seconds, so wide that each is read alone, by the slower side,
too."""

Read = Callable[[Any], Awaitable[Any]]

SIDES: dict[str, tuple[Read, Callable[[Any], Facts]]] = {
    "ours": (read_ours_async, result_facts),
    "helper": (read_helper_async, result_facts),
    "bytes": (keep_bytes_async, bytes_facts),
}


def concurrency(streams: int, events: int, gap: float = 0) -> list[Row]:
    """Read so many streams at once, by each side in turn.

    Args:
        streams: how many.
        events: how many each of them has.
        gap: from one event to the next, over all streams together, in seconds; 0 is as fast as the server can write.

    Raises:
        AssertionError: if the sides do not read the same.
    """
    body = text_body(events - text_body(0).events)
    with serving(events - text_body(0).events) as url:
        for name in SIDES:
            read_at_once(name, url, body, 5, ALONE)  # which warms it up, and compares
        ours, theirs, http = ([read_at_once(name, url, body, streams, gap)] for name in SIDES)
    pace = f"an event each {gap * streams * 1e3:.0f} ms" if gap else "as fast as can be"
    what = f"{spaced(streams)} streams of {spaced(body.events)} events, {pace}"
    unit = "s/million events"
    return [
        row(GROUP, f"{what}: open_stream; against messages.stream", unit, ours, theirs, "faster"),
        row(GROUP, "the same: open_stream; against the HTTP client alone", unit, ours, http),
        row(GROUP, "the same: messages.stream; against the HTTP client alone", unit, theirs, http),
    ]


def read_at_once(name: str, url: str, body: Body, streams: int, gap: float) -> float:
    """Return the CPU seconds that a million events would take, after comparing what was read with the body."""
    read, facts = SIDES[name]
    seconds, results = asyncio.run(_read_at_once(read, url, streams, gap))
    for result in results:
        found = facts(result)
        differing = [key for key in found.keys() & body.facts.keys() if found[key] != body.facts[key]]
        if differing or not found.get("events", found.get("text")):
            raise AssertionError(f"{GROUP}, {name}: not what the body holds: {', '.join(differing)}")
    return seconds / len(results) / body.events * 1e6


async def _read_at_once(read: Read, url: str, streams: int, gap: float) -> tuple[float, list[Any]]:
    headers = {"x-streams": str(streams), "x-gap": str(gap * streams)}
    async with anthropic.AsyncAnthropic(
        api_key="key",
        base_url=url,
        max_retries=0,
        timeout=60,
        default_headers=headers,
        http_client=anthropic.DefaultAsyncHttpxClient(trust_env=False),  # no proxy
    ) as client:
        bench = SimpleNamespace(client=client)
        gc.collect()
        began = time.process_time()
        results = await asyncio.gather(*[read(bench) for _ in range(streams)])
        return time.process_time() - began, results


@contextlib.contextmanager
def serving(deltas: int) -> Iterator[str]:
    """Run a server in a child process, and give its URL."""
    child = start("server", deltas, stdin=subprocess.PIPE)
    try:
        assert child.stdout is not None
        yield f"http://127.0.0.1:{int(child.stdout.readline())}"
    finally:
        child.communicate()
