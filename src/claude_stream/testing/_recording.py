"""A recorded response body: chunks of bytes, each with the time at which it came.

Two formats, told apart by their content. A raw body, as ``curl -N`` saves it, holds no times. A
``.jsonl`` file has a header line, and then one line an event with its offset in seconds from the
start of the body.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from typing_extensions import Self

_VERSION = 1
_EVENT_END = re.compile(rb"(?<=\n\n)|(?<=\r\r)|(?<=\r\n\r\n)")


@dataclasses.dataclass(frozen=True)
class Recording:
    """A response body that was recorded, or written by hand.

    Example:
        >>> from claude_stream.testing import Recording
        >>> recording = Recording.load("answer.sse")
        >>> len(recording.chunks), recording.offsets
        (7, None)
    """

    chunks: tuple[bytes, ...]
    """The body, cut behind each event."""

    offsets: tuple[float, ...] | None = None
    """When each chunk came, in seconds from the start of the body, or None where that is not known."""

    content_type: str = "text/event-stream"
    """The response's header of that name."""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a recording from a file.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if the file is a damaged ``.jsonl`` recording; names the file, the line and the fault.
        """
        return cls.from_bytes(Path(path).read_bytes(), name=os.fspath(path))

    @classmethod
    def from_bytes(cls, content: bytes, *, name: str = "recording") -> Self:
        """Read a recording from the content of a file; ``name`` is what an error calls it."""
        first, _, rest = content.partition(b"\n")
        if not first.lstrip().startswith(b'{"claude_stream_recording"'):
            kinds = {b"{": "application/json", b"<": "text/html"}  # what a server that fails sends instead
            content_type = kinds.get(content.lstrip()[:1], cls.content_type)
            return cls(tuple(chunk for chunk in _EVENT_END.split(content) if chunk), content_type=content_type)
        header = _parse(first, name, 1)
        version = header.get("claude_stream_recording")
        if version != _VERSION:
            raise ValueError(f"{name}, line 1: recordings of version {version!r} are not known here, only {_VERSION}")
        chunks: list[bytes] = []
        offsets: list[float] = []
        for number, line in enumerate(rest.splitlines(), start=2):
            entry = _parse(line, name, number)
            event, at = entry.get("event"), entry.get("at")
            if not isinstance(event, dict) or not isinstance(at, (int, float)):
                raise ValueError(f"{name}, line {number}: an event needs `at` (seconds) and `event` (an object)")
            chunks.append(sse_chunk(cast("dict[str, Any]", event)))
            offsets.append(float(at))
        return cls(tuple(chunks), tuple(offsets), str(header.get("content_type", cls.content_type)))

    @classmethod
    def from_events(cls, events: Iterable[Mapping[str, Any]]) -> Self:
        """Make a recording of events that were written by hand, or built with `message_events`."""
        return cls(tuple(sse_chunk(event) for event in events))

    def body(self) -> bytes:
        """Return the whole body."""
        return b"".join(self.chunks)


def sse_chunk(event: Mapping[str, Any]) -> bytes:
    """Return one event as the API would send it."""
    data = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return f"event: {event.get('type')}\ndata: {data}\n\n".encode()


def _parse(line: bytes, name: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as exc:
        raise ValueError(f"{name}, line {number}: not valid JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise ValueError(f"{name}, line {number}: a JSON object was expected")
    return cast("dict[str, Any]", value)
