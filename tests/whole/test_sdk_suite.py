"""The commands that write docs/compatibility.md: what they read, how they judge it, and what they write.

Their whole is ``python -m tests.sdk_suite`` and ``python -m tests.software``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import environments
from tests.pages import write
from tests.sdk_suite.__main__ import run
from tests.sdk_suite.compare import Difference, Outcome, Reason, differences, judge, outcomes
from tests.sdk_suite.environment import Environment
from tests.sdk_suite.reasons import REASONS
from tests.sdk_suite.table import Run, section
from tests.software.__main__ import PACKAGES, problems, row
from tests.software.cases import agno

PASSED, SKIPPED, BROKEN = Outcome("passed"), Outcome("skipped", "no"), Outcome("failed", "assert 1 == 2")
REASON = Reason("We count better.", shows="1 == 2", tests=("t.py::a", "t.py::b[x]"), sdk=">=1,<2")


def report(*, when: str = "call", outcome: str = "passed", told: Any = None, **fields: Any) -> str:
    """Return a line of a report of pytest-reportlog."""
    entry = {"$report_type": "TestReport", "nodeid": "t.py::a", "when": when, "outcome": outcome, "longrepr": told}
    return json.dumps({**entry, **fields})


CRASH = {"reprcrash": {"message": "assert 1 == 2"}}


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([report(when="setup"), report(), report(when="teardown")], PASSED),
        ([report(when="setup"), report(outcome="failed", told=CRASH), report(when="teardown")], BROKEN),
        ([report(), report(when="teardown", outcome="failed", told=CRASH)], BROKEN),
        ([report(outcome="failed", told=CRASH), report(when="teardown", outcome="failed", told="later")], BROKEN),
        ([report(when="setup", outcome="skipped", told=["t.py", 1, "no"])], SKIPPED),
        (
            [report(**{"$report_type": "CollectReport"}, outcome="failed", told="no module")],
            Outcome("failed", "no module"),
        ),
        ([report(**{"$report_type": "CollectReport"}), report(**{"$report_type": "SessionStart"})], None),
    ],
    ids=["passed", "failed", "failed in teardown", "failed twice", "skipped", "not importable", "nothing"],
)
def test_outcomes_are_read_from_a_report(lines: list[str], found: Outcome | None, tmp_path: Path) -> None:
    """A test's outcome is that of its worst phase; a module that cannot be imported is a failure."""
    (tmp_path / "report").write_text("\n".join(lines))
    assert outcomes(tmp_path / "report").get("t.py::a") == found


def test_every_other_outcome_is_a_difference() -> None:
    """A test that fails, or that is not there, on one side only differs; one that fails on both does not."""
    plain = {"same": PASSED, "broken": PASSED, "fixed": BROKEN, "both": BROKEN, "gone": PASSED}
    wrapped = {"same": PASSED, "broken": BROKEN, "fixed": PASSED, "both": Outcome("failed", "else"), "new": PASSED}
    assert [found.test for found in differences(plain, wrapped)] == ["broken", "fixed", "gone", "new"]


@pytest.mark.parametrize(
    ("test", "wrapped", "sdk", "explained"),
    [
        ("t.py::a", BROKEN, "1.5.0", True),
        ("t.py::a[any]", BROKEN, "1.5.0", True),
        ("t.py::b[x]", BROKEN, "1.5.0", True),
        ("t.py::b[y]", BROKEN, "1.5.0", False),
        ("t.py::a_longer", BROKEN, "1.5.0", False),
        ("t.py::a", Outcome("failed", "KeyError"), "1.5.0", False),
        ("t.py::a", BROKEN, "2.0.0", False),
    ],
    ids=["listed", "all parameters", "one", "another", "another test", "another failure", "another SDK"],
)
def test_a_reason_explains_what_it_names(test: str, wrapped: Outcome, sdk: str, explained: bool) -> None:
    """A reason explains the tests, the failure and the SDKs that it names, and no others."""
    judgement = judge([Difference(test, PASSED, wrapped)], [REASON], sdk, None)
    assert bool(judgement.explained) is explained
    assert bool(judgement.unexplained) is not explained
    assert explained or not judgement.good


