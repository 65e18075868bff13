"""Observers: somebody who looks at every event while it passes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .._json import Wire
from .._step import Step
from .._wire.events import to_event, with_event
from .builder import MessageBuilder


class Tap(Step[Wire, Wire]):
    """Wire dicts in, the same out, after each observer has seen the event as the SDK's object."""

    def __init__(self, observers: Sequence[Callable[[Any], object]], builder: MessageBuilder) -> None:
        for observer in observers:
            if not callable(observer):
                raise TypeError(f"an observer is called with each event, and {observer!r} cannot be called")
            if inspect.iscoroutinefunction(observer):
                raise TypeError(
                    f"an observer is a plain function, also over an async source, and {observer!r} is async"
                )
        self._observers = observers
        self._builder = builder

    def feed(self, item: Wire) -> Iterable[Wire]:
        """Show the event to every observer, and pass it on."""
        event = to_event(item, beta=self._builder.beta)
        try:
            for observer in self._observers:
                observer(event)
        except (StopIteration, StopAsyncIteration) as exc:
            # It would pass for the end of the stream: Python turns it into the same in a generator (PEP 479).
            raise RuntimeError(f"an observer raised {type(exc).__name__}") from exc
        return (with_event(item, event),)
