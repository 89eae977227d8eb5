"""The record of a group's way to its targets: steps, examples and time, and what they follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from reports.schema.results import Column, as_table
from reports.stats.bounds import Ends
from reports.stats.models.first_passage import CROSSING_COLUMNS, Target
from reports.stats.models.noise_scale import NOISE_COLUMNS, RESOLVED
from reports.stats.models.optimal_batch import BestBatch
from reports.stats.models.simulated_workers import Simulation
from reports.stats.models.steps_to_target import StepsToTargetFit
from reports.stats.models.target_levels import SCALING_COLUMNS, scaling_row
from reports.stats.models.update_cost import UpdateTimeFit

NOWHERE = Ends(math.nan, math.nan)
"""Ends of an interval that isn't known."""

TO_TARGET_COLUMNS = (
    *CROSSING_COLUMNS[:3],
    Column("runs", "int64", "runs", "Runs at the tuned rate, one for each seed."),
    Column("reached", "int64", "runs", "Those that reached the target."),
    Column("updates", "float64", "updates", "Median; missing if half of the runs missed it."),
    Column("updates_low", "float64", "updates", "Lower end of its 95% interval; 6 runs or more."),
    Column("updates_high", "float64", "updates", "Upper end; infinite if too many runs missed it."),
    Column("half_width", "float64", "updates", "Half the updates between evaluations; median."),
    Column("examples", "float64", "examples", "updates by batch_size."),
    Column("seconds", "float64", "s", "updates by the median seconds of an update.", True),
    Column("fitted", "bool", "", "Whether it counts in the fit: its rate lies within those tried."),
    Column("near_all", "bool", "", "Whether it is more than a quarter of the training items."),
    Column("predicted_updates", "float64", "updates", "By the fit, within its range."),
    Column("predicted_seconds", "float64", "s", "By both fits, within their range.", True),
)

NOISE_RATIO_COLUMNS = (
    *NOISE_COLUMNS,
    Column("ratio", "float64", "", "noise_scale by the critical batch size; missing if unknown."),
    Column("ratio_low", "float64", "", "Lower end of its interval, from those of both."),
    Column("ratio_high", "float64", "", "Upper end, likewise; may be infinite."),
)

TARGET_COLUMNS = (
    *SCALING_COLUMNS,
    Column("fastest", "Int64", "examples", "Batch size with the shortest median time.", True),
    Column("predicted_best", "float64", "examples", "By the two fits, within their range.", True),
    Column("predicted_low", "float64", "examples", "Lower end of its 95% interval.", volatile=True),
    Column("predicted_high", "float64", "examples", "Upper end, likewise.", volatile=True),
    Column("near_low", "float64", "examples", "From here on within 5% of that time.", True),
    Column("near_high", "float64", "examples", "Up to here, likewise.", volatile=True),
    Column("predicted_seconds", "float64", "s", "Time to the target there.", volatile=True),
    Column("why_no_prediction", "str", "", "Why nothing is predicted.", volatile=True),
)

UPDATE_TIME_COLUMNS = (
    Column("fixed_seconds", "float64", "s", "alpha of alpha + beta B; missing if not shown.", True),
    Column("fixed_low", "float64", "s", "Lower end of its 95% interval.", volatile=True),
    Column("fixed_high", "float64", "s", "Upper end, likewise.", volatile=True),
    Column("seconds_per_example", "float64", "s", "beta; missing if not shown.", volatile=True),
    Column("each_low", "float64", "s", "Lower end of its 95% interval.", volatile=True),
    Column("each_high", "float64", "s", "Upper end, likewise.", volatile=True),
    Column("doubling_batch_size", "float64", "examples", "alpha / beta.", True),
    Column("doubling_low", "float64", "examples", "Lower end of its 95% interval.", volatile=True),
    Column("doubling_high", "float64", "examples", "Upper end, likewise.", volatile=True),
    Column("max_log_residual", "float64", "", "Largest absolute residual of log seconds.", True),
    Column("poor_fit", "bool", "", "Whether the line misses a batch size by more than 10%.", True),
    Column("reason", "str", "", "Why a number is missing.", volatile=True),
)


