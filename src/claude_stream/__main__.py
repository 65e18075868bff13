"""The command line: plays and checks recorded streams, asks a question live. See ``claude-stream --help``.

The law: text goes to standard output, as it comes; everything that is said about it, errors and the
status line among it, to standard error, but for the summary of a stream that was played.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import anthropic
from anthropic.types import RawMessageStreamEvent
from typing_extensions import Self

from claude_stream import Source, StreamError, StreamTimer, iter_events, iter_text, tap
from claude_stream.testing import Recording, recording_client, replay, replay_client

_DEMO = Path(__file__).parent / "testing" / "demo.jsonl"
_SPACING = 0.02  # seconds between two events of a raw body, which holds no times of its own
_TICK = 0.1  # seconds between two looks of the status line


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    0 is a complete stream, 1 a broken one, 2 a command that cannot be carried out, 130 Ctrl-C.
    """
    options = _parser().parse_args(argv)
    stdout: object = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(errors="replace")  # a terminal that lacks a character must not end the answer
    try:
        return _run(options)
    except BrokenPipeError:
        # The reader of our output has had enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except (OSError, ValueError) as exc:
        return _say(str(exc), 2)


def _run(options: argparse.Namespace) -> int:
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def _parser() -> argparse.ArgumentParser:
    pace = argparse.ArgumentParser(add_help=False)
    pace.add_argument(
        "--speed",
        type=_speed,
        default=argparse.SUPPRESS,
        metavar="N",
        help="N times the recorded pace; 0 plays at once (default: 1)",
    )
    parser = argparse.ArgumentParser(
        prog="claude-stream",
        description="Play a recorded stream of Claude's Messages API through the real SDK client, with no key and "
        "no network. Without a command, play the recording that comes with the package.",
        parents=[pace],
    )
    parser.set_defaults(run=_play, file=_DEMO, speed=1.0)
    commands = parser.add_subparsers(title="commands")
    play = commands.add_parser(
        "play",
        parents=[pace],
        help="play a recording",
        description="Play a file, a recording or a raw response body as `curl -N` saves it. "
        f"A raw body holds no times, so its events are played {_SPACING:g} seconds apart.",
    )
    play.add_argument("file", metavar="FILE", help="the file; - for standard input")
    check = commands.add_parser(
        "check",
        help="say of each recording whether it is complete",
        description="Print one line a file: that it is complete, with its blocks, stop reason and tokens, "
        "or what is wrong with it. The exit status is 1 if any is not complete.",
    )
    check.add_argument("files", metavar="FILE", nargs="+", help="a file; - for standard input")
    check.set_defaults(run=_check)
    ask = commands.add_parser(
        "ask",
        help="ask Claude, over the network, and print the answer as it comes",
        description="Ask Claude. The key is taken from the environment, as the SDK does: ANTHROPIC_API_KEY.",
    )
    ask.add_argument("prompt", metavar="PROMPT", help="the question; - for standard input")
    ask.add_argument("--model", default="claude-sonnet-5-5", help="default: %(default)s")
    ask.add_argument("--max-tokens", type=int, default=1024, metavar="N", help="default: %(default)s")
    ask.add_argument("--record", metavar="FILE", help="write a recording of the answer, in the .jsonl format")
    ask.set_defaults(run=_ask)
    return parser


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 <= speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a speed: give 0 or more")
    return speed


def _load(file: str | Path) -> Recording:
    return Recording.from_bytes(sys.stdin.buffer.read(), name="standard input") if file == "-" else Recording.load(file)


def _say(what: str, status: int) -> int:
    print(f"claude-stream: {' '.join(what.split())}", file=sys.stderr)
    return status


def _open(recording: Recording, speed: float = 0) -> anthropic.Stream[RawMessageStreamEvent]:
    client = replay_client(recording, speed=speed)
    return client.messages.create(model="recorded", max_tokens=1, messages=[], stream=True)


