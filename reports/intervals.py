"""What a handful of seeds can say: intervals of means, paired differences, who ties with the best.

Every function takes one value for each seed. Seeds are shared by all batch sizes (same split, same
initial weights), so differences are taken within a seed before anything is averaged.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

CONFIDENCE = 0.95
"""Probability with which an interval covers the true mean, over repeated studies."""
POWER = 0.8
"""Probability of finding a difference that is there, by convention (Cohen 1988)."""
FEWEST = 2
"""Values below this number have no spread."""
MAX_SEEDS = 1_000
"""Numbers of seeds beyond this are not worth naming."""


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its interval.

    Attributes:
        mean: Unweighted mean.
        low: Lower end.
        high: Upper end.
        count: Seeds behind it.
        confidence: Probability of covering the true mean.
        method: How the ends were computed.
    """

    mean: float
    low: float
    high: float
    count: int
    confidence: float
    method: str


@dataclass(frozen=True)
class Comparison:
    """Which batch sizes can't be told from the best one.

    Attributes:
        best: The batch size that the others are compared with.
        tied: Those not shown to be worse, the best included.
        tail: One-tailed level of the strictest of the tests.
        tested: Whether any test was possible: two batch sizes with two common seeds.
    """

    best: int
    tied: tuple[int, ...]
    tail: float
    tested: bool


@dataclass(frozen=True)
class Separation:
    """How far two batch sizes are apart, and what it would take to establish that.

    Attributes:
        difference: Second minus first, paired over common seeds, with its t interval.
        more_seeds: Further seeds that would probably establish the difference if it is the true
            one; None if it is zero or would take more than `MAX_SEEDS`.
        detectable: Smallest true difference that as many seeds would probably establish.
    """

    difference: Interval
    more_seeds: int | None
    detectable: float


def t_quantile(degrees: int, probability: float) -> float:
    """Return the quantile of Student's t distribution.

    Args:
        degrees: Degrees of freedom, at least 1.
        probability: Between 0 and 1.

    Example:
        >>> round(t_quantile(4, 0.975), 3)
        2.776
    """
    return float(special.stdtrit(degrees, probability))


def t_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return mean and t interval: mean -+ t_(n-1) s / sqrt(n), s with n - 1 in the denominator.

    Source: Student, "The probable error of a mean", Biometrika 6 (1908).

    Args:
        values: One value for each seed, at least two.
        confidence: Probability of covering the true mean if the values are normal.

    Raises:
        ValueError: There are fewer than two values.

    Example:
        >>> interval = t_interval([1.0, 2.0, 3.0])
        >>> round(interval.low, 3), interval.mean, round(interval.high, 3)
        (-0.484, 2.0, 4.484)
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.size < FEWEST:
        raise ValueError(f"A t interval needs at least 2 values, but got {sample.size}.")
    mean = float(sample.mean())
    quantile = t_quantile(sample.size - 1, (1 + confidence) / 2)
    half = quantile * float(sample.std(ddof=1)) / math.sqrt(sample.size)
    return Interval(mean, mean - half, mean + half, sample.size, confidence, "t")


def paired_difference(
    first: pd.Series[float], second: pd.Series[float], confidence: float = CONFIDENCE
) -> Interval:
    """Return the t interval of first minus second over common seeds.

    Args:
        first: Values, indexed by seed.
        second: Values, indexed by seed.
        confidence: Of the interval.

    Raises:
        ValueError: Fewer than two seeds are common to both.
    """
    return t_interval((first - second).dropna().tolist(), confidence)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted so that the family-wise error stays below the level.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6
    (1979).

    Args:
        p_values: One for each hypothesis of the family.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    raw = np.asarray(p_values, dtype=np.float64)[order]
    stepped = np.maximum.accumulate(raw * np.arange(raw.size, 0, -1))
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in adjusted]


