"""Targets that are fed bytes: `from_sse`, `from_ndjson`, `Recording.load`, and bodies in other chunks.

The law: how a body is cut changes nothing, be it one chunk for each event, which takes the decoder's short way, or one
for each byte, which never does. What is in it is read a second time by `reference`.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from anthropic.types import Message
from anthropic.types.beta import BetaMessage

from claude_stream import StreamError, StreamProtocolError, from_ndjson, from_sse, iter_text
from claude_stream._wire.ndjson import NDJSONDecoder
from claude_stream._wire.sse import SSEDecoder
from claude_stream.testing import Recording, replay
from tests.fuzz.events import ITERATORS, Case, Given, judge
from tests.fuzz.mutator import Mutator
from tests.fuzz.reading import Run, aread, assert_agree, read, same
from tests.fuzz.reference import events_in_lines, events_in_sse, fold

_WEIRD = re.compile(
    rb"\d{4000}|\[{99}|(\{[^{}]*){99}|_fields_set|__cls|self|cls|model_|__dict__|_request_id|NaN|Infinity|\de\d{3}"
)
"""What the mutator's weird values look like, in a body, wherever it came from."""


def is_weird(body: bytes) -> bool:
    """Whether there is something in a body whose end the reference does not know."""
    return _WEIRD.search(body) is not None


class Body:
    """A decoder of bodies, compared with the reference's, and with itself on other chunks."""

    def __init__(
        self, read: Callable[..., Any], decoder: type[Any], decode: Callable[[bytes], list[Any]], end: bytes
    ) -> None:
        self.name = read.__name__
        self._read = read
        self._decoder = decoder
        self._decode = decode
        self._end = end

    def case(self, mutator: Mutator) -> Case:
        """Return an example: the whole body."""
        body = mutator.sse() if self._read is from_sse else mutator.ndjson()
        return self.of(body, mutator.dice.getrandbits(32))

    @staticmethod
    def of(body: bytes, seed: int) -> Case:
        """Return the example of a body."""
        return Case([body], seed, is_weird(body))

    def check(self, case: Case, run: Run) -> None:
        """Read it whole, event by event, and cut anywhere; in sync and on asyncio."""
        dice = random.Random(case.seed)
        body = b"".join(case.items)
        events = self._decode(body)
        beta = dice.random() < 0.3
        stream = Given(events, events, fold(events), BetaMessage if beta else Message, case.weird)
        outcome = read(lambda source: self._read(source, beta=beta), [body])
        # A body without a single event is truncated, or none at all, as its lines have it.
        nothing = [StreamProtocolError] if not events else []
        judge(outcome, stream, stream.expected.error, *nothing)
        if not stream.weird:
            kinds = [event["type"] for event in stream.expected.passed]
            assert [item.type for item in outcome.items] == kinds, "events are missing, or more than there were"
        chunks = Mutator(dice, []).chunks(body)
        assert_agree(outcome, run(aread(lambda source: self._read(source, beta=beta), chunks)), _typed)
        short = self._decoded(_by_event(body, self._end))
        for chunks in ([body], _by_byte(body), (self._read is from_ndjson and _as_text(body)) or [body]):
            assert same(self._decoded(chunks), short), "event by event, which is the short way, the events are others"

    def _decoded(self, chunks: list[Any]) -> list[Any]:
        decoder = self._decoder()
        items = [item for chunk in chunks for item in decoder.feed(chunk)]
        return [str(item) if isinstance(item, Exception) else item for item in (*items, *decoder.finish())]


def _typed(item: Any) -> Any:
    return type(item), item


def _by_event(body: bytes, end: bytes) -> list[bytes]:
    *whole, rest = body.split(end)
    return [*(each + end for each in whole), rest]


def _by_byte(body: bytes) -> list[bytes]:
    return [body[at : at + 1] for at in range(len(body))] if len(body) < _MANY else [body]


_MANY = 3_000


def _as_text(body: bytes) -> list[str] | None:
    """Return the lines as a file that is open for text gives them, or None if it could not."""
    try:
        lines = body.decode().split("\n")
    except UnicodeDecodeError:
        return None
    return [*(f"{line}\n" for line in lines[:-1]), *filter(None, lines[-1:])]


