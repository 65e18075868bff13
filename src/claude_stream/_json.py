"""Plain JSON data, as it comes off the wire: its types, telling what it is, copying it, showing it in a message."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeGuard

Wire: TypeAlias = dict[str, Any]
"""One event inside this library: the JSON object that the API sent."""

OBJECT: Any = dict
"""What the type of a JSON object is, for where calling `is_object` costs too much. It does not narrow the type."""


def is_object(value: object) -> TypeGuard[Wire]:
    """Return whether the value is a JSON object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Return whether the value is a JSON array."""
    return isinstance(value, list)


def copy_json(value: Any) -> Any:
    """Return a deep copy, several times faster than `copy.deepcopy`, which has to expect more than JSON."""
    if is_object(value):
        return {key: copy_json(item) if isinstance(item, (dict, list)) else item for key, item in value.items()}
    if is_array(value):
        return [copy_json(item) if isinstance(item, (dict, list)) else item for item in value]
    return value


def excerpt(value: object, limit: int = 200) -> str:
    """Return what an error message may show of a value that it complains about."""
    try:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else repr(value)
    except (ValueError, RecursionError):  # a number of more digits than Python shows, or nesting without end
        text = f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
