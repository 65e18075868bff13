"""Streams as bytes: `from_sse` over bodies of any colour, cut anywhere. How bytes become events, see wire/test_sse."""

from __future__ import annotations

from pathlib import Path

import pytest

from claude_stream import AsyncReader, Reader, StreamProtocolError, StreamTruncatedError, collect, from_sse, iter_text
from claude_stream.testing import message_events
from tests.support import Mode, body_of

EVENTS = message_events("Hello, world!")
BODY = body_of(EVENTS)


def test_chunks_that_are_no_bytes(mode: Mode) -> None:
    """Text in the place of bytes is a mistake, which is named."""
    error = mode.read(lambda: from_sse(mode.source([BODY.decode()]))).error
    assert isinstance(error, TypeError)
    assert "chunks of bytes" in str(error)


def test_a_body_that_is_no_event_stream(mode: Mode) -> None:
    """A page in the place of the events is shown."""
    error = mode.read(lambda: from_sse(mode.source([b"<html>\n", b"Bad gateway</html>\n"]))).error
    assert isinstance(error, StreamProtocolError)
    assert "Bad gateway" in str(error)


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_cut_body(mode: Mode, size: int) -> None:
    """All events in front of the cut are given, and then the error."""
    cut = body_of(EVENTS[:4])[:-20]
    outcome = mode.read(lambda: from_sse(mode.source([cut[at : at + size] for at in range(0, len(cut), size)])))
    assert [event.to_dict() for event in outcome.items] == EVENTS[:3]
    assert type(outcome.error) is StreamTruncatedError


@pytest.mark.parametrize("beta", [False, True])
def test_whose_objects_they_are(mode: Mode, beta: bool) -> None:
    """With `beta=True` the events are the SDK's beta objects, and the message is one."""
    outcome = mode.read(lambda: from_sse(mode.source([BODY]), beta=beta))
    assert [event.to_dict() for event in outcome.items] == EVENTS
    assert {type(event).__name__.startswith("Beta") for event in outcome.items} == {beta}
    message = mode.message(lambda: collect(from_sse(mode.source([BODY]), beta=beta)))
    assert type(message).__name__ == ("BetaMessage" if beta else "Message")


def test_it_has_the_colour_of_its_chunks(mode: Mode) -> None:
    """Sync chunks make a `Reader`, async ones an `AsyncReader`."""
    assert type(from_sse(mode.source([BODY]))) is (AsyncReader if mode.is_async else Reader)


def test_an_open_file(tmp_path: Path) -> None:
    """A file that is open for reading bytes gives chunks like any other, and is closed with the reader."""
    (tmp_path / "answer.sse").write_bytes(BODY)
    with (tmp_path / "answer.sse").open("rb") as file, from_sse(file) as events:
        assert "".join(iter_text(events)) == "Hello, world!"
        events.close()
        assert file.closed
