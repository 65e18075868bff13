"""What a person sees of an answer while it comes: its text, its thinking, and a line that says how far it is.

The law: text goes to standard output, and is the same wherever that leads. Thinking, dimmed, and the line go to
standard error, and only if that is a terminal. The line stands where nothing else does, is written over until there is
something else to see, and is never longer than the terminal is wide.
"""

from __future__ import annotations

import os
import threading
import time
from types import TracebackType
from typing import Any, TextIO

from typing_extensions import Self

from claude_stream import Progress

_TICK = 0.1  # seconds between two drawings of the line
_DIM, _PLAIN = "\x1b[2m", "\x1b[22m"
_CLEAR = "\r\x1b[K"


class Screen:
    """Shows a stream whose events it observes, and whose progress it is told. Its clock starts when it is made.

    Args:
        out: standard output.
        err: standard error.
    """

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._err = err
        self._terminals = [file for file in (out, err) if file.isatty()]
        self._open: set[TextIO] = set()  # those that stand in the middle of a line
        self._shown = ""  # the kind of what was shown last
        self._line = False  # whether the line is there
        self._start = time.perf_counter()
        self.progress = Progress()
        """How far the stream was last."""
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="claude-stream-line", daemon=True)

    def __enter__(self) -> Self:
        if self._err in self._terminals:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self._end_line(self._out, self._err)
        if self._err in self._terminals:
            self._write("")  # takes the line away, and the ^C that a terminal shows

    @property
    def elapsed(self) -> float:
        """Seconds since this was made, which is before the request is sent."""
        return time.perf_counter() - self._start

    def see(self, event: Any) -> None:
        """Take notice of an event, as an observer: show the text or the thinking in it."""
        contents: Any = ()
        if event.type == "message_start":
            contents = event.message.content or ()
        elif event.type in ("content_block_start", "content_block_delta"):
            contents = (event.delta if event.type == "content_block_delta" else event.content_block,)
        for content in contents:
            if text := getattr(content, "text", None):
                self._show("text", text, self._out, text)
            if (thinking := getattr(content, "thinking", None)) and self._err in self._terminals:
                self._show("thinking", thinking, self._err, f"{_DIM}{thinking}{_PLAIN}")

    def tell(self, progress: Progress) -> None:
        """Take notice of how far the stream is."""
        with self._lock:
            self.progress = progress
            self._turn_to(progress.phase)

    def _show(self, kind: str, text: str, file: TextIO, styled: str) -> None:
        with self._lock:
            if self._line and file in self._terminals:
                self._write("")
                self._line = False
            self._turn_to(kind)
            self._open.add(file)  # before Ctrl-C can come in between
            file.write(styled)
            file.flush()
            if text.endswith("\n"):
                self._open.discard(file)

    def _turn_to(self, kind: str) -> None:
        """Begin another line of the terminal for another kind of thing."""
        if kind != self._shown:
            self._shown = kind
            self._end_line(*self._terminals)

    def _end_line(self, *files: TextIO) -> None:
        for file in files:
            if file in self._open:
                file.write("\n")
                file.flush()
                self._open.remove(file)

    # -- the line --

    def _tick(self) -> None:
        while not self._stopped.wait(_TICK):
            with self._lock:
                if self._open.isdisjoint(self._terminals):
                    self._draw()

    def _draw(self) -> None:
        progress, tokens = self.progress, ""
        if progress.estimated_tokens:
            tokens = f", {'' if progress.usage.final else '~'}{progress.estimated_tokens} tokens"
        width = os.get_terminal_size(self._err.fileno()).columns or 80  # 0 where nobody has said how wide it is
        line = f"{progress.phase.replace('_', ' ')}{tokens}, {self.elapsed:.1f} s"
        self._write(line[: width - 1])
        self._line = True

    def _write(self, line: str) -> None:
        self._err.write(_CLEAR + line)
        self._err.flush()
