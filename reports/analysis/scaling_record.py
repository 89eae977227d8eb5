"""The record of a group's way to its targets: steps, examples and time, and what they follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from reports.analysis.branched_losses import Branched
from reports.analysis.target_rates import strictest
from reports.schema import Column, table_of
from reports.stats.bounds import bound_columns
from reports.stats.models import CROSSING_COLUMNS, RESOLVED, StepsToTargetFit, Target, UpdateTimeFit
from reports.stats.models.first_passage import RATE
from reports.stats.models.noise_scale import NOISE_COLUMNS
from reports.stats.models.optimal_batch import BestBatch
from reports.stats.models.simulated_workers import Simulation

TO_TARGET_COLUMNS = (
    *CROSSING_COLUMNS[:3],
    RATE,
    Column("target_rate", "float64", "", "Reaches it soonest on the tuning seeds; if any does."),
    Column("runs", "int64", "runs", "Runs at learning_rate, one for each seed."),
    Column("reached", "int64", "runs", "Those that reached the target."),
    Column("updates", "float64", "updates", "Median; missing if half of the runs missed it."),
    Column("updates_low", "float64", "updates", "Lower bound of its 95% interval; 6 runs or more."),
    Column("updates_high", "float64", "updates", "Upper bound; infinite if many runs missed it."),
    Column("half_width", "float64", "updates", "Half the updates between evaluations; median."),
    Column("examples", "float64", "examples", "updates by batch_size."),
    Column("seconds", "float64", "s", "updates by the median seconds of an update.", True),
    Column("fitted", "bool", "", "Whether it counts in the fit: its rate lies within those tried."),
    Column("near_all", "bool", "", "Whether it is more than a quarter of the training examples."),
    Column("predicted_updates", "float64", "updates", "By the fit, within its range."),
    Column("predicted_seconds", "float64", "s", "By both fits, within their range.", True),
)

NOISE_RATIO_COLUMNS = (
    *NOISE_COLUMNS,
    Column("ratio", "float64", "", "noise_scale by the critical batch size; missing if unknown."),
    Column("ratio_low", "float64", "", "Lower bound of its interval, from those of both."),
    Column("ratio_high", "float64", "", "Upper bound, too; may be infinite."),
)

TARGET_COLUMNS = (
    *CROSSING_COLUMNS[:2],
    Column("runs", "int64", "runs", "Runs with a number of updates."),
    Column("censored", "int64", "runs", "Those of them that did not reach the target."),
    Column("min_updates", "float64", "updates", "Updates that any batch size needs."),
    Column("min_examples", "float64", "examples", "Examples that any batch size needs."),
    Column("critical_batch_size", "float64", "examples", "Batch size with twice min_updates."),
    Column("critical_low", "float64", "examples", "Lower bound of its interval."),
    Column("critical_high", "float64", "examples", "Upper bound of its interval; may be infinite."),
    Column("overhead_batch_size", "float64", "examples", "20% more than in proportion."),
    Column("overhead_reference", "float64", "examples", "From which it is reckoned."),
    Column("max_log_residual", "float64", "", "Largest absolute residual of log updates."),
    Column("poor_fit", "bool", "", "Off by over 10% at a batch size, more than runs scatter."),
    Column("reason", "str", "", "Why a number is missing."),
    Column("fastest", "Int64", "examples", "Batch size with the shortest median time.", True),
    Column("predicted_best", "float64", "examples", "By the two fits, within their range.", True),
    Column("predicted_low", "float64", "examples", "Lower bound of its 95% interval.", True),
    Column("predicted_high", "float64", "examples", "Upper bound, too.", volatile=True),
    Column("near_low", "float64", "examples", "From here on within 5% of that time.", True),
    Column("near_high", "float64", "examples", "Up to here, too.", volatile=True),
    Column("predicted_seconds", "float64", "s", "Time to the target there.", volatile=True),
    Column("why_no_prediction", "str", "", "Why nothing is predicted.", volatile=True),
)

UPDATE_TIME_COLUMNS = (
    Column("fixed_seconds", "float64", "s", "alpha of alpha + beta B; missing if not shown.", True),
    Column("fixed_low", "float64", "s", "Lower bound of its 95% interval.", volatile=True),
    Column("fixed_high", "float64", "s", "Upper bound, too.", volatile=True),
    Column("seconds_per_example", "float64", "s", "beta; missing if not shown.", volatile=True),
    Column("each_low", "float64", "s", "Lower bound of its 95% interval.", volatile=True),
    Column("each_high", "float64", "s", "Upper bound, too.", volatile=True),
    Column("doubling_batch_size", "float64", "examples", "alpha / beta.", True),
    Column("doubling_low", "float64", "examples", "Lower bound of its 95% interval.", True),
    Column("doubling_high", "float64", "examples", "Upper bound, too.", volatile=True),
    Column("max_log_residual", "float64", "", "Largest absolute residual of log seconds.", True),
    Column("poor_fit", "bool", "", "Whether the line misses a batch size by more than 10%.", True),
    Column("reason", "str", "", "Why a number is missing.", volatile=True),
)


@dataclass(frozen=True)
class TargetRecord:
    """The way to one target."""

    target: Target
    batch_sizes: pd.DataFrame  # columns `TO_TARGET_COLUMNS`
    crossings: pd.DataFrame  # columns `CROSSING_COLUMNS` and RATE: the runs measured, one by one
    tuning: pd.DataFrame  # the same of the tuning seeds, at the rates that reach it soonest
    fit: StepsToTargetFit  # of the tuning seeds if there are `other_rates`
    best: BestBatch
    named: float | None  # what `best` would be by the tuning runs alone
    noise: pd.DataFrame  # columns `NOISE_RATIO_COLUMNS`; empty if it wasn't measured

    @cached_property
    def fastest(self) -> int | None:
        """The batch size with the shortest measured time; None if there is none."""
        seconds = self.batch_sizes["seconds"].to_numpy(np.float64)
        if np.isnan(seconds).all():
            return None
        return int(self.batch_sizes["batch_size"].to_numpy()[np.nanargmin(seconds)])

    @cached_property
    def other_rates(self) -> pd.DataFrame:
        """The rows of `batch_sizes` measured at another rate than the one tuned for the target."""
        return other_rates(self.batch_sizes)


@dataclass(frozen=True)
class ScalingRecord:
    """The way of a group to its targets."""

    fresh: bool  # whether fresh seeds are measured, or the tuning runs, which set the targets
    targets: tuple[TargetRecord, ...]  # easiest first
    reason: str  # why there is no target; empty if there are some
    update_time: UpdateTimeFit
    noise: pd.DataFrame  # columns `NOISE_CURVE_COLUMNS`; empty if it wasn't measured
    simulation: Simulation  # of the main target
    branched: Branched

    @cached_property
    def noise_known(self) -> pd.DataFrame:
        """The rows of `noise` after the start with a noise scale, or a lower bound of one."""
        known = (self.noise["status"] == RESOLVED) | (self.noise["low"] > 0)
        return self.noise[known & (self.noise["examples"] > 0)]

    @property
    def main(self) -> TargetRecord | None:
        """The target that headline and figures use; None if there is none."""
        return main_target(self.targets)

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each target: columns `TARGET_COLUMNS`."""
        return table_of(map(_target_row, self.targets), TARGET_COLUMNS)


