"""The soak in short: a few hundred streams over faulty connections. The whole is ``python -m tests.soak``."""

from __future__ import annotations

import pytest

from tests.soak.faults import BODY, EVENTS, FRAMES, _whole_events
from tests.soak.rounds import soak

SEED = 20


@pytest.mark.socket
@pytest.mark.slow
def test_streams_over_faulty_connections() -> None:
    """Each ends as its fault says or is left, in every mode, and nothing is left behind. The seed is printed."""
    report = soak(SEED, streams=360, size=120)
    assert report.problems == []
    assert report.streams == 360
    assert len(report.by_fault) > 25


def test_the_events_in_front_of_a_place_are_counted() -> None:
    """What must have come in front of a cut is what is whole there."""
    assert [_whole_events(at) for at in (0, len(FRAMES[0]) - 1, len(FRAMES[0]), len(BODY))] == [0, 0, 1, len(EVENTS)]
