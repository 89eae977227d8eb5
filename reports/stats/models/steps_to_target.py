"""Fits of the updates to a target at each batch size, many at a time.

The fewest updates and the fewest examples with which a target can be reached are the two ends of
one curve (McCandlish et al. 2018, equation 2.11):

    S(B) = S_min (1 + B_crit / B) = S_min + E_min / B,    B_crit = E_min / S_min

It is a model. Its largest residual is reported with it, and beside it the p-norm of the same two
ends, `S = S_min (1 + (B_crit / B)^p)^(1/p)`. An end that the data don't show is None, with the
reason: a number is never made up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from reports.stats._likelihood import Observations
from reports.stats._two_terms import (
    FEWEST_POINTS,
    POOR_FIT,
    Curve,
    Intervals,
    bootstrap_intervals,
    fit_curves,
    likelihood_intervals,
    max_log_residual,
)
from reports.stats.bounds import Ends
from reports.stats.intervals import CONFIDENCE
from reports.stats.models.update_cost import positive

IN_RANGE = "in range"  # the curve has flattened within the batch sizes that reached the target
NOT_IN_RANGE = "not in range"
"""The curve still falls at the largest batch size that reached the target."""
FEWEST_GROUPS = 5
"""Intervals of fewer seeds come from the fit: resampled, they would cover 50 to 85%, not 95%.
So do those of a curve without a plateau, or without a fall, in nearly all resamples."""
NEAR_ALL = 0.25  # share of the training items above which a batch is hardly a sample any more


@dataclass(frozen=True)
class PowerAlternative:
    """The p-norm of the two ends, fitted to the same data; None where it shows none."""

    power: float  # p, from 0.1 to 10; 1 is the model's own curve, larger is a sharper bend
    min_updates: float | None
    min_examples: float | None
    critical_batch_size: float | None
    max_log_residual: float


@dataclass(frozen=True, kw_only=True)
class StepsToTargetFit:
    """What the updates to a target say; None where they can't say.

    Attributes:
        batch_sizes: Those that reached the target, ascending: the range the fit speaks of.
        runs: Observations.
        censored: Those of them that didn't reach the target, used as lower bounds.
        near_all: Batch sizes above a quarter of the training items: drawn without replacement,
            they vary less than the model says.
        confidence: Probability with which an interval covers the truth, if the model is right.
        reason: Why a value below is None; empty if none is.
        min_updates: S_min, the updates that any batch size needs; None without a plateau.
        min_examples: E_min, the examples that any batch size needs; None if updates don't fall
            with batch size.
        critical_batch_size: E_min / S_min; None if either is.
        min_updates_interval: Ends of its interval, given without a plateau too.
        min_examples_interval: Ends of its interval.
        critical_batch_size_interval: Ends of its interval; without a plateau its low end is what
            the critical batch size is at least.
        interval_method: How the intervals were computed.
        max_log_residual: Largest absolute residual of log S, of a batch size's mean over its runs.
        poor_fit: Whether that is above `POOR_FIT`.
        plateau: `IN_RANGE` or `NOT_IN_RANGE`.
        alternative: The p-norm; None with fewer than four batch sizes.
        curve: The fitted curve against 1/B, to interpolate with; None if there is none.
    """

    batch_sizes: tuple[float, ...]
    runs: int
    censored: int
    near_all: tuple[float, ...]
    confidence: float
    reason: str
    min_updates: float | None = None
    min_examples: float | None = None
    critical_batch_size: float | None = None
    min_updates_interval: Ends | None = None
    min_examples_interval: Ends | None = None
    critical_batch_size_interval: Ends | None = None
    interval_method: str = ""
    max_log_residual: float | None = None
    poor_fit: bool = False
    plateau: str | None = None
    alternative: PowerAlternative | None = None
    curve: Curve | None = None

    def overhead_batch_size(self, overhead: float = 0.2, reference: float = 256) -> float | None:
        """Return the batch size that takes 1 + overhead times the updates of perfect scaling.

        What others call the critical batch size (Zhang et al. 2024, How does critical batch size
        scale in pre-training?): `a + b/B = (1 + overhead) (a + b/reference) reference/B` with a =
        S_min and b = E_min, hence `B = (1 + overhead) reference + overhead b/a`. None without a
        critical one.

        Args:
            overhead: Share of updates above perfect scaling.
            reference: Batch size from which scaling would be perfect.
        """
        if self.critical_batch_size is None:
            return None
        return (1 + overhead) * reference + overhead * self.critical_batch_size


@dataclass(frozen=True)
class Task:
    """Runs ready to be fitted."""

    known: StepsToTargetFit  # what is known without a fit; with a reason, there is nothing to fit
    data: Observations
    groups: np.ndarray  # the seed of each run


def task_of(
    sizes: np.ndarray,
    data: Observations,
    groups: np.ndarray,
    *,
    items: int | None = None,
    confidence: float = CONFIDENCE,
) -> Task:
    """Return runs ready to be fitted together with others, the batch size of each."""
    reached = np.unique(sizes[~data.censored])
    large = np.unique(sizes[sizes > NEAR_ALL * (items or math.inf)])
    known = StepsToTargetFit(
        batch_sizes=tuple(reached.tolist()),
        runs=data.y.size,
        censored=int(data.censored.sum()),
        near_all=tuple(large.tolist()),
        confidence=confidence,
        reason=_cannot_say(data, reached),
    )
    return Task(known, data, groups)


def fit_tasks(tasks: Sequence[Task], seed: int = 0) -> list[StepsToTargetFit]:
    """Return the fit of each task; together they cost little more than one."""
    fittable = [task for task in tasks if not task.known.reason]
    curves, intervals = fit_curves([task.data for task in fittable]), _intervals(fittable, seed)
    several = [task for task in fittable if len(task.known.batch_sizes) > FEWEST_POINTS]
    powers = fit_curves([task.data for task in several], free_power=True)
    power_of = dict(zip(map(id, several), powers, strict=True))
    fits = (
        _fitted(task, curve, power_of.get(id(task)), *bounds)
        for task, curve, bounds in zip(fittable, curves, intervals, strict=True)
    )
    return [task.known if task.known.reason else next(fits) for task in tasks]


def curves_of(tasks: Sequence[Task]) -> list[Curve | None]:
    """Return the curve of each task without its intervals; None where there is none."""
    curves = iter(fit_curves([task.data for task in tasks if not task.known.reason]))
    return [None if task.known.reason else next(curves) for task in tasks]


def observations(
    sizes: np.ndarray,
    updates: Sequence[float] | np.ndarray,
    censored: Sequence[bool] | np.ndarray | None,
    half_widths: Sequence[float] | np.ndarray | None,
) -> Observations:
    """Return runs as points of a curve, or refuse what they can't be."""
    made = positive("updates", updates)
    bounds = np.zeros(sizes.size, bool) if censored is None else np.asarray(censored, bool)
    half = np.zeros(sizes.size) if half_widths is None else np.asarray(half_widths, np.float64)
    for name, values in (("updates", made), ("censored", bounds), ("half_widths", half)):
        check_length(name, values, sizes.size)
    wrong = ~(np.isfinite(half) & (half >= 0))
    if wrong.any():
        raise ValueError(
            f"`half_widths` must be finite and at least 0, but holds {float(half[wrong][0])}."
        )
    return Observations(1 / sizes, made, bounds, half / made / math.sqrt(3))


