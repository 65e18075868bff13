"""Whole content blocks, whole tool calls, and the inputs of tool calls as they grow.

The law: a tool call is handed out only when it is certain to be whole. Its input was parsed
strictly, and where the input is empty or bad, the stop reason decides, so such a call waits for it.
Blocks come in the order of the message, so those behind it wait, too; tool calls alone do not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import jiter

from ._errors import ToolInputError
from ._json import excerpt
from ._message import CALLING, Accumulator
from ._step import Step


class Blocks(Step):
    """Wire dicts in, the SDK's content blocks out, each when it is whole.

    Args:
        accumulator: the one that is fed before this step, and holds the blocks.
        only_tool_calls: leave out all blocks but ``tool_use``.
    """

    def __init__(self, accumulator: Accumulator[Any], *, only_tool_calls: bool = False) -> None:
        self._accumulator = accumulator
        self._only_tool_calls = only_tool_calls
        self._closed: deque[int] = deque()

    def feed(self, item: dict[str, Any]) -> Iterable[Any]:
        """Take one event and return the blocks that it makes whole."""
        kind = item["type"]
        if kind == "content_block_stop":
            return self._close([item["index"]])
        if kind == "message_delta":
            return self._release()
        if kind == "message_start":
            return self._close(range(len(self._accumulator.blocks)))
        return ()

    def replay(self) -> Iterable[Any]:
        """Return the blocks that were whole before this step saw its first event."""
        return self._close(i for i, block in enumerate(self._accumulator.blocks) if not block.open)

    def _close(self, indexes: Iterable[int], *, ended: bool = False) -> Iterator[Any]:
        blocks = self._accumulator.blocks
        self._closed.extend(i for i in indexes if not self._only_tool_calls or blocks[i].type == "tool_use")
        return self._release(ended=ended)

    def _release(self, *, ended: bool = False) -> Iterator[Any]:
        stop_reason = self._accumulator.guard.stop_reason
        undecided: list[int] = []
        while self._closed and not (undecided and not self._only_tool_calls):
            index = self._closed.popleft()
            block = self._accumulator.blocks[index]
            doubtful = block.type == "tool_use" and (block.unusable_input or block.empty_input)
            if doubtful and stop_reason is None and not ended:
                undecided.append(index)
                continue
            if doubtful and (block.unusable_input or stop_reason not in CALLING):
                raise block.input_error()
            yield self._accumulator.block(index)
        self._closed.extendleft(reversed(undecided))

    def finish(self) -> Iterable[Any]:
        """Return the blocks that the message ended without closing; refuse tool calls among them."""
        return self._close((i for i, block in enumerate(self._accumulator.blocks) if block.open), ended=True)


class ToolInput:
    """One piece of the input of a tool call, for showing it while it grows.

    ``index`` is the position of the block in the message, ``id`` and ``name`` are the tool call's,
    ``delta`` is the piece of JSON text, which is often the empty string for the first one.
    """

    __slots__ = ("_count", "_pieces", "delta", "id", "index", "name")

    index: int
    id: str | None
    name: str | None
    delta: str

    def __init__(self, index: int, id: str | None, name: str | None, pieces: list[str]) -> None:  # noqa: A002 - the API's name
        self.index = index
        self.id = id
        self.name = name
        self.delta = pieces[-1]
        self._pieces = pieces
        self._count = len(pieces)

    @property
    def snapshot(self) -> Any:
        """The input as far as it had come with this piece: what of it is certain, parsed; ``{}`` at first.

        Parsed each time it is asked for, and not before.

        Raises:
            ToolInputError: if the text is no beginning of valid JSON.
        """
        raw = "".join(self._pieces[: self._count])
        if not raw.strip():
            return {}
        try:
            return jiter.from_json(raw.encode("utf-8", "surrogatepass"), partial_mode=True)
        except ValueError as exc:
            raise ToolInputError(
                f"the input of the tool call {self.name!r} is not JSON ({exc}): {excerpt(raw)}",
                raw=raw,
                tool_name=self.name,
                tool_use_id=self.id,
            ) from exc

    def __repr__(self) -> str:
        return f"ToolInput(index={self.index!r}, id={self.id!r}, name={self.name!r}, delta={self.delta!r})"


class ToolInputs(Step):
    """Wire dicts in, a `ToolInput` out for each piece of input."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[str | None, str | None, list[str]]] = {}

    def feed(self, item: dict[str, Any]) -> Iterable[ToolInput]:
        """Take one event and return the piece of input in it."""
        kind = item["type"]
        if kind == "content_block_start":
            block = item["content_block"]
            self._calls[item["index"]] = (block.get("id"), block.get("name"), [])
        elif kind == "content_block_delta" and item["delta"].get("type") == "input_json_delta":
            call_id, name, pieces = self._calls[item["index"]]
            pieces.append(item["delta"]["partial_json"])
            return (ToolInput(item["index"], call_id, name, pieces),)
        return ()
