"""The accumulated message: parity with create(), snapshots, usage, and what can be sent back."""

from __future__ import annotations

import copy
import time
import tracemalloc
from typing import Any

import pytest
from anthropic.types import Message
from anthropic.types.beta import BetaMessage
from hypothesis import given
from hypothesis import strategies as st

from claude_stream import (
    Accumulator,
    StreamAPIError,
    StreamProtocolError,
    StreamTruncatedError,
    Usage,
    collect,
    from_sse,
    iter_events,
    iter_text,
)
from claude_stream.testing import message_events
from tests.faults import BODIES, error_event
from tests.support import Mode, body_of

THINKING = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}
WEATHER = ("get_weather", {"city": "Paris"})


def fed(events: list[dict[str, Any]]) -> Accumulator:
    accumulator = Accumulator()
    for event in events:
        accumulator.feed(event)
    return accumulator


def delta(index: int, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": fields}


# -- what is wrong --


@pytest.mark.parametrize("item", [None, 1, "text", b"bytes", [], {}, {"type": None}, {"type": ["x"]}, object()])
def test_what_is_no_event_is_named(item: Any) -> None:
    """Anything that is no event is a StreamProtocolError that shows it."""
    with pytest.raises(StreamProtocolError, match=r"is not an event|without a type"):
        Accumulator().feed(item)


def test_an_event_that_is_nested_too_deeply() -> None:
    """Python's limit on recursion is no exception that a reader of a stream has to know."""
    deep: list[Any] = []
    for _ in range(3000):
        deep = [deep]
    accumulator = fed(message_events("Hello", cut=3))
    with pytest.raises(StreamProtocolError, match="nested too deeply") as caught:
        accumulator.feed(delta(0, type="deep_delta", deep=deep))
    assert caught.value.partial == accumulator.message


@pytest.mark.parametrize("name", ["_fields_set", "_BaseModel__cls"])
def test_fields_with_names_that_the_sdk_trips_over(mode: Mode, name: str) -> None:
    """They stand in an event like any other; a message that the SDK cannot build is an error of ours."""
    events = message_events("Hi")
    events.insert(3, {"type": "news", name: [1]})
    outcome = mode.read(lambda: iter_events(mode.source(events)))
    assert outcome.items[3].to_dict() == events[3]
    assert "".join(mode.read(lambda: iter_text(mode.source(events))).items) == "Hi"
    invalid = {"type": "content_block_delta", "index": 0, "delta": {"type": "news_delta"}, name: [1]}
    outcome = mode.read(lambda: iter_events(mode.source([*events[:4], invalid, *events[4:]])))
    assert len(outcome.items) == 4
    assert isinstance(outcome.error, StreamProtocolError)
    assert outcome.error.partial is not None
    start, *rest = message_events("Hi")
    start["message"][name] = [1]
    with pytest.raises(StreamProtocolError, match="cannot build") as caught:
        collect([start, *rest])
    assert caught.value.partial is None


def test_an_error_holds_the_message_so_far() -> None:
    """An accumulator that is fed by hand gives its errors the partial message, too."""
    accumulator = fed(message_events("Hello", cut=4))
    with pytest.raises(StreamProtocolError) as caught:
        accumulator.feed(delta(7, type="text_delta", text="x"))
    assert caught.value.partial == accumulator.message
    assert "event 5 (content_block_delta)" in str(caught.value)
    assert "characters of text 5" in str(caught.value)
    with pytest.raises(StreamAPIError) as caught_api:
        accumulator.feed(error_event("api_error"))
    assert caught_api.value.partial == accumulator.message


def test_the_result_of_an_incomplete_message_is_refused() -> None:
    """`result()` raises until the message is complete; `message` gives what there is."""
    with pytest.raises(StreamTruncatedError):
        Accumulator().result()
    accumulator = fed(message_events("Hello", cut=3))
    with pytest.raises(StreamTruncatedError):
        accumulator.result()
    assert not accumulator.complete
    assert accumulator.open_blocks == (0,)
    assert accumulator.message is not None
    assert accumulator.message.content[0].text == "Hello"


def test_before_the_first_event() -> None:
    """There is no message, no usage and nothing to send back."""
    accumulator = Accumulator()
    assert (accumulator.message, accumulator.usage, accumulator.to_param()) == (None, Usage(), None)
    assert (accumulator.complete, accumulator.open_blocks) == (False, ())


@pytest.mark.parametrize("fields", [{"volume": 11}, {"type": None}, {"type": ["x"]}, {}])
def test_a_delta_of_an_unknown_shape_is_merged(fields: dict[str, Any]) -> None:
    """No delta that is an object raises."""
    events = message_events("Hello")
    events.insert(3, {"type": "content_block_delta", "index": 0, "delta": fields})
    message = collect(events)
    assert message.content[0].text == "Hello"
    assert message.content[0].to_dict().get("volume") == fields.get("volume")


# -- parity --


def test_unknown_deltas_are_merged_by_the_obvious_rule() -> None:
    """Strings append, lists extend, others replace, a signature replaces, and null never erases."""
    start = {"type": "content_block_start", "index": 0}
    block = {
        "type": "poem",
        "title": None,
        "verse": "Ro",
        "lines": ["a"],
        "rank": 1,
        "signature": "old",
        "meta": {"a": 1},
    }
    head, *_, tail, stop = message_events()
    events = [
        head,
        {**start, "content_block": block},
        delta(0, type="poem_delta", title="Odes", verse="ses", lines=["b"], rank=2, signature="new", meta=None),
        delta(0, type="poem_delta", verse="!", extra=[1], none=None, rank=3, signature="newer"),
        {"type": "content_block_stop", "index": 0},
        tail,
        stop,
    ]
    assert collect(events).content[0].to_dict(warnings=False) == {
        "type": "poem",
        "title": "Odes",
        "verse": "Roses!",
        "lines": ["a", "b"],
        "rank": 3,
        "signature": "newer",
        "meta": {"a": 1},
        "extra": [1],
        "none": None,
    }


def test_a_message_delta_overwrites_and_null_never_erases() -> None:
    """All keys of message_delta are merged; what is null keeps the value from before."""
    head, *_, stop = message_events()
    head["message"]["usage"] = {"input_tokens": 10, "output_tokens": 1, "cache_read_input_tokens": 5}
    events = [
        head,
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "container": {"id": "c"}, "news": None},
            "usage": {"output_tokens": 7, "input_tokens": None, "cache_read_input_tokens": None},
            "context_management": {"applied_edits": []},
        },
        {"type": "message_delta", "delta": {"stop_reason": None, "container": None}, "usage": {"output_tokens": 9}},
        {"type": "message_delta", "delta": None, "usage": None},
        stop,
    ]
    merged = collect(events).to_dict(warnings=False)
    assert merged["stop_reason"] == "end_turn"
    assert merged["container"]["id"] == "c"
    assert merged["usage"] == {"input_tokens": 10, "output_tokens": 9, "cache_read_input_tokens": 5}
    assert merged["context_management"] == {"applied_edits": []}
    assert merged["news"] is None
    assert merged["type"] == "message"
    assert "delta" not in merged