@dataclass(frozen=True)
class TargetRecord:
    """The way to one target."""

    target: Target
    batch_sizes: pd.DataFrame  # columns `TO_TARGET_COLUMNS`
    crossings: pd.DataFrame  # columns `CROSSING_COLUMNS`: the runs measured, one by one
    tuning: pd.DataFrame  # the same of the runs that tuned the rates
    left_out: tuple[int, ...]  # batch sizes whose rate lies at the edge of those tried: not fitted
    fit: StepsToTargetFit
    best: BestBatch
    named: float | None  # sqrt(B_crit alpha / beta) of the tuning runs alone
    noise: pd.DataFrame  # columns `NOISE_RATIO_COLUMNS`; empty if it wasn't measured

    @cached_property
    def fastest(self) -> int | None:
        """The batch size with the shortest measured time; None if there is none."""
        seconds = self.batch_sizes["seconds"].to_numpy(np.float64)
        if np.isnan(seconds).all():
            return None
        return int(self.batch_sizes["batch_size"].to_numpy()[np.nanargmin(seconds)])


@dataclass(frozen=True)
class ScalingRecord:
    """The way of a group to its targets."""

    fresh: bool  # whether fresh seeds are measured, or the tuning runs, which set the targets
    targets: tuple[TargetRecord, ...]  # easiest first
    reason: str  # why there is no target; empty if there are some
    update_time: UpdateTimeFit
    noise: pd.DataFrame  # columns `NOISE_CURVE_COLUMNS`; empty if it wasn't measured
    simulation: Simulation  # of the hardest target

    @cached_property
    def noise_known(self) -> pd.DataFrame:
        """The rows of `noise` after the start with a noise scale, or a lower end of one."""
        known = (self.noise["status"] == RESOLVED) | (self.noise["low"] > 0)
        return self.noise[known & (self.noise["examples"] > 0)]

    @property
    def main(self) -> TargetRecord | None:
        """The hardest target, which the figures show; None if there is none."""
        return self.targets[-1] if self.targets else None

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each target: columns `TARGET_COLUMNS`."""
        rows = [scaling_row(one.target, one.fit) | _prediction(one) for one in self.targets]
        names = [column.name for column in TARGET_COLUMNS]
        return as_table(pd.DataFrame(rows, columns=names), TARGET_COLUMNS)


def _prediction(record: TargetRecord) -> dict[str, object]:
    best = record.best
    interval, near = best.interval or NOWHERE, best.near or NOWHERE
    return {
        "fastest": record.fastest,
        "predicted_best": best.batch_size,
        "predicted_low": interval.low,
        "predicted_high": interval.high,
        "near_low": near.low,
        "near_high": near.high,
        "predicted_seconds": best.seconds,
        "why_no_prediction": best.reason,
    }


def update_time_table(fits: Sequence[UpdateTimeFit]) -> pd.DataFrame:
    """Return what the timings say of the cost of an update: `UPDATE_TIME_COLUMNS`."""
    return as_table(pd.DataFrame(map(_update_time, fits)), UPDATE_TIME_COLUMNS)


def _update_time(fit: UpdateTimeFit) -> dict[str, object]:
    fixed, each, doubling = (
        ends or NOWHERE
        for ends in (
            fit.fixed_seconds_interval,
            fit.seconds_per_example_interval,
            fit.doubling_batch_size_interval,
        )
    )
    return {
        "fixed_seconds": fit.fixed_seconds,
        "fixed_low": fixed.low,
        "fixed_high": fixed.high,
        "seconds_per_example": fit.seconds_per_example,
        "each_low": each.low,
        "each_high": each.high,
        "doubling_batch_size": fit.doubling_batch_size,
        "doubling_low": doubling.low,
        "doubling_high": doubling.high,
        "max_log_residual": fit.max_log_residual,
        "poor_fit": fit.poor_fit,
        "reason": fit.reason,
    }
