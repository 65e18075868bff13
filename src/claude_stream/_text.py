"""The strings of a stream: text and thinking.

The law: joined, the chunks are exactly the string of the final message, which includes what a
content block starts with; a chunk leaves as soon as its event has come.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ._events import initial_content
from ._step import Step


class Strings(Step):
    """Wire dicts in, non-empty chunks of one kind of block out.

    Args:
        block_type: the type of block, which is also the name of the field that holds its string.
        separator: goes between two blocks.
    """

    def __init__(self, block_type: str, separator: str = "") -> None:
        self._type = block_type
        self._separator = separator
        self._indexes: set[int] = set()  # of the blocks of this type, whatever the types of their deltas

    def feed(self, item: dict[str, Any]) -> Iterable[str]:
        """Take one event and return what it adds."""
        kind = item["type"]
        if kind == "content_block_delta":
            if item["index"] in self._indexes:
                text = item["delta"].get(self._type)
                if text and type(text) is str:
                    return (text,)
        elif kind == "content_block_start":
            return self._start(item["index"], item["content_block"])
        elif kind == "message_start":
            return [text for at, block in enumerate(initial_content(item)) for text in self._start(at, block)]
        return ()

    def _start(self, index: int, block: dict[str, Any]) -> Iterable[str]:
        if block["type"] != self._type:
            return ()
        text = (self._separator if self._indexes else "") + (block.get(self._type) or "")
        self._indexes.add(index)
        return (text,) if text else ()
