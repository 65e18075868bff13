"""The command line: ``python -m claude_stream`` plays a recorded stream through the real SDK client."""

from __future__ import annotations

import argparse
import dataclasses
import io
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from claude_stream import Accumulator, StreamError, iter_text, tap
from claude_stream.testing import Recording, replay_client

_DEMO = Path(__file__).parent / "testing" / "demo.jsonl"
_SPACING = 0.02  # seconds between two events of a raw body, which holds no times of its own


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    0 is a complete stream, 1 a broken one, 2 a command that cannot be carried out, 130 Ctrl-C.
    """
    options = _parser().parse_args(argv)
    stdout: object = sys.stdout
    if isinstance(stdout, io.TextIOWrapper):
        stdout.reconfigure(errors="replace")  # a terminal that lacks a character must not end the answer
    try:
        try:
            recording = _load(options.file)
        except (OSError, ValueError) as exc:
            print(f"claude-stream: {exc}", file=sys.stderr)
            return 2
        return _play(recording, options.speed)
    except BrokenPipeError:
        # Whoever read our output has had enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130


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
    parser.set_defaults(file=None, speed=1.0)
    play = parser.add_subparsers(metavar="play FILE").add_parser(
        "play",
        parents=[pace],
        help="play a file with a raw response body, as `curl -N` saves it",
        description=f"Play a file. A raw body holds no times, so its events are played {_SPACING:g} seconds apart.",
    )
    play.add_argument("file", metavar="FILE", help="the file; - for standard input")
    return parser


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 <= speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a speed: give 0 or more")
    return speed


def _load(file: str | None) -> Recording:
    if file == "-":
        recording = Recording.from_bytes(sys.stdin.buffer.read(), name="standard input")
    else:
        recording = Recording.load(file or _DEMO)
    if recording.offsets is None:
        offsets = tuple(position * _SPACING for position in range(len(recording.chunks)))
        recording = dataclasses.replace(recording, offsets=offsets)
    return recording


def _play(recording: Recording, speed: float) -> int:
    accumulator = Accumulator()
    seen: list[str] = []
    client = replay_client(recording, speed=speed)
    start = time.perf_counter()
    first_text = None
    try:
        with client.messages.create(model="recorded", max_tokens=1, messages=[], stream=True) as stream:
            for chunk in iter_text(tap(stream, accumulator.feed, lambda event: seen.append(event.type))):
                first_text = first_text or time.perf_counter() - start
                print(chunk, end="", flush=True)
        message, usage = accumulator.result(), accumulator.usage
    except StreamError as exc:
        print(flush=True)
        print(f"claude-stream: {type(exc).__name__}: {exc}", file=sys.stderr)
        return 1
    print(f"\n\nmodel        {message.model}")
    print(f"stop reason  {message.stop_reason}")
    print(f"usage        {usage.total_input} tokens in, {usage.output_tokens} out")
    print("first text   " + ("none" if first_text is None else f"after {first_text:.2f} s"))
    print(f"events       {len(seen)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
