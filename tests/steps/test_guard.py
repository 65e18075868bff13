"""Order and completeness: what may follow what, and when a message is whole."""

from __future__ import annotations

from typing import Any

import pytest

from claude_stream import StreamProtocolError, StreamTruncatedError, collect
from claude_stream.testing import message_events

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
