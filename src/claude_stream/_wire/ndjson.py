"""Lines of JSON to wire dicts and back: what the JavaScript SDK writes by `toReadableStream`, and reads.

The law: `feed` takes the next chunk and returns the events that are now whole; how bytes were cut into chunks changes
nothing, and a str is whole lines, as a file that is open for text or ``response.iter_lines()`` gives them. A fault is
returned in its place among the events, as `sse` does, and names its line. No more of a line is held than a limit.

Source: `Stream.fromReadableStream` in https://github.com/anthropics/anthropic-sdk-typescript/blob/main/src/core/streaming.ts
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from .._errors import StreamProtocolError
from .._json import Wire, excerpt, is_object, parse, to_line
from .._step import Step
from .line import MAX_EVENT, UnfinishedLine, endless

_BOM = b"\xef\xbb\xbf"


class NDJSONDecoder(Step[bytes | str, Wire | Exception]):
    """Bytes or lines of text in, wire dicts out.

    Args:
        max_event: how many bytes of a line are held while its end has not come.
    """

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._line = UnfinishedLine()
        self._count = 0

    def feed(self, item: bytes | str) -> Iterable[Wire | Exception]:
        """Take the next chunk and return the events that are now whole."""
        if isinstance(item, str):
            chunk = (b"\n" if self._line else b"") + item.encode("utf-8", "surrogatepass")  # it begins a line
        else:
            chunk = _bytes(item)
        *lines, rest = chunk.split(b"\n")
        if lines and self._line:
            self._line.add(lines[0])
            lines[0] = self._line.take()
        if isinstance(item, str) and _is_event(rest):
            lines.append(rest)  # the next chunk would tell that it is whole, and may be long in coming
        else:
            self._line.add(rest)
        events = [event for line in lines for event in self._take(line)]
        if len(self._line) > self._max_event:
            events.append(self._refuse())
        return events

    def finish(self) -> Iterable[Wire | Exception]:
        """Return a last event that lacks only the end of its line; what is less than that was cut off."""
        return [event for event in self._take(self._line.take()) if is_object(event)]

    def _refuse(self) -> StreamProtocolError:
        """Let go of a line that is too long, which ends the stream, and return the error for it."""
        self._count += 1
        return endless(f"line {self._count}", self._max_event, self._line.drop())

    def _take(self, line: bytes) -> Iterable[Wire | Exception]:
        self._count += 1
        if self._count == 1:
            line = line.removeprefix(_BOM)
        if not line.strip():
            return ()
        try:
            event: Any = parse(line)
        except ValueError as exc:
            fault = StreamProtocolError(f"line {self._count} is not JSON ({exc}): {excerpt(line)}")
            fault.__cause__ = exc
            return (fault,)
        if is_object(event):
            return (event,)
        return (StreamProtocolError(f"line {self._count} is not a JSON object: {excerpt(line)}"),)


def _is_event(line: bytes) -> bool:
    try:
        return is_object(parse(line))
    except ValueError:
        return False


def _bytes(item: object) -> bytes:
    if not isinstance(item, (bytes, bytearray, memoryview)):
        kind = type(item).__name__
        raise TypeError(f"from_ndjson() takes chunks of bytes, or lines of text, and this is {kind}: {excerpt(item)}")
    return bytes(cast("bytearray", item))


def ndjson_frame(event: Wire) -> bytes:
    """Return the line of an event.

    Raises:
        ValueError: if the event cannot be written as JSON.
    """
    return to_line(event) + b"\n"
