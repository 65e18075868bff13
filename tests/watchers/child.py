"""Runs the scenarios of one package in the environment that it was installed in, and prints the results as JSON.

The law: nothing leaves the process. A socket that wants out is refused, whatever the package says of it.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import logging
import socket
import sys
import warnings
from typing import Any

from tests.watchers.packages import PACKAGES
from tests.watchers.scenarios import run_all


def _refuse(*_: Any) -> None:
    raise ConnectionRefusedError("no network here")


def main(name: str, *ways: str) -> None:
    """Print the versions and the results of one package, read in some ways, or in all that there are with it."""
    socket.socket.connect = socket.socket.connect_ex = _refuse
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    package = PACKAGES[name]()
    results = [dataclasses.asdict(result) for result in run_all(package, ways or package.ways)]
    distribution = package.requirements[0]
    versions = {each: importlib.metadata.version(each) for each in (distribution, "anthropic")}
    print(json.dumps({"versions": versions, "results": results}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
