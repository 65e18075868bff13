"""What was run, as a section of docs/compatibility.md.

The law: every test that differs stands there, and all counts are of the run that wrote them.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata

from tests.sdk_suite.compare import Judgement, Outcome


@dataclasses.dataclass(frozen=True)
class Run:
    """The tests of one SDK, run twice."""

    sdk: str
    plain: Mapping[str, Outcome]
    wrapped: Mapping[str, Outcome]
    judgement: Judgement

    @property
    def differing(self) -> int:
        return sum(map(len, self.judgement.explained.values())) + len(self.judgement.unexplained)


def counts(outcomes: Mapping[str, Outcome]) -> str:
    """Return how many tests passed, failed and were skipped."""
    words = collections.Counter(outcome.word for outcome in outcomes.values())
    return f"{words['passed']} / {words['failed']} / {words['skipped']}"


def section(runs: Sequence[Run]) -> str:
    """Return the tables of some runs as Markdown."""
    rows = [
        f"| {run.sdk} | {counts(run.plain)} | {counts(run.wrapped)} | {run.differing} | {_unexplained(run)} |"
        for run in runs
    ]
    date = dt.datetime.now(dt.timezone.utc).date().isoformat()
    head = [
        f"{date}, claude-stream {metadata.version('claude-stream')}, Python {platform.python_version()}.",
        "Tests that passed / failed / were skipped:",
        "",
        "| `anthropic` | plain | wrapped | tests that differ | without a reason |",
        "| --- | --- | --- | --: | --: |",
        *rows,
    ]
    return "\n".join([*head, *_reasons(runs)])


def _unexplained(run: Run) -> int:
    return len(run.judgement.unexplained)


def _reasons(runs: Sequence[Run]) -> list[str]:
    found: dict[str, dict[str, list[str]]] = {}  # by what they say: one reason may be listed for several ranges
    for run in runs:
        for reason, differences in run.judgement.explained.items():
            for test in sorted({difference.test.partition("[")[0] for difference in differences}):
                found.setdefault(reason.text, {}).setdefault(test, []).append(run.sdk)
    lines: list[str] = []
    for text, tests in found.items():
        lines += ["", f"**{text}**", ""]
        lines += [f"- `{test}` ({', '.join(versions)})" for test, versions in sorted(tests.items())]
    return lines
