"""Fits of `y = a + b z` with relative errors: what stays, and what grows with z.

Two curves of a study have this form: updates to a target against z = 1/B, and seconds per update
against z = B. See `reports.stats._likelihood`: p is 1 for the curve itself, and free for its
alternative, the p-norm of the two terms. Without bounds and spreads, the most likely curve is that
of least squares of logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from scipy import special
from scipy.optimize import elementwise

from reports.stats._likelihood import (
    LOG_A,
    LOG_B,
    LOG_P,
    LOG_SIGMA,
    Directions,
    Observations,
    Values,
    minimise,
    stacked,
    start,
)
from reports.stats.bounds import Ends

RESAMPLES = 1_999  # resamples of a bootstrap, unless the data have many points
FEWEST_RESAMPLES = 499  # resamples however many points there are
MOST_POINTS = 60_000  # points of all resamples together, beyond the fewest
TERMS = 2  # parameters of a curve, power and noise apart
POOR_FIT = 0.1  # largest absolute residual of log y from which a curve is called a poor fit
FEWEST_POINTS = 3  # different z needed: with fewer, nothing is left to judge the curve by
FAR = 20.0  # logarithm of the factor below all data at which a term counts as zero

_CURVE = np.stack([LOG_A, LOG_B, LOG_SIGMA])
_WITH_POWER = np.stack([LOG_A, LOG_B, LOG_P, LOG_SIGMA])
_PRECISION = 1e-9


@dataclass(frozen=True)
class Curve:
    """The most likely curve; both terms are above 0, and negligible where the data show none."""

    intercept: float  # a
    slope: float  # b
    power: float  # p
    noise: float  # sigma, the standard deviation of log y

    def at(self, z: float | Values) -> Values:
        """Return y at z above 0."""
        logs = np.log([self.intercept, self.slope])
        return np.exp(
            np.logaddexp(self.power * logs[0], self.power * (logs[1] + np.log(z))) / self.power
        )


class _Quantity(NamedTuple):
    """What an interval is of: its logarithm, how to change it, and what is then free to follow."""

    contrast: Annotated[np.ndarray, "parameter"]
    direction: Annotated[np.ndarray, "parameter"]
    free: Directions


_INTERCEPT = _Quantity(LOG_A, LOG_A, np.stack([LOG_B, LOG_SIGMA]))
_SLOPE = _Quantity(LOG_B, LOG_B, np.stack([LOG_A, LOG_SIGMA]))
_RATIO = _Quantity(LOG_B - LOG_A, LOG_B, np.stack([LOG_A + LOG_B, LOG_SIGMA]))


@dataclass(frozen=True)
class Intervals:
    """Intervals of a curve's terms, and of the ratio b / a."""

    intercept: Ends
    slope: Ends
    ratio: Ends


def fit_curves(data: Sequence[Observations], *, free_power: bool = False) -> list[Curve]:
    """Return the most likely curve of each.

    Each has two different z or more, not censored. A free power lies between 0.1 and 10.
    """
    if not data:
        return []
    begin = np.stack([start(each) for each in data])
    fitted, _ = minimise(*stacked(data), begin, _WITH_POWER if free_power else _CURVE)
    return [Curve(*np.exp(logs).tolist()) for logs in fitted]


def max_log_residual(data: Observations, curve: Curve) -> float:
    """Return the largest absolute residual of log y, of the mean over the points of one z.

    Where some points are lower bounds, only a mean above the curve counts.
    """
    residuals = np.log(data.y) - np.log(curve.at(data.z))
    _, members = np.unique(data.z, return_inverse=True)
    means = np.bincount(members, residuals) / np.bincount(members)
    bounded = np.bincount(members, data.censored) > 0
    return float(np.where(bounded, np.maximum(means, 0), np.abs(means)).max())


