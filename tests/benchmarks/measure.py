"""Contests between ways of reading the same body, and what comes of them.

The law: ratios only; both sides do equal work, proven before timing. Each side first reads a body of at most
1 000 deltas, and all that it gave must be what the body holds, and what the other side gave. In the timing itself every
reading must have consumed its body to the last chunk, and results that are there are compared again, at full size.

Sides take turns, in rounds, and every second round goes backwards. The ratio is the median of the rounds' own ratios,
so that a machine that is slower for a while is slower for both; the times are medians, too. The clock is the process's
CPU time (`time.process_time`): nothing here waits for anything, and a shared machine takes its time away at random.
Garbage collection is on, as users have it; each round begins with a full one, so that nobody clears up after the round
before.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from typing_extensions import Self

from .bodies import Body
from .clients import Tracing, Transport, async_client, sync_client

SAMPLE_SECONDS = 0.1
"""A sample takes at least so long: a body that is read sooner is read several times."""

Facts = Mapping[str, object]
"""What was found in a body, by name."""

Relation = Literal["faster", "at most"]
"""What a ratio says: "faster" is theirs / ours, how many times ours is better; "at most" is ours / theirs, what ours
costs in terms of theirs."""


# -- what comes of it --


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        ours, theirs: medians, in the unit; theirs is None where a figure stands for itself.
        ratio: None where a figure stands for itself.
        lowest, highest: the range of the ratio over the rounds.
    """

    group: str
    case: str
    ours: float
    unit: str
    theirs: float | None = None
    relation: Relation = "at most"
    ratio: float | None = None
    lowest: float | None = None
    highest: float | None = None
    rounds: int = 1
    target: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met, or None if there is none."""
        return self._reaches(1)

    @property
    def half_met(self) -> bool | None:
        """Whether the ratio is at least half as good as its target, or None if there is none."""
        return self._reaches(2)

    def _reaches(self, slack: float) -> bool | None:
        if self.target is None or self.ratio is None:
            return None
        return self.ratio >= self.target / slack if self.relation == "faster" else self.ratio <= self.target * slack


def row(
    group: str,
    case: str,
    unit: str,
    ours: list[float],
    theirs: list[float],
    relation: Relation = "at most",
    target: float | None = None,
) -> Row:
    """Make a row of what was measured in rounds.

    Raises:
        AssertionError: if nothing was measured.
    """
    if not ours or len(ours) != len(theirs) or min(*ours, *theirs) <= 0:
        raise AssertionError(f"{group}, {case}: nothing was measured: {ours} and {theirs}")
    ratios = [b / a if relation == "faster" else a / b for a, b in zip(ours, theirs, strict=True)]
    return Row(
        group,
        case,
        statistics.median(ours),
        unit,
        statistics.median(theirs),
        relation,
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        len(ratios),
        target,
    )


# -- contests --


class Bench:
    """A body, and a client that answers with it.

    Args:
        body: what to answer with.
        mode: what the client is, sync or for asyncio.
        traced: have the SDK trace the client's calls.
    """

    def __init__(self, body: Body, mode: Literal["sync", "asyncio"] = "sync", *, traced: bool = False) -> None:
        self.body = body
        self.transport = Transport(body.chunks)
        self._tracing = Tracing() if traced else None
        options = self._tracing.option if self._tracing else {}
        self._loop = asyncio.new_event_loop() if mode == "asyncio" else None
        make: Callable[..., Any] = async_client if self._loop else sync_client
        self.client = make(self.transport, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._loop:
            self._loop.run_until_complete(self.client.close())
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
        else:
            self.client.close()

    def run(self, reading: Callable[[Bench], Any]) -> Any:
        """Run one reading, by a function or an async function after the bench's mode."""
        result = reading(self)
        return self._loop.run_until_complete(result) if self._loop and asyncio.iscoroutine(result) else result

    def check(self, readings: int) -> None:
        """Raise an AssertionError unless so many readings were done since the last time."""
        requests = self.transport.check(readings)
        if self._tracing:
            self._tracing.check(requests)


@dataclasses.dataclass(frozen=True)
class Reader:
    """One way to read a body.

    Args:
        read: what is timed.
        keep: the same, giving all that it reads.
        facts: makes facts of what ``keep`` gives, and of what ``read`` gives if that is not None.
    """

    read: Callable[[Bench], Any]
    keep: Callable[[Bench], Any]
    facts: Callable[[Any], Facts]


