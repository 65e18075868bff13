"""Who watches a call, with the real packages that install beside the tests; all are in ``python -m tests.watchers``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.pages import write
from tests.watchers.__main__ import run
from tests.watchers.packages import PACKAGES
from tests.watchers.scenarios import ENDS, MODES, OURS, PAUSE, TEXT, Record, Result
from tests.watchers.table import Outcome, section
from tests.watchers.verdict import problems, surprises

SDK = tuple(int(part) for part in anthropic.__version__.split(".")[:2])


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("name", ["openinference", "opentelemetry", "sentry"])
def test_a_package_sees_what_is_read_through_us(name: str) -> None:
    """Each way, sync and async: one record, with text, tokens and time; of a cut stream or an error, no success."""
    if name == "openinference" and SDK < (1, 8):
        pytest.skip("it does nothing with SDKs before 1.8")
    if name == "openinference" and sys.version_info >= (3, 15):
        pytest.skip("it does not install on Python 3.15")
    results = run(name, sys.executable, *OURS).results
    assert len(results) == len(OURS) * len(MODES) * len(ENDS)
    assert surprises(results, PACKAGES[name]) == []
    for result in results:
        [record] = result.records
        assert record.outcome != "ok" or result.end in ("whole", "left")


# -- the measure --

RIGHT = Record(TEXT, 10, 12, "ok", PAUSE)
PACKAGE = PACKAGES["openinference"]


def result(end: str, *records: Record, way: str = "open_stream", error: str = "") -> Result:
    return Result(way, "sync", end, error=error, records=[*records])


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (result("whole", RIGHT), []),
        (result("whole"), ["nothing"]),
        (result("whole", RIGHT, RIGHT), ["2 records"]),
        (result("whole", Record(TEXT, 10, 12, "open")), ["never ends"]),
        (result("whole", Record(TEXT, 10, 12, "error", PAUSE)), ["an error"]),
        (result("whole", Record("Hello", 10, 1, "ok", 0.0)), ["other text", "other tokens", "no time"]),
        (result("whole", RIGHT, error="TypeError"), ["the application gets TypeError"]),
        (result("cut", RIGHT, error="StreamTruncatedError"), ["no error"]),
        (result("cut", RIGHT), ["the application gets no error"]),
        (result("cut", RIGHT, way="helper"), ["no error"]),
        (result("cut", Record("", outcome="error"), error="StreamTruncatedError"), []),
        (result("error", Record("", outcome="unset"), error="StreamOverloadedError"), ["no error"]),
        (result("left", Record("", outcome="unset")), []),
    ],
)
def test_what_is_wrong_with_a_record(found: Result, wrong: list[str]) -> None:
    """It is named; what should be there and is, is nothing."""
    assert problems(found, PACKAGE) == wrong


def test_what_a_package_is_known_for() -> None:
    """It is no surprise, unless it does it no more; the SDK's own ways surprise nobody."""

    class Known(PACKAGE):
        known = ("*/sync/cut", "*/sync/left")

    found = [result("cut", RIGHT, error="StreamTruncatedError"), result("whole"), result("whole", way="helper")]
    assert surprises(found, Known) == [
        "open_stream/sync/whole: nothing",
        "*/sync/left: right, and known not to be",
    ]


def test_the_section_of_the_page(tmp_path: Path) -> None:
    """It stands between its marks, is written over, and nothing else of the page changes."""
    page = tmp_path / "page.md"
    results: list[Any] = [
        Result(way, mode, end, records=[RIGHT]) for way in PACKAGE.ways for mode in MODES for end in ENDS
    ]
    outcome = Outcome("openinference", {PACKAGE.requirements[0]: "1.2", "anthropic": "3.4"}, results)
    page.write_text("<!-- watchers: begin --><!-- watchers: end -->", encoding="utf-8")
    write(page, "watchers", section([outcome]))
    once = page.read_text(encoding="utf-8")
    assert "| `openinference-instrumentation-anthropic` 1.2, SDK 3.4 | cut, error |" in once
    page.write_text(once + "\nMore.\n", encoding="utf-8")
    write(page, "watchers", section([outcome, Outcome("opik", {}, [], failure="could not be run")]))
    twice = page.read_text(encoding="utf-8")
    assert twice.count("## Who watches") == 1
    assert twice.endswith("\nMore.\n")
    assert "| `opik` | could not be run | | |" in twice
