"""What the benchmark command makes of its figures: a page, and a picture beside it. Measuring is another matter."""

from __future__ import annotations

import dataclasses
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.benchmarks.bodies import text_body
from tests.benchmarks.measure import Row
from tests.benchmarks.picture import length, margin, picture
from tests.benchmarks.report import report

SVG = "{http://www.w3.org/2000/svg}"


def row(ratio: float | None, target: float | None, relation: str = "faster", case: str = "a < b & c") -> Row:
    return Row("a group", case, 1.0, "µs/event", 2.0, relation, ratio, ratio, ratio, 3, target)


def bars(*rows: Row) -> list[tuple[str, float]]:
    found = ET.fromstring(picture(rows)).iter(f"{SVG}rect")
    return [(bar.attrib["class"], float(bar.attrib["width"])) for bar in found]


def texts(*rows: Row) -> list[str]:
    return [text.text or "" for text in ET.fromstring(picture(rows)).iter(f"{SVG}text")]


def test_a_figure_without_a_target() -> None:
    """It is in the table only, and has no margin."""
    assert bars(row(3, None), row(None, None)) == []
    with pytest.raises(ValueError, match="there is no target: a group"):
        margin(row(3, None))


@pytest.mark.parametrize("relation", ["faster", "at most"])
def test_a_bar_that_reaches_the_line_meets_its_target(relation: str) -> None:
    """The further the better, whether more or less is better."""
    better: Callable[[float], float] = (lambda by: 10 * by) if relation == "faster" else (lambda by: 10 / by)
    rows = [row(better(by), 10, relation) for by in (0.001, 0.5, 0.99, 1, 2, 1000)]
    line = ET.fromstring(picture(rows)).find(f"{SVG}line")
    assert line is not None
    target = float(line.attrib["x1"]) - 12
    kinds, widths = zip(*bars(*rows), strict=True)
    assert kinds == ("missed", "missed", "missed", "met", "met", "met")
    assert list(widths) == sorted(widths)
    assert 0 < widths[0] < widths[1] < widths[2] < target == widths[3]
    assert widths[5] <= 840
    assert length(2) - length(1) == pytest.approx(length(1) - length(0.5))


def test_what_is_written_beside_a_bar() -> None:
    """The group once, and of each row its case, its ratio and its target; a target that is missed says so."""
    assert texts(row(16.7, 15), row(1.5, 1, "at most", "another")) == [
        "a group",
        "a < b & c",
        "16.7 x faster (>= 15 x)",
        "another",
        "1.5 x (<= 1 x, missed)",
    ]


def test_light_and_dark() -> None:
    """Every colour has another one for a dark page, and nothing comes from outside."""
    svg = picture([row(2, 1)])
    light, dark = svg.split("@media (prefers-color-scheme: dark)")
    assert light.count("#") == dark.count("#") == 4
    assert svg.count("http") == 1  # the namespace


def test_the_page_shows_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command writes both, side by side, from the figures of a run."""
    rows = [row(16.7, 15), row(3, None)]
    figures, page = tmp_path / "run.json", tmp_path / "speed.md"
    figures.write_text(json.dumps(report(rows, quick=False, seconds=1.0)))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--markdown", str(figures), "--write", str(page)])
    with pytest.raises(SystemExit) as exit_:
        runpy.run_module("tests.benchmarks", run_name="__main__")
    assert not exit_.value.code
    assert "![The ratios against their targets](speed.svg)" in page.read_text()
    assert (tmp_path / "speed.svg").read_text() == picture([dataclasses.replace(each) for each in rows])


def test_the_page_of_the_output_has_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no file is named, there is no place beside it."""
    figures = tmp_path / "run.json"
    figures.write_text(json.dumps(report([row(16.7, 15)], quick=False, seconds=1.0)))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--markdown", str(figures)])
    with pytest.raises(SystemExit):
        runpy.run_module("tests.benchmarks", run_name="__main__")
    page = capsys.readouterr().out
    assert "16.7 x faster" in page
    assert "![" not in page


def test_a_text_is_the_same_whenever_it_is_made() -> None:
    """The server of the concurrency benchmark makes its own, in another process, and both sides count the bytes."""
    assert text_body(3).chunks == text_body(3).chunks
