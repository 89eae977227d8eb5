"""What answers to every goal are made of."""

from __future__ import annotations

import pandas as pd
import pytest

from reports.recommend.answer_parts import run_around, seeds_needed
from reports.stats.bounds import Ends
from reports.stats.power import separate


def test_a_gap_ends_a_range() -> None:
    assert run_around([1, 2, 4, 8], {1, 2, 8}, 2) == Ends(1, 2)
    assert run_around([1, 2, 4, 8], {8}, 8) == Ends(8, 8)


@pytest.mark.parametrize(
    ("differences", "text"),
    [
        ([0.2, 1.1, 0.4, -0.6, 1.4], "about 17 more seeds to be sure"),
        ([1.001, -1.0], "more than 1,000 seeds to be sure"),
        ([1.0, 1.1], "about 1 more seed to be sure"),
    ],
)
def test_the_seeds_it_takes_are_counted_or_too_many(differences: list[float], text: str) -> None:
    apart = separate(pd.DataFrame({8: 0.0, 16: differences}), 8, 16, tail=0.025)
    assert apart is not None
    assert seeds_needed(apart, "to be sure") == text
