"""How far two batch sizes are apart, and how many seeds or test examples it takes to see that."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from reports.stats.intervals import (
    CONFIDENCE,
    POWER,
    Interval,
    detectable,
    detectable_difference,
    paired_difference,
    probability_of_improvement,
    t_quantile,
)
from reports.stats.paired_tests import FEWEST, spread_of

MAX_SEEDS = 1_000  # numbers of seeds beyond this are not worth naming


@dataclass(frozen=True)
class Separation:
    """How far two batch sizes are apart, second minus first, and what would establish that.

    `more_seeds` is how many further seeds probably would, if it is the true difference; None if it
    is zero or would take more than `MAX_SEEDS`. `detectable` is the smallest true difference that
    as many seeds would probably establish; 0 where no seed differs. `improvement` is the
    probability that the second is above the first on a further seed.
    """

    difference: Interval
    more_seeds: int | None
    detectable: float
    improvement: Interval


def separate(values: pd.DataFrame, first: int, second: int, tail: float) -> Separation | None:
    """Return how far the second batch size is above the first; None with too few common seeds.

    The tail is the one-tailed level at which a difference is to be established.
    """
    differences = _differences(values, second, first)
    if differences.size < FEWEST:
        return None
    needed = seeds_to_detect(differences, tail)
    return Separation(
        difference=paired_difference(values[second], values[first]),
        more_seeds=None if needed is None else max(needed - differences.size, 1),
        detectable=detectable_difference(differences, tail),
        improvement=probability_of_improvement(values[second], values[first]),
    )


def seeds_to_detect(differences: Sequence[float] | np.ndarray, tail: float) -> int | None:
    """Return how many seeds would find the observed mean difference, if it is the true one.

    The inverse of `detectable_difference`, from a mean and a spread that are uncertain themselves:
    an order of magnitude. None if the mean is zero or it would take more than `MAX_SEEDS`.
    """
    gap, spread = abs(float(np.mean(differences))), spread_of(differences)
    if gap == 0:
        return None
    counts = range(FEWEST, MAX_SEEDS + 1)
    return next((n for n in counts if detectable(spread, n, tail, POWER) <= gap), None)


def power_to_detect(standard_errors: float, count: int, tail: float) -> float:
    """Return the probability that a paired t test finds a difference of that many standard errors.

    The noncentral t distribution, without the part in the wrong direction (Cohen 1988, chapter 2).
    The tail is half the level of a two-sided test.
    """
    return float(1 - special.nctdtr(count - 1, standard_errors, t_quantile(count - 1, 1 - tail)))


def detectable_accuracy_difference(accuracy: float, items: int) -> float:
    """Return the smallest true difference of two accuracies that as many test examples would show.

    `(z_(1 - tail) + z_power) sqrt(2 p (1 - p) / n)`, for one network each. Two networks that err on
    the same examples can be distinguished a little better. Source: Cohen 1988, chapter 6, without
    its arcsine transformation.
    """
    quantiles = float(special.ndtri((1 + CONFIDENCE) / 2) + special.ndtri(POWER))
    return quantiles * math.sqrt(2 * accuracy * (1 - accuracy) / items)


def _differences(values: pd.DataFrame, first: int, second: int) -> np.ndarray:
    differences = values[first].to_numpy(np.float64) - values[second].to_numpy(np.float64)
    return differences[~np.isnan(differences)]
