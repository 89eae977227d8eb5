"""Intervals cover as often as they say, and equal batch sizes are rarely called different."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.intervals import (
    compare_with_best,
    detectable_difference,
    holm,
    paired_difference,
    seeds_to_detect,
    t_interval,
)


def test_the_t_interval_of_a_worked_example() -> None:
    # Mean 5, s = sqrt(10), s / sqrt(5) = sqrt(2), t(4, 0.975) = 2.776445.
    interval = t_interval([1.0, 3.0, 5.0, 7.0, 9.0])
    assert interval.mean == 5
    assert interval.low == pytest.approx(5 - 2.776445 * math.sqrt(2), abs=1e-6)
    assert interval.high == pytest.approx(5 + 2.776445 * math.sqrt(2), abs=1e-6)
    assert (interval.count, interval.confidence, interval.method) == (5, 0.95, "t")


def test_an_interval_of_one_value_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^A t interval needs at least 2 values, but got 1\.$"):
        t_interval([1.0])


@pytest.mark.parametrize("count", [2, 5, 20])
def test_the_t_interval_covers_the_mean_as_often_as_it_says(count: int) -> None:
    samples = np.random.default_rng(0).normal(3.0, 2.0, size=(2000, count))
    covered = [
        interval.low <= 3 <= interval.high
        for interval in (t_interval(sample.tolist()) for sample in samples)
    ]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


def test_the_paired_difference_equals_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=8), rng.normal(0.5, size=8)
    found = paired_difference(pd.Series(first), pd.Series(second))
    expected = stats.ttest_rel(first, second)
    assert found.p_value == pytest.approx(expected.pvalue)
    low, high = expected.confidence_interval(0.95)
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high))


def test_differences_are_taken_over_common_seeds() -> None:
    first = pd.Series({0: 1.0, 1: 2.0, 2: 9.0})
    second = pd.Series({1: 1.0, 0: 0.5, 3: -9.0})
    assert paired_difference(first, second).interval.mean == 0.75


def test_holm_adjusts_step_by_step_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def table_of(rng: np.random.Generator, shifts: list[float], seeds: int = 5) -> pd.DataFrame:
    shared = rng.normal(size=(seeds, 1))
    return pd.DataFrame(
        shared + rng.normal(size=(seeds, len(shifts))) + np.array(shifts),
        columns=[2**power for power in range(len(shifts))],
    )


@pytest.mark.parametrize(("columns", "least"), [(2, 0.025), (3, 0.01), (11, 0.005)])
def test_equal_batch_sizes_are_called_different_in_at_most_5_percent(
    columns: int, least: float
) -> None:
    rng = np.random.default_rng(2)
    wrong = [
        len(compare_with_best(table_of(rng, [0.0] * columns)).tied) < columns for _ in range(400)
    ]
    # Three standard errors of 400 simulations above 5%; more columns make the method cautious.
    assert least <= np.mean(wrong) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_a_correction_for_the_pairs_with_the_best_alone_would_not_hold() -> None:
    rng = np.random.default_rng(3)

    def naive(values: pd.DataFrame) -> bool:
        best = values[values.mean().idxmax()]
        others = values.drop(columns=values.mean().idxmax())
        return min(holm([paired_difference(best, others[c]).p_value for c in others])) <= 0.05

    assert np.mean([naive(table_of(rng, [0.0] * 11)) for _ in range(400)]) > 0.08


def test_a_large_difference_is_found() -> None:
    compared = compare_with_best(table_of(np.random.default_rng(4), [0.0, 0.0, -20.0]))
    assert compared.tied == (1, 2)
    assert compared.best in compared.tied
    assert compared.runner_up in compared.tied


def test_a_batch_size_that_is_always_worse_by_the_same_is_not_tied() -> None:
    compared = compare_with_best(pd.DataFrame({8: [0.9, 0.8, 0.7], 16: [0.8, 0.7, 0.6]}))
    assert compared.tied == (8,)
    assert compared.gap == pytest.approx(0.1)


def test_one_seed_tells_nothing_apart() -> None:
    compared = compare_with_best(pd.DataFrame({8: [0.9], 16: [0.1]}))
    assert (compared.tied, compared.tested, compared.more_seeds) == ((8, 16), False, None)
    assert math.isnan(compared.detectable)


def test_one_batch_size_is_compared_with_nothing() -> None:
    compared = compare_with_best(pd.DataFrame({8: [0.9, 0.8]}))
    assert (compared.best, compared.tied, compared.runner_up) == (8, (8,), None)
    assert math.isnan(compared.gap)


def test_without_common_seeds_nothing_is_told_apart() -> None:
    compared = compare_with_best(pd.DataFrame({8: [0.9, np.nan], 16: [np.nan, 0.1]}))
    assert compared.tied == (8, 16)
    assert math.isnan(compared.gap)
    assert not compared.tested


def test_seeds_needed_agree_with_the_power_of_the_t_test() -> None:
    differences = np.array([0.2, 1.1, 0.4, -0.6, 1.4])
    needed = seeds_to_detect(differences)
    assert needed is not None
    effect = differences.mean() / differences.std(ddof=1)
    noncentral = effect * math.sqrt(needed)
    critical = stats.t.ppf(0.975, needed - 1)
    assert stats.nct.sf(critical, needed - 1, noncentral) == pytest.approx(0.8, abs=0.03)


def test_seeds_needed_and_the_detectable_difference_are_inverse() -> None:
    differences = np.array([0.2, 1.1, 0.4, -0.6, 1.4])
    needed = seeds_to_detect(differences)
    assert needed is not None
    stretched = np.resize(differences - differences.mean(), 5 * needed)
    same_spread = stretched / stretched.std(ddof=1) * differences.std(ddof=1)
    gap = abs(differences.mean())
    assert detectable_difference(same_spread[:5]) > gap
    assert detectable_difference(same_spread) < gap


@pytest.mark.parametrize(
    "differences", [[0.5], [0.5, -0.5], [1e-9 + 1, 1e-9 - 1]], ids=["one", "zero", "hopeless"]
)
def test_how_many_seeds_would_do_is_sometimes_unknown(differences: list[float]) -> None:
    assert seeds_to_detect(differences) is None
