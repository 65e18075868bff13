"""How `create(stream=True)` reads a body, and what its `Stream` is like from outside."""

from __future__ import annotations

import inspect
import json
import weakref
from typing import Any

import anthropic
import pytest

from tests.whole.sdk_facts.sdk import (
    API,
    BOTH,
    END,
    HELLO,
    HTTP,
    REQUEST,
    SDK,
    STABLE_AND_BETA,
    START,
    block,
    body_of,
    events_of,
    frame,
    messages_of,
    raised,
    read,
    stream_of,
    wait_for,
)

BODY = body_of(HELLO)


def stream_class(*, is_async: bool) -> Any:
    return anthropic.AsyncStream if is_async else anthropic.Stream


# -- what it is like from outside --


@BOTH
@STABLE_AND_BETA
def test_what_create_gives(is_async: bool, beta: bool) -> None:
    """`create(stream=True)` gives a `Stream`, or an awaitable of an `AsyncStream`, whose `response` nobody has read.

    Used by: `_open._Request._source`, `_drive.live.Body`.
    """
    stream = stream_of(BODY, is_async=is_async, beta=beta)
    assert type(stream) is stream_class(is_async=is_async)
    assert isinstance(stream.response, HTTP.Response)
    assert (stream.response.is_closed, stream.response.is_stream_consumed) == (False, False)


@BOTH
def test_a_stream_of_dicts(is_async: bool) -> None:
    """A stream made again with `cast_to=object`, from `response` and `_client`, gives the JSON as it was sent.

    Used by: `_open._as_dicts`.
    """
    stream = stream_of(BODY, is_async=is_async)
    dicts = type(stream)(cast_to=object, response=stream.response, client=stream._client)
    assert read(dicts) == HELLO


@BOTH
def test_the_body_is_asked_for_late(is_async: bool) -> None:
    """A stream asks its response for `iter_bytes` or `aiter_bytes` when it is first read, without arguments, once.

    Used by: `_drive.look.Look.begin`.
    """
    stream = stream_of(BODY, is_async=is_async)
    name = "aiter_bytes" if is_async else "iter_bytes"
    own, asked = getattr(stream.response, name), []

    def chunks(*args: Any) -> Any:
        asked.append(args)
        return own(*args)

    setattr(stream.response, name, chunks)
    assert len(read(stream)) == len(HELLO)
    assert asked == [()]


@BOTH
def test_its_loop_is_its_own(is_async: bool) -> None:
    """The class and the function that it is looped over by are defined in `anthropic`.

    Used by: `_drive.live.is_changed`.
    """
    cls = stream_class(is_async=is_async)
    loop = cls.__aiter__ if is_async else cls.__iter__
    assert cls.__module__.partition(".")[0] == "anthropic"
    assert loop.__globals__["__name__"].partition(".")[0] == "anthropic"


@BOTH
def test_it_gives_one_event_at_a_time(is_async: bool) -> None:
    """A stream is its own iterator besides: `__next__` and `__anext__` go on where the loop was.

    Used by: `_drive.live.SDKStream._aiterate`.
    """
    stream = stream_of(BODY, is_async=is_async)

    async def two() -> list[str]:
        return [(await stream.__anext__()).type, (await stream.__anext__()).type]

    first = wait_for(two()) if is_async else [next(stream).type, next(stream).type]
    assert first == ["message_start", "content_block_start"]


@BOTH
def test_a_stream_can_be_remembered(is_async: bool) -> None:
    """Streams can be put into a weak set, and are told apart by identity.

    Used by: `_drive.live._read`.
    """
    one, other = (stream_of(BODY, is_async=is_async) for _ in range(2))
    assert one in weakref.WeakSet([one])
    assert other not in weakref.WeakSet([one])


@BOTH
def test_closing(is_async: bool) -> None:
    """`close()`, awaited where it is async, closes the response. There is no `aclose`.

    Used by: `_drive.live.SDKStream.close`, `_drive.live.SDKStream._close_response`.
    """
    stream = stream_of(BODY, is_async=is_async)
    wait_for(stream.close()) if is_async else stream.close()
    assert stream.response.is_closed
    assert not hasattr(stream, "aclose")


@BOTH
def test_read_to_the_end(is_async: bool) -> None:
    """A stream that was read to its end has closed its response, and gives nothing more.

    Used by: `_drive.look.is_closed_and_gone`, `_drive.live.Live.ended`.
    """
    stream = stream_of(BODY, is_async=is_async)
    assert len(read(stream)) == len(HELLO)
    assert stream.response.is_closed
    if not is_async:
        assert read(stream) == []


