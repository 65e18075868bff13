"""The command: the SDK's own tests, plain and on wrapped clients, and every test that differs, with its reason.

python -m tests.sdk_suite                                 three SDKs, a minute or two each
python -m tests.sdk_suite --sdk 2.12.0                    one of them, or any other
python -m tests.sdk_suite --sdk 2.12.0 tests/lib/_parse   some of its tests
python -m tests.sdk_suite --sdk 2.12.0 tests              all of them, about clients, credentials and files, too
python -m tests.sdk_suite --write docs/compatibility.md   and the tables

It ends with status 1 if a difference has no reason in `reasons.py`, or a reason there shows no difference any more. A
test that differs is run again by itself, both ways; what does not differ then is called unsteady and does not count.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.environments import cache
from tests.pages import write
from tests.sdk_suite.compare import Outcome, differences, judge
from tests.sdk_suite.environment import Environment
from tests.sdk_suite.reasons import REASONS
from tests.sdk_suite.table import Run, counts, section

SDKS = ("0.110.0", "1.0.0", "2.12.0")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.sdk_suite", description="The SDK's own tests, plain and on wrapped clients."
    )
    parser.add_argument("tests", nargs="*", help="only these, as pytest takes them, in the SDK's sdist")
    parser.add_argument("--sdk", action="append", metavar="VERSION", help=f"instead of {', '.join(SDKS)}")
    parser.add_argument("--jobs", type=int, default=2, help="processes that run tests")
    parser.add_argument("--folder", type=Path, default=cache("sdk_suite"), help="for what is downloaded and installed")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the tables to this page")
    options = parser.parse_args(arguments)
    if options.write and options.tests:
        parser.error("--write is for the usual tests")
    runs = [run(Environment.make(sdk, options.folder), options.tests, options.jobs) for sdk in options.sdk or SDKS]
    if options.write:
        write(options.write, "sdk_suite", section(runs))
    return int(not all(each.judgement.good for each in runs))


def run(environment: Environment, tests: Sequence[str], jobs: int) -> Run:
    """Run tests of one SDK twice, print what differs, and return it."""
    start = time.monotonic()
    plain, wrapped = _both(environment, tests or environment.scope(), jobs)
    if found := differences(plain, wrapped):
        again = _both(environment, [difference.test for difference in found], 0)
        for outcome_of, second in zip((plain, wrapped), again):
            outcome_of.update(second)
        steady = {difference.test for difference in differences(plain, wrapped)}
        for difference in found:
            if difference.test not in steady:
                print(f"  unsteady: {difference}")
    done = Run(
        environment.sdk,
        plain,
        wrapped,
        judge(differences(plain, wrapped), REASONS, environment.sdk, plain if tests else None),
    )
    _tell(done, time.monotonic() - start)
    return done


def _both(environment: Environment, tests: Sequence[str], jobs: int) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    plain = environment.run(tests, wrapped=False, jobs=jobs)
    return plain, environment.run(tests, wrapped=True, jobs=jobs)


def _tell(done: Run, seconds: float) -> None:
    print(f"anthropic {done.sdk}, passed / failed / skipped: plain {counts(done.plain)}, ", end="")
    print(f"wrapped {counts(done.wrapped)}; {done.differing} differ; {seconds:.0f} s")
    for reason, explained in done.judgement.explained.items():
        print(f"  {reason.text}")
        for difference in explained:
            print(f"    {difference}")
    for difference in done.judgement.unexplained:
        print(f"  NO REASON {difference}")
    for listed in done.judgement.stale:
        print(f"  STALE REASON {listed}: it does not differ in the way that is listed")
    for test, outcome in done.plain.items():
        if outcome.word == done.wrapped[test].word == "failed":
            print(f"  fails without us, too: {test}")


if __name__ == "__main__":
    sys.exit(main())
