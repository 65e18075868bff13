"""docs/contributing.md, followed to the letter in a copy of the tree: what it adds passes the checks of the project."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "contributing.md").read_text()
COPIED = ("src", "tests", "docs", ".ci", "pyproject.toml", "README.md", "CHANGELOG.md")


class Block(NamedTuple):
    """A code block of the page: the file that its title names, where in it, and the lines."""

    path: str
    place: str
    code: str


def blocks() -> Iterator[Block]:
    for title, code in re.findall(r'^```\w+ title="(.*?)"\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL):
        path, _, place = title.partition(", ")
        yield Block(path, place, code)


BLOCKS = list(blocks())
FILES = sorted({block.path for block in BLOCKS})


def added(text: str, block: Block) -> str:
    """Return the text of a file with the lines of a block in the places that the page speaks of."""
    if block.place.startswith("under "):
        heading = re.search(rf"^#+ {re.escape(block.place[6:])}\n+", text, re.MULTILINE)
        assert heading is not None, block
        return text[: heading.end()] + block.code + text[heading.end() :]
    rest = []
    for node in ast.parse(block.code).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            text = with_import(text, ast.unparse(node))
        elif isinstance(node, ast.Assign):
            text = with_elements(text, node)
        else:
            rest.append(code_of(node, block.code))
    if rest:
        text = with_definition(text, block.place.removeprefix("behind "), "\n".join(rest))
    return text


def with_import(text: str, line: str) -> str:
    """Put an import in front of all others but those from `__future__`."""
    imports = [node for node in ast.parse(text).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    first = next(node for node in imports if getattr(node, "module", "") != "__future__")
    return with_lines(text, first.lineno - 1, f"{line}\n")


def with_elements(text: str, assignment: ast.Assign) -> str:
    """Put the strings of a list that are new behind those in front of them; `...` is what the page does not name."""
    [target], before = assignment.targets, ""
    for element in ast.literal_eval(assignment.value):
        if element is not ... and f'"{element}",\n' not in list_of(text, target):
            assert before, f"{element} stands behind nothing"
            at = list_of(text, target).index(f'    "{before}",\n') + len(f'    "{before}",\n')
            start = text.index(list_of(text, target))
            text = f'{text[: start + at]}    "{element}",\n{text[start + at :]}'
        before = "" if element is ... else element
    return text


def list_of(text: str, target: ast.expr) -> str:
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets) == ast.unparse(target):
            return code_of(node, text)
    raise AssertionError(f"there is no {ast.unparse(target)}")


def with_definition(text: str, name: str, code: str) -> str:
    """Put definitions behind that of a function, the one behind its overloads."""
    [*_, last] = [node for node in ast.parse(text).body if getattr(node, "name", "") == name]
    return with_lines(text, last.end_lineno or 0, f"\n\n{code}\n")


def with_lines(text: str, position: int, lines: str) -> str:
    before = text.splitlines(keepends=True)
    return "".join([*before[:position], lines, *before[position:]])


def code_of(node: ast.stmt, text: str) -> str:
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project in which somebody has followed the page."""
    tree = tmp_path_factory.mktemp("contributing")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)
    with contextlib.suppress(OSError):  # there is none, or it is being written: mypy then takes longer
        shutil.copytree(ROOT / ".mypy_cache", tree / ".mypy_cache")
    for block in BLOCKS:
        path = tree / block.path
        path.write_text(added(path.read_text(), block) if path.exists() else block.code)
    return tree


def run(tree: Path, *arguments: str) -> None:
    """Run a Python module in the tree, with its own source; neither pytest's options nor coverage follow it there."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    environment = {**outside, "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(importlib.util.find_spec(tool) is None, reason=f"{tool} is not installed")


def test_the_page_is_short() -> None:
    """One reads it in one go."""
    assert len(PAGE.splitlines()) < 200


def test_six_files_are_enough() -> None:
    """A step, a function, the public names, the order of imports, a test, and a line in the changelog."""
    assert FILES == [
        "CHANGELOG.md",
        "src/claude_stream/_iterators.py",
        "src/claude_stream/_public.py",
        "src/claude_stream/_steps/citations.py",
        "tests/steps/test_citations.py",
        "tests/whole/test_structure.py",
    ]
    assert [path for path in FILES if (ROOT / path).exists()] == [
        path for path in FILES if not path.endswith("citations.py")
    ]


def test_all_files_that_the_page_names_are_there(tree: Path) -> None:
    """Nobody is sent to a file or a folder that has moved."""
    names = set(re.findall(r"`([\w/]*(?:/|\.py))`", PAGE))
    assert len(names) > 10
    assert [
        name
        for name in sorted(names)
        if not any((tree / folder / name).exists() for folder in ("", "src/claude_stream"))
    ] == []


def test_the_new_tests_and_the_import_rules_hold(tree: Path) -> None:
    """The page's own test passes, and so do the architecture's and all examples in docstrings."""
    docs = ("test_docstrings", "test_every_public_function_has_an_example")
    run(
        tree,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/steps/test_citations.py"),
        *("tests/whole/test_structure.py", *(f"tests/whole/test_docs.py::{name}" for name in docs)),
    )


def test_a_view_and_a_source(tree: Path) -> None:
    """What the page says of `MessageStream` works: the step as a view of it, and the stream as a source."""
    code = """
from claude_stream import MessageStream, iter_citations
from claude_stream._steps.citations import Citations
from claude_stream.testing import message_events
events = message_events({"type": "text", "text": "", "citations": [{"type": "char_location", "cited_text": "one"}]})
view = MessageStream(events)._view(lambda builder: [Citations(builder)])
assert [each.citation.cited_text for each in view] == ["one"]
assert [each.citation.cited_text for each in iter_citations(MessageStream(events))] == ["one"]
"""
    run(tree, "-c", code)


@needs("ruff")
def test_lint(tree: Path) -> None:
    """The new files are clean and formatted as they stand; in the others, the imports are sorted first."""
    files = [path for path in FILES if path.endswith(".py")]
    grown = [path for path in files if (ROOT / path).exists()]
    run(tree, "-m", "ruff", "check", "--no-cache", "--quiet", "--fix", "--select=I", *grown)
    run(tree, "-m", "ruff", "check", "--no-cache", *files)
    run(tree, "-m", "ruff", "format", "--no-cache", "--check", *files)


@needs("mypy")
def test_types(tree: Path) -> None:
    """The new code is strictly typed, and gives the SDK's stable and beta citations, each where it belongs."""
    (tree / "use.py").write_text("""
from collections.abc import AsyncIterator, Iterator
from anthropic import AsyncStream, Stream
from anthropic.types import RawMessageStreamEvent, TextCitation
from anthropic.types.beta import BetaRawMessageStreamEvent, BetaTextCitation
from claude_stream import Citation, iter_citations

def sync(stable: Stream[RawMessageStreamEvent], beta: Stream[BetaRawMessageStreamEvent]) -> None:
    a: Iterator[Citation] = iter_citations(stable)
    b: Iterator[Citation[BetaTextCitation]] = iter_citations(beta)

def asynchronous(stable: AsyncStream[RawMessageStreamEvent], beta: AsyncStream[BetaRawMessageStreamEvent]) -> None:
    a: AsyncIterator[Citation[TextCitation]] = iter_citations(stable)
    b: AsyncIterator[Citation[BetaTextCitation]] = iter_citations(beta)
""")
    run(tree, "-m", "mypy", "--strict", "use.py", "src/claude_stream/_iterators.py")
