"""Plain JSON data: telling what it is, copying it, reading and writing it, showing it in a message."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_stream._json import copy_json, excerpt, is_array, is_object, parse, to_line


def test_an_excerpt_is_short() -> None:
    """An error message shows the beginning of what it complains about."""
    assert excerpt(b"caf\xc3\xa9\xff") == "caf\xe9\ufffd"
    assert excerpt({"a": "x" * 500}).endswith("... (509 characters)")


def deep(depth: int) -> list[Any]:
    """Return lists in lists: Python 3.13 writes out ten thousand of them."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(("value", "kind"), [(10**5000, "int"), (deep(100_000), "list")], ids=["digits", "depth"])
def test_an_excerpt_of_what_cannot_be_shown(value: object, kind: str) -> None:
    """What an error complains about may be too much for Python to write out: then its type is named."""
    assert excerpt(value) == f"a {kind} that cannot be shown"


@pytest.mark.parametrize("value", [None, 1, "text", ("a",), [], {"a": 1}])
def test_what_json_data_is(value: object) -> None:
    """Objects are dicts and arrays are lists, and nothing else is either."""
    assert is_object(value) is isinstance(value, dict)
    assert is_array(value) is isinstance(value, list)


def test_a_copy_shares_nothing() -> None:
    """Whatever is changed in the copy, the original stays as it is."""
    original = {"a": [{"b": [1]}, 2], "c": {"d": None}, "e": "text"}
    pristine = copy.deepcopy(original)
    copied = copy_json(original)
    assert copied == original
    copied["a"][0]["b"].append(2)
    copied["c"]["d"] = 1
    copied["a"].append(3)
    assert original == pristine


# Halves of surrogate pairs included, except where two of them make one.
TEXT = st.text(st.characters(exclude_categories=())).map(
    lambda text: text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    "value",
    [deep(100_000), [float("nan"), "\ud800"], {"a": object()}, {("a",): "\ud800"}],
    ids=["depth", "no number beside half a surrogate pair", "an object", "a key that is no string"],
)
def test_what_cannot_be_written(value: object) -> None:
    """It is a ValueError or a TypeError, and nothing that would end more than a stream."""
    with pytest.raises((ValueError, TypeError)):
        to_line(value)


def test_what_is_not_a_number_is_null() -> None:
    """As JavaScript writes it: `NaN` is no JSON."""
    assert to_line([float("nan"), float("inf"), 1.5]) == b"[null,null,1.5]"


def test_nesting_deeper_than_pydantic_goes() -> None:
    """Where Python's own writer goes on, it is written."""
    assert json.loads(to_line(deep(300))) == deep(300)


@pytest.mark.parametrize("end", "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
def test_what_anybody_takes_for_a_line_end_is_escaped(end: str) -> None:
    """What `str.splitlines` splits at, and HTTP packages with it, is no end of our line."""
    line = to_line({f"a{end}b": f"\u20ac{end}"})
    assert len(line.decode().splitlines()) == 1
    assert parse(line) == {f"a{end}b": f"\u20ac{end}"}


@given(JSON)
def test_what_is_written_is_one_line_and_the_same_value(value: object) -> None:
    """Whatever splits it, `str.splitlines` included; lone surrogates, NUL and line ends are in it all the same."""
    line = to_line(value)
    assert line.decode().splitlines() == [line.decode()]
    assert json.loads(line) == parse(line) == value


@pytest.mark.parametrize("data", [b'"\\ud83d\xed\xb8\x80"', b'"\\ud83d\xff"'])
def test_an_escape_does_not_excuse_what_is_no_utf_8(data: bytes) -> None:
    """Half of a surrogate pair may be written as an escape, and stands for no other bytes."""
    assert parse(b'"\\ud83d"') == "\ud83d"
    with pytest.raises(ValueError, match="codec"):
        parse(data)
