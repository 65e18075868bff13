"""What a relay sends: one frame for each thing that a reader gives, and one by which its client knows the end.

The law: events go on as the API sent them, whatever they are; text, thinking, parts and progress go in frames of their
own names, with their fields as JSON. The last frame is ``message_stop`` or ``done``, and that only if the message is
complete, or else ``error``: a client that finds none of them knows that the connection broke.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import anthropic

from .._errors import StreamProtocolError, StreamTruncatedError, as_event
from .._json import Wire
from .._step import Step
from .blocks import ToolInput
from .builder import MessageBuilder
from .parts import DonePart

Framing: TypeAlias = Callable[[Wire], bytes]


class Frames(Step[Any, bytes]):
    """What a reader gives in, a frame for each out.

    Args:
        builder: of the stream that is relayed.
        framing: makes the bytes of one frame.
        name: what the frames of the results are called, or "" if the results are events.
    """

    def __init__(self, builder: MessageBuilder, framing: Framing, name: str) -> None:
        self._builder = builder
        self._framing = framing
        self._name = name
        self._ended = False  # the frame that says so is made

    def feed(self, item: Any) -> Iterable[bytes]:
        """Take one result and return its frame."""
        try:
            return (self._framing(self._shown(item) if self._name else item),)
        except (ValueError, TypeError) as exc:
            raise StreamProtocolError(f"{self._name or item['type']} cannot be written as JSON: {exc}") from exc

    def finish(self) -> Iterable[bytes]:
        """Return the frame that says that the message is complete, where the API's own has not.

        Raises:
            StreamTruncatedError: if it is not, and the stream was read by somebody who lets that pass.
        """
        guard = self._builder.guard
        if not guard.complete:
            raise StreamTruncatedError("the stream ended early, and a relay must not make it look finished")
        if self._name:
            return () if self._ended else (self._framing(self._done()),)
        return () if guard.stopped else (self._framing({"type": "message_stop"}),)

    def last(self, error: Exception) -> bytes | None:
        """Return the frame of what ended the stream, or None if it was returned before."""
        if self._ended:
            return None
        self._ended = True
        return self._framing(as_event(error))

    def _shown(self, item: Any) -> Wire:
        if isinstance(item, str):
            return {"type": self._name, "text": item}
        if isinstance(item, ToolInput):
            return {"type": item.type, "index": item.index, "id": item.id, "name": item.name, "delta": item.delta}
        if isinstance(item, DonePart):
            return self._done()
        return {"type": self._name, **_plain(item)}

    def _done(self) -> Wire:
        self._ended = True
        return {"type": "done", "stop_reason": self._builder.guard.stop_reason, "usage": _plain(self._builder.usage)}


def _plain(value: Any) -> Any:
    """Return a value of a part as JSON: blocks and citations are the SDK's."""
    if isinstance(value, anthropic.BaseModel):
        return value.to_dict(warnings=False)
    if dataclasses.is_dataclass(value):
        # What does not count when two are compared, a reading of this process's clock, tells nobody anything elsewhere.
        fields = (field.name for field in dataclasses.fields(value) if field.compare)
        return {name: _plain(getattr(value, name)) for name in fields}
    return value
