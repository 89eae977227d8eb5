"""Fits of `y = (a^p + (b z)^p)^(1/p)` to one mean for each z: what stays, and what grows with z.

Two curves of a study have this form: updates to a target against z = 1/B, and seconds per update
against z = B. Both span decades, so their errors are those of log y. The unit of error is the mean
at one z, whatever it deviates from the curve by: noise of seeds, a learning rate that was not tuned
well, or a curve that isn't quite the true one. Its variance is that of the residuals.

With p = 1 the curve is that of McCandlish et al. 2018. From `FREE_BEND` different z on the data
choose p: an interval that takes p = 1 for granted misses the truth where the bend is another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from scipy import special

from reports.stats.bounds import Ends

Values = Annotated[np.ndarray, "point"]
Shapes = Annotated[np.ndarray, "power ratio"]

FEWEST_POINTS = 3  # different z needed: with fewer, nothing is left to judge the curve by
FREE_BEND = 6  # different z from which p is fitted, too
SHARPEST = 3.0  # p lies between the inverse of this and this
POOR_FIT = 0.1  # largest absolute residual of log y above which a curve may be called rough
LACK_OF_FIT = 0.05  # probability of such residuals by the scatter of runs below which it is
FAR = 12.0  # logarithm of the factor beyond all data at which a term counts as zero

_POWERS, _RATIOS, _ZOOMS, _HALVINGS = 21, 41, 4, 40
_LEAST_SQUARES = 1e-10  # of data without any error, which have no interval otherwise


@dataclass(frozen=True)
class Curve:
    """`y = (a^p + (b z)^p)^(1/p)`."""

    intercept: float  # a, above 0
    slope: float  # b, above 0
    power: float = 1.0  # p; larger is a sharper bend

    def at(self, z: float | Values) -> Values:
        """Return y at z above 0."""
        log_a, log_b = math.log(self.intercept), math.log(self.slope)
        return np.exp(log_a + _log_shape(log_b - log_a + np.log(z), np.asarray(self.power)))

    @property
    def ratio(self) -> float:
        """The 1/z at which y is twice the intercept; b/a if p is 1."""
        return self.slope / self.intercept * float(np.exp(_log_doubling(np.asarray(self.power))))


@dataclass(frozen=True)
class Points:
    """Means of log y at different z."""

    log_z: Values  # ascending
    log_y: Values
    bounded: Values  # where the mean is only a lower bound
    error: float | None  # standard error of a mean by the scatter of its runs, if any is repeated
    degrees: int  # of freedom of `error`

    @property
    def known(self) -> int:
        """Means that are more than bounds."""
        return int((~self.bounded).sum())


@dataclass(frozen=True)
class TwoTerms:
    """The curve that fits best, and what else fits nearly as well."""

    curve: Curve
    intercept: Ends  # interval of a; from 0 where the data show none
    slope: Ends  # interval of b; from 0 where the data show none
    ratio: Ends  # interval of `curve.ratio`; to infinity where the data show no plateau
    noise: float  # standard deviation of the residuals of log y
    largest_residual: float  # absolute; where the mean is a bound, only above the curve
    lack_of_fit: float | None  # probability of residuals so large by the scatter of runs alone
    # log(b/a) and p of curves within the interval, one a row
    shapes: Annotated[np.ndarray, "curve ratio-and-power"] = field(compare=False, repr=False)

    @property
    def poor_fit(self) -> bool:
        """Whether the curve misses a mean by more than runs scatter, and by enough to matter."""
        explained = self.lack_of_fit is not None and self.lack_of_fit > LACK_OF_FIT
        return self.largest_residual > POOR_FIT and not explained


def positive(name: str, values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return values as an array, or refuse them by name if one isn't finite and above 0."""
    array = np.asarray(values, dtype=np.float64)
    wrong = ~(np.isfinite(array) & (array > 0))
    if wrong.any():
        raise ValueError(
            f"`{name}` must be finite and above 0, but holds {float(array[wrong][0])}."
        )
    return array


def means_of(z: Values, y: Values, censored: Values | None = None) -> Points:
    """Return the geometric mean at each z; of runs that are bounds it is one, too."""
    places, members = np.unique(z, return_inverse=True)
    counts = np.bincount(members)
    means = np.bincount(members, np.log(y)) / counts
    bounds = np.zeros(z.size, bool) if censored is None else np.asarray(censored, bool)
    bounded = np.bincount(members, bounds) > 0
    exact = ~bounded[members]
    degrees = int(exact.sum() - (~bounded).sum())
    squares = float(((np.log(y) - means[members])[exact] ** 2).sum())
    error = None
    if degrees > 0:
        error = math.sqrt(squares / degrees * float(np.mean(1 / counts[~bounded])))
    return Points(np.log(places), means, bounded, error, degrees)


