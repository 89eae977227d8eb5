"""Intervals cover as often as they say."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.stats.intervals import (
    fieller_interval,
    medians,
    paired_difference,
    pool,
    rank_of_end,
    t_interval,
)


def test_the_t_interval_of_a_worked_example() -> None:
    # Mean 5, s = sqrt(10), s / sqrt(5) = sqrt(2), t(4, 0.975) = 2.776445.
    interval = t_interval([1.0, 3.0, 5.0, 7.0, 9.0])
    assert interval.mean == 5
    assert interval.low == pytest.approx(5 - 2.776445 * math.sqrt(2), abs=1e-6)
    assert interval.high == pytest.approx(5 + 2.776445 * math.sqrt(2), abs=1e-6)
    assert (interval.count, interval.method) == (5, "t")


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
    result = paired_difference(pd.Series(first), pd.Series(second))
    expected = stats.ttest_rel(first, second)
    low, high = expected.confidence_interval(0.95)
    assert (result.low, result.high) == pytest.approx((low, high))


def test_differences_are_taken_over_common_seeds() -> None:
    first = pd.Series({0: 1.0, 1: 2.0, 2: 9.0})
    second = pd.Series({1: 1.0, 0: 0.5, 3: -9.0})
    assert paired_difference(first, second).mean == 0.75


def test_pairing_by_seed_removes_what_seeds_share() -> None:
    rng = np.random.default_rng(7)
    shared = pd.Series(rng.normal(0, 10, 8))
    first, second = shared + rng.normal(1, 0.1, 8), shared + rng.normal(0, 0.1, 8)
    assert paired_difference(first, second).low > 0.8
    assert t_interval(first.tolist()).low < t_interval(second.tolist()).high


def test_fiellers_ends_are_where_the_t_test_of_the_ratio_turns() -> None:
    rng = np.random.default_rng(8)
    numerators, denominators = rng.normal(50, 5, 12), rng.normal(2, 0.7, 12)
    result = fieller_interval(numerators, denominators)
    assert result.resolved
    assert result.low < result.ratio < result.high
    for end in (result.low, result.high):
        # At either end the hypothesis that the ratio is `end` has a p value of 5%.
        test = stats.ttest_1samp(numerators - end * denominators, 0)
        assert test.pvalue == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_unresolved_ratio_is_at_least_where_the_t_test_turns(sign: int) -> None:
    numerators, denominators = np.array([48.0, 50, 52, 51]), np.array([-1.0, 4.0, 2.0, 0.5])
    result = fieller_interval(sign * numerators, denominators)
    assert not result.resolved
    inner = result.low if sign > 0 else result.high
    assert (result.high if sign > 0 else result.low) == sign * math.inf
    assert inner * sign > 0
    test = stats.ttest_1samp(sign * numerators - inner * denominators, 0)
    assert test.pvalue == pytest.approx(0.05, rel=1e-6)


def test_if_both_means_may_be_zero_every_ratio_is_possible() -> None:
    result = fieller_interval([-50.0, 40.0, 30.0], [-1.0, 1.0, 0.5])
    assert (result.low, result.high, result.resolved) == (-math.inf, math.inf, False)


@pytest.mark.parametrize(
    ("numerators", "denominators", "ratio"),
    [([1.0, 1.0], [2.0, 2.0], 0.5), ([1.0, 1.0], [1.0, -1.0], math.inf)],
)
def test_ratios_without_spread_or_denominator(
    numerators: list[float], denominators: list[float], ratio: float
) -> None:
    assert fieller_interval(numerators, denominators).ratio == ratio


def test_nothing_by_nothing_is_no_number() -> None:
    result = fieller_interval([0.0, 0.0], [0.0, 0.0])
    assert math.isnan(result.ratio)
    assert (result.low, result.high, result.resolved) == (-math.inf, math.inf, False)


@pytest.mark.parametrize(
    ("interval", "values", "message"),
    [
        (t_interval, ([1.0],), "at least 2 values, but got 1"),
        (fieller_interval, ([1.0], [1.0]), "at least 2 values, but got 1"),
        (fieller_interval, ([1.0, 2.0], [1.0]), "`numerators` .*`denominators` .* 2 and 1 values"),
        (paired_difference, (pd.Series({0: 1.0, 1: 2.0}), pd.Series({1: 1.0, 2: 2.0})), "got 1"),
    ],
)
def test_too_few_measurements_are_refused(
    interval: Callable[..., object], values: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        interval(*values)


# The noise scale is 201 in all cases: trace 201, squared norm 1, both estimated from several
# batches of several hundred gradients. The more noise, the less the squared norm is resolved.
NOISE_SCALE = 201.0


def measured(
    rng: np.random.Generator, count: int, noise: float, simulations: int = 1_000
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return trace and squared norm, with the covariance that two-batch estimates have."""
    covariance = [[20.0**2, -0.3 * 20 * noise], [-0.3 * 20 * noise, noise**2]]
    drawn = rng.multivariate_normal([NOISE_SCALE, 1.0], covariance, (simulations, count))
    return [(sample[:, 0], sample[:, 1]) for sample in drawn]


