"""A small HTTP/1.1 server on 127.0.0.1, whose every byte and every fault is scripted.

The law: real sockets, one thread a connection, and no wait without a bound. It knows nothing of
events, and a client that leaves is no fault here.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import BinaryIO, Literal, TypeAlias

from typing_extensions import Self

End: TypeAlias = Literal["finish", "short", "cut", "reset", "stall", "linger"]
"""How a response ends.

- ``finish``: with the terminating chunk; the connection serves the next request.
- ``short``: as cleanly, at a Content-Length that promised no more than this, instead of chunks.
- ``cut``: the connection is closed (FIN) without the terminating chunk.
- ``reset``: the connection is reset (RST) without the terminating chunk.
- ``stall``, ``linger``: nothing more is sent, and the connection stays open until the client closes
  it or the test ends. One behaviour with two names: for a body that stops half-way, and for a
  message that is whole in a body that does not end.
"""

Script: TypeAlias = "tuple[bytes | float | threading.Event | End, ...]"
"""A response: chunks to send, seconds or events to wait for in between, and, last, its `End`.

An event in front of everything else holds back the response's head, too.
"""

BOUND = 60.0
"""How many seconds anything here may take: more than a test needs, so that only a hanging one meets it."""

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_loopback\r\n"


class Loopback:
    """Answers each request with the next script, and every request after the last script with the last one.

    Args:
        scripts: in the order in which the requests arrive, on whatever connection.
        tls: speak TLS, with this context.
        chunked: send a body in chunks; if not, it ends with its connection, as some proxies have it.
    """

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None, chunked: bool = True) -> None:
        self.accepted = 0  # TCP connections so far
        self.requests = 0  # on all of them
        self.sent = 0  # chunks, in all responses
        self._scripts = list(scripts)
        self._tls = tls
        self._chunked = chunked
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):  # one connection more, to wake the thread that accepts
            socket.create_connection(self._listener.getsockname(), BOUND).close()
        with self._changed:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(BOUND)
        self._listener.close()

    def play(self, *scripts: Script) -> None:
        """Answer with other scripts from the next request on."""
        self._scripts[:] = scripts

    def wait_until_closed(self, seconds: float = BOUND / 4) -> bool:
        """Return whether no connection is open, or none will be in so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._open, seconds)

    def wait_until_requests(self, count: int, seconds: float = BOUND / 4) -> bool:
        """Return whether so many requests have come, or will in so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.requests >= count, seconds)

    def wait_until_sent(self, count: int, seconds: float = BOUND / 4) -> bool:
        """Return whether so many chunks were sent, or will be in so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self.sent >= count, seconds)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._closing.is_set():
                sock.close()
                return
            sock.settimeout(BOUND)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each chunk would wait for an ACK
            with self._changed:
                self.accepted += 1
                self._open.add(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls is not None:
                plain, sock = sock, self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                with self._changed:
                    self._open.symmetric_difference_update({plain, sock})
                sock.do_handshake()
            with sock.makefile("rb") as received:
                while _read_request(received) and self._respond(sock):
                    pass
        sock.close()
        with self._changed:
            self._open.discard(sock)
            self._changed.notify_all()

    def _respond(self, sock: socket.socket) -> bool:
        """Answer one request, and return whether the connection serves another one."""
        with self._changed:
            self.requests += 1
            self._changed.notify_all()
            script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        end = script[-1]
        length = sum(len(step) for step in script if isinstance(step, bytes))
        framing = b"transfer-encoding: chunked" if self._chunked else b"connection: close"
        if end == "short":
            framing = b"content-length: %d" % length
        if isinstance(script[0], threading.Event):
            script[0].wait(BOUND)
        head = _HEAD + framing + b"\r\n\r\n"
        if not isinstance(script[0], bytes):
            sock.sendall(head)
            head = b""
        for step in script:
            if isinstance(step, bytes):
                # The head goes with what is first: where both have come, nobody can wait for that in vain.
                as_it_is = end == "short" or not self._chunked
                sock.sendall(head + (step if as_it_is else b"%x\r\n%b\r\n" % (len(step), step)))
                head = b""
                with self._changed:
                    self.sent += 1
                    self._changed.notify_all()
            elif isinstance(step, float):
                self._closing.wait(step)
            elif isinstance(step, threading.Event):
                step.wait(BOUND)
        if end == "finish" and self._chunked:
            sock.sendall(b"0\r\n\r\n")
        elif end == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif end in ("stall", "linger"):
            sock.recv(1)
        return end == "short" or (end == "finish" and self._chunked)


def _read_request(received: BinaryIO) -> bool:
    """Read one request, and return whether there was one."""
    length = 0
    if not received.readline():
        return False
    while (line := received.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    received.read(length)
    return True
