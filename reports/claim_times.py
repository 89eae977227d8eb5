"""Whether a number can name the batch size that reaches a target first: the last claim.

Two numbers are held against the best batch size measured on fresh seeds, both computed from the
tuning seeds and the timing pass alone: the batch size that was fastest there, and the one that the
closed form of `reports.scaling` gives, the nearer end of the range where it lies outside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from reports.claim_evidence import Sample
from reports.claim_samples import Groups, confirmed, sample_of
from reports.claim_values import (
    seconds_per_update,
    sizes_of,
    updates_made,
    updates_to,
)
from reports.readings import guess_level
from reports.record import Analysis
from reports.two_terms import FEWEST_POINTS, Curve, Observations, fit_curve

TARGET = 0.9
"""A target lies so far on the way from guessing to the best validation metric of tuning seeds."""

_BUDGET = f"time to a target: {TARGET:.0%} of the way from guessing to the best validation"


def predictions(groups: Groups) -> Iterator[Sample]:
    """C7: time to target of the batch size that a rule names, by that of the best measured.

    Args:
        groups: The numbers of each group.
    """
    for analysis in confirmed(groups):
        cost = pd.Series(seconds_per_update(analysis), dtype="float64")
        target = _target(analysis)
        fresh = _seconds(updates_to(analysis, target, fresh=True), cost)
        tuning = updates_to(analysis, target, fresh=False)
        named = {
            "measured": _quickest(_seconds(tuning, cost)),
            "closed form": _closed_form(analysis, tuning, cost),
        }
        for kind, size in named.items():
            if size is not None and len(fresh.columns) > 1:
                yield from sample_of(kind, [analysis], _slower(fresh, size), _BUDGET)


def _target(analysis: Analysis) -> float:
    guess = guess_level(analysis.plan)
    return guess + TARGET * (float(analysis.batch_sizes["validation_metric"].max()) - guess)


def _seconds(updates: pd.DataFrame, cost: pd.Series[float]) -> pd.DataFrame:
    timed = updates.columns.intersection(cost.index)
    return updates[timed].mul(cost[timed]).dropna(axis="columns")


def _closed_form(analysis: Analysis, tuning: pd.DataFrame, cost: pd.Series[float]) -> float | None:
    """Batch size `sqrt(B_crit alpha / beta)` of `S_min (1 + B_crit/B) (alpha + beta B)`.

    None with fewer batch sizes than a curve can be judged by.
    """
    made = updates_made(analysis)
    runs = [(size, one, made[size]) for size in sizes_of(tuning) for one in tuning[size].dropna()]
    sizes, updates, most = np.array(runs, dtype=np.float64).reshape(-1, 3).T
    missed = np.isinf(updates)
    if min(len({*sizes[~missed]}), len(cost)) < FEWEST_POINTS:
        return None
    steps = _curve(1 / sizes, np.where(missed, most, updates), missed)
    update = _curve(np.array([*cost.index], dtype=np.float64), cost.to_numpy())
    return math.sqrt(steps.slope / steps.intercept * update.intercept / update.slope)


def _curve(z: np.ndarray, y: np.ndarray, censored: np.ndarray | None = None) -> Curve:
    exact = np.zeros(y.size)
    return fit_curve(Observations(z, y, exact > 0 if censored is None else censored, exact))


def _slower(times: pd.DataFrame, wanted: float) -> pd.Series[float]:
    """Logarithm of the time at the size nearest to a wanted one, by that at the quickest."""
    use = min(sizes_of(times), key=lambda size: abs(math.log(size / wanted)))
    quickest = _quickest(times)
    # Infinite where the size that was named misses the target; unknown where every size does.
    return (times[use] / times[use if quickest is None else quickest]).map(math.log)


def _quickest(times: pd.DataFrame) -> int | None:
    means = dict(zip(sizes_of(times), times.mean().tolist(), strict=True))
    reached = [size for size, mean in means.items() if math.isfinite(mean)]
    return min(reached, key=means.__getitem__, default=None)
