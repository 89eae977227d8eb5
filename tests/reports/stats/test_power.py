"""Differences are found as often as the power says, and no difference rarely."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reports.stats.intervals import detectable_accuracy_difference
from reports.stats.paired_tests import best_and_tied


def told_apart(rng: np.random.Generator, shift: float, seeds: int) -> float:
    """In how many of 200 studies two batch sizes differ that are so many standard errors apart."""
    # The studies are cases.
    values = rng.normal(0, 3, (seeds, 1, 200)) + rng.normal(0, 1, (seeds, 2, 200))
    values[:, 1] += shift * math.sqrt(2 / seeds)
    return float((~best_and_tied(values, 0.05)[1]).any(axis=0).mean())


@pytest.mark.parametrize("seeds", [5, 10])
def test_one_cell_under_two_names_is_rarely_called_different(seeds: int) -> None:
    # The test's level is 5% exactly, so about half of all sets of 200 studies have more than 10 by
    # chance: 21 have one in a thousand sets. benchmarks/bench_intervals.py counts 10,000.
    share = told_apart(np.random.default_rng(13), 0.0, seeds)
    assert 200 * share <= stats.binom.ppf(0.999, 200, 0.05) == 21


@pytest.mark.parametrize("seeds", [5, 10])
@pytest.mark.parametrize("shift", [2.0, 4.0])
def test_a_planted_difference_is_found_as_often_as_theory_says(seeds: int, shift: float) -> None:
    share = told_apart(np.random.default_rng(14), shift, seeds)
    power = float(stats.nct.sf(stats.t.ppf(0.975, seeds - 1), seeds - 1, shift))
    assert stats.binomtest(round(200 * share), 200, power).pvalue > 0.01


def test_an_accuracy_difference_that_is_detectable_is_found_four_times_in_five() -> None:
    gap, rng = detectable_accuracy_difference(0.9, 2_000), np.random.default_rng(15)
    first = rng.binomial(2_000, 0.9 - gap / 2, 4_000) / 2_000
    second = rng.binomial(2_000, 0.9 + gap / 2, 4_000) / 2_000
    pooled = (first + second) / 2
    statistic = (second - first) / np.sqrt(2 * pooled * (1 - pooled) / 2_000)
    assert np.mean(statistic > stats.norm.ppf(0.975)) == pytest.approx(0.8, abs=0.02)
