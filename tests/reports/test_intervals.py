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
    separate,
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
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((low, high))


def test_differences_are_taken_over_common_seeds() -> None:
    first = pd.Series({0: 1.0, 1: 2.0, 2: 9.0})
    second = pd.Series({1: 1.0, 0: 0.5, 3: -9.0})
    assert paired_difference(first, second).mean == 0.75


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


@pytest.mark.parametrize("columns", [2, 3, 11])
@pytest.mark.parametrize("spread", [1, 4])
@pytest.mark.parametrize("reference", [1, None], ids=["chosen before", "chosen here"])
def test_equal_batch_sizes_are_called_worse_in_at_most_5_percent(
    columns: int, spread: int, reference: int | None
) -> None:
    rng = np.random.default_rng(2)
    scales = np.linspace(1, spread, columns)
    wrong = [
        len(compare_with_best(table_of(rng, [0.0] * columns) * scales, reference).tied) < columns
        for _ in range(400)
    ]
    # Three standard errors of 400 simulations above 5%.
    assert np.mean(wrong) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_the_family_wise_error_is_near_5_percent_if_the_best_was_chosen_before() -> None:
    rng = np.random.default_rng(5)
    wrong = [len(compare_with_best(table_of(rng, [0.0] * 11), 1).tied) < 11 for _ in range(1000)]
    assert np.mean(wrong) == pytest.approx(0.05, abs=0.025)


def test_a_correction_for_the_pairs_with_a_best_chosen_here_would_not_hold() -> None:
    rng = np.random.default_rng(3)

    def naive(values: pd.DataFrame) -> bool:
        best = values.mean().idxmax()
        others = values.columns.drop(best)
        return min(holm([stats.ttest_rel(values[best], values[c]).pvalue for c in others])) <= 0.05

    assert np.mean([naive(table_of(rng, [0.0] * 11)) for _ in range(400)]) > 0.08


@pytest.mark.parametrize("reference", [1, None])
def test_a_large_difference_is_found(reference: int | None) -> None:
    values = table_of(np.random.default_rng(4), [0.0, 0.0, -20.0])
    assert compare_with_best(values, reference).tied == (1, 2)


def test_a_best_chosen_before_finds_what_one_chosen_here_does_not() -> None:
    values = table_of(np.random.default_rng(4), [0.0] * 10 + [-6.0])
    assert len(compare_with_best(values, 1).tied) < len(compare_with_best(values).tied)


def test_a_batch_size_better_than_the_best_is_tied_with_it() -> None:
    values = table_of(np.random.default_rng(4), [0.0, 20.0])
    assert compare_with_best(values, 1).tied == (1, 2)


@pytest.mark.parametrize(("reference", "tied"), [(8, (8,)), (16, (8, 16)), (None, (8,))])
def test_a_batch_size_that_is_always_worse_by_the_same_is_not_tied(
    reference: int | None, tied: tuple[int, ...]
) -> None:
    values = pd.DataFrame({8: [0.75, 0.5, 0.25], 16: [0.5, 0.25, 0.0]})
    assert compare_with_best(values, reference).tied == tied


def test_one_seed_tells_nothing_apart() -> None:
    compared = compare_with_best(pd.DataFrame({8: [0.9], 16: [0.1]}))
    assert (compared.tied, compared.tested) == ((8, 16), False)


def test_one_batch_size_is_compared_with_nothing() -> None:
    compared = compare_with_best(pd.DataFrame({8: [0.9, 0.8]}))
    assert (compared.best, compared.tied, compared.tested) == (8, (8,), False)


def test_without_common_seeds_nothing_is_told_apart() -> None:
    values = pd.DataFrame({8: [0.9, np.nan], 16: [np.nan, 0.1]})
    compared = compare_with_best(values)
    assert (compared.tied, compared.tested) == ((8, 16), False)
    assert separate(values, 8, 16, compared.tail) is None


@pytest.mark.parametrize(("reference", "tail"), [(1, 0.05 / 2), (None, 0.05 / 2 / 3)])
def test_the_strictest_tail_is_that_of_holms_first_test(reference: int | None, tail: float) -> None:
    values = table_of(np.random.default_rng(4), [0.0] * 3)
    assert compare_with_best(values, reference).tail == pytest.approx(tail)


DIFFERENCES = np.array([0.2, 1.1, 0.4, -0.6, 1.4])


def test_a_separation_is_second_minus_first() -> None:
    values = pd.DataFrame({8: np.zeros(5), 16: DIFFERENCES})
    found = separate(values, 8, 16, tail=0.025)
    assert found is not None
    assert found.difference.mean == pytest.approx(0.5)
    needed = seeds_to_detect(DIFFERENCES, tail=0.025)
    assert needed is not None
    assert found.more_seeds == needed - 5
    assert found.detectable == detectable_difference(DIFFERENCES, tail=0.025)


@pytest.mark.parametrize("tail", [0.025, 0.05 / 10])
def test_seeds_needed_agree_with_the_power_of_the_t_test(tail: float) -> None:
    needed = seeds_to_detect(DIFFERENCES, tail)
    assert needed is not None
    effect = DIFFERENCES.mean() / DIFFERENCES.std(ddof=1)
    critical = stats.t.ppf(1 - tail, needed - 1)
    power = stats.nct.sf(critical, needed - 1, effect * math.sqrt(needed))
    assert power == pytest.approx(0.8, abs=0.03)


def test_seeds_needed_and_the_detectable_difference_are_inverse() -> None:
    needed = seeds_to_detect(DIFFERENCES, 0.025)
    assert needed is not None
    spread = DIFFERENCES.std(ddof=1)

    def detectable(count: int) -> float:
        sample = np.resize([1.0, -1.0], count)
        return detectable_difference(sample / sample.std(ddof=1) * spread, 0.025)

    assert detectable(needed) <= DIFFERENCES.mean() < detectable(needed - 1)


@pytest.mark.parametrize("differences", [[0.5, -0.5], [1.001, -1.0]], ids=["zero", "hopeless"])
def test_how_many_seeds_would_do_is_sometimes_unknown(differences: list[float]) -> None:
    assert seeds_to_detect(differences, 0.025) is None
