"""The soak's section of docs/reliability.md.

The law: no number stands in it that was not counted in the run that writes it; what others wrote on the page stays.
What was found and mended, and what is left out, is kept by hand.
"""

from __future__ import annotations

import collections
import datetime as dt
import platform

import anthropic

from tests.soak.rounds import AT_A_TIME, Report

_TEXT = """\
## Soak

{date}, Python {python}, `anthropic` {sdk}, seed {seed}: **{streams} streams in {minutes} minutes, {red} not as they
must be.** The command was `{command}`; it runs for an hour, if it is not told otherwise.

Servers on loopback cut, stall, reset and garble what they send. Clients by the SDK's HTTP package and by aiohttp read
it over HTTP/1.1, TLS and HTTP/2, {at_a_time} streams at a time, in threads, on asyncio and on trio, by every kind of
view, and leave it in every way. What each must end in is worked out from its fault: the text up to it, the class of the
error, and whether anything may look finished. `left` counts those that the consumer left before the fault came; a
`StreamConnectionError` is also what a `close()` from elsewhere gives.

{faults}

{ways}

{modes}

{kinds}

Behind each round, before the clients are closed: no response is open that nobody reads, no warning, no task. Behind
its servers and clients:

{censuses}

Found, and mended:

- `close()` from another thread closed the socket that its reader was about to wait on. Where another connection got its
  number in that moment, the reader waited for its read timeout. The test is in `tests/drive/test_sync.py`.

Left out, because something below the library is in the way:

- an event without end where the SDK decodes it: nothing bounds what the SDK collects.
- over HTTP/2: cancellations, and closes from elsewhere of async streams. One that comes in the middle of a write takes
  the frames of other streams with it, and ends them all: the HTTP package has taken them from its queue.
- over HTTP/2: stalls, because each byte for a neighbour begins the read timeout again, and bodies that are larger than
  what the test server may send at once. Sync streams run one after the other there, because the HTTP package numbers
  them without a lock.
- streams that are dropped and collected whenever Python likes. In a thread that holds a lock of the HTTP package,
  closing them waits for that lock, and so for itself. In a thread that is not the event loop's, the generators of the
  HTTP package are closed by two at once, and say `async generator already executing`: 23 times in 183 responses that 24
  tasks on trio dropped, without this library, and never in 656 that were collected in the loop's own thread. Here they
  are collected there, at the end of a round; a program has `with`.
- a socket whose TLS handshake is cancelled: the HTTP package leaves it to the collector.
"""


def section(report: Report, command: str) -> str:
    """Return the section for the results of a run."""
    first, *_, last = censuses = report.censuses
    rows = [
        ("at the start", first),
        ("behind the first three rounds", censuses[min(3, len(censuses) - 1)]),
        (f"behind the last of {len(censuses) - 1} rounds", last),
    ]
    return _TEXT.format(
        date=dt.datetime.now(dt.timezone.utc).date().isoformat(),
        python=platform.python_version(),
        sdk=anthropic.__version__,
        seed=report.seed,
        streams=report.streams,
        minutes=round(report.seconds / 60, 1),
        red=len(report.problems),
        command=command,
        at_a_time=AT_A_TIME,
        faults=_outcomes("fault", report.by_fault),
        ways=_outcomes("way out", report.by_way),
        modes=_counts("mode and transport", report.by_mode),
        kinds=_counts("read by", report.by_kind),
        censuses=_table(
            ["", "open files", "threads", "objects of the library", "memory"],
            [[when, each.files, each.threads, each.objects, f"{each.resident / 2**20:.0f} MB"] for when, each in rows],
        ),
    )


def _outcomes(name: str, found: dict[str, collections.Counter[str]]) -> str:
    """Return a table of what came of each, where what the SDK raises has the status in the row."""
    rows = []
    for what, counts in sorted(found.items()):
        others = ", ".join(
            f"`{error}` {count}" for error, count in sorted(counts.items()) if error not in ("whole", "left")
        )
        rows.append([what, sum(counts.values()), counts["whole"] or "", counts["left"] or "", others])
    return _table([name, "streams", "whole", "left", "errors"], rows)


def _counts(name: str, counts: collections.Counter[str]) -> str:
    return _table(
        [name, "streams"], [[f"`{what}`" if " " not in what else what, count] for what, count in sorted(counts.items())]
    )


def _table(head: list[str], rows: list[list[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
