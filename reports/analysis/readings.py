"""The validation metric at points of recorded curves, each seed's rate chosen on other seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from reports.schema.results import CLASSIFICATION, GroupDescription


def guess_level(plan: GroupDescription) -> float:
    """Return the metric that a network reaches by guessing: what a diverged one counts as.

    One class in as many as there are, and an R2 of 0.
    """
    return 1 / max(plan.outputs, 2) if plan.task == CLASSIFICATION else 0.0


def evaluations(curves: pd.DataFrame, along: str = "updates") -> dict[str, np.ndarray]:
    """Return where the evaluations of each trial were made, and the validation metric there.

    Args:
        curves: Columns `reports.schema.results.CURVE_COLUMNS`.

    Returns:
        By trial, of shape (2, evaluations).
    """
    columns = curves[[along, "validation_metric"]].to_numpy(np.float64)
    places = curves.groupby("trial", sort=False).indices
    return {str(trial): columns[rows].T for trial, rows in places.items()}


def read(
    evaluated: Mapping[str, np.ndarray], trials: Sequence[str], points: np.ndarray
) -> np.ndarray:
    """Return the metric of trials at points of their curves, linearly between evaluations.

    Before the first evaluation and after the last one it is the one there.

    Returns:
        Of the same shape; NaN for a trial without a curve.

    Example:
        >>> read({"a": np.array([[0, 10], [0.1, 0.5]])}, ["a", "b"], np.array([[5.0], [5.0]]))
        array([[0.3],
               [nan]])
    """
    values = np.full(points.shape, np.nan)
    for place, trial in enumerate(trials):
        if trial in evaluated:
            values[place] = np.interp(points[place], *evaluated[trial])
    return values


def best_on_others(values: np.ndarray) -> np.ndarray:
    """Return for each seed the place of the rate that is best on all other seeds.

    The best of several noisy values flatters itself; chosen on other seeds it doesn't.

    Returns:
        Of shape (seeds, ...). Of equal rates the smallest.

    Example:
        >>> best_on_others(np.array([[1.0, 0.0], [0.0, 1.0]]))
        array([1, 0])
    """
    others = (values.sum(axis=1, keepdims=True) - values) / (values.shape[1] - 1)
    # Means that differ by rounding only are equal, and one of some seeds is none.
    return np.asarray(np.where(np.isnan(others), -np.inf, others.round(12)).argmax(axis=0))
