"""The pytest plugin: one fixture, `claude_replay`, and nothing else. It is loaded without the SDK and the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import ClaudeReplay


@pytest.fixture
def claude_replay(request: pytest.FixtureRequest) -> ClaudeReplay:
    """Make clients that answer from the recordings in the folder ``recordings`` beside the test file."""
    from .testing import ClaudeReplay  # noqa: PLC0415 - see above

    return ClaudeReplay(request.path.parent / "recordings")