def fit_two_terms(points: Points, confidence: float, *, bend: bool = True) -> TwoTerms:
    """Return the fit of least squares with profile intervals; without a bend p is 1.

    Values within an interval fit with a sum of squares of at most `1 + t^2 / d` times the least,
    t being the quantile of Student's distribution with d degrees of freedom (Bates & Watts 1988,
    Nonlinear regression analysis and its applications, chapter 6).
    """
    free = bend and points.known >= FREE_BEND
    degrees = points.known - 2 - free
    factor = 1 + special.stdtrit(degrees, (1 + confidence) / 2) ** 2 / degrees
    powers = SHARPEST ** np.linspace(-1, 1, _POWERS) if free else np.ones(1)
    # At given p and b/a the best a is a mean, so the search is in two dimensions.
    for _ in range(_ZOOMS if free else 1):
        ratios, squares = _best_ratios(points, powers)
        best = int(squares.argmin())
        least = max(float(squares[best]), _LEAST_SQUARES)
        inside = np.flatnonzero(squares <= factor * least)
        # Next, only those powers that fit nearly as well, and their neighbours.
        ends = powers[max(inside[0] - 1, 0)], powers[min(inside[-1] + 1, powers.size - 1)]
        chosen, powers = powers, np.geomspace(*ends, _POWERS)
    power, ratio = chosen[best], ratios[best]
    log_a = float(_squares(points, ratio[None], power[None])[1][0])
    curve = Curve(math.exp(log_a), math.exp(log_a + ratio), float(power))
    residuals = points.log_y - np.log(curve.at(np.exp(points.log_z)))
    largest = np.where(points.bounded, residuals, np.abs(residuals)).max()
    intervals, shapes = _intervals(points, chosen[inside], ratios[inside], factor * least)
    lack_of_fit, variance = None, least / degrees
    if points.error:
        # Draper & Smith 1998, Applied regression analysis, section 2.2.
        ratio = variance / points.error**2
        lack_of_fit = float(special.fdtrc(degrees, points.degrees, ratio))
    noise, worst = math.sqrt(variance), float(max(largest, 0.0))
    return TwoTerms(curve, *intervals, noise, worst, lack_of_fit, shapes)


def _best_ratios(points: Points, powers: Values) -> tuple[Values, Values]:
    """For each p the log(b/a) that fits best, and its sum of squares."""
    low, high = (np.full(powers.size, end) for end in _reach(points))
    steps = np.linspace(0, 1, _RATIOS)
    rows = np.arange(powers.size)
    for _ in range(_ZOOMS + 1):
        ratios = low[:, None] + (high - low)[:, None] * steps
        squares, _ = _squares(points, ratios, powers[:, None])
        best = squares.argmin(axis=1)
        low, high = (ratios[rows, np.clip(best + side, 0, _RATIOS - 1)] for side in (-2, 2))
    return ratios[rows, best], squares[rows, best]


def _reach(points: Points) -> tuple[float, float]:
    return -float(points.log_z[-1]) - FAR, -float(points.log_z[0]) + FAR


def _squares(points: Points, ratios: Shapes, powers: Shapes) -> tuple[Shapes, Shapes]:
    """Sums of squares with the best a at each log(b/a) and p, and log a."""
    gaps = points.log_y - _log_shape(ratios[..., None] + points.log_z, powers[..., None])
    log_a = gaps[..., ~points.bounded].mean(axis=-1)
    if not points.bounded.any():
        return ((gaps - log_a[..., None]) ** 2).sum(axis=-1), log_a
    counted = np.array(False)
    for _ in range(10):
        # A bound that the curve respects says nothing.
        before, counted = counted, ~points.bounded | (gaps > log_a[..., None])
        if np.array_equal(before, counted):
            break
        log_a = (gaps * counted).sum(axis=-1) / counted.sum(axis=-1)
    residuals = gaps - log_a[..., None]
    residuals = np.where(points.bounded, np.maximum(residuals, 0), residuals)
    return (residuals**2).sum(axis=-1), log_a


def _intervals(
    points: Points, powers: Values, ratios: Values, limit: float
) -> tuple[tuple[Ends, Ends, Ends], np.ndarray]:
    """Intervals of a, b and the ratio over all curves whose sum of squares is within a limit."""
    (low, high), (endless_low, endless_high) = _edges(points, powers, ratios, limit)
    inside = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _RATIOS)
    squares, log_a = _squares(points, inside, powers[:, None])
    slack = np.sqrt(np.maximum(limit - squares, 0) / points.known)
    doubling = _log_doubling(powers)
    logs = (
        (-math.inf if endless_high else (log_a - slack).min(), (log_a + slack).max()),
        (
            -math.inf if endless_low else (log_a + inside - slack).min(),
            (log_a + inside + slack).max(),
        ),
        (
            -math.inf if endless_low else (low + doubling).min(),
            math.inf if endless_high else (high + doubling).max(),
        ),
    )
    intervals = tuple(Ends(math.exp(lower), math.exp(upper)) for lower, upper in logs)
    shapes = np.stack([inside, np.broadcast_to(powers[:, None], inside.shape)], axis=-1)
    return intervals, shapes.reshape(-1, 2)  # type: ignore[return-value]


def _edges(
    points: Points, powers: Values, ratios: Values, limit: float
) -> tuple[np.ndarray, list[bool]]:
    """The last log(b/a) to either side that is within the limit, for each p; and if any is all."""
    ends = outside = np.repeat(np.array(_reach(points))[:, None], powers.size, axis=1)
    reached = _squares(points, outside, powers)[0] <= limit
    inside = np.broadcast_to(ratios, outside.shape)
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        within = _squares(points, middle, powers)[0] <= limit
        inside, outside = np.where(within, middle, inside), np.where(within, outside, middle)
    return np.where(reached, ends, inside), [bool(side.any()) for side in reached]


def _log_shape(log_rz: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Log y over a."""
    return np.logaddexp(0, powers * log_rz) / powers


def _log_doubling(powers: np.ndarray) -> np.ndarray:
    """Logarithm of what b/a is to be multiplied by for the 1/z at which y is twice a."""
    return -np.log(2**powers - 1) / powers


def shapes_at(z: Values, shapes: np.ndarray) -> np.ndarray:
    """Return y over a at each z for each of `TwoTerms.shapes`."""
    ratios, powers = shapes.T[..., None]
    return np.exp(_log_shape(ratios + np.log(z), powers))
