"""Networks: servers, and clients of the SDK that trust them, over plain HTTP and TLS.

The law: every wait is bounded, and only a fault meets the bound.
"""

from __future__ import annotations

import contextlib
import http.server
import importlib
import ssl
import threading
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import anyio
import trustme
from typing_extensions import Self

from tests.loopback import Loopback, Script
from tests.support import PATIENCE, Mode, done

SSE = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}


def http_of_the_sdk() -> Any:
    """Return the HTTP package of the installed SDK: `httpx` before 1.0, `httpx2` since."""
    packages = (base.__module__.partition(".")[0] for base in anthropic.DefaultHttpxClient.__mro__)
    return importlib.import_module(next(package for package in packages if package.startswith("httpx")))


class Net:
    """Plain HTTP or TLS: servers, and clients that trust them."""

    def __init__(self, *, tls: bool) -> None:
        self._server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        self._client_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._server_tls is not None:
            authority = trustme.CA()
            authority.issue_cert("127.0.0.1").configure_cert(self._server_tls)
            authority.configure_trust(self._client_tls)

    def serve(self, *scripts: Script, chunked: bool = True) -> Loopback:
        """Return a server, to be entered."""
        return Loopback(*scripts, tls=self._server_tls, chunked=chunked)

    @contextlib.asynccontextmanager
    async def client(
        self, url: str, mode: Mode, *, connections: int = 2, timeout: float = PATIENCE
    ) -> AsyncIterator[Any]:
        """Give a client of the SDK that opens so many connections at most, and whose every wait is bounded."""
        kind, http_client = (
            (anthropic.AsyncAnthropic, anthropic.DefaultAsyncHttpxClient)
            if mode.is_async
            else (anthropic.Anthropic, anthropic.DefaultHttpxClient)
        )
        limits = http_of_the_sdk().Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=PATIENCE
        )
        transport: Any = http_client(limits=limits, timeout=timeout, verify=self._client_tls, trust_env=False)
        client: Any = kind(base_url=url, api_key="x", max_retries=0, timeout=timeout, http_client=transport)
        try:
            yield client
        finally:
            with anyio.CancelScope(shield=True) if mode.is_async else contextlib.nullcontext():
                await done(client.close())


class Api(http.server.ThreadingHTTPServer):
    """Gives every request the same answer, whatever its status and headers, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, body: bytes, headers: dict[str, str] = SSE, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = (status, headers, body)
        self.asked: list[tuple[dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Api

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.asked.append(({name.lower(): value for name, value in self.headers.items()}, body))
        status, headers, content = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
