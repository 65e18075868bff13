"""All that a person or an agent looks at, in one pass: a small object for each thing, made for `match`.

The law: what the iterators for one thing each give, in the order in which it came, and by their rules: a tool call is
among the parts only when it is safe to run, and the last part comes only if the message is whole.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias

from anthropic.types import ToolUseBlock
from anthropic.types.beta import BetaToolUseBlock

from .._json import Wire, is_array, is_count, is_object
from .._step import Step
from .._usage import Usage
from .._wire.events import initial_content, to_event
from .blocks import ToolInput, ToolInputs
from .builder import JUDGED, MessageBuilder
from .param import is_server_tool
from .text import Strings


@dataclasses.dataclass(frozen=True)
class TextPart:
    """A piece of text of the content block at ``index``, as it arrived.

    Example:
        >>> from claude_stream import TextPart, iter_parts
        >>> [part.text for part in iter_parts(events) if isinstance(part, TextPart)]
        ['Hello, ', 'world!']
    """

    text: str
    index: int
    type: Literal["text"] = "text"


@dataclasses.dataclass(frozen=True)
class ThinkingPart:
    """A piece of thinking, or the sign that thinking goes on.

    One without text comes when a block of thinking begins: the model may keep the text to itself. Where the API sends
    estimates, ``estimated_tokens`` is how many tokens this piece stands for; sum them up for a progress bar. They are
    coarse, and no count of the bill.

    Example:
        >>> from claude_stream import ThinkingPart
        >>> ThinkingPart("", 0).text
        ''
    """

    text: str
    index: int
    estimated_tokens: int | None = None
    type: Literal["thinking"] = "thinking"


@dataclasses.dataclass(frozen=True)
class CitationPart:
    """A citation of the text block at ``index``, as the SDK's object.

    Example:
        >>> from claude_stream import CitationPart, iter_parts
        >>> [part.citation for part in iter_parts(events) if isinstance(part, CitationPart)]
        []
    """

    citation: Any
    index: int
    type: Literal["citation"] = "citation"


@dataclasses.dataclass(frozen=True)
class ToolCallPart:
    """A tool call that your program has to answer; see `iter_tool_calls`.

    Example:
        >>> from claude_stream import ToolCallPart, iter_parts
        >>> [part.call.name for part in iter_parts(tool_events) if isinstance(part, ToolCallPart)]
        ['get_weather']
    """

    call: ToolUseBlock | BetaToolUseBlock
    index: int
    type: Literal["tool_call"] = "tool_call"


@dataclasses.dataclass(frozen=True)
class ServerToolPart:
    """A call of one of the server's own tools, or its result, as the SDK's content block, once that is whole.

    Example:
        >>> from claude_stream import ServerToolPart, iter_parts
        >>> [part.block.type for part in iter_parts(events) if isinstance(part, ServerToolPart)]
        []
    """

    block: Any
    index: int
    type: Literal["server_tool"] = "server_tool"


@dataclasses.dataclass(frozen=True)
class FallbackPart:
    """Another model has taken over: tool calls and thinking in front of this are void, the text stays.

    Example:
        >>> from claude_stream import FallbackPart
        >>> FallbackPart("claude-a", "claude-b", None, 0).to_model
        'claude-b'
    """

    from_model: str | None
    to_model: str | None
    category: str | None
    """The category of the refusal, if the API names one."""
    index: int
    type: Literal["fallback"] = "fallback"


@dataclasses.dataclass(frozen=True)
class DonePart:
    """The message is complete: why it ended, and what it used. The last part, and in no broken stream.

    Example:
        >>> from claude_stream import DonePart, iter_parts
        >>> [part.stop_reason for part in iter_parts(events) if isinstance(part, DonePart)]
        ['end_turn']
    """

    stop_reason: str | None
    usage: Usage
    index: None = None
    type: Literal["done"] = "done"


Part: TypeAlias = (
    TextPart | ThinkingPart | CitationPart | ToolInput | ToolCallPart | ServerToolPart | FallbackPart | DonePart
)
"""Any of the classes that `iter_parts` gives."""


class Parts(Step[Wire, Any]):
    """Wire dicts in, parts out.

    Args:
        builder: the one that is fed before this step, and holds the blocks.
    """

    frames = "part"

    def __init__(self, builder: MessageBuilder) -> None:
        self._builder = builder
        self._text = Strings(builder, "text")
        self._thinking = Strings(builder, "thinking")
        self._inputs = ToolInputs(builder)
        self._called = False

    def begin(self) -> Iterable[Any]:
        """Return the tool calls of a message that is complete already."""
        self._inputs.begin()
        return self._calls() if self._builder.complete else ()

    def feed(self, item: Wire) -> Iterable[Any]:
        """Take one event and return the parts that come of it."""
        kind = item["type"]
        if kind == "content_block_delta":
            return self._grow(item, item["index"], item["delta"])
        if kind == "content_block_start":
            return self._start(item["index"], item["content_block"])
        if kind == "message_start":
            return self._initial(initial_content(item))
        if kind == "content_block_stop":
            return (*self._stop(item["index"]), *self._ended())
        return self._ended()

    def finish(self) -> Iterable[Any]:
        """Return what comes last, if the stream ended well."""
        yield from self._calls()
        if self._builder.complete:
            yield DonePart(self._builder.guard.stop_reason, self._builder.usage)

    def _initial(self, blocks: Iterable[Wire]) -> Iterator[Any]:
        for index, block in enumerate(blocks):
            yield from self._start(index, block)
            yield from self._stop(index)

    def _start(self, index: int, block: Wire) -> Iterator[Any]:
        kind = block["type"]
        if kind == "text":
            if block.get("text"):
                yield TextPart(block["text"], index)
            if is_array(citations := block.get("citations")):
                yield from (self._citation(index, citation) for citation in citations)
        elif kind in ("thinking", "redacted_thinking"):
            yield ThinkingPart((kind == "thinking" and block.get(kind)) or "", index)
        elif kind == "fallback":
            yield FallbackPart(
                _field_of(block, "from", "model"),
                _field_of(block, "to", "model"),
                _field_of(block, "trigger", "category"),
                index,
            )

    def _grow(self, item: Wire, index: int, delta: Wire) -> Iterator[Any]:
        kind = self._builder.blocks[index].type
        if kind == "text":
            for text in self._text.feed(item):
                yield TextPart(text, index)
            if delta.get("type") == "citations_delta":
                yield self._citation(index, delta.get("citation"))
        elif kind == "thinking":
            estimated = delta.get("estimated_tokens")
            tokens = estimated if is_count(estimated) else None
            text = "".join(self._thinking.feed(item))
            if text or tokens is not None:
                yield ThinkingPart(text, index, tokens)
        else:
            yield from self._inputs.feed(item)

    def _citation(self, index: int, citation: Any) -> CitationPart:
        delta = {"type": "citations_delta", "citation": citation}
        event: Any = to_event({"type": "content_block_delta", "index": index, "delta": delta}, beta=self._builder.beta)
        return CitationPart(event.delta.citation, index)

    def _stop(self, index: int) -> Iterable[Any]:
        if is_server_tool(self._builder.blocks[index].type):
            return (ServerToolPart(self._builder.block(index), index),)
        return ()

    def _ended(self) -> Iterable[Any]:
        return self._calls() if self._builder.complete else ()

    def _calls(self) -> Iterable[Any]:
        """Return the tool calls, all together, once."""
        if self._called or self._builder.guard.stop_reason not in JUDGED:
            return ()
        self._called = True
        return [ToolCallPart(self._builder.block(index), index) for index in self._builder.calls_to_answer()]


def _field_of(block: Wire, name: str, field: str) -> str | None:
    info = block.get(name)
    value = info.get(field) if is_object(info) else None
    return value if isinstance(value, str) else None
