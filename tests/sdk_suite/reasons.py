"""Why tests of the SDK's end otherwise on a wrapped client: the list, which docs/compatibility.md shows.

The law: each reason is a decision that a user can read about, in docs/explanation.md where it is a contract. What we
should do as the SDK does is a defect, and has no place here.
"""

from __future__ import annotations

from tests.sdk_suite.compare import Reason

_STABLE, _BETA = "tests/lib/streaming/test_messages.py", "tests/lib/streaming/test_beta_messages.py"
_SPANS = "tests/test_open_telemetry.py::TestCallSpans"
_CONTENT = "tests/test_open_telemetry.py::TestContent"

_LAST_EVENT = (
    "The body ends without the blank line behind its last event. Its JSON is whole, so it is an event here; the SDK "
    "drops it."
)
_MALFORMED_INPUT = (
    "Malformed tool input is a `ToolInputError` where the input is needed: `get_final_message()`, the event that ends "
    "the block, `tool_calls()`. `until_done()` only reads, and does not disturb who reads the text."
)


def _both_colours(module: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{module}::{group}::{name}" for name in names for group in ("TestSyncMessages", "TestAsyncMessages"))


REASONS = (
    Reason(
        _LAST_EVENT,
        shows="Left contains one more item: 'message_stop'",
        tests=(
            *_both_colours(_STABLE, "test_basic_response", "test_tool_use"),
            *_both_colours(_BETA, "test_basic_response", "test_tool_use"),
            *_both_colours(_BETA, "test_compaction", "test_fallback_relabels_model"),
            f"{_BETA}::TestAsyncMessages::test_incomplete_response",
        ),
    ),
    Reason(
        _LAST_EVENT,
        shows="Left contains one more item: 'message_stop'",
        tests=(*_both_colours(_STABLE, "test_server_tool_use"), *_both_colours(_BETA, "test_server_tool_use")),
        sdk=">=1",
    ),
    Reason(
        _MALFORMED_INPUT,
        shows="DID NOT RAISE <class 'ValueError'>",
        tests=_both_colours(_STABLE, "test_tool_use_invalid_json"),
        sdk=">=1",
    ),
    Reason(
        _MALFORMED_INPUT,
        shows="DID NOT RAISE <class 'ValueError'>",
        tests=(
            f"{_CONTENT}::test_stream_helper_that_cannot_accumulate_an_event_has_no_output",
            f"{_CONTENT}::test_async_stream_helper_that_cannot_accumulate_an_event_has_no_output",
        ),
        sdk=">=2.12",
    ),
    Reason(
        "A block's event in front of `message_start` is out of order: a `StreamProtocolError`. The SDK passes it on.",
        shows="cannot stand here: block 0 is not open",
        tests=(
            *_both_colours(_STABLE, "test_unknown_events_are_passed_through"),
            *_both_colours(_BETA, "test_unknown_events_are_passed_through"),
        ),
        sdk=">=2.12",
    ),
    Reason(
        "A stream that ends early raises `StreamTruncatedError`, unless `strict=False`. The SDK's helper gives a "
        "message without a stop reason.",
        shows="claude_stream.StreamTruncatedError",
        tests=(
            f"{_SPANS}::test_stream_ended_before_message_delta_has_nothing_that_message_delta_gives",
            f"{_SPANS}::test_async_stream_ended_before_message_delta_has_nothing_that_message_delta_gives",
            f"{_CONTENT}::test_stream_helper_stream_ended_by_the_server_has_the_partial_output",
            f"{_CONTENT}::test_async_stream_helper_stream_ended_by_the_server_has_the_partial_output",
            f"{_CONTENT}::test_stream_helper_without_a_message_start_has_no_output",
            f"{_CONTENT}::test_async_stream_helper_without_a_message_start_has_no_output",
            f"{_CONTENT}::test_partial_output_is_content",
        ),
        sdk=">=2.12",
    ),
    Reason(
        "A dropped connection is a `StreamConnectionError`, with the transport's own error as its cause.",
        shows="claude_stream.StreamConnectionError",
        tests=(f"{_CONTENT}::test_stream_helper_read_error_has_the_partial_output",),
        sdk=">=2.12",
    ),
    Reason(
        "A message with a stop reason and no open block is complete, and so its span is no error, although "
        "`message_stop` is missing.",
        shows="assert <StatusCode.UNSET: 0> == <StatusCode.ERROR: 2>",
        tests=(
            f"{_SPANS}::test_stream_ended_after_message_delta_has_what_message_delta_gave",
            f"{_SPANS}::test_async_stream_ended_after_message_delta_has_what_message_delta_gave",
        ),
        sdk=">=2.12",
    ),
    Reason(
        "Behind `message_stop` the response is read to its end, so that its connection is used again; the span of a "
        "stream that is left there is OK.",
        shows="assert <StatusCode.OK: 1> == <StatusCode.UNSET: 0>",
        tests=(
            f"{_SPANS}::test_stream_closed_after_message_stop_before_the_end_of_the_body",
            f"{_SPANS}::test_async_stream_closed_after_message_stop_before_the_end_of_the_body",
        ),
        sdk=">=2.12",
    ),
    Reason(
        "A `message_delta` without `usage` is read as it is. The SDK's helper fails on it with an `AttributeError`.",
        shows="DID NOT RAISE <class 'AttributeError'>",
        tests=(f"{_SPANS}::test_stream_ended_after_a_message_delta_that_cannot_be_accumulated_has_nothing_of_it",),
        sdk=">=2.12",
    ),
    Reason(
        "The test counts calls of the SDK's own, private `accumulate_event`, which is not used here. What is on the "
        "span is the same.",
        shows="assert 0 == 10\n",
        tests=(
            f"{_CONTENT}::test_stream_helper_content_comes_from_its_snapshot",
            f"{_CONTENT}::test_async_stream_helper_content_comes_from_its_snapshot",
        ),
        sdk=">=2.12",
    ),
    Reason(
        "The test compares all attributes of a client and its copy. A wrapped client has methods among its "
        "attributes, each copy its own.",
        shows=r"Differing items:(\n  \{'(copy|with_middleware|with_options)': <function .*)+\n  Use -v",  # and no other
        tests=(
            "tests/lib/test_client_copy.py::test_copy_keeps_every_constructor_argument",
            "tests/lib/test_client_copy.py::test_copy_of_a_client_built_from_the_environment",
        ),
        sdk=">=2.12",
    ),
)
