"""Shows with each failure which fact it was, and what of ours builds on it."""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        report.sections.append(("a fact of the SDK that holds no more", inspect.getdoc(item.function) or ""))
    return report