def likelihood_intervals(data: Sequence[Observations], confidence: float) -> list[Intervals]:
    """Return the intervals of all values that are not much less likely than the best.

    With n observations, three or more: the values whose profile likelihood is at least
    `(1 + t^2/(n - 2))^(-n/2)` of the greatest, t being the two-sided quantile of Student's
    distribution with n - 2 degrees of freedom. For least squares this is the usual region of one
    parameter, without its linearisation (Bates & Watts 1988, chapter 6).
    """
    if not data:
        return []
    number, quantities = len(data), (_INTERCEPT, _SLOPE, _RATIO)
    points, counts = stacked(data)
    fitted, least = minimise(points, counts, np.stack([start(each) for each in data]), _CURVE)
    allowed = np.array([_allowed(each.y.size, confidence) for each in data])
    lowest, highest = np.array([_reach(each) for each in data]).transpose(2, 1, 0).reshape(2, -1)
    # A row for each quantity and curve: 0, 1, ... of the first quantity, then of the second.
    rows = np.tile(np.arange(number), len(quantities))
    contrast, direction, free = (
        np.repeat(np.stack(parts), number, axis=0) for parts in zip(*quantities, strict=True)
    )
    best = np.clip((contrast * fitted[rows]).sum(axis=1), lowest, highest)

    def excess(values: Values, row: Values) -> Values:
        index = row.astype(np.int64)
        curve, along = rows[index], direction[index]
        away = values - (contrast[index] * fitted[curve]).sum(axis=1)
        moved = fitted[curve] + away[:, None] * along
        cost = minimise(points.of(curve), counts[curve], moved, free[index])[1]
        return cost - least[curve] - allowed[curve]

    lows = np.exp(_roots(excess, lowest, best, -np.inf)).reshape(-1, number)
    highs = np.exp(_roots(excess, highest, best, np.inf)).reshape(-1, number)
    return [
        Intervals(*(Ends(float(low), float(high)) for low, high in zip(*ends, strict=True)))
        for ends in zip(lows.T, highs.T, strict=True)
    ]


def _allowed(count: int, confidence: float) -> float:
    """By how much the negative log-likelihood may exceed the least."""
    degrees = count - TERMS
    quantile = special.stdtrit(degrees, (1 + confidence) / 2)
    return float(count / 2 * math.log1p(quantile**2 / degrees))


def _reach(data: Observations) -> list[tuple[float, float]]:
    """Logarithms between which each quantity is looked for."""
    log_y, log_z = np.log(data.y), np.log(data.z)
    logs = (log_y, log_y - log_z, -log_z)
    return [(float(values.min()) - FAR, float(values.max()) + FAR) for values in logs]


def _roots(
    excess: Callable[[Values, Values], Values], far: Values, best: Values, none: float
) -> Values:
    """Return where the excess is zero between far and best; none where it never is."""
    rows = np.arange(far.size)
    beyond = np.flatnonzero(excess(far, rows) > 0)
    ends = np.full(far.size, none)
    if beyond.size:
        bracket = (far[beyond], best[beyond])
        tolerances = {"xatol": _PRECISION, "xrtol": _PRECISION}
        result = elementwise.find_root(
            excess, bracket, args=(beyond.astype(np.float64),), tolerances=tolerances
        )
        ends[beyond] = result.x
    return ends


def bootstrap_intervals(
    data: Observations, groups: Values, confidence: float, rng: np.random.Generator
) -> Intervals:
    """Return percentile intervals over resampled groups, expanded for their small number.

    Whole groups, such as seeds, are drawn with replacement, up to `RESAMPLES` times. Of g groups
    the percentiles are those of a normal distribution beyond `sqrt(g/(g - 1)) t`, t being the
    quantile of Student's distribution with g - 1 degrees of freedom (Hesterberg 2015, What teachers
    should know about the bootstrap, section 5.3). Two different z or more are not censored.
    """
    labels, members = np.unique(groups, return_inverse=True)
    number = min(RESAMPLES, max(FEWEST_RESAMPLES, MOST_POINTS // data.y.size))
    drawn = rng.multinomial(labels.size, np.full(labels.size, 1 / labels.size), number)
    different, again = np.unique(drawn, axis=0, return_inverse=True)
    counts = different[:, members].astype(np.float64)
    whole, _ = minimise(data, np.ones((1, data.y.size)), start(data)[None], _CURVE)
    fitted, _ = minimise(data, counts, np.repeat(whole, len(counts), axis=0), _CURVE)
    log_y, log_z = np.log(data.y), np.log(data.z)
    none = -np.inf
    log_a = np.where(fitted[:, 0] < log_y.min() - FAR / 2, none, fitted[:, 0])
    log_b = np.where(fitted[:, 1] < (log_y - log_z).min() - FAR / 2, none, fitted[:, 1])
    tail = special.stdtrit(labels.size - 1, (1 - confidence) / 2)
    share = float(special.ndtr(tail * math.sqrt(labels.size / (labels.size - 1))))

    def ends(logs: Values) -> Ends:
        # Infinite logarithms can't be interpolated.
        levels = [share, 1 - share]
        return Ends(*np.exp(np.quantile(logs[again], levels, method="inverted_cdf")).tolist())

    return Intervals(ends(log_a), ends(log_b), ends(log_b - log_a))
