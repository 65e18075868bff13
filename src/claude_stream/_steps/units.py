"""The strings of a stream in units: words, lines, sentences, or what a pattern or a function says.

The law: joined, the pieces are the chunks that `Strings` gives, and where a piece ends follows from the text of its
block alone, never from how that text arrived. A piece leaves once its end is certain. It never goes on in another
block, and what is held back when the stream breaks goes out in front of the error. A separator is the first text of
the block behind it, so that white space begins the next piece there, too.

For words, lines and sentences, the few characters in front of a place and the one behind it say whether a piece ends
there, so only what is new is looked at. A pattern or a function may look at anything: it is asked after each
character, as if the text came character by character, because no other answer is the same for all ways of arriving.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Literal, TypeAlias

from .._json import Wire
from .._step import Step
from .block import Text
from .text import Strings

By: TypeAlias = Literal["word", "line", "sentence"] | re.Pattern[str] | Callable[[str], int | None]

# White space, but for newlines and what keeps its neighbours together. A "\r" is none if it is half of a newline.
_NO_BREAK = "\u00a0\u2007\u202f"
_SPACE = rf"(?:[^\S\r\n{_NO_BREAK}]|\r(?!\n))"

# Of Unicode's Sentence_Terminal (https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt), those of living scripts
# that white space follows: Latin, Greek, Cyrillic; Armenian; Arabic and Urdu; Devanagari; Ethiopic; Burmese.
_TERMINATORS = "!?\u203c\u203d\u2047\u2048\u2049\u0589\u061f\u06d4\u0964\u0965\u1362\u1367\u104b"
_FULL_STOP = r"(?<![.\u2026])\."  # the last one of several is part of an ellipsis
# Chinese and Japanese write no space behind these.
_WIDE = "\u3002\uff01\uff1f\uff61"
_WIDE_STOP = r"\uff0e(?!\d)"  # else a decimal point
# Quotes and brackets that close, and the selector that makes an emoji of an exclamation mark.
_CLOSING = (
    "\"')\\]}\u201d\u2019\u00bb\u203a\uff09\uff3d\uff5d\u300d\u300f\u3011\u3015\u3009\u300b\uff02\uff07\uff63\ufe0f"
)
_CLOSING_OR_OPENING = _CLOSING + "\u201c\u2018\u00ab\u2039"  # as in German; in Chinese these open the next sentence
_AT_MOST = 8  # of them
_WIDE_GOES_ON = f"{_CLOSING}{_TERMINATORS}.{_WIDE}\uff0e"

_ENDS: dict[str, re.Pattern[str]] = {
    "line": re.compile(r"\n"),
    "word": re.compile(rf"\n|(?<=[\S{_NO_BREAK}])(?={_SPACE})"),
    "sentence": re.compile(
        rf"\n|(?:[{_TERMINATORS}]|{_FULL_STOP})[{_CLOSING_OR_OPENING}]{{0,{_AT_MOST}}}(?={_SPACE})"
        rf"|(?:[{_WIDE}]|{_WIDE_STOP})[{_CLOSING}]{{0,{_AT_MOST}}}(?=[^\r\n{_WIDE_GOES_ON}]|\r(?!\n))"
    ),
}
_IN_FRONT = 1 + 1 + _AT_MOST  # characters that an end depends on: what tells a full stop, the terminator, the quotes


class _Scanning:
    """Text in, pieces out, for one block after the other: where a rule of `_ENDS` says so, at a fixed cost a character.

    Args:
        ends: matches up to the end of a piece, and looks no further than at the character behind it, or at a newline.
        max_length: how many characters a piece may have.
    """

    def __init__(self, ends: re.Pattern[str], max_length: int) -> None:
        self._ends = ends
        self._max_length = max_length
        self._start()

    def _start(self) -> None:
        self._in_front = ""  # the end of what was looked at
        self._return = ""  # a "\r" that is not looked at before it is known whether a "\n" follows
        self._held = Text()
        self._length = 0

    def feed(self, text: str) -> Iterable[str]:
        """Take some text and return the pieces that are certain with it."""
        text = self._return + text
        self._return = "\r" if text.endswith("\r") else ""
        text = text.removesuffix("\r")
        seen = self._in_front + text
        self._in_front = seen[-_IN_FRONT:]
        new = len(seen) - len(text)
        pieces: list[str] = []
        start = 0
        for match in self._ends.finditer(seen):
            end = match.end() - new
            if end >= start:
                self._hold(text[start:end], pieces)
                pieces += self._release()
                start = end
        self._hold(text[start:], pieces)
        return pieces

    def end(self) -> Iterable[str]:
        """Return the rest of the block."""
        self._held.add(self._return)
        self._length += len(self._return)
        rest = self._release()
        self._start()
        return rest

    def _hold(self, text: str, pieces: list[str]) -> None:
        """Add text to the piece. Where it gets too long, it ends."""
        start = 0
        while len(text) - start >= self._max_length - self._length:
            end = start + self._max_length - self._length
            self._held.add(text[start:end])
            self._length = self._max_length
            pieces += self._release()
            start = end
        self._held.add(text[start:])
        self._length += len(text) - start

    def _release(self) -> tuple[str, ...]:
        """Return the piece, if there is one, and begin the next."""
        if not self._length:
            return ()
        piece = str(self._held)
        self._held = Text()
        self._length = 0
        return (piece,)


class _Asking:
    """The same, where a function says so, which gets the text from the start of the piece up to each character.

    Args:
        length_in: gives the length of the first piece of a text, or None if that is not certain yet.
        max_length: how many characters a piece may have.
    """

    def __init__(self, length_in: Callable[[str], int | None], max_length: int) -> None:
        self._length_in = length_in
        self._max_length = max_length
        self._held = ""

    def feed(self, text: str) -> Iterator[str]:
        """Take some text and yield the pieces that are certain with it."""
        known, text = len(self._held), self._held + text
        start, end = 0, known
        try:
            while end < len(text):
                end += 1
                length = self._length_in(text[start:end])
                if length is None and end - start == self._max_length:
                    length = self._max_length
                if length is not None:
                    piece = text[start : start + length]
                    end = start = start + length
                    yield piece
        finally:  # also where the function fails: what it did not cut is the rest
            self._held = text[start:]

    def end(self) -> Iterable[str]:
        """Return the rest of the block."""
        rest, self._held = self._held, ""
        return [rest[start : start + self._max_length] for start in range(0, len(rest), self._max_length)]


_Cutter: TypeAlias = _Scanning | _Asking


def _by_pattern(pattern: Any) -> Callable[[str], int | None]:
    """Return what gives the end of a pattern's first match, once there is a character behind it.

    Until then, more text might make it longer, or undo it. An empty match ends what is in front of it, if there is any.
    """
    if not isinstance(pattern.pattern, str):
        raise TypeError(f"by={pattern!r} is a pattern of bytes, and the text is a str: compile a str")
    if pattern.search("") is not None:
        raise ValueError(f"by={pattern!r} matches the empty string, and so anywhere: have it match what ends a piece")

    def length_in(text: str) -> int | None:
        end = next((match.end() for match in pattern.finditer(text) if match.end()), None)
        return None if end == len(text) else end

    return length_in


def _by_function(function: Callable[[str], Any]) -> Callable[[str], int | None]:
    """Return a function of the user's, with its answers checked."""

    def length_in(text: str) -> int | None:
        length = function(text)
        if length is None:
            return None
        if not isinstance(length, int) or isinstance(length, bool):
            raise TypeError(f"by={function!r} gave {length!r}: it has to give the length of the next piece, or None")
        if not 0 < length <= len(text):
            raise ValueError(
                f"by={function!r} gave {length} for a text of {len(text)} characters: "
                f"a piece has from 1 to {len(text)} of them; None says that its end has not come"
            )
        return length

    return length_in


