"""Fixtures, and the option that names a folder with recordings.

Write it with ``=``: ``pytest --claude-recordings=FOLDER``. Behind a space, pytest takes a folder outside of the project
for a path to tests before it has read this file, and looks for its configuration there.
"""

from __future__ import annotations

import gc
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.clocks import Timeless
from tests.nets import Net
from tests.support import MODES, PATIENCE, Mode

# A busy machine is no failure. What CI says of a commit does not depend on luck; every other run looks further.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("suite")

platform.processor()  # which older SDKs ask for, and Python finds out by a process, once


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


@pytest.fixture(params=MODES)
def timeless(request: pytest.FixtureRequest) -> Timeless:
    """Runs the test in sync, on asyncio and on trio, with a clock that only waiting moves, and without waiting."""
    return Timeless(request.param)


@pytest.fixture(scope="module")
def plain() -> Net:
    """Runs the test over plain HTTP."""
    return Net(tls=False)


@pytest.fixture(scope="module", params=[False, True], ids=["http", "https"])
def net(request: pytest.FixtureRequest) -> Net:
    """Runs the test over plain HTTP and over TLS."""
    return Net(tls=request.param)


@pytest.fixture(scope="module", autouse=True)
def only_new_garbage() -> None:
    """Makes `gc.collect` look at nothing older than the module's tests, which takes 0.1 s off each."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def patient_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives a response all the time that a busy server needs for its end, so that its connection is used again."""
    monkeypatch.setattr("claude_stream._drive.live.DRAIN_SECONDS", PATIENCE)


# -- marks --

_MARK_OF = {"socket.connect": "socket", "subprocess.Popen": "process"}
_allowed: set[str] = set(_MARK_OF.values())  # of the test that runs
_unmarked: list[str] = []


def _look(event: str, args: tuple[object, ...]) -> None:
    mark = _MARK_OF.get(event)
    if mark is not None and mark not in _allowed:
        _unmarked.append(f"{event}{args}")


sys.addaudithook(_look)


@pytest.fixture(autouse=True)
def marked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that needs a socket or starts a process, and does not say so by its mark."""
    _allowed.clear()
    _allowed.update(mark.name for mark in request.node.iter_markers())
    yield
    _allowed.update(_MARK_OF.values())
    found = _unmarked.copy()
    _unmarked.clear()
    assert found == [], "a mark is missing: see `markers` in pyproject.toml"
