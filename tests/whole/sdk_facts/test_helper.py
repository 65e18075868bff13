"""What `messages.stream` gives: the events that ours gives, the final message, and how it fails."""

from __future__ import annotations

import warnings
from typing import Any, get_args

import anthropic
import pydantic
from anthropic.lib import streaming
from anthropic.types import Message, ParsedMessage
from anthropic.types.beta.parsed_beta_message import ParsedBetaMessage

from tests.whole.sdk_facts.sdk import (
    API,
    BOTH,
    END,
    HELLO,
    REQUEST,
    SDK,
    STABLE_AND_BETA,
    START,
    block,
    body_of,
    helped,
    messages_of,
    raised,
    text,
    tool,
    wait_for,
)


def helper_class(name: str, *, beta: bool, is_async: bool) -> Any:
    return getattr(streaming, f"{'Beta' if beta else ''}{'Async' if is_async else ''}{name}")


# -- its classes --


@BOTH
@STABLE_AND_BETA
def test_its_classes(is_async: bool, beta: bool) -> None:
    """The stream and its manager have these names in `anthropic.lib.streaming`, and the stream has a `response`.

    Used by: `_drive.misuse`, `_message_stream.MessageStream`, `_open.StreamManager`.
    """
    messages = messages_of(API(body_of(HELLO)).client(is_async=is_async), beta=beta)
    manager = messages.stream(**REQUEST)

    async def entered() -> Any:
        async with manager as stream:
            return stream

    if is_async:
        stream = wait_for(entered())
    else:
        with manager as stream:
            pass
    assert type(manager) is helper_class("MessageStreamManager", beta=beta, is_async=is_async)
    assert type(stream) is helper_class("MessageStream", beta=beta, is_async=is_async)
    assert stream.response.status_code == 200


@BOTH
@STABLE_AND_BETA
def test_its_public_names(is_async: bool, beta: bool) -> None:
    """The stream has these public names and no others; `workspace_id` is missing from older SDKs.

    Used by: `_message_stream.MessageStream`, `_message_stream.AsyncMessageStream`.
    """
    cls = helper_class("MessageStream", beta=beta, is_async=is_async)
    names = {name for name in {*dir(cls), *cls.__annotations__} if not name.startswith("_")}
    assert names - {"workspace_id"} == {
        "close",
        "current_message_snapshot",
        "get_final_message",
        "get_final_text",
        "request_id",
        "response",
        "text_stream",
        "until_done",
    }


@STABLE_AND_BETA
def test_the_unions_of_its_events(beta: bool) -> None:
    """The union of its events is annotated, and each of its classes has one `type`, as a literal.

    Used by: `_steps.helper_events._by_type`.
    """
    union = streaming.BetaMessageStreamEvent if beta else streaming.MessageStreamEvent
    classes = get_args(get_args(union)[0])
    assert all(len(get_args(cls.model_fields["type"].annotation)) == 1 for cls in classes)
    kinds = {get_args(cls.model_fields["type"].annotation)[0] for cls in classes}
    own = {"text", "citation", "thinking", "signature", "input_json"} | ({"compaction"} if beta else set())
    blocks = {"content_block_start", "content_block_delta", "content_block_stop"}
    assert kinds == own | blocks | {"message_start", "message_delta", "message_stop"}


# -- its events --


