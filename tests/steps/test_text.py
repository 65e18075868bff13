"""Text and thinking, chunk by chunk."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from claude_stream import StreamProtocolError, StreamTruncatedError, collect, iter_text, iter_thinking
from claude_stream.testing import message_events
from tests.support import MODES, Mode, body_of

THINKING = {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}


def text_start(index: int, text: object) -> list[dict[str, Any]]:
    block = {"type": "text", "text": text}
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        {"type": "content_block_stop", "index": index},
    ]


def test_a_cut_stream_gives_its_text_first(mode: Mode) -> None:
    """All that came in front of the cut is handed out, and then the error comes."""
    outcome = mode.read(lambda: iter_text(mode.source(message_events("Hello, world!", cut=4))))
    assert outcome.items == ["Hello, w", "orld!"]
    assert isinstance(outcome.error, StreamTruncatedError)


def test_events_that_share_a_chunk_of_bytes_are_all_handed_out_before_the_error(mode: Mode) -> None:
    """An error never overtakes the text in front of it, even in one transport chunk."""
    body = body_of(message_events("Hello, world!", error="overloaded_error"))
    outcome = mode.read(lambda: iter_text(mode.stream([body])))
    assert outcome.items == ["Hello, w", "orld!"]


def test_chunks_are_as_they_came_and_never_empty(mode: Mode) -> None:
    """Each delta is one chunk, and an empty delta is none."""
    events = message_events("Hello, world!")
    events.insert(3, {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ""}})
    assert mode.read(lambda: iter_text(mode.source(events))).items == ["Hello, w", "orld!"]


def test_text_that_a_block_starts_with_counts(mode: Mode) -> None:
    """Text in content_block_start, which the SDK's text_stream leaves out, is there."""
    start, *_, delta, stop = message_events()
    events = [start, *text_start(0, "Hello"), *text_start(1, None), delta, stop]
    outcome = mode.read(lambda: iter_text(mode.source(events)))
    assert (outcome.items, outcome.error) == (["Hello"], None)


def test_text_that_the_message_starts_with_counts(mode: Mode) -> None:
    """Content that message_start brings along is text like any other."""
    start, *rest = message_events()
    start["message"]["content"] = [{"type": "text", "text": "Hello"}]
    assert mode.read(lambda: iter_text(mode.source([start, *rest]))).items == ["Hello"]
    assert mode.message(lambda: collect(mode.source([start, *rest]))).content[0].text == "Hello"


def test_the_separator_goes_between_text_blocks(mode: Mode) -> None:
    """Joined, the chunks are the blocks' texts joined by the separator, empty blocks included."""
    events = message_events("One.", THINKING, "", ("tool", {"a": 1}), "Two.", stop_reason="tool_use")
    assert "".join(mode.read(lambda: iter_text(mode.source(events), separator="\n")).items) == "One.\n\nTwo."
    assert "".join(mode.read(lambda: iter_text(mode.source(events))).items) == "One.Two."


def test_thinking_is_apart_from_text(mode: Mode) -> None:
    """`iter_thinking` gives the thinking and nothing else, and no signature."""
    events = message_events(THINKING, "Hello")
    assert "".join(mode.read(lambda: iter_thinking(mode.source(events))).items) == "Let me see."
    assert "".join(mode.read(lambda: iter_text(mode.source(events))).items) == "Hello"


def test_the_thinking_of_two_blocks(mode: Mode) -> None:
    """Nothing goes between them."""
    events = message_events(THINKING, "Hello", THINKING)
    assert "".join(mode.read(lambda: iter_thinking(mode.source(events))).items) == "Let me see." * 2


def test_text_is_not_disturbed_by_a_broken_tool_call(mode: Mode) -> None:
    """A malformed tool input is no concern of somebody who reads the text."""
    body = body_of(message_events("Hello", ("tool", {"a": "b"}), chunk=50)).replace(b'\\"b\\"', b"oops")
    outcome = mode.read(lambda: iter_text(mode.stream(body)))
    assert (outcome.items, outcome.error) == (["Hello"], None)


def test_deltas_and_blocks_of_unknown_types(mode: Mode) -> None:
    """Text is what ends up as the text of a text block, whatever the types of the deltas."""
    events = message_events("Hello", {"type": "newtext", "text": "?"})
    events[2]["delta"]["type"] = "text_delta_v2"
    events[4]["content_block"]["text"] = ""
    events.insert(3, {"type": "content_block_delta", "index": 0, "delta": {"type": "odd", "text": 5}})
    chunks = mode.read(lambda: iter_text(mode.source(events[:3] + events[4:]))).items
    assert chunks == ["Hello"]
    message = mode.message(lambda: collect(mode.source(events[:3] + events[4:])))
    assert "".join(block.text for block in message.content if block.type == "text") == "Hello"
    assert mode.read(lambda: iter_text(mode.source(events))).items == ["Hello"]


def test_each_chunk_leaves_before_the_next_event_is_asked_for(mode: Mode) -> None:
    """Nothing is held back: a chunk is in the reader's hands before the source is read again."""
    asked: list[int] = []

    def events() -> Any:
        for number, event in enumerate(message_events("Hello, world!")):
            asked.append(number)
            yield event

    async def read_async() -> None:
        iterator = iter_text(mode.source(events()))
        assert await iterator.__anext__() == "Hello, w"

    if mode.is_async:
        mode.run(read_async)
    else:
        assert next(iter_text(mode.source(events()))) == "Hello, w"
    assert asked == [0, 1, 2]


@given(st.lists(st.text(min_size=1), max_size=5), st.integers(1, 9), st.text(max_size=2))
def test_the_modes_agree_on_any_text(texts: list[str], chunk: int, separator: str) -> None:
    """Any texts, in deltas of any size, come out the same in all three modes."""
    events = message_events(*texts, chunk=chunk)
    for mode in map(Mode, MODES):
        chunks = mode.read(lambda mode=mode: iter_text(mode.source(events), separator=separator)).items
        assert "".join(chunks) == separator.join(texts)
        assert all(chunks)


def test_text_for_another_block_is_no_text(mode: Mode) -> None:
    """A delta with a text belongs to its block, which may be none of text."""
    events = message_events("Hello", {"type": "newtext", "text": "?"})
    events.insert(-3, {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "no"}})
    outcome = mode.read(lambda: iter_text(mode.source(events)))
    assert ("".join(outcome.items), outcome.error) == ("Hello", None)


def test_thinking_that_is_a_number_is_refused(mode: Mode) -> None:
    """A block whose string is none is an error of ours, whichever string it is."""
    events = message_events(THINKING)
    events[1]["content_block"]["thinking"] = 5
    outcome = mode.read(lambda: iter_thinking(mode.source(events)))
    assert isinstance(outcome.error, StreamProtocolError)
