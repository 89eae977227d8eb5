"""Intervals of means over seeds, of paired differences, ratios and medians.

Seeds are shared by all batch sizes (same split, same initial weights), so differences are taken
within a seed before anything is averaged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from reports.stats.paired_tests import FEWEST, spread_of

CONFIDENCE = 0.95  # probability with which an interval covers the true mean, over repeated studies
_LEAST_VARIANCE = 1e-20  # effects without a spread weigh as much as this allows
POWER = 0.8  # probability of finding a difference that is there, by convention (Cohen 1988)


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its interval."""

    mean: float  # unweighted
    low: float
    high: float
    count: int  # seeds behind it
    method: str  # how the ends were computed


@dataclass(frozen=True)
class RatioInterval:
    """A ratio of means with Fieller's interval.

    Where the denominator may be zero, the data say "at least `low`" of a ratio whose numerator is
    above zero, and nothing at all where both ends are infinite.
    """

    ratio: float  # mean numerator by mean denominator; NaN if that is 0 by 0
    low: float
    high: float  # infinite unless it is resolved
    resolved: bool  # whether the denominator is significantly different from zero
    count: int  # measurements behind it


def t_quantile(degrees: float, probability: float) -> float:
    """Return the quantile of Student's t distribution."""
    return float(special.stdtrit(degrees, probability))


