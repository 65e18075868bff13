"""`python -m tests.matrix`: what it runs, how it counts, and what it writes; and that each fact names code of ours."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from tests import matrix
from tests.environments import HERE, Python
from tests.matrix import Cell, Result, counted, lowest, main, table

PAGE = "<!-- matrix: begin -->\n\n{}\n\n<!-- matrix: end -->\n"
ROOT = Path(__file__).parents[2]
FACTS = [
    (file, test)
    for file in sorted((ROOT / matrix.FOLDER_OF_FACTS).glob("test_*.py"))
    for test in ast.parse(file.read_text()).body
    if isinstance(test, ast.FunctionDef) and test.name.startswith("test_")
]


def result(cell: str, **counts: int) -> Result:
    return Result(cell, {"python": "3.11.7", "anthropic": "2.0.0", "httpx2": "1", "httpx": "2"}, counts, "2026-11-25")


# -- counts --


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ("3 passed in 0.1s", {"passed": 3}),
        ("2 failed, 7 passed, 1 skipped, 12 deselected, 1 error in 61.23s (0:01:01)", {"failed": 2, "error": 1}),
    ],
)
def test_what_pytest_says(last: str, expected: dict[str, int]) -> None:
    """The counts are those of its last line."""
    found = counted(f"....\nFAILED tests/test_a.py::test_b - 4 passed\n{last}\n")
    assert expected.items() <= found.items()


@pytest.mark.parametrize(("counts", "failed"), [({}, 0), ({"failed": 2}, 2), ({"error": 1}, 1), ({"errors": 2}, 2)])
def test_an_error_is_a_failure(counts: dict[str, int], failed: int) -> None:
    """A test that could not begin has failed."""
    assert result("Python 3.11", passed=3, **counts).failed == failed


# -- the table --


def test_rows_stay_until_their_cell_runs_again() -> None:
    """A row is replaced by one of its cell; all others are kept, each in its place, the newest version last."""
    first = table([result(name, passed=1) for name in ("SDK newest", "SDK 1.13.0, x", "Python 3.9")], PAGE.format(""))
    second = table(
        [result("SDK 1.13.0, x", passed=2, failed=1), result("Python 3.10", passed=1)], PAGE.format(first)
    ).splitlines()
    assert [row.split("|")[1].strip() for row in second[2:]] == [
        *("Python 3.9", "Python 3.10"),
        *("SDK 1.13.0, x", "SDK newest"),
    ]
    assert second[4] == "| SDK 1.13.0, x | 3.11.7 | 2.0.0 | httpx2 1 | 2 | 0 | **1** | 2026-11-25 |"


@pytest.mark.parametrize(("sdk", "package"), [("0.125.0", "httpx 2"), ("1.0.0", "httpx2 1")])
def test_the_http_package_is_the_sdks(sdk: str, package: str) -> None:
    """The other one is installed for the tests, and says nothing of the cell."""
    versions = {"python": "3.11.7", "anthropic": sdk, "httpx2": "1", "httpx": "2"}
    assert f"| {package} |" in Result("SDK", versions, {}, "2026-11-25").row()


# -- cells --


def test_the_lowest_versions_are_those_that_are_declared() -> None:
    """Of each package that we depend on, and of none that only the tests need."""
    assert "anthropic==0.110" in lowest()
    names = {name.partition("==")[0].replace("_", "-") for name in lowest()}
    assert names == {"anthropic", "anyio", "jiter", "pydantic", "pydantic-core", "typing-extensions"}


def test_a_cell_that_cannot_be_counted_has_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command goes on with the next one, writes that, and ends with status 1."""
    page = tmp_path / "page.md"
    page.write_text(PAGE.format(""))

    def run(cell: Cell, _: Path) -> Result:
        if "0.110.0" in cell.name:
            raise RuntimeError("no such thing")
        return result(cell.name, passed=1)

    monkeypatch.setattr(matrix, "run", run)
    assert main(["--facts", "0.110.0", "newest", "--write", str(page)]) == 1
    assert "no such thing" in capsys.readouterr().out
    assert re.findall("facts, SDK .*? ", page.read_text()) == ["facts, SDK newest "]


@pytest.mark.parametrize(("counts", "status"), [({"passed": 1}, 0), ({"failed": 1}, 1)])
def test_the_status_tells_of_failures(monkeypatch: pytest.MonkeyPatch, counts: dict[str, int], status: int) -> None:
    """It is 1 if a test has failed."""
    monkeypatch.setattr(matrix, "run", lambda cell, _: result(cell.name, **counts))
    assert main(["--facts", "newest"]) == status


def test_a_python_by_its_command() -> None:
    """The last word is the executable, and what stands before it is its prefix."""
    python = Python.of("chroot '/srv/the sid' python3.15")
    assert python == Python(("chroot", "/srv/the sid"), "python3.15")
    assert str(python) == "chroot '/srv/the sid' python3.15"


@pytest.mark.process
def test_a_python_says_its_versions() -> None:
    """Of what is installed for it; what is not is left out."""
    found = HERE.versions("anthropic", "no-such-package")
    assert {*found} == {"python", "anthropic"}


@pytest.mark.process
def test_a_python_that_fails() -> None:
    """The error has what it said."""
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        HERE.checked("-c", "1/0")


# -- the facts --


@pytest.mark.parametrize(("file", "test"), FACTS, ids=[test.name for _, test in FACTS])
def test_a_fact_names_what_builds_on_it(file: Path, test: Any) -> None:
    """Each says so in its last paragraph, and what it names is there."""
    docstring = ast.get_docstring(test) or ""
    used_by = docstring.rpartition("\n\n")[2]
    assert used_by.startswith("Used by: "), file.name
    src = ROOT / "src" / "claude_stream"
    names = re.findall(r"`([\w.]+)`", used_by)
    assert names
    for name in names:
        if name == "filterwarnings":
            continue
        parts = name.split(".")
        depth = next(n for n in range(len(parts), 0, -1) if src.joinpath(*parts[:n]).with_suffix(".py").is_file())
        text = src.joinpath(*parts[:depth]).with_suffix(".py").read_text()
        for part in parts[depth:]:
            assert re.search(rf"(def|class) {part}\b|^ *{part}\b", text, re.MULTILINE), name
