"""What the span of a traced call is told. Real ones are in tests/whole/test_platforms.py."""

from __future__ import annotations

from typing import Any

import pytest

from claude_stream._drive.spans import end_by_contract, show_message_to
from claude_stream._steps.builder import MessageBuilder
from claude_stream.testing import message_events

EVENTS = message_events("Hello")
LOST = OSError("lost")


class Observer:
    """Notes what the SDK would write to a span."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self.ends: list[tuple[str, BaseException | None]] = []

    def item(self, item: Any) -> None:
        self.items.append(item)

    def end(self, how: str, error: BaseException | None = None) -> None:
        self.ends.append((how, error))


@pytest.mark.parametrize(
    ("events", "told", "expected"),
    [
        (EVENTS[:-2], ("read", None), ("read", None)),  # the SDK has its own word for what is cut
        (EVENTS[:-2], ("failed", LOST), ("failed", LOST)),
        (EVENTS[:-1], ("read", None), ("closed", None)),
        (EVENTS, ("failed", LOST), ("read", None)),
        (EVENTS, ("closed", None), ("read", None)),
    ],
    ids=["cut", "failed", "whole by its stop reason", "failed behind the end", "closed behind the end"],
)
def test_a_span_ends_as_its_message_does(
    events: list[Any], told: tuple[str, Exception | None], expected: tuple[str, Exception | None]
) -> None:
    """A whole message is no error, and a broken one stays what it is."""
    observer, builder = Observer(), MessageBuilder()
    end_by_contract(observer, builder)
    for event in events:
        builder.feed(event)
    observer.end(*told)
    assert observer.ends == [expected]


def test_a_span_sees_usage_in_what_is_read_as_dicts() -> None:
    """Events with usage reach it as the SDK's objects; the rest, and what is none, as they are."""
    observer = Observer()
    show_message_to(observer, MessageBuilder())
    broken = {"type": "message_start", "_fields_set": [1]}  # which the SDK trips over
    for item in (*EVENTS, broken, "text"):
        observer.item(item)
    kinds = [type(item).__name__ for item in observer.items]
    assert kinds == [
        *("RawMessageStartEvent", "RawContentBlockStartEvent", "dict", "dict", "RawMessageDeltaEvent", "dict"),
        *("dict", "str"),
    ]
    assert observer.items[0].message.usage.input_tokens == EVENTS[0]["message"]["usage"]["input_tokens"]
