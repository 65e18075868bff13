"""Plain JSON data: telling what it is, copying it, showing it in a message."""

from __future__ import annotations

from claude_stream._json import excerpt


def test_an_excerpt_is_short() -> None:
    """An error message shows the beginning of what it complains about."""
    assert excerpt(b"caf\xc3\xa9\xff") == "caf\xe9\ufffd"
    assert excerpt({"a": "x" * 500}).endswith("... (509 characters)")
