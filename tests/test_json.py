"""Plain JSON data: telling what it is, copying it, showing it in a message."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from claude_stream._json import copy_json, excerpt, is_array, is_object


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
