"""The command: all targets, or some; the section of the page; coverage-guided, by atheris.

python -m tests.fuzz                                 all targets, 200 000 examples each
python -m tests.fuzz --jobs 2                        two targets at a time, each in a process of its own
python -m tests.fuzz from_sse collect --seed 7       some of them, with other dice
python -m tests.fuzz collect --start 12345 --examples 1    one example again
python -m tests.fuzz --recordings FOLDER             recorded bodies are seeds, too
python -m tests.fuzz --write docs/reliability.md     and the section of the page
"""

from __future__ import annotations

import argparse
import functools
import shlex
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.fuzz.page import section
from tests.fuzz.run import TARGETS, Result, run
from tests.fuzz.seeds import streams
from tests.pages import write

EXAMPLES = 200_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Streams that nobody would write.")
    parser.add_argument("names", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)}; all, if none is named")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help=f"of each target; {EXAMPLES} if not given")
    parser.add_argument("--seed", type=int, default=1, help="what the dice begin with; 1 if not given")
    parser.add_argument("--start", type=int, default=0, help="the number of the first example")
    parser.add_argument("--jobs", type=int, default=1, help="how many targets run at the same time; 1 if not given")
    parser.add_argument("--recordings", metavar="FOLDER", type=Path, help="recorded bodies (*.sse), as seeds besides")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the section into this page")
    options = parser.parse_args()
    if unknown := set(options.names) - TARGETS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    built, seeds = len(streams()), streams(options.recordings)
    one = functools.partial(run, seeds=seeds, seed=options.seed, examples=options.examples, start=options.start)
    results = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for result in pool.map(one, options.names or TARGETS):
            results.append(result)
            tell(result)
    if options.write is not None:
        # Where the recordings lie on this machine is nobody's business.
        words = ["FOLDER" if word == str(options.recordings) else word for word in sys.argv[1:]]
        counts = {"seed": options.seed, "seeds": len(seeds), "recordings": len(seeds) - built}
        command = shlex.join(["python", "-m", "tests.fuzz", *words])
        write(options.write, "fuzz", section(results, **counts, command=command))
    return int(any(result.failures for result in results))


def tell(result: Result) -> None:
    """Print what came of a target."""
    print(f"{result.name}: {result.examples} examples, {result.seconds:.0f} s, {len(result.failures)} failures")
    for failure in result.failures:
        print("RED", failure, flush=True)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
