"""The architecture, held as data: who may import whom, where `async` may stand, and what is public."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import claude_stream
import claude_stream.testing

SRC = Path(claude_stream.__file__).parent
PUBLIC = "claude_stream"

# module -> the modules of ours that it may import. docs/explanation.md argues where it differs from the first design.
MAY_IMPORT: dict[str, set[str]] = {
    "_step": set(),
    "_json": set(),
    "_errors": {"_json"},
    "_fast": {"_json"},
    "_events": {"_errors", "_fast", "_json"},
    "_sse": {"_errors", "_json", "_step"},
    "_usage": {"_json"},
    "_guard": {"_step", "_events", "_errors", "_fast", "_json"},
    "_merge": {"_errors", "_json"},
    "_message": {"_step", "_events", "_errors", "_fast", "_json", "_usage", "_guard", "_merge"},
    "_text": {"_step", "_events", "_message"},
    "_blocks": {"_step", "_errors", "_json", "_message"},
    "_tap": {"_step", "_events"},
    "_source": {"_json"},
    "_patience": {"_errors", "_guard", "_source"},
    "_timing": {"_events", "_json", "_step"},
    "_drive": {"_step", "_events", "_errors", "_json", "_message", "_patience", "_source", "_sse"},
    "_resilience": {"_drive", "_errors", "_guard", "_message", "_patience"},
    "_api": {"_blocks", "_drive", "_sse", "_tap", "_text"},
    "_helper": {"_events", "_fast", "_message"},
    "_message_stream": {"_blocks", "_drive", "_errors", "_helper", "_step", "_text", "_timing", "_usage"},
    "_params": set(),
    "_client": {
        "_drive",
        "_events",
        "_json",
        "_message",
        "_message_stream",
        "_patience",
        "_resilience",
        "_source",
        "_sse",
        "_timing",
    },
    "_public": {
        *("_api", "_blocks", "_client", "_errors", "_events", "_message", "_message_stream"),
        *("_resilience", "_timing", "_usage"),
    },
    "__init__": {"", "_public"},
    "testing/_build": set(),
    "testing/_format": set(),
    "testing/_http": set(),
    "testing/_recording": {PUBLIC, f"{PUBLIC}._sse", "_format"},
    "testing/_replay": {PUBLIC, "httpx", "_http", "_recording"},
    "testing/_record": {*(f"{PUBLIC}{name}" for name in ("", "._drive", "._json", "._step")), "_format", "_http"},
    "testing/_clients": {"_http", "_recording", "_replay"},
    "testing/__init__": {"_build", "_clients", "_record", "_recording", "_replay"},
    "_pytest_plugin": {"pytest", "testing"},
    "__main__": {PUBLIC, f"{PUBLIC}.testing"},
}
# What `anthropic` installs, and pyproject.toml declares.
THIRD_PARTY = {"anthropic", "anyio", "jiter", "pydantic", "typing_extensions"}
ASYNC = {
    *("_client", "_drive", "_message_stream", "_resilience"),
    *("testing/_http", "testing/_record", "testing/_replay"),
}

MODULES = {str(path.relative_to(SRC).with_suffix("")): path for path in sorted(SRC.rglob("*.py"))}


def imports(path: Path) -> set[str]:
    """Return what a module imports at run time; what it imports for type checkers alone is left out."""
    found: set[str] = set()
    for node in _at_run_time(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def _at_run_time(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        children: list[ast.AST] = list(node.orelse)
    else:
        children = list(ast.iter_child_nodes(node))
    return [node, *(below for child in children for below in _at_run_time(child))]


def test_the_table_has_every_module() -> None:
    """A new module has to be entered, with what it may import."""
    assert set(MODULES) == set(MAY_IMPORT)


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    """A module imports what the table allows, the standard library, and what `anthropic` installs."""
    others = {name for name in imports(MODULES[module]) if name.partition(".")[0] not in sys.stdlib_module_names}
    third_party = {name for name in others if name.partition(".")[0] in THIRD_PARTY}
    assert others - third_party <= MAY_IMPORT[module]


def test_the_table_has_no_cycle() -> None:
    """Read from the top, the table never goes back up."""
    done: set[str] = set()
    for module, allowed in MAY_IMPORT.items():
        folder = f"{module.rpartition('/')[0]}/".lstrip("/")
        for name in allowed - {"", "pytest", "httpx"}:
            absolute = name.removeprefix(f"{PUBLIC}.") if name.startswith(f"{PUBLIC}.") else f"{folder}{name}"
            absolute = {f"{folder}{PUBLIC}": "__init__", "testing": "testing/__init__"}.get(absolute, absolute)
            assert absolute in done, f"{module} imports {name}"
        done.add(module)


@pytest.mark.parametrize("module", sorted(set(MODULES) - ASYNC))
def test_async_stands_in_the_drivers_alone(module: str) -> None:
    """Behaviour is written once, without `async`."""
    tree = ast.parse(MODULES[module].read_text())
    kinds = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not [node for node in ast.walk(tree) if isinstance(node, kinds)]


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


def test_the_pytest_plugin_is_light() -> None:
    """Pytest loads it at every start, so it loads neither the SDK nor anything of ours but itself."""
    [plugin] = entry_points(group="pytest11", name="claude_stream")
    code = f"import sys, pytest; before = set(sys.modules); import {plugin.module}; print(*(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) <= {PUBLIC, plugin.module, *sys.stdlib_module_names}


def test_what_is_not_there() -> None:
    """The package loads its names late, and says the usual thing of one that it has not."""
    for name in ("nothing", "_nothing"):
        with pytest.raises(AttributeError, match=f"module 'claude_stream' has no attribute '{name}'"):
            getattr(claude_stream, name)


def test_ci_runs_the_commands_of_the_readme() -> None:
    """What CI checks is what the README tells people to type."""
    root = Path(__file__).parent.parent
    readme, ci = (root / "README.md").read_text(), (root / ".ci" / "run").read_text()
    commands = [
        *re.findall(r"^```sh\n(.*?)\n```", readme, re.MULTILINE),
        *re.findall(r"\| `(\.venv/[^`]*)`", readme),
    ]
    named = [command for command in commands if "FOLDER" not in command and "tox" not in command]
    assert len(named) == 8
    assert [command for command in named if command not in ci] == []