def test_thinking_hints_are_no_field_of_the_block() -> None:
    """`estimated_tokens` is for a progress bar; the message of create() does not have it."""
    events = message_events(THINKING)
    events[2]["delta"]["estimated_tokens"] = 50
    assert collect(events).content[0].to_dict() == THINKING


def test_a_fallback_without_a_model_keeps_the_old_one() -> None:
    """Null never erases."""
    for to in ({}, {"model": None}, None):
        assert collect(message_events({"type": "fallback", "to": to}), beta=True).model == "claude-test"


def test_a_fallback_block_relabels_the_model() -> None:
    """The model that served the rest is the model of the message."""
    events = message_events("Hello", {"type": "fallback", "from": {"model": "a"}, "to": {"model": "claude-b"}}, "you")
    assert collect(events, beta=True).model == "claude-b"


def test_a_compaction_comes_whole() -> None:
    """A compaction delta replaces, as in the SDK, and null keeps what was there."""
    head, *_, tail, stop = message_events()
    block = {"type": "compaction", "content": None, "encrypted_content": "old"}
    events = [
        head,
        {"type": "content_block_start", "index": 0, "content_block": block},
        delta(0, type="compaction_delta", content="Summary", encrypted_content=None),
        {"type": "content_block_stop", "index": 0},
        tail,
        stop,
    ]
    assert collect(events, beta=True).content[0].to_dict() == {**block, "content": "Summary"}


@pytest.mark.parametrize("citations", [None, [], [{"type": "char_location", "cited_text": "a"}]])
def test_citations_are_added(citations: Any) -> None:
    """Citations go behind those that the block starts with, whether it starts with null, none or some."""
    events = message_events({"type": "text", "text": "Hi", "citations": [{"type": "char_location", "cited_text": "b"}]})
    events[1]["content_block"]["citations"] = copy.deepcopy(citations)
    texts = [citation.cited_text for citation in collect(events).content[0].citations]
    assert texts == (["a", "b"] if citations else ["b"])


