"""The line whose end has not come yet, and how much of an event may be held so.

The law: what is held takes as much room as it has bytes, however small its pieces, and no byte is copied more than
three times, however many there are.
"""

from __future__ import annotations

from .._errors import StreamProtocolError
from .._json import excerpt

MAX_EVENT = 64 * 2**20
"""How many bytes of an event are held while its end has not come, unless something else is said.

The largest event that the API has is a server tool's result, which comes whole in its ``content_block_start``. The next
request sends it back, and no request may have more than 32 MB: https://platform.claude.com/docs/en/api/errors
"""

HEAD = 200
"""How many bytes of what is wrong are looked at to show it."""

_SMALL = 4096
"""A piece with fewer bytes is put to others: as an object of its own it would take much more room than it has bytes."""


class UnfinishedLine:
    """The pieces of a line whose end has not come yet. Its length is that of all of them."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._small = bytearray()  # behind them; it stays small, because what grows is copied whenever it is moved
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, piece: bytes) -> None:
        """Hold one more piece."""
        self._length += len(piece)
        if len(piece) >= _SMALL:
            self._settle()
            self._pieces.append(piece)
            return
        self._small += piece
        if len(self._small) >= _SMALL:
            self._settle()

    def take(self) -> bytes:
        """Return all that is held, and hold it no longer."""
        self._settle()
        line = b"".join(self._pieces)
        self._pieces.clear()
        self._length = 0
        return line

    def drop(self) -> bytes:
        """Hold nothing any longer, and return how it began, without putting it together once more."""
        self._settle()
        begins = b"".join(piece[:HEAD] for piece in self._pieces[:HEAD])[:HEAD]
        self._pieces.clear()
        self._length = 0
        return begins

    def _settle(self) -> None:
        if self._small:
            self._pieces.append(bytes(self._small))
            self._small.clear()


def endless(what: str, limit: int, begins: bytes) -> StreamProtocolError:
    """Return the error for what has more bytes than the limit, and still no end."""
    return StreamProtocolError(
        f"{what} has more than {limit} bytes and no end, which is no event of the Messages API (max_event= sets the "
        f"limit); it begins: {excerpt(begins)}"
    )
