"""Plain JSON data, as on the wire: its types, telling what it is, copying it, reading and writing it, showing it."""

from __future__ import annotations

import json
import sys
from typing import Any, TypeAlias, TypeGuard

import jiter
from pydantic_core import to_json, to_jsonable_python

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


def parse(data: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: if it is none.
    """
    try:
        return jiter.from_json(data)
    except ValueError:
        # The one thing that json allows and jiter does not is half of a surrogate pair. The SDK uses json.
        if rb"\u" not in data:
            raise
    try:
        return json.loads(data.decode())  # else it guesses the encoding, and takes what is no UTF-8
    except RecursionError as exc:  # which jiter has as a ValueError
        raise ValueError("it is nested too deeply") from exc


def to_line(value: Any) -> bytes:
    """Return the value as JSON on one line, whatever its reader takes for the end of a line.

    Some split at U+0085, U+2028 and U+2029 as well, as `str.splitlines` does: those are escaped. What is not a number
    is null, as JavaScript writes it.

    Raises:
        ValueError: if it cannot be written as JSON.
    """
    try:
        line = to_json(value, inf_nan_mode="null")
    except ValueError:  # half of a surrogate pair, or nesting deeper than pydantic goes
        try:
            dumped = json.dumps(value, allow_nan=False, default=to_jsonable_python, separators=(",", ":"))
        except RecursionError as exc:
            raise ValueError("it is nested too deeply") from exc
        return dumped.encode("ascii")
    if line.isascii():
        return line
    return (
        line.replace(b"\xc2\x85", rb"\u0085").replace(b"\xe2\x80\xa8", rb"\u2028").replace(b"\xe2\x80\xa9", rb"\u2029")
    )


def is_count(value: object) -> TypeGuard[int]:
    """Return whether this is a number of tokens or the like. JSON has no limit to its numbers, and counters have."""
    return type(value) is int and abs(value) <= sys.maxsize


def excerpt(value: object, limit: int = 200) -> str:
    """Return what an error message may show of a value that it complains about."""
    try:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else repr(value)
    except (ValueError, RecursionError):  # a number of more digits than Python shows, or nesting without end
        text = f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
