"""Servers on loopback, and a transport in the process, that speak one script over HTTP/1.1, TLS and HTTP/2.

The law: every byte and every end is scripted, a script is chosen by the request's ``x-script`` header, and a
`Gate` is where a script waits for the test. What a connection goes through is written down.
"""

from __future__ import annotations

import contextlib
import dataclasses
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeAlias

import anyio
import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
from typing_extensions import Self

BOUND = 18.0
"""Seconds after which everything here gives up: longer than any read timeout, so that a hang shows as one."""

TICK = 0.005


class Gate:
    """Where a script waits: the test learns that it is reached, and opens it."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()


class Hold(Gate):
    """A gate in front of the response's head; the first step of a script, if it is one."""


class Pings:
    """Pings, 20 ms apart, until the gate is opened."""

    def __init__(self, frame: bytes, gate: Gate) -> None:
        self.frame = frame
        self.gate = gate


class Endless:
    """The same bytes again and again, until the client leaves, but not for longer than the server is patient.

    Args:
        chunk: the bytes.
        times: how often they are sent, at the most, so that a client that keeps them does not exhaust the machine.
        pause: seconds between two of them.
    """

    def __init__(self, chunk: bytes, times: int = 10**9, pause: float = 0.0) -> None:
        self.chunk = chunk
        self.times = times
        self.pause = pause


@dataclasses.dataclass(frozen=True)
class Head:
    """The response's head, where it is not that of a stream of events; the first step of a script, if it is one."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "text/event-stream"), ("request-id", "req_exits"))


Step: TypeAlias = "bytes | float | Gate | Pings | Endless | Head | str"
"""Bytes to send, seconds to wait, a gate, pings, a head, or, last, how the body ends: ``finish``, ``cut`` (FIN),
``reset`` (RST) or ``linger``. A script that is ``cut`` and nothing else has no head either."""

Scripts: TypeAlias = "dict[str, tuple[Step, ...]]"


class Gone(Exception):  # noqa: N818 - it is no failure
    """The client has left."""


class Connection:
    """What became of one TCP connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.closed = threading.Event()


class Server:
    """A server on 127.0.0.1, with one thread for each connection, and one for each stream of HTTP/2.

    Args:
        scripts: by name.
        tls: speak TLS with this context.
        http2: speak HTTP/2.
        bound: seconds after which it gives up sending.
    """

    def __init__(
        self, scripts: Scripts, tls: ssl.SSLContext | None = None, *, http2: bool = False, bound: float = BOUND
    ) -> None:
        self.scripts = scripts
        self.bound = bound
        self.closing = threading.Event()
        self.connections: list[Connection] = []
        self.requests: list[tuple[str, Connection]] = []
        self.playing: list[str] = []  # the scripts that are being sent
        self.failures: list[str] = []  # of HTTP/2, where one side breaks the protocol
        self._tls = tls
        self._http2 = http2
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.closing.set()
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname(), 5).close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def of(self, name: str) -> Connection | None:
        """Return the connection that the last request for this script came on."""
        return next((connection for script, connection in reversed(self.requests) if script == name), None)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True, name="exits-server")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self.closing.is_set():
                sock.close()
                return
            sock.settimeout(self.bound)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        connection = Connection(sock)
        self.connections.append(connection)
        with contextlib.suppress(OSError, Gone):
            if self._tls is not None:
                connection.sock = sock = self._tls.wrap_socket(sock, server_side=True)
            try:
                (H2(self, connection) if self._http2 else H1(self, connection)).serve()
            except h2.exceptions.ProtocolError as exc:
                self.failures.append(repr(exc))
        connection.closed.set()
        sock.close()

    def hold(self, name: str, idle: Callable[[float], None]) -> None:
        """Wait where a script holds back the head."""
        step = self.scripts[name][0]
        if isinstance(step, Hold):
            step.reached.set()
            while not step.opened.is_set():
                idle(TICK)

    def play(self, name: str, send: Callable[[bytes], None], idle: Callable[[float], None]) -> str:
        """Send a script, and return how it ends. ``idle`` waits, and raises `Gone` when the client leaves."""
        self.playing.append(name)
        try:
            return self._play(name, send, idle)
        finally:
            self.playing.remove(name)

    def _play(self, name: str, send: Callable[[bytes], None], idle: Callable[[float], None]) -> str:
        for step in self.scripts[name]:
            if isinstance(step, bytes):
                send(step)
            elif isinstance(step, Endless):
                end = time.monotonic() + self.bound
                for _ in range(step.times):
                    if time.monotonic() > end:
                        break
                    send(step.chunk)
                    idle(step.pause)
            elif isinstance(step, float):
                end = time.monotonic() + step
                while time.monotonic() < end:
                    idle(TICK)
            elif isinstance(step, Gate):
                if isinstance(step, Hold):
                    continue
                step.reached.set()
                while not step.opened.is_set():
                    idle(TICK)
            elif isinstance(step, Pings):
                while not step.gate.opened.is_set():
                    send(step.frame)
                    for _ in range(4):
                        idle(TICK)
            elif step == "linger":
                while True:
                    idle(TICK)
            elif isinstance(step, str):
                return step
        return "finish"

    def head(self, name: str) -> Head | None:
        """Return the head of a script's response, or None if there is to be no response at all."""
        first = self.scripts[name][0]
        if first == "cut":
            return None
        return first if isinstance(first, Head) else Head()


