"""Measurements that need a process of their own: for its memory, its imports, or its CPU.

The law: a child imports what it needs, does one thing, and prints one figure.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def start(module: str, *args: object, **options: object) -> subprocess.Popen[str]:
    """Start a module of this package as a process."""
    command = [sys.executable, "-m", f"{__package__}.{module}", *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload]


def figures(module: str, jobs: Sequence[Sequence[object]]) -> list[float]:
    """Run a module once for each job, all at the same time, and return the figures that they print.

    Raises:
        AssertionError: if one fails.
    """
    children = [start(module, *job) for job in jobs]
    printed = [child.communicate()[0] for child in children]
    for job, child in zip(jobs, children, strict=True):
        if child.returncode:
            raise AssertionError(f"{module} {' '.join(map(str, job))}: exit status {child.returncode}")
    return [float(output) for output in printed]


@contextlib.contextmanager
def compiled() -> Iterator[Mapping[str, str]]:
    """Give an environment in which modules are compiled once and for all, as they are for users."""
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        if environment.pop("PYTHONDONTWRITEBYTECODE", None):
            environment["PYTHONPYCACHEPREFIX"] = folder
        yield environment
