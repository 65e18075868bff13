"""Response bodies to read, and what is true of each.

The law: one event a chunk, as the API writes them, and no two deltas alike, so that no cache of strings helps
anybody. Every body knows what a right reading of it gives; nothing is taken from a reader.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from claude_stream.testing import Recording, message_events

PROOF_EVENTS = 1_000
"""How many deltas a body has at most that is read to prove equal work."""

TOOL_80_KB = 4_000
"""How many deltas of `INPUT_SIZE` characters that is."""

INPUT_SIZE = 20
_TEXT_SIZE = 6


@dataclasses.dataclass(frozen=True, eq=False)
class Body:
    """A whole body.

    Args:
        chunks: one event each. A tuple of bytes, which the garbage collector does not look at.
        text: all of its text.
        calls: the inputs of its tool calls.
        proof: the body of the same kind that is read to prove equal work; None stands for this one.
    """

    chunks: tuple[bytes, ...]
    text: str = ""
    calls: tuple[Mapping[str, Any], ...] = ()
    proof: Body | None = None

    @property
    def events(self) -> int:
        """How many events it has."""
        return len(self.chunks)

    @functools.cached_property
    def wires(self) -> dict[bytes, dict[str, Any]]:
        """The event of each chunk, parsed."""
        return {chunk: json.loads(chunk.partition(b"\ndata: ")[2]) for chunk in self.chunks}

    @functools.cached_property
    def facts(self) -> dict[str, object]:
        """What a reader may find in it."""
        return {
            "events": self.events,
            "bytes": sum(map(len, self.chunks)),
            "text": self.text,
            "calls": list(self.calls),
            "usage": (10, 12),
        }


def text_body(deltas: int) -> Body:
    """Return a body of so many text deltas of six characters."""
    text = "".join(map(piece, range(deltas)))
    proof = text_body(PROOF_EVENTS) if deltas > PROOF_EVENTS else None
    return Body(tuple(text_chunks(deltas)), text=text, proof=proof)


def text_chunks(deltas: int) -> Iterator[bytes]:
    """Yield the chunks of `text_body` one by one, for who must not hold them all."""
    start, end = _frame()
    yield from start
    for number in range(deltas):
        yield (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
            b'"delta":{"type":"text_delta","text":"%06x"}}\n\n' % number
        )
    yield from end


def piece(number: int) -> str:
    """Return the text of one delta."""
    return f"{number:0{_TEXT_SIZE}x}"


def spaced(number: int) -> str:
    """Return a number as the table shows it, 10 000."""
    return f"{number:_}".replace("_", " ")


def _frame() -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    # A block of text without a delta. Two processes compare how many bytes it has, so its id is said.
    chunks = Recording.from_events(message_events("", id="msg_benchmark")).chunks
    return chunks[:2], chunks[2:]


def tool_body(shape: str, deltas: int) -> Body:
    """Return a body of one tool call, whose input has one of the `SHAPES` and about so many deltas of 20 characters."""
    tool_input = input_of(shape, deltas * INPUT_SIZE)
    events = message_events(("tool", tool_input), chunk=INPUT_SIZE)
    proof = tool_body(shape, PROOF_EVENTS) if deltas > PROOF_EVENTS else None
    return Body(Recording.from_events(events).chunks, calls=(tool_input,), proof=proof)


SHAPES: dict[str, Any] = {
    # name -> (the input with these items, an item)
    "file": (
        lambda items: {"path": "a.py", "content": "".join(items)},
        lambda number: f"    value_{number} = compute({number})\n",
    ),
    "edits": (
        lambda items: {"path": "a.py", "edits": items},
        lambda number: {"line": number, "old": f"x = compute({number})", "new": f"x = compute({number + 1})"},
    ),
    "settings": (dict, lambda number: (f"key {number}", number)),
    "rows": (
        lambda items: {"rows": items},
        lambda number: {"id": number, "name": f"item {number}", "price": number * 1.25, "tags": ["a", "b"]},
    ),
}
"""The shapes of tool inputs.

How long the SDK takes depends on the shape, since it parses the whole buffer again at each delta: one long string
("file") is skipped over, many small values ("rows") are each built. All four are shown.
"""

SHAPE = "settings"
"""The one that the target is for. It is neither the best case nor the worst: here the SDK's helper takes about 20 times
as long as its bare iteration, as it did where the target was set.
"""


def input_of(shape: str, characters: int) -> dict[str, Any]:
    """Return an input of that shape whose JSON is about so long."""
    build, item = SHAPES[shape]
    whole: dict[str, Any] = {}
    count = characters // 20  # a guess, which the length that it leads to corrects: later items are longer
    for _ in range(3):
        whole = build([item(number) for number in range(count)])
        count = max(1, count * characters // len(json.dumps(whole)))
    return whole
