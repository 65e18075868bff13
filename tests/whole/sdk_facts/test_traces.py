"""How the SDK traces a call: what ends its span, and what it is told."""

from __future__ import annotations

import inspect
from typing import Any

import anthropic
import pytest

from tests.whole.sdk_facts.sdk import API, BOTH, HELLO, REQUEST, SDK, body_of, read, wait_for

sdk_trace = pytest.importorskip("opentelemetry.sdk.trace")
TRACES = "open_telemetry" in inspect.signature(anthropic.Anthropic).parameters
ONLY_WHERE_IT_TRACES = pytest.mark.skipif(not TRACES, reason="SDKs before 1.14 trace nothing")


def traced(*, is_async: bool, **options: Any) -> Any:
    client = API(body_of(HELLO)).client(is_async=is_async, **options)
    given = client.messages.create(**REQUEST, stream=True)
    return wait_for(given) if is_async else given


def observer_of(stream: Any) -> Any:
    return getattr(stream.response.stream, "stream_observer", None)


def test_since_when_it_traces() -> None:
    """SDKs since 1.14 do.

    Used by: `_drive.spans.stream_observer`.
    """
    assert TRACES is (SDK >= (1, 14))


@BOTH
def test_a_call_that_is_not_traced(is_async: bool) -> None:
    """Its response's stream has no `stream_observer`.

    Used by: `_open._only_the_sdk_can_read`.
    """
    stream = traced(is_async=is_async, **({"open_telemetry": False} if TRACES else {}))
    assert observer_of(stream) is None
    read(stream)


@ONLY_WHERE_IT_TRACES
@BOTH
def test_a_call_that_is_traced(is_async: bool) -> None:
    """Its response's stream has a `stream_observer`, which is told of each event, and how the reading ended.

    Used by: `_drive.spans.end_by_contract`, `_drive.spans.show_message_to`.
    """
    stream = traced(is_async=is_async, open_telemetry={"tracer_provider": sdk_trace.TracerProvider()})
    observer, told = observer_of(stream), []
    end, item = observer.end, observer.item
    observer.end = lambda how, error=None: (told.append((how, error)), end(how, error))
    observer.item = lambda event: (told.append(event.type), item(event))
    kinds = [event.type for event in read(stream)]
    assert told[: len(kinds)] == kinds
    assert ("read", None) in told[len(kinds) :]


@ONLY_WHERE_IT_TRACES
@BOTH
def test_what_is_shown_to_a_span(is_async: bool) -> None:
    """The observer has another inside, as `inner`, which is shown the message so far, by `share_snapshot`.

    Used by: `_drive.spans.show_message_to`.
    """
    stream = traced(is_async=is_async, open_telemetry={"tracer_provider": sdk_trace.TracerProvider()})
    assert len(inspect.signature(observer_of(stream).inner.share_snapshot).parameters) == 1
    read(stream)
