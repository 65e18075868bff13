"""The command: streams over faulty connections for an hour, or as long as it is told.

python -m tests.soak                              an hour
python -m tests.soak --minutes 2                  two minutes
python -m tests.soak --seed 7                     the same cases again
python -m tests.soak --write docs/reliability.md  and the section of the page
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

from tests.pages import write
from tests.soak.page import section
from tests.soak.rounds import keep_one_heap, soak


def main() -> int:
    """Run it, and return 1 if anything was not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="Streams over faulty connections.")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long; an hour, if nothing is said")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of all chances")
    parser.add_argument("--size", type=int, default=200, help="streams in a round")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the section into this page")
    options = parser.parse_args()
    keep_one_heap()
    command = f"python -m tests.soak --minutes {options.minutes:g} --seed {options.seed}"
    print(f"{command}: {options.minutes:g} minutes", flush=True)
    report = soak(
        options.seed, seconds=60 * options.minutes, size=options.size, say=lambda what: print(what, flush=True)
    )
    print(f"{report.streams} streams, {len(report.problems)} problems, seed {report.seed}")
    if options.write is not None:
        write(options.write, "soak", section(report, command))
    return bool(report.problems)


if __name__ == "__main__":
    sys.exit(main())
