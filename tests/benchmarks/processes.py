"""Ratios that are near to their targets, in processes of their own: the median of several.

The law: the same code is some hundredths faster or slower from process to process, so one process says little about a
ratio that is within some hundredths of its target.
"""

from __future__ import annotations

import sys

from .bodies import text_body
from .children import figures
from .measure import Case, Contest, Row, row
from .readers import SYNC

EVENTS = 10_000
GROUP = "Text, 10 000 events, sync, each in a process of its own"
CASES = {
    "iter_text": Case("iter_text(create()); against bare iteration", "iter_text", "raw", "at most", 1.12),
    "floor": Case("open_stream; against the floor (split, jiter)", "ours", "floor", "at most", 3.5),
}


def in_processes(count: int) -> list[Row]:
    """Hold each contest in so many processes, one after the other."""
    return [_row(name, case, count) for name, case in CASES.items()]


def _row(name: str, case: Case, count: int) -> Row:
    ratios = [figure for _ in range(count) for figure in figures("processes", [(name,)])]
    said = f"{case.name}, median of {count} processes"
    return row(GROUP, said, "x", ratios, [1.0] * count, case.relation, case.target)


def ratio(name: str) -> float:
    """Return the ratio of a case in this process."""
    body = text_body(EVENTS - text_body(0).events)
    case = CASES[name]
    sides = {side: (SYNC[side], body) for side in (case.ours, case.theirs)}
    [found] = Contest(name, sides, [case], seconds=3)()
    assert found.ratio is not None
    return found.ratio


if __name__ == "__main__":
    print(ratio(sys.argv[1]))
