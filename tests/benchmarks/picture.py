"""The picture of a run: each ratio that has a target, as a bar, for who would rather look than read.

The law: a bar that reaches the line meets its target, and the further it goes, the better, whether more or less is
better in the table. Nothing is shown but figures of the run. It is one SVG without anything from outside, and can be
read on a light page and on a dark one, and without colours.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from .measure import Row
from .report import cells

_WIDTH = 840
_LEFT, _RIGHT = 12, 828
_LINE = 300  # where the target is
_MOST = 8.0  # times as good as the target: a bar is not longer than that
_GROUP, _ROW = 34, 44

_STYLE = """\
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.group { font-weight: 600 }
.figure { text-anchor: end }
.met { fill: #1a7f64 }
.missed { fill: none; stroke: #b35900; stroke-width: 2; stroke-dasharray: 5 3 }
.target { stroke: #1f2328; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .met { fill: #3fb68b }
  .missed { stroke: #f0883e }
  .target { stroke: #e6edf3 }
}"""


def margin(row: Row) -> float:
    """Return how many times as good as its target a ratio is: 1 meets it, and less misses it."""
    if row.ratio is None or row.target is None:
        raise ValueError(f"there is no target: {row.group}: {row.case}")
    return row.ratio / row.target if row.relation == "faster" else row.target / row.ratio


def length(times: float) -> float:
    """Return how long the bar is, in units of the picture: by the logarithm, so that half and twice are as far."""
    per_doubling = (_RIGHT - _LEFT - _LINE) / math.log2(_MOST)
    return max(4.0, _LINE + per_doubling * math.log2(min(times, _MOST)))


def picture(rows: Sequence[Row]) -> str:
    """Return the SVG of all rows that have a target."""
    targets = [row for row in rows if row.met is not None]
    met = sum(row.met is True for row in targets)
    elements: list[str] = []
    y = 8
    for group, members in itertools.groupby(targets, key=lambda row: row.group):
        y += _GROUP
        elements.append(f'<text class="group" x="{_LEFT}" y="{y - 8}">{escape(group)}</text>')
        for row in members:
            elements += _bar(row, y)
            y += _ROW
    what = f"{met} of {len(targets)} targets met; a bar that reaches the line meets its target"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 8}" width="{_WIDTH}" role="img">',
            f"<title>{what}</title>",
            f"<style>\n{_STYLE}\n</style>",
            *elements,
            "</svg>",
            "",
        ]
    )


def _bar(row: Row, y: int) -> Iterator[str]:
    _, _, _, ratio, target, _ = cells(row)
    missed = "" if row.met else ", missed"
    yield f'<text x="{_LEFT}" y="{y + 13}">{escape(row.case)}</text>'
    yield f'<text class="figure" x="{_RIGHT}" y="{y + 13}">{escape(f"{ratio} ({target}{missed})")}</text>'
    yield (
        f'<rect class="{"met" if row.met else "missed"}" x="{_LEFT}" y="{y + 21}" width="{length(margin(row)):.1f}" '
        'height="14"/>'
    )
    yield f'<line class="target" x1="{_LEFT + _LINE}" x2="{_LEFT + _LINE}" y1="{y + 18}" y2="{y + 38}"/>'
