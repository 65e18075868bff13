"""`python -m tests.benchmarks`: this library and the installed SDK side by side, as a table of ratios.

The law: the run ends with status 1 if two sides did not do equal work; in the quick form also if a ratio is not half
as good as its target, and it names the case. It never fails over a time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from .cases import full, quick
from .clients import SDK_TRACES
from .measure import Row
from .picture import picture
from .report import markdown, report, rows_of, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="only what has a target; fail if half of one is missed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file")
    parser.add_argument("--markdown", type=Path, metavar="JSON", help="measure nothing: make a page of such a file")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="where to write the page, and beside it its picture, if not to the output",
    )
    options = parser.parse_args()
    if options.markdown:
        found = json.loads(options.markdown.read_text())
        if options.write:
            beside = options.write.with_suffix(".svg")
            beside.write_text(picture(rows_of(found)))
            options.write.write_text(markdown(found, beside.name))
        else:
            print(markdown(found), end="")
        return 0
    start = time.monotonic()
    rows = measure(short=options.quick)
    seconds = time.monotonic() - start
    if options.json:
        found = report(rows, quick=options.quick, seconds=seconds)
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    targets = [row for row in rows if row.met is not None]
    print(f"{sum(row.met is True for row in targets)} of {len(targets)} targets met; {seconds:.0f} seconds")
    missed = [row for row in rows if row.half_met is False] if options.quick else []
    for row in missed:
        print(f"not half as good as its target: {row.group}: {row.case}", file=sys.stderr)
    return 1 if missed else 0


def measure(*, short: bool) -> list[Row]:
    """Run what the form has, printing the table as it grows."""
    rows: list[Row] = []
    for measurement in quick() if short else full():
        found = measurement()
        print(*table(found), sep="\n", flush=True)
        rows += found
    if not SDK_TRACES:
        print("The installed SDK traces nothing: its traced calls are not measured.\n")
    return rows


if __name__ == "__main__":
    sys.exit(main())
