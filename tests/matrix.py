"""The command: the unmarked tests on every Python and SDK that are supported, and the table of what came of it.

python -m tests.matrix                                 every cell, one after the other: some minutes each
python -m tests.matrix "Python 3.10" lowest            the cells whose name has one of these in it
python -m tests.matrix --list                          the names, and nothing is run
python -m tests.matrix --facts 0.110.0 newest          the facts of an SDK that we build on, in some seconds
python -m tests.matrix --write docs/compatibility.md   and the table

Pythons are those of 3.10 and newer that are on the path as ``python3.10`` and so on. Others are given as commands:
``--python "chroot /srv/sid python3.15"``. What such a command leads to must see the project and ``--folder`` under the
same paths. With Debian's sid, which has the newest Pythons::

    debootstrap --variant=minbase --include=python3-venv,python3.15-venv,ca-certificates,gcc sid /srv/sid
    mount --bind PROJECT /srv/sid/PROJECT     # once the folder is made there; the same for --folder

A cell is an environment of its own, made from nothing. Its row of the table stays, with its date, until the cell runs
again; a cell that could not be made, or whose tests could not be collected, gets none. The facts are those of
tests/whole/sdk_facts: they run without this library, so that any SDK can be asked. The command ends with status 1 if
anything was red.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import re
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tests.environments import HERE, PROJECT, Python, cache, on_the_path
from tests.pages import write

PYTHONS = tuple(f"python3.{minor}" for minor in range(10, 16))

SDKS: Mapping[str, str] = {
    "0.110.0": "the oldest that is supported",
    "0.121.0": "before its accumulator changed",
    "0.122.0": "after that",
    "0.125.0": "the last one on httpx",
    "1.0.0": "the first one on httpx2",
    "1.13.0": "the last one without tracing",
    "1.14.0": "the first one that traces",
    "1.15.0": "the last one that drops events of unknown types",
    "1.16.0": "the first one that does not",
}
"""The SDKs between which something changed that we build on. The newest is that of the rows of each Python."""

OVER_AIOHTTP = ("0.110.0", "0.125.0", "1.0.0", "newest")

UNMARKED = ("-m", "not socket and not process and not slow")
AIOHTTP = ("-k", "aiohttp")
FOLDER_OF_FACTS = "tests/whole/sdk_facts"
FACTS = ("--tb=short", f"--confcutdir={FOLDER_OF_FACTS}", FOLDER_OF_FACTS)

OURS = f"--editable={PROJECT}[test]"
FOR_FACTS = ("pytest", "opentelemetry-sdk")

SHOWN = ("anthropic", "httpx2", "httpx", "anyio", "jiter", "pydantic", "pydantic-core", "typing-extensions", "aiohttp")

HEAD = """\
| cell | Python | `anthropic` | with | passed | skipped | failed | run on |
| --- | --- | --- | --- | --: | --: | --: | --- |"""


@dataclasses.dataclass(frozen=True)
class Cell:
    """What is run once: some tests, on a Python, with some packages."""

    name: str
    python: Python
    packages: tuple[str, ...]
    tests: tuple[str, ...] = UNMARKED
    forced: tuple[str, ...] = ()
    """Packages that are put in afterwards, whatever others ask for: those that the tests need may want newer ones."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of a cell."""

    cell: str
    versions: Mapping[str, str]
    counts: Mapping[str, int]
    date: str

    @property
    def failed(self) -> int:
        return self.counts.get("failed", 0) + self.counts.get("error", 0) + self.counts.get("errors", 0)

    def row(self) -> str:
        """Return its row of the table."""
        versions = dict(self.versions)
        python, sdk = versions.pop("python"), versions.pop("anthropic")
        versions.pop("httpx2" if sdk.startswith("0.") else "httpx", None)  # which is there for others
        if not self.cell.startswith("aiohttp"):
            versions.pop("aiohttp", None)  # which is there for a few tests
        shown = ", ".join(f"{name} {version}" for name, version in versions.items())
        failed = f"**{self.failed}**" if self.failed else "0"
        passed, skipped = (self.counts.get(word, 0) for word in ("passed", "skipped"))
        return f"| {self.cell} | {python} | {sdk} | {shown} | {passed} | {skipped} | {failed} | {self.date} |"


def lowest() -> tuple[str, ...]:
    """Return the lowest version of each package that this one depends on, as it declares them."""
    declared = [Requirement(line) for line in metadata.requires("claude-stream") or ()]
    return tuple(
        f"{requirement.name}=={specifier.version}"
        for requirement in declared
        if requirement.marker is None  # those of the extras have one
        for specifier in requirement.specifier
        if specifier.operator == ">="
    )


