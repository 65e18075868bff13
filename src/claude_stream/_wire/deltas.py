"""The short way across the border, for the deltas of one string that nearly every event of a stream is.

The law: an object made here is the one that pydantic makes of the same JSON, in its class, its fields
and their order, the set of fields that were given and what is kept beside them; a dict made here is
the one that pydantic's serializer makes of the object. It holds for the shapes in `DELTAS` and, one
way, for the SDK's events that are given all their fields. What has one thing more or less is None
here, and takes the long way in `events`.

Pydantic takes three to ten times as long. tests/wire/test_deltas.py holds every shape to the law, on each SDK
that is supported, so that it fails when the SDK's classes change.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import anthropic
import pydantic
from anthropic import types
from anthropic.types import beta as beta_types

from .._json import OBJECT, Wire

# What makes an instance of a pydantic model, and all that does: these four slots.
_slots: dict[str, Any] = vars(pydantic.BaseModel)  # type: ignore[assignment]  # their `__set__` is in no type
_set_fields = _slots["__dict__"].__set__
_set_fields_set = _slots["__pydantic_fields_set__"].__set__
_set_extra = _slots["__pydantic_extra__"].__set__
_set_private = _slots["__pydantic_private__"].__set__
_new = object.__new__


class SourcedEvent(Wire):
    """A wire dict that remembers the object it was made from, so that the same one is handed out."""

    __slots__ = ("source",)

    source: anthropic.BaseModel


# The one string that each known delta carries.
# Source: https://docs.claude.com/en/docs/build-with-claude/streaming#content-block-delta-types
DELTA_STRINGS: dict[object, str] = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
    "signature_delta": "signature",
}


class Shape:
    """Makes objects of one class.

    Args:
        cls: a class of the SDK whose fields have plain values for defaults, and which does nothing when it is made.
    """

    __slots__ = ("_cls", "_defaults")

    def __init__(self, cls: type[anthropic.BaseModel]) -> None:
        self._cls = cls
        self._defaults = {name: field.default for name, field in cls.model_fields.items()}

    def make(self, given: dict[str, Any]) -> Any:
        """Return an object with these fields; all that have no default must be among them."""
        made = _new(self._cls)
        _set_fields(made, {**self._defaults, **given})
        _set_fields_set(made, {*given})
        _set_extra(made, {})
        _set_private(made, None)
        return made


class Delta(NamedTuple):
    """The classes for one type of delta."""

    stable: type[anthropic.BaseModel]
    beta: type[anthropic.BaseModel]


DELTAS: dict[str, Delta] = {
    "text_delta": Delta(types.TextDelta, beta_types.BetaTextDelta),
    "thinking_delta": Delta(types.ThinkingDelta, beta_types.BetaThinkingDelta),
    "input_json_delta": Delta(types.InputJSONDelta, beta_types.BetaInputJSONDelta),
    "signature_delta": Delta(types.SignatureDelta, beta_types.BetaSignatureDelta),
}
EVENTS = Delta(types.RawContentBlockDeltaEvent, beta_types.BetaRawContentBlockDeltaEvent)

_event_shapes = {False: Shape(EVENTS.stable), True: Shape(EVENTS.beta)}
_delta_shapes = {
    (kind, beta): Shape(delta.beta if beta else delta.stable)
    for kind, delta in DELTAS.items()
    for beta in (False, True)
}

_event_classes = frozenset(EVENTS)
_known_deltas: dict[Any, tuple[str, str]] = {
    cls: (kind, DELTA_STRINGS[kind]) for kind, delta in DELTAS.items() for cls in delta
}


def event_of(wire: Any, *, beta: bool) -> Any:
    """Return the SDK's object for a wire dict, or None if it is no delta of one string and nothing else."""
    delta = wire.get("delta")
    if type(delta) is not OBJECT or len(delta) != 2 or len(wire) != 3:
        return None
    kind, index = delta.get("type"), wire.get("index")
    if type(kind) is not str or type(index) is not int or wire["type"] != "content_block_delta":
        return None
    field = DELTA_STRINGS.get(kind)
    if field is None or type(delta.get(field)) is not str:
        return None
    inner = _delta_shapes[kind, beta].make(delta)
    return _event_shapes[beta].make({"type": "content_block_delta", "index": index, "delta": inner})


def wire_of(event: Any, sourced: bool = True) -> Wire | None:
    """Return the wire dict of one of the SDK's objects, or None if it is no delta of one string and nothing else.

    Args:
        event: any object.
        sourced: make a `SourcedEvent` of it, which takes longer.
    """
    if type(event) not in _event_classes:
        return None
    delta: Any = event.delta
    known = _known_deltas.get(type(delta))
    if known is None or event.__pydantic_extra__ or delta.__pydantic_extra__:
        return None
    kind, field = known
    if delta.type != kind or len(delta.__pydantic_fields_set__) != 2 or len(event.__pydantic_fields_set__) != 3:
        return None
    if event.type != "content_block_delta":
        return None
    wire = {"type": "content_block_delta", "index": event.index, "delta": {"type": kind, field: getattr(delta, field)}}
    if not sourced:
        return wire
    remembering = SourcedEvent(wire)
    remembering.source = event
    return remembering


def piece_of(event: Any, index: object, kind: object) -> Any:
    """Return the string of one of the SDK's objects if it is a delta of this kind for this block, and nothing else.

    The same tests as in `wire_of`, for who needs no dict; reading the fields at once takes half the time.
    """
    if type(event) not in _event_classes:
        return None
    fields = event.__dict__
    try:
        delta = fields["delta"]
        inner = delta.__dict__
        if (
            fields["index"] is not index
            or fields["type"] != "content_block_delta"
            or inner["type"] != kind
            or (known := _known_deltas[type(delta)])[0] != kind
            or delta.__pydantic_extra__
            or event.__pydantic_extra__
            or len(delta.__pydantic_fields_set__) != 2
            or len(event.__pydantic_fields_set__) != 3
        ):
            return None
        piece = inner[known[1]]
    except (KeyError, AttributeError):  # it lacks something, or is another kind of delta
        return None
    return piece if type(piece) is str else None
