"""What the packages recorded, as a section of a page.

The law: every cell was measured. What is marked is what `verdict` finds wrong, with the SDK's reading as with ours.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import platform
from collections.abc import Callable
from typing import Any

from tests.watchers.packages import PACKAGES
from tests.watchers.scenarios import ENDS, MODES, TEXT, WAYS, Result
from tests.watchers.verdict import problems

_HEAD = """\
## Who watches

Packages that record calls to Claude patch the SDK's client. This is what each recorded of one short stream, in an
environment of its own, read in six ways and ended in four, sync and async, as `python -m tests.watchers` measured it
on {date}, with Python {python}.

- The ends: `whole`; `cut`, where the body ends early; `error`, an `overloaded_error` in the middle; `left`, where the
  application leaves after the first text.
- A cell is what stands in the record: its outcome, whether it has the text (`part` of it), and input/output tokens,
  which are 10/12, and 1 as the placeholder at the start. `unset` is a record with no outcome, `never ends` one that
  is begun and not ended. ✗ marks what should be otherwise: of a cut stream or an error, no error; of a whole one,
  anything that is missing; more than one record, or none; a duration that is not that of the reading.
- The SDK takes a cut stream for a whole one, so that no package sees an error where the SDK reads.

{summary}
"""


@dataclasses.dataclass
class Outcome:
    """What came of a package: its results, or why there are none."""

    name: str
    versions: dict[str, str]
    results: list[Result]
    failure: str = ""


def section(outcomes: list[Outcome]) -> str:
    """Return the section for some packages."""
    head = [
        "| package | not right with the SDK's `messages.stream` | not right with `open_stream` | with `wrap_client` |",
        "|---|---|---|---|",
        *(_row(outcome) for outcome in outcomes),
    ]
    date = dt.datetime.now(dt.timezone.utc).date().isoformat()
    parts = [_HEAD.format(date=date, python=platform.python_version(), summary="\n".join(head))]
    parts.extend(_details(outcome) for outcome in outcomes if outcome.results)
    return "\n".join(parts)


def _row(outcome: Outcome) -> str:
    package = PACKAGES[outcome.name]
    shown = f"`{package.requirements[0]}`"
    if outcome.failure:
        return f"| {shown} | {outcome.failure} | | |"
    version, sdk = outcome.versions[package.requirements[0]], outcome.versions["anthropic"]
    helper, ours = (_not_right(outcome, way) for way in ("helper", "open_stream"))
    return f"| {shown} {version}, SDK {sdk} | {helper} | {ours} | {_order(outcome)} |"


def _not_right(outcome: Outcome, way: str) -> str:
    package = PACKAGES[outcome.name]
    ends = {end: [] for end in ENDS}
    for result in outcome.results:
        if result.way == way and problems(result, package):
            ends[result.end].append(result.mode)
    words = [end if len(modes) == len(MODES) else f"{end} ({modes[0]})" for end, modes in ends.items() if modes]
    return ", ".join(words) or "-"


def _order(outcome: Outcome) -> str:
    package = PACKAGES[outcome.name]
    if "wrap_first" not in package.ways:
        return "it is the client"
    wrong = {
        way: sum(bool(problems(result, package)) for result in outcome.results if result.way == way)
        for way in ("package_first", "wrap_first")
    }
    if wrong["package_first"] == wrong["wrap_first"]:
        return "in either order"
    return "the package first" if wrong["package_first"] < wrong["wrap_first"] else "`wrap_client` first"


def _details(outcome: Outcome) -> str:
    package = PACKAGES[outcome.name]
    groups = _same(list(package.ways), lambda way: tuple(_cell(outcome, way, end) for end in ENDS))
    lines = [
        f"### {package.requirements[0]}",
        "",
        *([package.note, ""] if package.note else []),
        "| | " + " | ".join("<br>".join(WAYS[way] for way in group) for group in groups) + " |",
        "|---" * (len(groups) + 1) + "|",
    ]
    lines.extend(f"| {end} | " + " | ".join(_cell(outcome, group[0], end) for group in groups) + " |" for end in ENDS)
    return "\n".join(lines) + "\n"


def _cell(outcome: Outcome, way: str, end: str) -> str:
    package = PACKAGES[outcome.name]
    shown = {
        result.mode: ("✗ " if problems(result, package) else "") + _shown(result, package)
        for result in outcome.results
        if (result.way, result.end) == (way, end)
    }
    if len(set(shown.values())) == 1:
        return shown["sync"]
    return "<br>".join(f"{mode}: {what}" for mode, what in shown.items())


def _shown(result: Result, package: type[Any]) -> str:
    wrong = problems(result, package)
    if wrong and wrong[0].startswith("the application"):
        return wrong[0]
    if not result.records:
        return "nothing"
    records = []
    for record in result.records:
        words = ["never ends" if record.outcome == "open" else record.outcome]
        if record.text:
            words.append("text" if record.text == TEXT else "part" if TEXT.startswith(record.text) else "other text")
        if record.input is not None or record.output is not None:
            words.append(f"{record.input or '-'}/{record.output or '-'}")
        if "no time" in wrong:
            words.append("no time")
        records.append(", ".join(words))
    return " and ".join(records)


def _same(names: list[str], key: Callable[[str], Any]) -> list[list[str]]:
    groups: dict[Any, list[str]] = {}
    for name in names:
        groups.setdefault(key(name), []).append(name)
    return list(groups.values())