def _play(options: argparse.Namespace) -> int:
    recording = _load(options.file)
    if recording.offsets is None:
        spaced = tuple(position * _SPACING for position in range(len(recording.chunks)))
        recording = dataclasses.replace(recording, offsets=spaced)
    timer = StreamTimer()
    seen: list[str] = []
    try:
        with iter_text(tap(_open(recording, options.speed), timer.feed, lambda event: seen.append(event.type))) as text:
            for chunk in text:
                print(chunk, end="", flush=True)
            message, usage = text.result(), text.usage
    except anthropic.APIError as exc:
        print(flush=True)
        return _say(f"{type(exc).__name__}: {exc}", 1)
    print(f"\n\nmodel        {message.model}")
    print(f"stop reason  {message.stop_reason}")
    print(f"usage        {usage.total_input} tokens in, {usage.output_tokens} out")
    print("first text   " + ("none" if timer.ttft_text is None else f"after {timer.ttft_text:.2f} s"))
    print(f"events       {len(seen)}", flush=True)
    return 0


def _check(options: argparse.Namespace) -> int:
    verdicts = [_verdict(file) for file in options.files]
    return 0 if all(verdicts) else 1


def _verdict(file: str) -> bool:
    """Print the line for a file, and return whether it is complete, whichever decoder reads it."""
    try:
        recording = _load(file)
    except (OSError, ValueError) as exc:
        whole, says = False, _named(exc)
    else:
        # The SDK's decoder loses events that ours keeps, and takes some that ours refuses.
        whole, says = _ending(lambda: _open(recording))
        ours_whole, ours = _ending(lambda: replay(recording))
        if whole != ours_whole:
            whole, says = False, f"create(stream=True), where the SDK decodes: {says}; open_stream, replay: {ours}"
    print(f"{file}: {says}", flush=True)
    return whole


def _ending(open_: Callable[[], Source]) -> tuple[bool, str]:
    """Return whether a stream gives a whole message, and what there is to say of it."""
    try:
        with iter_events(open_()) as events:
            message, usage = events.result(), events.usage
    except anthropic.APIError as exc:
        return False, _named(exc)
    counts = Counter(block.type for block in message.content)
    blocks = ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "none"
    tokens = f"{usage.total_input} tokens in, {usage.output_tokens} out"
    return True, f"complete; blocks: {blocks}; stop reason: {message.stop_reason}; {tokens}"


def _named(exc: Exception) -> str:
    return f"{type(exc).__name__}: {' '.join(str(exc).split())}"


def _ask(options: argparse.Namespace) -> int:
    prompt: str = sys.stdin.read() if options.prompt == "-" else options.prompt
    try:
        with (
            anthropic.Anthropic() as client,
            _Status(sys.stderr) as status,
            (recording_client(client, options.record) if options.record else client).messages.create(
                model=options.model,
                max_tokens=options.max_tokens,
                messages=[{"role": "user", "content": prompt}],
                stream=True,
            ) as stream,
        ):
            text = iter_text(tap(stream, status.saw))
            for chunk in text:
                if sys.stdout.isatty():
                    status.stop()  # two cannot write on one line
                print(chunk, end="", flush=True)
        print(flush=True)
        text.result()
    except TypeError as exc:
        if "authentication" not in str(exc):
            raise
        return _say("there is no key: set the environment variable ANTHROPIC_API_KEY", 2)
    except anthropic.AnthropicError as exc:
        if isinstance(exc, StreamError) and exc.content_started:
            print(flush=True)
        return _say(f"{type(exc).__name__}: {exc}", 1)
    return 0


class _Status:
    """A line that says how far the answer is, and goes when there is nothing to say. Only a terminal gets it."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._phase = "waiting"
        self._characters = 0
        self._start = time.perf_counter()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="claude-stream-status", daemon=True)

    def __enter__(self) -> Self:
        if self._file.isatty():
            self._thread.start()
        return self

    def saw(self, event: Any) -> None:
        """Take notice of an event."""
        if event.type == "content_block_start":
            self._phase = event.content_block.type.replace("_", " ")
        elif event.type == "content_block_delta":
            pieces = (getattr(event.delta, name, None) for name in ("text", "thinking", "partial_json"))
            self._characters += sum(len(piece) for piece in pieces if piece)

    def _run(self) -> None:
        while not self._stopped.wait(_TICK):
            elapsed = time.perf_counter() - self._start
            self._write(f"{self._phase}, {elapsed:.1f} s, {self._characters} characters")

    def _write(self, line: str) -> None:
        print(f"\r\x1b[K{line}", end="", file=self._file, flush=True)

    def stop(self) -> None:
        """Take the line away."""
        if self._thread.is_alive():
            self._stopped.set()
            self._thread.join()
            self._write("")

    def __exit__(self, *_: object) -> None:
        self.stop()


if __name__ == "__main__":
    sys.exit(main())