def check_length(name: str, values: np.ndarray, length: int) -> None:
    """Refuse values, by name, that aren't one for each batch size."""
    if values.size != length:
        raise ValueError(
            f"`{name}` must have one value for each of `batch_sizes`, "
            f"but has {values.size} for {length}."
        )


def _cannot_say(data: Observations, sizes: np.ndarray) -> str:
    """Return why there is nothing to fit; empty if there is."""
    if not data.y.size:
        return "There are no runs."
    if not sizes.size:
        return f"No run reached the target, of {data.y.size}."
    if sizes.size < FEWEST_POINTS:
        return f"Fewer than three batch sizes reached the target: {sizes.size}."
    reached = data.y[~data.censored]
    if reached.min() == data.y.max():
        return "Updates to the target are equal at all batch sizes: they show no scaling."
    return ""


def _intervals(tasks: Sequence[Task], seed: int) -> list[tuple[Intervals, str]]:
    intervals: dict[int, tuple[Intervals, str]] = {}
    for index, task in enumerate(tasks):
        if _seeds(task) >= FEWEST_GROUPS:
            rng, confidence = np.random.default_rng(seed), task.known.confidence
            ends = bootstrap_intervals(task.data, task.groups, confidence, rng)
            # If hardly a resample has one of the two terms, none tells how large it may be.
            if ends.intercept.high > 0 and ends.slope.high > 0:
                intervals[index] = ends, f"bootstrap over {_seeds(task)} seeds"
    rest = [index for index in range(len(tasks)) if index not in intervals]
    if rest:
        confidence = tasks[rest[0]].known.confidence
        likely = likelihood_intervals([tasks[index].data for index in rest], confidence)
        intervals |= {p: (ends, "profile likelihood") for p, ends in zip(rest, likely, strict=True)}
    return [intervals[index] for index in range(len(tasks))]


def _seeds(task: Task) -> int:
    return int(np.unique(task.groups).size)


def _fitted(
    task: Task, curve: Curve, power: Curve | None, intervals: Intervals, method: str
) -> StepsToTargetFit:
    largest, residual = task.known.batch_sizes[-1], max_log_residual(task.data, curve)
    flat = intervals.intercept.low > 0 and curve.slope / curve.intercept <= largest
    falls = intervals.slope.low > 0
    return replace(
        task.known,
        reason=_missing_end(largest, flat=flat, falls=falls),
        min_updates=curve.intercept if flat else None,
        min_examples=curve.slope if falls else None,
        critical_batch_size=curve.slope / curve.intercept if flat and falls else None,
        min_updates_interval=intervals.intercept,
        min_examples_interval=intervals.slope,
        critical_batch_size_interval=intervals.ratio,
        interval_method=method,
        max_log_residual=residual,
        poor_fit=residual > POOR_FIT,
        plateau=IN_RANGE if flat else NOT_IN_RANGE,
        alternative=None if power is None else _alternative(task.data, power, largest, falls=falls),
        curve=curve,
    )


def _missing_end(largest: float, *, flat: bool, falls: bool) -> str:
    if not flat:
        return (
            f"Updates still fall at batch size {largest:g}, the largest that reached the target: "
            "there is no plateau in range."
        )
    if not falls:
        return "Updates don't fall with batch size: all sizes may be beyond the critical one."
    return ""


def _alternative(
    data: Observations, curve: Curve, largest: float, *, falls: bool
) -> PowerAlternative:
    ratio = curve.slope / curve.intercept
    flat = ratio <= largest
    return PowerAlternative(
        power=curve.power,
        min_updates=curve.intercept if flat else None,
        min_examples=curve.slope if falls else None,
        critical_batch_size=ratio if flat and falls else None,
        max_log_residual=max_log_residual(data, curve),
    )
