"""The architecture, held as data: who may import whom, where `async` may stand, and what is public."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
import types
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import claude_stream
import claude_stream.testing

SRC = Path(claude_stream.__file__).parent
PUBLIC = "claude_stream"

# Read from the top: a module imports none but those above it, and what `anthropic` installs.
ORDER = [
    "_json",
    "_step",
    "_errors",
    "_usage",
    "_tally",
    "_wire",
    "_wire.deltas",
    "_wire.events",
    "_wire.line",
    "_wire.sse",
    "_wire.ndjson",
    "_translate",
    "_steps",
    "_steps.guard",
    "_steps.block",
    "_steps.param",
    "_steps.builder",
    "_steps.accumulator",
    "_steps.text",
    "_steps.units",
    "_steps.blocks",
    "_steps.parts",
    "_steps.frames",
    "_steps.finished",
    "_steps.tap",
    "_steps.timer",
    "_steps.progress",
    "_steps.helper_events",
    "_drive",
    "_drive.misuse",
    "_drive.connection",
    "_drive.timeouts",
    "_drive.waits",
    "_drive.source",
    "_drive.spans",
    "_drive.look",
    "_drive.live",
    "_drive.reader",
    "_drive.sync",
    "_drive.aio",
    "_drive.restarts",
    "_drive.ahead",
    "_drive.pipeline",
    "_sources",
    "_iterators",
    "_message_stream",
    "_params",
    "_request",
    "_open",
    "_wrap",
    "_relay",
    "_print",
    "_public",
    "",
    "_message_ids",
    "testing._build",
    "testing._format",
    "testing._http",
    "testing._recording",
    "testing._replay",
    "testing._record",
    "testing._clients",
    "testing",
    "_pytest_plugin",
    "_terminal",
    "__main__",
]
# The kit is built on what is public. What it takes from inside is argued in docs/explanation.md.
KIT_MAY_LOOK_INTO = {"_errors", "_json", "_message_ids", "_step", "_wire.sse", "_drive.pipeline"}
# What `anthropic` installs, and pyproject.toml declares; and what only the kit and the plugin need.
THIRD_PARTY = {"anthropic", "anyio", "jiter", "pydantic", "pydantic_core", "typing_extensions"}
MORE_THIRD_PARTY = {"testing._replay": {"httpx"}, "_pytest_plugin": {"pytest"}}
ASYNC = {
    *(
        "_drive.ahead",
        "_drive.aio",
        "_drive.reader",
        "_drive.restarts",
        "_drive.source",
        "_drive.live",
        "_drive.look",
        "_drive.waits",
        "_message_stream",
        "_open",
        "_request",
        "_relay",
        "_print",
    ),
    *("testing._http", "testing._record", "testing._replay"),
}

TESTS = Path(__file__).parents[1]
# Every other module has a test file of its name, in a folder of its package's.
WITHOUT_TESTS_OF_THEIR_OWN = {
    "": "loads the names of _public, which this file looks at",
    "_public": "a list of names, which this file looks at",
    "_params": "types only; tests/typing",
    "_sources": "types only; tests/typing",
    "_wire": "a docstring",
    "_steps": "a docstring",
    "_drive": "a docstring",
    "testing": "a list of names, which this file looks at",
}


def name_of(path: Path) -> str:
    """Return the name of a module below the package; the package's own is empty."""
    return ".".join(part for part in path.relative_to(SRC).with_suffix("").parts if part != "__init__")


MODULES = {name_of(path): path for path in sorted(SRC.rglob("*.py"))}


