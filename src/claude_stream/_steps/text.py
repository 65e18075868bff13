"""The strings of a stream: text and thinking.

The law: joined, the chunks are exactly the string of the final message, which includes what a
content block starts with; a chunk leaves as soon as its event has come. What a delta belongs to is
told by its block, whatever the type of the delta.
"""

from __future__ import annotations

from collections.abc import Iterable

from .._json import Wire
from .._step import Step
from .._wire.events import initial_content
from .builder import MessageBuilder


class Strings(Step[Wire, str]):
    """Wire dicts in, non-empty chunks of one kind of block out.

    Args:
        builder: the one that is fed before this step, and knows the blocks.
        block_type: the type of block, which is also the name of the field that holds its string.
        separator: goes between two blocks.
    """

    def __init__(self, builder: MessageBuilder, block_type: str, separator: str = "") -> None:
        self._builder = builder
        self._type = self.frames = block_type
        self._separator = separator
        self._started = False
        self._index: int | None = None  # of the last block that was of this type

    def feed(self, item: Wire) -> Iterable[str]:
        """Take one event and return what it adds."""
        kind = item["type"]
        if kind == "content_block_delta":
            index: int = item["index"]
            if index is not self._index:
                if self._builder.blocks[index].type != self._type:
                    return ()
                self._index = index
            text = item["delta"].get(self._type)
            if text and type(text) is str:
                return (text,)
        elif kind == "content_block_start":
            return self._start(item["content_block"])
        elif kind == "message_start":
            return [text for block in initial_content(item) for text in self._start(block)]
        return ()

    def _start(self, block: Wire) -> Iterable[str]:
        if block["type"] != self._type:
            return ()
        text = (self._separator if self._started else "") + (block.get(self._type) or "")
        self._started = True
        return (text,) if text else ()