def _cutter(by: Any, max_length: int) -> _Cutter:
    if isinstance(by, str):
        if by not in _ENDS:
            names = ", ".join(map(repr, sorted(_ENDS)))
            raise ValueError(f"by={by!r} is none of {names}: if it is to be a pattern, compile it with re.compile")
        return _Scanning(_ENDS[by], max_length)
    if isinstance(by, re.Pattern):
        return _Asking(_by_pattern(by), max_length)
    if callable(by):
        return _Asking(_by_function(by), max_length)
    raise TypeError(f"by={by!r} is no name of a unit, compiled pattern or function")


def in_units(strings: Strings, by: By | None, max_length: int | None) -> Step[Wire, str]:
    """Return the step that gives the pieces of these strings, or their chunks as they come if no unit is asked for.

    Raises:
        TypeError: if an argument is of a wrong type, or there is a ``max_length`` and nothing that it could limit.
        ValueError: if it has no meaning.
    """
    limit = sys.maxsize if max_length is None else _checked(max_length)
    if by is not None:
        return Units(strings, _cutter(by, limit))
    if max_length is not None:
        raise TypeError("max_length limits the pieces that by= makes, and there is no by=: give it one, too")
    return strings


def _checked(max_length: Any) -> int:
    if not isinstance(max_length, int) or isinstance(max_length, bool):
        raise TypeError(f"max_length={max_length!r} is no number of characters")
    if max_length < 1:
        raise ValueError(f"max_length={max_length} leaves no piece: it has to be 1 or more")
    return max_length


class Units(Step[Wire, str]):
    """Wire dicts in, pieces of one kind of block out.

    Args:
        strings: gives the chunks.
        cutter: makes pieces of them.
    """

    def __init__(self, strings: Strings, cutter: _Cutter) -> None:
        self._strings = strings
        self.frames = strings.frames
        self._cutter = cutter
        self._index: int | None = None  # of the block that is being cut

    def feed(self, item: Wire) -> Iterable[str]:
        """Take one event and return the pieces that are certain with it."""
        kind = item["type"]
        if kind == "content_block_stop":
            return self._cutter.end() if item["index"] == self._index else ()
        texts = self._strings.feed(item)
        if kind == "message_start":
            return self._whole(texts)
        for text in texts:  # one, at the most
            if item["index"] == self._index:
                return self._cutter.feed(text)
            self._index = item["index"]
            return chain(self._cutter.end(), self._cutter.feed(text))
        return ()

    def _whole(self, blocks: Iterable[str]) -> Iterator[str]:
        for text in blocks:
            yield from self._cutter.feed(text)
            yield from self._cutter.end()

    def finish(self) -> Iterable[str]:
        """Return the rest: also a block that was never closed ends with its stream."""
        return self._cutter.end()

    def salvage(self) -> Iterable[str]:
        """Return the rest: it was received."""
        return self._cutter.end()