def other_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with another rate than the one tuned for the target: `TO_TARGET_COLUMNS`."""
    known = table.dropna(subset="target_rate")
    return known[known["learning_rate"] != known["target_rate"]]


def main_target(targets: Sequence[TargetRecord]) -> TargetRecord | None:
    """Return the strictest target that half of the batch sizes reach on the tuning seeds."""
    runs = [each.crossings if each.tuning.empty else each.tuning for each in targets]
    main = strictest(runs)
    return None if main is None else targets[main]


def _target_row(record: TargetRecord) -> dict[str, object]:
    target, fit, best = record.target, record.fit, record.best
    # No smaller one was tried, so scaling is closest to perfect there.
    reference = min(fit.batch_sizes, default=math.nan)
    return {
        **_values(fit, TARGET_COLUMNS),
        "share": target.share,
        "target": target.level,
        **bound_columns("critical", fit.critical_batch_size_interval),
        "overhead_batch_size": fit.overhead_batch_size(reference=reference),
        "overhead_reference": reference if fit.critical_batch_size else None,
        "fastest": record.fastest,
        "predicted_best": best.batch_size,
        **bound_columns("predicted", best.interval),
        **bound_columns("near", best.near),
        "predicted_seconds": best.seconds,
        "why_no_prediction": best.reason,
    }


def update_time_table(fit: UpdateTimeFit) -> pd.DataFrame:
    """Return what the timings say of the cost of an update: `UPDATE_TIME_COLUMNS`."""
    row = {
        **_values(fit, UPDATE_TIME_COLUMNS),
        **bound_columns("fixed", fit.fixed_seconds_interval),
        **bound_columns("each", fit.seconds_per_example_interval),
        **bound_columns("doubling", fit.doubling_batch_size_interval),
    }
    return table_of([row], UPDATE_TIME_COLUMNS)


def _values(fit: StepsToTargetFit | UpdateTimeFit, columns: Sequence[Column]) -> dict[str, object]:
    """Return the fields of a fit that are columns, too."""
    return {column.name: vars(fit)[column.name] for column in columns if column.name in vars(fit)}