def test_the_request_id_is_set_as_on_the_message_of_create(mode: Mode) -> None:
    """`_request_id` comes from the response, and is None where there is none."""
    message = mode.message(lambda: collect(mode.stream(body_of(message_events("Hi")))))
    assert message._request_id == "req_replay"
    assert collect(message_events("Hi"))._request_id is None


def test_beta_can_be_asked_for_behind_other_stages(mode: Mode) -> None:
    """`collect(..., beta=True)` holds for an iterator of ours, too."""
    message = mode.message(lambda: collect(iter_events(mode.source(message_events("Hi"))), beta=True))
    assert type(message) is BetaMessage


def test_content_in_message_start_counts_as_started() -> None:
    """What message_start brings along was content, if the stream fails after it."""
    start, *_ = message_events()
    start["message"]["content"] = [TEXT]
    with pytest.raises(StreamTruncatedError) as caught:
        collect([start])
    assert caught.value.content_started


def test_events_of_the_sdk_and_their_json_give_the_same(mode: Mode) -> None:
    """Typed events, untyped ones, bytes and dicts lead to one message."""
    events = message_events(THINKING, "Hello", WEATHER)
    expected = collect(events)
    assert type(expected) is Message
    assert mode.message(lambda: collect(mode.stream(body_of(events)))) == expected
    assert mode.message(lambda: collect(from_sse(mode.source([body_of(events)])))) == expected
    assert collect(list(iter_events(events))) == expected


def test_beta_events_make_a_beta_message(mode: Mode) -> None:
    """The SDK's beta objects need no flag, and bytes or dicts take one."""
    body = body_of(message_events("Hello"))
    stream = {"model": "any", "max_tokens": 1, "messages": [], "stream": True}
    client = mode.client
    from claude_stream.testing import Recording

    message = mode.message(lambda: collect(client(Recording.from_bytes(body)).beta.messages.create(**stream)))
    assert type(message) is BetaMessage
    assert mode.message(lambda: collect(mode.source(message_events("Hello")), beta=True)) == message
    assert mode.message(lambda: collect(from_sse(mode.source([body]), beta=True))) == message


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
        max_leaves=8,
    )
)
def test_any_unknown_field_is_kept(value: Any) -> None:
    """A field that nobody knows comes out as it went in, wherever it stands."""
    events = message_events("Hi")
    events[0]["message"]["x_message"] = value
    events[0]["message"]["usage"]["x_usage"] = value
    events[1]["content_block"]["x_block"] = value
    events[-2]["delta"]["x_delta"] = value
    merged = Accumulator()
    for event in events:
        merged.feed(event)
    message: Any = merged.result()
    assert (message.x_message, message.usage.x_usage, message.content[0].x_block, message.x_delta) == (value,) * 4


# -- snapshots --


def test_snapshots_are_copies() -> None:
    """What a user does to a snapshot, or to the events it fed, changes nothing."""
    events = message_events("Hello", ("tool", {"a": {"b": [1]}}))
    events[0]["message"]["extra"] = {"list": [1]}
    pristine = copy.deepcopy(events)
    accumulator = fed(events)
    snapshot: Any = accumulator.message
    snapshot.content[1].input["a"]["b"].append(2)
    snapshot.extra["list"].append(2)
    snapshot.usage.output_tokens = 99
    assert events == pristine
    events[0]["message"]["extra"]["list"].append(3)
    assert accumulator.message == collect(pristine)
    assert accumulator.usage.output_tokens == 12


def test_changing_an_event_changes_nothing_else() -> None:
    """What a reader or an observer does to an event does not reach the dicts that it was built from."""
    events = message_events("Hello", ("tool", {"a": 1}))
    pristine = copy.deepcopy(events)
    for event in iter_events(events):
        if event.type == "content_block_start" and event.content_block.type == "tool_use":
            event.content_block.input["hacked"] = True
    assert events == pristine
    news = {"type": "news", "nested": {"list": [1]}}
    [unknown, *_] = iter_events([news, *events])
    unknown.nested["list"].append(2)
    assert news == {"type": "news", "nested": {"list": [1]}}


def test_the_same_events_can_be_fed_twice() -> None:
    """Accumulating does not consume or change a list of events."""
    events = message_events(THINKING, "Hello", WEATHER)
    assert collect(events) == collect(events)


def test_what_comes_after_message_stop_is_ignored() -> None:
    """A complete message cannot fail any more, whatever is fed to it."""
    accumulator = fed(message_events("Hello"))
    for item in (error_event("api_error"), message_events("again")[0], None, "junk", ValueError()):
        accumulator.feed(item)
    assert accumulator.result() == collect(message_events("Hello"))


