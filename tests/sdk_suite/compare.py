"""What came of the SDK's tests, plain and wrapped, and whether every difference has its reason.

The law: a difference needs a reason, and a reason needs a difference, of just the kind that it names.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packaging.specifiers import SpecifierSet


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a test: passed, failed, skipped (which includes expected failures) or missing, and why."""

    word: str
    message: str = ""


MISSING = Outcome("missing", "it was not collected")


@dataclasses.dataclass(frozen=True)
class Difference:
    """A test whose outcome on a wrapped client is another one."""

    test: str
    plain: Outcome
    wrapped: Outcome

    def __str__(self) -> str:
        lines = self.wrapped.message or self.plain.message
        return f"{self.test}: {self.plain.word}, wrapped {self.wrapped.word}: {' '.join(lines.split()):.300}"


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why tests differ.

    Args:
        text: what a user has to know.
        shows: a regular expression that finds something in what pytest says about each of them, so that no other
            failure hides here.
        tests: their ids; without parameters, an id stands for all that it is run with.
        sdk: the versions of the SDK on which they differ.
    """

    text: str
    shows: str
    tests: tuple[str, ...]
    sdk: str = ">=0.110"

    def holds_on(self, sdk: str) -> bool:
        return SpecifierSet(self.sdk).contains(sdk)

    def explains(self, difference: Difference) -> bool:
        listed = any(covers(each, difference.test) for each in self.tests)
        return listed and re.search(self.shows, difference.wrapped.message) is not None


def covers(listed: str, test: str) -> bool:
    """Whether an id in a list stands for this test."""
    return test == listed or test.partition("[")[0] == listed


def outcomes(report: Path) -> dict[str, Outcome]:
    """Read a report of pytest-reportlog: what came of each test, and of each module that cannot be imported."""
    found: dict[str, Outcome] = {}
    with report.open(encoding="utf-8") as lines:
        for entry in map(json.loads, lines):
            kind, test = entry["$report_type"], entry.get("nodeid")
            if kind == "CollectReport" and entry["outcome"] == "failed":
                found[test] = Outcome("failed", _message(entry))
            elif kind == "TestReport" and (entry["when"] == "call" or entry["outcome"] != "passed"):
                before = found.get(test)
                if before is None or before.word == "passed":  # a teardown can fail behind a call that passed
                    found[test] = Outcome(entry["outcome"], _message(entry))
    return found


def _message(entry: Mapping[str, object]) -> str:
    told = entry.get("longrepr")
    if isinstance(told, dict):
        return str(told["reprcrash"]["message"])
    return str(told[-1] if isinstance(told, list) else told or "")


def differences(plain: Mapping[str, Outcome], wrapped: Mapping[str, Outcome]) -> list[Difference]:
    """Return the tests whose outcomes differ."""
    pairs = ((test, plain.get(test, MISSING), wrapped.get(test, MISSING)) for test in sorted({*plain, *wrapped}))
    return [Difference(test, before, after) for test, before, after in pairs if before.word != after.word]


@dataclasses.dataclass(frozen=True)
class Judgement:
    """The differences by their reason, those without one, and the reasons that hold no longer."""

    explained: Mapping[Reason, Sequence[Difference]]
    unexplained: Sequence[Difference]
    stale: Sequence[str]

    @property
    def good(self) -> bool:
        return not self.unexplained and not self.stale


def judge(found: Sequence[Difference], reasons: Iterable[Reason], sdk: str, ran: Iterable[str] | None) -> Judgement:
    """Look for the reason of each difference, and for a difference of each reason.

    Args:
        found: the differences.
        reasons: the list.
        sdk: the version of the SDK.
        ran: the tests that were run, where they were not all: a reason of another one says nothing.
    """
    holding = [reason for reason in reasons if reason.holds_on(sdk)]
    explained: dict[Reason, list[Difference]] = {}
    unexplained: list[Difference] = []
    for difference in found:
        reason = next((reason for reason in holding if reason.explains(difference)), None)
        (unexplained if reason is None else explained.setdefault(reason, [])).append(difference)
    tests = None if ran is None else list(ran)
    stale = [
        listed
        for reason in holding
        for listed in reason.tests
        if not any(covers(listed, difference.test) for difference in explained.get(reason, ()))
        and (tests is None or any(covers(listed, test) for test in tests))
    ]
    return Judgement(explained, unexplained, stale)
