"""What `import claude_stream` adds to `import anthropic`, by `python -X importtime`, in child processes."""

from __future__ import annotations

import re
import subprocess
import sys

from .children import compiled
from .measure import Row, row

_LINE = re.compile(r"import time: +\d+ \| +(\d+) \| (anthropic|claude_stream)$", re.MULTILINE)


def import_time(rounds: int) -> list[Row]:
    """Compare the two, with modules that are compiled already."""
    ours: list[float] = []
    theirs: list[float] = []
    with compiled() as environment:
        for number in range(rounds + 1):
            command = [sys.executable, "-X", "importtime", "-c", "import anthropic; import claude_stream"]
            log = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr
            took = {name: int(microseconds) / 1e3 for microseconds, name in _LINE.findall(log)}
            if number:  # the first one compiled them
                ours.append(took["claude_stream"])
                theirs.append(took["anthropic"])
    name = "import claude_stream after import anthropic, against that"
    return [row("Import", name, "ms", ours, theirs, target=0.05)]
