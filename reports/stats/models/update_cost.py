"""Seconds of an update as a function of the batch size: a fixed cost and a cost of each example.

    t(B) = alpha + beta B,    B_half = alpha / beta

At B_half an update takes twice the fixed cost: well below it a larger batch is nearly free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.stats._two_terms import (
    FEWEST_POINTS,
    Curve,
    TwoTerms,
    fit_two_terms,
    means_of,
    positive,
)
from reports.stats.bounds import Ends
from reports.stats.intervals import CONFIDENCE


@dataclass(frozen=True, kw_only=True)
class UpdateTimeFit:
    """What timings say about the cost of an update; None where they can't say."""

    batch_sizes: tuple[float, ...]  # those timed, ascending: the range the fit speaks of
    reason: str  # why a value below is None; empty if none is
    fixed_seconds: float | None = None  # alpha, in seconds for an update; None if none is shown
    seconds_per_example: float | None = None  # beta; None if the times don't grow with the batch
    doubling_batch_size: float | None = None  # B_half = alpha / beta, in examples
    fixed_seconds_interval: Ends | None = None
    seconds_per_example_interval: Ends | None = None
    doubling_batch_size_interval: Ends | None = None
    max_log_residual: float | None = None  # largest absolute residual of log t
    poor_fit: bool = False  # whether the line misses a batch size by more than 10%
    curve: Curve | None = None  # against B, to interpolate with
    model: TwoTerms | None = None  # the fit in full


def fit_update_time(
    batch_sizes: Sequence[float] | np.ndarray,
    seconds: Sequence[float] | np.ndarray,
) -> UpdateTimeFit:
    """Fit seconds per update against batch size, by least squares of logarithms.

    Several times of one batch size, such as those of the rounds of a benchmark, count as their
    median. Intervals come from what the medians deviate from the line: caches and kernels bend it
    by more than the noise of a median.

    Args:
        batch_sizes: Examples of an update, above 0; one for each time.
        seconds: Seconds for one update, above 0.

    Raises:
        ValueError: The two differ in length, or hold a value that isn't finite and above 0.

    Example:
        >>> fit = fit_update_time([1, 10, 100, 1000], [11e-6, 20e-6, 110e-6, 1010e-6])
        >>> round(fit.doubling_batch_size, 3)
        10.0
    """
    sizes, taken = positive("batch_sizes", batch_sizes), positive("seconds", seconds)
    if sizes.size != taken.size:
        raise ValueError(
            "`batch_sizes` and `seconds` must be of equal length, "
            f"but have {sizes.size} and {taken.size} values."
        )
    timed = np.unique(sizes)
    if timed.size < FEWEST_POINTS:
        reason = f"Fewer than three batch sizes are timed: {timed.size}."
        return UpdateTimeFit(batch_sizes=tuple(timed.tolist()), reason=reason)
    medians = np.array([np.median(taken[sizes == size]) for size in timed])
    model = fit_two_terms(means_of(timed, medians), CONFIDENCE, bend=False)
    fixed = model.curve.intercept if model.intercept.low > 0 else None
    each = model.curve.slope if model.slope.low > 0 else None
    flat = "Times don't grow with the batch size: they show no cost of an example."
    steep = "Times grow in proportion to the batch: they show no fixed cost."
    return UpdateTimeFit(
        batch_sizes=tuple(timed.tolist()),
        reason=steep if fixed is None else flat if each is None else "",
        fixed_seconds=fixed,
        seconds_per_example=each,
        doubling_batch_size=None if fixed is None or each is None else fixed / each,
        fixed_seconds_interval=model.intercept,
        seconds_per_example_interval=model.slope,
        doubling_batch_size_interval=model.ratio.inverse(),
        max_log_residual=model.largest_residual,
        poor_fit=model.poor_fit,
        curve=model.curve,
        model=model,
    )
