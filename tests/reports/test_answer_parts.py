"""What answers to every goal are made of."""

from __future__ import annotations

from reports.answer_parts import run_around
from reports.ends import Ends


def test_a_gap_ends_a_range() -> None:
    assert run_around([1, 2, 4, 8], {1, 2, 8}, 2) == Ends(1, 2)
    assert run_around([1, 2, 4, 8], {8}, 8) == Ends(8, 8)