@STABLE_AND_BETA
def test_what_it_puts_between_the_events(beta: bool) -> None:
    """Behind the delta comes an event of the helper's, which says the same again.

    Used by: `_steps.helper_events.HelperEvents`.
    """
    events, _ = helped(HELLO, beta=beta)
    assert [event.type for event in events] == [
        "message_start",
        "content_block_start",
        *("content_block_delta", "text"),
        *("content_block_delta", "text"),
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [(event.text, event.snapshot) for event in events if event.type == "text"] == [
        ("Hello, ", "Hello, "),
        ("world!", "Hello, world!"),
    ]


@STABLE_AND_BETA
def test_where_its_events_are_defined(beta: bool) -> None:
    """Those that the helper makes, its two stop events among them, are of `anthropic.lib.streaming`; no others are.

    Used by: `_wire.events._made_by_helper`.
    """
    for event in helped(HELLO, beta=beta)[0]:
        made = any(base.__module__.startswith("anthropic.lib.streaming") for base in type(event).__mro__)
        assert made is (event.type in ("text", "content_block_stop", "message_stop")), event.type


@STABLE_AND_BETA
def test_what_its_stop_events_carry(beta: bool) -> None:
    """They have the finished block, and the finished message, beside the API's fields.

    Used by: `_steps.helper_events.HelperEvents`, `_wire.events._dump`.
    """
    events, message = helped(HELLO, beta=beta)
    block_stop, message_stop = (event for event in events if event.type.endswith("_stop"))
    assert (block_stop.index, block_stop.content_block.text) == (0, "Hello, world!")
    assert message_stop.message == message


def test_text_in_the_start_of_a_block() -> None:
    """It is in the final message, and missing from `text_stream`.

    Used by: `_steps.text.Strings`, which gives it.
    """
    events = [START, *text("world!", start="Hello, "), *END]
    with API(body_of(events)).client().messages.stream(**REQUEST) as stream:
        assert [*stream.text_stream] == ["world!"]
        assert stream.get_final_text() == "Hello, world!"


# -- its final message --


@STABLE_AND_BETA
def test_its_final_message(beta: bool) -> None:
    """It is of a `Parsed` class, a subclass that does not equal a `Message` of the same fields.

    Used by: `_steps.builder.MessageBuilder`.
    """
    _, message = helped(HELLO, beta=beta)
    plain, parsed = (anthropic.types.beta.BetaMessage, ParsedBetaMessage) if beta else (Message, ParsedMessage)
    assert isinstance(message, parsed)
    assert isinstance(message, plain)
    assert message != plain.construct(**message.to_dict())


def test_what_an_output_format_becomes() -> None:
    """A type becomes a schema in `output_config.format`, and a text block has what was parsed as `parsed_output`.

    Used by: `_request.with_format`, `_message_stream._Parsed`.
    """

    class Answer(pydantic.BaseModel):
        city: str

    api = API(body_of([START, *text('{"city": ', '"Paris"}'), *END]))
    with api.client().messages.stream(**REQUEST, output_format=Answer) as stream:
        message = stream.get_final_message()
    assert message.content[0].parsed_output == Answer(city="Paris")
    [request] = api.requests
    schema = anthropic.transform_schema(pydantic.TypeAdapter(Answer).json_schema())
    assert pydantic.TypeAdapter(Any).validate_json(request.content)["output_config"] == {
        "format": {"type": "json_schema", "schema": schema}
    }


@STABLE_AND_BETA
def test_an_output_format_that_is_a_dict(beta: bool) -> None:
    """SDKs since 1.0 refuse it with a TypeError; those before send it.

    Used by: `_request.with_format`.
    """
    given = {"type": "json_schema", "schema": {"type": "object"}}
    messages = messages_of(API(body_of(HELLO)).client(), beta=beta)
    if SDK >= (1, 0):
        assert type(raised(lambda: messages.stream(**REQUEST, output_format=given))) is TypeError
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is deprecated
            messages.stream(**REQUEST, output_format=given)


def test_two_output_formats() -> None:
    """A beta request that has one in `output_config` as well is refused with an `AnthropicError`.

    Used by: `_request.with_format`.
    """
    messages = API(body_of(HELLO)).client().beta.messages
    config = {"format": {"type": "json_schema", "schema": {"type": "object"}}}
    error = raised(lambda: messages.stream(**REQUEST, output_format=dict[str, int], output_config=config))
    assert type(error) is anthropic.AnthropicError


def test_a_fallback_relabels_the_message() -> None:
    """A beta `fallback` block gives the message the model that took over.

    Used by: `_steps.builder.MessageBuilder`.
    """
    fallback = {"type": "fallback", "from": {"model": "claude-a"}, "to": {"model": "claude-b"}}
    assert helped([START, *block(fallback), *END], beta=True)[1].model == "claude-b"


# -- how it fails --


def test_a_body_that_is_cut() -> None:
    """Its message looks like any other, without a stop reason; an empty body is a blank `AssertionError`.

    Used by: `_steps.guard.Guard`, which raises.
    """
    _, message = helped(HELLO[:3])
    assert (message.content[0].text, message.stop_reason) == ("Hello, ", None)
    error = raised(lambda: helped([]))
    assert (type(error), str(error)) == (AssertionError, "")


@STABLE_AND_BETA
def test_malformed_tool_input(beta: bool) -> None:
    """It raises a plain `ValueError` in the middle of the iteration, whose text ends in the raw JSON.

    SDKs before 0.122 leave out the text with stable events: jiter's own error comes out.

    Used by: `_translate.from_sdk`.
    """
    error = raised(lambda: helped([START, *tool('{"a": ', "nonsense}"), *END], beta=beta))
    assert type(error) is ValueError
    if beta or SDK >= (0, 122):
        assert str(error).startswith("Unable to parse tool parameter JSON from model")
        assert str(error).partition("JSON: ")[2] == '{"a": nonsense}'


def test_tool_input_that_is_cut() -> None:
    """It is what could be read of it, without a word.

    Used by: `_steps.block.Block`, which does the same in a message that was cut at a limit.
    """
    assert helped([START, *tool('{"a":"x","path":"/et'), *END])[1].content[0].input == {"a": "x"}


def test_a_message_delta_without_usage() -> None:
    """It fails with an `AttributeError`.

    Used by: `_steps.builder.MessageBuilder`, which reads it as it is.
    """
    events = [START, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, END[-1]]
    assert type(raised(lambda: helped(events))) is AttributeError


def test_an_index_that_does_not_exist() -> None:
    """It fails with an `IndexError`.

    Used by: `_steps.guard.Guard`, which raises a StreamProtocolError.
    """
    late = {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "x"}}
    assert type(raised(lambda: helped([START, late]))) is IndexError


def test_a_null_erases() -> None:
    """A later `message_delta` with `stop_reason: null` takes the first one's back.

    Used by: `_steps.builder.MessageBuilder`, which keeps it.
    """
    later = {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 12}}
    assert helped([START, END[0], later, END[1]])[1].stop_reason is None
