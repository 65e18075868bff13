"""The command line: plays and checks recorded streams, asks a question live. See ``claude-stream --help``.

The law: text goes to standard output, as it comes; everything that is said about it, thinking, errors and the
live line among it, to standard error, but for the summary of a stream that was played.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import os
import platform
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import anthropic
from anthropic.types import Message, RawMessageStreamEvent

from claude_stream import Reader, Source, StreamTimer, iter_events, iter_progress, tap
from claude_stream._terminal import Screen
from claude_stream.testing import Recording, recording_client, replay, replay_client

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
        return _run(options)
    except BrokenPipeError:
        # The reader of our output has had enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as exc:
        return _say(str(exc) or "interrupted", 130)
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
    parser.add_argument("--version", action="version", version=_version())
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


def _version() -> str:
    """Return what to write into a report of a bug."""
    return (
        f"claude-stream {metadata.version('claude-stream')}, anthropic {anthropic.__version__}, "
        f"Python {platform.python_version()}"
    )


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
        with Screen(sys.stdout, sys.stderr) as screen, _open(recording, options.speed) as stream:
            answer = _watch(stream, screen, timer.feed, lambda event: seen.append(event.type))
        message, usage = answer.result(), answer.usage
    except anthropic.APIError as exc:
        return _say(f"{type(exc).__name__}: {exc}", 1)
    print(f"\nmodel        {message.model}")
    print(f"stop reason  {message.stop_reason}")
    print(f"usage        {usage.total_input} tokens in, {usage.output_tokens} out")
    print("first text   " + ("none" if timer.ttft_text is None else f"after {timer.ttft_text:.2f} s"))
    print(f"events       {len(seen)}", flush=True)
    return 0


def _watch(
    stream: anthropic.Stream[RawMessageStreamEvent], screen: Screen, *observers: Callable[[Any], object]
) -> Reader[Any, Message]:
    """Read a stream, show it, and return its reader.

    Raises:
        KeyboardInterrupt: says what was interrupted, and what it has used as far as that is known.
    """
    reader = iter_progress(tap(stream, *observers, screen.see))
    try:
        for progress in reader:
            screen.tell(progress)
    except KeyboardInterrupt:
        last, used = screen.progress, "nothing had come"
        if last.usage.total_input:
            out = f", about {last.estimated_tokens} out" if last.estimated_tokens else ""
            used = f"{last.usage.total_input} tokens in{out}"
        phase = last.phase.replace("_", " ")
        raise KeyboardInterrupt(f"interrupted after {screen.elapsed:.1f} s ({phase}); {used}") from None
    return reader


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
            whole, says = False, f"create(stream=True), where the SDK decodes: {says}; open_stream, from_sse: {ours}"
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
            Screen(sys.stdout, sys.stderr) as screen,
            (recording_client(client, options.record) if options.record else client).messages.create(
                model=options.model,
                max_tokens=options.max_tokens,
                messages=[{"role": "user", "content": prompt}],
                stream=True,
            ) as stream,
        ):
            answer = _watch(stream, screen)
        answer.result()
    except TypeError as exc:
        if "authentication" not in str(exc):
            raise
        return _say("there is no key: set the environment variable ANTHROPIC_API_KEY", 2)
    except anthropic.AnthropicError as exc:
        return _say(f"{type(exc).__name__}: {exc}", 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
