"""What a person sees of an answer: text, thinking, and the line that lives."""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from claude_stream import Progress, iter_progress, tap
from claude_stream._terminal import Screen
from claude_stream.testing import message_events
from tests.support import PATIENCE, OwnError, failing

CLEAR = "\r\x1b[K"
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "sig"}


class File(io.StringIO):
    """A file that may be a terminal, of a number of columns."""

    def __init__(self, columns: int | None = None) -> None:
        super().__init__()
        self.columns = columns

    def isatty(self) -> bool:
        return self.columns is not None

    def fileno(self) -> int:
        return self.columns or 0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is drawn all the time, and terminals are as wide as they say."""
    monkeypatch.setattr("claude_stream._terminal._TICK", 0.001)
    monkeypatch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((fd, 24)))


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is never drawn."""
    monkeypatch.setattr("claude_stream._terminal._TICK", PATIENCE)


def until(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def show(screen: Screen, events: Any) -> None:
    for progress in iter_progress(tap(events, screen.see)):
        screen.tell(progress)


def lines(file: File) -> list[str]:
    """Return what was drawn on the line, one after the other."""
    return file.getvalue().split(CLEAR)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OwnError()], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("content", "out", "err"),
    [("Hello", "Hello\n", ""), (THINKING, "", "\x1b[2mHm.\x1b[22m\n"), (("tool", {}), "", "")],
)
@pytest.mark.usefixtures("slow")
def test_what_ends_the_answer(content: Any, out: str, err: str, error: BaseException) -> None:
    """What came stays, and its line ends, so that whatever is said of it has a line of its own."""
    files = File(), File(80)
    with pytest.raises(type(error)), Screen(*files) as screen:
        show(screen, failing(error, message_events(content)[:3]))
    assert [file.getvalue() for file in files] == [out, err + CLEAR]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([THINKING, "Hello"], "Hello\n"),
        (["Let me see.", ("get_weather", {"city": "Paris"})], "Let me see.\n"),
        (["Hello\n"], "Hello\n"),
        ([("get_weather", {})], ""),
        (["One, ", "two."], "One, two.\n"),
    ],
)
@pytest.mark.parametrize("columns", [None, 80])
def test_a_file_gets_the_text_and_nothing_else(content: list[Any], text: str, columns: int | None) -> None:
    """Whether or not there is a terminal for the rest."""
    out, err = File(), File(columns)
    with Screen(out, err) as screen:
        show(screen, message_events(*content))
    assert out.getvalue() == text
    if columns is None:
        assert err.getvalue() == ""


@pytest.mark.usefixtures("slow")
def test_one_terminal_for_all() -> None:
    """Each kind of thing begins on a line of its own, thinking is dimmed, and texts that go on do so."""
    terminal = File(80)
    with Screen(terminal, terminal) as screen:
        show(screen, message_events(THINKING, "Let me ", "see.", ("get_weather", {"city": "Paris"}), "Rain.\n"))
    assert terminal.getvalue() == f"\x1b[2mHm.\x1b[22m\nLet me see.\nRain.\n{CLEAR}"


@pytest.mark.usefixtures("slow")
def test_what_a_message_starts_with() -> None:
    """Text in message_start and in the start of a block is shown; null is nothing."""
    for content in ([{"type": "text", "text": "Oh. "}], None, []):
        start, block, *rest = message_events("Hello")
        start["message"]["content"] = content
        block["content_block"]["text"] = "Well, "
        moved = [{**event, "index": len(content or ())} if "index" in event else event for event in (block, *rest)]
        out = File()
        with Screen(out, File()) as screen:
            show(screen, [start, *moved])
        assert out.getvalue() == ("Oh. " if content else "") + "Well, Hello\n"


def test_the_line_is_there_before_the_first_event() -> None:
    """It says that one waits, and for how long; and it is gone at the end."""
    err = File(80)
    with Screen(File(), err):
        until(lambda: len(lines(err)) > 3)
    first, *drawn, last = lines(err)
    assert (first, last) == ("", "")
    assert all(re.fullmatch(r"waiting, \d+\.\d s", line) for line in drawn)


def test_the_line_goes_on_while_text_goes_to_a_file() -> None:
    """It is written over, and not taken away, which would flicker."""
    err = File(80)

    def events() -> Iterator[Any]:
        for count, event in enumerate(message_events("x" * 140, chunk=35)):
            yield event
            if 2 <= count < 6:
                until(lambda count=count: f"text, ~{10 * (count - 1)} tokens, " in err.getvalue())

    with Screen(File(), err) as screen:
        show(screen, events())
        until(lambda: "done, 12 tokens, " in err.getvalue())
    assert all(lines(err)[1:-1])


def test_the_line_makes_room() -> None:
    """It goes before text comes to its terminal, stays away in the middle of a line, and comes back behind it."""
    terminal = File(80)
    with Screen(terminal, terminal) as screen:
        until(lambda: "waiting" in terminal.getvalue())
        start, block, delta, *_ = message_events("Hello")
        for event in (start, block, delta):
            screen.see(_Event(event))
        assert terminal.getvalue().endswith(f"{CLEAR}Hello")
        time.sleep(0.02)  # twenty times the line
        assert terminal.getvalue().endswith(f"{CLEAR}Hello")
        screen.tell(Progress("tool_input"))
        until(lambda: "tool input, " in terminal.getvalue())
        assert f"Hello\n{CLEAR}tool input, " in terminal.getvalue()


class _Event:
    """An event as an object, as an observer gets it."""

    def __init__(self, wire: dict[str, Any]) -> None:
        for name, value in wire.items():
            setattr(self, name, _Event(value) if isinstance(value, dict) else value)


@pytest.mark.parametrize(("columns", "length"), [(40, 39), (20, 19), (1, 0), (0, 79)])
def test_the_line_is_never_longer_than_the_terminal(columns: int, length: int) -> None:
    """On a narrow one it is cut, because what wraps could not be taken away; what has no width is taken for 80."""
    err = File(columns)
    screen = Screen(File(), err)
    screen.tell(Progress("tool_input", estimated_tokens=10**90))
    with screen:
        until(lambda: len(lines(err)) > 3)
    assert {len(line) for line in lines(err)[1:-1]} == {length}
