"""What an event is: inside, its wire JSON as a plain dict; outside, the SDK's own object.

Two functions cross the border and are each other's inverse. `to_wire` takes whatever a source
yields and gives the dict that the API sent. `to_event` takes such a dict and gives the very object
that the source yielded, or builds one, and is called only when somebody looks at the event.

Kinds are told apart by ``type`` and never by ``isinstance``: the SDK builds an event of an unknown
type as a `RawMessageStartEvent`, an unknown delta as a `TextDelta`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import NoneType
from typing import Any, TypeGuard, TypeVar, cast

import anthropic
from anthropic import types
from anthropic.types import beta as beta_types

from .._errors import StreamProtocolError
from .._json import Wire, copy_json, excerpt, is_array, is_object
from .deltas import SourcedEvent, event_of, wire_of

ModelT = TypeVar("ModelT", bound=anthropic.BaseModel)

HELPER_MODULE = "anthropic.lib.streaming"


class UnknownEvent(anthropic.BaseModel):
    """An event for which the SDK has no class: a ``ping``, or a type newer than the SDK.

    Every field that the API sent is an attribute, and ``to_dict()`` gives all of them.

    Example:
        >>> from claude_stream import UnknownEvent
        >>> event = UnknownEvent.construct(type="news", headline="hello")
        >>> event.type, event.headline
        ('news', 'hello')
    """

    type: str


def to_wire(item: object) -> Wire | None:
    """Return the wire dict of one item of a source, or None for what the API never sent.

    An item that is an exception is a fault that the step before could not raise without losing the
    events ahead of it; it is raised here.

    Raises:
        StreamProtocolError: if the item is no event.
    """
    if is_object(item):
        wire = item
    elif (delta := wire_of(item)) is not None:
        return delta
    elif isinstance(item, anthropic.BaseModel):
        try:
            dumped = _dump(item)
        except Exception as exc:  # pydantic's limits on depth, text that is no Unicode, fields with fatal names
            raise StreamProtocolError(f"an event that cannot be turned into JSON ({type(exc).__name__})") from exc
        if dumped is None:
            return None
        wire = SourcedEvent(dumped)
        wire.source = item
    elif isinstance(item, Mapping):
        wire = dict(cast("Mapping[str, Any]", item))
    elif isinstance(item, Exception):
        raise item
    else:
        hint = " (raw bytes go through from_sse())" if isinstance(item, (str, bytes)) else ""
        raise StreamProtocolError(f"{type(item).__name__} is not an event{hint}: {excerpt(item)}")
    kind = wire.get("type")
    if kind == "message":
        raise StreamProtocolError("a finished message is not an event: call create() with stream=True")
    if type(kind) is not str:
        raise StreamProtocolError(f"an event without a type: {excerpt(wire)}")
    return wire


def _dump(event: anthropic.BaseModel) -> Wire | None:
    if _made_by_helper(type(event)):
        # The SDK's MessageStream puts events of its own between the API's (`text`, `input_json`, ...),
        # which repeat what the raw event has just said: counting both is the double-counting trap.
        # Its two stop events are the API's, with the finished block or message added.
        kind = getattr(event, "type", None)
        if kind == "content_block_stop":
            return {"type": kind, "index": getattr(event, "index", None)}
        return {"type": kind} if kind == "message_stop" else None
    return event.to_dict(mode="json", warnings=False)


@functools.cache  # as many entries as there are event classes
def _made_by_helper(cls: type[object]) -> bool:
    return any(base.__module__.startswith(HELPER_MODULE) for base in cls.__mro__)


def initial_content(wire: Wire) -> list[Wire]:
    """Return the content blocks that a ``message_start`` brings along: none, in all that was seen so far."""
    content = wire["message"].get("content")
    return content if is_array(content) else []


def is_whole_block(value: object) -> TypeGuard[Wire]:
    """Return whether this is the JSON of a content block, of whatever type, with strings where they have to be."""
    if not is_object(value) or type(value.get("type")) is not str:
        return False
    kind = value["type"]
    return kind not in ("text", "thinking") or isinstance(value.get(kind), (str, NoneType))


def is_beta(wire: Wire) -> bool:
    """Return whether the event was made from one of the SDK's beta objects."""
    return isinstance(wire, SourcedEvent) and type(wire.source).__module__.startswith("anthropic.types.beta")


_STABLE_EVENTS: dict[str, type[anthropic.BaseModel]] = {
    "message_start": types.RawMessageStartEvent,
    "message_delta": types.RawMessageDeltaEvent,
    "message_stop": types.RawMessageStopEvent,
    "content_block_start": types.RawContentBlockStartEvent,
    "content_block_delta": types.RawContentBlockDeltaEvent,
    "content_block_stop": types.RawContentBlockStopEvent,
}


_BETA_EVENTS: dict[str, type[anthropic.BaseModel]] = {
    "message_start": beta_types.BetaRawMessageStartEvent,
    "message_delta": beta_types.BetaRawMessageDeltaEvent,
    "message_stop": beta_types.BetaRawMessageStopEvent,
    "content_block_start": beta_types.BetaRawContentBlockStartEvent,
    "content_block_delta": beta_types.BetaRawContentBlockDeltaEvent,
    "content_block_stop": beta_types.BetaRawContentBlockStopEvent,
}


def to_event(wire: Wire, *, beta: bool = False) -> anthropic.BaseModel:
    """Return the object that the source gave for this event, or build the SDK's own."""
    cls = (_BETA_EVENTS if beta else _STABLE_EVENTS).get(wire["type"], UnknownEvent)
    if isinstance(wire, SourcedEvent) and (cls is not UnknownEvent or isinstance(wire.source, UnknownEvent)):
        return wire.source
    event: anthropic.BaseModel | None = event_of(wire, beta=beta)
    if event is not None:
        return event
    try:
        fields = copy_json(wire)  # an object keeps what it is given, and its holder may change it
    except RecursionError:
        raise StreamProtocolError(f"an event ({wire['type']}) that is nested too deeply for an object") from None
    try:
        return cls.model_validate(fields)  # as the SDK does with the events of a stream
    except Exception:
        return construct(cls, fields)  # as the SDK does with what is not valid


def construct(cls: type[ModelT], fields: dict[str, Any]) -> ModelT:
    """Build one of the SDK's objects, without validation, as the SDK itself does.

    Raises:
        StreamProtocolError: if the SDK cannot, as with fields that have the names of its parameters.
    """
    try:
        return cls.construct(**fields)
    except Exception as exc:
        raise StreamProtocolError(f"the SDK cannot build a {cls.__name__} ({type(exc).__name__}: {exc})") from exc


def with_event(wire: Wire, event: anthropic.BaseModel) -> SourcedEvent:
    """Return the wire dict as one that hands out ``event`` from now on."""
    sourced = SourcedEvent(wire)
    sourced.source = event
    return sourced