@pytest.mark.parametrize(("count", "noise"), [(5, 0.3), (20, 0.5), (5, 2.0), (10, 6.0), (3, 1.0)])
def test_fiellers_interval_covers_resolved_and_unresolved_ratios(count: int, noise: float) -> None:
    result = [fieller_interval(*pair) for pair in measured(np.random.default_rng(9), count, noise)]
    covered = [interval.low <= NOISE_SCALE <= interval.high for interval in result]
    assert 0.93 <= np.mean(covered) <= 0.97
    resolved = np.mean([interval.resolved for interval in result])
    assert resolved > 0.9 if noise < 1 else resolved < 0.6


@pytest.mark.parametrize(("count", "noise"), [(5, 2.0), (10, 6.0)])
def test_linearised_intervals_fail_where_the_denominator_is_not_resolved(
    count: int, noise: float
) -> None:
    covered = []
    for numerators, denominators in measured(np.random.default_rng(10), count, noise):
        ratio = numerators.mean() / denominators.mean()
        residuals = (numerators - ratio * denominators) / denominators.mean()
        interval = t_interval((ratio + residuals - residuals.mean()).tolist())
        covered.append(interval.low <= NOISE_SCALE <= interval.high)
    assert np.mean(covered) < 0.93


def test_other_ways_to_divide_are_biased() -> None:
    pairs = measured(np.random.default_rng(11), 400, 2.0, simulations=50)
    together = np.median([fieller_interval(*pair).ratio for pair in pairs])
    clipped = np.median([n.mean() / np.maximum(d, 0).mean() for n, d in pairs])
    each = np.median([np.median(n / d) for n, d in pairs])
    assert together == pytest.approx(NOISE_SCALE, rel=0.05)
    assert clipped < 0.8 * NOISE_SCALE
    assert each < 0.6 * NOISE_SCALE


def test_the_naive_ratio_hands_back_the_batch_size_used() -> None:
    rng, dimensions = np.random.default_rng(12), 50
    truth = np.full(dimensions, math.sqrt(1 / dimensions))
    spread = math.sqrt(NOISE_SCALE / dimensions)
    for batch in (4, 16, 64):
        naive, traces, norms = [], [], []
        for _ in range(400):
            gradients = truth + rng.normal(0, spread, (batch, dimensions))
            each, mean = np.square(gradients).sum(axis=1).mean(), gradients.mean(axis=0)
            length = float(mean @ mean)
            naive.append((each - length) / length)
            traces.append((each - length) * batch / (batch - 1))
            norms.append((batch * length - each) / (batch - 1))
        # (B - 1)/B tr / (|G|^2 + tr/B)
        handed_back = (batch - 1) / (1 + batch / NOISE_SCALE)
        assert np.median(naive) == pytest.approx(handed_back, rel=0.1)
        result = fieller_interval(traces, norms)
        assert result.low < NOISE_SCALE < result.high


def test_every_group_has_its_median_and_the_values_that_end_its_interval() -> None:
    few, many = [3.0, 1.0, 2.0], [9.0, 1, 8, 2, 7, 3, 6, 4, 5, math.inf]
    runs = pd.DataFrame({"size": [8] * 3 + [16] * 10, "updates": few + many})
    table = medians(runs, ["size"], "updates")
    assert table["median"].tolist() == [2.0, 5.5]
    assert table["low"].isna().tolist() == [True, False]
    assert table.loc[16, ["low", "high"]].tolist() == [2.0, 9.0]


def test_a_median_of_mostly_missing_runs_is_infinite() -> None:
    runs = pd.DataFrame({"size": 8, "updates": [1.0, 2.0, 3.0, *[math.inf] * 3]})
    assert medians(runs, ["size"], "updates")["median"].tolist() == [math.inf]


@pytest.mark.parametrize("count", [6, 10, 25])
def test_the_interval_covers_the_median_as_often_as_it_says(count: int) -> None:
    samples = np.sort(np.random.default_rng(0).exponential(size=(20_000, count)), axis=1)
    rank, median = rank_of_end(count), math.log(2)
    covered = ((samples[:, rank - 1] <= median) & (median <= samples[:, count - rank])).mean()
    narrower = ((samples[:, rank] <= median) & (median <= samples[:, count - rank - 1])).mean()
    assert covered >= 0.945
    assert narrower < 0.95


def test_effects_that_agree_have_the_error_of_equal_true_effects() -> None:
    mean, error = pool([0.1, 0.1, 0.1], [0.01, 0.02, 0.02])
    assert mean == pytest.approx(0.1)
    assert error == pytest.approx(1 / math.sqrt(10_000 + 2 * 2_500))


def test_effects_that_differ_have_the_error_of_their_own_spread() -> None:
    effects = [0.1, 0.2, 0.6]
    mean, error = pool(effects, [1e-4] * 3)
    assert mean == pytest.approx(0.3, rel=1e-3)
    assert error == pytest.approx(np.std(effects, ddof=1) / math.sqrt(3), rel=1e-3)


def test_a_vague_effect_counts_little() -> None:
    mean, _ = pool([0.1, 0.1, 0.9], [0.01, 0.01, 5.0])
    assert mean == pytest.approx(0.1, abs=1e-3)


def test_effects_without_errors_are_averaged() -> None:
    assert pool([0.0, 1.0], [0.0, 0.0]) == pytest.approx((0.5, 0.5))
    assert pool([0.3, 0.3], [0.0, 0.0])[0] == pytest.approx(0.3)
