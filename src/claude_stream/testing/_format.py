"""The two formats of a recording, and what each holds; the only place that knows how a line is written.

A raw body, as ``curl -N`` saves it, is bytes and nothing more. A ``.jsonl`` file is read and compared
line by line: a header with all that is kept of the response, then one line an event with its offset
in seconds. What is no event as the API writes it stands as ``raw`` text, so that a broken body is kept
to the byte; a fault of the transport is the last line. Nothing of the request is ever written, and of
the response's headers only those of `KEPT_HEADERS`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal, NamedTuple, cast

VERSION = 1
MARK = "claude_stream_recording"
KEPT_HEADERS = frozenset({"request-id", "retry-after", "retry-after-ms", "x-should-retry"})
"""All that is kept of a response's headers, next to its content type: what an SDK acts on. None is secret."""

_BOM = b"\xef\xbb\xbf"
_EVENT_END = re.compile(rb"(?<=\n\n)|(?<=\r\r)|(?<=\r\n\r\n)")
_DATA = re.compile(rb"^data:|[\r\n]data:")
_AS_THE_API_WRITES = re.compile(rb"event: ([^\r\n]+)\ndata: (\{[^\r\n]*\})\s*\n\n")
# How an answer begins: as a stream of events, with a field or a comment, as JSON or HTML, or not at all.
_START = re.compile(rb"\s*(?:(?:event|data|id|retry)(?:[:\r\n]|\Z)|[:{<]|\Z)")


class Failure(NamedTuple):
    """How the transport failed behind the last chunk."""

    kind: Literal["connection", "timeout"]
    message: str


class Head(NamedTuple):
    """What the header line says of the response, the model apart."""

    status: int = 200
    content_type: str = "text/event-stream"
    headers: Mapping[str, str] = {}
    sdk_version: str | None = None


class Entry(NamedTuple):
    """What one line behind the header holds."""

    at: float | None
    chunk: bytes
    failure: Failure | None = None


def media_type(content_type: str) -> str:
    """Return the type that a ``content-type`` header names, without its parameters."""
    return content_type.partition(";")[0].strip()


def is_stream(content_type: str) -> bool:
    """Return whether an answer of this type holds events, as one to a request that is refused does not."""
    return media_type(content_type) == "text/event-stream"


def check_start(content: bytes, name: str) -> None:
    """Refuse what does not begin as a recording, or any answer of a server, does.

    Raises:
        ValueError: names the file, shows how it begins, and says what a recording is.
    """
    if _START.match(content.removeprefix(_BOM)) is None:
        start = " ".join(content[:200].decode(errors="replace").split())[:40]
        raise ValueError(
            f"{name} is no recording, for it begins with {start!r}: a recording is a .jsonl file as recording_client() "
            "and record() write it, or the body of a response as `curl -N` saves it. "
            "Call it .sse if it is a body that a server broke"
        )


def split_events(body: bytes) -> list[bytes]:
    """Cut a body behind each event; the last piece may be the beginning of one."""
    return [chunk for chunk in _EVENT_END.split(body) if chunk]


def is_event(chunk: bytes) -> bool:
    """Return whether a piece that `split_events` gives is an event, and no comment."""
    return _DATA.search(chunk) is not None


def sse_chunk(event: Mapping[str, Any]) -> bytes:
    """Return one event as the API would send it."""
    kind = event.get("type")
    name = b"event: %b\n" % kind.encode() if isinstance(kind, str) and kind.isprintable() else b""
    return b"%bdata: %b\n\n" % (name, _dump(event))


def header_line(head: Head, chunk: bytes) -> bytes:
    """Return the first line of a file; ``chunk`` is the first of the body, which names the model."""
    message = (_event_in(chunk) or {}).get("message")
    return _line(
        {
            MARK: VERSION,
            "sdk": head.sdk_version,
            "model": cast("dict[str, Any]", message).get("model") if isinstance(message, dict) else None,
            "status": head.status,
            "content_type": head.content_type,
            "headers": {name.lower(): value for name, value in head.headers.items() if name.lower() in KEPT_HEADERS},
        }
    )


def chunk_line(at: float | None, chunk: bytes) -> bytes:
    """Return the line for an event, or for bytes that are none."""
    event = _event_in(chunk)
    what = {"raw": chunk.decode(errors="surrogateescape")} if event is None else {"event": event}
    return _line({**_time(at), **what})


