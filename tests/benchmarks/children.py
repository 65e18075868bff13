"""Measurements that need a process of their own: for its memory, its pauses, or its CPU.

The law: a child imports what it needs, does one thing, and prints one figure.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def start(module: str, *args: object, stdin: int | None = None) -> subprocess.Popen[str]:
    """Start a module of this package as a process."""
    command = [sys.executable, "-m", f"{__package__}.{module}", *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, stdin=stdin, stdout=subprocess.PIPE, text=True)


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
