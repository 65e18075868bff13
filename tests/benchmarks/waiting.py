"""Memory of many open streams that wait for the model, in child processes.

The law: every stream has been read up to its first text and is being waited for, in a task of its own, when the memory
is counted; what is counted is what the streams add to a process that has read a few before. The transport is in this
process and costs both sides the same.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

from claude_stream import open_stream

from .bodies import spaced, text_chunks
from .children import figures
from .clients import HEADERS, REQUEST, async_client, http
from .measure import Row, row

Ready = Callable[[], object]

TARGET = 1.1


def memory_of_waiting(streams: int) -> list[Row]:
    """Compare the memory of so many open streams."""
    ours, theirs = figures("waiting", [("ours", streams), ("raw", streams)])
    case = f"{spaced(streams)} open_stream, each being waited for; against create(stream=True)"
    return [row("Memory of open streams, asyncio", case, "kB/stream", [ours], [theirs], target=TARGET)]


class Stalled(http.AsyncByteStream):
    """A body that stops behind its first delta."""

    def __init__(self, go_on: asyncio.Event) -> None:
        self._chunks = text_chunks(1)
        self._left = 3
        self._go_on = go_on

    def __aiter__(self) -> Stalled:
        return self

    async def __anext__(self) -> bytes:
        if self._left == 0:
            await self._go_on.wait()
        self._left -= 1
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration


class Transport(http.AsyncBaseTransport):
    """Answers every request with such a body."""

    def __init__(self, go_on: asyncio.Event) -> None:
        self._go_on = go_on

    async def handle_async_request(self, _request: Any) -> Any:
        return http.Response(200, headers=HEADERS, stream=Stalled(self._go_on))


async def ours(client: Any, ready: Ready) -> None:
    """Read a stream of this library to its end; say when the first text is there."""
    async with open_stream(client, **REQUEST) as stream:
        async for _ in stream.text_stream:
            ready()


async def raw(client: Any, ready: Ready) -> None:
    """Do the same with the SDK's stream."""
    async with await client.messages.create(**REQUEST, stream=True) as stream:
        async for event in stream:
            if event.type == "content_block_delta":
                ready()


SIDES: dict[str, Callable[[Any, Ready], Awaitable[None]]] = {"ours": ours, "raw": raw}


async def run(read: Callable[[Any, Ready], Any], streams: int) -> float:
    """Return the bytes that a stream takes while so many of them wait."""
    go_on = asyncio.Event()
    waiting = asyncio.Semaphore(0)
    async with async_client(Transport(go_on)) as client:
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        tasks = [asyncio.create_task(read(client, waiting.release)) for _ in range(streams)]
        for _ in tasks:
            await waiting.acquire()
        await asyncio.sleep(0)  # each goes on to wait
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        go_on.set()
        await asyncio.gather(*tasks)
    return (after - before) / streams


async def main(side: str, streams: int) -> None:
    """Warm up, measure, and print the figure in kilobytes a stream."""
    await run(SIDES[side], 10)
    print(await run(SIDES[side], streams) / 1000)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
