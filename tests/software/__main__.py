"""The command: third-party packages that read Claude's streams, on a plain and on a wrapped client.

python -m tests.software                                all of them, each in an environment of its own
python -m tests.software strands llm                    some
python -m tests.software --write docs/compatibility.md  and the table

It ends with status 1 if a package hands out anything else of a whole answer on a wrapped client, or if an answer that
was cut looks whole through this library's stream.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.environments import PROJECT, cache, install, make_venv
from tests.pages import write
from tests.software import cases

PACKAGES: Mapping[str, Sequence[str]] = {
    "instructor": ("instructor>=1.10",),
    "langchain": ("langchain-anthropic",),
    "pydantic_ai": ("pydantic-ai-slim[anthropic]",),
    "llm": ("llm-anthropic",),
    "strands": ("strands-agents[anthropic]",),
    "agno": ("agno",),
    "llama_index": ("llama-index-llms-anthropic", "anthropic<1"),  # it sends what newer SDKs do not take
}
"""What is installed for each case; the first is the package."""

TIMEOUT = 300.0
"""Seconds that the answers of one package may take."""

HEAD = """\
{date}, {what}. The newest release of each package that goes with an SDK that we support, against a server on loopback.

| package | `anthropic` | how it gets the client | it calls | text, tool call | a cut answer, plain | wrapped |
| --- | --- | --- | --- | --- | --- | --- |"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.software", description="Third-party packages on a plain and on a wrapped client."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PACKAGES)}")
    parser.add_argument("--folder", type=Path, default=cache("software"), help="for what is installed")
    parser.add_argument("--write", metavar="FILE", type=Path, help="write the table to this page")
    options = parser.parse_args()
    found = {name: ask(name, options.folder) for name in options.names or PACKAGES}
    rows = [row(name, told) for name, told in found.items()]
    print(*rows, sep="\n")
    if options.write:
        python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        head = HEAD.format(date=dt.datetime.now(dt.timezone.utc).date().isoformat(), what=python)
        write(options.write, "software", "\n".join([head, *rows]))
    wrong = [f"{name}: {what}" for name, told in found.items() for what in problems(told["outcomes"])]
    print(*wrong, sep="\n", file=sys.stderr)
    return int(bool(wrong))


def ask(name: str, folder: Path) -> dict[str, Any]:
    """Install a package in an environment of its own, and return what came of it there."""
    python = make_venv(folder / name)
    install(python, f"--editable={PROJECT}", *PACKAGES[name])
    package = PACKAGES[name][0].partition("[")[0].partition(">")[0]
    command = [python, "-m", "tests.software.here", name, package]
    ran = subprocess.run(command, check=False, cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT)
    if ran.returncode:
        raise RuntimeError(f"{name}: {ran.stderr[-3000:]}")
    told: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return told


def problems(outcomes: Mapping[str, Any]) -> list[str]:
    """Name what is not as it must be."""
    found = [
        f"{answer}: {outcomes[answer]['plain']} plain, {outcomes[answer]['wrapped']} wrapped"
        for answer in ("text", "tool")
        if outcomes[answer]["plain"] != outcomes[answer]["wrapped"]
    ]
    cut = outcomes["cut"]["wrapped"]
    if cut["helpers"] and cut["end"] == "ends":
        found.append(f"cut, and looks whole: {cut}")
    return found


def row(name: str, told: Mapping[str, Any]) -> str:
    """Return a package's row of the table."""
    versions, outcomes = dict(told["versions"]), told["outcomes"]
    sdk = versions.pop("anthropic")
    package = ", ".join(f"{each} {version}" for each, version in versions.items())
    how = (getattr(cases, name).__doc__ or "").strip().rstrip(".")
    calls = ", ".join(f"`{each}`" for each in outcomes["cut"]["plain"]["helpers"]) or "`create`"
    same = all(outcomes[answer]["plain"] == outcomes[answer]["wrapped"] for answer in ("text", "tool"))
    cut = " | ".join(_ending(outcomes["cut"][kind]) for kind in ("plain", "wrapped"))
    return f"| {package} | {sdk} | {how} | {calls} | {'the same' if same else '**not the same**'} | {cut} |"


def _ending(outcome: Mapping[str, Any]) -> str:
    came = " ".join(f"`{chunk}`" for chunk in outcome["chunks"]) or "nothing"
    return f"{came}, then {'it ends well' if outcome['end'] == 'ends' else '`' + outcome['end'] + '`'}"


if __name__ == "__main__":
    sys.exit(main())