def test_usage_is_a_placeholder_until_the_message_is_complete() -> None:
    """`final` tells a placeholder from a count."""
    events = message_events("Hello")
    accumulator = fed(events[:-2])
    assert (accumulator.usage.output_tokens, accumulator.usage.final) == (1, False)
    accumulator.feed(events[-2])
    assert (accumulator.usage.output_tokens, accumulator.usage.final) == (12, True)


@pytest.mark.parametrize(
    ("raw", "stop_reason", "expected"),
    [("", "max_tokens", (1,)), ('{"a', "max_tokens", (1,)), ("", "tool_use", ()), ('{"a": 1}', "max_tokens", ())],
)
def test_open_blocks_name_a_call_that_was_cut(raw: str, stop_reason: str, expected: tuple[int, ...]) -> None:
    """A tool call that the stop reason cut is open, although the API closed its block."""
    events = message_events("Hello", ("tool", {}), stop_reason=stop_reason)
    if raw:
        events[5]["delta"]["partial_json"] = raw
    accumulator = fed(events)
    assert accumulator.open_blocks == expected
    assert accumulator.result().stop_reason == stop_reason


# -- what can be sent back --

SEARCH = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "x"}}
RESULT = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": []}
REDACTED = {"type": "redacted_thinking", "data": "opaque"}
CITED = {"type": "text", "text": "Hi", "citations": [{"type": "char_location", "cited_text": "a"}]}
TEXT = {"type": "text", "text": "Hello"}
TOOL = {"type": "tool_use", "id": "toolu_test_1", "name": "get_weather", "input": {"city": "Paris"}}

INTERRUPTED: dict[str, tuple[list[Any], int | None, list[Any] | None]] = {
    "nothing but the start": ([], 1, None),
    "an empty text": (["Hello"], 2, None),
    "a blank text": (["  \n", WEATHER], 8, None),
    "after text": (["Hello"], 4, [TEXT]),
    "in the middle of text": (["Hello"], 3, [TEXT]),
    "in the middle of thinking": ([THINKING, "Hello"], 3, None),
    "after thinking without its signature": ([{"type": "thinking", "thinking": "Hm."}, "Hello"], 4, None),
    "after thinking": ([THINKING, "Hello"], 6, None),
    "in text after thinking": ([THINKING, "Hello"], 8, [THINKING, TEXT]),
    "after redacted thinking": ([REDACTED, "Hello"], 3, None),
    "after two kinds of thinking": ([THINKING, REDACTED, "Hello"], 8, None),
    "in text after redacted thinking": ([REDACTED, "Hello"], 5, [REDACTED, TEXT]),
    "in the middle of a tool input": (["Hello", WEATHER], 7, [TEXT]),
    "after a tool call": (["Hello", WEATHER], 10, [TEXT, TOOL]),
    "after a server's tool call": (["Hello", SEARCH, RESULT], 9, [TEXT]),
    "in the middle of its result": (["Hello", SEARCH, RESULT], 10, [TEXT]),
    "after its result": (["Hello", SEARCH, RESULT], 11, [TEXT, SEARCH, RESULT]),
    "after a tool call without input": (["Hello", ("ping", {}), WEATHER], 10, [TEXT]),
    "after citations": ([CITED], 5, [CITED]),
    "complete": ([THINKING, "Hello", WEATHER], None, [THINKING, TEXT, {**TOOL, "id": "toolu_test_2"}]),
}


@pytest.mark.parametrize("name", INTERRUPTED)
def test_an_interrupted_message_can_be_sent_back(name: str) -> None:
    """What the API would answer with a 400 is left out; all the rest is kept."""
    content, cut, expected = INTERRUPTED[name]
    accumulator = fed(message_events(*content, cut=cut))
    param = accumulator.to_param()
    assert param == (None if expected is None else {"role": "assistant", "content": expected})
    assert accumulator.to_param() == param


@pytest.mark.parametrize("text", [5, ["a"], {"a": 1}])
def test_a_text_that_is_no_text_is_not_sent_back(text: Any) -> None:
    """A delta of an unknown type may put anything in its place."""
    head, start, *_, stop, tail, end = message_events("Hello")
    param = fed([head, start, delta(0, type="news", text=text), stop, tail, end]).to_param()
    assert param is None


def test_a_paused_turn_is_sent_back_as_it_is() -> None:
    """With `pause_turn` a server's tool call without result is what the API wants back."""
    param = fed(message_events("Hello", SEARCH, stop_reason="pause_turn")).to_param()
    assert param == {"role": "assistant", "content": [TEXT, SEARCH]}


