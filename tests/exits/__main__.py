"""The command: all cells, or those that a pattern names; the table; the stress test.

python -m tests.exits                        the whole matrix
python -m tests.exits sync open.text         cells whose name has both words
python -m tests.exits --write docs/exits.md  and its table
python -m tests.exits --reuse                16 threads on 4 connections
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import multiprocessing
import sys
import time
from pathlib import Path

from tests.exits.matrix import Cell, cells
from tests.exits.reuse import reuse
from tests.exits.run import Result, run
from tests.exits.table import page


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.exits", description="How streams end.")
    parser.add_argument(
        "words", nargs="*", help="run only cells whose name has all of these parts, and none of those behind a `!`"
    )
    parser.add_argument("--jobs", type=int, default=6, help="processes; cells wait more than they work")
    parser.add_argument("--list", action="store_true", help="print the names of the cells")
    parser.add_argument(
        "--reuse", action="store_true", help="16 threads on 4 connections, idle and with all cores busy"
    )
    parser.add_argument("--requests", type=int, default=2000, help="how many of them")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the table to this file")
    options = parser.parse_args()
    if options.reuse:
        found = [reuse(options.requests, loaded=loaded) for loaded in (False, True)]
        for name, counts in zip(("idle cores", "busy cores"), found):
            print(f"{name}: {counts}")
        return int(any(counts["failed"] for counts in found))
    chosen = [cell for cell in cells() if _is_meant(cell, options.words)]
    if options.list:
        print(*chosen, sep="\n")
        print(len(chosen))
        return 0
    start = time.monotonic()
    results = run_all(chosen, options.jobs)
    red = [result for result in results if result.problems]
    print(f"{len(results)} cells, {len(red)} red, {time.monotonic() - start:.0f} s")
    if options.write is not None:
        options.write.write_text(page(results), encoding="utf-8")
    for axis in ("way", "transport", "mode", "kind", "moment"):
        print(f"  {axis}:", dict(collections.Counter(getattr(result.cell, axis) for result in red)))
    return bool(red)


def _is_meant(cell: Cell, words: list[str]) -> bool:
    parts = str(cell).split("/")
    return all((word[1:] not in parts) if word[0] == "!" else (word in parts) for word in words)


def run_all(chosen: list[Cell], jobs: int) -> list[Result]:
    """Run cells in several processes, each in its main thread, which alone gets signals."""
    if jobs == 1:
        return [told(run(cell)) for cell in chosen]
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context) as pool:
        running = [pool.submit(run, cell) for cell in chosen]
        for number, each in enumerate(concurrent.futures.as_completed(running), 1):
            told(each.result())
            if number % 1000 == 0:
                print(f"{number} of {len(running)}", file=sys.stderr, flush=True)
    return [each.result() for each in running]


def told(result: Result) -> Result:
    """Print what is wrong with a result as soon as it is known."""
    if result.problems:
        print(f"RED {result.cell}")
        for problem in result.problems:
            print("   ", problem.replace("\n", "\n      "), flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