def failure_line(at: float | None, failure: Failure) -> bytes:
    """Return the last line of a stream that the transport broke."""
    return _line({**_time(at), "failure": failure.kind, "message": failure.message})


def read_lines(content: bytes, name: str) -> tuple[Head, list[Entry]] | None:
    """Return the header and what stands behind it, or None if this is a raw body.

    Raises:
        ValueError: if the file is damaged; names the file, the line and the fault.
    """
    first, *rest = content.removeprefix(_BOM).splitlines() or [b""]
    if not first.lstrip().startswith(b'{"%b"' % MARK.encode()):
        if first.startswith((b'{"at"', b'{"event"', b'{"raw"', b'{"failure"')):
            raise ValueError(f"{name}, line 1: the header line of a recording is missing")
        return None
    header = _parse(first, name, 1)
    version = header.get(MARK)
    if type(version) is not int or version != VERSION:
        raise ValueError(f"{name}, line 1: recordings of version {version!r} are not known here, only {VERSION}")
    known: dict[str, Any] = {key: header[key] for key in ("status", "content_type", "headers") if key in header}
    for key, kind in (("status", int), ("content_type", str), ("headers", dict)):
        if type(known.get(key, kind())) is not kind:
            raise ValueError(f"{name}, line 1: `{key}` is {known[key]!r}, and no {kind.__name__}")
    if not all(isinstance(value, str) for value in known.get("headers", {}).values()):
        raise ValueError(f"{name}, line 1: `headers` is {known['headers']!r}, and no dict of strings")
    lines = [(number, line) for number, line in enumerate(rest, start=2) if line.strip()]
    entries = [_entry(line, name, number) for number, line in lines]
    for ((number, _), entry), ((next_number, _), following) in pairwise(zip(lines, entries, strict=True)):
        if entry.failure is not None:
            raise ValueError(f"{name}, line {number}: nothing can come behind a `failure`")
        if (entry.at is None) != (following.at is None):
            raise ValueError(f"{name}, line {next_number}: `at` stands in every line or in none")
    return Head(**known, sdk_version=header.get("sdk")), entries


def _entry(line: bytes, name: str, number: int) -> Entry:
    entry = _parse(line, name, number)
    at, event, raw, failure = (entry.get(key) for key in ("at", "event", "raw", "failure"))
    if not (at is None or (type(at) in {int, float} and math.isfinite(at))):
        raise ValueError(f"{name}, line {number}: `at` is {at!r}, and no number of seconds")
    if isinstance(event, dict):
        return Entry(at, sse_chunk(cast("dict[str, Any]", event)))
    if isinstance(raw, str):
        try:
            return Entry(at, raw.encode(errors="surrogateescape"))
        except UnicodeEncodeError as exc:
            raise ValueError(f"{name}, line {number}: `raw` stands for no bytes: {exc}") from exc
    if failure in ("connection", "timeout"):
        return Entry(at, b"", Failure(failure, str(entry.get("message", ""))))
    raise ValueError(
        f"{name}, line {number}: there is neither an `event` (an object), nor `raw` (text), "
        'nor a `failure` ("connection" or "timeout")'
    )


def _event_in(chunk: bytes) -> dict[str, Any] | None:
    """Return the event of a chunk if writing it again gives the same event under the same name."""
    match = _AS_THE_API_WRITES.fullmatch(chunk)
    if match is None:
        return None
    try:
        event: Any = json.loads(match[2].decode())  # of bytes it takes what is no UTF-8, and would mend it
    except (ValueError, RecursionError):
        return None
    return event if event.get("type") == match[1].decode(errors="replace") else None


def _time(at: float | None) -> dict[str, float]:
    return {} if at is None else {"at": round(at, 6)}


def _line(value: dict[str, Any]) -> bytes:
    return _dump(value, separators=(", ", ": ")) + b"\n"


def _dump(value: object, *, separators: tuple[str, str] = (",", ":")) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=separators).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can hold and UTF-8 cannot
        return json.dumps(value, separators=separators).encode()


def _parse(line: bytes, name: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"{name}, line {number}: not valid JSON: {exc}") from exc
    if not isinstance(value, dict):
        raise ValueError(f"{name}, line {number}: a JSON object was expected")
    return cast("dict[str, Any]", value)