def imports(module: str) -> set[str]:
    """Return the absolute names that a module imports at run time; what only type checkers import is left out."""
    package = PUBLIC if not module else f"{PUBLIC}.{module}"
    if MODULES[module].name != "__init__.py":
        package = package.rpartition(".")[0]
    found: set[str] = set()
    for node in _at_run_time(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            found |= {f"{base}.{alias.name}" if f"{base}.{alias.name}" in ABSOLUTE else base for alias in node.names}
    return found


ABSOLUTE = {f"{PUBLIC}.{module}" for module in ORDER}


def _at_run_time(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        children: list[ast.AST] = list(node.orelse)
    else:
        children = list(ast.iter_child_nodes(node))
    return [node, *(below for child in children for below in _at_run_time(child))]


def test_the_order_has_every_module() -> None:
    """A new module has to be entered, behind all that it imports."""
    assert set(MODULES) == set(ORDER)


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    """A module imports what stands above it, the standard library, and what `anthropic` installs."""
    above = {f"{PUBLIC}.{name}".rstrip(".") for name in ORDER[: ORDER.index(module)]}
    if module.startswith(("testing", "_")) and ORDER.index(module) > ORDER.index(""):
        above = {PUBLIC, *(f"{PUBLIC}.{name}" for name in KIT_MAY_LOOK_INTO)} | {
            name for name in above if name.startswith((f"{PUBLIC}.testing", f"{PUBLIC}._terminal"))
        }
    third_party = THIRD_PARTY | MORE_THIRD_PARTY.get(module, set())
    wrong = {
        name
        for name in imports(module) - above
        if name.partition(".")[0] not in {*sys.stdlib_module_names, *third_party}
    }
    assert wrong == set()


@pytest.mark.parametrize("module", sorted(set(MODULES) - ASYNC))
def test_async_stands_in_the_drivers_alone(module: str) -> None:
    """Behaviour is written once, without `async`."""
    tree = ast.parse(MODULES[module].read_text())
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not [node for node in ast.walk(tree) if isinstance(node, kinds)]


def test_what_is_public_says_where_it_is_imported_from() -> None:
    """Pickles, tracebacks and help() name the package, and survive any move of a module."""
    for package in (claude_stream, claude_stream.testing):
        for name in package.__all__:
            value = getattr(package, name)
            if isinstance(value, type) and not isinstance(value, types.GenericAlias):
                assert value.__module__ == package.__name__, name


@pytest.mark.parametrize("module", [claude_stream, claude_stream.testing], ids=lambda module: module.__name__)
def test_all_is_sorted_and_complete(module: object) -> None:
    """`__all__` is sorted and names every public thing in the module."""
    names = list(module.__all__)
    assert names == sorted(names)
    assert set(names) <= set(vars(module))
    public = {name for name, value in vars(module).items() if not name.startswith("_") and not _is_module(value)}
    assert public - {"TYPE_CHECKING"} == set(names)
    assert set(names) <= set(dir(module))


def _is_module(value: object) -> bool:
    return type(value) is type(sys)


@pytest.mark.process
@pytest.mark.slow
def test_importing_brings_no_transport_and_no_test_tool() -> None:
    """`import claude_stream` loads nothing heavy that `import anthropic` has not loaded."""
    code = (
        "import sys, anthropic; before = set(sys.modules); from claude_stream import iter_text; "
        "print(*(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    foreign = {name for name in loaded if name.partition(".")[0] not in {PUBLIC, *sys.stdlib_module_names}}
    assert foreign == set()
    assert "claude_stream.testing" not in loaded


@pytest.mark.process
def test_the_pytest_plugin_is_light() -> None:
    """Pytest loads it at every start, so it loads neither the SDK nor anything of ours but itself."""
    [plugin] = entry_points(group="pytest11", name="claude_stream")
    code = f"import sys, pytest; before = set(sys.modules); import {plugin.module}; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) <= {PUBLIC, f"{PUBLIC}._message_ids", plugin.module, *sys.stdlib_module_names}


def test_what_is_not_there() -> None:
    """The package loads its names late, and says the usual thing of one that it has not."""
    for name in ("nothing", "_nothing"):
        with pytest.raises(AttributeError, match=f"module 'claude_stream' has no attribute '{name}'"):
            getattr(claude_stream, name)


def test_ci_runs_the_commands_of_the_readme() -> None:
    """What CI checks is what the README tells people to type."""
    root = Path(__file__).parents[2]
    readme, ci = (root / "README.md").read_text(), (root / ".ci" / "run").read_text()
    commands = [
        *re.findall(r"^```sh\n(.*?)\n```", readme, re.MULTILINE),
        *re.findall(r"\| `(\.venv/[^`]*)`", readme),
    ]
    # Other machines, what takes long, what a test runs, and a part of what CI runs whole.
    by_hand = (
        "FOLDER",
        "bin/tox",
        "tests.exits",
        "tests.fuzz",
        "tests.mutants",
        "tests.matrix",
        "tests.sdk_suite",
        "tests.soak",
        "tests.software",
        "tests.watchers",
        "docs/build.py",
        '-m "not',
    )
    named = [command for command in commands if not any(part in command for part in by_hand)]
    assert len(named) == 9
    assert [command for command in named if command not in ci] == []


def file_of(module: str) -> Path:
    """Return where the tests of a module stand: `_wire.sse` has `wire/test_sse.py`."""
    *packages, name = (part.strip("_") for part in module.split("."))
    return TESTS.joinpath(*packages, f"test_{name}.py")


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_test_file(module: str) -> None:
    """Who changes a module knows where its tests are; and a list that is out of date says so."""
    assert file_of(module).is_file() is (module not in WITHOUT_TESTS_OF_THEIR_OWN)


def test_every_test_file_has_its_module() -> None:
    """What is about no single module stands in `whole`."""
    files = {file for file in TESTS.rglob("test_*.py") if "whole" not in file.parts}
    assert files == {file_of(module) for module in set(MODULES) - set(WITHOUT_TESTS_OF_THEIR_OWN)}


@pytest.mark.parametrize("file", sorted(TESTS.rglob("*.py")), ids=lambda file: str(file.relative_to(TESTS)))
def test_nobody_imports_from_a_test_file(file: Path) -> None:
    """What two test files share stands in a module of its own."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module or ''}.{alias.name}" for alias in node.names}
    ours = [name.split(".") for name in names if name.startswith("tests.")]
    assert [name for name in ours if any(part.startswith("test_") for part in name)] == []
