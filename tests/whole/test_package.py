"""The package, as users get it: built, looked into, installed where nothing else is, run there, and type-checked."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.matrix import PYTHONS

pytestmark = [
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("build") is None, reason="the extra `dev` is not installed"),
]

ROOT = Path(__file__).parents[2]
VERSIONS = [name.removeprefix("python") for name in PYTHONS]
OLDEST = VERSIONS[0]

# What uses the library from outside, with one mistake: if types were not seen, it would pass.
PROGRAM = """
from collections.abc import AsyncIterator, Iterator

import anthropic
from anthropic.types import Message
from claude_stream import AsyncReader, Reader, Usage, collect, iter_text, open_stream
from claude_stream.testing import Recording, message_events, replay_client

def ask(client: anthropic.Anthropic) -> str:
    with open_stream(client, model="m", max_tokens=1, messages=[]) as stream:
        text: Iterator[str] = stream.text_stream
        usage: Usage | None = stream.usage
    return "".join(text) + str(usage)

def read(client: anthropic.Anthropic, aclient: anthropic.AsyncAnthropic) -> Message:
    sync: Reader[str] = iter_text(client.messages.create(model="m", max_tokens=1, messages=[], stream=True))
    request = aclient.messages.create(model="m", max_tokens=1, messages=[], stream=True)
    asynchronous: AsyncReader[str] = iter_text(request)
    chunks: AsyncIterator[str] = asynchronous
    print(sync, chunks)
    return collect(message_events("Hello"))

client: anthropic.Anthropic = replay_client(Recording.from_events(message_events("Hello")))
wrong: int = iter_text(message_events("Hello")).text
"""
MISTAKE = len(PROGRAM.splitlines())  # the last line


class Archives(NamedTuple):
    """What `python -m build` makes."""

    sdist: Path
    wheel: Path

    def in_sdist(self) -> set[str]:
        """Return the files in the sdist, below its one folder."""
        with tarfile.open(self.sdist) as archive:
            return {name.partition("/")[2] for name in archive.getnames()}

    def in_wheel(self) -> set[str]:
        """Return the files in the wheel."""
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())


def run(folder: Path, *command: str | Path, fails: bool = False) -> str:
    """Run a command outside of the checkout, without what this run of pytest hands down, and return what it prints."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV", "PYTHON"))}
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=outside,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) is fails, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    """Return the archives. The wheel is built from the sdist, which so is shown to hold all that it takes."""
    out = tmp_path_factory.mktemp("dist")
    run(out, sys.executable, "-m", "build", "--outdir", out, ROOT)
    [sdist], [wheel] = out.glob("*.tar.gz"), out.glob("*.whl")
    return Archives(sdist, wheel)


@pytest.fixture(scope="module")
def metadata(built: Archives) -> Message:
    with zipfile.ZipFile(built.wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


def test_the_wheel_holds_the_library_and_nothing_else(built: Archives) -> None:
    """All modules, the marker for type checkers, the recording to play, the licence: no tests, no docs, no caches."""
    source = ROOT / "src"
    library = {
        str(file.relative_to(source)) for file in source.rglob("*") if file.suffix in (".py", ".jsonl", ".typed")
    }
    assert {"claude_stream/py.typed", "claude_stream/testing/demo.jsonl", "claude_stream/__main__.py"} <= library
    rest = built.in_wheel() - library
    assert library - built.in_wheel() == set()
    assert {name.partition(".dist-info/")[2] for name in rest} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="only git knows what belongs to the project")
def test_the_sdist_holds_what_a_packager_needs(built: Archives) -> None:
    """Tests, docs, licence and changelog, so that the tests can run from it; and nothing that git ignores."""
    listed = run(ROOT, "git", "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    names = built.in_sdist()
    assert {name for name in listed if not name.startswith(".ci/")} - names == set()
    assert [name for name in names if name.startswith((".venv", "build", "dist")) or "__pycache__" in name] == []


def test_the_metadata(built: Archives, metadata: Message) -> None:
    """An index takes it, shows the README, and knows the licence and every Python that the tests run on."""
    run(built.wheel.parent, sys.executable, "-m", "twine", "check", "--strict", built.sdist, built.wheel)
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata["Requires-Python"] == f">={OLDEST}"
    classifiers = metadata.get_all("Classifier", [])
    assert "Typing :: Typed" in classifiers
    versions = [
        name.rpartition(" ")[2] for name in classifiers if name.startswith("Programming Language :: Python :: 3.")
    ]
    assert versions == VERSIONS
    required = [name for name in metadata.get_all("Requires-Dist", []) if "extra ==" not in name]
    names = [name for requirement in required for name in re.findall(r"^[\w-]+", requirement)]
    assert sorted(names) == ["anthropic", "anyio", "jiter", "pydantic", "pydantic-core", "typing-extensions"]


@pytest.fixture(scope="module", params=["oldest", "newest"])
def installed(request: pytest.FixtureRequest, built: Archives, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment that has the wheel, and what it requires, and no more.

    It is the oldest Python that is supported, or the newest of them that is on the path.
    """
    folder = tmp_path_factory.mktemp(request.param)
    virtualenv = [sys.executable, "-m", "virtualenv", "-q", str(folder / "env"), "-p"]
    for version in [OLDEST] if request.param == "oldest" else reversed(VERSIONS):
        if subprocess.run([*virtualenv, version], cwd=folder, capture_output=True, check=False).returncode == 0:
            break
    else:
        pytest.skip(f"there is no Python {OLDEST} on the path")
    python = folder / "env" / "bin" / "python"
    run(folder, python, "-m", "pip", "install", "-q", "--no-compile", built.wheel)
    return python


def test_it_runs_where_nothing_else_is(installed: Path) -> None:
    """Its requirements agree, it is not the checkout, and it plays its recording, by both of its names."""
    folder = installed.parents[2]
    run(folder, installed, "-m", "pip", "check")
    assert str(folder) in run(folder, installed, "-c", "import claude_stream.testing as it; print(it.__file__)")
    for command in ([installed, "-m", "claude_stream"], [installed.with_name("claude-stream")]):
        assert "stop reason" in run(folder, *command, "--speed", "0")


@pytest.mark.parametrize("installed", ["oldest"], indirect=True)
def test_mypy_sees_its_types(installed: Path) -> None:
    """A program that imports the installed package is checked strictly: its one mistake is found, and no other."""
    (installed.parents[2] / "program.py").write_text(PROGRAM)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", installed, "program.py"]
    found = run(installed.parents[2], *mypy, fails=True)
    assert f"program.py:{MISTAKE}: error: Incompatible types in assignment" in found
    assert "Found 1 error in 1 file" in found


@pytest.mark.parametrize("installed", ["newest"], indirect=True)
def test_pyright_sees_its_types(installed: Path) -> None:
    """The same."""
    (installed.parents[2] / "program.py").write_text(PROGRAM)
    (installed.parents[2] / "pyrightconfig.json").write_text(
        '{"typeCheckingMode": "strict", "include": ["program.py"]}'
    )
    found = run(installed.parents[2], sys.executable, "-m", "pyright", "--pythonpath", installed, fails=True)
    assert f"program.py:{MISTAKE}:" in found
    assert "1 error, 0 warnings" in found
