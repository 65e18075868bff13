"""One SDK with its own tests: the sdist, an environment, and a run of pytest in it.

The law: nothing of the SDK's goes into this project's tree. What is downloaded and installed stays in a folder of the
user's cache, and is made once for each SDK and Python.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.environments import PROJECT, install, make_venv, run_pip
from tests.sdk_suite.compare import Outcome, outcomes

PLUGIN = Path(__file__).parent / "plugin"

PACKAGES = (
    "dirty-equals",
    "http-snapshot[httpx]",
    "hypothesis",
    "importlib-metadata",
    "inline-snapshot",
    "opentelemetry-sdk",
    "packaging",
    "pytest",
    "pytest-asyncio",
    "pytest-reportlog",  # the results, for us
    "pytest-xdist",
    "respx",
    "rich",
    "time-machine",
)
"""What the SDK's tests import, in the versions of the SDK's own `requirements-dev.lock`."""

SCOPE = (
    "tests/lib/_parse",
    "tests/lib/streaming",
    "tests/lib/test_client_copy.py",
    "tests/lib/test_output_format_helpers.py",
    "tests/lib/test_refusal_fallback*.py",
    "tests/lib/test_scoped_client.py",
    "tests/lib/test_stainless_helpers.py",
    "tests/lib/threads/test_*tool_runner*.py",
    "tests/lib/tools/test_open_telemetry.py",
    "tests/lib/tools/test_runner*.py",
    "tests/lib/tools/toolsets/test_*runner.py",
    "tests/test_*response.py",
    "tests/test_middleware.py",
    "tests/test_open_telemetry.py",
    "tests/test_streaming.py",
    "tests/test_tracing.py",
)
"""The tests of streams, parsing, the tool runner, traces, responses, and of copies of clients."""

LEFT_OUT = {
    "tests/api_resources": "needs a mock server of the whole API",
    "tests/test_detect_breaking_changes.py": "is about a script of the SDK's repository, which is not in its sdist",
}
"""Tests that are not run, and why."""

TIMEOUT = 1800.0
"""Seconds that one run of pytest may take."""


@dataclasses.dataclass(frozen=True)
class Environment:
    """An SDK, its tests, and a Python that has both this library and what those tests need."""

    sdk: str
    folder: Path
    python: Path

    @property
    def sources(self) -> Path:
        return self.folder / "sdist" / f"anthropic-{self.sdk}"

    @classmethod
    def make(cls, sdk: str, folder: Path) -> Environment:
        """Return the environment of an SDK in a folder, made there if there is none."""
        folder /= f"{sdk}-py{sys.version_info.major}.{sys.version_info.minor}"
        made = cls(sdk, folder, make_venv(folder))
        done = folder / "made"
        if not done.exists():
            made._unpack()
            lock = (made.sources / "requirements-dev.lock").read_text(encoding="utf-8")
            constraints = folder / "constraints.txt"
            constraints.write_text("\n".join(line for line in lock.splitlines() if not line.startswith("-e")))
            own = f"anthropic[aiohttp,bedrock,mcp,vertex]=={sdk}"
            install(made.python, f"--constraint={constraints}", own, *PACKAGES)
            done.touch()
        install(made.python, "--no-deps", f"--editable={PROJECT}")  # the environment may be another checkout's
        return made

    def _unpack(self) -> None:
        folder = self.sources.parent
        pip = [self.python, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary=anthropic"]
        run_pip([*pip, f"--dest={folder}", f"anthropic=={self.sdk}"])
        with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")

    def scope(self) -> list[str]:
        """Return those paths of `SCOPE` that this SDK has."""
        found = (path for pattern in SCOPE for path in self.sources.glob(pattern))
        return sorted(str(path.relative_to(self.sources)) for path in found)

    def run(self, tests: Sequence[str], *, wrapped: bool, jobs: int) -> dict[str, Outcome]:
        """Run tests of the SDK's, plain or on wrapped clients, and return what came of each."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC_", "PYTEST"))}
        command: list[object] = [self.python, "-m", "pytest", "--quiet", f"--numprocesses={jobs}"]
        command += ["-o", "truncation_limit_lines=0", "-o", "truncation_limit_chars=0"]  # reasons look at all of it
        command += ["--continue-on-collection-errors", *(f"--ignore={path}" for path in LEFT_OUT)]
        if wrapped:
            variables["PYTHONPATH"] = str(PLUGIN)
            command += ["-p", "wrapped_clients"]
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.jsonl"
            ran = subprocess.run(
                [*map(str, command), f"--report-log={report}", *tests],
                check=False,
                cwd=self.sources,
                env=variables,
                timeout=TIMEOUT,
                capture_output=True,
                text=True,
            )
            if not report.exists() or ran.returncode not in (0, 1):  # all passed, some failed; the rest is no run
                raise RuntimeError(f"pytest ended with {ran.returncode}:\n{ran.stdout[-3000:]}{ran.stderr[-3000:]}")
            return outcomes(report)
