"""The batch size that reaches a target in the shortest time, by two fitted curves.

The time to the target is updates times seconds; with p = 1 it is shortest at
`sqrt(B_crit alpha / beta)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reports.stats._two_terms import shapes_at
from reports.stats.bounds import Ends
from reports.stats.models.steps_to_target import StepsToTargetFit
from reports.stats.models.update_cost import UpdateTimeFit

NEAR_MINIMUM = 1.05  # times up to this multiple of the shortest are as good as it
_SIZES = 400


@dataclass(frozen=True, kw_only=True)
class BestBatch:
    """The batch size that reaches the target in the shortest time; None where it isn't known."""

    reason: str  # why the values below are None; empty if they aren't
    batch_size: float | None = None  # the best within the measured range, not rounded
    interval: Ends | None = None  # within the measured range
    near: Ends | None = None  # within 5% of the shortest time, also within that range
    seconds: float | None = None  # time to target at `batch_size`
    measured: Ends | None = None  # the range in which both updates and their cost were measured


def best_batch_for_time(fit: StepsToTargetFit, timing: UpdateTimeFit) -> BestBatch:
    """Return the batch size that reaches the target in the shortest time, by both fits.

    The interval is that of all curves within the interval of either fit, with the other at its
    best: the distances of both add in quadrature, in logarithms.

    Args:
        fit: Updates to the target.
        timing: Seconds per update.

    Returns:
        The best batch size within the range in which both were measured.

    Example:
        >>> from reports.stats.models.steps_to_target import fit_steps_to_target
        >>> from reports.stats.models.update_cost import fit_update_time
        >>> fit = fit_steps_to_target([8, 32, 128, 512], [1350, 412.5, 178.125, 119.53125])
        >>> timing = fit_update_time([8, 64, 512], [18e-6, 74e-6, 522e-6])
        >>> best = best_batch_for_time(fit, timing)
        >>> round(best.batch_size, 1), round(best.seconds, 5)
        (31.6, 0.01732)
    """
    if fit.curve is None or fit.model is None:
        return BestBatch(reason=fit.reason)
    if timing.curve is None or timing.model is None:
        return BestBatch(reason=timing.reason)
    measured = Ends(
        max(fit.batch_sizes[0], timing.batch_sizes[0]),
        min(fit.batch_sizes[-1], timing.batch_sizes[-1]),
    )
    if measured.low > measured.high:
        return BestBatch(reason="No batch size has both its updates and its cost in range.")
    sizes = np.geomspace(*measured, _SIZES)
    updates, cost = fit.curve.at(1 / sizes), timing.curve.at(sizes)
    seconds = updates * cost
    around = np.clip(seconds.argmin() + np.array([-1, 1]), 0, _SIZES - 1)
    nearby = np.geomspace(sizes[around[0]], sizes[around[1]], _SIZES)
    times = fit.curve.at(1 / nearby) * timing.curve.at(nearby)
    best, near = float(nearby[times.argmin()]), sizes[seconds <= NEAR_MINIMUM * seconds.min()]
    fastest = (
        sizes[(shapes_at(1 / sizes, fit.model.shapes) * cost).argmin(axis=1)],
        sizes[(shapes_at(sizes, timing.model.shapes) * updates).argmin(axis=1)],
    )
    below = math.hypot(*(math.log(best / each.min()) for each in fastest))
    above = math.hypot(*(math.log(each.max() / best) for each in fastest))
    low, high = best * math.exp(-below), best * math.exp(above)
    return BestBatch(
        reason="",
        batch_size=best,
        interval=Ends(max(low, measured.low), min(high, measured.high)),
        near=Ends(float(near[0]), float(near[-1])),
        seconds=float(times.min()),
        measured=measured,
    )
