"""Updates to a target at each batch size, the critical batch size, and the best one for wall time.

The time to the target is the product of two curves: updates
(`reports.stats.models.steps_to_target`) and seconds of an update
(`reports.stats.models.update_cost`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.stats._two_terms import Curve
from reports.stats.bounds import Ends, product_interval
from reports.stats.intervals import CONFIDENCE
from reports.stats.models.steps_to_target import (
    StepsToTargetFit,
    check_length,
    fit_tasks,
    observations,
    task_of,
)
from reports.stats.models.update_cost import UpdateTimeFit, positive

NEAR_MINIMUM = 1.05  # times up to this multiple of the shortest are as good as it


@dataclass(frozen=True, kw_only=True)
class BestBatch:
    """The batch size that reaches the target in the shortest time; None where it isn't known.

    Attributes:
        reason: Why the values below are None; empty if they aren't.
        batch_size: The best within the measured range, not rounded.
        interval: Ends of its interval, within the measured range.
        near: Ends of the range of batch sizes within 5% of the shortest time, likewise.
        seconds: Time to target at `batch_size`.
        unbounded: sqrt(B_crit alpha / beta), before the measured range is respected.
        measured: Ends of the range in which both updates and their cost were measured.
    """

    reason: str
    batch_size: float | None = None
    interval: Ends | None = None
    near: Ends | None = None
    seconds: float | None = None
    unbounded: float | None = None
    measured: Ends | None = None

    @property
    def at_edge(self) -> bool:
        """Whether the best is the smallest or largest measured, so that others may be better."""
        return self.measured is not None and self.batch_size in self.measured


def fit_steps_to_target(
    batch_sizes: Sequence[float] | np.ndarray,
    updates: Sequence[float] | np.ndarray,
    *,
    censored: Sequence[bool] | np.ndarray | None = None,
    groups: Sequence[object] | np.ndarray | None = None,
    seed: int = 0,
    half_widths: Sequence[float] | np.ndarray | None = None,
    items: int | None = None,
    confidence: float = CONFIDENCE,
) -> StepsToTargetFit:
    """Fit the updates to a target against batch size, in logarithms.

    Every batch size should have its learning rate tuned. Fitting log S avoids the bias of fitting
    1/S on 1/E, since E = B S shares the error of S.

    Args:
        batch_sizes: Batch size of each run, above 0.
        updates: Updates to the target, above 0; of a run that didn't reach it, the updates made.
        censored: True for runs that didn't reach the target; they count as lower bounds.
        groups: The seed of each run. With five or more the intervals are bootstrapped over them;
            otherwise they come from the scatter around the curve.
        seed: Of the bootstrap.
        half_widths: Half the updates between the two evaluations around the target, of each run:
            an error of variance half_width^2 / 3, beside the noise.
        items: Training items, to flag batch sizes near them.
        confidence: Of the intervals.

    Raises:
        ValueError: Lengths differ or a value is out of its range.

    Example:
        >>> fit = fit_steps_to_target([8, 32, 128, 512], [1350, 412.5, 178.125, 119.53125])
        >>> round(fit.min_updates), round(fit.min_examples), round(fit.critical_batch_size)
        (100, 10000, 100)
        >>> fit.plateau
        'in range'
        >>> fit_steps_to_target([8, 32], [1350, 413]).reason
        'Fewer than three batch sizes reached the target: 2.'
    """
    sizes = positive("batch_sizes", batch_sizes)
    data = observations(sizes, updates, censored, half_widths)
    labels = np.zeros(sizes.size) if groups is None else np.asarray(groups)
    check_length("groups", labels, sizes.size)
    return fit_tasks([task_of(sizes, data, labels, items=items, confidence=confidence)], seed)[0]


def best_batch_for_time(fit: StepsToTargetFit, timing: UpdateTimeFit) -> BestBatch:
    """Return the batch size that reaches the target in the shortest time, in closed form.

    `T(B) = S_min (1 + B_crit/B)(alpha + beta B)` is shortest at
    `B* = sqrt(B_crit alpha / beta)`, where it is
    `S_min (sqrt(alpha) + sqrt(beta B_crit))^2`. T is convex, so outside the measured range the
    nearer of its ends is best. The interval adds the distances of both factors' ends in quadrature,
    in logarithms (see `product_interval`).

    Args:
        fit: Updates to the target.
        timing: Seconds per update.

    Returns:
        The best batch size within the range in which both were measured.

    Example:
        >>> fit = fit_steps_to_target([8, 32, 128, 512], [1350, 412.5, 178.125, 119.53125])
        >>> from reports.stats.models.update_cost import fit_update_time
        >>> timing = fit_update_time([8, 64, 512], [18e-6, 74e-6, 522e-6])
        >>> best = best_batch_for_time(fit, timing)
        >>> round(best.batch_size, 2), round(best.seconds, 5)
        (31.62, 0.01732)
    """
    if fit.curve is None or fit.critical_batch_size_interval is None:
        return BestBatch(reason=fit.reason)
    if timing.curve is None or timing.doubling_batch_size_interval is None:
        return BestBatch(reason=timing.reason)
    measured = Ends(
        max(fit.batch_sizes[0], timing.batch_sizes[0]),
        min(fit.batch_sizes[-1], timing.batch_sizes[-1]),
    )
    if measured.low > measured.high:
        return BestBatch(reason="No batch size has both its updates and its cost in range.")
    factors = (fit.curve.slope / fit.curve.intercept, timing.curve.intercept / timing.curve.slope)
    squared = product_interval(
        factors, (fit.critical_batch_size_interval, timing.doubling_batch_size_interval)
    )
    unbounded, ends = math.sqrt(math.prod(factors)), Ends(*map(math.sqrt, squared))
    best = _within(unbounded, measured)
    seconds = float(fit.curve.at(1 / best) * timing.curve.at(best))
    near = _no_slower(fit.curve, timing.curve, NEAR_MINIMUM * seconds)
    return BestBatch(
        reason="",
        batch_size=best,
        interval=Ends(_within(ends.low, measured), _within(ends.high, measured)),
        near=Ends(_within(near.low, measured), _within(near.high, measured)),
        seconds=seconds,
        unbounded=unbounded,
        measured=measured,
    )


def _within(value: float, ends: Ends) -> float:
    return min(max(value, ends.low), ends.high)


def _no_slower(updates: Curve, time: Curve, seconds: float) -> Ends:
    """Return the two batch sizes at which the target takes as many seconds."""
    squared, constant = updates.intercept * time.slope, updates.slope * time.intercept
    linear = seconds - updates.intercept * time.intercept - updates.slope * time.slope
    # The product of the roots gives the smaller one without cancellation.
    doubled = linear + math.sqrt(max(linear**2 - 4 * squared * constant, 0))
    return Ends(2 * constant / doubled, doubled / (2 * squared))