def cells(more: Sequence[str] = ()) -> list[Cell]:
    """Return the cells that can be run here.

    Args:
        more: the commands of further Pythons.
    """
    found = on_the_path(PYTHONS)
    pythons = [*found.values(), *map(Python.of, more)]
    return [
        *(Cell(f"Python {_minor(python)}", python, (OURS,)) for python in pythons),
        *(Cell(f"SDK {sdk}, {why}", HERE, (OURS, _sdk(sdk))) for sdk, why in SDKS.items()),
        *(
            Cell("lowest versions", found[name], (OURS, lowest()[0]), forced=lowest())
            for name in PYTHONS[:1]
            if name in found
        ),
        *(Cell(f"aiohttp, SDK {sdk}", HERE, (OURS, _sdk(sdk)), AIOHTTP) for sdk in OVER_AIOHTTP),
        *(facts(sdk) for sdk in (*SDKS, "newest")),
    ]


def facts(sdk: str) -> Cell:
    """Return the cell that asks an SDK for the facts."""
    return Cell(f"facts, SDK {sdk}", HERE, (_sdk(sdk, "[bedrock]"), *FOR_FACTS), FACTS)


def _sdk(version: str, extra: str = "") -> str:
    return f"anthropic{extra}" if version == "newest" else f"anthropic{extra}=={version}"


def _minor(python: Python) -> str:
    return python.versions()["python"].rpartition(".")[0]


def run(cell: Cell, folder: Path) -> Result:
    """Make a cell's environment, and run its tests there.

    Raises:
        RuntimeError: if there is nothing to count.
    """
    python = cell.python.environment(folder / re.sub(r"\W+", "-", cell.name))
    python.install(*cell.packages)
    if cell.forced:
        python.install("--no-deps", *cell.forced)
    ran = python.run("-m", "pytest", "-q", "-p", "no:cacheprovider", *cell.tests)
    if ran.returncode:  # a fact that holds no more says what builds on it
        told = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        print(ran.stdout if cell.tests is FACTS else "\n".join(told))
    if ran.returncode not in (0, 1):  # 1: tests have failed
        raise RuntimeError((ran.stdout + ran.stderr)[-3000:])
    date = dt.datetime.now(dt.timezone.utc).date().isoformat()
    return Result(cell.name, python.versions(*SHOWN), counted(ran.stdout), date)


def counted(output: str) -> dict[str, int]:
    """Return the counts in the last line of pytest's output."""
    last = output.rstrip().splitlines()[-1]
    return {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", last.partition(" in ")[0])}


def table(results: Sequence[Result], page: str) -> str:
    """Return the table of a page, with the rows of these results in it or in place of older ones.

    Args:
        results: of the cells that ran.
        page: the text of the page, with the rows of earlier runs.
    """
    before = page.partition("<!-- matrix: begin -->")[2].partition("<!-- matrix: end -->")[0]
    rows = dict(_rows(before))
    rows.update((result.cell, result.row()) for result in results)
    return "\n".join([HEAD, *(rows[cell] for cell in sorted(rows, key=_place))])


def _rows(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if re.match(r"\| [^|]* \| \d", line)]
    return [(line.split("|")[1].strip(), line) for line in lines]


def _place(cell: str) -> tuple[int, list[int]]:
    kind = ("Python", "SDK", "lowest", "aiohttp", "facts").index(re.split(r"\W", cell)[0])
    version = re.search(r"\d[\d.]*", cell)
    return kind, [int(part) for part in version[0].split(".")] if version else [sys.maxsize]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.matrix", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="a part of the names of the cells to run")
    parser.add_argument("--python", action="append", default=[], metavar="COMMAND", help="a further Python")
    parser.add_argument("--folder", type=Path, default=cache("matrix"), help="for the environments")
    parser.add_argument("--facts", nargs="+", default=[], metavar="VERSION", help="ask these SDKs for the facts only")
    parser.add_argument("--list", action="store_true", help="print the names of the cells")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the table to this page, after each cell")
    options = parser.parse_args(arguments)
    every = [facts(sdk) for sdk in options.facts] or cells(options.python)
    chosen = [cell for cell in every if not options.names or any(name in cell.name for name in options.names)]
    red = 0
    for cell in chosen:
        if options.list:
            print(cell.name)
            continue
        start = time.monotonic()
        try:
            result = run(cell, options.folder)
        except RuntimeError as exc:
            red += 1
            print(f"{cell.name}: there is nothing to count\n{exc}", flush=True)
            continue
        red += bool(result.failed)
        print(f"{result.row()} {time.monotonic() - start:.0f} s", flush=True)
        if options.write:
            write(options.write, "matrix", table([result], options.write.read_text(encoding="utf-8")))
    return int(bool(red))


if __name__ == "__main__":
    sys.exit(main())
