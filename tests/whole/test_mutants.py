"""The command that puts mistakes into the code: it finds the test that is missing, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE = "_steps/tap.py"

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11) or not hasattr(os, "fork"), reason="the command needs Python 3.11, and forks"
)


def test_what_a_mutant_is() -> None:
    """One change each of what the code does; none of annotations, of sentences, or of what type checkers read."""
    pytest.importorskip("mutmut")
    from tests.mutants.make import mutants_of

    source = """
if TYPE_CHECKING:
    import this

def first(given: list[int] | None = None) -> int:
    if given:
        raise ValueError("one sentence")
    return cast("int", given)
"""
    assert [(mutant.key, mutant.function, [*mutant.lines]) for mutant in mutants_of(source)] == [
        ("first: if given: -> if not (given):", "first", [6]),
    ]


def test_what_runs_while_a_module_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake there shows only if the module is loaded again with it; one in another function does not need that."""
    pytest.importorskip("mutmut")
    from tests.mutants.run import Module, _run_by_loading

    path = tmp_path / "loaded_for_a_test.py"
    path.write_text("def early(): ...\ndef late(): ...\nearly()\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = _run_by_loading([Module(path, path.stem, "")])
    assert {name for file, name in found if file == str(path)} == {"<module>", "early"}


@pytest.mark.process
@pytest.mark.slow
def test_a_test_that_is_missing_is_found(tmp_path: Path) -> None:
    """The command names what the test saw, and an explanation that fits nothing; a test sees all else in the module."""
    pytest.importorskip("mutmut")
    for folder in ("src", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    tests = tmp_path / "tests" / "steps" / "test_tap.py"
    text = tests.read_text(encoding="utf-8")
    tests.write_text(text.replace("def test_an_observer_sees_the_classes", "def no_test"), encoding="utf-8")
    explained = tmp_path / "tests" / "mutants" / "explained.toml"
    with explained.open("a", encoding="utf-8") as file:
        file.write(f'\n[["{MODULE}"]]\nwhy = "Because."\nmutants = ["module: nothing -> something"]\n')
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("COVERAGE_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutants", "--own", "--only", f"src/claude_stream/{MODULE}"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(tmp_path / "src")},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-3:] == [
        "_steps/tap.py: 18 mutants, 1 survive",
        "  SURVIVES Tap.feed: event = to_event(item, beta=self._builder.beta) -> event = to_event(item, )",
        "  EXPLAINED, and does not survive, or is no mutant: module: nothing -> something",
    ], done.stderr
    assert done.returncode == 1
