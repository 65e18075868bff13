"""What came of the mutants, and the section of a page that says so.

The law: a survivor has an explanation or is listed as one that has none, and an explanation is of a survivor. What was
not run, or has changed since, says so.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tomllib

from tests.mutants.run import MORE_SECONDS, OWN_SECONDS

EXPLAINED = Path(__file__).with_name("explained.toml")

_HEAD = """\
## Mutants

A mutant is the code with one mistake put in: `<` for `<=`, an argument left out, a condition turned round. A test has
to fail for each. `python -m tests.mutants --write docs/reliability.md` makes them for all of `_wire/` and `_steps/`,
and for what the drivers share, and runs the tests that run the changed line and need no socket, process or second:
those in the module's own file, the quickest first, as many as take {own:g} s, then as many of its folder and of
`tests/whole/` as take {more:g} s; with `--own`, none of these, as the table says. The drivers' own loops are left out,
because a mistake there waits for ever.

**{mutants} mutants: {killed} killed by a failing test, {timeouts} by a test that took too long, {explained} live and
are explained below, {unexplained} live without an explanation.**{missing}

Found while tests were written for those that lived, and mended:

{mended}

| module | run on | by the tests of | mutants | killed | too long | explained | not explained |
|---|---|---|---|---|---|---|---|
"""

_MENDED = {
    "`with_restarts` over readers of ours: its second attempt did not feed the message of the first": (
        "tests/drive/test_pipeline.py"
    ),
    "null in a delta erased a string that deltas had brought, where the block came without that field": (
        "tests/steps/test_block.py"
    ),
}
"""What was wrong, and the tests for it."""


@dataclasses.dataclass
class Found:
    """What came of the mutants of one module: how many, and the keys of those that survived.

    Args:
        date: of the run.
        digest: of the module's source, as it was run.
        made: how many mutants there are.
        own: whether only the tests in the module's own file were run.
        survived: the keys of the mutants that no test noticed.
    """

    date: str
    digest: str
    made: int
    own: bool
    killed: int = 0
    timeouts: int = 0
    survived: list[str] = dataclasses.field(default_factory=list)

    def add(self, outcome: str, key: str) -> None:
        """Count what came of a mutant."""
        if outcome == "survived":
            self.survived.append(key)
        elif outcome == "invalid":
            self.made -= 1
        else:
            setattr(self, outcome, getattr(self, outcome) + 1)

    @property
    def tried(self) -> int:
        """How many were run."""
        return self.killed + self.timeouts + len(self.survived)


def digest(path: Path) -> str:
    """Return what tells a source from another."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def explanations() -> dict[str, list[dict[str, Any]]]:
    """Return the explanations for each module: a reason, and the mutants that it is for."""
    return tomllib.loads(EXPLAINED.read_text("utf-8"))


def problems(found: Found, explained: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what is wrong: survivors without an explanation, and explanations without a survivor."""
    known = {key for each in explained for key in each["mutants"]}
    for key in found.survived:
        if key not in known:
            yield f"SURVIVES {key}"
    for key in sorted(known.difference(found.survived)):
        yield f"EXPLAINED, and does not survive, or is no mutant: {key}"


def kept(file: Path) -> dict[str, Found]:
    """Return what earlier runs found, by module."""
    return {name: Found(**each) for name, each in json.loads(file.read_text("utf-8")).items()} if file.exists() else {}


def keep(file: Path, found: dict[str, Found]) -> None:
    """Keep what a run has found, beside what others found in other modules."""
    file.parent.mkdir(exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _replace(file, kept(file) | found)


def _replace(file: Path, found: dict[str, Found]) -> None:
    written = file.with_suffix(f".{os.getpid()}")
    written.write_text(json.dumps({name: dataclasses.asdict(each) for name, each in found.items()}, indent=1), "utf-8")
    written.replace(file)


def section(modules: dict[str, Path], found: dict[str, Found]) -> str:
    """Return the section: what was found in each module, and what lives in it."""
    explained = explanations()
    rows, lives, total = [], [], [0, 0, 0, 0, 0]
    missing = [f"`{name}`" for name in modules if name not in found]
    missing += [f"{left} in `{name}`" for name, each in found.items() if (left := each.made - each.tried)]
    for name, path in modules.items():
        if (each := found.get(name)) is None:
            continue
        unexplained = [line.partition(" ")[2] for line in problems(each, explained.get(name, [])) if line[0] == "S"]
        counts = [each.tried, each.killed, each.timeouts, len(each.survived) - len(unexplained), len(unexplained)]
        total = [sum(pair) for pair in zip(total, counts)]
        date = each.date if each.digest == digest(path) else f"{each.date}, and has changed since"
        by = "its own file" if each.own else "these and others"
        rows.append(f"| `{name}` | {date} | {by} | " + " | ".join(map(str, counts)) + " |")
        if each.survived:
            lives.append(f"### {name}\n\n" + "\n".join(_lives(each, explained.get(name, []), unexplained)) + "\n")
    names = ("mutants", "killed", "timeouts", "explained", "unexplained")
    head = _HEAD.format(
        **dict(zip(names, total)),
        own=OWN_SECONDS,
        more=MORE_SECONDS,
        mended="\n".join(f"- {what} ({where});" for what, where in _MENDED.items()),
        missing=f" Not run: {', '.join(missing)}." if missing else "",
    )
    return head + "\n".join([*rows, "", *lives])


def _lives(found: Found, explained: list[dict[str, Any]], unexplained: list[str]) -> Iterator[str]:
    for each in explained:
        if keys := [key for key in each["mutants"] if key in found.survived]:
            yield f"- {each['why']}"
            yield from (f"    - {_shown(key)}" for key in keys)
    if unexplained:
        yield "- Not explained, and no test notices:"
        yield from (f"    - {_shown(key)}" for key in unexplained)


def _shown(key: str) -> str:
    return f"`` {key} ``"