def test_a_reason_without_a_difference_is_stale() -> None:
    """Each listed test must still differ, where it was run, on the SDKs that it is listed for."""
    found = [Difference("t.py::a", PASSED, BROKEN)]
    assert judge(found, [REASON], "1.5.0", None).stale == ["t.py::b[x]"]
    assert judge(found, [REASON], "1.5.0", ["t.py::a", "t.py::b[x]"]).stale == ["t.py::b[x]"]
    assert judge(found, [REASON], "1.5.0", ["t.py::a"]).good
    assert judge([], [REASON], "2.0.0", None).good


def test_the_list_names_no_test_twice() -> None:
    """No test has two reasons, and none of the reasons shows nothing."""
    listed = [test for reason in REASONS for test in reason.tests]
    assert sorted(set(listed)) == sorted(listed)
    assert all(reason.shows and reason.text and reason.tests for reason in REASONS)


def test_the_tables_stand_between_their_marks(tmp_path: Path) -> None:
    """The page keeps what stands around its marks; counts, tests and reasons stand between them, once."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- s: begin -->\nold\n<!-- s: end -->\nafter\n")
    plain, wrapped = {"t.py::a[x]": PASSED, "t.py::c": SKIPPED}, {"t.py::a[x]": BROKEN, "t.py::c": SKIPPED}
    done = Run("1.5.0", plain, wrapped, judge(differences(plain, wrapped), [REASON], "1.5.0", None))
    for _ in range(2):
        write(page, "s", section([done]))
    text = page.read_text()
    assert text.startswith("before\n<!-- s: begin -->\n")
    assert text.endswith("\n<!-- s: end -->\nafter\n")
    assert text.count("| 1.5.0 | 1 / 0 / 1 | 0 / 1 / 1 | 1 | 0 |") == 1
    assert "**We count better.**\n\n- `t.py::a` (1.5.0)" in text
    assert "old" not in text


def answers(**changed: Any) -> dict[str, Any]:
    """Return what a package made of its answers."""
    good = {"chunks": ["Hi"], "end": "ends", "requests": 1, "helpers": ["messages.stream"]}
    cut = {"plain": good, "wrapped": {**good, "end": "StreamTruncatedError"}}
    return {"text": {"plain": good, "wrapped": good}, "tool": {"plain": good, "wrapped": good}, "cut": cut, **changed}


def test_a_package_that_reads_otherwise_is_a_problem() -> None:
    """Anything else of a whole answer is named, and so is a cut one that looks whole through our stream."""
    good = answers()["text"]["plain"]
    assert problems(answers()) == []
    assert len(problems(answers(text={"plain": good, "wrapped": {**good, "requests": 2}}))) == 1
    assert len(problems(answers(cut={"plain": good, "wrapped": good}))) == 1
    unread = {**good, "helpers": []}  # by `messages.create`, which stays the SDK's
    assert problems(answers(cut={"plain": unread, "wrapped": unread})) == []


def test_a_package_has_its_row() -> None:
    """A row says which versions were run, how the client got there, and how the cut answer ended."""
    shown = row("agno", {"versions": {"agno": "3", "anthropic": "2"}, "outcomes": answers()})
    assert shown.startswith("| agno 3 | 2 | `Claude(client=client)`")
    assert shown.endswith("| the same | `Hi`, then it ends well | `Hi`, then `StreamTruncatedError` |")
    assert agno.__name__ in PACKAGES


@pytest.mark.slow
@pytest.mark.process
def test_some_of_the_sdks_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of the SDK's own tests, from its sdist: all differences have a reason, and all reasons hold."""
    monkeypatch.setattr(environments, "INSTALLING", 60.0)
    try:
        made = Environment.make("2.12.0", tmp_path)
    except environments.UnreachableError as exc:
        pytest.skip(f"the SDK's sdist, or what its tests need, cannot be had: {exc!s:.300}")
    done = run(made, ["tests/lib/streaming/test_messages.py", "tests/lib/_parse/test_messages.py"], jobs=0)
    assert done.judgement.good
    assert sum(outcome.word == "passed" for outcome in done.plain.values()) > 20
    assert done.differing > 0