def t_interval(values: Sequence[float], spread: float | None = None) -> Interval:
    """Return mean and 95% t interval: mean -+ t_(n-1) s / sqrt(n), s with n - 1 in the denominator.

    Source: Student, "The probable error of a mean", Biometrika 6 (1908).

    Args:
        values: One value for each seed, at least two.
        spread: s; that of the values if not given.

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
    quantile = t_quantile(sample.size - 1, (1 + CONFIDENCE) / 2)
    deviation = float(sample.std(ddof=1)) if spread is None else spread
    half = quantile * deviation / math.sqrt(sample.size)
    return Interval(mean, mean - half, mean + half, sample.size, "t")


def paired_difference(first: pd.Series[float], second: pd.Series[float]) -> Interval:
    """Return the 95% t interval of first minus second over common seeds.

    For its spread see `reports.stats.paired_tests.spread_of`.

    Args:
        first: Values, indexed by seed.
        second: Values, indexed by seed.

    Raises:
        ValueError: Fewer than two seeds are common to both.
    """
    differences = (first - second).dropna().tolist()
    if len(differences) < FEWEST:
        raise ValueError(f"A paired difference needs 2 common seeds, but got {len(differences)}.")
    return t_interval(differences, spread_of(differences))


def fieller_interval(
    numerators: Sequence[float] | np.ndarray,
    denominators: Sequence[float] | np.ndarray,
) -> RatioInterval:
    """Return the ratio of two means, of a denominator that is above zero, with its 95% interval.

    With the means m and the covariances V of the means, the interval holds every R with

        (m_n - R m_d)^2 <= t^2 (V_nn - 2 R V_nd + R^2 V_dd)

    t being the quantile of Student's distribution with one degree of freedom less than there are
    measurements. These R are bounded only if m_d is significantly different from zero, `m_d^2 > t^2
    V_dd`. If it is not, they are all numbers beyond two ends of opposite sign; as the true
    denominator is above zero, only the side of the numerator's sign is possible: "at least `low`".
    If neither mean is significantly different from zero, every ratio is possible. Source: Fieller
    1954, Some problems in interval estimation, J. R. Statist. Soc. B 16.

    Args:
        numerators: One measurement for each seed, at least two.
        denominators: Measured together with them; single ones may be negative.

    Raises:
        ValueError: Lengths differ, or there are fewer than two measurements.

    Example:
        >>> interval = fieller_interval([9.0, 10.0, 11.0], [0.9, 1.1, 1.0])
        >>> round(interval.ratio, 2), round(interval.low, 1), round(interval.high, 1)
        (10.0, 7.7, 12.9)
        >>> interval = fieller_interval([9.0, 10.0, 11.0], [-1.0, 3.0, 1.0])
        >>> round(interval.low, 1), interval.high, interval.resolved
        (1.8, inf, False)
    """
    count = len(numerators)
    if count != len(denominators):
        raise ValueError(
            "`numerators` and `denominators` must be of equal length, "
            f"but have {count} and {len(denominators)} values."
        )
    if count < FEWEST:
        raise ValueError(f"Fieller's interval needs at least 2 values, but got {count}.")
    pairs = np.array([numerators, denominators], dtype=np.float64)
    means = pairs.mean(axis=1)
    limit = t_quantile(count - 1, (1 + CONFIDENCE) / 2) ** 2
    # The condition is a R^2 - 2 b R + c <= 0.
    products = np.outer(means, means) - limit * np.cov(pairs) / count
    c, b, a = float(products[0, 0]), float(products[0, 1]), float(products[1, 1])
    root = math.sqrt(max(b * b - a * c, 0))
    low, high = -math.inf, math.inf
    if a > 0:
        low, high = (b - root) / a, (b + root) / a
    elif a < 0 < c and means[0] > 0:
        low = c / (b + root)
    elif a < 0 < c:
        high = c / (b - root)
    ratio = float(means[0] / means[1]) if means[1] else math.copysign(math.inf, means[0])
    return RatioInterval(ratio if means.any() else math.nan, low, high, a > 0, count)


def detectable_accuracy_difference(accuracy: float, items: int) -> float:
    """Return the smallest true difference of two accuracies that as many test examples would show.

    `(z_(1 - tail) + z_power) sqrt(2 p (1 - p) / n)`, for one network each (Cohen 1988, chapter 6,
    without its arcsine transformation).
    """
    quantiles = float(special.ndtri((1 + CONFIDENCE) / 2) + special.ndtri(POWER))
    return quantiles * math.sqrt(2 * accuracy * (1 - accuracy) / items)


def medians(runs: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """Return the median of each group of runs, with an interval that needs no distribution."""
    # Values may be infinite; bounds are missing where there are too few runs for an interval.
    keys = list(by)
    ordered = runs.sort_values([*keys, value], kind="stable")
    groups = ordered.groupby(keys)[value]
    position, number = groups.cumcount(), groups.transform("size")
    rank = number.map({n: rank_of_end(n) for n in number.unique().tolist()})
    values = ordered.set_index(keys)[value]
    return pd.DataFrame(
        {
            "median": groups.median(),
            "low": values[(position == rank - 1).to_numpy()],
            "high": values[(position == number - rank).to_numpy() & (rank > 0).to_numpy()],
        }
    )


def rank_of_end(count: int) -> int:
    """Return which of the sorted values ends the 95% interval of their median; 0 for none.

    The largest k with `2 P(X < k) <= 1 - CONFIDENCE`, X being binomial with probability 1/2. Six
    runs are the fewest at 95%. Source: Conover 1999, Practical nonparametric statistics, 3.2.
    """
    below = special.bdtr(np.arange(count), count, 0.5)
    return int(np.count_nonzero(2 * below <= 1 - CONFIDENCE))


def pool(effects: Sequence[float], errors: Sequence[float]) -> tuple[float, float]:
    """Return the mean of effects with its standard error, to be used with n - 1 degrees of freedom.

    By DerSimonian & Laird 1986 (Meta-analysis in clinical trials) for the variance between and
    Hartung & Knapp 2001 (A refined method for the meta-analysis of controlled clinical trials) for
    the error, which is never below that of equal true effects (Röver, Knapp & Friede 2015).

    Example:
        >>> mean, error = pool([1.0, 2.0, 3.0], [0.1, 0.1, 0.1])
        >>> round(mean, 3), round(error, 3)
        (2.0, 0.577)
    """
    values = np.asarray(effects, np.float64)
    variances = np.maximum(np.square(errors), _LEAST_VARIANCE)
    weights, degrees = 1 / variances, values.size - 1
    scale = weights.sum() - np.square(weights).sum() / weights.sum()
    between = max(0.0, (_heterogeneity(values, weights) - degrees) / scale)
    weights = 1 / (variances + between)
    spread = max(1.0, _heterogeneity(values, weights) / degrees)
    return float(np.average(values, weights=weights)), math.sqrt(spread / weights.sum())


def _heterogeneity(values: np.ndarray, weights: np.ndarray) -> float:
    """Cochran's Q."""
    return float(weights @ np.square(values - np.average(values, weights=weights)))
