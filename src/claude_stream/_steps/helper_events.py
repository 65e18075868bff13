"""The events of the SDK's `MessageStream`: the API's, and those that it puts between them.

The law: nothing is built that nobody looks at. This is called with one wire dict at a time, only
while somebody iterates the events, and gives the SDK's own classes with the SDK's own fields.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

import anthropic
import pydantic
from anthropic.lib.streaming import (
    BetaMessageStreamEvent,
    MessageStreamEvent,
    ParsedBetaContentBlockStopEvent,
    ParsedBetaMessageStopEvent,
    ParsedContentBlockStopEvent,
    ParsedMessageStopEvent,
)

from .._json import Wire
from .._step import Step
from .._wire.deltas import Shape
from .._wire.events import to_event
from .builder import MessageBuilder


def _by_type(union: Any) -> dict[str, type[anthropic.BaseModel]]:
    """Return the classes of one of the SDK's unions of events; some have no public name of their own."""
    return {get_args(cls.model_fields["type"].annotation)[0]: cls for cls in get_args(get_args(union)[0])}


_STABLE: dict[str, type[anthropic.BaseModel]] = {
    **_by_type(MessageStreamEvent),
    "content_block_stop": ParsedContentBlockStopEvent,
    "message_stop": ParsedMessageStopEvent,
}
_BETA: dict[str, type[anthropic.BaseModel]] = {
    **_by_type(BetaMessageStreamEvent),
    "content_block_stop": ParsedBetaContentBlockStopEvent,
    "message_stop": ParsedBetaMessageStopEvent,
}
_SHAPES = {
    False: {kind: Shape(cls) for kind, cls in _STABLE.items()},
    True: {kind: Shape(cls) for kind, cls in _BETA.items()},
}
_TOOL_BLOCKS = {False: ("tool_use", "server_tool_use"), True: ("tool_use", "server_tool_use", "mcp_tool_use")}


_LATER = "snapshot, later"
_fields: Any = vars(pydantic.BaseModel)["__dict__"]  # what holds the fields of an object, below the property here


def _lazy(cls: Any) -> Any:
    """Return a class for events about a tool's input that parse it when somebody looks at their snapshot.

    The SDK parses the whole input at each of its pieces. These events say that they are of the SDK's class, and have
    all of its fields as soon as their fields are asked for, by pydantic, too.
    """

    def fields(event: Any) -> dict[str, Any]:
        known: dict[str, Any] = _fields.__get__(event)
        if _LATER in known:
            known["snapshot"] = known.pop(_LATER)()
        return known

    def missing(event: Any, name: str) -> Any:
        return fields(event)["snapshot"] if name == "snapshot" else cls.__getattr__(event, name)

    def reduced(event: Any) -> Any:
        return functools.partial(cls.construct, **fields(event)), ()

    members = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__getattr__": missing,
        "__dict__": property(fields, _fields.__set__),
        "__class__": property(lambda _: cls),
        "__reduce__": reduced,
    }
    return type(cls)(cls.__name__, (cls,), members)


_INPUTS = {beta: Shape(_lazy(classes["input_json"])) for beta, classes in ((False, _STABLE), (True, _BETA))}


class HelperEvents(Step[Wire, Any]):
    """Wire dicts in, the events of the SDK's `MessageStream` out.

    Args:
        builder: the one that was fed with the event before.
        final: gives the final message, for the event that carries it.
        block: gives a finished content block, for the event that carries it.
    """

    def __init__(self, builder: MessageBuilder, final: Callable[[], Any], block: Callable[[int], Any]) -> None:
        self._builder = builder
        self._final = final
        self._block = block
        self._strings: dict[tuple[int, str], str] = {}  # the last snapshots, as long as no event is skipped
        self._lengths: dict[int, int] = {}  # of the inputs that they are the snapshots of
        self._events = 0  # how many there were when the last one was made

    def feed(self, item: Wire) -> Iterable[Any]:
        """Return what the SDK's helper yields for one event: the event, and perhaps one of its own."""
        kind = item["type"]
        events = self._builder.guard.events
        if events != self._events + 1:
            self._strings.clear()
            self._lengths.clear()
        self._events = events
        if kind == "ping":
            return ()  # the SDK swallows it
        if kind == "content_block_stop":
            block = self._block(item["index"])
            return (self._build(kind, type=kind, index=item["index"], content_block=block),)
        if kind == "message_stop":
            return (self._build(kind, type=kind, message=self._final()),)
        event: Any = to_event(item, beta=self._builder.beta)
        if kind != "content_block_delta":
            return (event,)
        added = self._added(item["index"], item["delta"], event)
        return (event,) if added is None else self._both(event, added)

    def _both(self, event: Any, added: Any) -> Iterator[Any]:
        yield event
        if self._events == self._builder.guard.events:
            yield added  # else another view has read on meanwhile, and it is void

    def _added(self, index: int, delta: Wire, event: Any) -> Any:
        block = self._builder.blocks[index]
        kind = delta.get("type")
        if kind == "text_delta" and block.type == "text":
            return self._build("text", type="text", text=delta["text"], snapshot=self._string(index, "text", delta))
        if kind == "thinking_delta" and block.type == "thinking":
            snapshot = self._string(index, "thinking", delta)
            return self._build("thinking", type="thinking", thinking=delta["thinking"], snapshot=snapshot)
        if kind == "signature_delta" and block.type == "thinking":
            return self._build("signature", type="signature", signature=delta["signature"])
        if kind == "input_json_delta" and block.type in _TOOL_BLOCKS[self._builder.beta]:
            piece = delta["partial_json"]
            later = functools.partial(block.input_at, self._length(index, piece))
            made = _INPUTS[self._builder.beta].make({"type": "input_json", "partial_json": piece, "snapshot": later})
            fields = _fields.__get__(made)
            fields[_LATER] = fields.pop("snapshot")
            return made
        if kind == "citations_delta" and block.type == "text":
            citations = self._builder.block(index).citations
            return self._build("citation", type="citation", citation=event.delta.citation, snapshot=citations)
        if kind == "compaction_delta" and block.type == "compaction" and self._builder.beta:
            merged = block.merged()
            return self._build(
                "compaction",
                type="compaction",
                content=merged.get("content"),
                encrypted_content=merged.get("encrypted_content"),
            )
        return None

    def _string(self, index: int, field: str, delta: Wire) -> str:
        """Return the string so far, kept here because joining it again for each event would cost more."""
        key = (index, field)
        before = self._strings.get(key)
        now = self._builder.blocks[index].string(field) if before is None else before + str(delta[field])
        self._strings[key] = now
        return now

    def _length(self, index: int, piece: str) -> int:
        """Return how many characters of an input have come: adding up takes no look at all of them."""
        before = self._lengths.get(index)
        now = len(self._builder.blocks[index].raw) if before is None else before + len(piece)
        self._lengths[index] = now
        return now

    def _build(self, kind: str, **fields: Any) -> Any:
        # The objects among the fields are finished: the SDK's constructor would build them a second time.
        return _SHAPES[self._builder.beta][kind].make(fields)