def test_a_call_cut_by_max_tokens_is_not_sent_back() -> None:
    """A cut tool call is no more sent back than it is run."""
    accumulator = Accumulator()
    for event in iter_events(from_sse([BODIES["tool input cut by max_tokens"]])):
        accumulator.feed(event)
    assert accumulator.to_param() == {"role": "assistant", "content": [{"type": "text", "text": "Hello, world"}]}


# -- cost --


def test_memory_stays_near_the_text() -> None:
    """A long text in small deltas does not weigh many times itself."""
    head, block, *_ = message_events("Hello")
    accumulator = fed([head, block])
    tracemalloc.start()
    for number in range(300_000):
        accumulator.feed(delta(0, type="text_delta", text=f"{number:06}"))
    message: Any = accumulator.message
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    length = len(message.content[0].text)
    assert length == 1_800_000
    assert peak <= 3 * length


def test_a_long_tool_input_is_linear() -> None:
    """Twice the input does not take four times as long, as it does where each delta is parsed again."""

    def seconds(count: int) -> float:
        events = message_events(("tool", {"text": "x" * count}), chunk=20)
        start = time.perf_counter()
        collect(events)
        return time.perf_counter() - start

    ratios = sorted(seconds(400_000) / seconds(200_000) for _ in range(5))
    assert ratios[2] < 3


def test_a_stop_reason_does_not_complete_an_open_block() -> None:
    """Without message_stop, a message is whole only when its blocks are closed."""
    start, block, text, _, end, _ = message_events("Hello")
    with pytest.raises(StreamTruncatedError, match="in content block 0"):
        collect([start, block, text, end])


def test_nothing_but_pings_is_not_nothing() -> None:
    """The message of a truncation says whether any event came."""
    with pytest.raises(StreamTruncatedError, match="no event came at all"):
        collect([])
    with pytest.raises(StreamTruncatedError, match="without message_stop"):
        collect([{"type": "ping"}])


def test_an_empty_message_start_is_no_content() -> None:
    """`content_started` waits for content."""
    with pytest.raises(StreamTruncatedError) as caught:
        collect(message_events(cut=1))
    assert not caught.value.content_started


@pytest.mark.parametrize("index", [0.0, False, None])
def test_a_block_has_a_whole_number(index: Any) -> None:
    """An index that merely equals the next one is refused."""
    start, block, *_ = message_events("Hello")
    with pytest.raises(StreamProtocolError, match="its index is"):
        collect([start, {**block, "index": index}])


@pytest.mark.parametrize("content", [5, "text", {"type": "text"}, None])
def test_content_of_message_start_that_is_no_list(content: Any) -> None:
    """It is as good as none: the blocks have events of their own."""
    start, *rest = message_events("Hello")
    start["message"]["content"] = content
    assert collect([start, *rest]) == collect(message_events("Hello"))


@pytest.mark.parametrize("usage", [None, "many", [1]])
def test_usage_of_message_start_that_is_no_object(usage: Any) -> None:
    """The usage of message_delta takes its place."""
    start, *rest = message_events("Hello")
    start["message"]["usage"] = usage
    assert fed([start]).usage == Usage()
    assert fed([start, *rest]).usage == Usage(10, 12, final=True)


def test_what_was_fed_can_be_changed() -> None:
    """What a user does to an event after feeding it changes nothing, wherever in the event it stands."""
    start, block, text, *rest = message_events("Hello")
    block["content_block"]["notes"] = [["a"]]
    rest[-2]["delta"]["container"] = {"list": ["a"]}
    citation = {"type": "char_location", "list": ["a"]}
    events = [
        start,
        block,
        text,
        delta(0, type="citations_delta", citation=citation),
        delta(0, type="news_delta", notes=[["b"]], more={"list": ["a"]}),
        *rest,
    ]
    expected = collect(copy.deepcopy(events))
    accumulator = fed(events)
    citation["list"].append("x")
    events[4]["delta"]["notes"][0].append("x")
    events[4]["delta"]["more"]["list"].append("x")
    rest[-2]["delta"]["container"]["list"].append("x")
    assert accumulator.message == expected


def test_an_error_event_behind_a_message_that_cannot_be_built() -> None:
    """What the API said is not hidden by a partial message that the SDK cannot build."""
    start, *_ = message_events()
    start["message"]["_fields_set"] = [1]
    with pytest.raises(StreamAPIError) as caught:
        collect([start, error_event("api_error")])
    assert caught.value.partial is None
    assert caught.value.usage is not None
