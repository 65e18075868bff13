"""What servers do to a stream, and what must become of it.

The law: a fault is a script, which is played by `tests.exits.servers`, and says by itself what its reader has to get:
how many events come, and what the stream ends in. All of it is written down by hand, or counted out of the bytes.
"""

from __future__ import annotations

import dataclasses
import json
import random
import string
import zlib
from collections.abc import Iterator
from typing import Any

from claude_stream.testing import message_events
from tests.exits.servers import Endless, Head, Scripts, Step
from tests.support import body_of

TEXT = "Il pleut à Paris, et le ciel est gris. Voilà tout ce que je sais."
THINKING = "Weather in Paris? I had better ask."
CALL = ("get_weather", {"city": "Paris", "days": [1, 2, 3]})
EVENTS = message_events({"type": "thinking", "thinking": THINKING, "signature": "sig"}, TEXT, CALL)
FRAMES = [body_of([event]) for event in EVENTS]
BODY = b"".join(FRAMES)
PING = body_of([{"type": "ping"}])
NEWS = body_of([{"type": "news", "headline": "hello"}])

HUGE = "x" * 16_000_000
"""The text of one event."""

MOST = 2**20
"""Bytes of an event that `from_sse` is told to hold here. `open_stream` holds what it holds by default."""

_STOP_REASON = next(number for number, event in enumerate(EVENTS) if event["type"] == "message_delta")
_GZIP = (("content-type", "text/event-stream"), ("content-encoding", "gzip"))
_TRUNCATED = ("StreamTruncatedError",)
_TRANSPORT = ("StreamConnectionError",)
_TIMEOUT = ("StreamTimeoutError", "APITimeoutError")  # the second if not even the response begins in time
_PROTOCOL = ("StreamProtocolError",)


def text_in(events: list[dict[str, Any]], kind: str = "text") -> str:
    """Return the text, or the thinking, that events bring."""
    return "".join(event["delta"].get(kind, "") for event in events if event["type"] == "content_block_delta")


@dataclasses.dataclass(frozen=True)
class Fault:
    """What a server does, and what must become of it.

    Args:
        name: of the fault.
        script: what the server sends.
        ends: `whole`, or the names of the errors that a reader may end in.
        came: the events that every reader gets in front of that, or None where some may be lost on their way.
        events: those of the whole message.
        status: of a response that is refused; the SDK raises it.
        opens: whether there is a response at all.
        stalls: nothing more comes, and nothing ends.
        large: bytes that the HTTP/2 of the servers cannot send, and that take time.
        endless: an event that does not end.
    """

    name: str
    script: tuple[Step, ...]
    ends: tuple[str, ...] = ("whole",)
    came: list[dict[str, Any]] | None = dataclasses.field(default_factory=lambda: EVENTS)
    events: list[dict[str, Any]] = dataclasses.field(default_factory=lambda: EVENTS)
    status: int | None = None
    opens: bool = True
    stalls: bool = False
    large: bool = False
    endless: bool = False

    @property
    def kind(self) -> str:
        """The name without the place."""
        return self.name.partition(" @")[0]

    @property
    def is_whole(self) -> bool:
        """Whether the message may be complete."""
        return self.ends == ("whole",)


def faults(chance: random.Random) -> list[Fault]:
    """Return all of them, at places that chance chooses."""
    return [*_good(chance), *_after_the_end(), *_early(chance), *_broken(chance), *_large(), *_refused()]


def scripts_of(all_faults: list[Fault]) -> Scripts:
    """Return the scripts of faults, for a server."""
    return {fault.name: fault.script for fault in all_faults}


def _cut_anywhere(data: bytes, pieces: int, chance: random.Random) -> list[bytes]:
    at = sorted(chance.sample(range(1, len(data)), pieces - 1))
    return [data[a:b] for a, b in zip([0, *at], [*at, len(data)])]


def _good(chance: random.Random) -> Iterator[Fault]:
    yield Fault("whole, an event a chunk", (*FRAMES, "finish"))
    yield Fault("whole, in one chunk", (BODY, "finish"))
    yield Fault("single bytes", (*(BODY[at : at + 1] for at in range(len(BODY))), "finish"))
    for number in range(2):
        steps: list[Step] = []
        for piece in _cut_anywhere(BODY, 20, chance):
            steps += [piece, chance.choice([0.0, 0.0, 0.01])]
        yield Fault(f"cut into pieces, with pauses @{number}", (*steps, "finish"))
    mixed = [step for frame in FRAMES for step in (frame, chance.choice([PING, NEWS]))]
    yield Fault("pings and unknown events between", (*mixed, "finish"))
    yield Fault("CRLF line ends", (BODY.replace(b"\n", b"\r\n"), "finish"))
    packed = zlib.compressobj(wbits=31)
    chunks = [packed.compress(frame) + packed.flush(zlib.Z_SYNC_FLUSH) for frame in FRAMES]
    yield Fault("gzip", (Head(headers=_GZIP), *chunks, packed.flush(), "finish"))
    count = chance.randrange(3, _STOP_REASON)
    yield Fault(
        f"gzip, ends early @{count}",
        (Head(headers=_GZIP), *chunks[:count], "finish"),
        _TRUNCATED,
        EVENTS[:count],
    )
    yield Fault(
        f"gzip, broken @{count}",
        (Head(headers=_GZIP), *chunks[:count], b"\xff" * 200, "finish"),
        _PROTOCOL,
        None,
    )


