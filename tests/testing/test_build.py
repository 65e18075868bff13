"""Streams built from plain content: correct in every event, or broken where the test wants it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from claude_stream import (
    StreamAPIError,
    StreamError,
    StreamRateLimitError,
    StreamTruncatedError,
    UsageTally,
    collect,
    iter_text,
    iter_tool_calls,
)
from claude_stream.testing import message_events
from tests.support import Mode


@pytest.mark.parametrize("content", [3, None, ["Hi"], b"Hi"])
def test_content_that_is_none(content: Any) -> None:
    """What is no content is named with its number and its type."""
    with pytest.raises(TypeError, match=f"content 1 is a {type(content).__name__}"):
        message_events("Hi", content)


@pytest.mark.parametrize("chunk", [0, -1])
def test_a_chunk_has_characters(chunk: int) -> None:
    """A chunk of no characters is refused."""
    with pytest.raises(ValueError, match="at least 1"):
        message_events("Hi", chunk=chunk)


@pytest.mark.parametrize(
    ("error", "expected", "says"),
    [
        ("rate_limit_error", StreamRateLimitError, "rate_limit_error"),
        ({"type": "rate_limit_error", "message": "too fast"}, StreamRateLimitError, "too fast"),
        ({"type": "weather_error"}, StreamAPIError, "weather_error"),
    ],
)
def test_an_error_comes_in_the_place_of_the_end(mode: Mode, error: Any, expected: type[Exception], says: str) -> None:
    """All the text arrives, then the error that was asked for; there is no stop reason."""
    outcome = mode.read(lambda: iter_text(mode.source(message_events("Hello", error=error))))
    assert ("".join(outcome.items), type(outcome.error)) == ("Hello", expected)
    assert isinstance(outcome.error, StreamError)
    assert says in str(outcome.error)
    assert outcome.error.partial is not None
    assert outcome.error.partial.stop_reason is None


@pytest.mark.parametrize("error", ["overloaded", "", "OverloadedError", "overloaded_error "])
def test_an_error_that_is_not_documented(error: str) -> None:
    """A typo is refused, with the names that there are, and a way to have another."""
    with pytest.raises(ValueError, match=r"no error\.type that the API documents") as caught:
        message_events("Hi", error=error)
    assert repr(error) in str(caught.value)
    assert "invalid_request_error, authentication_error, " in str(caught.value)
    assert '{"type": ..., "message": ...}' in str(caught.value)


@pytest.mark.parametrize("cut", range(6))
def test_a_cut_stream_is_truncated(cut: int) -> None:
    """`cut` keeps so many events, and no fewer make a message."""
    events = message_events("Hello", cut=cut, id="msg_1")
    assert events == message_events("Hello", id="msg_1")[:cut]
    assert len(events) == cut
    if cut < 5:  # the fifth has the stop reason
        with pytest.raises(StreamTruncatedError):
            collect(events)
    else:
        assert collect(events).stop_reason == "end_turn"


def test_a_cut_may_take_the_error_away() -> None:
    """The error is an event as others are."""
    events = message_events("Hello", error="rate_limit_error", id="msg_1")
    assert message_events("Hello", error="rate_limit_error", cut=len(events) - 1, id="msg_1") == events[:-1]


@pytest.mark.parametrize("chunk", [1, 3, 1000])
def test_built_streams_are_correct(chunk: int) -> None:
    """The message of a built stream has the content it was built from, of any kind of block."""
    content: list[Any] = [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "text", "text": "Hi", "citations": [{"type": "char_location", "cited_text": "a"}]},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "é"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "tool_use", "id": "t", "name": "tool", "input": {}},
    ]
    message = collect(message_events(*content, chunk=chunk, usage={"output_tokens": 3}))
    assert json.loads(message.to_json(warnings=False))["content"] == content
    assert (message.stop_reason, message.usage.output_tokens) == ("tool_use", 3)


def test_each_message_has_its_own_id() -> None:
    """Two messages count as two, and are the same ones in each run of this test; the same events count once."""
    first, second = message_events("Hi"), message_events("Hi")
    assert [collect(events).id for events in (first, second, first)] == ["msg_test_1", "msg_test_2", "msg_test_1"]
    tally = UsageTally()
    for events in (first, second, first):
        tally.add(collect(events))
    assert tally.total.output_tokens == 24


def test_an_id_that_is_given_is_not_counted() -> None:
    """The next message gets the id that it would have got."""
    assert [message_events(id=given)[0]["message"]["id"] for given in (None, "mine", "", None)] == [
        "msg_test_1",
        "mine",
        "",
        "msg_test_2",
    ]


def test_a_tuple_is_a_tool_call() -> None:
    """A tool call as (name, input) gets an id, and its input arrives in pieces, the first of them empty."""
    events = message_events("Let me see.", ("get_weather", {"city": "Zürich"}), chunk=4)
    [call] = iter_tool_calls(events)
    assert (call.name, call.input, call.id) == ("get_weather", {"city": "Zürich"}, "toolu_test_1")
    pieces = [event["delta"]["partial_json"] for event in events if "partial_json" in event.get("delta", {})]
    assert (pieces[0], max(map(len, pieces))) == ("", 4)
    assert "".join(pieces) == '{"city": "Zürich"}'


def test_what_a_block_begins_with() -> None:
    """A block begins empty, and its signature and citations arrive behind its text, as the API has it."""
    thinking = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    text = {"type": "text", "text": "Hi", "citations": [{"cited_text": "a"}, {"cited_text": "b"}]}
    events = message_events(thinking, text)
    assert [event["content_block"] for event in events if "content_block" in event] == [
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "text", "text": "", "citations": []},
    ]
    assert [event["delta"]["type"] for event in events if event["type"] == "content_block_delta"] == [
        "thinking_delta",
        "signature_delta",
        "text_delta",
        *["citations_delta"] * 2,
    ]


@pytest.mark.parametrize(
    ("content", "given", "expected"),
    [
        (("Hi",), None, "end_turn"),
        (("Hi",), "max_tokens", "max_tokens"),
        (("Hi", ("tool", {})), None, "tool_use"),
        (("Hi", ("tool", {"a": 1})), "pause_turn", "pause_turn"),
        ((), None, "end_turn"),
    ],
)
def test_the_stop_reason(content: tuple[Any, ...], given: str | None, expected: str) -> None:
    """It is the one given, else what the API would say of this content."""
    assert collect(message_events(*content, stop_reason=given)).stop_reason == expected


def test_what_is_said_of_the_message() -> None:
    """Id, model and usage are those given, and the first count of output tokens is a placeholder."""
    events = message_events("Hi", id="msg_2", model="claude-3", usage={"input_tokens": 7, "cache_read_input_tokens": 5})
    message = collect(events)
    assert (message.id, message.model) == ("msg_2", "claude-3")
    assert message.usage.to_dict() == {"input_tokens": 7, "cache_read_input_tokens": 5, "output_tokens": 12}
    assert events[0]["message"]["usage"]["output_tokens"] == 1


@pytest.mark.parametrize(("chunk", "texts"), [(5, ["Hello", ", wor", "ld!"]), (13, ["Hello, world!"])])
def test_how_many_characters_a_delta_has(chunk: int, texts: list[str]) -> None:
    """Each delta has so many characters, but for the last."""
    assert list(iter_text(message_events("Hello, world!", chunk=chunk))) == texts
