"""Environments for other Pythons and other SDKs: made, filled, and run in.

The law: nothing that is downloaded or installed goes into this project's tree. A `Python` is a command, and may have a
prefix, such as ``chroot FOLDER``. What the prefix leads to sees the project and the environment under the same paths
as we do, and its environment is made from nothing each time.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[1]

TIMEOUT = 3600.0
"""Seconds that one command may take."""

_IN_PROJECT = ["sh", "-c", 'cd "$0" && exec "$@"', str(PROJECT)]
_VERSIONS = """
import importlib.metadata, json, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


INSTALLING = 600.0
"""Seconds that pip may take for one download or installation."""


def cache(name: str) -> Path:
    """Return the folder for what a command downloads and installs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "claude-stream" / name


def make_venv(folder: Path) -> Path:
    """Return the Python of a virtual environment, made there if there is none."""
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    return python


def install(python: Path, *what: str) -> None:
    """Install packages for a Python: with uv where it is present, which is quicker, or else with pip."""
    uv = shutil.which("uv")
    command = [uv, "pip", "install", f"--python={python}"] if uv else [python, "-m", "pip", "install"]
    run_pip([*command, "--quiet", *what])


class UnreachableError(Exception):
    """Pip could not get something: the package index did not answer, or does not have it."""


def run_pip(command: Sequence[object]) -> None:
    """Run a command of pip's or uv's.

    Raises:
        UnreachableError: if it fails.
    """
    said = " ".join(map(str, command))
    try:
        ran = subprocess.run(
            [str(part) for part in command], check=False, capture_output=True, text=True, timeout=INSTALLING
        )
    except subprocess.TimeoutExpired:
        raise UnreachableError(f"no answer in {INSTALLING:g} s: {said}") from None
    if ran.returncode:
        raise UnreachableError(f"{said}:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")


@dataclasses.dataclass(frozen=True)
class Python:
    """A Python, by the command that starts it."""

    prefix: tuple[str, ...]
    executable: str

    @classmethod
    def of(cls, command: str) -> Python:
        """Return the Python of a command line, whose last word is the executable."""
        *prefix, executable = shlex.split(command)
        return cls(tuple(prefix), executable)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it in the project's folder, and keep what it prints.

        Raises:
            RuntimeError: if it takes too long.
        """
        command = [*self.prefix, *_IN_PROJECT, self.executable, *arguments]
        try:
            return subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT)
        except subprocess.TimeoutExpired as exc:
            raise RuntimeError(f"no end in {TIMEOUT:g} s: {exc.stdout!r:.3000}") from None

    def checked(self, *arguments: str) -> str:
        """Run it, and return what it prints.

        Raises:
            RuntimeError: if it fails.
        """
        ran = self.run(*arguments)
        if ran.returncode:
            raise RuntimeError(f"{self} {shlex.join(arguments)}: {(ran.stdout + ran.stderr)[-3000:]}")
        return ran.stdout

    def versions(self, *packages: str) -> dict[str, str]:
        """Return the versions of Python and of those packages that are installed for it."""
        found: dict[str, str] = json.loads(self.checked("-c", _VERSIONS, *packages))
        return found

    def environment(self, folder: Path) -> Python:
        """Return the Python of a new virtual environment in a folder."""
        shutil.rmtree(folder, ignore_errors=True)
        self.checked("-m", "venv", str(folder))
        return dataclasses.replace(self, executable=str(folder / "bin" / "python"))

    def install(self, *what: str) -> None:
        """Install packages: with uv where it is present and can reach this Python, or else with pip.

        Raises:
            RuntimeError: if there is no way to install them together.
        """
        if self.prefix:
            self.checked("-m", "pip", "install", "--quiet", "--root-user-action=ignore", *what)
            return
        try:
            install(Path(self.executable), *what)
        except UnreachableError as exc:
            raise RuntimeError(str(exc)) from exc

    def __str__(self) -> str:
        return shlex.join([*self.prefix, self.executable])


HERE = Python((), sys.executable)
"""The Python that runs this."""


def on_the_path(names: Sequence[str]) -> dict[str, Python]:
    """Return those Pythons that the path has and that start: some tools leave names there that lead nowhere."""
    found = {name: Python((), executable) for name in names if (executable := shutil.which(name))}
    return {name: python for name, python in found.items() if python.run("--version").returncode == 0}
