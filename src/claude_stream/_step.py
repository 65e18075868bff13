"""A step is a pure object for one stream: items in, results out, no I/O.

All behaviour of the library lives in steps. They never wait, never read a clock of their own and do
not know whether a sync or an async driver feeds them, so every one is tested by calling ``feed``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Generic, TypeAlias

from typing_extensions import TypeVar

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)


class Step(ABC, Generic[In_contra, Out_co]):
    """The base of all steps."""

    frames = ""
    """What a relay calls the frames of its results, where they are more than events and less than content blocks."""

    @abstractmethod
    def feed(self, item: In_contra) -> Iterable[Out_co]:
        """Take one item and return what it gives, which may be nothing or several results.

        Where it gives one, it is a tuple: what takes the results one by one need not set up an iterator then.
        """

    def begin(self) -> Iterable[Out_co]:
        """Return what is known before the first item, of a stream that others have read in part. Called once."""
        return ()

    def finish(self) -> Iterable[Out_co]:
        """Return what is still held back. Called once, when the source has ended well."""
        return ()

    def fail(self, exc: Exception) -> Exception:
        """Return the exception to raise for ``exc``, which ends the stream. Called once, at most."""
        return exc

    def salvage(self) -> Iterable[Out_co]:
        """Return what is held back, and stays right though the stream broke. Called once, at most, behind `fail`."""
        return ()


AnyStep: TypeAlias = Step[Any, Any]


def flow(steps: Sequence[AnyStep], items: Iterable[Any]) -> Iterator[Any]:
    """Send items through steps, lazily: nothing is fed before what came of the item before it is taken."""
    for step in steps:
        items = chain.from_iterable(map(step.feed, items))
    return iter(items)


def beginnings(steps: Sequence[AnyStep]) -> Iterator[Any]:
    """Yield what the steps know before the first item, each through those behind it."""
    return chain.from_iterable(flow(steps[number:], step.begin()) for number, step in enumerate(steps, start=1))


def leftovers(steps: Sequence[AnyStep]) -> Iterator[Any]:
    """Yield what the steps still hold back, each through those behind it."""
    return chain.from_iterable(flow(steps[number:], step.finish()) for number, step in enumerate(steps, start=1))


def salvaged(steps: Sequence[AnyStep]) -> Iterator[Any]:
    """Yield what the steps hold back of a stream that broke, each through those behind it."""
    return chain.from_iterable(flow(steps[number:], step.salvage()) for number, step in enumerate(steps, start=1))