class H1:
    """One connection of HTTP/1.1."""

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server = server
        self._connection = connection
        self._sock = connection.sock

    def serve(self) -> None:
        with self._sock.makefile("rb") as received:
            while (name := self._request(received)) is not None:
                self._server.requests.append((name, self._connection))
                self._server.hold(name, self._idle)
                if (head := self._server.head(name)) is None:
                    return
                lines = [f"HTTP/1.1 {head.status} Said so", *(f"{name}: {value}" for name, value in head.headers)]
                self._sock.sendall("\r\n".join([*lines, "transfer-encoding: chunked", "", ""]).encode())
                end = self._server.play(name, self._send, self._idle)
                if end == "reset":
                    self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if end in ("cut", "reset"):
                    return
                self._sock.sendall(b"0\r\n\r\n")

    def _send(self, data: bytes) -> None:
        self._sock.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def _idle(self, seconds: float) -> None:
        if self._server.closing.is_set():
            raise Gone
        if select.select([self._sock], [], [], seconds)[0]:
            self._sock.recv(1)  # a client has nothing to say meanwhile: it left
            raise Gone

    @staticmethod
    def _request(received: Any) -> str | None:
        length, name = 0, ""
        if not received.readline():
            return None
        while (line := received.readline()) not in (b"\r\n", b""):
            key, _, value = line.decode().partition(":")
            if key.lower() == "content-length":
                length = int(value)
            elif key.lower() == "x-script":
                name = value.strip()
        received.read(length)
        return name


