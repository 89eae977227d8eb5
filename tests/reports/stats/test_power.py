"""Differences are found as often as the power says, and no difference rarely."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.stats.intervals import (
    compare_with_best,
    detectable_accuracy_difference,
    detectable_difference,
)


def power_to_detect(standard_errors: float, count: int, tail: float) -> float:
    return float(stats.nct.sf(stats.t.ppf(1 - tail, count - 1), count - 1, standard_errors))


@pytest.mark.parametrize("tail", [0.05, 0.05 / 110])
@pytest.mark.parametrize("seeds", [2, 5, 10])
def test_the_detectable_difference_is_found_four_times_in_five(seeds: int, tail: float) -> None:
    sample = np.resize([1.0, 0.0], seeds)
    standard_error = sample.std(ddof=1) / math.sqrt(seeds)
    gap = detectable_difference(sample, tail)
    assert power_to_detect(gap / standard_error, seeds, tail) == pytest.approx(0.8, abs=1e-3)


def studies(rng: np.random.Generator, shift: float, seeds: int) -> list[pd.DataFrame]:
    """Return 200 studies of two batch sizes that differ by this many standard errors."""
    tables = []
    for _ in range(200):
        shared, noise = rng.normal(0, 3, seeds), rng.normal(0, 1, (seeds, 2))
        noise[:, 1] += shift * math.sqrt(2 / seeds)
        tables.append(pd.DataFrame(shared[:, None] + noise, columns=[8, 16]))
    return tables


def told_apart(tables: list[pd.DataFrame]) -> float:
    return float(np.mean([len(compare_with_best(table).tied) == 1 for table in tables]))


@pytest.mark.parametrize("seeds", [5, 10])
def test_one_cell_under_two_names_is_rarely_called_different(seeds: int) -> None:
    # The test's level is 5% exactly, so about half of all sets of 200 studies have more than 10 by
    # chance: 21 have one in a thousand sets. benchmarks/bench_intervals.py counts 10,000.
    share = told_apart(studies(np.random.default_rng(13), 0.0, seeds))
    assert 200 * share <= stats.binom.ppf(0.999, 200, 0.05) == 21


@pytest.mark.parametrize("seeds", [5, 10])
@pytest.mark.parametrize("shift", [2.0, 4.0])
def test_a_planted_difference_is_found_as_often_as_theory_says(seeds: int, shift: float) -> None:
    share = told_apart(studies(np.random.default_rng(14), shift, seeds))
    power = power_to_detect(shift, seeds, 0.025)
    assert stats.binomtest(round(200 * share), 200, power).pvalue > 0.01


def test_an_accuracy_difference_that_is_detectable_is_found_four_times_in_five() -> None:
    gap, rng = detectable_accuracy_difference(0.9, 2_000), np.random.default_rng(15)
    first = rng.binomial(2_000, 0.9 - gap / 2, 4_000) / 2_000
    second = rng.binomial(2_000, 0.9 + gap / 2, 4_000) / 2_000
    pooled = (first + second) / 2
    statistic = (second - first) / np.sqrt(2 * pooled * (1 - pooled) / 2_000)
    assert np.mean(statistic > stats.norm.ppf(0.975)) == pytest.approx(0.8, abs=0.02)
