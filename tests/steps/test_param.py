"""What of a message goes back to the API: all that it accepts, and nothing that it answers with a 400."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_stream import Accumulator, ToolInputError, from_sse, iter_events, iter_tool_calls
from claude_stream.testing import message_events
from tests.faults import BODIES
from tests.support import Mode

TEXT = {"type": "text", "text": "Hello"}
CITED = {"type": "text", "text": "Hi", "citations": [{"type": "char_location", "cited_text": "a"}]}
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}
UNSIGNED = {"type": "thinking", "thinking": "Hm."}
REDACTED = {"type": "redacted_thinking", "data": "opaque"}
WEATHER = ("get_weather", {"city": "Paris"})
CALL = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}
SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}}
RESULT = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
MCP = {"type": "mcp_tool_use", "id": "mcp_1", "name": "ask", "server_name": "s", "input": {}}
MCP_RESULT = {"type": "mcp_tool_result", "tool_use_id": "mcp_1", "is_error": False, "content": []}
CODE = {"type": "server_tool_use", "id": "srv_2", "name": "code_execution", "input": {"code": "ask()"}}
FROM_CODE = {**CALL, "caller": {"type": "code_execution_20250825", "tool_id": "srv_2"}}
CODE_RESULT = {"type": "code_execution_tool_result", "tool_use_id": "srv_2", "content": {"stdout": ""}}
FALLBACK = {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}, "trigger": {"type": "refusal"}}
OTHER = {"type": "poem", "lines": ["a"]}


def fed(events: Iterable[Any]) -> Accumulator:
    accumulator = Accumulator()
    for event in events:
        accumulator.feed(event)
    return accumulator


def sent(accumulator: Any, *, prefill: bool = False) -> list[Any] | None:
    param = accumulator.to_param(prefill=prefill)
    assert param == accumulator.to_param(prefill=prefill)
    if param is None:
        return None
    assert param["role"] == "assistant"
    content: list[Any] = param["content"]
    return content


def refused(*content: Any, **details: Any) -> list[dict[str, Any]]:
    *events, delta, stop = message_events(*content, stop_reason="refusal")
    details = {"type": "refusal", "category": "cyber", **details} if details else None
    return [*events, {**delta, "delta": {**delta["delta"], "stop_details": details}}, stop]


INTERRUPTED: dict[str, tuple[list[Any], int, list[Any] | None]] = {
    "nothing but the start": ([], 1, None),
    "an empty text": (["Hello"], 2, None),
    "a blank text": (["  \n", WEATHER], 8, None),
    "after text": (["Hello"], 4, [TEXT]),
    "in the middle of text": (["Hello"], 3, [TEXT]),
    "in the middle of thinking": ([THINKING, "Hello"], 3, None),
    "after thinking without its signature": ([UNSIGNED, "Hello"], 4, None),
    "in text after thinking without its signature": ([UNSIGNED, "Hello"], 6, [TEXT]),
    "after thinking": ([THINKING, "Hello"], 6, None),
    "in text after thinking": ([THINKING, "Hello"], 8, [THINKING, TEXT]),
    "after redacted thinking": ([REDACTED, "Hello"], 3, None),
    "after two kinds of thinking": ([THINKING, REDACTED, "Hello"], 8, None),
    "in text after redacted thinking": ([REDACTED, "Hello"], 5, [REDACTED, TEXT]),
    "in text after a run of thinking of which a part is unsigned": (
        [THINKING, REDACTED, UNSIGNED, "Hello"],
        12,
        [TEXT],
    ),
    "in the middle of a tool input": (["Hello", WEATHER], 7, [TEXT]),
    "after a tool call": (["Hello", WEATHER], 10, [TEXT]),
    "after a server's tool call": (["Hello", SEARCH, RESULT], 9, [TEXT]),
    "in the middle of its result": (["Hello", SEARCH, RESULT], 10, [TEXT]),
    "after its result": (["Hello", SEARCH, RESULT], 11, [TEXT, SEARCH, RESULT]),
    "after a tool call that code waits for": (["Hello", CODE, FROM_CODE], 14, [TEXT]),
    "after citations": ([CITED], 5, [CITED]),
    "after a fallback": (["Hello", FALLBACK, "Hi"], 6, [TEXT, FALLBACK]),
    "after a fallback, and nothing else": ([FALLBACK, "Hi"], 3, None),
}


@pytest.mark.parametrize("name", INTERRUPTED)
def test_an_interrupted_message(name: str) -> None:
    """What the API would answer with a 400 is left out; all the rest is kept."""
    content, cut, expected = INTERRUPTED[name]
    assert sent(fed(message_events(*content, cut=cut))) == expected


def test_a_message_that_has_a_stop_reason_and_a_block_open() -> None:
    """It is not complete, and so its calls are not to be answered, whatever it says."""
    *events, _, end, _ = message_events("Hello", WEATHER, "Hello", stop_reason="tool_use")
    assert sent(fed([*events, end])) == [TEXT, TEXT]


# What the message holds, and its stop reason; what is sent back, and what as a prefill.
COMPLETE: dict[str, tuple[list[Any], str, list[Any] | None, list[Any] | None]] = {
    "all that is good": ([THINKING, TEXT, CALL], "tool_use", [THINKING, TEXT, CALL], [THINKING, TEXT]),
    "text": ([TEXT], "end_turn", [TEXT], [TEXT]),
    "white space at the end": (["Hello \n"], "end_turn", [{"type": "text", "text": "Hello \n"}], [TEXT]),
    "thinking at the end": ([TEXT, THINKING], "max_tokens", [TEXT], [TEXT]),
    "calls under another stop reason": ([TEXT, CALL], "end_turn", [TEXT], [TEXT]),
    "calls under one that is unknown": ([TEXT, CALL], "tea_break", [TEXT], [TEXT]),
    "calls under max_tokens": ([TEXT, CALL], "max_tokens", [TEXT], [TEXT]),
    "a call that code waits for": ([TEXT, CODE, FROM_CODE], "tool_use", [TEXT, CODE, FROM_CODE], [TEXT]),
    "a result of an earlier turn's call": ([CODE_RESULT, TEXT], "end_turn", [CODE_RESULT, TEXT], [CODE_RESULT, TEXT]),
    "a server's call without its result": ([SEARCH, TEXT], "end_turn", [TEXT], [TEXT]),
    "MCP": ([MCP, MCP_RESULT, TEXT], "end_turn", [MCP, MCP_RESULT, TEXT], [MCP, MCP_RESULT, TEXT]),
    "a paused turn": ([TEXT, SEARCH], "pause_turn", [TEXT, SEARCH], [TEXT, SEARCH]),
    "a compaction": (
        [{"type": "compaction", "content": "In short: ..."}],
        *("compaction", [{"type": "compaction", "content": "In short: ..."}]),
        [{"type": "compaction", "content": "In short: ..."}],
    ),
    "what is new": ([TEXT, OTHER], "end_turn", [TEXT, OTHER], [TEXT, OTHER]),
    "in front of a fallback": (
        [THINKING, REDACTED, TEXT, SEARCH, RESULT, MCP, OTHER, CALL, FALLBACK, TEXT],
        *("end_turn", [TEXT, SEARCH, RESULT, FALLBACK, TEXT], [TEXT, SEARCH, RESULT, FALLBACK, TEXT]),
    ),
    "around two fallbacks": (
        [FALLBACK, TEXT, CALL, FALLBACK, THINKING, TEXT, {**CALL, "id": "toolu_2"}],
        *("tool_use", [FALLBACK, TEXT, FALLBACK, THINKING, TEXT, {**CALL, "id": "toolu_2"}]),
        [FALLBACK, TEXT, FALLBACK, THINKING, TEXT],
    ),
    "a result whose call is cut off by a fallback": (
        [CODE, FROM_CODE, FALLBACK, TEXT],
        *("end_turn", [FALLBACK, TEXT], [FALLBACK, TEXT]),
    ),
    "nothing": ([], "end_turn", None, None),
}


@pytest.mark.parametrize("name", COMPLETE)
def test_a_complete_message(name: str) -> None:
    """Tool calls are those that were handed out; what belongs together goes together."""
    content, stop_reason, expected, prefill = COMPLETE[name]
    events = message_events(*content, stop_reason=stop_reason)
    accumulator = fed(events)
    assert sent(accumulator) == expected
    assert sent(accumulator, prefill=True) == prefill
    calls = [block["id"] for block in expected or [] if block["type"] == "tool_use"]
    assert calls == [call.id for call in iter_tool_calls(events)]


def test_a_refused_answer_is_not_sent_back() -> None:
    """Not even as a prefill, unless the API says that it may be continued."""
    for events in (refused("Hello"), refused("Hello", fallback_has_prefill_claim=False)):
        assert sent(fed(events)) is None
        assert sent(fed(events), prefill=True) is None
    claimed = fed(refused(THINKING, SEARCH, RESULT, CALL, "Hello \n", fallback_has_prefill_claim=True))
    assert sent(claimed) is None
    assert sent(claimed, prefill=True) == [THINKING, SEARCH, RESULT, TEXT]


def test_a_malformed_call_takes_all_calls_with_it() -> None:
    """None was handed out, so none goes back."""
    events = message_events("Hello", WEATHER, ("get_weather", {"a": 1}))
    events[-4]["delta"]["partial_json"] = '{"a": oops}'
    assert sent(fed(events)) == [TEXT]
    with pytest.raises(ToolInputError):
        list(iter_tool_calls(events))


def test_what_an_eager_reader_handed_out_goes_back(mode: Mode) -> None:
    """Its calls have been run: their results need them. But not behind a refusal, or in front of a fallback."""
    call = {**CALL, "id": "toolu_test_1"}
    for content, stop_reason, expected in (
        (["Hello", WEATHER], "max_tokens", [TEXT, call]),
        (["Hello", WEATHER], "end_turn", [TEXT, call]),
        (["Hello", WEATHER], "refusal", None),
        (["Hello", WEATHER, FALLBACK, "Hello"], "end_turn", [TEXT, FALLBACK, TEXT]),
    ):
        events = message_events(*content, stop_reason=stop_reason)
        readers: list[Any] = []

        def read(events: Any = events, readers: Any = readers) -> Any:
            readers.append(iter_tool_calls(mode.source(events), eager=True))
            return readers[-1]

        assert [found.id for found in mode.read(read).items] == ["toolu_test_1"]
        assert sent(readers[-1]) == expected


@pytest.mark.parametrize("text", [5, ["a"], {"a": 1}])
def test_a_text_that_is_no_text_is_not_sent_back(text: Any) -> None:
    """A delta of an unknown type may put anything in its place."""
    head, start, *_, stop, tail, end = message_events("Hello")
    news = {"type": "content_block_delta", "index": 0, "delta": {"type": "news", "text": text}}
    assert sent(fed([head, start, news, stop, tail, end])) is None


@pytest.mark.parametrize("odd", [{"a": 1}, ["a"]])
def test_ids_of_an_odd_shape(odd: Any) -> None:
    """What is no string is no id, and no reason to fail."""
    assert sent(fed(message_events({**SEARCH, "id": odd}, RESULT, "Hello"))) == [RESULT, TEXT]
    assert sent(fed(message_events(SEARCH, {**RESULT, "tool_use_id": odd}, "Hello")))[-1] == TEXT
    called = {**FROM_CODE, "caller": {"type": "code_execution_20250825", "tool_id": odd}}
    assert sent(fed(message_events(CODE, called, stop_reason="tool_use"))) == [called]


def test_a_call_cut_by_max_tokens_is_not_sent_back() -> None:
    """A cut tool call is no more sent back than it is run."""
    accumulator = fed(iter_events(from_sse([BODIES["tool input cut by max_tokens"]])))
    assert sent(accumulator) == [{"type": "text", "text": "Hello, world"}]


# -- the API's rules, written down by themselves --


def refuse(content: list[Any] | None, original: list[Any], *, prefill: bool) -> None:
    """Raise what the API answers to an assistant message with this content, as the public guides have it.

    Args:
        content: of the message; None where there is none.
        original: the content that the API sent.
        prefill: it stands last in the request.
    """
    if content is None:
        return
    assert content, "messages: content must not be empty"
    types = [block["type"] for block in content]
    assert types[-1] not in ("thinking", "redacted_thinking"), "the final block cannot be thinking"
    last_fallback = max((index for index, kind in enumerate(types) if kind == "fallback"), default=-1)
    assert types.count("fallback") == [block["type"] for block in original].count("fallback"), "a fallback moved"
    seen: set[str] = set()
    for index, block in enumerate(content):
        kind = block["type"]
        if kind == "text":
            assert block["text"].strip(), "text content blocks must contain non-whitespace text"
        elif kind == "thinking":
            assert block.get("signature"), "thinking: signature: field required"
        elif kind.endswith("tool_use"):
            assert isinstance(block["input"], dict), "input should be a dictionary"
            seen.add(block["id"])
        elif kind.endswith("tool_result"):
            known = {each.get("id") for each in original}
            assert block["tool_use_id"] in seen or block["tool_use_id"] not in known, "a result without its call"
        if index < last_fallback:
            assert kind not in ("thinking", "redacted_thinking", "tool_use", "poem"), "of the model that was replaced"
    results = {block["tool_use_id"] for block in content if block["type"].endswith("tool_result")}
    waiting = {block["caller"].get("tool_id") for block in content if block["type"] == "tool_use" and "caller" in block}
    for block in content:
        if block["type"] in ("server_tool_use", "mcp_tool_use"):
            assert block["id"] in results | waiting, "a server's tool call without its result"
    if prefill:
        assert "tool_use" not in types, "tool_use without tool_result behind it"
        if types[-1] == "text":
            text = content[-1]["text"]
            assert text == text.rstrip(), "final assistant content cannot end with trailing whitespace"


def check_every_prefix(events: list[Any]) -> None:
    accumulator = Accumulator()
    for event in events:
        accumulator.feed(event)
        message: Any = accumulator.message
        original = message.to_dict(mode="json", warnings=False)["content"] if message else []
        if message and message.stop_reason in ("pause_turn", "compaction"):
            assert sent(accumulator) == (original or None)
            continue
        for prefill in (False, True):
            content = sent(accumulator, prefill=prefill)
            refuse(content, original, prefill=prefill)
            texts = [block for block in content or [] if block["type"] == "text"]
            if not prefill and message is not None and message.stop_reason != "refusal":
                kept = [each for each in original if each["type"] == "text" and each["text"].strip()]
                assert texts == kept  # nothing that was said is lost


def test_recordings_go_back(recorded_body: bytes) -> None:
    """Every prefix of what the API has sent can be sent back to it."""
    check_every_prefix([event.to_dict(mode="json", warnings=False) for event in iter_events(from_sse([recorded_body]))])


ANY_CONTENT = st.lists(
    st.sampled_from(
        [
            *(TEXT, CITED, {"type": "text", "text": " "}, {"type": "text", "text": "Hello \n"}),
            *(THINKING, UNSIGNED, REDACTED, CALL, SEARCH, RESULT, MCP, MCP_RESULT),
            *(CODE, FROM_CODE, CODE_RESULT, FALLBACK, OTHER),
        ]
    ),
    max_size=8,
)
STOP_REASONS = ("end_turn", "tool_use", "max_tokens", "refusal", "pause_turn", "compaction", "tea_break")


@settings(max_examples=150)
@given(content=ANY_CONTENT, stop_reason=st.sampled_from(STOP_REASONS))
def test_generated_streams_go_back(content: list[Any], stop_reason: str) -> None:
    """Every prefix of a stream of any blocks in any order can be sent back."""
    check_every_prefix(message_events(*content, stop_reason=stop_reason))


def test_a_result_whose_call_was_never_closed() -> None:
    """The call does not go back, and a result without its call is refused."""
    start, *events = message_events(SEARCH, RESULT, "Hello")
    opened = [event for event in events if event.get("index") != 0 or event["type"] != "content_block_stop"]
    assert sent(fed([start, *opened[:-2]])) == [TEXT]
    assert sent(fed([start, *events[:-2]])) == [SEARCH, RESULT, TEXT]
