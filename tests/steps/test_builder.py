"""The accumulated message: parity with create(), snapshots, usage, and what can be sent back."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
from anthropic.types import Message
from anthropic.types.beta import BetaMessage
from anthropic.types.beta.parsed_beta_message import ParsedBetaMessage
from hypothesis import given
from hypothesis import strategies as st

from claude_stream import (
    Accumulator,
    StreamAPIError,
    StreamProtocolError,
    StreamTruncatedError,
    ToolInputError,
    Usage,
    collect,
    from_sse,
    iter_events,
    iter_text,
)
from claude_stream._steps.block import PIECES
from claude_stream._steps.builder import MessageBuilder
from claude_stream._wire.events import to_event
from claude_stream.testing import message_events
from tests.faults import error_event
from tests.support import Mode, body_of, delta, fed, tool_events

THINKING = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}
WEATHER = ("get_weather", {"city": "Paris"})


# -- what is wrong --


@pytest.mark.parametrize("asked", [(False, True, False), (True, False, True), (True, True, False)])
def test_what_was_asked_for_first_stays(asked: tuple[bool, bool, bool]) -> None:
    """A reader further on gets more than was asked for before it, and never less."""
    beta, parsed, strict = asked
    builder = MessageBuilder(beta=beta, parsed=parsed, strict=strict)
    builder.amend(beta=False, parsed=False, strict=True)
    for event in message_events("Hello", cut=4):
        builder.feed(event)
    message = builder.message
    assert (isinstance(message, BetaMessage), type(message).__name__.startswith("Parsed")) == (beta, parsed)
    if strict:
        with pytest.raises(StreamTruncatedError):
            builder.finish()
    else:
        assert list(builder.finish()) == []
    builder.reset()
    assert builder.guard.strict is strict


def test_what_is_asked_for_later() -> None:
    """A reader further on may want another class, and may take an early end as it is."""
    builder = MessageBuilder()
    with pytest.raises(StreamTruncatedError):
        builder.finish()
    builder.amend(beta=True, parsed=True, strict=False)
    for event in message_events("Hello", cut=4):
        builder.feed(event)
    assert isinstance(builder.message, ParsedBetaMessage)
    assert list(builder.finish()) == []
    builder.reset()
    assert not builder.guard.strict


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


HELLO = message_events("Hello")
MORE = delta(0, type="text_delta", text="!")


@pytest.mark.parametrize(
    ("before", "event", "why"),
    [
        ([], {**delta(0, type=None), "index": None}, "block None is not open"),
        ([], {**delta(0, **{"type": None, "": "!"}), "index": None}, "block None is not open"),
        (HELLO[:3], delta(0, type="text_delta", text=5), "its text is not a string"),
        (HELLO[:3], delta(0, type="text_delta", text=None), "its text is not a string"),
        (HELLO[:3], {**MORE, "index": None}, "block None is not open"),
        ([*HELLO[:3], delta(0, type="news_delta", news="")], {**MORE, "index": None}, "block None is not open"),
        ([*HELLO[:3], delta(0, **MORE["delta"], news="")], {**MORE, "index": None}, "block None is not open"),
        (HELLO[:4], {**MORE, "index": None}, "block None is not open"),
        (HELLO[:4], MORE, "block 0 is not open"),
    ],
)
def test_a_delta_that_cannot_stand_behind_another(before: list[Any], event: dict[str, Any], why: str) -> None:
    """It is refused, however much it is like the one in front of it; and what had come is with the error."""
    accumulator = fed(before)
    with pytest.raises(StreamProtocolError, match=why) as caught:
        accumulator.feed(event)
    assert accumulator.text == fed(before).text
    assert caught.value.content_started is bool(before)


def test_an_error_event_behind_a_message_that_cannot_be_built() -> None:
    """What the API said is not hidden by a partial message that the SDK cannot build."""
    start, *_ = message_events()
    start["message"]["_fields_set"] = [1]
    with pytest.raises(StreamAPIError) as caught:
        collect([start, error_event("api_error")])
    assert caught.value.partial is None
    assert caught.value.usage is not None


@pytest.mark.parametrize("usage", [None, "many", [1]])
def test_usage_of_message_start_that_is_no_object(usage: Any) -> None:
    """The usage of message_delta takes its place."""
    start, *rest = message_events("Hello")
    start["message"]["usage"] = usage
    assert fed([start]).usage == Usage()
    assert fed([start, *rest]).usage == Usage(10, 12, final=True)


@pytest.mark.parametrize(
    ("raw", "stop_reason"), [("{oops", "max_tokens"), ('{"a": "b', "end_turn"), ("[1", "max_tokens")]
)
def test_malformed_input_makes_collect_raise(mode: Mode, raw: str, stop_reason: str) -> None:
    """What max_tokens cannot explain is a ToolInputError with the message."""
    error = mode.read(lambda: collect(mode.source(tool_events(raw, stop_reason)))).error
    assert isinstance(error, ToolInputError)
    assert error.partial is not None
    assert error.partial.content[0].text == "Hello"


def test_what_came_is_said_once(mode: Mode) -> None:
    """An error passes several stages and is completed by one of them."""
    error = mode.read(lambda: collect(mode.stream(body_of(message_events("Hello", cut=4))))).error
    assert str(error).count("received so far") == 1


# -- parity --


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


def test_a_fallback_without_a_model_keeps_the_old_one() -> None:
    """Null never erases."""
    for to in ({}, {"model": None}, None):
        assert collect(message_events({"type": "fallback", "to": to}), beta=True).model == "claude-test"


def test_a_fallback_block_relabels_the_model() -> None:
    """The model that served the rest is the model of the message."""
    events = message_events("Hello", {"type": "fallback", "from": {"model": "a"}, "to": {"model": "claude-b"}}, "you")
    assert collect(events, beta=True).model == "claude-b"


@pytest.mark.parametrize(
    ("raw", "certain"),
    [("", {}), ('{"city": "Pa', {}), (' {"a": 1, "b": "x', {"a": 1}), ('{"a": 1, "b": "\ud83d', {"a": 1})],
)
def test_a_call_cut_by_max_tokens_in_a_collected_message(mode: Mode, raw: str, certain: object) -> None:
    """`collect` gives the message as the SDK does, with the part of the input that is certain."""
    message = mode.message(lambda: collect(mode.source(tool_events(raw, "max_tokens"))))
    assert message.content[1].input == certain
    assert message.stop_reason == "max_tokens"


def test_a_call_that_is_never_closed_and_cut_before_its_first_byte(mode: Mode) -> None:
    """`max_tokens` explains a call of which nothing came, open or closed."""
    message = mode.message(lambda: collect(mode.source(tool_events("", "max_tokens", close=False))))
    assert message.content[1].input == {}


def test_the_request_id_is_set_as_on_the_message_of_create(mode: Mode) -> None:
    """`_request_id` comes from the response, and is None where there is none."""
    message = mode.message(lambda: collect(mode.stream(body_of(message_events("Hi")))))
    assert message._request_id == "req_replay"
    assert collect(message_events("Hi"))._request_id is None


class Response:
    """A response that was made without a request, as in a mock."""

    def __init__(self, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    @property
    def request(self) -> Any:
        raise RuntimeError("The request instance has not been set on this response.")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (None, ("req_from_body", None)),
        (Response(anthropic_workspace_id="wrkspc_1"), ("req_from_body", "wrkspc_1")),
        (Response(request_id="req_1"), ("req_1", None)),
        (SimpleNamespace(headers={"request-id": "req_1"}), ("req_1", None)),
        (SimpleNamespace(headers={}, request="the request"), ("req_from_body", None)),
    ],
)
def test_the_headers_name_request_and_workspace(response: Any, expected: tuple[Any, ...]) -> None:
    """The response's headers are read as by the SDK, and the body's request ID does where there is no header."""
    builder = MessageBuilder()
    if response is not None:
        builder.response = response
    builder.feed(message_events()[0])
    headers = response.headers if response is not None else {}
    assert builder.message is not None
    assert builder.message._workspace_id == headers.get("anthropic-workspace-id")
    assert builder.message._request_id == headers.get("request-id")
    with pytest.raises(StreamAPIError) as caught:
        builder.feed(error_event("api_error", request_id="req_from_body"))
    assert (caught.value.request_id, caught.value.workspace_id) == expected
    assert caught.value.response is response
    assert caught.value.request == getattr(response, "__dict__", {}).get("request")


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
    body = body_of(events := message_events("Hello"))
    stream = {"model": "any", "max_tokens": 1, "messages": [], "stream": True}
    client = mode.client
    from claude_stream.testing import Recording

    message = mode.message(lambda: collect(client(Recording.from_bytes(body)).beta.messages.create(**stream)))
    assert type(message) is BetaMessage
    assert mode.message(lambda: collect(mode.source(events), beta=True)) == message
    assert mode.message(lambda: collect(from_sse(mode.source([body]), beta=True))) == message


def test_beta_can_be_asked_for_behind_other_stages(mode: Mode) -> None:
    """`collect(..., beta=True)` holds for an iterator of ours, too."""
    message = mode.message(lambda: collect(iter_events(mode.source(message_events("Hi"))), beta=True))
    assert type(message) is BetaMessage


@pytest.mark.parametrize("as_objects", [False, True])
def test_what_only_looks_like_the_delta_before(as_objects: bool) -> None:
    """An event of another type is no delta, and a field is the block's unless its delta is the API's own."""
    events = tool_events('{"a": 1}', None, close=False)
    builder = MessageBuilder()
    for event in [
        *events,
        {**delta(1, type="input_json_delta", partial_json="!"), "type": "news"},
        delta(1, type="input_json_delta", partial_json=" "),
        delta(1, type="news_delta", partial_json="!"),
        delta(1, type="input_json_delta", partial_json=" "),
    ]:
        builder.feed(to_event(event) if as_objects else event)
    block = builder.message.to_dict()["content"][1]
    assert (block["input"], block["partial_json"]) == ({"a": 1}, "!")


@pytest.mark.parametrize("as_objects", [False, True])
def test_an_event_of_another_type_brings_no_text(as_objects: bool) -> None:
    """Whatever its delta is."""
    head, start, hello, *_ = message_events("Hello")
    builder = MessageBuilder()
    for event in head, start, hello, {**hello, "type": "news"}, hello:
        builder.feed(to_event(event) if as_objects else event)
    assert builder.text() == "HelloHello"


def test_an_event_that_somebody_sees_is_the_object_that_came() -> None:
    """Not one like it."""
    builder = MessageBuilder()
    for event in map(to_event, message_events(THINKING, "Hello, world!", WEATHER)):
        [wire] = builder.feed(event)
        assert to_event(wire) is event


def test_a_long_text_of_objects_that_nobody_sees(mode: Mode) -> None:
    """More deltas than pieces that are kept apart: none is lost, also where no event is handed out."""
    text = "".join(map(str, range(500)))
    body = body_of(message_events(text, ("tool", {"text": text}), chunk=1))
    assert len(text) > PIECES
    assert "".join(mode.read(lambda: iter_text(mode.stream(body))).items) == text
    message = mode.message(lambda: collect(mode.stream(body)))
    assert (message.content[0].text, message.content[1].input) == (text, {"text": text})


# -- what belongs to whom --


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


# -- snapshots --

RICH: list[Any] = [
    *message_events(
        THINKING,
        "Hello, world!",
        WEATHER,
        {"type": "text", "text": "Hi", "citations": [{"type": "char_location", "cited_text": "a"}] * 2},
        {"type": "poem", "lines": ["a"], "title": "t"},
        {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}},
        "again",
    )
]


@pytest.mark.parametrize("every", [1, 2, 7])
def test_a_snapshot_is_the_message(every: int) -> None:
    """Whenever it is taken, it equals the message, and stays what it was."""
    builder = MessageBuilder()
    assert builder.snapshot is None
    kept = []
    for number, event in enumerate(RICH):
        builder.feed(event)
        if number % every == 0:
            kept.append((builder.snapshot, builder.message))
    for snapshot, message in kept:
        assert snapshot == message
        assert snapshot.to_dict(warnings=False) == message.to_dict(warnings=False)
        assert snapshot._request_id == message._request_id
    assert builder.snapshot == builder.message


def test_every_snapshot_of_a_recording_is_the_message(recorded_body: bytes) -> None:
    """Also for what the API really sends."""
    builder = MessageBuilder(parsed=True)
    for number, event in enumerate(iter_events(from_sse([recorded_body]))):
        builder.feed(event)
        if number % 5 == 0:
            assert builder.snapshot == builder.message


def test_a_snapshot_shares_what_has_not_changed() -> None:
    """Blocks that are closed are the same objects; the one that grows is a new one each time."""
    builder = fed(message_events("one", "two", cut=5))._builder
    first = builder.snapshot
    builder.feed(delta(1, type="text_delta", text="!"))
    second = builder.snapshot
    assert second.content[0] is first.content[0]
    assert (first.content[1].text, second.content[1].text) == ("", "!")
    assert second.usage is first.usage
    assert builder.message.content[0] is not first.content[0]


def test_a_snapshot_after_a_fresh_start() -> None:
    """A stream that starts over has snapshots of its own."""
    builder = fed(message_events("one"))._builder
    assert builder.snapshot.content[0].text == "one"
    builder.reset()
    assert builder.snapshot is None
    for event in message_events("two"):
        builder.feed(event)
    assert builder.snapshot.content[0].text == "two"


def test_a_message_without_any_field() -> None:
    """It has started all the same."""
    accumulator = fed([{"type": "message_start", "message": {}}])
    assert accumulator.message == Message.construct(content=[])
    assert accumulator._builder.snapshot == accumulator.message


def test_usage_that_is_replaced_in_front_of_iterations() -> None:
    """The iterations of the start may be gone when a later usage makes them void."""
    start, tail, _ = message_events(usage={"iterations": [{"type": "message"}]})
    tail["delta"]["usage"] = {"output_tokens": 1}
    message: Any = fed([start, tail]).message
    assert message.usage.to_dict() == tail["usage"] | {"output_tokens": 12}


def test_a_snapshot_of_an_input_that_turns_out_malformed() -> None:
    """It shows what the message has, and not what was certain before."""
    events = tool_events('{"a": 1,,', None, close=False)
    accumulator = fed(events[:-1])
    assert accumulator._builder.snapshot.content[1].input == {"a": 1}
    accumulator.feed(events[-1])
    assert accumulator._builder.snapshot == accumulator.message
    assert accumulator._builder.snapshot.content[1].input == {}


# -- the bill, and what errors count --


@pytest.mark.parametrize("early", [[{"type": "message", "output_tokens": 1}], [], None])
@pytest.mark.parametrize("late", [{}, {"iterations": [{"type": "message", "output_tokens": 7}]}])
def test_iterations_that_came_too_early_are_void(early: Any, late: dict[str, Any]) -> None:
    """Those of message_start are no bill once a message_delta has counted; those that it brings, and any later, are."""
    start, *middle, end, stop = message_events("Hello")
    start["message"]["usage"]["iterations"] = early
    builder = MessageBuilder()
    for event in (start, *middle):
        builder.feed(event)
    assert builder.message.to_dict()["usage"]["iterations"] == early
    builder.feed({**end, "usage": None})
    assert builder.message.to_dict()["usage"]["iterations"] == early
    builder.feed({**end, "usage": {**end["usage"], **late}})
    assert builder.message.to_dict()["usage"].get("iterations") == late.get("iterations")
    builder.feed({**end, "usage": end["usage"]})  # absent fields keep their value
    builder.feed(stop)
    assert builder.message.to_dict()["usage"].get("iterations") == late.get("iterations")
    assert builder.usage.output_tokens == end["usage"]["output_tokens"]


@pytest.mark.parametrize("sourced", [False, True])
@pytest.mark.parametrize("as_objects", [False, True])
@pytest.mark.parametrize("kind", ["text", "tool"])
def test_every_event_counts(kind: str, as_objects: bool, sourced: bool) -> None:
    """An error says how many came in front of it, whichever way they went; and the deltas are all in the message."""
    events = message_events("Hello, world!" * 3, chunk=2) if kind == "text" else tool_events('{"a": "bc"}', None)
    events = [event for event in events if event["type"] not in {"message_delta", "message_stop", "content_block_stop"}]
    builder = MessageBuilder(sourced=sourced)
    for event in events:
        assert [*builder.feed(to_event(event) if as_objects else event)] == [event]
        assert builder.guard.events == events.index(event) + 1 or events.count(event) > 1
    with pytest.raises(StreamProtocolError, match=rf"^event {len(events) + 1} .*after {len(events) + 1} events"):
        builder.feed(events[0])
    assert builder.message == fed(events).message


def test_what_stands_beside_the_string_of_a_delta() -> None:
    """It is merged like any unknown field, at each delta."""
    events = message_events("Hello")
    events[3:3] = [delta(0, type="text_delta", text="!", more=[number]) for number in range(3)]
    builder = MessageBuilder()
    for event in events:
        builder.feed(event)
    assert builder.message.content[0].to_dict() == {"type": "text", "text": "Hello!!!", "more": [0, 1, 2]}


def test_the_blocks_of_message_start_are_whole() -> None:
    """All that come with it are closed, and the first delta is for a block of its own."""
    start, *rest = message_events("Hello")
    start["message"]["content"] = [{"type": "text", "text": text} for text in ("One", "Two")]
    builder = MessageBuilder()
    for event in (start, *({**event, "index": 2} if "index" in event else event for event in rest)):
        builder.feed(event)
        assert [block.open for block in builder.blocks[:2]] == [False, False]
    assert builder.text("|") == "One|Two|Hello"
    assert builder.text() == "OneTwoHello"


def test_the_usage_of_a_fallback_names_the_models() -> None:
    """Which model an iteration is billed to is said by the blocks of the message."""
    iterations = [{"type": "message", "output_tokens": 1}, {"type": "fallback_message", "output_tokens": 2}]
    fallback = {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}
    events = message_events("Hello", fallback, "you", usage={"iterations": iterations})
    events[-2]["usage"]["iterations"] = iterations
    assert [each.model for each in fed(events).usage.iterations] == ["a", "b"]
