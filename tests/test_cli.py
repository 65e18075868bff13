"""The command line: `python -m claude_stream`, as a process of its own."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from claude_stream import collect, iter_events
from claude_stream.__main__ import main
from claude_stream.testing import message_events, replay_client
from tests.support import REQUEST, body_of

PYTHON = [sys.executable, "-m", "claude_stream"]
DEMO = Path(sys.modules["claude_stream"].__file__ or "").parent / "testing" / "demo.jsonl"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "answer.sse"
    path.write_bytes(body_of(message_events("Hello, world!")))
    return path


def test_a_broken_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The text so far goes to standard output, the error to standard error, and the status is 1."""
    path = tmp_path / "broken.sse"
    for events, error in (
        (message_events("Hello", cut=4), "StreamTruncatedError"),
        (message_events("Hello", error="overloaded_error"), "StreamOverloadedError"),
    ):
        path.write_bytes(body_of(events))
        assert main(["play", str(path), "--speed", "0"]) == 1
        captured = capfd.readouterr()
        assert captured.out == "Hello\n"
        assert captured.err.startswith(f"claude-stream: {error}: ")
        assert captured.err.count("\n") == 1


def test_a_malformed_tool_call(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A message that cannot be used ends in its error as well."""
    path = tmp_path / "broken.sse"
    path.write_bytes(body_of(message_events("Hello", ("tool", {"a": 1}), chunk=99)).replace(b'{\\"a', b"oops"))
    assert main(["play", str(path), "--speed", "0"]) == 1
    assert "ToolInputError" in capfd.readouterr().err


@pytest.mark.parametrize("arguments", [["play", "no-such-file"], ["play", "."]])
def test_a_file_that_cannot_be_read(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """One clear line, and status 2."""
    assert main(arguments) == 2
    assert capfd.readouterr().err.count("\n") == 1


def test_a_damaged_recording(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A damaged recording is named with file and line."""
    path = tmp_path / "damaged.jsonl"
    path.write_text('{"claude_stream_recording": 1}\n{"at": 0, "event"\n')
    assert main(["play", str(path)]) == 2
    assert f"{path}, line 2" in capfd.readouterr().err


@pytest.mark.parametrize("speed", ["-1", "inf", "nan", "fast"])
def test_a_speed_that_is_none(speed: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A speed that is no number of 0 or more is refused with a usage message."""
    with pytest.raises(SystemExit) as caught:
        main(["--speed", speed])
    assert caught.value.code == 2
    assert "--speed" in capfd.readouterr().err


def test_the_demo_prints_everything(capfd: pytest.CaptureFixture[str]) -> None:
    """Without arguments the bundled recording is played: text, model, stop reason, usage, time, events."""
    assert main(["--speed", "0"]) == 0
    out = capfd.readouterr().out
    message = collect(iter_events(replay_client(DEMO).messages.create(**REQUEST, stream=True)))
    text = next(block.text for block in message.content if block.type == "text")
    lines = out.removeprefix(text).split()
    assert out.startswith(text)
    assert message.model in lines
    assert "end_turn" in lines
    assert "21 tokens in, 97 out" in out
    assert "events       45" in out
    assert "first text   after 0." in out


def test_a_file_is_played(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A raw body is played, wherever the option stands."""
    for arguments in (["play", str(file), "--speed", "0"], ["--speed", "0", "play", str(file)]):
        assert main(arguments) == 0
        assert capfd.readouterr().out.startswith("Hello, world!\n\nmodel        claude-test\n")


def test_a_stream_without_text(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A stream of tool calls alone has no first text."""
    path = tmp_path / "tools.sse"
    path.write_bytes(body_of(message_events(("tool", {"a": 1}))))
    assert main(["play", str(path), "--speed", "0"]) == 0
    assert "first text   none" in capfd.readouterr().out


def test_standard_input(file: Path) -> None:
    """`-` is standard input."""
    done = subprocess.run(
        [*PYTHON, "play", "-", "--speed", "0"], input=file.read_bytes(), capture_output=True, timeout=60, check=True
    )
    assert done.stdout.startswith(b"Hello, world!")


def test_the_pace(file: Path) -> None:
    """The text comes as it was recorded, or so many times as fast; a raw body is spaced evenly."""
    start = time.perf_counter()
    assert main(["play", str(file), "--speed", "0.5"]) == 0
    assert time.perf_counter() - start >= 6 * 0.02 / 0.5  # seven events, the first at once


def test_a_closed_pipe_ends_cleanly() -> None:
    """When nobody reads any more, the command stops without a traceback."""
    process = subprocess.Popen(PYTHON, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(5)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(60) == 0


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_ends_cleanly() -> None:
    """Ctrl-C stops the command without a traceback, with the status that a shell expects."""
    process = subprocess.Popen([*PYTHON, "--speed", "0.2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (130, b"")


def test_an_output_that_lacks_a_character(tmp_path: Path) -> None:
    """A terminal that cannot show a character gets a question mark, not a traceback."""
    path = tmp_path / "answer.sse"
    path.write_bytes(body_of(message_events("5 €")))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*PYTHON, "play", str(path), "--speed", "0"], capture_output=True, timeout=60, env=environment, check=True
    )
    assert done.stdout.startswith(b"5 ?\n")


def test_an_output_of_another_kind(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """Standard output may have been replaced by something that is no file."""
    replaced = io.StringIO()
    monkeypatch.setattr(sys, "stdout", replaced)
    assert main(["play", str(file), "--speed", "0"]) == 0
    assert replaced.getvalue().startswith("Hello, world!")
