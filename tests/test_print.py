"""`print_stream`: what has come is on the screen, and all of it is read."""

from __future__ import annotations

import inspect
import io
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from claude_stream import StreamOverloadedError, iter_events, iter_text, print_stream
from claude_stream.testing import message_events
from tests.support import ASYNC_MODES, PATIENCE, AsyncItems, Mode, OwnError, failing


class Screen(io.StringIO):
    """A file that says when it was flushed, and breaks like a pipe behind a number of characters."""

    def __init__(self, room: float = float("inf")) -> None:
        super().__init__()
        self._room = room
        self.flushed: list[str] = []

    def write(self, text: str) -> int:
        if self.tell() + len(text) > self._room:
            raise BrokenPipeError
        return super().write(text)

    def flush(self) -> None:
        self.flushed.append(self.getvalue())


def printed(mode: Mode, chunks: Any, screen: Any, **options: Any) -> Any:
    """Return the result of printing, or raise what it raises."""
    return mode.message(lambda: _either(mode, print_stream(mode.source(chunks), file=screen, **options)))


def _either(mode: Mode, result: Any) -> Any:
    assert inspect.iscoroutine(result) is mode.is_async
    return result


# -- what is broken --


@pytest.mark.parametrize(
    "error", [OwnError("no"), KeyboardInterrupt(), SystemExit(1)], ids=lambda error: type(error).__name__
)
@pytest.mark.parametrize(("chunks", "shown"), [(["Hel", "lo"], "Hello\n"), (["Hello\n"], "Hello\n"), ([""], "")])
def test_what_ends_the_text(chunks: list[str], shown: str, error: BaseException) -> None:
    """What came stays on the screen, and its line ends, so that the error has a line of its own."""
    screen = Screen()
    with pytest.raises(type(error)):
        print_stream(failing(error, chunks), file=screen, end="!")
    assert screen.getvalue() == shown


def test_a_stream_that_fails(mode: Mode) -> None:
    """Its error is raised behind the text, as from a loop."""
    screen = Screen()
    events = message_events("Hello", error="overloaded_error")
    outcome = mode.read(lambda: print_stream(iter_text(mode.source(events)), file=screen))
    assert type(outcome.error) is StreamOverloadedError
    assert screen.getvalue() == "Hello\n"


@ASYNC_MODES
def test_a_task_that_is_cancelled(mode: Mode) -> None:
    """What came stays, and its line ends."""
    screen = Screen()

    class Endless(AsyncItems):
        async def __anext__(self) -> Any:
            try:
                return await super().__anext__()
            except StopAsyncIteration:
                await anyio.sleep_forever()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: print_stream(Endless(["Hello"]), file=screen))
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()

    mode.run(main)
    assert screen.getvalue() == "Hello\n"


@pytest.mark.parametrize("room", [0, 2, 4])
def test_a_pipe_that_nobody_reads(mode: Mode, room: int) -> None:
    """Nothing more is written, everything is read, and the whole text is returned."""
    screen = Screen(room)
    read: list[str] = []

    def chunks() -> Iterator[str]:
        for chunk in ["He", "ll", "o"]:
            read.append(chunk)
            yield chunk

    assert printed(mode, chunks(), screen) == "Hello"
    assert screen.getvalue() == "Hello"[:room]
    assert len(read) == 3


def test_a_pipe_that_breaks_behind_the_last_chunk(mode: Mode) -> None:
    """The end is written in vain."""
    assert printed(mode, ["Hello"], Screen(5)) == "Hello"


def test_a_standard_output_that_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in its place may break as well, and need not have a descriptor; or there is none, under pythonw."""
    for stdout in (Screen(2), None):
        monkeypatch.setattr(sys, "stdout", stdout)
        assert print_stream(["He", "ll", "o"]) == "Hello"


@pytest.mark.process
@pytest.mark.slow
def test_python_does_not_complain_of_the_pipe_at_exit() -> None:
    """Standard output is flushed once more when the interpreter ends; a program that prints on survives as well."""
    code = (
        "import sys; from claude_stream import print_stream; sys.stdin.read();"
        "text = print_stream(iter(['Hello', ', world!'])); print('more'); print(text, file=sys.stderr)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate("", timeout=PATIENCE)
    assert (process.returncode, err) == (0, "Hello, world!\n")


@pytest.mark.parametrize("wrong", ["Hello", b"Hello", None, 5, [b"Hello"], [None]])
def test_what_is_no_text(wrong: Any) -> None:
    """It is refused, with the call that the user wanted to make."""
    with pytest.raises(TypeError, match=r"print_stream\(iter_text\(stream\)\)"):
        print_stream(wrong)


def test_events_are_no_text(mode: Mode) -> None:
    """A stream of events is the likeliest mistake."""
    outcome = mode.read(lambda: print_stream(iter_events(mode.source(message_events("Hi")))))
    assert isinstance(outcome.error, TypeError)
    assert "RawMessageStartEvent" in str(outcome.error)


# -- what is printed --


def test_each_chunk_at_once(mode: Mode) -> None:
    """Each is flushed by itself, the end comes last, and the result is the text without it."""
    screen = Screen()
    assert printed(mode, ["Hel", "", "lo"], screen, end="!\n") == "Hello"
    assert screen.flushed == ["Hel", "Hello", "Hello!\n"]


def test_no_text_at_all(mode: Mode) -> None:
    """Then there is the end alone, as with `print`."""
    screen = Screen()
    assert printed(mode, [], screen) == ""
    assert screen.getvalue() == "\n"


def test_standard_output_is_looked_up_at_the_call(mode: Mode, capsys: pytest.CaptureFixture[str]) -> None:
    """As `print` does it."""
    assert printed(mode, ["Hello"], None) == "Hello"
    assert capsys.readouterr().out == "Hello\n"


@pytest.mark.parametrize(
    ("encoding", "text", "shown"), [("ascii", "5 €.", b"5 ?.\n"), ("utf-8", "a \ud83d b €", "a ? b €\n".encode())]
)
def test_a_file_that_lacks_a_character(encoding: str, text: str, shown: bytes) -> None:
    """It gets a question mark, and the text is returned as it was."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding, newline="\n")
    assert print_stream([text], file=file) == text
    assert raw.getvalue() == shown
