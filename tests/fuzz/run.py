"""Runs examples of a target, and makes what fails small.

The law: an example is decided by the seed, the target and its number, and by nothing that ran before it.
"""

# Not guided by coverage.
# atheris 3.0 installs on Python 3.11 and was tried on `from_sse`, 40 seconds each, side by
# side:
# our mutator alone reached 706 of libFuzzer's edges with 217 examples; half ours, a quarter libFuzzer's and a quarter
# splices of the corpus, 693 with 388; libFuzzer's alone, 641 with 325. The grammar brings what guidance would look for,
# and the library is small: an example costs far more than the choice of the next one. And an example that only a corpus
# leads to has no number by which it could be had again.

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import time
import traceback
from collections.abc import Callable
from typing import Any, Protocol

from tests.fuzz.bodies import BODIES, Chunkings
from tests.fuzz.events import ITERATORS, AccumulatorTarget, Case
from tests.fuzz.mutator import Events, Mutator
from tests.fuzz.reading import Run, shown


class Target(Protocol):
    """Something to feed."""

    @property
    def name(self) -> str: ...
    def case(self, mutator: Mutator) -> Case: ...
    def check(self, case: Case, run: Run) -> None: ...


TARGETS: dict[str, Target] = {target.name: target for target in (*BODIES, Chunkings(), AccumulatorTarget(), *ITERATORS)}
ENOUGH = 10
"""Different failures of one target, behind which it ends."""


@dataclasses.dataclass
class Failure:
    """An example that failed, as small as it got."""

    number: int
    what: str
    case: Case

    def __str__(self) -> str:
        items = "\n".join(f"    {shown(item):.600}" for item in self.case.items)
        return f"example {self.number}: {self.what}\n  seed of the case {self.case.seed}, items:\n{items}"


@dataclasses.dataclass
class Result:
    """What came of a target."""

    name: str
    examples: int
    seconds: float
    failures: list[Failure]


def run(name: str, seeds: list[Events], *, seed: int, examples: int, start: int = 0) -> Result:
    """Run examples of a target, from number ``start`` on."""
    target, found = TARGETS[name], dict[str, Failure]()
    began, number = time.process_time(), start - 1
    loop = asyncio.new_event_loop()
    log = logging.getLogger("claude_stream")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)  # relays tell it of each failure
    try:
        for number in range(start, start + examples):
            dice = random.Random(f"{seed}/{name}/{number}")
            case = target.case(Mutator(dice, seeds))
            failure = _failure(target, case, loop.run_until_complete)
            if failure is not None and failure[0] not in found:
                small = smaller(case, lambda each: _failure(target, each, loop.run_until_complete), failure[0])
                found[failure[0]] = Failure(number, failure[1], small)
                if len(found) == ENOUGH:
                    break
    finally:
        log.setLevel(level)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
    return Result(name, number + 1 - start, time.process_time() - began, list(found.values()))


def _failure(target: Target, case: Case, run: Run) -> tuple[str, str] | None:
    """Return where a case fails, and how, or None."""
    try:
        target.check(case, run)
    except Exception as exc:
        frames = traceback.extract_tb(exc.__traceback__)
        where = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames[-3:]))
        return f"{type(exc).__name__} {where}", f"{type(exc).__name__}: {exc!s:.1500}\n  at {where}"
    return None


def smaller(case: Case, failure: Callable[[Case], Any], kind: str) -> Case:
    """Return the case without the items that its failure does not need."""
    at = 0
    while at < len(case.items) and len(case.items) > 1:
        tried = dataclasses.replace(case, items=[*case.items[:at], *case.items[at + 1 :]])
        found = failure(tried)
        if found is not None and found[0] == kind:
            case = tried
        else:
            at += 1
    return case
