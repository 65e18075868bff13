"""The matrix of exits as a page: one table for each way out.

The law: nothing is left out that was run. What is the same in several rows or columns stands there once.
"""

from __future__ import annotations

import collections
import datetime as dt
import platform
from collections.abc import Iterable

import anthropic

from tests.exits.matrix import KINDS, LEFT_OUT, MODES, MOMENTS, TRANSPORTS, WAYS
from tests.exits.run import LIMIT, Result

_HEAD = """\
# How streams end

However a stream is left, it must not look finished unless it is, hang, or take somebody else's connection with it.
This page shows what was measured, over real sockets on loopback, for every way out, transport, mode, kind of source
and moment that go together. `python -m tests.exits --write docs/exits.md` writes it.

{date}, Python {python}, `anthropic` {sdk}: **{count} cells, {red} of them not as the contract has it.**
The slowest took {slowest:.2f} s to leave, and none may take {limit:g} s.

In each cell of the tables stands how reading ended, `→` what reading on gave, in every way there is, and behind the
dot what became of the connection.

- `whole`: the message is complete, and reading ended without an error. `left`: the consumer left. Otherwise the error:
  `Connection` is `StreamConnectionError`, `Truncated` is `StreamTruncatedError`, `Overloaded` is
  `StreamOverloadedError`; `Consumer` and `Own` are exceptions of the consumer and of a user's own generator.
- `→ ends`: the message was complete, so reading on gives what is left of it and ends. `→` an error: it is raised, twice
  and on every view.
- `reused`: the next request of the same client had the same connection. `closed`: it was closed while the client was
  still open. `none`: there was none, or no request was sent.
- Several outcomes in one cell are those of several moments: the message was complete at some of them. Moments in
  which a cell was run: {moments}.

Besides, in each cell, and not in the tables: the text that was handed out and the text of `.partial`, `retryable`, no
warning and no task or thread left, no socket open behind the client's `close()`. Over HTTP/2, and in `threads`, another
stream was open beside it, got pings all the time, and had to be read to its end afterwards.
"""


def page(results: Iterable[Result]) -> str:
    """Return the page for the results of all cells."""
    results = list(results)
    red = [result for result in results if result.problems]
    parts = [
        _HEAD.format(
            date=dt.datetime.now(dt.timezone.utc).date().isoformat(),
            python=platform.python_version(),
            sdk=anthropic.__version__,
            count=len(results),
            red=len(red),
            slowest=max((result.seconds for result in results if not result.problems), default=0.0),
            limit=LIMIT,
            moments=", ".join(MOMENTS.values()),
        )
    ]
    for way, what in WAYS.items():
        chosen = [result for result in results if result.cell.way == way]
        if chosen:
            parts.append(f"## {what[0].upper()}{what[1:]}\n\n{_table(chosen)}\n")
    reasons = "\n".join(f"- {reason[0].upper()}{reason[1:]}." for reason, _ in LEFT_OUT)
    parts.append(f"## What was left out\n\n{reasons}\n")
    if red:
        listed = "\n".join(f"- `{result.cell}`: {result.problems[0].splitlines()[0]:.150}" for result in red)
        parts.append(f"## Not as the contract has it\n\n{listed}\n")
    return "\n".join(parts)


def _table(results: list[Result]) -> str:
    found: dict[tuple[str, str], set[str]] = collections.defaultdict(set)
    for result in results:
        column = f"{result.cell.transport}/{result.cell.mode}"
        found[result.cell.kind, column].add(("✗ " if result.problems else "") + result.short)
    columns = [f"{transport}/{mode}" for transport in TRANSPORTS for mode in MODES]
    columns = [column for column in columns if any(column == key[1] for key in found)]
    kinds = [kind for kind in KINDS if any(kind == key[0] for key in found)]

    def shown(kind: str, column: str) -> str:
        return "<br>".join(sorted(found.get((kind, column), {"-"})))

    groups = _same(columns, lambda column: tuple(shown(kind, column) for kind in kinds))
    rows = _same(kinds, lambda kind: tuple(shown(kind, column) for column in columns))
    lines = [
        "| source | " + " | ".join(_columns(group) for group in groups) + " |",
        "|---" * (len(groups) + 1) + "|",
    ]
    for row in rows:
        cells = " | ".join(shown(row[0], group[0]) for group in groups)
        lines.append(f"| {'<br>'.join(KINDS[kind] for kind in row)} | {cells} |")
    return "\n".join(lines)


def _same(names: list[str], key: object) -> list[list[str]]:
    groups: dict[object, list[str]] = {}
    for name in names:
        groups.setdefault(key(name), []).append(name)
    return list(groups.values())


def _columns(group: list[str]) -> str:
    by_modes: dict[tuple[str, ...], list[str]] = {}
    modes: dict[str, list[str]] = {}
    for column in group:
        transport, _, mode = column.partition("/")
        modes.setdefault(transport, []).append(mode)
    for transport, each in modes.items():
        by_modes.setdefault(tuple(each), []).append(transport)
    return "<br>".join(f"{', '.join(transports)}: {', '.join(each)}" for each, transports in by_modes.items())
