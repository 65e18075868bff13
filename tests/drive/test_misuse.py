"""What may be read, and what is refused with an error that names the mistake and the fix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import pytest

from claude_stream import (
    collect,
    from_sse,
    iter_blocks,
    iter_events,
    iter_text,
    iter_thinking,
    iter_tool_calls,
    iter_tool_inputs,
    tap,
)
from claude_stream.testing import message_events
from tests.support import REQUEST

EVENTS = message_events("Hello, world!")
FUNCTIONS: list[Callable[..., Any]] = [
    iter_events,
    iter_text,
    iter_thinking,
    iter_blocks,
    iter_tool_calls,
    iter_tool_inputs,
    tap,
    collect,
    from_sse,
]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("Hello", "this is str"),
        (b"data: 1", "from_sse"),
        (type("APIResponse", (), {"parse": print})(), "what its parse"),
        ({"type": "ping"}, "single dict"),
        (collect(EVENTS), "stream=True"),
        (7, "this is int"),
        (None, "this is NoneType"),
        (anthropic.Anthropic(api_key="x").messages.create, "has to be called"),
        (anthropic.Anthropic(api_key="x").messages.stream(**REQUEST), "is not entered"),
        (iter_text(EVENTS), "cannot be read here"),
    ],
)
def test_what_is_no_stream_is_refused_at_once(function: Callable[..., Any], source: Any, says: str) -> None:
    """A mistake is a TypeError at the call, which says what was passed and what to do."""
    with pytest.raises(TypeError, match=says):
        function(source)
