"""How streams end, in short: a few cells of the matrix of exits, whose whole is ``python -m tests.exits``."""

from __future__ import annotations

import pytest

from tests.exits.matrix import Cell, short_form
from tests.exits.run import run

pytestmark = pytest.mark.socket


@pytest.mark.parametrize("cell", short_form(), ids=str)
def test_a_way_out(cell: Cell) -> None:
    """However a stream is left: the outcome, what is read on, the connection and what is left are by contract."""
    assert run(cell).problems == []
