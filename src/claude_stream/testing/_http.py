"""The HTTP package that the installed SDK uses: `httpx` before 1.0, `httpx2` since. The only place that loads it."""

from __future__ import annotations

import importlib
from typing import Any

import anthropic


def http_package() -> Any:
    """Return the package."""
    packages = (base.__module__.partition(".")[0] for base in anthropic.DefaultHttpxClient.__mro__)
    return importlib.import_module(next(package for package in packages if package.startswith("httpx")))


def response(package: Any, status: int, headers: Any, chunks: Any, extensions: Any = None) -> Any:
    """Return a response whose body is read from the beginning each time, from an object with `begin()` and `close()`.

    What `begin` returns is an iterator and an async iterator in one, so that the same response serves
    both kinds of client. It is no generator: one that is left early would warn under trio.
    """
    bases: Any = (package.SyncByteStream, package.AsyncByteStream)

    class Body(*bases):  # type: ignore[misc]  # httpx's or httpx2's, as the SDK has it
        def __iter__(self) -> Any:
            return chunks.begin()

        def __aiter__(self) -> Any:
            return chunks.begin()

        def close(self) -> None:
            chunks.close()

        async def aclose(self) -> None:
            await chunks.aclose()

    return package.Response(status, headers=headers, stream=Body(), extensions=extensions)