def test_generators_that_are_left_behind() -> None:
    """The async generators that are left suspended when a stream ends early, which trio warns of, have these names.

    Used by: `filterwarnings` in pyproject.toml.
    """
    decoder = type(stream_of(BODY, is_async=True)._decoder)
    for function in (
        anthropic.AsyncStream._iter_events,
        anthropic.AsyncStream.__aiter__,
        anthropic.AsyncStream.__stream__,
        decoder.aiter_bytes,
        decoder._aiter_chunks,
    ):
        assert inspect.isasyncgenfunction(function)
        assert function.__module__ == "anthropic._streaming"


# -- which events --


@BOTH
def test_what_it_drops(is_async: bool) -> None:
    """A ping, an event without a name, and a last one without its blank line are not handed out.

    Used by: `_drive.look.other_body`, `_drive.live.SDKStream.tell_of_bytes`, `__main__._verdict`.
    """
    start, *_, stop = HELLO
    unnamed = frame(END[0]).partition(b"\n")[2]
    ping = frame({"type": "ping"})
    events = events_of(frame(start), ping, unnamed, frame(stop).rstrip(), is_async=is_async)
    assert [event.type for event in events] == ["message_start"]


@BOTH
def test_an_event_without_data(is_async: bool) -> None:
    """It is dropped; SDKs before 1.16 take the nothing for JSON, and fail.

    Used by: `_translate.from_sdk`.
    """

    def events() -> list[Any]:
        return events_of(b"event: message_stop\n\n", is_async=is_async)

    if SDK < (1, 16):
        assert type(raised(events)) is json.JSONDecodeError
    else:
        assert events() == []


@BOTH
def test_an_early_end(is_async: bool) -> None:
    """A body that ends early, is empty, or is no event stream at all ends a stream as if nothing were wrong.

    Used by: `_drive.live._refuse_early_end`, `_drive.look.other_body`.
    """
    assert len(events_of(body_of(HELLO[:3]), is_async=is_async)) == 3
    assert events_of(is_async=is_async) == []
    assert events_of(b"<html>", content_type="text/html", is_async=is_async) == []


@BOTH
@STABLE_AND_BETA
def test_unknown_types(is_async: bool, beta: bool) -> None:
    """What has a type that the SDK does not know is built as the first class of its union, with its own `type`.

    Events of unknown types are dropped by SDKs before 1.16.

    Used by: `_wire.events`, which goes by the type alone.
    """
    new = block({"type": "new_block", "a": 1}, {"type": "new_delta", "b": 2})
    news = {"type": "news", "c": 3}
    events = events_of(body_of([START, *new, news, *END]), is_async=is_async, beta=beta)
    assert [event.type for event in events].count("news") == (SDK >= (1, 16))
    found = {event.type: event for event in events}
    prefix = "Beta" if beta else ""
    content_block = found["content_block_start"].content_block
    assert (type(content_block).__name__, content_block.type, content_block.a) == (f"{prefix}TextBlock", "new_block", 1)
    assert content_block.text is None
    delta = found["content_block_delta"].delta
    assert (type(delta).__name__, delta.type, delta.b) == (f"{prefix}TextDelta", "new_delta", 2)
    if "news" in found:
        assert (type(found["news"]).__name__, found["news"].c) == (f"{prefix}RawMessageStartEvent", 3)


@STABLE_AND_BETA
def test_fields_that_are_missing_or_new(beta: bool) -> None:
    """An event is built unchecked: what is missing is None, and what is new is kept.

    Used by: `_wire.events.to_event`.
    """
    events = events_of(body_of([{"type": "message_delta", "news": {"a": 1}}]), beta=beta)
    assert (events[0].delta, events[0].usage, events[0].news) == (None, None, {"a": 1})


@STABLE_AND_BETA
def test_where_events_are_defined(beta: bool) -> None:
    """The events are `anthropic.BaseModel`s of `anthropic.types`, or of `anthropic.types.beta`.

    Used by: `_wire.events.is_beta`, `_wire.events.to_wire`.
    """
    for event in events_of(BODY, beta=beta):
        assert isinstance(event, anthropic.BaseModel)
        assert type(event).__module__.startswith("anthropic.types.beta" if beta else "anthropic.types.raw_")


@STABLE_AND_BETA
def test_events_as_json(beta: bool) -> None:
    """`to_dict(mode="json", warnings=False)` gives the JSON that the event was made of, unknown fields included.

    Used by: `_wire.events.to_wire`.
    """
    sent = [START | {"a": 1}, *block({"type": "new_block", "b": [2]}, {"type": "new_delta", "c": {}}), *END]
    assert [event.to_dict(mode="json", warnings=False) for event in events_of(body_of(sent), beta=beta)] == sent


