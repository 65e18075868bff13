"""One content block under construction: its start, its deltas, and its input once it closes.

The law: merge by a rule for each delta, and for a delta of a type that came after this library by
the rule that its fields suggest, so that nothing is lost and nothing raises. Whether a tool's input
is whole is decided once, strictly, when the block closes.
"""

from __future__ import annotations

from typing import Any

import jiter

from .._errors import ToolInputError
from .._json import Wire, copy_json, excerpt, is_array, is_object
from .._wire.deltas import DELTA_STRINGS

_HINTS = ("estimated_tokens",)
"""What deltas carry for a progress bar, and blocks do not have."""

PIECES = 1024
"""How many pieces of a string are kept apart, at most. Pieces of six characters weigh ten times their text."""


class Text:
    """A string under construction: append to its `pieces`, and `join` them when there are many."""

    __slots__ = ("_joined", "pieces")

    def __init__(self, start: str = "") -> None:
        self._joined: list[str] = []
        self.pieces = [start]

    def add(self, piece: str) -> None:
        """Append a piece."""
        self.pieces.append(piece)
        if len(self.pieces) > PIECES:
            self.join()

    def join(self) -> None:
        """Make one string of the pieces so far. Code that appends to `pieces` directly has to see to it."""
        self._joined.append("".join(self.pieces))
        self.pieces.clear()

    def __str__(self) -> str:
        self.join()
        whole = "".join(self._joined)
        self._joined = [whole]  # so that the next one copies it once, and joins only what came since
        return whole


class Block:
    """One content block under construction."""

    def __init__(self, start: Wire) -> None:
        self.type: str = start["type"]
        self.open = True
        self.fault: str | None = None  # why the closed input cannot be used
        self.changes = 0  # but for the strings and the input that are being put together
        self._data: Wire = copy_json(start)
        self._texts: dict[str, Text] = {}
        self._json: Text | None = None

    def get(self, field: str) -> Any:
        """Return a field that the block came with, or None."""
        return self._data.get(field)

    @property
    def fields(self) -> Wire:
        """Its JSON without the strings and the input that are being put together. Not a copy."""
        return self._data

    @property
    def raw(self) -> str:
        """The JSON text of the input as far as it came in deltas."""
        return str(self._json or "")

    @property
    def unusable_input(self) -> bool:
        """Whether this is a tool call whose input is malformed, or that was never closed."""
        return self.fault is not None or (self.open and self.type == "tool_use")

    @property
    def empty_input(self) -> bool:
        """Whether no input came for this tool call: the tool takes none, or the call was cut at its first byte."""
        return self.type == "tool_use" and not self.raw and not self._data.get("input")

    def text_for(self, kind: object) -> Text | None:
        """Return the text that the string of such a delta is a piece of, if that is all there is to merge."""
        if kind == "input_json_delta":
            if self._json is None:
                self._json = Text()
            return self._json
        if kind == "text_delta":
            return self._text("text")
        if kind == "thinking_delta":
            return self._text("thinking")
        return None

    def string(self, field: str) -> str:
        """Return the string of a field as far as it has come."""
        text = self._texts.get(field)
        value = self._data.get(field) if text is None else str(text)
        return value if isinstance(value, str) else ""

    def add_beside(self, delta: Wire) -> None:
        """Merge what a delta of one string has beside it: fields that came after this library, and hints."""
        self.changes += 1
        known = ("type", DELTA_STRINGS[delta["type"]], *_HINTS)
        self._merge({field: value for field, value in delta.items() if field not in known})

    def add(self, delta: Wire) -> None:
        """Merge one delta of another type."""
        self.changes += 1
        kind = delta.get("type")
        if kind == "citations_delta":
            citations = self._data.get("citations")
            if not is_array(citations):
                citations = self._data["citations"] = []
            citations.append(copy_json(delta.get("citation")))
        elif kind == "compaction_delta":
            self._replace(delta)  # comes whole: the SDK replaces as well
        else:
            self._merge(delta)

    def _text(self, field: str) -> Text:
        text = self._texts.get(field)
        if text is None:
            before = self._data.get(field)
            if not isinstance(before, str):
                before = self._data[field] = ""  # the string takes its place
            text = self._texts[field] = Text(before)
        return text

    def _replace(self, delta: Wire) -> None:
        for field, value in delta.items():
            if field != "type" and (value is not None or field not in self._data):
                self._data[field] = copy_json(value)
                self._texts.pop(field, None)  # what came before it is gone

    def _merge(self, delta: Wire) -> None:
        """Merge a delta of a type that came after this library: the obvious rule for each field."""
        for field, value in delta.items():
            before = self._data.get(field)
            if field in ("type", "signature"):
                self._replace({field: value})
            elif isinstance(value, str):
                self._text(field).add(value)
            elif is_array(value) and is_array(before):
                before.extend(copy_json(value))
            else:
                self._replace({field: value})

    def close(self) -> None:
        """Take the block as finished, and judge its input, once and strictly."""
        self.changes += 1
        self.open = False
        raw = self.raw.encode("utf-8", "surrogatepass")  # and no name for the string, which may be as long
        if not raw:
            return
        try:
            # Without NaN and Infinity, which are no JSON: a request that sends them back is refused.
            value = jiter.from_json(raw, allow_inf_nan=False)
        except ValueError as exc:
            self.fault = f"it is not whole JSON ({exc})"
            return
        if not is_object(value):
            self.fault = "it is not a JSON object"

    @property
    def cut(self) -> bool:
        """Whether what has come of the input is the beginning of an object, or nothing at all."""
        return not self.raw.strip() or (self.raw.lstrip()[0] == "{" and _certain(self.raw) is not None)

    def input_at(self, length: int) -> Any:
        """Return what the input was when so many characters of it had come, as far as it was certain."""
        value = _certain(self.raw[:length])
        return self._data.get("input") if value is None else value

    def growing(self) -> Wire:
        """Return the strings and the input that are being put together, as far as they have come."""
        fields: Wire = {field: str(text) for field, text in self._texts.items()}
        if self._json is not None:
            if (value := _certain(self.raw)) is not None:
                fields["input"] = value  # parsed again, which takes less time than a copy
            elif "input" in self._data:
                fields["input"] = copy_json(self._data["input"])  # and what was certain of it before is not any more
        return fields

    def merged(self) -> Wire:
        """Return the block's JSON as far as it has come; a copy."""
        data: Wire = copy_json(self._data)
        data.update(self.growing())
        return data

    def input_error(self) -> ToolInputError:
        """Return the exception that says what is wrong with the input."""
        name = self.get("name")
        why = self.fault or ("its block was never closed" if self.open else "nothing of it came")
        return ToolInputError(
            f"the input of the tool call {excerpt(name)} cannot be used: {why}: {excerpt(self.raw)}",
            raw=self.raw,
            tool_name=name,
            tool_use_id=self.get("id"),
        )


def _certain(raw: str) -> Any:
    """Return what is certain of an input of which this has come, or None if that is nothing."""
    try:
        return jiter.from_json(raw.encode("utf-8", "surrogatepass"), partial_mode=True) if raw else None
    except ValueError:
        return None
