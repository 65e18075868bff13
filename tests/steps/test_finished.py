"""`ensure_finished`: an answer that was cut at a limit or refused is an exception, behind all that came of it."""

from __future__ import annotations

import pickle
from typing import Any

import anthropic
import pytest

from claude_stream import (
    RefusalError,
    StopReasonError,
    StreamTruncatedError,
    ensure_finished,
    iter_events,
    iter_text,
    with_restarts,
)
from claude_stream.testing import message_events
from tests.support import Mode, assert_same_error_again

CUT = ("max_tokens", "model_context_window_exceeded")


def refused(**details: Any) -> list[dict[str, Any]]:
    *events, delta, stop = message_events("Hello", stop_reason="refusal")
    return [*events, {**delta, "delta": {**delta["delta"], "stop_details": details or None}}, stop]


@pytest.mark.parametrize("stop_reason", CUT)
def test_an_answer_that_was_cut(mode: Mode, stop_reason: str) -> None:
    """All of it is handed out; the error has the whole message, and asks for no retry."""
    events = message_events("Hello", stop_reason=stop_reason)
    outcome = mode.read(lambda: iter_text(ensure_finished(mode.source(events))))
    error = outcome.error
    assert outcome.items == ["Hello"]
    assert type(error) is StopReasonError
    assert isinstance(error, anthropic.APIError)
    assert (error.stop_reason, error.stop_details, error.retryable) == (stop_reason, None, False)
    assert error.partial is not None
    assert error.partial.stop_reason == stop_reason
    assert error.usage is not None
    assert error.usage.final
    assert "cut" in str(error)


def test_what_the_api_says_of_a_cut(mode: Mode) -> None:
    """Details of the stop are in the error, whatever the reason."""
    *events, delta, stop = message_events("Hello", stop_reason="max_tokens")
    details = {"type": "refusal", "category": None, "explanation": "Enough."}
    events += [{**delta, "delta": {**delta["delta"], "stop_details": details}}, stop]
    error = mode.read(lambda: ensure_finished(mode.source(events))).error
    assert type(error) is StopReasonError
    assert error.stop_details.explanation == "Enough."


@pytest.mark.parametrize("category", ["cyber", None])
def test_a_refusal(mode: Mode, category: str | None) -> None:
    """It says what the API says of it, and may be caught as any stop reason."""
    details = {"type": "refusal", "category": category, "explanation": "No."}
    outcome = mode.read(lambda: iter_text(ensure_finished(mode.source(refused(**details)))))
    error = outcome.error
    assert type(error) is RefusalError
    assert isinstance(error, StopReasonError)
    assert (error.stop_details.category, error.stop_details.explanation) == (category, "No.")
    assert ("(cyber)" in str(error)) is (category == "cyber")
    assert "(None)" not in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.stop_reason, again.stop_details) == (str(error), "refusal", error.stop_details)


def test_a_refusal_without_details(mode: Mode) -> None:
    """The stop reason alone makes it one."""
    outcome = mode.read(lambda: ensure_finished(mode.source(refused())))
    assert type(outcome.error) is RefusalError
    assert outcome.error.stop_details is None
    assert [event.type for event in outcome.items] == [event["type"] for event in refused()]


@pytest.mark.parametrize(
    "stop_reason", ["end_turn", "stop_sequence", "tool_use", "pause_turn", "compaction", "tea_break"]
)
def test_what_is_no_failure(mode: Mode, stop_reason: str) -> None:
    """What is finished, wants to be resumed, or is newer than this library, passes."""
    events = message_events("Hello", stop_reason=stop_reason)
    outcome = mode.read(lambda: ensure_finished(mode.source(events)))
    assert outcome.error is None
    assert len(outcome.items) == len(list(iter_events(events)))


def test_a_broken_stream_is_what_it_is(mode: Mode) -> None:
    """A cut stream is no cut answer."""
    events = message_events("Hello", stop_reason="max_tokens")[:-2]
    assert type(mode.read(lambda: ensure_finished(mode.source(events))).error) is StreamTruncatedError


def test_it_comes_again(mode: Mode) -> None:
    """Reading on does not look finished."""
    events = message_events("Hello", stop_reason="max_tokens")
    assert_same_error_again(mode, lambda: ensure_finished(mode.source(events)), StopReasonError)


def test_a_refusal_is_not_tried_again(mode: Mode) -> None:
    """The same request would be refused again."""
    opened: list[int] = []

    def open_() -> Any:
        opened.append(1)
        return ensure_finished(mode.source(message_events(stop_reason="refusal")))

    assert type(mode.read(lambda: iter_text(with_restarts(open_))).error) is RefusalError
    assert opened == [1]
