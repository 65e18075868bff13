"""The socket under a live response, and how long it is ours.

The law: a socket is acted on only over HTTP/1.1, where one response has a connection to itself, and only while
the response owns it: giving it up and acting on it exclude each other. Behind that moment the pool may have given
the connection to another request; and a connection of HTTP/2 is never one stream's alone.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

DRAIN_SECONDS = 0.25
"""How long a response may take to end after ``message_stop`` before its connection is given up."""


def is_shared(response: Any) -> bool:
    """Whether other streams use the connection of this response at the same time."""
    version = getattr(response, "extensions", {}).get("http_version", b"")
    return version not in (b"HTTP/1.1", b"HTTP/1.0", b"")


class Connection:
    """The socket of a response over HTTP/1.1, until the response gives it up.

    Args:
        response: the HTTP response.
        sock: its socket.
    """

    def __init__(self, response: Any, sock: socket.socket) -> None:
        self._sock: socket.socket | None = sock
        self._lock = threading.Lock()
        # However a response ends, it gives its connection up by closing its stream, and nowhere else.
        self._close = response.stream.close
        response.stream.close = self._give_up

    @classmethod
    def of(cls, response: Any) -> Connection | None:
        """Return the connection of a sync response, or None where there is none of its own."""
        stream = getattr(response, "extensions", {}).get("network_stream")
        found = stream.get_extra_info("socket") if stream is not None else None
        if not isinstance(found, socket.socket) or response.is_closed or is_shared(response):
            return None
        return cls(response, found)

    def _give_up(self) -> None:
        with self._lock:
            self._sock = None
        self._close()

    def shut_down(self) -> None:
        """Make a read that is blocked on the socket, in whatever thread, end at once."""
        with self._lock:
            if self._sock is not None:
                with contextlib.suppress(OSError):  # the other side may have closed it in the meantime
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)  # unbound: an SSLSocket's own drops its state
