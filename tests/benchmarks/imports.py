"""What importing `claude_stream` adds to `import anthropic`, by `python -X importtime`, in child processes.

The law: all that is loaded before a name of the package can be used counts, whether `import` loads it or the first use.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping

from .measure import Row, row

_CODE = "import anthropic; from claude_stream import open_stream"
_OUTERMOST = re.compile(r"^import time: +\d+ \| +(\d+) \| (\S+)$", re.MULTILINE)  # deeper ones are indented


def import_time(rounds: int) -> list[Row]:
    """Compare the two, with modules that are compiled already."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    took = [_once(environment) for _ in range(rounds + 1)][1:]  # the first one may have to compile them
    name = "from claude_stream import open_stream, after import anthropic; against that"
    return [row("Import", name, "ms", [ours for ours, _ in took], [theirs for _, theirs in took], target=0.05)]


def _once(environment: Mapping[str, str]) -> tuple[float, float]:
    """Return how many milliseconds this library takes, and the SDK before it."""
    command = [sys.executable, "-X", "importtime", "-c", _CODE]
    log = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr
    imports = [(name, int(microseconds) / 1e3) for microseconds, name in _OUTERMOST.findall(log)]
    position = [name for name, _ in imports].index("anthropic")
    return sum(milliseconds for _, milliseconds in imports[position + 1 :]), imports[position][1]
