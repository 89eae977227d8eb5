"""The updates to a target at each batch size, and the critical batch size.

The fewest updates and the fewest examples with which a target can be reached are the two ends of
one curve (McCandlish et al. 2018, equation 2.11, which has p = 1):

    S(B) = S_min (1 + (E_min / (S_min B))^p)^(1/p)

The critical batch size is that at which updates are twice S_min; E_min / S_min if p is 1. A value
that the data don't show is None, with the reason: a number is never made up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reports.stats._two_terms import (
    FEWEST_POINTS,
    Curve,
    Points,
    TwoTerms,
    fit_two_terms,
    means_of,
    positive,
)
from reports.stats.bounds import Ends
from reports.stats.intervals import CONFIDENCE

IN_RANGE = "in range"  # the curve has flattened within the batch sizes that reached the target
NOT_IN_RANGE = "not in range"  # it still falls at the largest of them
NEAR_ALL = 0.25  # share of the training examples above which a batch is hardly a sample any more


@dataclass(frozen=True, kw_only=True)
class StepsToTargetFit:
    """What the updates to a target say; None where they can't say."""

    batch_sizes: tuple[float, ...]  # reached with every run, ascending: the range the fit speaks of
    runs: int  # observations
    censored: int  # those of them that didn't reach the target, used as lower bounds
    # Above a quarter of the training examples: drawn without replacement, these batch sizes vary
    # less than the model says.
    near_all: tuple[float, ...]
    reason: str  # why a value below is None; empty if none is
    min_updates: float | None = None  # S_min, that any batch size needs; None without a plateau
    min_examples: float | None = None  # E_min; None if updates don't fall with batch size
    critical_batch_size: float | None = None  # with twice S_min updates; None if either is
    min_updates_interval: Ends | None = None  # given without a plateau too
    min_examples_interval: Ends | None = None
    critical_batch_size_interval: Ends | None = None  # without a plateau it is at least the low end
    # Of log S, of a batch size's mean over its runs; absolute.
    max_log_residual: float | None = None
    poor_fit: bool = False  # off by more than 10% at a batch size, and by more than runs scatter
    plateau: str | None = None  # `IN_RANGE` or `NOT_IN_RANGE`
    curve: Curve | None = None  # against 1/B, to interpolate with
    model: TwoTerms | None = None  # the fit in full
    means: tuple[float, ...] = ()  # geometric, of the updates at each of `batch_sizes`

    def overhead_batch_size(self, overhead: float = 0.2, reference: float = 256) -> float | None:
        """Return the batch size that takes 1 + overhead times the updates of perfect scaling.

        What others call the critical batch size (Zhang et al. 2024, How does critical batch size
        scale in pre-training?): `B S(B) = (1 + overhead) reference S(reference)`. By the fitted
        curve or, where that is a poor fit, between the batch sizes measured. None without a
        critical batch size, or beyond those measured.

        Args:
            overhead: Share of updates above perfect scaling.
            reference: Batch size from which scaling would be perfect.
        """
        if self.critical_batch_size is None or self.curve is None:
            return None
        if self.poor_fit:
            return self._measured_overhead(overhead, reference)
        curve = self.curve
        examples = (1 + overhead) * reference * float(curve.at(1 / reference))
        power = curve.power
        return (examples**power - curve.slope**power) ** (1 / power) / curve.intercept

    def _measured_overhead(self, overhead: float, reference: float) -> float | None:
        sizes, updates = np.array(self.batch_sizes), np.array(self.means)
        # Examples don't fall with batch size, but for noise.
        examples = np.maximum.accumulate(np.log(sizes * updates))
        if not sizes[0] <= reference <= sizes[-1]:
            return None
        wanted = math.log1p(overhead) + np.interp(math.log(reference), np.log(sizes), examples)
        if wanted > examples[-1]:
            return None
        return float(np.exp(np.interp(wanted, examples, np.log(sizes))))


