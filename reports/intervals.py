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
class PairedDifference:
    """First minus second, over the seeds that both have.

    Attributes:
        interval: Mean difference with its t interval.
        p_value: Two-sided paired t test of no difference.
    """

    interval: Interval
    p_value: float


@dataclass(frozen=True)
class BestComparison:
    """Which columns can't be told from the best one.

    Attributes:
        best: The column with the highest mean.
        tied: The columns, the best included, whose difference from it isn't established.
        runner_up: The column with the second highest mean; None if there is none.
        gap: Mean of best minus runner-up over common seeds; NaN without a runner-up.
        more_seeds: Further seeds that would probably separate best and runner-up;
            None if that can't be said or would take more than `MAX_SEEDS`.
        detectable: Smallest true difference between those two that as many seeds would find with
            a probability of `POWER`; NaN without two common seeds.
        tested: Whether any two columns share seeds enough for a test: at least two.
    """

    best: int
    tied: tuple[int, ...]
    runner_up: int | None
    gap: float
    more_seeds: int | None
    detectable: float
    tested: bool


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
) -> PairedDifference:
    """Return first minus second over common seeds, with its t interval and paired t test.

    Args:
        first: Values, indexed by seed.
        second: Values, indexed by seed.
        confidence: Of the interval.

    Raises:
        ValueError: Fewer than two seeds are common to both.
    """
    differences = (first - second).dropna().to_numpy(dtype=np.float64)
    return PairedDifference(t_interval(list(differences), confidence), _p_value(differences))


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


def compare_with_best(values: pd.DataFrame, level: float = 1 - CONFIDENCE) -> BestComparison:
    """Say which columns can't be told from the one with the highest mean.

    All pairs of columns are compared by paired t tests over common seeds, the p values adjusted by
    Holm's method over *all* pairs. The pairs with the best alone would be too few: the data choose
    which column is best, and with eleven equal columns and five seeds a correction for ten
    comparisons calls one of them worse in about 11% of studies instead of 5%. Seeds needed and
    the detectable difference are for the level at which Holm's method begins, level / pairs.

    Args:
        values: One row for each seed, one column for each batch size; NaN where a seed is missing.
            Every column has at least one value, and there is at least one column.
        level: Family-wise error: how often, at most, a column is wrongly called worse.
    """
    means = values.mean().sort_values(ascending=False, kind="stable")
    sizes = [int(column) for column in means.index]
    best, runner_up = sizes[0], sizes[1] if len(sizes) > 1 else None
    pairs = list(itertools.combinations(sizes, 2))
    differences = [_differences(values, *pair) for pair in pairs]
    adjusted = holm([_p_value(difference) for difference in differences])
    # Sorted by their mean, so a pair with the best has it first.
    worse = {
        pair[1] for pair, p in zip(pairs, adjusted, strict=True) if pair[0] == best and p <= level
    }
    gaps = differences[0] if differences else np.array([])
    strictest = level / max(len(pairs), 1)
    needed = seeds_to_detect(gaps, strictest)
    return BestComparison(
        best=best,
        tied=tuple(sorted(set(sizes) - worse)),
        runner_up=runner_up,
        gap=float(gaps.mean()) if gaps.size else math.nan,
        more_seeds=None if needed is None else max(needed - gaps.size, 1),
        detectable=detectable_difference(gaps, strictest) if gaps.size >= FEWEST else math.nan,
        tested=any(difference.size >= FEWEST for difference in differences),
    )


def detectable_difference(
    differences: Sequence[float] | np.ndarray, level: float = 1 - CONFIDENCE, power: float = POWER
) -> float:
    """Return the smallest true mean difference that as many seeds would find.

    (t_(n-1, 1 - level/2) + t_(n-1, power)) s / sqrt(n), for one two-sided paired t test.
    Source: Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), chapter 2, with t
    quantiles in place of normal ones.

    Args:
        differences: Paired differences, one for each seed, at least two.
        level: Of the two-sided test.
        power: Probability of finding it.
    """
    spread = float(np.std(differences, ddof=1))
    return _detectable(spread, len(differences), level, power)


def seeds_to_detect(
    differences: Sequence[float] | np.ndarray, level: float = 1 - CONFIDENCE, power: float = POWER
) -> int | None:
    """Return how many seeds would find the observed mean difference, if it is the true one.

    The inverse of `detectable_difference`, from the observed mean and spread, both uncertain
    themselves: an order of magnitude, not a promise.

    Args:
        differences: Paired differences, one for each seed.
        level: Of one two-sided test.
        power: Probability of finding it.

    Returns:
        Number of seeds; None if the mean is zero, there are fewer than two differences, or more
        than `MAX_SEEDS` would be needed.
    """
    sample = np.asarray(differences, dtype=np.float64)
    if sample.size < FEWEST:
        return None
    gap, spread = abs(float(sample.mean())), float(sample.std(ddof=1))
    counts = range(2, MAX_SEEDS + 1)
    return next(
        (n for n in counts if gap > 0 and _detectable(spread, n, level, power) <= gap), None
    )


def _detectable(spread: float, count: int, level: float, power: float) -> float:
    quantiles = t_quantile(count - 1, 1 - level / 2) + t_quantile(count - 1, power)
    return quantiles * spread / math.sqrt(count)


def _differences(values: pd.DataFrame, first: int, second: int) -> np.ndarray:
    differences = values[first].to_numpy(np.float64) - values[second].to_numpy(np.float64)
    return differences[~np.isnan(differences)]


def _p_value(differences: np.ndarray) -> float:
    """Two-sided paired t test; 1 where nothing can be said."""
    count = differences.size
    if count < FEWEST or not differences.any():
        return 1.0
    spread = float(differences.std(ddof=1))
    if spread == 0:
        return 0.0
    statistic = float(differences.mean()) / (spread / math.sqrt(count))
    return 2 * float(special.stdtr(count - 1, -abs(statistic)))