@dataclasses.dataclass(frozen=True)
class Case:
    """A line of the table to be: which two sides of a contest to compare, and what is wanted."""

    name: str
    ours: str
    theirs: str
    relation: Relation = "faster"
    target: float | None = None


@dataclasses.dataclass(frozen=True)
class Contest:
    """Sides that are timed in turns, and what to compare.

    Args:
        sides: by name, who reads what.
        whole: compare the times of whole bodies, and not of one event.
        mode, traced: of the clients.
        seconds: how long it may take: no round is begun after that.
        least, most: how many rounds there are in any case, and at the most.
    """

    group: str
    sides: Mapping[str, tuple[Reader, Body]]
    cases: Iterable[Case]
    whole: bool = False
    mode: Literal["sync", "asyncio"] = "sync"
    traced: bool = False
    seconds: float = 10
    least: int = 3
    most: int = 9

    def __call__(self) -> list[Row]:
        """Hold the contest.

        Raises:
            AssertionError: if the sides do not do equal work, or nothing was measured.
        """
        wanted = {name for case in self.cases for name in (case.ours, case.theirs)}
        sides = {name: side for name, side in self.sides.items() if name in wanted}
        self._prove(sides)
        samples: dict[str, list[float]] = {name: [] for name in sides}
        order = list(sides)
        rounds = 0
        deadline = time.monotonic() + self.seconds
        with contextlib.ExitStack() as stack:
            # One client for all sides that read the same body.
            benches = {id(body): stack.enter_context(self._bench(body)) for _, body in sides.values()}
            while rounds < self.least or (rounds < self.most and time.monotonic() < deadline):
                order.reverse()
                gc.collect()
                found: dict[str, tuple[Facts, Body]] = {}
                for name in order:
                    reader, body = sides[name]
                    seconds, result = self._sample(reader, benches[id(body)])
                    samples[name].append(seconds)
                    if result is not None:
                        found[name] = reader.facts(result), body
                self._compare(found)
                rounds += 1
        unit, factor = ("ms", 1e3) if self.whole else ("µs/event", 1e6)
        figures = {name: [seconds * factor for seconds in values] for name, values in samples.items()}
        return [
            row(self.group, case.name, unit, figures[case.ours], figures[case.theirs], case.relation, case.target)
            for case in self.cases
        ]

    def _bench(self, body: Body) -> Bench:
        return Bench(body, self.mode, traced=self.traced)

    def _sample(self, reader: Reader, bench: Bench) -> tuple[float, Any]:
        """Return the CPU seconds of one reading, or of one event, and what the last reading gave."""
        readings = 0
        seconds = 0.0
        result = None
        start = time.process_time()
        while seconds < SAMPLE_SECONDS:
            result = bench.run(reader.read)
            readings += 1
            seconds = time.process_time() - start
        bench.check(readings)
        return seconds / readings / (1 if self.whole else bench.body.events), result

    def _prove(self, sides: Mapping[str, tuple[Reader, Body]]) -> None:
        """Have each side read its body's proof, which warms it up, too, and compare."""
        found: dict[str, tuple[Facts, Body]] = {}
        for name, (reader, body) in sides.items():
            with self._bench(body.proof or body) as bench:
                found[name] = reader.facts(bench.run(reader.keep)), bench.body
                bench.check(1)
                bench.run(reader.read)
                bench.check(1)
        self._compare(found)
        for case in self.cases:
            (ours, body), (theirs, other) = found[case.ours], found[case.theirs]
            if body is other and not any(ours[key] for key in ours.keys() & theirs.keys()):
                raise AssertionError(f"{self.group}, {case.name}: the two sides have no result in common")

    def _compare(self, found: Mapping[str, tuple[Facts, Body]]) -> None:
        """Compare what each side found with what its body holds, and with what others found in the same body."""
        for name, (facts, body) in found.items():
            if not any(facts[key] for key in facts.keys() & body.facts.keys()):
                raise AssertionError(f"{self.group}, {name}: it gives nothing that could be compared with its body")
            others = {f"those of {other}": seen for other, (seen, same) in found.items() if same is body}
            for whose, seen in {"those of its body": body.facts, **others}.items():
                differing = [key for key in facts.keys() & seen.keys() if facts[key] != seen[key]]
                if differing:
                    raise AssertionError(f"{self.group}, {name}: its {', '.join(differing)} are not {whose}")
