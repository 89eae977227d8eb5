"""Updates to a target at each batch size, the critical batch size, and the best one for wall time.

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

from reports.cost import UpdateTimeFit, positive
from reports.ends import Ends, product_interval
from reports.intervals import CONFIDENCE
from reports.likelihood import Observations
from reports.two_terms import (
    FEWEST_POINTS,
    POOR_FIT,
    Curve,
    Intervals,
    bootstrap_intervals,
    fit_curves,
    likelihood_intervals_of,
    max_log_residual,
)

IN_RANGE = "in range"
"""The curve has flattened within the batch sizes that reached the target."""
NOT_IN_RANGE = "not in range"
"""The curve still falls at the largest batch size that reached the target."""
FEWEST_GROUPS = 5
"""Intervals of fewer seeds come from the fit: resampled, they would cover 50 to 85%, not 95%."""
NEAR_ALL = 0.25
"""Share of the training items above which a batch is hardly a sample any more."""
NEAR_MINIMUM = 1.05
"""Times up to this multiple of the shortest are as good as it."""


@dataclass(frozen=True)
class PowerAlternative:
    """The p-norm of the two ends, fitted to the same data; None where it shows none.

    Attributes:
        power: p, from 0.1 to 10; 1 is the model's own curve, larger is a sharper bend.
        min_updates: S_min.
        min_examples: E_min.
        critical_batch_size: E_min / S_min, if it is not above the largest batch size.
        max_log_residual: As for the model.
    """

    power: float
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
        """Return what others call the critical batch size: that of a given overhead.

        The batch size that takes 1 + overhead times the updates of perfect scaling from the
        reference: `a + b/B = (1 + overhead) (a + b/reference) reference/B` with a = S_min and
        b = E_min, hence `B = (1 + overhead) reference + overhead b/a`.

        Args:
            overhead: Share of updates above perfect scaling.
            reference: Batch size from which scaling would be perfect.

        Returns:
            None without a critical batch size.

        Source:
            Zhang et al. 2024, How does critical batch size scale in pre-training?
        """
        if self.critical_batch_size is None:
            return None
        return (1 + overhead) * reference + overhead * self.critical_batch_size


@dataclass(frozen=True)
class Task:
    """Runs ready to be fitted.

    Attributes:
        known: What is known without a fit; with a reason, there is nothing to fit.
        data: The runs.
        groups: The seed of each.
    """

    known: StepsToTargetFit
    data: Observations
    groups: np.ndarray


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
    task = task_of(
        batch_sizes,
        updates,
        censored=censored,
        groups=groups,
        half_widths=half_widths,
        items=items,
        confidence=confidence,
    )
    return fit_tasks([task], seed)[0]


def task_of(
    batch_sizes: Sequence[float] | np.ndarray,
    updates: Sequence[float] | np.ndarray,
    *,
    censored: Sequence[bool] | np.ndarray | None = None,
    groups: Sequence[object] | np.ndarray | None = None,
    half_widths: Sequence[float] | np.ndarray | None = None,
    items: int | None = None,
    confidence: float = CONFIDENCE,
) -> Task:
    """Return runs ready to be fitted together with others; see `fit_steps_to_target`.

    Args:
        batch_sizes: As there.
        updates: As there.
        censored: As there.
        groups: As there.
        half_widths: As there.
        items: As there.
        confidence: As there.

    Raises:
        ValueError: Lengths differ or a value is out of its range.
    """
    sizes = positive("batch_sizes", batch_sizes)
    data = _observations(sizes, updates, censored, half_widths)
    labels = np.zeros(data.y.size) if groups is None else np.asarray(groups)
    _same_length("groups", labels, data.y.size)
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
    return Task(known, data, labels)


def fit_tasks(tasks: Sequence[Task], seed: int = 0) -> list[StepsToTargetFit]:
    """Return the fit of each task; together they cost little more than one.

    Args:
        tasks: Of one confidence.
        seed: Of the bootstraps.
    """
    places = [place for place, task in enumerate(tasks) if not task.known.reason]
    some = [tasks[place] for place in places]
    curves = fit_curves([task.data for task in some])
    several = [task for task in some if len(task.known.batch_sizes) > FEWEST_POINTS]
    powers = fit_curves([task.data for task in several], free_power=True)
    power_of = dict(zip(map(id, several), powers, strict=True))
    fits = [task.known for task in tasks]
    intervals = _intervals(some, seed)
    for place, task, curve, found in zip(places, some, curves, intervals, strict=True):
        fits[place] = _fitted(task, curve, power_of.get(id(task)), *found)
    return fits


def curves_of(tasks: Sequence[Task]) -> list[Curve | None]:
    """Return the curve of each task without its intervals; None where there is none.

    Args:
        tasks: Any.
    """
    found: list[Curve | None] = [None] * len(tasks)
    places = [place for place, task in enumerate(tasks) if not task.known.reason]
    for place, curve in zip(places, fit_curves([tasks[p].data for p in places]), strict=True):
        found[place] = curve
    return found


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
        >>> from reports.cost import fit_update_time
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
    factors = (
        fit.curve.slope / fit.curve.intercept,
        timing.curve.intercept / timing.curve.slope,
    )
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


def _observations(
    sizes: np.ndarray,
    updates: Sequence[float] | np.ndarray,
    censored: Sequence[bool] | np.ndarray | None,
    half_widths: Sequence[float] | np.ndarray | None,
) -> Observations:
    made = positive("updates", updates)
    bounds = np.zeros(sizes.size, bool) if censored is None else np.asarray(censored, bool)
    half = np.zeros(sizes.size) if half_widths is None else np.asarray(half_widths, np.float64)
    for name, values in (("updates", made), ("censored", bounds), ("half_widths", half)):
        _same_length(name, values, sizes.size)
    wrong = ~(np.isfinite(half) & (half >= 0))
    if wrong.any():
        raise ValueError(
            f"`half_widths` must be finite and at least 0, but holds {float(half[wrong][0])}."
        )
    return Observations(1 / sizes, made, bounds, half / made / math.sqrt(3))


def _same_length(name: str, values: np.ndarray, length: int) -> None:
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
    found: dict[int, tuple[Intervals, str]] = {}
    few = [place for place, task in enumerate(tasks) if _seeds(task) < FEWEST_GROUPS]
    if few:
        confidence = tasks[few[0]].known.confidence
        likely = likelihood_intervals_of([tasks[place].data for place in few], confidence)
        found = {p: (ends, "profile likelihood") for p, ends in zip(few, likely, strict=True)}
    for place, task in enumerate(tasks):
        if place not in found:
            rng, confidence = np.random.default_rng(seed), task.known.confidence
            ends = bootstrap_intervals(task.data, task.groups, confidence, rng)
            found[place] = ends, f"bootstrap over {_seeds(task)} seeds"
    return [found[place] for place in range(len(tasks))]


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


def _within(value: float, ends: Ends) -> float:
    return min(max(value, ends.low), ends.high)


def _no_slower(updates: Curve, time: Curve, seconds: float) -> Ends:
    """Return the two batch sizes at which the target takes as many seconds."""
    squared, constant = updates.intercept * time.slope, updates.slope * time.intercept
    linear = seconds - updates.intercept * time.intercept - updates.slope * time.slope
    # The product of the roots gives the smaller one without cancellation.
    doubled = linear + math.sqrt(max(linear**2 - 4 * squared * constant, 0))
    return Ends(2 * constant / doubled, doubled / (2 * squared))
