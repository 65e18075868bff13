"""A step is a pure object for one stream: events in, results out, no I/O.

All behaviour of the library lives in steps. They never wait, never read a clock of their own and do
not know whether a sync or an async driver feeds them, so every one is tested by calling ``feed``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any


class Step(ABC):
    """The base of all steps."""

    @abstractmethod
    def feed(self, item: Any) -> Iterable[Any]:
        """Take one item and return what it gives, which may be nothing or several items."""

    def finish(self) -> Iterable[Any]:
        """Return what is still held back. Called once, when the source has ended well."""
        return ()

    def fail(self, exc: Exception) -> Exception:
        """Return the exception to raise in the place of ``exc``. Called once, at most."""
        return exc
