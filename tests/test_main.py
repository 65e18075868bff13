"""The command line: `main`, and `python -m claude_stream` as a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anthropic
import pytest

from claude_stream import StreamTimer, collect, from_sse, iter_events
from claude_stream.__main__ import main
from claude_stream.testing import Recording, message_events, replay_client
from tests.clocks import Clock
from tests.faults import BODIES
from tests.loopback import End, Loopback, Script
from tests.nets import JSON, Api
from tests.support import PATIENCE, REQUEST, body_of

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


def test_the_demo_prints_everything(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the bundled recording is played: text, model, stop reason, usage, time, events."""
    monkeypatch.setattr("claude_stream.__main__.StreamTimer", lambda: StreamTimer(itertools.count(0, 0.25).__next__))
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
    assert re.search(r"^first text   after \d\.[27]?[05] s$", out, re.MULTILINE)


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


@pytest.mark.process
@pytest.mark.slow
def test_standard_input(file: Path) -> None:
    """`-` is standard input."""
    done = subprocess.run(
        [*PYTHON, "play", "-", "--speed", "0"],
        input=file.read_bytes(),
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout.startswith(b"Hello, world!")


@pytest.mark.parametrize("speed", [0.5, 1, 2])
def test_the_pace(file: Path, monkeypatch: pytest.MonkeyPatch, speed: float) -> None:
    """The text comes as it was recorded, or so many times as fast; a raw body is spaced evenly."""
    clock = Clock(0)
    monkeypatch.setattr("claude_stream.testing._replay.time", SimpleNamespace(monotonic=clock, sleep=clock.sleep))
    assert main(["play", str(file), "--speed", str(speed)]) == 0
    assert clock.now == pytest.approx(6 * 0.02 / speed)  # seven events, the first at once


@pytest.mark.process
@pytest.mark.slow
def test_a_closed_pipe_ends_cleanly() -> None:
    """When nobody reads any more, the command stops without a traceback."""
    process = subprocess.Popen(PYTHON, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(5)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(PATIENCE) == 0


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_ends_cleanly() -> None:
    """Ctrl-C stops the command without a traceback, with the status that a shell expects; what came is kept."""
    process = subprocess.Popen([*PYTHON, "--speed", "0.5"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    begun = process.stdout.read(5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert (begun + out).startswith(b"A str")
    assert (begun + out).endswith(b"\n")
    assert re.fullmatch(rb"claude-stream: interrupted after \d+\.\d s \(text\); 21 tokens in, about \d+ out\n", err), (
        err
    )


@pytest.mark.parametrize(
    ("after", "text", "says"),
    [
        (0, "", r"\(waiting\); nothing had come"),
        (1, "", r"\(waiting\); 10 tokens in"),
        (3, "Hello, w\n", r"\(text\); 10 tokens in, about 2 out"),
    ],
)
def test_what_was_interrupted(
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    after: int,
    text: str,
    says: str,
) -> None:
    """What came is printed, and ends its line; a line says what was going on, and what it has used so far."""
    left = iter(range(after))

    def sleep(_: float) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    delayed = dataclasses.replace(Recording.load(file), offsets=tuple(range(1, 8)))
    delayed.save(file.with_suffix(".jsonl"))
    monkeypatch.setattr("claude_stream.testing._replay.time", SimpleNamespace(monotonic=lambda: 0, sleep=sleep))
    assert main(["play", str(file.with_suffix(".jsonl"))]) == 130
    captured = capfd.readouterr()
    assert captured.out == text
    assert re.fullmatch(rf"claude-stream: interrupted after \d+\.\d s {says}\n", captured.err), captured.err


def test_ctrl_c_before_there_is_a_stream(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """There is nothing to say but that."""

    def load(_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Recording, "load", load)
    assert main([]) == 130
    assert capfd.readouterr() == ("", "claude-stream: interrupted\n")


def test_the_version(capfd: pytest.CaptureFixture[str]) -> None:
    """It is what a report of a bug needs: ours, the SDK's and Python's."""
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert re.fullmatch(
        rf"claude-stream \d+\.\d+\.\d+\S*, anthropic {re.escape(anthropic.__version__)}, Python 3\.\d+\.\S+\n",
        capfd.readouterr().out,
    )


@pytest.mark.process
@pytest.mark.slow
def test_an_output_that_lacks_a_character(tmp_path: Path) -> None:
    """A terminal that cannot show a character gets a question mark, not a traceback."""
    path = tmp_path / "answer.sse"
    path.write_bytes(body_of(message_events("5 €")))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*PYTHON, "play", str(path), "--speed", "0"], capture_output=True, timeout=PATIENCE, env=environment, check=True
    )
    assert done.stdout.startswith(b"5 ?\n")


def test_an_output_of_another_kind(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    """Standard output may have been replaced by something that is no file."""
    replaced = io.StringIO()
    monkeypatch.setattr(sys, "stdout", replaced)
    assert main(["play", str(file), "--speed", "0"]) == 0
    assert replaced.getvalue().startswith("Hello, world!")


# -- check --

CHECKED: dict[str, tuple[bytes | Recording, str]] = {
    "whole.sse": (
        body_of(message_events({"type": "thinking", "thinking": "Hm."}, "Hi", ("tool", {}), ("tool", {"a": 1}))),
        "complete; blocks: 1 thinking, 1 text, 2 tool_use; stop reason: tool_use; 10 tokens in, 12 out",
    ),
    "empty answer.jsonl": (
        Recording.from_events(message_events(stop_reason="max_tokens", usage={"cache_read_input_tokens": 90})),
        "complete; blocks: none; stop reason: max_tokens; 100 tokens in, 12 out",
    ),
    "cut.sse": (body_of(message_events("Hello", cut=3)), "StreamTruncatedError: .*characters of text 5.*"),
    "reset.jsonl": (Recording.from_events(message_events("Hi")).reset(3), "StreamConnectionError: .*"),
    "stall.jsonl": (Recording.from_events(message_events("Hi")).stall(3), "StreamTimeoutError: .*"),
    "error.sse": (body_of(message_events("Hi", error="overloaded_error")), "StreamOverloadedError: .*"),
    "no JSON.sse": (b"event: message_start\ndata: oops\n\n", "StreamProtocolError: .*"),
    "page.sse": (b"<html>\nBad\n\ngateway</html>", "StreamProtocolError: .*text/html.*"),
    "empty.sse": (b"", "StreamTruncatedError: .*"),
    "proxy.jsonl": (Recording((b"<p>\nBad\n gateway",), status=502), "InternalServerError: .*<p> Bad gateway.*"),
    "refused.jsonl": (Recording.http_error(529, message="busy\n now"), "OverloadedError: .*529.*busy.*now.*"),
    "tool.sse": (
        body_of(message_events(("tool", {"a": 1}), chunk=99)).replace(b'{\\"a', b"oops"),
        "ToolInputError: .*",
    ),
    "damaged.jsonl": (
        b'{"claude_stream_recording": 1}\n{"at"',
        r"ValueError: damaged\.jsonl, line 2: not valid JSON.*",
    ),
    "missing.sse": (b"", "FileNotFoundError: .*missing.sse.*"),
    "README.md": (b"# Title\n", r"ValueError: README\.md is no recording, for it begins with '# Title': .*"),
    "mark.sse": (
        BODIES["byte order mark"],
        r"create\(stream=True\), where the SDK decodes: StreamProtocolError: .*; open_stream, from_sse: complete; .*",
    ),
    "float.sse": (
        BODIES["index is a float"],
        r"create\(stream=True\), where the SDK decodes: complete; .*; open_stream, from_sse: StreamProtocolError: .*",
    ),
}


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, (content, _) in CHECKED.items():
        if isinstance(content, Recording):
            content.save(name)
        elif name != "missing.sse":
            Path(name).write_bytes(content)


@pytest.mark.usefixtures("checked")
def test_check_says_one_line_of_each_file(capfd: pytest.CaptureFixture[str]) -> None:
    """Each file gets its line on standard output, in order, whatever is wrong with the others, and the status is 1."""
    assert main(["check", *CHECKED]) == 1
    captured = capfd.readouterr()
    lines = captured.out.splitlines()
    assert len(lines) == len(CHECKED)
    for line, (name, (_, says)) in zip(lines, CHECKED.items()):
        assert re.fullmatch(f"{re.escape(name)}: {says}", line), line
    assert captured.err == ""


@pytest.mark.parametrize("name", BODIES)
def test_check_reads_as_the_library_does(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    """It says how `collect` ends on both ways in: once where they agree, and each of them where they do not."""
    path = tmp_path / "body.sse"
    path.write_bytes(BODIES[name])
    typed = _end_of(lambda: replay_client(path).messages.create(**REQUEST, stream=True))
    own = _end_of(lambda: from_sse([BODIES[name]]))
    assert main(["check", str(path)]) == (0 if typed == own == "complete" else 1)
    says = capfd.readouterr().out.removeprefix(f"{path}: ")
    if (typed == "complete") is (own == "complete"):
        assert says.startswith((typed, own))
        assert "open_stream" not in says
    else:
        assert says.startswith(f"create(stream=True), where the SDK decodes: {typed}")
        assert f"; open_stream, from_sse: {own}" in says


def _end_of(source: Callable[[], Any]) -> str:
    try:
        collect(source())
    except anthropic.APIError as exc:
        return type(exc).__name__
    return "complete"


@pytest.mark.usefixtures("checked")
@pytest.mark.parametrize("name", CHECKED)
def test_the_status_of_check(name: str) -> None:
    """It is 0 if every file is complete, and 1 if one is not, wherever that one stands."""
    status = 0 if CHECKED[name][1].startswith("complete") else 1
    assert main(["check", name]) == status
    assert main(["check", name, "whole.sse"]) == status
    assert main(["check", "whole.sse", name]) == status


@pytest.mark.parametrize(("cut", "status", "says"), [(None, 0, "complete; "), (3, 1, "StreamTruncatedError: ")])
def test_check_of_standard_input(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], cut: int | None, status: int, says: str
) -> None:
    """`-` is standard input, and is called so."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body_of(message_events("Hi", cut=cut)))))
    assert main(["check", "-"]) == status
    assert capfd.readouterr().out.startswith(f"-: {says}")


@pytest.mark.parametrize("arguments", [["check"], ["ask"], ["play"], ["sing"], ["ask", "Hi", "--max-tokens", "many"]])
def test_a_command_that_is_none(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """What the command line cannot read is answered with how to use it."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capfd.readouterr().err.startswith("usage: claude-stream")


# -- ask --

ANSWER = message_events("Hello, world!", chunk=5)
FIRST, REST = body_of(ANSWER[:4]), body_of(ANSWER[4:])  # cut behind the text "Hello, wor"


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Makes an environment in which there is a key, and nothing else that an SDK would look for."""
    for name in [name for name in os.environ if name.startswith("ANTHROPIC")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def ask(asking: pytest.MonkeyPatch, server: Loopback | Api, *arguments: str) -> int:
    """Run the command against a server."""
    asking.setenv("ANTHROPIC_BASE_URL", server.url)
    return main(["ask", *(arguments or ["Hi?"])])


@pytest.mark.process
@pytest.mark.slow
def test_ask_without_a_key(tmp_path: Path) -> None:
    """Without a key there is one clear line, and status 2."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH", "SYSTEMROOT"}}
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    done = subprocess.run(
        [*PYTHON, "ask", "Hi?"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**kept, **coverage, "HOME": str(tmp_path)},
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "claude-stream: there is no key: set the environment variable ANTHROPIC_API_KEY\n"


def test_a_mistake_is_no_missing_key(asking: pytest.MonkeyPatch) -> None:
    """Any other TypeError is a mistake in the program, and is not hidden."""

    def broken() -> Any:
        raise TypeError("a mistake")

    asking.setattr(anthropic, "Anthropic", broken)
    with pytest.raises(TypeError, match="a mistake"):
        main(["ask", "Hi?"])


@pytest.mark.socket
@pytest.mark.parametrize(
    ("status", "error"), [(401, "AuthenticationError"), (400, "BadRequestError"), (404, "NotFoundError")]
)
def test_ask_that_is_refused(
    asking: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], status: int, error: str
) -> None:
    """A request that is refused gives one line on standard error, no text, and status 1."""
    with Api(Recording.http_error(status, message="no\n way").body(), JSON, status) as server:
        assert ask(asking, server) == 1
    captured = capfd.readouterr()
    assert re.fullmatch(f"claude-stream: {error}: .*{status}.*no.*way.*\n", captured.err)
    assert captured.out == ""


@pytest.mark.socket
@pytest.mark.parametrize(
    ("script", "error"),
    [
        ((FIRST, "cut"), "StreamConnectionError"),
        ((FIRST, "finish"), "StreamTruncatedError"),
        ((FIRST + body_of(message_events(error="overloaded_error")[-1:]), "finish"), "StreamOverloadedError"),
        ((FIRST + b"event: message_stop\ndata: oops\n\n", "finish"), "StreamProtocolError"),
    ],
)
def test_an_answer_that_breaks(
    asking: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], script: Script, error: str
) -> None:
    """The text so far is on standard output, the error on standard error, the recording in its file; status 1."""
    with Loopback(script) as server:
        assert ask(asking, server, "Hi?", "--record", "answer.jsonl") == 1
    captured = capfd.readouterr()
    assert captured.out == "Hello, wor\n"
    assert re.fullmatch(f"claude-stream: {error}: .*\n", captured.err)
    assert main(["check", "answer.jsonl"]) == 1
    assert capfd.readouterr().out.startswith(f"answer.jsonl: {error}: ")


@pytest.mark.socket
def test_an_answer_with_a_malformed_tool_call(asking: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """A message that cannot be used is an error, though all its text came."""
    body = body_of(message_events("Hello", ("tool", {"a": 1}), chunk=99)).replace(b'{\\"a', b"oops")
    with Loopback((body, "finish")) as server:
        assert ask(asking, server) == 1
    captured = capfd.readouterr()
    assert captured.out.startswith("Hello\n")
    assert captured.err.startswith("claude-stream: ToolInputError: ")


@pytest.mark.socket
def test_a_recording_that_cannot_be_written(asking: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """One line that names the file, and status 2; no request is paid for again and again."""
    with Api(FIRST + REST) as server:
        assert ask(asking, server, "Hi?", "--record", "missing/answer.jsonl") == 2
        assert len(server.asked) <= 1
    err = capfd.readouterr().err
    assert err.startswith("claude-stream: ")
    assert "missing/answer.jsonl" in err
    assert err.count("\n") == 1


@pytest.mark.socket
@pytest.mark.parametrize("prompt", ["Who are you?", "-"])
def test_an_answer(asking: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], prompt: str) -> None:
    """The question goes out, from standard input, too, and the text comes out on standard output, and nothing else."""
    asking.setattr(sys, "stdin", io.StringIO("Who are you?"))
    with Api(FIRST + REST) as server:
        assert ask(asking, server, prompt) == 0
        [(headers, body)] = server.asked
    assert capfd.readouterr() == ("Hello, world!\n", "")
    assert json.loads(body) == {
        "model": "claude-sonnet-5-5",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": "Who are you?"}],
        "stream": True,
    }
    assert "x" in {headers.get("x-api-key"), headers.get("authorization", "").removeprefix("Bearer ")}


@pytest.mark.socket
def test_what_can_be_said_of_an_answer(asking: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Model and length reach the API, and the recording holds the answer, which can be checked and played."""
    with Api(FIRST + REST) as server:
        options = ["--model", "claude-3", "--max-tokens", "7", "--record", "answer.jsonl"]
        assert ask(asking, server, *options, "Hi?") == 0
        [(_, body)] = server.asked
    asked = json.loads(body)
    assert (asked["model"], asked["max_tokens"]) == ("claude-3", 7)
    assert Recording.load("answer.jsonl") == Recording.from_events(ANSWER)
    assert Recording.load("answer.jsonl").offsets is not None
    assert main(["check", "answer.jsonl"]) == 0
    assert main(["play", "answer.jsonl", "--speed", "0"]) == 0
    assert capfd.readouterr().out.count("Hello, world!") == 2


@pytest.mark.socket
@pytest.mark.parametrize("arguments", [["Hi?"], ["Hi?", "--record", "answer.jsonl"]])
@pytest.mark.parametrize("end", ["finish", "cut"])
def test_no_connection_is_left_behind(asking: pytest.MonkeyPatch, end: End, arguments: list[str]) -> None:
    """However the answer ends, the connection is closed when the command is done."""
    with Loopback((FIRST, end) if end == "cut" else (FIRST, REST, end)) as server:
        assert ask(asking, server, *arguments) == (1 if end == "cut" else 0)
        assert server.wait_until_closed()


class Terminal:
    """A terminal, to stand for standard output or error, and what it was sent."""

    def __init__(self) -> None:
        self._master, slave = os.openpty()
        self.file = os.fdopen(slave, "w")
        self._sent = ""
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # on Linux that is how the other side says that it is gone
            while more := os.read(self._master, 4096):
                with self._more:
                    self._sent += more.decode()
                    self._more.notify_all()

    def shows(self, pattern: str) -> threading.Event:
        """Return an event that is set when this is shown."""
        shown = threading.Event()

        def look() -> None:
            with self._more:
                if self._more.wait_for(lambda: re.search(pattern, self._sent), PATIENCE):
                    shown.set()

        threading.Thread(target=look, daemon=True).start()
        return shown

    def shown(self) -> str:
        """Close it and return all that it was sent."""
        self.file.close()
        self._reader.join(PATIENCE)
        os.close(self._master)
        return self._sent


HAS_TERMINALS = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no pseudo-terminals")
CLEAR = "\r\x1b[K"


@pytest.mark.socket
@HAS_TERMINALS
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("Hello", "text, ~1 tokens"),
        ({"type": "thinking", "thinking": "", "signature": "c2ln"}, "thinking"),
        (("tool", {"a": 1}), "tool input, ~2 tokens"),
        ({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, "tool input"),
    ],
)
def test_the_live_line(asking: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], content: Any, says: str) -> None:
    """On a terminal a line says what is being written, tokens and time so far, and is gone at the end."""
    events = message_events(content)
    terminal = Terminal()
    asking.setattr(sys, "stderr", terminal.file)
    line = rf"{says}, [0-9]+\.[0-9] s"
    waiting, reading = terminal.shows("waiting, "), terminal.shows(line)
    with Loopback((b": hello\n\n", waiting, body_of(events[:-3]), reading, body_of(events[-3:]), "finish")) as server:
        assert ask(asking, server) == 0
    shown = terminal.shown()
    first, *lines, last = shown.split(CLEAR)
    assert re.fullmatch(r"waiting, [0-9]+\.[0-9] s", lines[0])
    assert any(re.fullmatch(line, each) for each in lines)
    assert (first, last) == ("", "")
    assert "\n" not in shown
    assert capfd.readouterr() == ("Hello\n" if content == "Hello" else "", "")


@pytest.mark.socket
@HAS_TERMINALS
def test_the_live_line_makes_room_for_text(asking: pytest.MonkeyPatch) -> None:
    """Where the text goes to a terminal as well, the line goes when the first text comes, and is not in the middle."""
    terminal = Terminal()
    asking.setattr(sys, "stdout", terminal.file)
    asking.setattr(sys, "stderr", terminal.file)
    with Loopback((b": hello\n\n", terminal.shows("waiting, "), FIRST, 0.25, REST, "finish")) as server:
        assert ask(asking, server) == 0
    before, text = terminal.shown().split("Hello", 1)
    assert "waiting, " in before
    assert before.endswith(CLEAR)
    assert text.startswith(", world!\r\n")
    assert text.endswith(CLEAR)


@pytest.mark.socket
@HAS_TERMINALS
def test_the_live_line_makes_room_for_an_error(asking: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """The line is gone before an error is shown."""
    terminal = Terminal()
    asking.setattr(sys, "stderr", terminal.file)
    with Loopback((FIRST, terminal.shows("text, "), "cut")) as server:
        assert ask(asking, server) == 1
    shown = terminal.shown()
    assert re.search(r"text, ~3 tokens, [0-9]+\.[0-9] s", shown)
    assert shown.split(CLEAR)[-1].startswith("claude-stream: StreamConnectionError: ")
    assert capfd.readouterr().out == "Hello, wor\n"
