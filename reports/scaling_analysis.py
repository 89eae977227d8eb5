"""Every group's way to its targets, computed once: `scaling_records` makes the records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reports.cost import UpdateTimeFit, fit_update_time
from reports.crossings import CROSSING_COLUMNS, NOT_REACHED, Target, crossings_by_group
from reports.ends import Ends
from reports.medians import medians
from reports.noise_scale import (
    NOISE_CURVE_COLUMNS,
    SQUARED_NORM,
    TRACE,
    average_noise,
    compare_with_critical,
    noise_along_training,
)
from reports.results import (
    FRESH_STAGES,
    TUNING_STAGES,
    GroupDescription,
    StudyResults,
    as_table,
    empty_table,
)
from reports.scaling import NEAR_ALL, StepsToTargetFit, best_batch_for_time
from reports.scaling_record import (
    NOISE_RATIO_COLUMNS,
    TO_TARGET_COLUMNS,
    ScalingRecord,
    TargetRecord,
)
from reports.targets import curve_to_target, fit_target, targets_by_group
from reports.timing import one_network

METRIC = "validation_metric"
"""The measure in which targets are set: the one that chooses rates and batch sizes."""
_KEYS = ["group", "share", "target", "batch_size"]
_NO_CURVES = "No run of the tuning seeds has a learning curve, so no target can be set."
_NO_PROGRESS = "The tuning seeds make no progress on the validation part, so no target can be set."


@dataclass(frozen=True)
class _Runs:
    """All runs at the tuned rates, of one kind of seeds.

    Attributes:
        points: Columns group, batch_size, seed, examples, updates, `METRIC`, `TRACE` and
            `SQUARED_NORM`; of a diverged run, the last is where it diverged, without values.
        crossings: Columns group and `CROSSING_COLUMNS`.
    """

    points: pd.DataFrame
    crossings: pd.DataFrame

    def of(self, group: str) -> _Runs:
        """Return the rows of one group."""
        points, crossings = self.points, self.crossings
        return _Runs(
            points[points["group"] == group],
            as_table(crossings[crossings["group"] == group], CROSSING_COLUMNS),
        )


def scaling_records(
    results: StudyResults, selection: pd.DataFrame, timing: pd.DataFrame
) -> dict[str, ScalingRecord]:
    """Return the way of each group to its targets.

    Runs at the selected rates that ended or diverged count. Those of fresh seeds are measured by
    targets that the tuning runs set; where a group has none, the tuning runs are measured.

    Args:
        results: A study.
        selection: Columns `reports.selection.SELECTION_COLUMNS`.
        timing: Columns `reports.timing.TIMING_SUMMARY_COLUMNS`.
    """
    points = {
        stages: _points(results, selection, stages) for stages in (TUNING_STAGES, FRESH_STAGES)
    }
    targets = targets_by_group(points[TUNING_STAGES], METRIC, lower_is_better=False)
    tuning, fresh = (
        _Runs(rows, crossings_by_group(rows, METRIC, targets, lower_is_better=False))
        for rows in points.values()
    )
    edges = selection[selection["at_edge"]]
    times = _update_times(timing)
    return {
        plan.group: _Group(
            plan,
            tuning.of(plan.group),
            fresh.of(plan.group),
            set(edges.loc[edges["group"] == plan.group, "batch_size"].tolist()),
            times.get(plan.group, {}),
        ).record(targets.get(plan.group))
        for plan in results.description.groups
    }


def _points(
    results: StudyResults, selection: pd.DataFrame, stages: tuple[str, ...]
) -> pd.DataFrame:
    """Evaluations of these stages' runs at the selected rates."""
    trials = results.trials
    told = trials[trials["stage"].isin(stages) & trials["status"].isin(["ok", "diverged"])]
    cell = ["group", "batch_size", "learning_rate"]
    tuned = told.merge(selection[cell], on=cell)
    names = ["group", "batch_size", "seed"]
    columns = ["trial", "examples", "updates", METRIC, TRACE, SQUARED_NORM]
    points = results.curves[columns].merge(tuned[[*names, "trial"]], on="trial")
    ends = tuned.loc[tuned["status"] == "diverged", [*names, "examples", "updates"]]
    table = pd.concat([points, ends], ignore_index=True) if len(ends) else points
    return table[[*names, *columns[1:]]]


def _update_times(timing: pd.DataFrame) -> dict[str, dict[int, float]]:
    """Median seconds of an update of one network, by group and batch size."""
    return {
        str(group): dict(zip(rows["batch_size"], rows["seconds_per_update"], strict=True))
        for group, rows in one_network(timing).groupby("group")
    }


