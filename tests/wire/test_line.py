"""A line whose end has not come: what it holds is what was put to it, in as much room and with as few copies."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from claude_stream._wire.line import UnfinishedLine, endless


@given(st.lists(st.binary(max_size=9000) | st.binary(max_size=3)))
def test_it_gives_what_was_put_to_it(pieces: list[bytes]) -> None:
    """In order and whole, whatever their sizes; and then it is empty, and begins again."""
    line = UnfinishedLine()
    for _ in range(2):
        for piece in pieces:
            line.add(piece)
        assert len(line) == sum(map(len, pieces))
        assert line.take() == b"".join(pieces)
        assert len(line) == 0
        assert line.take() == b""


def test_small_pieces_take_no_more_room_than_they_have_bytes() -> None:
    """A list of single bytes would take forty times as much."""
    line = UnfinishedLine()
    tracemalloc.start()
    for _ in range(200_000):
        line.add(b"x")
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 250_000


def test_a_large_piece_is_kept_as_it_is() -> None:
    """Behind the small ones in front of it, and without a copy."""
    line, large = UnfinishedLine(), bytes(100_000)
    line.add(b"ab")
    tracemalloc.start()
    line.add(large)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1000
    assert line.take() == b"ab" + large


def test_what_is_dropped_is_gone() -> None:
    """Only how it began is left, to be shown."""
    line = UnfinishedLine()
    assert line.drop() == b""
    for piece in (b"data: ", bytes(10_000), b"x"):
        line.add(piece)
    assert line.drop() == b"data: " + bytes(194)
    assert (len(line), line.take()) == (0, b"")
    line.add(b"y" * 5000)
    assert line.drop() == b"y" * 200


def test_the_error_for_what_has_no_end() -> None:
    """It says what that is, how many bytes are too many, who sets that, and how it begins."""
    assert str(endless("event 2", 1000, b"data: <html>")) == (
        "event 2 has more than 1000 bytes and no end, which is no event of the Messages API (max_event= sets the "
        "limit); it begins: data: <html>"
    )