def fit_steps_to_target(
    batch_sizes: Sequence[float] | np.ndarray,
    updates: Sequence[float] | np.ndarray,
    *,
    censored: Sequence[bool] | np.ndarray | None = None,
    items: int | None = None,
) -> StepsToTargetFit:
    """Fit the updates to a target against batch size, in logarithms.

    Every batch size should have its learning rate tuned. Runs of one batch size count as their
    mean: what a mean deviates from the curve is the error of the fit, by whatever cause, so that
    intervals hold for rates that are not tuned well and for curves that bend otherwise, too.

    Args:
        batch_sizes: Batch size of each run, above 0.
        updates: Updates to the target, above 0; of a run that didn't reach it, the updates made.
        censored: True for runs that didn't reach the target; the mean of their batch size counts
            as a lower bound.
        items: Training examples, to flag batch sizes near them.

    Raises:
        ValueError: Lengths differ or a value is out of its range.

    Example:
        >>> fit = fit_steps_to_target([8, 32, 128, 512], [1350, 412.5, 178.125, 119.53125])
        >>> round(fit.min_updates), round(fit.min_examples), round(fit.critical_batch_size)
        (100, 10000, 100)
        >>> fit.plateau
        'in range'
        >>> fit_steps_to_target([8, 32], [1350, 413]).reason
        'Fewer than three batch sizes reached the target with every run: 2.'
    """
    sizes, made = positive("batch_sizes", batch_sizes), positive("updates", updates)
    bounds = np.zeros(sizes.size, bool) if censored is None else np.asarray(censored, bool)
    for name, values in (("updates", made), ("censored", bounds)):
        if values.size != sizes.size:
            raise ValueError(
                f"`{name}` must have one value for each of `batch_sizes`, "
                f"but has {values.size} for {sizes.size}."
            )
    points = means_of(1 / sizes, made, bounds)
    exact = np.flatnonzero(~points.bounded)[::-1]
    known = StepsToTargetFit(
        batch_sizes=tuple(np.exp(-points.log_z[exact]).round(9).tolist()),
        runs=made.size,
        censored=int(bounds.sum()),
        near_all=tuple(np.unique(sizes[sizes > NEAR_ALL * (items or math.inf)]).tolist()),
        reason=_cannot_say(points, made),
        means=tuple(np.exp(points.log_y[exact]).tolist()),
    )
    return known if known.reason else _fitted(known, fit_two_terms(points, CONFIDENCE))


def _cannot_say(points: Points, updates: np.ndarray) -> str:
    """Return why there is nothing to fit; empty if there is."""
    if not updates.size:
        return "There are no runs."
    if not points.known:
        return f"No batch size reached the target with every run, of {updates.size} runs."
    if points.known < FEWEST_POINTS:
        return f"Fewer than three batch sizes reached the target with every run: {points.known}."
    if np.ptp(points.log_y) == 0:
        return "Updates to the target are equal at all batch sizes: they show no scaling."
    return ""


def _fitted(known: StepsToTargetFit, model: TwoTerms) -> StepsToTargetFit:
    largest, curve = known.batch_sizes[-1], model.curve
    flat = model.intercept.low > 0 and curve.ratio <= largest
    falls, reason = model.slope.low > 0, ""
    if not flat:
        reason = (
            f"Updates still fall at batch size {largest:g}, the largest that reached the target: "
            "there is no plateau in range."
        )
    elif not falls:
        reason = "Updates don't fall with batch size: all sizes may be beyond the critical one."
    return replace(
        known,
        reason=reason,
        min_updates=curve.intercept if flat else None,
        min_examples=curve.slope if falls else None,
        critical_batch_size=curve.ratio if flat and falls else None,
        min_updates_interval=model.intercept,
        min_examples_interval=model.slope,
        critical_batch_size_interval=model.ratio,
        max_log_residual=model.largest_residual,
        poor_fit=model.poor_fit,
        plateau=IN_RANGE if flat else NOT_IN_RANGE,
        curve=curve,
        model=model,
    )
