"""The ids of messages: each its own, and the same ones in each test."""

from __future__ import annotations

import pytest

from claude_stream._message_ids import MessageIds


def test_each_test_counts_from_one() -> None:
    """Whatever was counted before a test, and in it, the next one gets the same ids."""
    ids = MessageIds()
    for count in (1, 3, 2):
        ids.begin_test()
        assert [ids.next() for _ in range(count)] == [f"msg_test_{number}" for number in range(1, count + 1)]
        ids.end_test()
        ids.next()


def test_outside_of_tests_no_id_comes_twice() -> None:
    """What belongs to no test, or to several, is counted on and on, and never shares an id with that of a test."""
    ids = MessageIds()
    seen = [ids.next(), ids.next()]
    for _ in range(2):
        ids.begin_test()
        with ids.shared():
            seen.append(ids.next())
        assert ids.next() == "msg_test_1"
        ids.end_test()
        seen.append(ids.next())
    assert seen == [f"msg_built_{number}" for number in range(1, 7)]


def test_a_test_that_runs_again_begins_again() -> None:
    """What runs a failed test once more need not have ended it."""
    ids = MessageIds()
    for _ in range(2):
        ids.begin_test()
        assert ids.next() == "msg_test_1"


def test_a_shared_fixture_that_fails() -> None:
    """The count of the test goes on behind it."""
    ids = MessageIds()
    ids.begin_test()
    with pytest.raises(ZeroDivisionError), ids.shared():
        raise ZeroDivisionError
    assert ids.next() == "msg_test_1"