@dataclass(frozen=True)
class _Group:
    """What a group's record is made of."""

    plan: GroupDescription
    tuning: _Runs
    fresh: _Runs
    edges: set[int]
    seconds: Mapping[int, float]

    @property
    def measured(self) -> _Runs:
        return self.tuning if self.fresh.points[METRIC].isna().all() else self.fresh

    def record(self, targets: tuple[Target, ...] | None) -> ScalingRecord:
        time = fit_update_time([*self.seconds], [*self.seconds.values()])
        missing = _NO_CURVES if targets is None else _NO_PROGRESS
        measured = self.measured
        return ScalingRecord(
            fresh=measured is self.fresh,
            targets=tuple(self._target(target, time) for target in targets or ()),
            reason="" if targets else missing,
            update_time=time,
            noise=noise_along_training(measured.points)
            if _has_noise(measured.points)
            else empty_table(NOISE_CURVE_COLUMNS),
        )

    def _target(self, target: Target, time: UpdateTimeFit) -> TargetRecord:
        crossings, tuning = (
            runs.crossings[runs.crossings["share"] == target.share]
            for runs in (self.measured, self.tuning)
        )
        inner = crossings[~crossings["batch_size"].isin(self.edges)]
        fit = fit_target(inner, items=self.plan.train_items)
        table = self._table(crossings, fit, time)
        return TargetRecord(
            target=target,
            batch_sizes=table,
            crossings=crossings,
            tuning=tuning,
            left_out=tuple(sorted(self.edges & {*crossings["batch_size"]})),
            fit=fit,
            best=best_batch_for_time(fit, time),
            named=_named(tuning[~tuning["batch_size"].isin(self.edges)], time),
            noise=self._noise(table, fit),
        )

    def _table(
        self, crossings: pd.DataFrame, fit: StepsToTargetFit, time: UpdateTimeFit
    ) -> pd.DataFrame:
        reached = crossings["outcome"] != NOT_REACHED
        runs = crossings.assign(arrived=crossings["updates"].where(reached, math.inf))
        by = runs.groupby(_KEYS[1:])
        table = medians(runs, _KEYS[1:], "arrived").rename(
            columns={"median": "updates", "low": "updates_low", "high": "updates_high"}
        )
        table["runs"] = by.size()
        table["reached"] = reached.groupby([runs[key] for key in _KEYS[1:]]).sum()
        table["half_width"] = runs[reached].groupby(_KEYS[1:])["half_width"].median()
        table = table.reset_index()
        sizes = table["batch_size"]
        known = np.isfinite(table["updates"]) & (table["updates"] > 0)
        table["updates"] = table["updates"].where(known)
        table["examples"] = table["updates"] * sizes
        table["seconds"] = table["updates"] * sizes.map(dict(self.seconds))
        table["fitted"] = ~sizes.isin(self.edges)
        table["near_all"] = sizes > NEAR_ALL * self.plan.train_items
        table["predicted_updates"] = _predicted(sizes, fit)
        table["predicted_seconds"] = table["predicted_updates"] * _update_seconds(sizes, time)
        return as_table(table, TO_TARGET_COLUMNS)

    def _noise(self, table: pd.DataFrame, fit: StepsToTargetFit) -> pd.DataFrame:
        """The noise scale up to the examples that the median run takes, at each batch size."""
        points = self.measured.points
        if not _has_noise(points):
            return empty_table(NOISE_RATIO_COLUMNS)
        until = points["batch_size"].map(table.set_index("batch_size")["examples"])
        scales = average_noise(points[points["examples"] <= until])
        found = [
            compare_with_critical(scale, Ends(low, high), fit)
            for scale, low, high in zip(
                scales["noise_scale"], scales["low"], scales["high"], strict=True
            )
        ]
        scales["ratio"] = [one.ratio for one in found]
        scales["ratio_low"] = [one.interval.low for one in found]
        scales["ratio_high"] = [one.interval.high for one in found]
        return as_table(scales, NOISE_RATIO_COLUMNS)


def _has_noise(points: pd.DataFrame) -> bool:
    return bool(points[TRACE].notna().any())


def _predicted(sizes: pd.Series[int], fit: StepsToTargetFit) -> np.ndarray:
    if fit.curve is None:
        return np.full(sizes.size, np.nan)
    inside = sizes.between(fit.batch_sizes[0], fit.batch_sizes[-1])
    return np.where(inside, fit.curve.at(1 / sizes.to_numpy(np.float64)), np.nan)


def _update_seconds(sizes: pd.Series[int], time: UpdateTimeFit) -> np.ndarray:
    if time.curve is None:
        return np.full(sizes.size, np.nan)
    inside = sizes.between(time.batch_sizes[0], time.batch_sizes[-1])
    return np.where(inside, time.curve.at(sizes.to_numpy(np.float64)), np.nan)


def _named(tuning: pd.DataFrame, time: UpdateTimeFit) -> float | None:
    steps = curve_to_target(tuning)
    if steps is None or time.curve is None:
        return None
    squared = steps.slope / steps.intercept * time.curve.intercept / time.curve.slope
    return math.sqrt(squared)