def _after_the_end() -> Iterator[Fault]:
    for end in ("cut", "reset", "linger"):
        yield Fault(f"dies behind message_stop: {end}", (*FRAMES, 0.02, end))
    yield Fault("garbage behind message_stop", (*FRAMES, b"data: {oops\n\n" * 5, "finish"))
    # With pauses, or the system's buffers are full: a socket that is shut down and then closed does not tell a server
    # that waits for room in them.
    yield Fault("endless behind message_stop", (*FRAMES, Endless(PING, pause=0.001)), large=True)
    yield Fault("dies behind the stop reason", (*FRAMES[: _STOP_REASON + 1], 0.02, "cut"))
    yield Fault("ends behind the stop reason", (*FRAMES[: _STOP_REASON + 1], "finish"))


def _early(chance: random.Random) -> Iterator[Fault]:
    """Yield bodies that end, break off or stall somewhere."""
    for number in range(4):
        # Behind an event, inside one, and inside its character of two bytes, too; never between an event's JSON and its
        # blank line, where the SDK drops it and we do not.
        at = chance.randrange(len(b"".join(FRAMES[:_STOP_REASON])))
        at = [at, BODY.index("à".encode()) + 1, len(FRAMES[0]), 0][number]
        count = _whole_events(at)
        if BODY[at : at + 1] == b"\n":
            at = len(b"".join(FRAMES[: count + 1]))
            count += 1
        came, part = EVENTS[:count], BODY[:at]
        sent: tuple[Step, ...] = (part,) if part else ()
        yield Fault(f"ends early @{at}", (*sent, "finish") if sent else (Head(), "finish"), _TRUNCATED, came)
        yield Fault(f"cut @{at}", (Head(), *sent, 0.01, "cut"), _TRANSPORT, came)
        # What has not been read when a reset comes is thrown away by the system.
        yield Fault(f"reset @{at}", (Head(), *sent, 0.01, "reset"), _TRANSPORT, None)
        yield Fault(f"stalls @{at}", (Head(), *sent, "linger"), _TIMEOUT, None, stalls=True)


def _whole_events(at: int) -> int:
    length = 0
    for number, frame in enumerate(FRAMES):
        length += len(frame)
        if length > at:
            return number
    return len(FRAMES)


def _broken(chance: random.Random) -> Iterator[Fault]:
    count = chance.randrange(2, _STOP_REASON)
    front, came = FRAMES[:count], EVENTS[:count]
    garbage = "".join(chance.choices(string.ascii_letters, k=500)).encode()
    yield Fault("garbage for a body", (b"<" + garbage, "finish"), _PROTOCOL, [])
    wrong = b"event: x\ndata: " + garbage + b"\n\n"
    yield Fault(f"garbage for data @{count}", (*front, wrong, "finish"), _PROTOCOL, came)
    yield Fault(f"garbage for data, and the body does not end @{count}", (*front, wrong, "linger"), _PROTOCOL, came)
    deep = b'{"type":"deep","deep":' + b"[" * 6_000 + b"]" * 6_000 + b"}"
    yield Fault(
        f"nested without end @{count}", (*front, b"event: deep\ndata: " + deep + b"\n\n", "finish"), _PROTOCOL, came
    )
    missing = (*FRAMES[:1], *FRAMES[2:count], FRAMES[count])
    yield Fault(f"an event missing @{count}", (*missing, "finish"), _PROTOCOL, EVENTS[:1])
    yield Fault(f"an event missing, and the body does not end @{count}", (*missing, "linger"), _PROTOCOL, EVENTS[:1])
    for kind, name in (("overloaded_error", "StreamOverloadedError"), ("rate_limit_error", "StreamRateLimitError")):
        error = body_of([{"type": "error", "error": {"type": kind, "message": "said the API"}}])
        yield Fault(f"{kind} @{count}", (*front, error, "finish"), (name,), came)
        yield Fault(f"{kind}, and the body does not end @{count}", (*front, error, "linger"), (name,), came)
    for content_type, body in (
        ("application/json", json.dumps({"type": "error", "error": {"type": "api_error", "message": "no"}}).encode()),
        ("text/html", b"<html><body>Bad gateway</body></html>"),
    ):
        yield Fault(
            f"{content_type} instead", (Head(headers=(("content-type", content_type),)), body, "finish"), _PROTOCOL, []
        )


def _large() -> Iterator[Fault]:
    events = message_events(HUGE, chunk=len(HUGE))
    yield Fault("one event of 16 MB", (body_of(events), "finish"), came=events, events=events, large=True)
    front = b"".join(FRAMES[:9])
    line = b"event: content_block_delta\ndata: {"
    longer = Endless(b"x" * 65536, 4000)  # four times what is held by default
    yield Fault("a line without end", (front + line, longer), _PROTOCOL, EVENTS[:9], large=True, endless=True)
    lines = Endless((b"data: " + b"x" * 1000 + b"\n") * 64, 4000)
    yield Fault("an event without end", (front, lines), _PROTOCOL, EVENTS[:9], large=True, endless=True)


def _refused() -> Iterator[Fault]:
    said = json.dumps({"type": "error", "error": {"type": "any", "message": "no"}}).encode()
    json_type, html_type = (("content-type", "application/json"),), (("content-type", "text/html"),)
    for status in (400, 401, 403, 404, 413, 429, 500, 529):
        head = Head(status, json_type)
        yield Fault(f"HTTP {status}", (head, said, "finish"), ("APIStatusError",), [], status=status, opens=False)
    yield Fault("HTTP 500 without a body", (Head(500, ()), "finish"), ("APIStatusError",), [], status=500, opens=False)
    page = (Head(503, html_type), b"<html>no", "finish")
    yield Fault("HTTP 503, a page", page, ("APIStatusError",), [], status=503, opens=False)
    yield Fault("no response", ("cut",), ("APIConnectionError",), [], opens=False)
