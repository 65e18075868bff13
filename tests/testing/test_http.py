"""The HTTP package of the installed SDK, and the responses that the kit makes with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import pytest

from claude_stream.testing._http import http_package, response
from tests.support import Mode


class Chunks:
    """What a response is made over: a body that can be begun again, and counts what is done to it."""

    def __init__(self) -> None:
        self.begun = 0
        self.closed = 0

    def begin(self) -> Any:
        self.begun += 1
        return Both([b"Hello, ", b"world!"])

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


class Both(Iterator[bytes], AsyncIterator[bytes]):
    """Chunks for both colours."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = iter(chunks)

    def __next__(self) -> bytes:
        return next(self._chunks)

    async def __anext__(self) -> bytes:
        for chunk in self._chunks:
            return chunk
        raise StopAsyncIteration


def test_it_is_the_package_that_the_sdk_uses() -> None:
    """A client of that package is what the SDK takes for one."""
    assert issubclass(anthropic.DefaultHttpxClient, http_package().Client)


@pytest.mark.parametrize("early", [True, False])
def test_a_body_for_both_colours(mode: Mode, early: bool) -> None:
    """One response is read by sync and async clients, from its beginning each time, and is closed by whoever leaves."""
    chunks = Chunks()
    package = http_package()

    async def areads() -> list[bytes]:
        async with (
            package.AsyncClient(transport=package.MockTransport(respond)) as client,
            client.stream("GET", "http://any/") as received,
        ):
            assert received.headers["x-mine"] == "1"
            return [] if early else [chunk async for chunk in received.aiter_bytes()]

    def respond(_: Any) -> Any:
        return response(package, 200, {"x-mine": "1"}, chunks)

    for number in (1, 2):
        if mode.is_async:
            got = mode.run(areads)
        else:
            with (
                package.Client(transport=package.MockTransport(respond)) as client,
                client.stream("GET", "http://any/") as received,
            ):
                assert received.headers["x-mine"] == "1"
                got = [] if early else list(received.iter_bytes())
        assert got == ([] if early else [b"Hello, ", b"world!"])
        assert (chunks.begun, chunks.closed) == (0 if early else number, number)
