"""Whole content blocks, whole tool calls, and the inputs of tool calls as they grow.

The law: a tool call is handed out only when it is certain to be whole and meant to be answered. Its input was
parsed strictly, and the stop reason decides the rest: the calls of a message go out together, once it is complete,
because a refusal, a fallback or a cut that comes later voids those in front of it. Who asks for them sooner
(``eager``) gets each as it closes, and is told what that means.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Literal

import jiter

from .._errors import ToolInputError
from .._json import Wire, excerpt
from .._step import Step
from .._wire.events import initial_content
from .block import Block
from .builder import CALLING, JUDGED, MessageBuilder


class Blocks(Step[Wire, Any]):
    """Wire dicts in, the SDK's content blocks out, each when it is whole, in the order of the message.

    Args:
        builder: the one that is fed before this step, and holds the blocks.
    """

    def __init__(self, builder: MessageBuilder) -> None:
        self._builder = builder
        self._closed: deque[int] = deque()

    def begin(self) -> Iterable[Any]:
        """Return the blocks that were whole before this step saw its first event."""
        return self._close(i for i, block in enumerate(self._builder.blocks) if not block.open)

    def feed(self, item: Wire) -> Iterable[Any]:
        """Take one event and return the blocks that it makes whole."""
        kind = item["type"]
        if kind == "content_block_stop":
            return self._close([item["index"]])
        if kind == "message_delta":
            return self._release()
        if kind == "message_start":
            # Those that it brings along: the builder may be ahead of us, where events are held back.
            return self._close(range(len(initial_content(item))))
        return ()

    def finish(self) -> Iterable[Any]:
        """Return the blocks that the message ended without closing; refuse tool calls among them."""
        return self._close((i for i, block in enumerate(self._builder.blocks) if block.open), ended=True)

    def _wants(self, index: int) -> bool:
        del index
        return True

    def _close(self, indexes: Iterable[int], *, ended: bool = False) -> Iterator[Any]:
        self._closed.extend(filter(self._wants, indexes))
        return self._release(ended=ended)

    def _release(self, *, ended: bool = False) -> Iterator[Any]:
        """Yield what is closed, as far as nothing in front of it is in doubt.

        A tool call without input is: its tool may take none, or it was cut at the first byte. So is one whose input
        is of no use. The stop reason decides.
        """
        stop_reason = self._builder.guard.stop_reason
        while self._closed:
            block = self._builder.blocks[self._closed[0]]
            doubtful = block.type == "tool_use" and (block.unusable_input or block.empty_input)
            if doubtful and stop_reason is None and not ended:
                return
            index = self._closed.popleft()
            if doubtful and (block.unusable_input or stop_reason not in CALLING):
                raise block.input_error()
            yield self._hand_out(index)

    def _hand_out(self, index: int) -> Any:
        return self._builder.block(index)


class EagerToolCalls(Blocks):
    """The same for tool calls alone, each as it closes."""

    def _hand_out(self, index: int) -> Any:
        self._builder.handed_out.add(index)  # what was given to somebody to answer goes back with the answer
        return super()._hand_out(index)

    def _wants(self, index: int) -> bool:
        return self._builder.blocks[index].type == "tool_use"


class ToolCalls(Step[Wire, Any]):
    """Wire dicts in, the tool calls to answer out, all together, once the message is complete.

    Args:
        builder: the one that is fed before this step, and holds the blocks.
    """

    def __init__(self, builder: MessageBuilder) -> None:
        self._builder = builder
        self._done = False

    def begin(self) -> Iterable[Any]:
        """Return the calls of a message that is complete already."""
        return self._release() if self._builder.guard.complete else ()

    def feed(self, item: Wire) -> Iterable[Any]:
        """Take one event, and return the calls if it makes the message complete."""
        if item["type"] in ("message_delta", "message_stop", "content_block_stop"):
            return self.begin()
        return ()

    def finish(self) -> Iterable[Any]:
        """Return the calls, if the stream has ended in another way."""
        return self._release()

    def _release(self) -> Iterable[Any]:
        if self._done or self._builder.guard.stop_reason not in JUDGED:
            return ()
        self._done = True
        return map(self._builder.block, self._builder.calls_to_answer())


class ToolInput:
    """One piece of the input of a tool call, for showing it while it grows.

    ``index`` is the position of the block in the message, ``id`` and ``name`` are the tool call's,
    ``delta`` is the piece of JSON text, which is often the empty string for the first one.

    Example:
        >>> from claude_stream import iter_tool_inputs
        >>> for piece in iter_tool_inputs(tool_events):
        ...     print(piece.name, repr(piece.delta), piece.snapshot)
        get_weather '{"city": "Pa' {}
        get_weather 'ris"}' {'city': 'Paris'}
    """

    type: ClassVar[Literal["tool_input"]] = "tool_input"

    __slots__ = ("_block", "_length", "delta", "id", "index", "name")

    index: int
    id: str | None
    name: str | None
    delta: str

    def __init__(self, index: int, block: Block, delta: str, length: int) -> None:
        self.index = index
        self.id = block.get("id")
        self.name = block.get("name")
        self.delta = delta
        # Not the text itself, which would be a copy of the whole for each piece.
        self._block = block
        self._length = length

    @property
    def text(self) -> str:
        """The JSON text of the input as far as it had come with this piece; put together each time."""
        return self._block.raw[: self._length]

    @property
    def snapshot(self) -> Any:
        """The input as far as it had come with this piece: what of it is certain, parsed; ``{}`` at first.

        Parsed each time it is asked for, and not before.

        Raises:
            ToolInputError: if the text is no beginning of valid JSON.
        """
        raw = self.text
        if not raw.strip():
            return {}
        try:
            return jiter.from_json(raw.encode("utf-8", "surrogatepass"), partial_mode=True)
        except ValueError as exc:
            raise ToolInputError(
                f"the input of the tool call {excerpt(self.name)} is not JSON ({exc}): {excerpt(raw)}",
                raw=raw,
                tool_name=self.name,
                tool_use_id=self.id,
            ) from exc

    def __repr__(self) -> str:
        return f"ToolInput(index={self.index!r}, id={self.id!r}, name={self.name!r}, delta={self.delta!r})"


class ToolInputs(Step[Wire, ToolInput]):
    """Wire dicts in, a `ToolInput` out for each piece of input.

    Args:
        builder: the one that is fed before this step, and holds the blocks.
    """

    frames = ToolInput.type

    def __init__(self, builder: MessageBuilder) -> None:
        self._builder = builder
        self._lengths: dict[int, int] = {}  # of the inputs so far, in characters

    def begin(self) -> Iterable[ToolInput]:
        """Take note of what came before this step saw its first event."""
        self._lengths.update((index, len(block.raw)) for index, block in enumerate(self._builder.blocks))
        return ()

    def feed(self, item: Wire) -> Iterable[ToolInput]:
        """Take one event and return the piece of input in it."""
        if item["type"] == "content_block_delta" and item["delta"].get("type") == "input_json_delta":
            index: int = item["index"]
            delta: str = item["delta"]["partial_json"]
            length = self._lengths[index] = self._lengths.get(index, 0) + len(delta)
            return (ToolInput(index, self._builder.blocks[index], delta, length),)
        return ()
