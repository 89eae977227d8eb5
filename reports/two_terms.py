"""Fits of `y = a + b z` with relative errors: what stays, and what grows with z.

Two curves of a study have this form: updates to a target against z = 1/B, and seconds per update
against z = B. Both span decades, so their errors are those of log y:

    log y = (1/p) log(a^p + (b z)^p) + noise,    noise ~ N(0, sigma^2 + spread^2)

with p = 1 for the curve itself and p free for its alternative, the p-norm of the two terms. Of a
lower bound only `P(y >= bound)` is known, and that is what it adds to the likelihood (Tobin 1958).
Without bounds and spreads, the most likely curve is that of least squares of logarithms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from scipy import optimize, special

from reports.ends import Ends

Values = Annotated[np.ndarray, "observation"]
Counts = Annotated[np.ndarray, "fit observation"]
"""How often each observation counts in each fit."""
Parameters = Annotated[np.ndarray, "fit parameter"]
"""log a, log b, log p and log sigma of each fit."""

LEAST_NOISE = 1e-3
"""Smallest relative noise assumed: of perfect data the likelihood would be infinite."""
RESAMPLES = 1_999
"""Resamples of a bootstrap, unless the data have many points."""
FEWEST_RESAMPLES = 499
"""Resamples however many points there are."""
MOST_POINTS = 100_000
"""Points of all resamples together, beyond the fewest."""
ITERATIONS = 200
"""Steps after which the search for a curve ends; about ten are usual."""
TERMS = 2
"""Parameters of a curve, power and noise apart."""
POOR_FIT = 0.1
"""Largest absolute residual of log y from which a curve is called a poor fit."""
FEWEST_POINTS = 3
"""Different z needed: with fewer, nothing is left to judge the curve by."""
FAR = 20.0
"""Logarithm of the factor below all data at which a term counts as zero."""

_LOG_A, _LOG_B, _LOG_P, _LOG_SIGMA = np.eye(4)
_CURVE = np.stack([_LOG_A, _LOG_B, _LOG_SIGMA])
_LOWEST = np.array([-np.inf, -np.inf, math.log(0.1), math.log(LEAST_NOISE)])
_HIGHEST = np.array([np.inf, np.inf, math.log(10), math.log(10)])
_LONGEST_STEP = 2.0
_CONVERGED = 1e-10


@dataclass(frozen=True)
class Observations:
    """Points of a curve.

    Attributes:
        z: Above 0.
        y: Above 0; a lower bound where censored.
        censored: True where only a lower bound is known.
        spread: Standard deviation of log y that is known beforehand, such as that of rounding.
    """

    z: Values
    y: Values
    censored: Values
    spread: Values


@dataclass(frozen=True)
class Curve:
    """The most likely curve.

    Attributes:
        intercept: a, above 0; negligible where the data show none.
        slope: b, above 0; negligible where the data show none.
        power: p; 1 unless it was fitted.
        noise: sigma, the standard deviation of log y.
    """

    intercept: float
    slope: float
    power: float
    noise: float

    def at(self, z: float | Values) -> Values:
        """Return y.

        Args:
            z: Above 0.
        """
        logs = np.log([self.intercept, self.slope])
        return np.exp(
            np.logaddexp(self.power * logs[0], self.power * (logs[1] + np.log(z))) / self.power
        )


class _Quantity(NamedTuple):
    """What an interval is of: its logarithm, how to change it, and what is then free to follow."""

    contrast: Annotated[np.ndarray, "parameter"]
    direction: Annotated[np.ndarray, "parameter"]
    free: Annotated[np.ndarray, "direction parameter"]


_INTERCEPT = _Quantity(_LOG_A, _LOG_A, np.stack([_LOG_B, _LOG_SIGMA]))
_SLOPE = _Quantity(_LOG_B, _LOG_B, np.stack([_LOG_A, _LOG_SIGMA]))
_RATIO = _Quantity(_LOG_B - _LOG_A, _LOG_B, np.stack([_LOG_A + _LOG_B, _LOG_SIGMA]))


@dataclass(frozen=True)
class Intervals:
    """Intervals of a curve's terms.

    Attributes:
        intercept: Of a.
        slope: Of b.
        ratio: Of b / a.
    """

    intercept: Ends
    slope: Ends
    ratio: Ends


def fit_curve(data: Observations, *, free_power: bool = False) -> Curve:
    """Return the most likely curve.

    Args:
        data: At least two different z, not censored.
        free_power: Whether p is fitted too, between 0.1 and 10.

    Example:
        >>> z = np.array([1.0, 0.1, 0.01])
        >>> exact = np.zeros(3)
        >>> curve = fit_curve(Observations(z, 5 + 300 * z, exact > 0, exact))
        >>> round(curve.intercept, 3), round(curve.slope, 3)
        (5.0, 300.0)
    """
    free = np.eye(4) if free_power else _CURVE
    fitted, _ = _minimise(data, np.ones((1, data.y.size)), _start(data)[None], free)
    return Curve(*(float(value) for value in np.exp(fitted[0])))


def max_log_residual(data: Observations, curve: Curve) -> float:
    """Return the largest absolute residual of log y, of the mean over the points of one z.

    Where some points are lower bounds, only a mean above the curve counts.

    Args:
        data: The points.
        curve: Fitted to them.
    """
    residuals = np.log(data.y) - np.log(curve.at(data.z))
    _, members = np.unique(data.z, return_inverse=True)
    means = np.bincount(members, residuals) / np.bincount(members)
    bounded = np.bincount(members, data.censored) > 0
    return float(np.where(bounded, np.maximum(means, 0), np.abs(means)).max())


def likelihood_intervals(data: Observations, confidence: float) -> Intervals:
    """Return the intervals of all values that are not much less likely than the best.

    With n observations: the values whose profile likelihood is at least
    `(1 + t^2/(n - 2))^(-n/2)` of the greatest, t being the two-sided quantile of Student's
    distribution with n - 2 degrees of freedom. For least squares this is the usual region of one
    parameter, without its linearisation (Bates & Watts 1988, chapter 6).

    Args:
        data: At least three observations.
        confidence: Probability of covering the true value.
    """
    degrees = data.y.size - TERMS
    quantile = special.stdtrit(degrees, (1 + confidence) / 2)
    allowed = data.y.size / 2 * math.log1p(quantile**2 / degrees)
    counts = np.ones((1, data.y.size))
    fitted, cost = _minimise(data, counts, _start(data)[None], _CURVE)

    def ends(quantity: _Quantity, logs: Values) -> Ends:
        def excess(value: float) -> float:
            moved = fitted + (value - quantity.contrast @ fitted[0]) * quantity.direction
            return float((_minimise(data, counts, moved, quantity.free)[1] - cost)[0]) - allowed

        lowest, highest = float(logs.min()) - FAR, float(logs.max()) + FAR
        best = min(max(float(quantity.contrast @ fitted[0]), lowest), highest)
        return Ends(
            math.exp(optimize.brentq(excess, lowest, best)) if excess(lowest) > 0 else 0.0,
            math.exp(optimize.brentq(excess, best, highest)) if excess(highest) > 0 else math.inf,
        )

    log_y, log_z = np.log(data.y), np.log(data.z)
    return Intervals(ends(_INTERCEPT, log_y), ends(_SLOPE, log_y - log_z), ends(_RATIO, -log_z))


def bootstrap_intervals(
    data: Observations, groups: Values, confidence: float, rng: np.random.Generator
) -> Intervals:
    """Return percentile intervals over resampled groups, expanded for their small number.

    Whole groups are drawn with replacement, up to `RESAMPLES` times. Of g groups the percentiles
    are those of a normal distribution beyond `sqrt(g/(g - 1)) t`, t being the quantile of Student's
    distribution with g - 1 degrees of freedom; plain percentiles of few groups are too narrow
    (Hesterberg 2015, What teachers should know about the bootstrap, section 5.3).

    Args:
        data: At least two different z, not censored.
        groups: The group of each observation, such as its seed; at least two different ones.
        confidence: Probability of covering the true value.
        rng: Draws the groups.
    """
    labels, members = np.unique(groups, return_inverse=True)
    number = min(RESAMPLES, max(FEWEST_RESAMPLES, MOST_POINTS // data.y.size))
    drawn = rng.multinomial(labels.size, np.full(labels.size, 1 / labels.size), number)
    different, again = np.unique(drawn, axis=0, return_inverse=True)
    counts = different[:, members].astype(np.float64)
    whole, _ = _minimise(data, np.ones((1, data.y.size)), _start(data)[None], _CURVE)
    fitted, _ = _minimise(data, counts, np.repeat(whole, len(counts), axis=0), _CURVE)
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


def _start(data: Observations) -> Annotated[np.ndarray, "parameter"]:
    # Both terms are below y everywhere.
    log_y, log_z = np.log(data.y), np.log(data.z)
    return np.array([log_y.min(), (log_y - log_z).min(), 0.0, math.log(0.1)])


def _minimise(
    data: Observations,
    counts: Counts,
    start: Parameters,
    free: Annotated[np.ndarray, "direction parameter"],
) -> tuple[Parameters, Annotated[np.ndarray, "fit"]]:
    """Return parameters and negative log-likelihood of all fits: damped Fisher scoring.

    One call for all fits, because a bootstrap makes two thousand of them. Source: Marquardt 1963.
    """
    here, damping = start, np.full(len(start), 1e-3)
    cost, gradient, information = _likelihood(data, counts, here)
    for _ in range(ITERATIONS):
        slope = gradient @ free.T
        curvature = free @ information @ free.T
        diagonal = np.diagonal(curvature, axis1=1, axis2=2) + 1e-12
        damped = curvature + (damping[:, None] * diagonal)[:, :, None] * np.eye(len(free))
        step = -np.linalg.solve(damped, slope[:, :, None])[:, :, 0]
        step = np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        there = np.clip(here + step @ free, _LOWEST, _HIGHEST)
        promised = -(gradient * (there - here)).sum(axis=1)
        if (promised < _CONVERGED).all():
            break
        found = _likelihood(data, counts, there)
        better = found[0] <= cost
        here = np.where(better[:, None], there, here)
        cost = np.where(better, found[0], cost)
        gradient = np.where(better[:, None], found[1], gradient)
        information = np.where(better[:, None, None], found[2], information)
        damping = np.where(better, damping / 10, damping * 10)
    return here, cost


def _likelihood(
    data: Observations, counts: Counts, parameters: Parameters
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return negative log-likelihood, its gradient and the expected information of each fit."""
    expected, slopes = _expected(np.log(data.z), parameters)
    noise = np.exp(2 * parameters[:, 3:])
    variance = noise + data.spread**2
    sd, share = np.sqrt(variance), noise / variance
    score = (np.log(data.y) - expected) / sd
    cost, by_expected = score**2 / 2 + np.log(variance) / 2, -score / sd
    by_noise, own = (1 - score**2) * share, np.broadcast_to(1 / variance, score.shape)
    both, noises = np.zeros_like(score), np.broadcast_to(2 * share**2, score.shape)
    if data.censored.any():
        bound, reach = data.censored, special.log_ndtr(-score)
        # Mills' ratio: density by probability of the part beyond the bound.
        mills = np.exp(-(score**2) / 2 - math.log(2 * math.pi) / 2 - reach)
        bend = mills * (mills - score)
        cost, by_expected = np.where(bound, -reach, cost), np.where(bound, -mills / sd, by_expected)
        by_noise = np.where(bound, -mills * score * share, by_noise)
        own, both = (
            np.where(bound, bend / variance, own),
            np.where(bound, bend * score * share / sd, 0),
        )
        noises = np.where(bound, bend * (score * share) ** 2, noises)
    cross = np.einsum("fn,fnp->fp", counts * both, slopes)
    information = np.empty((len(parameters), 4, 4))
    information[:, :3, :3] = np.einsum("fn,fnp,fnq->fpq", counts * own, slopes, slopes)
    information[:, :3, 3] = information[:, 3, :3] = cross
    information[:, 3, 3] = (counts * noises).sum(axis=1)
    gradient = np.einsum("fn,fnp->fp", counts * by_expected, slopes)
    by_noise = (counts * by_noise).sum(axis=1, keepdims=True)
    return (counts * cost).sum(axis=1), np.hstack([gradient, by_noise]), information


def _expected(
    log_z: Values, parameters: Parameters
) -> tuple[np.ndarray, Annotated[np.ndarray, "fit observation parameter"]]:
    """Return the expected log y and its derivatives by log a, log b and log p."""
    log_a, log_bz = parameters[:, :1], parameters[:, 1:2] + log_z
    power = np.exp(parameters[:, 2:3])
    expected = np.logaddexp(power * log_a, power * log_bz) / power
    share = special.expit(power * (log_bz - log_a))
    by_power = (1 - share) * log_a + share * log_bz - expected
    return expected, np.stack([1 - share, share, by_power], axis=2)
