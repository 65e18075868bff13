"""Order and completeness: what may follow what, and when a message is whole.

The law: an event that cannot stand where it stands raises here, with its number and type, so that
no later step needs to expect it; what ended early is told apart from what is complete, by contract:
``message_stop`` was seen, or a stop reason is set and no block is open.
"""

from __future__ import annotations

from collections.abc import Iterable

from .._errors import StreamProtocolError, StreamTruncatedError, api_error
from .._json import Wire, excerpt, is_object
from .._step import Step
from .._wire.deltas import DELTA_STRINGS
from .._wire.events import initial_content, is_whole_block


class Guard(Step[Wire, Wire]):
    """Wire dicts in, the same out, or a typed error.

    Args:
        strict: if not, an early end is taken as it is.
    """

    def __init__(self, *, strict: bool = True) -> None:
        self.strict = strict
        self.events = 0
        self.pings = 0  # among them
        self.started = False
        self.content_started = False
        self.stop_reason: str | None = None
        self.stopped = False  # message_stop was seen, and nothing can fail any more
        self.open: set[int] = set()
        self._blocks = 0

    @property
    def complete(self) -> bool:
        """Whether the message is whole."""
        return self.stopped or (self.stop_reason is not None and not self.open)

    def feed(self, item: Wire) -> Iterable[Wire]:
        """Let the event pass if it may stand here."""
        self.events += 1
        kind = item["type"]
        if kind == "content_block_delta":
            self._require_open(item)
            delta = item.get("delta")
            if not is_object(delta):
                raise self._impossible(item, "it has no delta")
            delta_type = delta.get("type")
            field = DELTA_STRINGS.get(delta_type) if type(delta_type) is str else None
            if field is not None and type(delta.get(field)) is not str:
                raise self._impossible(item, f"its {field} is not a string")
        elif kind == "content_block_start":
            self._start_block(item)
        elif kind == "content_block_stop":
            self._require_open(item)
            self.open.remove(item["index"])
        elif kind == "message_start":
            if self.started:
                raise self._impossible(item, "the message had already started")
            if not is_object(item.get("message")):
                raise self._impossible(item, "it has no message")
            content = initial_content(item)
            if not all(map(is_whole_block, content)):
                raise self._impossible(item, "its content is not a list of blocks")
            self.started = True
            self._blocks = len(content)
            self.content_started = self._blocks > 0
        elif kind == "message_delta":
            if not self.started:
                raise self._impossible(item, "no message_start came before it")
            delta = item.get("delta")
            if is_object(delta) and isinstance(delta.get("stop_reason"), str):
                self.stop_reason = delta["stop_reason"]
        elif kind == "message_stop":
            if not self.started:
                raise self._impossible(item, "no message_start came before it")
            self.stopped = True
        elif kind == "error":
            raise api_error(item)
        elif kind == "ping":
            self.pings += 1
        return (item,)

    def _start_block(self, item: Wire) -> None:
        index = item.get("index")
        if not self.started:
            raise self._impossible(item, "no message_start came before it")
        if type(index) is not int or index != self._blocks:
            raise self._impossible(item, f"its index is {excerpt(index)}, and the next block is {self._blocks}")
        if not is_whole_block(item.get("content_block")):
            raise self._impossible(item, "it has no content_block of a known shape")
        self._blocks += 1
        self.open.add(index)
        self.content_started = True

    def _require_open(self, item: Wire) -> None:
        index = item.get("index")
        if type(index) is not int or index not in self.open:
            raise self._impossible(item, f"block {excerpt(index)} is not open")

    def _impossible(self, item: Wire, why: str) -> StreamProtocolError:
        return StreamProtocolError(f"event {self.events} ({item['type']}) cannot stand here: {why}: {excerpt(item)}")

    def finish(self) -> Iterable[Wire]:
        """Refuse an end that came too early."""
        if self.strict and not self.complete:
            what = f"in content block {min(self.open)}" if self.open else "without message_stop"
            raise StreamTruncatedError(f"the stream ended early, {what}" if self.events else "no event came at all")
        return ()
