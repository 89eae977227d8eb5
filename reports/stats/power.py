"""How often a difference is detected, and how many test examples that takes."""

from __future__ import annotations

import math

from scipy import special

from reports.stats.intervals import (
    CONFIDENCE,
    POWER,
    t_quantile,
)


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
