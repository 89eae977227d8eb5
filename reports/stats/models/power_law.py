"""A power law through estimates of several configurations: `y = prefactor x^exponent`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.stats.bounds import Ends
from reports.stats.intervals import CONFIDENCE, t_quantile

FEWEST_LEVELS = 3  # different x that leave something to judge the line by
_DECIMALS = 9  # of logarithms and slopes: what lies beyond is rounding


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """A line in logarithms; None where the data can't say."""

    points: int  # configurations it is made from
    levels: int  # different x among them; the intervals are wide if these are few
    reason: str = ""  # why there is no law; empty if there is one
    exponent: float = math.nan  # its slope
    exponent_interval: Ends | None = None
    prefactor: float = math.nan  # y at x = 1
    prefactor_interval: Ends | None = None
    left_out: Ends | None = None  # smallest and largest exponent when one level of x is left out

    def at(self, x: float | np.ndarray) -> np.ndarray:
        """Return y at x above 0."""
        return self.prefactor * np.asarray(x, np.float64) ** self.exponent


def fit_power_law(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> PowerLaw:
    """Fit a line to the mean of log y at each log x, both above 0.

    The unit of error is one level of x: configurations of one level share what makes it deviate,
    so that many of them don't make the exponent surer. The t intervals have two degrees of freedom
    fewer than levels.

    Example:
        >>> law = fit_power_law([1, 10, 100, 1000], [2, 20, 200, 2000])
        >>> round(law.exponent, 3), round(law.prefactor, 3), law.levels
        (1.0, 2.0, 4)
    """
    log_x, log_y = (np.log(np.asarray(each, np.float64)) for each in (x, y))
    levels, number = np.unique(log_x.round(_DECIMALS), return_inverse=True)
    if levels.size < FEWEST_LEVELS:
        reason = f"A power law takes {FEWEST_LEVELS} different values, and there are {levels.size}."
        return PowerLaw(points=log_x.size, levels=levels.size, reason=reason)
    means = np.bincount(number, log_y) / np.bincount(number)
    line, covariance = np.polyfit(levels, means, 1, cov=True)
    # Values that are all the same have no slope, but rounding gives them one.
    line = line.round(_DECIMALS) + 0.0
    errors = np.sqrt(np.diag(covariance)).round(_DECIMALS)
    half = t_quantile(levels.size - 2, (1 + CONFIDENCE) / 2) * errors
    (slope, middle), (low, least), (high, most) = line, line - half, line + half
    prefactor, *bounds = np.exp(np.clip([middle, least, most], -700, 700)).tolist()
    others = [
        np.polyfit(np.delete(levels, each), np.delete(means, each), 1)[0].round(_DECIMALS) + 0.0
        for each in range(levels.size)
    ]
    return PowerLaw(
        points=log_x.size,
        levels=levels.size,
        exponent=float(slope),
        exponent_interval=Ends(float(low), float(high)),
        prefactor=prefactor,
        prefactor_interval=Ends(*bounds),
        left_out=Ends(float(min(others)), float(max(others))),
    )