class H2:
    """One connection of HTTP/2, with many streams. One thread does all of its socket's work."""

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server = server
        self._connection = connection
        self._sock = connection.sock
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self._lock = threading.Lock()
        self._gone: set[int] = set()
        self._wake, self._woken = socket.socketpair()

    def serve(self) -> None:
        try:
            self._loop()
        finally:
            self._gone.update(range(1, 10_000, 2))
            self._woken.close()
            self._wake.close()

    def _loop(self) -> None:
        with self._lock:
            self._h2.initiate_connection()
        names: dict[int, str] = {}
        self._flush()
        while not self._server.closing.is_set():
            ready, _, _ = select.select([self._sock, self._woken], [], [], 0.1)
            if self._woken in ready:
                self._woken.recv(65536)
            if self._sock in ready:
                data = self._sock.recv(65536)
                while isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
                    data += self._sock.recv(65536)
                if not data:
                    return
                with self._lock:
                    events = self._h2.receive_data(data)
                for event in events:
                    self._take(event, names)
            self._flush()

    def _take(self, event: Any, names: dict[int, str]) -> None:
        if isinstance(event, h2.events.RequestReceived):
            names[event.stream_id] = dict(event.headers)["x-script"]
        elif isinstance(event, h2.events.DataReceived):
            with self._lock:
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self._server.requests.append((names[event.stream_id], self._connection))
            self._server._start(self._stream, event.stream_id, names[event.stream_id])
        elif isinstance(event, h2.events.StreamReset):
            self._gone.add(event.stream_id)
        elif isinstance(event, h2.events.ConnectionTerminated):
            raise Gone

    def _flush(self) -> None:
        with self._lock:
            data = self._h2.data_to_send()
        if data:
            self._sock.sendall(data)

    def _stream(self, stream: int, name: str) -> None:
        def idle(seconds: float) -> None:
            if stream in self._gone or self._server.closing.is_set():
                raise Gone
            time.sleep(seconds)

        def act(method: Callable[..., None], *args: Any) -> None:
            idle(0)
            with self._lock:
                method(stream, *args)
            self._wake.send(b"x")

        with contextlib.suppress(OSError, Gone, h2.exceptions.ProtocolError):
            self._server.hold(name, idle)
            head = self._server.head(name)
            if head is None:
                act(self._h2.reset_stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
                return
            act(self._h2.send_headers, [(":status", str(head.status)), *head.headers])
            if self._server.play(name, lambda data: act(self._h2.send_data, data), idle) in ("cut", "reset"):
                act(self._h2.reset_stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
            else:
                act(self._h2.end_stream)


# -- in the process --


class Body:
    """A body in memory, whose reads do not fail when its response is closed, like those of many mocks.

    Args:
        steps: the script.
        failure: makes the transport's own error for a connection that breaks, and for a read timeout.
        timeout: seconds that a read may take.
    """

    def __init__(self, steps: tuple[Step, ...], failure: Callable[[str], Exception], timeout: float) -> None:
        self.closed = False
        self.timeout = timeout
        self._steps = list(steps)
        self._failure = failure

    def _next(self) -> bytes | float | None:
        """Return the next chunk, or the seconds to wait before asking again, or None at the end."""
        while self._steps:
            step = self._steps[0]
            if isinstance(step, bytes):
                self._steps.pop(0)
                return step
            if isinstance(step, float):
                self._steps.pop(0)
                return step
            if isinstance(step, Gate):
                step.reached.set()
                if not step.opened.is_set():
                    return TICK
            elif isinstance(step, Pings):
                if not step.gate.opened.is_set():
                    self._steps.insert(0, step.frame)
                    return 4 * TICK
            elif step == "linger":
                return TICK
            elif step == "cut":
                raise self._failure("ReadError")
            else:
                return None
            self._steps.pop(0)
        return None

    def _check(self, start: float) -> None:
        if time.monotonic() - start > self.timeout:
            raise self._failure("ReadTimeout")

    # Classes, not generators: what interrupts a read does not end the body.

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        start = time.monotonic()
        while isinstance(step := self._next(), float):
            time.sleep(step)
            self._check(start)
        if step is None:
            raise StopIteration
        return step

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        start = time.monotonic()
        while isinstance(step := self._next(), float):
            await anyio.sleep(step)
            self._check(start)
        if step is None:
            raise StopAsyncIteration
        await anyio.lowlevel.checkpoint()
        return step

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


class InProcess:
    """The place of a server, for requests that never leave the process."""

    def __init__(self, http: Any, scripts: Scripts, timeout: float) -> None:
        self.bodies: list[tuple[str, Body]] = []

        def respond(request: Any) -> Any:
            def failure(name: str) -> Exception:
                error: Exception = getattr(http, name)("the transport failed", request=request)
                return error

            name = request.headers["x-script"]
            made = type("Made", (Body, http.SyncByteStream, http.AsyncByteStream), {})(scripts[name], failure, timeout)
            self.bodies.append((name, made))
            headers = {"content-type": "text/event-stream", "request-id": "req_exits"}
            return http.Response(200, headers=headers, stream=made, request=request)

        def held(name: str) -> Any:
            step = scripts[name][0]
            return step if isinstance(step, Hold) else None

        class Transport(http.BaseTransport, http.AsyncBaseTransport):
            def handle_request(self, request: Any) -> Any:
                request.read()
                if gate := held(request.headers["x-script"]):
                    gate.reached.set()
                    while not gate.opened.is_set():
                        time.sleep(TICK)
                return respond(request)

            async def handle_async_request(self, request: Any) -> Any:
                await request.aread()
                if gate := held(request.headers["x-script"]):
                    gate.reached.set()
                    while not gate.opened.is_set():
                        await anyio.sleep(TICK)
                return respond(request)

        self.transport = Transport()

    def of(self, name: str) -> Body | None:
        """Return the body of the last request for this script."""
        return next((body for script, body in reversed(self.bodies) if script == name), None)
