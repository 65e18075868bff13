"""Order and completeness: what may follow what, and when a message is whole."""

from __future__ import annotations

from typing import Any

import pytest

from claude_stream import StreamAPIError, StreamProtocolError, StreamTruncatedError, collect
from claude_stream._json import excerpt
from claude_stream._steps.guard import Guard
from claude_stream.testing import message_events
from tests.faults import error_event
from tests.support import delta

TEXT = {"type": "text", "text": "Hello"}


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
    expected = collect([start, *rest])
    start["message"]["content"] = content
    assert collect([start, *rest]) == expected


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


def test_content_in_message_start_counts_as_started() -> None:
    """What message_start brings along was content, if the stream fails after it."""
    start, *_ = message_events()
    start["message"]["content"] = [TEXT]
    with pytest.raises(StreamTruncatedError) as caught:
        collect([start])
    assert caught.value.content_started


@pytest.mark.parametrize("at", [1, 2])
def test_an_index_that_python_does_not_print(at: int) -> None:
    """A number of too many digits is an index like any other that is wrong."""
    events = message_events("Hello")
    events[at]["index"] = 10**5000
    with pytest.raises(StreamProtocolError, match="int that cannot be shown"):
        collect(events)


START, BLOCK, DELTA, STOP, END, LAST = message_events("Hello")
SECOND = {**BLOCK, "index": 1}
CLOSED = (START, BLOCK, DELTA, STOP)


@pytest.mark.parametrize(
    ("before", "event", "why"),
    [
        ((), BLOCK, "no message_start came before it"),
        ((), END, "no message_start came before it"),
        ((), LAST, "no message_start came before it"),
        ((START,), START, "the message had already started"),
        ((), {"type": "message_start"}, "it has no message"),
        ((), {"type": "message_start", "message": {"content": [{}]}}, "its content is not a list of blocks"),
        ((START,), SECOND, "its index is 1, and the next block is 0"),
        (CLOSED, BLOCK, "its index is 0, and the next block is 1"),
        ((*CLOSED, SECOND), SECOND, "its index is 1, and the next block is 2"),
        ((START,), {**BLOCK, "content_block": {}}, "it has no content_block of a known shape"),
        ((START,), DELTA, "block 0 is not open"),
        ((START, BLOCK), {**DELTA, "index": 1}, "block 1 is not open"),
        ((START, BLOCK), {**DELTA, "index": False}, "block False is not open"),
        ((START, BLOCK), {**DELTA, "index": "0"}, "block '0' is not open"),
        (CLOSED, DELTA, "block 0 is not open"),
        (CLOSED, STOP, "block 0 is not open"),
        ((*CLOSED, SECOND), STOP, "block 0 is not open"),
        ((START, BLOCK), {**DELTA, "delta": None}, "it has no delta"),
        ((START, BLOCK), delta(0, type="text_delta"), "its text is not a string"),
        ((START, BLOCK), delta(0, type="text_delta", text=5), "its text is not a string"),
        ((START, BLOCK), delta(0, type="input_json_delta"), "its partial_json is not a string"),
    ],
)
def test_what_cannot_stand_where_it_stands(before: tuple[Any, ...], event: dict[str, Any], why: str) -> None:
    """It is refused with its number, its type, the reason and itself."""
    guard = Guard()
    for each in before:
        assert list(guard.feed(each)) == [each]
    with pytest.raises(StreamProtocolError) as caught:
        guard.feed(event)
    number = len(before) + 1
    assert str(caught.value) == f"event {number} ({event['type']}) cannot stand here: {why}: {excerpt(event)}"


@pytest.mark.parametrize(
    "event", [{"type": "ping"}, {"type": "news", "index": 9}, delta(0, type="news", text=5), delta(0, type=["text"])]
)
def test_what_may_stand_anywhere(event: dict[str, Any]) -> None:
    """A ping, an event or a delta of a type that nobody knows yet passes, as it is."""
    guard = Guard()
    for each in (START, BLOCK, event, DELTA):
        assert list(guard.feed(each)) == [each]


def test_an_error_event_is_raised() -> None:
    """As what it says it is, wherever it stands."""
    for before in ((), CLOSED):
        guard = Guard()
        for each in before:
            guard.feed(each)
        with pytest.raises(StreamAPIError, match="said the API") as caught:
            guard.feed(error_event("overloaded_error"))
        assert caught.value.type == "overloaded_error"


@pytest.mark.parametrize(
    ("events", "complete", "why"),
    [
        ((), False, "no event came at all"),
        ((START,), False, "the stream ended early, without message_stop"),
        ((START, BLOCK), False, "the stream ended early, in content block 0"),
        (CLOSED, False, "the stream ended early, without message_stop"),
        ((*CLOSED, SECOND), False, "the stream ended early, in content block 1"),
        ((START, BLOCK, SECOND, {**STOP, "index": 1}), False, "the stream ended early, in content block 0"),
        ((START, BLOCK, END), False, "the stream ended early, in content block 0"),
        ((*CLOSED, {**END, "delta": {"stop_reason": None}}), False, "the stream ended early, without message_stop"),
        ((*CLOSED, {"type": "message_delta"}), False, "the stream ended early, without message_stop"),
        ((*CLOSED, END), True, None),
        ((*CLOSED, END, {**END, "delta": {"stop_reason": None}}), True, None),
        ((*CLOSED, LAST), True, None),
        ((START, BLOCK, LAST), True, None),
    ],
)
def test_when_a_message_is_whole(events: tuple[Any, ...], complete: bool, why: str | None) -> None:
    """`message_stop` came, or a stop reason with no block open; any other end is refused, if it is strict."""
    guards = [Guard(), Guard(strict=True), Guard(strict=False)]
    assert [guard.strict for guard in guards] == [True, True, False]
    for guard in guards:
        assert not guard.complete
        for each in events:
            guard.feed(each)
        assert guard.complete is complete
        if why is None or not guard.strict:
            assert list(guard.finish()) == []
        else:
            with pytest.raises(StreamTruncatedError) as caught:
                guard.finish()
            assert str(caught.value) == why


def test_what_it_counts() -> None:
    """All events, and the pings among them; whether content began; and the last stop reason."""
    guard = Guard()
    ping = {"type": "ping"}
    seen = []
    for each in (ping, START, ping, BLOCK, ping, DELTA, STOP, END, LAST):
        guard.feed(each)
        seen.append((guard.events, guard.pings, guard.content_started, guard.stop_reason, guard.stopped))
    assert seen == [
        (1, 1, False, None, False),
        (2, 1, False, None, False),
        (3, 2, False, None, False),
        (4, 2, True, None, False),
        (5, 3, True, None, False),
        (6, 3, True, None, False),
        (7, 3, True, None, False),
        (8, 3, True, "end_turn", False),
        (9, 3, True, "end_turn", True),
    ]