def test_building_an_object() -> None:
    """`construct` takes any field and checks nothing, but has a parameter `_fields_set` of its own.

    Used by: `_wire.events.construct`.
    """
    usage = anthropic.types.Usage.construct(input_tokens="many", news=1)
    assert usage.to_dict(warnings=False) == {"input_tokens": "many", "news": 1}
    assert list(inspect.signature(anthropic.BaseModel.construct).parameters) == ["_fields_set", "values"]


# -- what it raises --


@BOTH
def test_an_error_event(is_async: bool) -> None:
    """An `error` event raises a bare `APIStatusError` with the status of the response, 200, and the JSON as its body.

    Used by: `_translate._transport_error`.
    """
    event = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    error = raised(lambda: events_of(body_of([START, event]), is_async=is_async))
    assert type(error) is anthropic.APIStatusError
    assert (error.status_code, error.response.status_code, error.body) == (200, 200, event)


@BOTH
def test_a_fault_of_the_transport(is_async: bool) -> None:
    """The transport's own error comes out of a stream, and is no `APIError`.

    Used by: `_translate.from_sdk`.
    """
    for fault in (HTTP.ReadError("reset"), HTTP.ReadTimeout("silence"), HTTP.RemoteProtocolError("cut")):
        assert raised(lambda fault=fault: events_of(frame(START), fault, is_async=is_async)) is fault
        assert not isinstance(fault, anthropic.APIError)


@pytest.mark.parametrize(
    ("line", "expected", "reason"),
    [
        (b"data: {", json.JSONDecodeError, None),
        (b"data: \xe2\x82\xac \xe2\x82", UnicodeDecodeError, "unexpected end of data"),
        (b"data: \xff", UnicodeDecodeError, "invalid start byte"),
    ],
)
@BOTH
def test_data_that_is_no_json(is_async: bool, line: bytes, expected: type[Exception], reason: str | None) -> None:
    """It raises Python's own errors, and tells a character that was cut by its reason.

    Used by: `_translate.from_sdk`.
    """
    error = raised(lambda: events_of(b"event: message_start\n" + line + b"\n\n", is_async=is_async))
    assert type(error) is expected
    assert getattr(error, "reason", None) == reason


def test_json_is_pythons() -> None:
    """Data is read by `json`, which takes half a surrogate pair, NaN, and the last of two equal keys.

    Used by: `_json`, which takes no less where the API may send it.
    """
    delta = b'{"type": "content_block_delta", "index": 0, "index": 1, "delta": {"type": "x", "a": "\\ud800", "b": NaN}}'
    [event] = events_of(b"event: content_block_delta\ndata: " + delta + b"\n\n")
    assert (event.index, event.delta.a) == (1, "\ud800")
    assert event.delta.b != event.delta.b


# -- the request --


@BOTH
def test_one_request_and_no_second_one(is_async: bool) -> None:
    """`max_retries` is for the beginning: a stream that fails later is not asked for again.

    Used by: `_drive.restarts`, which counts such failures apart.
    """
    api = API(frame(START), HTTP.ReadError("reset"))
    given = api.client(is_async=is_async, max_retries=2).messages.create(**REQUEST, stream=True)
    assert isinstance(raised(lambda: read(wait_for(given) if is_async else given)), HTTP.ReadError)
    assert len(api.requests) == 1
    assert json.loads(api.requests[0].content)["stream"] is True


def test_the_id_of_the_request() -> None:
    """A message of `create()` has the header `request-id` as `_request_id`, which `==` does not look at.

    Used by: `_steps.builder.MessageBuilder`.
    """
    body = json.dumps(START["message"]).encode()
    one, other = (
        API(body, content_type="application/json", request_id=name).client().messages.create(**REQUEST)
        for name in ("req_1", "req_2")
    )
    assert (one._request_id, other._request_id) == ("req_1", "req_2")
    assert one == other


def test_bedrock_names_its_frames() -> None:
    """Bedrock's binary frames come with this content type, and go through a decoder of the client's.

    Used by: `_open._only_the_sdk_can_read`.
    """
    pytest.importorskip("botocore")
    client = API(b"", content_type="application/vnd.amazon.eventstream").client(
        cls=anthropic.AnthropicBedrock, api_key=None, aws_access_key="a", aws_secret_key="b", aws_region="c"
    )
    assert client._make_sse_decoder().__class__.__module__.startswith("anthropic.lib.bedrock")
    assert type(messages_of(client, beta=False).create(**REQUEST, stream=True)) is anthropic.Stream