def compare_with_best(
    values: pd.DataFrame, best: int | None = None, level: float = 1 - CONFIDENCE
) -> Comparison:
    """Say which batch sizes can't be told from the best one, by paired t tests.

    A best that was chosen on other data is compared with each other batch size: one-sided tests of
    being worse, adjusted by Holm's method over these pairs. Without it the best is the one with the
    highest mean here, and the same data that chose it must judge it: two-sided tests, adjusted over
    *all* pairs. (Over the pairs with the best alone, eleven equal batch sizes with five seeds would
    have one of them called worse in about 11% of studies instead of 5%.)

    Args:
        values: One row for each seed, one column for each batch size; NaN where a seed is missing.
            Every column has at least one value, and there is at least one column.
        best: The column to compare with, chosen on other data; None to choose it here.
        level: Family-wise error: how often, at most, any batch size is wrongly called worse.
    """
    sizes = [int(column) for column in values.columns]
    if best is None:
        best = sizes[int(values.mean().argmax())]
        others = [size for size in sizes if size != best]
        pairs = [(best, other) for other in others] + list(itertools.combinations(others, 2))
        sides = 2
    else:
        pairs = [(best, other) for other in sizes if other != best]
        sides = 1
    differences = [_differences(values, *pair) for pair in pairs]
    adjusted = holm([_p_value(difference, sides) for difference in differences])
    worse = {
        second
        for (first, second), p in zip(pairs, adjusted, strict=True)
        if first == best and p <= level
    }
    return Comparison(
        best=best,
        tied=tuple(size for size in sizes if size not in worse),
        tail=level / sides / max(len(pairs), 1),
        tested=any(difference.size >= FEWEST for difference in differences),
    )


def separate(values: pd.DataFrame, first: int, second: int, tail: float) -> Separation | None:
    """Say how far two batch sizes are apart.

    Args:
        values: As for `compare_with_best`.
        first: The column that is subtracted.
        second: The column it is subtracted from.
        tail: One-tailed level at which the difference is to be established.

    Returns:
        None if they have fewer than two seeds in common.
    """
    differences = _differences(values, second, first)
    if differences.size < FEWEST:
        return None
    needed = seeds_to_detect(differences, tail)
    return Separation(
        difference=t_interval(differences.tolist()),
        more_seeds=None if needed is None else max(needed - differences.size, 1),
        detectable=detectable_difference(differences, tail),
    )


def detectable_difference(
    differences: Sequence[float] | np.ndarray, tail: float, power: float = POWER
) -> float:
    """Return the smallest true mean difference that as many seeds would find.

    (t_(n-1, 1 - tail) + t_(n-1, power)) s / sqrt(n), for a paired t test.
    Source: Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), chapter 2, with t
    quantiles in place of normal ones.

    Args:
        differences: Paired differences, one for each seed, at least two.
        tail: One-tailed level of the test; half the level of a two-sided one.
        power: Probability of finding it.
    """
    spread = float(np.std(differences, ddof=1))
    return _detectable(spread, len(differences), tail, power)


def seeds_to_detect(
    differences: Sequence[float] | np.ndarray, tail: float, power: float = POWER
) -> int | None:
    """Return how many seeds would find the observed mean difference, if it is the true one.

    The inverse of `detectable_difference`, from the observed mean and spread, both uncertain
    themselves: an order of magnitude, not a promise.

    Args:
        differences: Paired differences, one for each seed, at least two.
        tail: One-tailed level of the test; half the level of a two-sided one.
        power: Probability of finding it.

    Returns:
        Number of seeds; None if the mean is zero or more than `MAX_SEEDS` would be needed.
    """
    gap, spread = abs(float(np.mean(differences))), float(np.std(differences, ddof=1))
    if gap == 0:
        return None
    counts = range(FEWEST, MAX_SEEDS + 1)
    return next((n for n in counts if _detectable(spread, n, tail, power) <= gap), None)


def _detectable(spread: float, count: int, tail: float, power: float) -> float:
    quantiles = t_quantile(count - 1, 1 - tail) + t_quantile(count - 1, power)
    return quantiles * spread / math.sqrt(count)


def _differences(values: pd.DataFrame, first: int, second: int) -> np.ndarray:
    differences = values[first].to_numpy(np.float64) - values[second].to_numpy(np.float64)
    return differences[~np.isnan(differences)]


def _p_value(differences: np.ndarray, sides: int) -> float:
    """Paired t test of a mean above zero, or of one other than zero; 1 if it can't be made."""
    count = differences.size
    if count < FEWEST or not differences.any():
        return 1.0
    # Equal differences have no spread: the statistic is infinite, and the test certain.
    with np.errstate(divide="ignore"):
        statistic = differences.mean() / (differences.std(ddof=1) / math.sqrt(count))
    return sides * float(special.stdtr(count - 1, -statistic if sides == 1 else -abs(statistic)))
