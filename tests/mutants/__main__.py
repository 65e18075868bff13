"""The command: every mutant of the modules that matter most, and what was found.

python -m tests.mutants                                     all modules (hours)
python -m tests.mutants --only src/claude_stream/_wire      those of a folder, or one
python -m tests.mutants --write docs/reliability.md         and the section of that page, with what earlier runs found

What survives and changes nothing is explained in `explained.toml`. A survivor without an explanation fails the command,
and so does an explanation of what does not survive, or of no mutant.
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import os
import sys
import time
from pathlib import Path

from tests.mutants import table
from tests.mutants.make import Mutant, mutants_of
from tests.mutants.run import Module, run
from tests.pages import write

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "claude_stream"
FOUND = ROOT / "build" / "mutants.json"
# What the two drivers share. Their own loops, `sync`, `aio` and `waits`, are left out: a mutant there waits for ever.
SHARED = (
    *("source", "live", "look", "spans", "ahead", "reader", "restarts", "timeouts"),
    *("pipeline", "connection", "misuse"),
)
WHOLE = tuple(f"tests/whole/test_{name}.py" for name in ("short_ways", "stop_reasons", "faults"))

# Where else a module's behaviour is looked at closely: the builder is what these ask, and live streams are watched.
ALSO = {
    "_steps/builder.py": tuple(f"tests/steps/test_{name}.py" for name in ("param", "blocks", "accumulator")),
    "_drive/live.py": ("tests/whole/test_watchers.py",),
}


def paths() -> dict[str, Path]:
    """Return the modules whose mutants are made, by their path below the package."""
    found = [*sorted((PACKAGE / "_wire").glob("*.py")), *sorted((PACKAGE / "_steps").glob("*.py"))]
    found += [PACKAGE / "_step.py", *(PACKAGE / "_drive" / f"{name}.py" for name in SHARED)]
    return {path.relative_to(PACKAGE).as_posix(): path for path in found if path.stem != "__init__"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="Does a test notice each mistake?")
    parser.add_argument("--only", metavar="PATH", type=Path, action="append", help="a module, or a folder of them")
    parser.add_argument("--own", action="store_true", help="run no tests but those in the module's own file")
    parser.add_argument("--again", action="store_true", help="only what survived last time, with tests that are new")
    parser.add_argument("--jobs", type=int, default=1, help="mutants that run at the same time")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the section into this page")
    options = parser.parse_args()
    meant = [path.resolve() for path in options.only or [PACKAGE]]
    chosen = {name: path for each in meant for name, path in paths().items() if path.is_relative_to(each)}
    if not chosen:
        parser.error(f"--only: no mutants are made of that, but of {', '.join(paths())}")
    page = options.write and options.write.resolve()
    os.chdir(ROOT)
    os.environ["CI"] = "1"  # which makes hypothesis try the same examples each time
    import anthropic, anyio, hypothesis, trio  # noqa: F401, E401, I001 - once, for all forks

    modules = {_module(name, path, own=options.own): name for name, path in chosen.items()}
    mutants = {module: mutants_of(module.path.read_text("utf-8")) for module in modules}
    date = dt.datetime.now(dt.timezone.utc).date().isoformat()
    found = {
        name: table.Found(date, table.digest(module.path), len(mutants[module]), options.own)
        for module, name in modules.items()
    }
    if options.again:
        for module, name in modules.items():
            earlier = table.kept(FOUND).get(name)
            if earlier is None or earlier.digest != found[name].digest:
                parser.error(f"--again: {name} was not run as it is now")
            mutants[module] = [each for each in mutants[module] if each.key in earlier.survived]
            found[name].killed, found[name].timeouts = earlier.killed, earlier.timeouts
            found[name].own &= earlier.own
    _run(modules, mutants, found, options.jobs)
    if page is not None:
        write(page, "mutants", table.section(paths(), table.kept(FOUND)))
    failed = False
    for name, each in found.items():
        print(f"{name}: {each.tried} mutants, {len(each.survived)} survive")
        for problem in table.problems(each, table.explanations().get(name, [])):
            print(f"  {problem}")
            failed = True
    return int(failed)


def _module(name: str, path: Path, *, own: bool) -> Module:
    below = Path(name)
    folder = Path("tests", *(part.strip("_") for part in below.parts[:-1]))
    more = ALSO.get(name, ())
    if not own:
        more = (*([folder.as_posix()] if below.parts[:-1] else []), *more, *WHOLE)
    tests = (folder / f"test_{below.stem.strip('_')}.py").as_posix()
    return Module(path, ".".join(("claude_stream", *below.with_suffix("").parts)), tests, more)


def _run(
    modules: dict[Module, str],
    mutants: dict[Module, list[Mutant]],
    found: dict[str, table.Found],
    jobs: int,
) -> None:
    start = time.monotonic()
    done: collections.Counter[str] = collections.Counter()

    def told(module: Module, outcome: str, mutant: Mutant) -> None:
        found[modules[module]].add(outcome, mutant.key)
        done[outcome] += 1
        if outcome == "survived" or done.total() % 100 == 0:
            at = f"{time.monotonic() - start:.0f} s, {done.total()} of {sum(map(len, mutants.values()))}"
            print(f"{at}, {outcome}: {modules[module]} {mutant.key}", file=sys.stderr, flush=True)

    run(mutants, told, jobs=jobs)
    table.keep(FOUND, found)


if __name__ == "__main__":
    sys.exit(main())
