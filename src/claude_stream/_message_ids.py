"""The ids of messages that tests build: each message has its own, and a test gives the same ones at every run.

The law: within a test they are counted from 1, whatever ran before it. What is built outside of one, where a module
is imported, say, may be used by many tests: it is counted for the process, under names of its own, so that two
messages that can meet never share an id. The pytest plugin says where a test begins and ends. It is loaded whenever
pytest starts, and so is this module, which loads nothing.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator


class MessageIds:
    """Gives ids: ``msg_test_1``, ``msg_test_2`` and so on in a test, ``msg_built_1`` and so on outside of one."""

    def __init__(self) -> None:
        self._outside = map("msg_built_{}".format, itertools.count(1))
        self._now = self._outside

    def next(self) -> str:
        """Return the next id."""
        return next(self._now)

    def begin_test(self) -> None:
        """Count from 1."""
        self._now = map("msg_test_{}".format, itertools.count(1))

    def end_test(self) -> None:
        """Count what belongs to no test."""
        self._now = self._outside

    @contextlib.contextmanager
    def shared(self) -> Generator[None]:
        """Count what is built in the middle of a test, and belongs to others as well."""
        before, self._now = self._now, self._outside
        try:
            yield
        finally:
            self._now = before


message_ids = MessageIds()
"""Those of this process."""
