"""What `iter_text` adds to the SDK's typed stream, in processes of their own: the median of several.

The law: the same code is some hundredths faster or slower from process to process, so one process says little about a
ratio that is near to one.
"""

from __future__ import annotations

from .bodies import text_body
from .children import figures
from .measure import Case, Contest, Row, row
from .readers import SYNC

EVENTS = 10_000
TARGET = 1.12


def typed_text(processes: int) -> list[Row]:
    """Compare the two in so many processes, one after the other."""
    ratios = [figure for _ in range(processes) for figure in figures("typed", [()])]
    case = f"iter_text(create()); against bare iteration, median of {processes} processes"
    group = "Text, 10 000 events, sync, each in a process of its own"
    return [row(group, case, "x", ratios, [1.0] * processes, target=TARGET)]


def ratio() -> float:
    """Return the ratio in this process."""
    body = text_body(EVENTS - text_body(0).events)
    sides = {name: (SYNC[name], body) for name in ("raw", "iter_text")}
    [found] = Contest("typed", sides, [Case("typed", "iter_text", "raw", "at most")], seconds=3)()
    assert found.ratio is not None
    return found.ratio


if __name__ == "__main__":
    print(ratio())
