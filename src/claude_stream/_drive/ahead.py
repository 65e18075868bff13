"""A stream of which the beginning has been read already, to see whether it comes at all.

The law: what was read ahead comes first, and nothing is lost: a failure meets who reads ahead, and again who reads on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain
from typing import Any

from .reader import BaseReader, View


class Ahead(View):
    """A reader that was read until its message began.

    Args:
        inner: the reader.
        content: read on until content has come, as a stream does that restarts until then.
    """

    def __init__(self, inner: BaseReader[Any, Any], *, content: bool) -> None:
        super().__init__(inner)
        self._content = content
        self._held: deque[Any] = deque()

    def _has_begun(self) -> bool:
        guard = self.builder.guard
        return guard.started and (guard.content_started or guard.stopped or not self._content)

    def fetch(self) -> None:
        """Read until the message has begun, or its content.

        Raises:
            StreamError: if it does not begin.
        """
        for wire in super().iterate():
            self._held.append(wire)
            if self._has_begun():
                return

    async def afetch(self) -> None:
        """Do the same for an async reader."""
        pull = super().aiterate()
        while not self._has_begun():
            try:
                self._held.append(await pull())
            except StopAsyncIteration:  # an empty stream, where that is allowed
                return

    def iterate(self) -> Iterator[Any]:
        """Return what was read ahead, and the rest."""
        return chain(self._held, super().iterate())

    def aiterate(self) -> Callable[[], Awaitable[Any]]:
        """Return what gives the next of these."""
        return self._next

    async def _next(self) -> Any:
        return self._held.popleft() if self._held else await super().aiterate()()
