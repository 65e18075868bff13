"""The pytest plugin: one fixture, `claude_replay`, and the ids of `message_events`. It loads neither SDK nor library.

The law: it changes nothing that a test can see, but that the ids are counted from 1 in each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from ._message_ids import message_ids

if TYPE_CHECKING:
    from .testing import ClaudeReplay


@pytest.fixture
def claude_replay(request: pytest.FixtureRequest) -> ClaudeReplay:
    """Make clients that answer from the recordings in the folder ``recordings`` beside the test file."""
    from .testing import ClaudeReplay  # noqa: PLC0415 - see above

    return ClaudeReplay(request.path.parent / "recordings")


# The wrappers are of the older kind, which every pytest knows: this runs in everybody's.


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin to count. What runs a test again calls this again, too."""
    message_ids.begin_test()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Count until the fixtures of the test are gone."""
    yield
    message_ids.end_test()


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
    """Keep the messages of a fixture for several tests apart from those of the test that happens to come first."""
    if fixturedef.scope == "function":
        yield
    else:
        with message_ids.shared():
            yield
