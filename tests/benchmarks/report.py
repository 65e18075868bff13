"""The report of a run: rows, and where they were measured; as a table, as JSON, and as Markdown made of the JSON.

The law: no figure is shown that is not in the JSON, and nothing in it names the machine or a folder on it.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from .bodies import SHAPE
from .clients import HTTP_PACKAGE
from .measure import Row

PACKAGES = ("anthropic", HTTP_PACKAGE, "pydantic", "jiter", "anyio", "opentelemetry-sdk")
COLUMNS = ("case", "ours", "theirs", "ratio", "target", "met")

METHOD = f"""\
Made by `python -m tests.benchmarks --json FILE`, and this page and its picture of that file by
`python -m tests.benchmarks --markdown FILE --write docs/benchmarks.md`.

Only the ratios are meant to be read; the times belong to one machine. "faster" is theirs / ours, and "x" is ours /
theirs. A figure in µs is the time of one event, and one in s that of a million.

This library and the installed SDK run in one process, in turns. A ratio is the median of the rounds' own ratios, and a
time is the median of the process's CPU times. Garbage collection is on, and each round begins with a full one.
Both sides use the same client of the SDK over the same transport in this process, which hands out chunks that were made
before, one event each, no two alike; what that costs is among the cases. Before anything is timed, both sides read the
same body, of at most 1 000 deltas, and what they gave is compared; each reading that is timed must have consumed its
body to the last chunk, and its result, where it has one, is compared at full size. Deltas of text have 6 characters,
and those of tool inputs 20.

`messages.stream` is the SDK's helper, and the floor is a split on the blank line and `jiter.from_json` of the data,
over the same chunks, without a client. The helper parses the whole of a tool input again at each delta: its time grows
with the square of the length, which is why it is not asked to read more than 80 KB, and depends on the shape of the
input, since one long string ("file") is skipped over and many small values ("rows") are each built. The target is for
the shape "{SHAPE}"; the others are shown beside it.

What dominates, and what was tried where a target is missed, stands in
[explanation.md](explanation.md#where-the-time-goes).
"""

PICTURE = """\
A bar that reaches the line meets its target. The scale is logarithmic: twice as good as the target is as far to the
right of the line as half as good is to the left, and what is more than eight times as good looks like eight times."""


def report(rows: Sequence[Row], *, quick: bool, seconds: float) -> dict[str, Any]:
    """Return a run as JSON."""
    return {
        "library": {"name": "claude-stream", "version": metadata.version("claude-stream")},
        "date": dt.datetime.now(dt.timezone.utc).date().isoformat(),
        "quick": quick,
        "seconds": round(seconds, 1),
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "os": _os(), "architecture": platform.machine()},
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: _version(name) for name in PACKAGES},
        "rows": [{**dataclasses.asdict(row), "met": row.met} for row in rows],
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def _os() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def cells(row: Row) -> tuple[str, ...]:
    """Return what the columns of the table show."""
    unit = row.unit.partition("/")[0]
    faster = row.relation == "faster"
    return (
        row.case,
        f"{_number(row.ours)} {unit}",
        "-" if row.theirs is None else f"{_number(row.theirs)} {unit}",
        "-" if row.ratio is None else f"{_times(row.ratio)}{' faster' if faster else ''}",
        "-" if row.target is None else f"{'>=' if faster else '<='} {_times(row.target)}",
        "-" if row.met is None else "yes" if row.met else "no",
    )


def _number(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if value >= 100 else f"{value:.3g}"


def _times(ratio: float) -> str:
    return f"{ratio * 100:.3g} %" if ratio < 0.1 else f"{_number(ratio)} x"


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield lines for a terminal, under the name of their group."""
    widths = (88, 11, 11, 13, 9, 4)
    for group, members in itertools.groupby(rows, key=lambda row: row.group):
        for line in ((group, *COLUMNS[1:]), *map(cells, members)):
            yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        yield ""


def rows_of(found: Mapping[str, Any]) -> list[Row]:
    """Return the rows in the JSON of a run."""
    names = {field.name for field in dataclasses.fields(Row)}
    return [Row(**{name: value for name, value in row.items() if name in names}) for row in found["rows"]]


def markdown(found: Mapping[str, Any], picture: str | None = None) -> str:
    """Return a page made of the JSON of a run.

    Args:
        found: the JSON.
        picture: the address of its picture, if the page is to show one.
    """
    rows = rows_of(found)
    machine, packages = found["machine"], found["packages"]
    versions = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    targets = [row for row in rows if row.met is not None]
    return "\n".join(
        [
            "# Benchmarks",
            "",
            METHOD,
            f"- {found['library']['name']} {found['library']['version']}, {found['date']}",
            f"- {machine['cpu']}, {machine['cores']} cores, {machine['architecture']}, {machine['os']}",
            f"- {found['python']}; {versions}",
            f"- {'the quick form, ' if found['quick'] else ''}{found['seconds']:.0f} seconds",
            f"- targets met: {sum(row.met is True for row in targets)} of {len(targets)}",
            *(["", PICTURE, "", f"![The ratios against their targets]({picture})"] if picture else []),
            *_tables(rows),
            "",
        ]
    )


def _tables(rows: Sequence[Row]) -> Iterator[str]:
    for group, members in itertools.groupby(rows, key=lambda row: row.group):
        yield from ("", f"## {group}", "", _line(COLUMNS), "| --- | --: | --: | --: | --: | --- |")
        yield from map(_line, map(cells, members))


def _line(row: Sequence[str]) -> str:
    return f"| {' | '.join(row)} |"
