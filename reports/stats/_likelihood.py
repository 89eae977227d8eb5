"""The most likely curves `y = a + b z`, with relative errors, of many sets of points at a time.

    log y = (1/p) log(a^p + (b z)^p) + noise,    noise ~ N(0, sigma^2 + spread^2)

Of a lower bound only `P(y >= bound)` is known, and adds to the likelihood (Tobin 1958). A bootstrap
makes a thousand fits, a study has hundreds: one call for all costs little more than one fit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from scipy import special

Values = Annotated[np.ndarray, "observation"]
Counts = Annotated[np.ndarray, "fit observation"]  # how often each observation counts in each fit
Parameters = Annotated[np.ndarray, "fit parameter"]  # log a, log b, log p and log sigma of each fit
Directions = Annotated[np.ndarray, "direction parameter"]
"""In which a search may go; with an axis in front if fits differ in it."""

LEAST_NOISE = 1e-3
"""Smallest relative noise assumed: of perfect data the likelihood would be infinite."""
ITERATIONS = 200  # steps after which the search for a curve ends; about ten are usual
LOG_A, LOG_B, LOG_P, LOG_SIGMA = np.eye(4)  # the parameters, as directions

_LOWEST = np.array([-np.inf, -np.inf, math.log(0.1), math.log(LEAST_NOISE)])
_HIGHEST = np.array([np.inf, np.inf, math.log(10), math.log(10)])
_LONGEST_STEP = 2.0
_CONVERGED = 1e-9


@dataclass(frozen=True)
class Observations:
    """Points of a curve, z and y above 0; with an axis in front, of one curve for each fit."""

    z: Values
    y: Values  # a lower bound where censored
    censored: Values
    spread: Values  # standard deviation of log y that is known beforehand, as of rounding

    def of(self, fits: np.ndarray) -> Observations:
        """Return the points of some fits; all fits may have the same."""
        if self.y.ndim == 1:
            return self
        return Observations(*(values[fits] for values in vars(self).values()))


def stacked(data: Sequence[Observations]) -> tuple[Observations, Counts]:
    """Return the points of several curves as those of one, and which of them count.

    Curves with fewer points than others are filled up with some that don't count.
    """
    width = max(curve.y.size for curve in data)
    fills = {"z": 1.0, "y": 1.0, "censored": False, "spread": 0.0}
    filled = {
        name: np.stack([_filled(getattr(curve, name), width, fill) for curve in data])
        for name, fill in fills.items()
    }
    counts = np.stack([_filled(np.ones(curve.y.size), width, 0.0) for curve in data])
    return Observations(**filled), counts


def _filled(values: Values, width: int, fill: float) -> Values:
    return np.concatenate([values, np.full(width - values.size, fill, values.dtype)])


def start(data: Observations) -> Annotated[np.ndarray, "parameter"]:
    """Return where a search begins: both terms are below y everywhere."""
    log_y, log_z = np.log(data.y), np.log(data.z)
    return np.array([log_y.min(), (log_y - log_z).min(), 0.0, math.log(0.1)])


def minimise(
    data: Observations, counts: Counts, begin: Parameters, free: Directions
) -> tuple[Parameters, Annotated[np.ndarray, "fit"]]:
    """Return parameters and negative log-likelihood of all fits: damped Fisher scoring.

    Source: Marquardt 1963.
    """
    fitted, costs = begin.copy(), np.empty(len(begin))
    fits, here, damping = np.arange(len(begin)), begin, np.full(len(begin), 1e-3)
    terms = 3 if (free @ LOG_P).any() else 2
    cost, gradient, information = _likelihood(data, counts, here, terms)
    for _ in range(ITERATIONS):
        there, promised = _step(here, gradient, information, damping, free)
        fitted[fits], costs[fits] = here, cost
        moving = promised >= _CONVERGED
        if not moving.all():
            fits, here, there, cost, gradient, information, damping, counts = (
                values[moving]
                for values in (fits, here, there, cost, gradient, information, damping, counts)
            )
            data, free = data.of(moving), free if free.ndim == 2 else free[moving]  # noqa: PLR2004
        if not fits.size:
            break
        new = _likelihood(data, counts, there, terms)
        better = new[0] <= cost
        here = np.where(better[:, None], there, here)
        cost = np.where(better, new[0], cost)
        gradient = np.where(better[:, None], new[1], gradient)
        information = np.where(better[:, None, None], new[2], information)
        damping = np.where(better, damping / 10, damping * 10)
    fitted[fits], costs[fits] = here, cost
    return fitted, costs


def _step(
    here: Parameters,
    gradient: Parameters,
    information: np.ndarray,
    damping: np.ndarray,
    free: Directions,
) -> tuple[Parameters, np.ndarray]:
    """Return the next parameters of each fit, and by how much they promise to be better."""
    slope = free @ gradient[:, :, None]
    curvature = free @ information @ free.mT
    diagonal = np.diagonal(curvature, axis1=1, axis2=2) + 1e-12
    damped = curvature + (damping[:, None] * diagonal)[:, :, None] * np.eye(free.shape[-2])
    step = np.clip(-np.linalg.solve(damped, slope), -_LONGEST_STEP, _LONGEST_STEP)
    there = np.clip(here + (step.mT @ free)[:, 0], _LOWEST, _HIGHEST)
    return there, -(gradient * (there - here)).sum(axis=1)


def _likelihood(
    data: Observations, counts: Counts, parameters: Parameters, terms: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return negative log-likelihood, its gradient and the expected information of each fit."""
    expected, slopes = _expected(np.log(data.z), parameters, terms)
    noise = np.exp(2 * parameters[:, 3:])
    variance = noise + data.spread**2
    sd, share = np.sqrt(variance), noise / variance
    score = (np.log(data.y) - expected) / sd
    cost, by_expected = score**2 / 2 + np.log(variance) / 2, -score / sd
    by_noise, curvature = (1 - score**2) * share, np.broadcast_to(1 / variance, score.shape)
    both, noises = None, np.broadcast_to(2 * share**2, score.shape)
    if data.censored.any():
        bound, reach = data.censored, special.log_ndtr(-score)
        # Mills' ratio: density by probability of the part beyond the bound.
        mills = np.exp(-(score**2) / 2 - math.log(2 * math.pi) / 2 - reach)
        bend = mills * (mills - score)
        cost, by_expected = np.where(bound, -reach, cost), np.where(bound, -mills / sd, by_expected)
        by_noise = np.where(bound, -mills * score * share, by_noise)
        curvature = np.where(bound, bend / variance, curvature)
        both = counts * np.where(bound, bend * score * share / sd, 0)
        noises = np.where(bound, bend * (score * share) ** 2, noises)
    gradient, information = np.zeros((len(parameters), 4)), np.zeros((len(parameters), 4, 4))
    by_expected, curvature = counts * by_expected, counts * curvature
    for row, slope in enumerate(slopes):
        gradient[:, row] = _sum(by_expected, slope)
        for column in range(row + 1):
            product = _sum(curvature * slope, slopes[column])
            information[:, row, column] = information[:, column, row] = product
        if both is not None:
            information[:, row, 3] = information[:, 3, row] = _sum(both, slope)
    gradient[:, 3], information[:, 3, 3] = _sum(counts, by_noise), _sum(counts, noises)
    return _sum(counts, cost), gradient, information


def _sum(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sum of products over the observations of each fit."""
    return np.einsum("fn,fn->f", first, second)


def _expected(
    log_z: Values, parameters: Parameters, terms: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the expected log y and its derivatives by log a, log b and, if asked for, log p."""
    log_a, log_bz = parameters[:, :1], parameters[:, 1:2] + log_z
    power = np.exp(parameters[:, 2:3])
    expected = np.logaddexp(power * log_a, power * log_bz) / power
    share = special.expit(power * (log_bz - log_a))
    slopes = [1 - share, share]
    if terms > len(slopes):
        slopes.append((1 - share) * log_a + share * log_bz - expected)
    return expected, slopes
