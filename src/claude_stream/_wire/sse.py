"""Bytes of a server-sent event stream to wire dicts, split anywhere, and never lost; and wire dicts to frames.

The law: `feed` takes the next bytes and returns the events that are now whole; how the bytes were
cut into chunks changes nothing. A fault is returned in its place among the events, as an exception
for the next step to raise, because events in front of it in the same chunk have still to go out.
No copy is made that grows with the stream: what is kept between two chunks is one unfinished event, and of that no
more than a limit. An event that comes whole in one chunk is in memory already, and is not measured. A frame is whole
and stands by itself, whatever is in its event.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import jiter

from .._errors import StreamProtocolError
from .._json import OBJECT, Wire, excerpt, is_object, parse, to_line
from .._step import Step
from .line import HEAD, MAX_EVENT, UnfinishedLine, endless

_BOM = b"\xef\xbb\xbf"
_FIELDS = (b"event", b"data", b"id", b"retry")
_CR, _LF = b"\r\n"
_DELTA = b"event: content_block_delta\ndata: "
_DATA = len(_DELTA)


class SSEDecoder(Step[bytes, Wire | Exception]):
    """Bytes in, wire dicts out.

    Args:
        max_event: how many bytes of an event are held while its end has not come.
    """

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._line = UnfinishedLine()
        self._held = 0  # bytes of its event in the lines before that
        self._after_cr = False  # the last chunk ended in CR, so that a LF now is the same line end
        self._first_line = True
        # The next byte begins an event, and there is no byte order mark and no half of a line end to reckon with.
        self._between = False
        self._event = b""
        self._data: list[bytes] = []
        self._count = 0
        self._head = b""  # how the body begins, to show if it turns out to be something else
        self._is_sse = True

    def feed(self, item: bytes) -> Iterable[Wire | Exception]:
        """Take the next bytes and return the events that are now whole."""
        if type(item) is not bytes:
            return self.feed(_bytes(item))
        if not self._between or item[-2:] != b"\n\n":
            return self._split(item)
        if item[:_DATA] == _DELTA:
            # The way that nearly every chunk takes: one delta, just as the API writes it.
            data = item[_DATA:-2]
            if _LF not in data and _CR not in data:
                try:
                    event: Any = jiter.from_json(data)
                except ValueError:
                    event = None
                if type(event) is OBJECT and "type" in event:
                    self._count += 1
                    return (event,)
        return self._split(item) if _CR in item else self._whole_events(item)

    def _whole_events(self, chunk: bytes) -> list[Wire | Exception]:
        """Whole events, just as the API writes them."""
        events: list[Wire | Exception] = []
        for block in chunk[:-2].split(b"\n\n"):
            name, _, data = block.partition(b"\ndata: ")
            is_event = name.startswith(b"event: ") and name[7:].strip() != b"error"
            if is_event and _LF not in name and _LF not in data:
                try:
                    event: Any = jiter.from_json(data)
                except ValueError:
                    event = None
                if type(event) is OBJECT and "type" in event:
                    self._count += 1
                    events.append(event)
                    continue
            events += self._take([*block.split(b"\n"), b""])
        return events

    def _split(self, chunk: bytes) -> list[Wire | Exception]:
        """The general way: lines, wherever they are cut, and whatever ends them."""
        if self._count == 0 and len(self._head) < HEAD:
            self._head += chunk[: HEAD - len(self._head)]
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = chunk.split(b"\n")
        if lines and self._line:
            self._line.add(lines[0])
            lines[0] = self._line.take()
        self._line.add(rest)
        events = self._take(lines)
        if self._held + len(self._line) > self._max_event:
            events.append(self._refuse())
        self._between = self._count > 0 and not (self._after_cr or self._line or self._data or self._event)
        return events

    def finish(self) -> Iterable[Wire | Exception]:
        """Return a last event that lacks only its blank line; what is less than that was cut off."""
        events = self._take([self._line.take()]) if self._line else []
        if self._data:
            last = self._dispatch()
            if isinstance(last, dict):
                events.append(last)
        if self._count == 0 and not self._is_sse:
            events.append(StreamProtocolError(f"the body is not an event stream; it begins: {excerpt(self._head)}"))
        return events

    def _take(self, lines: list[bytes]) -> list[Wire | Exception]:
        events: list[Wire | Exception] = []
        if self._first_line and lines:
            self._first_line = False
            lines[0] = lines[0].removeprefix(_BOM)
        for line in lines:
            if line.startswith(b"data:"):
                # Cut behind the usual space at once: `strip` would copy what may be megabytes a second time.
                if data := line[6 if line[5:6] == b" " else 5 :].strip():
                    self._data.append(data)
                    self._held += len(line)
            elif not line:
                if self._data:
                    events.append(self._dispatch())
                self._event = b""
                self._held = 0
            elif line.startswith(b"event:"):
                self._event = line[6:].strip()
            elif self._count == 0 and not _is_field(line):
                self._is_sse = False
        return events

    def _refuse(self) -> StreamProtocolError:
        """Let go of an event that is too large, which ends the stream, and return the error for it."""
        self._count += 1
        rest = self._line.drop()
        begins = self._data[0][:HEAD] if self._data else rest
        self._data.clear()
        return endless(f"event {self._count}", self._max_event, begins)

    def _dispatch(self) -> Wire | Exception:
        data = b"\n".join(self._data)
        self._data.clear()
        self._count += 1
        name = self._event.decode("utf-8", "replace")
        try:
            event = parse(data)
        except ValueError as exc:
            if name == "error":
                return {"type": "error", "error": data.decode("utf-8", "replace").strip()}
            fault = StreamProtocolError(
                f"event {self._count} ({name or 'without a name'}): its data is not valid JSON ({exc}): {excerpt(data)}"
            )
            fault.__cause__ = exc
            return fault
        if is_object(event) and name != "error":
            return event if "type" in event else {"type": name or None, **event}
        if name == "error":
            # Its name makes it an error, whatever its data calls itself.
            known = is_object(event) and "error" in event
            return {**event, "type": "error"} if known else {"type": "error", "error": event}
        return StreamProtocolError(
            f"event {self._count} ({name or 'without a name'}): its data is not a JSON object: {excerpt(data)}"
        )


def _bytes(item: object) -> bytes:
    if not isinstance(item, (bytearray, memoryview)):
        kind = type(item).__name__
        raise TypeError(f"from_sse() takes chunks of bytes, and this one is {kind}: {excerpt(item)}")
    return bytes(cast("bytearray", item))


def _is_field(line: bytes) -> bool:
    name = line.partition(b":")[0]
    # A line that was cut off may end inside the name of a field.
    return line.startswith(b":") or any(name == field or field.startswith(line) for field in (*_FIELDS, _BOM))


class SSEFrames:
    """Makes the frames of one body, one of each event, with the IDs 1, 2, 3 and so on."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, event: Wire) -> bytes:
        """Return the frame of an event.

        Raises:
            ValueError: if the event cannot be written as JSON.
        """
        data, name = to_line(event), event["type"]
        self._count += 1
        if not name.isprintable():  # a line end in it, say; its data has the name as well
            return b"id: %d\ndata: %b\n\n" % (self._count, data)
        return b"id: %d\nevent: %b\ndata: %b\n\n" % (self._count, name.encode(), data)
