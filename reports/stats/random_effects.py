"""The mean effect over several datasets, whose true effects differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_LEAST_VARIANCE = 1e-20  # effects without a spread weigh as much as this allows


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
