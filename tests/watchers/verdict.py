"""What a package should have recorded of a scenario, and whether it has.

The law: a stream is one record. One that is whole has its text, its tokens and its time; one that was cut or had an
error is an error, and never a success; one that was left has ended.
"""

from __future__ import annotations

import fnmatch
from typing import Any

from tests.watchers.scenarios import OURS, PAUSE, TEXT, Result

_ERRORS = {
    "cut": ("StreamTruncatedError",),
    "error": ("StreamOverloadedError",),
}
_ERRORS_OF_THE_SDK = {
    "error": ("APIStatusError", "OverloadedError", "InternalServerError"),
}


def problems(result: Result, package: type[Any]) -> list[str]:
    """Return what is not as it should be: of the application first, and then of the record."""
    errors = (_ERRORS if result.way in OURS else _ERRORS_OF_THE_SDK).get(result.end, ("",))
    if result.error not in errors:
        return [f"the application gets {result.error or 'no error'}"]
    if len(result.records) != 1:
        return [f"{len(result.records)} records" if result.records else "nothing"]
    [record] = result.records
    found = []
    if record.outcome == "open":
        found.append("never ends")
    elif result.end in ("cut", "error") and record.outcome != "error":
        found.append("no error")
    elif result.end == "whole" and record.outcome == "error":
        found.append("an error")
    if result.end == "whole":
        if record.text != TEXT:
            found.append("other text")
        if (record.input, record.output) != (10, package.output):
            found.append("other tokens")
    if record.seconds is not None and record.seconds < PAUSE * 0.9:
        found.append("no time")
    return found


def surprises(results: list[Result], package: type[Any]) -> list[str]:
    """Return what a package did with us that it is not known for, and what it is known for and does no more."""
    wrong = {
        f"{result.way}/{result.mode}/{result.end}": found
        for result in results
        if result.way in OURS and (found := problems(result, package))
    }
    unknown = [name for name in wrong if not any(fnmatch.fnmatch(name, pattern) for pattern in package.known)]
    return [
        *(f"{name}: {', '.join(wrong[name])}" for name in unknown),
        *(f"{pattern}: right, and known not to be" for pattern in package.known if not fnmatch.filter(wrong, pattern)),
    ]