class Chunkings:
    """A body through any iterator, whole and in other chunks."""

    name = "chunkings"

    def case(self, mutator: Mutator) -> Case:
        """Return an example: a body, in chunks."""
        body = mutator.sse()
        return Case(mutator.chunks(body), mutator.dice.getrandbits(32), is_weird(body))

    def check(self, case: Case, run: Run) -> None:
        """Read it whole and in chunks, and check that nothing is different."""
        del run
        dice = random.Random(case.seed)
        target = dice.choice(ITERATORS)
        options = dice.getrandbits(32)

        def make(source: Any) -> Any:
            return target.make(from_sse(source), random.Random(options))

        outcome = read(make, [b"".join(case.items)])
        error = outcome.error
        assert error is None or isinstance(error, StreamError), f"{type(error).__name__} came out: {error}"
        assert_agree(outcome, read(make, case.items), target.key)


class Load:
    """Files that are, or nearly are, recordings: what is loaded is saved and played as it was."""

    name = "Recording.load"

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()

    def case(self, mutator: Mutator) -> Case:
        """Return an example: a file."""
        dice = mutator.dice
        if dice.random() < 0.25:
            return self.of(mutator.sse(), dice.getrandbits(32))
        lines = [mutator.json(self._header(mutator))]
        timed = dice.random() < 0.5
        for number, event in enumerate(mutator.stream()):
            line: dict[str, Any] = {"at": number / 10} if timed else {}
            line["event"] = event
            if dice.random() < 0.05:
                line = mutator.value() if dice.random() < 0.3 else {**line, dice.choice(_KEYS): mutator.value()}
            lines.append(mutator.json(line))
        if dice.random() < 0.2:
            lines.append(mutator.json({"failure": dice.choice(("connection", "timeout", "news")), "message": "lost"}))
        return self.of(mutator.damaged(b"\n".join(lines)), dice.getrandbits(32))

    @staticmethod
    def _header(mutator: Mutator) -> dict[str, Any]:
        header: dict[str, Any] = {"claude_stream_recording": 1, "status": 200, "content_type": "text/event-stream"}
        if mutator.dice.random() < 0.2:
            header[mutator.dice.choice(_HEADER_KEYS)] = mutator.value()
        return header

    @staticmethod
    def of(body: bytes, seed: int) -> Case:
        """Return the example of a file's content."""
        return Case([body], seed, is_weird(body))

    def check(self, case: Case, run: Run) -> None:
        """Load it, cut it, save it, load it again and play it."""
        del run
        dice = random.Random(case.seed)
        path = Path(self._folder.name, dice.choice(("file.jsonl", "file.jsonl", "file.sse")))
        path.write_bytes(b"".join(case.items))
        loading = read(lambda _: Recording.load(path), [])
        if loading.error is not None:
            assert isinstance(loading.error, ValueError), f"{type(loading.error).__name__} came out: {loading.error}"
            assert path.name in str(loading.error), f"it does not say which file: {loading.error}"
            return
        [recording] = loading.items
        repr(recording)
        again = recording.chunked(dice.choice(("whole", "event", "random", 7)), seed=case.seed)
        assert again.body() == recording.body(), "in other chunks the body is another"
        assert case.weird or again == recording, "in other chunks it is another recording"
        saved = path.with_name("saved.jsonl")
        recording.save(saved)
        loaded = Recording.load(saved)
        if not case.weird:  # such as NaN, which does not equal itself
            assert loaded == recording, "saved and loaded, it is another recording"
            assert_agree(_events_of(recording), _events_of(loaded))
        if recording.content_type == "text/event-stream":
            one, two = (read(lambda _, each=each: iter_text(replay(each, speed=0)), []) for each in (recording, loaded))
            assert one.error is None or isinstance(one.error, StreamError)
            assert_agree(one, two)


def _events_of(recording: Recording) -> Any:
    def make(_: Any) -> Any:
        try:
            return recording.events()
        except StreamProtocolError as exc:
            return str(exc)

    return read(make, [])


_KEYS = ("at", "event", "raw", "failure", "message", "news")
_HEADER_KEYS = ("claude_stream_recording", "status", "content_type", "headers", "sdk", "model", "news")

BODIES: list[Body | Load] = [
    Body(from_sse, SSEDecoder, events_in_sse, b"\n\n"),
    Body(from_ndjson, NDJSONDecoder, events_in_lines, b"\n"),
    Load(),
]
