"""Paired t tests over seeds, of many pairs and many cases at a time, adjusted by Holm's method."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

FEWEST = 2  # values below this number have no spread
_ROUNDING = 1e-12  # differences up to this are rounding errors


def holm(p_values: Sequence[float] | np.ndarray) -> list[float]:
    """Return p values adjusted so that the family-wise error stays below the level.

    Source: Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    raw = np.asarray(p_values, dtype=np.float64)[:, None]
    return [float(value) for value in _holm(raw, np.array([len(raw)]))[:, 0]]


def best_and_tied(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return which batch size has the highest mean, and which tie with it, case by case.

    By two-sided paired t tests, adjusted by Holm's method over all pairs of a case. Values have the
    shape (seeds, batch sizes, cases), NaN where one is missing.
    """
    present = ~np.isnan(values).all(axis=0)
    means = np.nansum(values, axis=0) / np.maximum(counts(values), 1)
    best = np.where(present, means, -math.inf).argmax(axis=0)
    first, second = np.triu_indices(values.shape[1], 1)
    differences = values[:, first] - values[:, second]
    family = present.sum(axis=0) * (present.sum(axis=0) - 1) // 2
    adjusted = _holm(p_values_of(differences), family)
    tied = present.copy()
    for left, right in ((first, second), (second, first)):
        pair, case = np.nonzero((left[:, None] == best) & (adjusted <= level))
        tied[right[pair], case] = False
    return best, tied


def spread_of(differences: Sequence[float] | np.ndarray) -> float:
    """Return the standard deviation of differences; of equal ones, that of rounding to their size.

    `h / sqrt(6)` of a difference h of two values in steps of h: see `p_values_of`. Where no seed
    differs at all it is 0.
    """
    values = np.asarray(differences, np.float64)
    spread, size = float(values.std(ddof=1)), abs(float(values.mean()))
    if max(spread, size) <= _ROUNDING:
        return 0.0
    return spread if spread > _ROUNDING else size / math.sqrt(6)


def counts(differences: np.ndarray) -> np.ndarray:
    """Return how many values there are along the first axis; NaN represents a missing seed."""
    return np.count_nonzero(~np.isnan(differences), axis=0)


def p_values_of(differences: np.ndarray) -> np.ndarray:
    """Return the two-sided p values of t tests of differences; 1 where no test can be made.

    Shares come in steps of one example, so a few seeds often differ by exactly as much. That shows
    only that their spread is below a step: such a test takes the spread that rounding to steps h
    gives a difference, `h / sqrt(6)` (Sheppard 1898), with the smallest difference of the case as
    h. (Without it, eleven equal batch sizes with two seeds and 36 examples would have one of them
    called worse in four of five studies.)

    Differences have the shape (seeds, tests, cases), NaN where a seed is missing; p values the
    shape (tests, cases).
    """
    lengths = np.abs(np.nan_to_num(differences))
    differ = lengths > _ROUNDING
    count = counts(differences)
    possible = (count >= FEWEST) & differ.any(axis=0)
    step = np.where(differ, lengths, math.inf).min(axis=(0, 1), initial=math.inf)
    steps = np.broadcast_to(step, possible.shape)[possible]
    usable, count = differences[:, possible], count[possible]
    mean = np.nansum(usable, axis=0) / count
    spread = np.sqrt(np.nansum((usable - mean) ** 2, axis=0) / (count - 1))
    spread = np.where(spread > _ROUNDING, spread, steps / math.sqrt(6))
    statistic = mean / (spread / np.sqrt(count))
    p_values = np.ones(possible.shape)
    p_values[possible] = 2 * special.stdtr(count - 1, -np.abs(statistic))
    return p_values


def _holm(p_values: np.ndarray, family: np.ndarray) -> np.ndarray:
    """Adjust each column by Holm's method: p values of these hypotheses, and beyond them ones."""
    order = np.argsort(p_values, axis=0, kind="stable")
    raw = np.take_along_axis(p_values, order, axis=0)
    factors = np.maximum(family - np.arange(len(raw))[:, None], 1)
    adjusted = np.empty_like(raw)
    stepped = np.minimum(np.maximum.accumulate(raw * factors), 1.0)
    np.put_along_axis(adjusted, order, stepped, axis=0)
    return adjusted
