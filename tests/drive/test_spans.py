"""What the span of a traced call is told. Real ones are in tests/whole/test_platforms.py."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from claude_stream._drive.spans import end_by_contract, show_message_to, stream_observer
from claude_stream._steps.builder import MessageBuilder
from claude_stream.testing import message_events

EVENTS = message_events("Hello")
LOST = OSError("lost")


class Observer:
    """Notes what the SDK would write to a span."""

    inner: Any = None  # which a newer SDK's has

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


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (SimpleNamespace(stream=SimpleNamespace(stream_observer="traced")), "traced"),
        (SimpleNamespace(stream=SimpleNamespace()), None),
        (SimpleNamespace(), None),
        (None, None),
    ],
    ids=["traced", "not traced", "a stand-in", "no response"],
)
def test_whether_a_call_is_traced(response: Any, expected: object) -> None:
    """What ends its span hangs on the stream of its response, in SDKs that trace."""
    assert stream_observer(response) == expected


def test_a_span_is_shown_the_message_so_far() -> None:
    """Where it asks for the message, it has the one of this moment each time, and its events are let be."""
    shown: list[Callable[[], Any]] = []
    observer, builder = Observer(), MessageBuilder()
    observer.inner = SimpleNamespace(share_snapshot=shown.append)
    show_message_to(observer, builder)
    assert "item" not in vars(observer)
    [message] = shown
    assert message() is None
    for event in EVENTS[:3]:
        builder.feed(event)
    assert message() == builder.message
    assert message().content[0].text == "Hello"


@pytest.mark.parametrize("beta", [False, True])
def test_a_span_sees_usage_in_what_is_read_as_dicts(beta: bool) -> None:
    """Events with usage reach it as the SDK's objects; the rest, and what is none, as they are."""
    observer = Observer()
    show_message_to(observer, MessageBuilder(beta=beta))
    broken = {"type": "message_start", "_fields_set": [1]}  # which the SDK trips over
    for item in (*EVENTS, broken, "text"):
        observer.item(item)
    kinds = [type(item).__name__ for item in observer.items]
    raw = "BetaRaw" if beta else "Raw"
    assert kinds == [
        *(f"{raw}MessageStartEvent", f"{raw}ContentBlockStartEvent", "dict", "dict", f"{raw}MessageDeltaEvent", "dict"),
        *("dict", "str"),
    ]
    assert observer.items[0].message.usage.input_tokens == EVENTS[0]["message"]["usage"]["input_tokens"]
