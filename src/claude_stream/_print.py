"""Text to a terminal or a file while it comes.

The law: what has come is on the screen, whatever comes next; and whatever becomes of the screen, all of the text is
read. The two colours differ in how they wait.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterable, Coroutine, Iterable
from typing import Any, TextIO, overload

from typing_extensions import Self


@overload
def print_stream(chunks: Iterable[str], /, *, file: TextIO | None = None, end: str = "\n") -> str: ...
@overload
def print_stream(
    chunks: AsyncIterable[str], /, *, file: TextIO | None = None, end: str = "\n"
) -> Coroutine[Any, Any, str]: ...
def print_stream(chunks: Any, /, *, file: TextIO | None = None, end: str = "\n") -> Any:
    """Print chunks of text as they come, each at once, and return the whole text.

    An error, or Ctrl-C, leaves on the screen what came before it, and ends its line. If nobody reads the file any
    more, as with ``| head -1``, nothing more is printed, and the rest of the text is read all the same. Characters
    that the file cannot show are printed as ``?``.

    Args:
        chunks: what `iter_text` gives, or any other iterable of strings; from an async one the result is to be awaited.
        file: where to print; standard output if it is not given.
        end: printed behind the text, unless an error ends it.

    Raises:
        TypeError: if ``chunks`` gives anything but text.

    Example:
        >>> from claude_stream import iter_text, print_stream
        >>> text = print_stream(iter_text(events))
        Hello, world!
        >>> len(text)
        13
    """
    printer = _Printer(sys.stdout if file is None else file, end)
    if hasattr(chunks, "__aiter__"):
        return _aprint(chunks, printer)
    if isinstance(chunks, str) or not hasattr(chunks, "__iter__"):
        raise _no_text(chunks)
    with printer:
        for chunk in chunks:
            printer.print(chunk)
    return printer.text


async def _aprint(chunks: AsyncIterable[Any], printer: _Printer) -> str:
    with printer:
        async for chunk in chunks:
            printer.print(chunk)
    return printer.text


def _no_text(given: object) -> TypeError:
    return TypeError(
        f"chunks of text were expected, as in print_stream(iter_text(stream)), and this is {type(given).__name__}: "
        f"{given!r:.200}"
    )


class _Printer:
    """Where the text goes, and the text so far; as a context manager, what ends its last line."""

    def __init__(self, file: TextIO | None, end: str) -> None:
        self._file = file  # None where there is nothing to print to: a closed pipe, a program without a console
        self._end = end
        self._chunks: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self._chunks)

    def print(self, chunk: object) -> None:
        if not isinstance(chunk, str):
            raise _no_text(chunk)
        if chunk:
            self._chunks.append(chunk)
            self._write(chunk)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, exc_type: object, *_: object) -> None:
        if exc_type is None:
            self._write(self._end)
        elif self._chunks and not self._chunks[-1].endswith("\n"):
            self._write("\n")

    def _write(self, text: str) -> None:
        if self._file is None:
            return
        try:
            try:
                self._file.write(text)
            except UnicodeEncodeError as exc:
                self._file.write(text.encode(exc.encoding, "replace").decode(exc.encoding))
            self._file.flush()
        except BrokenPipeError:
            if self._file is sys.stdout:
                _give_up_stdout()
            self._file = None


def _give_up_stdout() -> None:
    """Keep Python from complaining of the closed pipe once more, when it flushes standard output at exit.

    As https://docs.python.org/3/library/signal.html#note-on-sigpipe has it.
    """
    with contextlib.suppress(OSError, AttributeError):  # it may have been replaced by something that is no file
        fd = sys.stdout.fileno()
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, fd)
        os.close(devnull)
