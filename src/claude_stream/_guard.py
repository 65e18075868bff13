"""Order and completeness: what may follow what, and when a message is whole.

The law: an event that cannot stand where it stands raises here, with its number and type, so that
no later step needs to expect it; what ended early is told apart from what is complete, by contract:
``message_stop`` was seen, or a stop reason is set and no block is open.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

from ._errors import (
    StreamError,
    StreamProtocolError,
    StreamTruncatedError,
    ToolInputError,
    api_error,
    bedrock_error,
    transport_error,
)
from ._events import initial_content, is_whole_block
from ._fast import DELTA_STRINGS
from ._json import excerpt, is_object
from ._step import Step


class Guard(Step):
    """Wire dicts in, the same out, or a typed error."""

    def __init__(self) -> None:
        self.strict = True  # if not, an early end is taken as it is
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

    @property
    def progress(self) -> int:
        """How many events there were, without pings."""
        return self.events - self.pings

    def feed(self, item: dict[str, Any]) -> Iterable[dict[str, Any]]:
        """Let the event pass if it may stand here."""
        self.events += 1
        kind = item["type"]
        if kind == "content_block_delta":
            self._require_open(item)
            delta = item.get("delta")
            if not isinstance(delta, dict):
                raise self._impossible(item, "it has no delta")
            delta_type = cast("dict[str, Any]", delta).get("type")
            field = DELTA_STRINGS.get(delta_type) if type(delta_type) is str else None
            if field is not None and type(cast("dict[str, Any]", delta).get(field)) is not str:
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

    def _start_block(self, item: dict[str, Any]) -> None:
        index = item.get("index")
        if not self.started:
            raise self._impossible(item, "no message_start came before it")
        if type(index) is not int or index != self._blocks:
            raise self._impossible(item, f"its index is {index!r}, and the next block is {self._blocks}")
        if not is_whole_block(item.get("content_block")):
            raise self._impossible(item, "it has no content_block of a known shape")
        self._blocks += 1
        self.open.add(index)
        self.content_started = True

    def _require_open(self, item: dict[str, Any]) -> None:
        index = item.get("index")
        if type(index) is not int or index not in self.open:
            raise self._impossible(item, f"block {index!r} is not open")

    def _impossible(self, item: dict[str, Any], why: str) -> StreamProtocolError:
        return StreamProtocolError(f"event {self.events} ({item['type']}) cannot stand here: {why}: {excerpt(item)}")

    def finish(self) -> Iterable[dict[str, Any]]:
        """Refuse an end that came too early."""
        if self.strict and not self.complete:
            what = f"in content block {min(self.open)}" if self.open else "without message_stop"
            raise StreamTruncatedError(f"the stream ended early, {what}" if self.events else "no event came at all")
        return ()

    def fail(self, exc: Exception) -> Exception:
        """Return ours for an error of a transport or the SDK; a user's own exception is returned as it is."""
        return exc if isinstance(exc, StreamError) else transport_error(exc) or exc

    def fail_in_bytes(self, exc: Exception) -> Exception:
        """The same for what reading bytes raised, where the errors of plain sockets and files count, too."""
        return exc if isinstance(exc, StreamError) else transport_error(exc, plain=True) or exc

    def fail_in_sdk(self, exc: Exception) -> Exception:
        """Return ours for anything that reading an SDK stream raised."""
        known = self.fail_in_bytes(exc)
        if isinstance(known, StreamError):
            return known
        what = f"{type(exc).__name__}: {exc}"
        if (error := bedrock_error(str(exc))) is not None:
            return error
        if isinstance(exc, UnicodeDecodeError) and exc.reason == "unexpected end of data":
            return StreamTruncatedError(f"the stream ended inside a character ({what})")
        if isinstance(exc, (json.JSONDecodeError, UnicodeDecodeError)):
            return StreamProtocolError(f"event {self.events + 1}: its data is not valid JSON ({what})")
        if type(exc) is ValueError:
            # The SDK's MessageStream parses tool inputs whether or not anybody asks for them.
            return ToolInputError(f"the SDK cannot read a tool's input ({what})", raw=what.partition("JSON: ")[2])
        return StreamProtocolError(f"event {self.events + 1} could not be read by the SDK ({what})")
