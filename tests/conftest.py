"""Fixtures, and the option that names a folder with recordings.

Write it with ``=``: ``pytest --claude-recordings=FOLDER``. Behind a space, pytest takes a folder outside of the project
for a path to tests before it has read this file, and looks for its configuration there.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import MODES, Mode

# A busy machine is no failure. What CI says of a commit does not depend on luck; every other run looks further.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("suite")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--claude-recordings",
        metavar="DIR",
        type=Path,
        help="a folder with recorded response bodies (*.sse), each of which goes through everything",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "recorded_body" in metafunc.fixturenames:
        folder = metafunc.config.getoption("--claude-recordings")
        if folder is None:
            skipped = pytest.param(None, marks=pytest.mark.skip("no folder given with --claude-recordings"))
            metafunc.parametrize("recorded_body", [skipped], ids=["none"])
            return
        files = sorted(folder.glob("*.sse"))
        if not files:
            raise pytest.UsageError(f"--claude-recordings {folder}: no *.sse files there")
        metafunc.parametrize("recorded_body", [file.read_bytes() for file in files], ids=[file.stem for file in files])


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    """Runs the test in sync, on asyncio and on trio."""
    return Mode(request.param)
