"""The command: an environment for each package, the scenarios in it, and the table.

python -m tests.watchers                                all packages
python -m tests.watchers opik sentry                    some of them
python -m tests.watchers --write docs/compatibility.md  and the section of the page
python -m tests.watchers --environments FOLDER          keeps the environments, and uses those that are there
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.environments import PROJECT, UnreachableError, install, make_venv
from tests.pages import write
from tests.watchers.packages import PACKAGES
from tests.watchers.scenarios import Record, Result
from tests.watchers.table import Outcome, section
from tests.watchers.verdict import surprises

_PATIENCE = 900
"""Seconds for a run: far more than one needs."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.watchers", description="Who watches a call.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"packages: {', '.join(PACKAGES)}")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the section into this page")
    parser.add_argument("--environments", metavar="FOLDER", type=Path, help="where the environments stay")
    options = parser.parse_args()
    if unknown := set(options.names) - PACKAGES.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(PACKAGES)}")
    with tempfile.TemporaryDirectory() as folder:
        environments = options.environments or Path(folder)
        outcomes = [_outcome(name, environments.resolve() / name) for name in options.names or PACKAGES]
    if options.write is not None:
        write(options.write, "watchers", section(outcomes))
    return int(max([_tell(outcome) for outcome in outcomes]))


def _outcome(name: str, environment: Path) -> Outcome:
    print(f"{name} ...", file=sys.stderr, flush=True)
    try:
        python = make_venv(environment)
        install(python, *PACKAGES[name].requirements, "anthropic", f"--editable={PROJECT}")
        return run(name, str(python))
    except (UnreachableError, subprocess.SubprocessError) as exc:
        said = (getattr(exc, "stderr", "") or str(exc)).strip().splitlines()
        return Outcome(name, {}, [], failure=f"could not be run: {said[-1]:.200}")


def run(name: str, python: str, *ways: str) -> Outcome:
    """Run the scenarios of a package in the environment that it is installed in, in all ways or some.

    Raises:
        subprocess.SubprocessError: if that does not come to its end.
    """
    printed = _call([python, "-m", "tests.watchers.child", name, *ways])
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    results = [
        Result(**{**each, "records": [Record(**record) for record in each["records"]]}) for each in found["results"]
    ]
    return Outcome(name, found["versions"], results)


def _call(command: list[str]) -> str:
    done = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True, timeout=_PATIENCE)
    return done.stdout


def _tell(outcome: Outcome) -> bool:
    """Print what is not as it is known to be, and return whether there is any."""
    found = [outcome.failure] if outcome.failure else surprises(outcome.results, PACKAGES[outcome.name])
    print(f"{outcome.name}: {', '.join(f'{name} {version}' for name, version in outcome.versions.items())}")
    for each in found:
        print(f"  RED {each}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
