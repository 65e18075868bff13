"""The other end of the concurrency benchmark: a process that answers many requests at once, event by event.

The law: one event an HTTP chunk and a write; no answer begins before all requests of its group are there, and each then
sends one event every so many seconds, not in step with the others. Prints its port, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys

from .bodies import text_chunks

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Server:
    """Answers every request with the same body.

    Args:
        deltas: how many the text has.
    """

    def __init__(self, deltas: int) -> None:
        self._chunks = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in text_chunks(deltas)]
        self._waiting = 0
        self._complete = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, which sends one request after the other."""
        while head := await reader.read(1):
            head += await reader.readuntil(b"\r\n\r\n")
            headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
            await reader.readexactly(int(headers[b"content-length"]))
            await self._send(writer, int(headers[b"x-streams"]), float(headers[b"x-gap"]))
        writer.close()

    async def _send(self, writer: asyncio.StreamWriter, streams: int, gap: float) -> None:
        number = self._waiting
        self._waiting += 1
        complete = self._complete
        if self._waiting == streams:
            self._waiting, self._complete = 0, asyncio.Event()
            complete.set()
        await complete.wait()
        writer.write(HEAD)
        clock = asyncio.get_running_loop().time
        due = clock() + gap * number / streams
        for chunk in self._chunks:
            await asyncio.sleep(max(0, due - clock()))
            writer.write(chunk)
            due += gap
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def serve(deltas: int) -> None:
    server = await asyncio.start_server(Server(deltas).answer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
