"""One package, in the Python that has it: plain and wrapped, against a server on loopback.

The law: what the package hands out, and how it ends, is written down as it is; nothing is judged here.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from importlib import metadata
from typing import Any

from claude_stream import wrap_client
from claude_stream.testing import Recording, message_events
from tests.loopback import Loopback, Script
from tests.software import cases

_CALL = ("get_weather", {"city": "Paris"})


def _script(*content: Any, cut: int | None = None) -> Script:
    body = Recording.from_events(message_events(*content, cut=cut)).body()
    return (body, "finish")


ANSWERS: dict[str, tuple[Script, ...]] = {
    "text": (_script("Hello, world!"),),
    "tool": (_script("Let me see.", _CALL), _script("Sunny.")),
    "cut": (_script("Let me see.", _CALL, cut=8), _script("Sunny.")),  # in good order, in the middle of the input
}
"""What the server sends: the answer to each request."""


@dataclasses.dataclass
class Outcome:
    """What a package handed out, how it ended, and which of the client's helpers it called."""

    chunks: list[str] = dataclasses.field(default_factory=list)
    end: str = "ends"
    requests: int = 0
    helpers: list[str] = dataclasses.field(default_factory=list)


def run(name: str, answer: str, *, wrapped: bool) -> Outcome:
    """Let a package read an answer."""
    outcome = Outcome()
    with Loopback(*ANSWERS[answer]) as server:

        def make(cls: Any) -> Any:
            client = cls(api_key="x", base_url=server.url, max_retries=0)
            if wrapped:
                client = wrap_client(client)
            for path, messages in (
                ("messages.stream", client.messages),
                ("beta.messages.stream", client.beta.messages),
            ):
                messages.stream = _noted(messages.stream, path, outcome.helpers)
            return client

        try:
            for chunk in getattr(cases, name)(make):
                if chunk:
                    outcome.chunks.append(str(chunk))
        except Exception as exc:
            outcome.end = _name(exc)
        outcome.requests = server.requests
    return outcome


def _noted(method: Any, path: str, calls: list[str]) -> Any:
    def noted(*args: Any, **kwargs: Any) -> Any:
        if path not in calls:
            calls.append(path)
        return method(*args, **kwargs)

    return noted


def _name(exc: BaseException) -> str:
    """Return the name of an exception, and of the one in its causes that is this library's."""
    name, cause = type(exc).__name__, exc.__cause__ or exc.__context__
    if cause is not None and type(cause).__module__.startswith("claude_stream"):
        return f"{name} of {type(cause).__name__}"
    return name


def main(name: str, packages: list[str]) -> None:
    """Print all outcomes of a package as JSON."""
    outcomes = {
        answer: {
            kind: dataclasses.asdict(run(name, answer, wrapped=kind == "wrapped")) for kind in ("plain", "wrapped")
        }
        for answer in ANSWERS
    }
    versions = {package: metadata.version(package) for package in [*packages, "anthropic"]}
    print(json.dumps({"versions": versions, "outcomes": outcomes}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
