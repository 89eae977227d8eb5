"""Intervals of products and inverses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reports.stats.bounds import Ends, product_interval


@pytest.mark.parametrize(
    ("ends", "inverse"), [(Ends(2, 4), (0.25, 0.5)), (Ends(0, math.inf), (0, math.inf))]
)
def test_the_interval_of_an_inverse(ends: Ends, inverse: tuple[float, float]) -> None:
    assert ends.inverse() == inverse


def test_the_interval_of_a_product_covers_as_often_as_those_of_its_factors() -> None:
    rng, covered = np.random.default_rng(0), []
    for first, second in rng.normal(0, [0.1, 0.3], (2_000, 2)):
        ends = product_interval(
            [math.exp(first), math.exp(second)],
            [
                Ends(math.exp(middle - 1.96 * sd), math.exp(middle + 1.96 * sd))
                for middle, sd in ((first, 0.1), (second, 0.3))
            ],
        )
        covered.append(ends.low <= 1 <= ends.high)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


def test_an_open_end_stays_open() -> None:
    assert product_interval([2, 3], [Ends(0, 4), Ends(2, math.inf)]) == (0, math.inf)


def test_an_interval_that_leaves_its_value_out_adds_no_distance_there() -> None:
    ends = product_interval([8.0, 1.0], [Ends(10, math.inf), Ends(0.5, 2)])
    assert ends.low == pytest.approx(4)
