"""The socket under a response: acted on over HTTP/1.1 alone, and only while the response owns it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from claude_stream._drive.connection import Connection, is_shared
from tests.support import PATIENCE


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give the two ends of a connection; no read of them takes for ever."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(PATIENCE)
        theirs.settimeout(PATIENCE)
        yield ours, theirs


def response_over(sock: Any, *, version: bytes = b"HTTP/1.1", closed: bool = False) -> Any:
    """Return a response as far as a connection looks at one, which counts how often its stream is closed."""
    response = SimpleNamespace(is_closed=closed, closes=0)
    stream = SimpleNamespace(get_extra_info={"socket": sock}.get)
    response.extensions = {"http_version": version, "network_stream": stream}

    def close() -> None:
        response.closes += 1

    response.stream = SimpleNamespace(close=close)
    return response


# -- what is none of ours --


@pytest.mark.parametrize(
    ("version", "shared"),
    [(b"HTTP/2", True), (b"HTTP/3", True), (b"HTTP/1.1", False), (b"HTTP/1.0", False), (b"", False)],
)
def test_who_shares_a_connection(pair: Any, version: bytes, shared: bool) -> None:
    """Above HTTP/1.1 a connection is never one stream's alone, so that nothing is to be done to it."""
    response = response_over(pair[0], version=version)
    assert is_shared(response) is shared
    assert (Connection.of(response) is None) is shared


def test_a_response_that_says_nothing_of_its_version() -> None:
    """That of a mock shares its connection with nobody."""
    assert not is_shared(SimpleNamespace(extensions={}))
    assert not is_shared(SimpleNamespace())


def test_what_has_no_connection_of_its_own(pair: Any) -> None:
    """A response of a mock, one that was closed, or one over something else than a socket has none."""
    assert Connection.of(SimpleNamespace(is_closed=False)) is None
    assert Connection.of(SimpleNamespace(is_closed=False, extensions={})) is None
    assert Connection.of(response_over(pair[0], closed=True)) is None
    assert Connection.of(response_over(None)) is None
    assert Connection.of(response_over("socket")) is None


def test_a_connection_that_was_given_up_is_left_alone(pair: Any) -> None:
    """It may belong to another request by then: no shutdown reaches it, and the response is closed as before."""
    ours, theirs = pair
    response = response_over(ours)
    connection = Connection.of(response)
    assert connection is not None
    response.stream.close()
    assert response.closes == 1
    connection.shut_down()
    theirs.sendall(b"for another request")
    assert ours.recv(100) == b"for another request"


def test_a_connection_that_the_other_side_has_lost() -> None:
    """Shutting it down is nothing to complain about."""
    ours, theirs = socket.socketpair()
    connection = Connection.of(response_over(ours))
    assert connection is not None
    theirs.close()
    ours.close()
    connection.shut_down()


# -- what ends a read --


def test_a_blocked_read_ends(pair: Any) -> None:
    """In whatever thread it is blocked."""
    ours, _ = pair
    connection = Connection.of(response_over(ours))
    assert connection is not None
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(ours.recv(100)))
    reader.start()
    connection.shut_down()
    reader.join(PATIENCE)
    assert received == [b""]


def test_it_is_the_plain_socket_that_is_shut_down(pair: Any) -> None:
    """The method of an SSLSocket drops the state that the thread which reads still needs."""

    class Encrypted(socket.socket):
        def shutdown(self, *_: object) -> None:
            raise AssertionError

    with Encrypted(fileno=pair[0].detach()) as sock:
        connection = Connection.of(response_over(sock))
        assert connection is not None
        connection.shut_down()
        assert sock.recv(1) == b""


def test_giving_up_and_shutting_down_exclude_each_other(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response that closes while its socket is shut down gives the connection up behind that, and not before."""
    shutting_down, go_on = threading.Event(), threading.Event()

    def shutdown(*_: object) -> None:
        shutting_down.set()
        assert go_on.wait(PATIENCE)

    kind = type("socket", (socket.socket,), {"shutdown": shutdown})
    monkeypatch.setattr("claude_stream._drive.connection.socket", SimpleNamespace(socket=kind, SHUT_RDWR=2))
    with kind(fileno=pair[0].detach()) as sock:
        response = response_over(sock)
        connection = Connection.of(response)
        assert connection is not None
        one = threading.Thread(target=connection.shut_down)
        other = threading.Thread(target=response.stream.close)
        one.start()
        assert shutting_down.wait(PATIENCE)
        other.start()
        other.join(0.05)  # long enough to see it go wrong
        assert response.closes == 0
        go_on.set()
        one.join(PATIENCE)
        other.join(PATIENCE)
        assert response.closes == 1
