"""The updates, examples and time of every group to its targets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from reports.analysis.batch_sizes import tuned
from reports.analysis.scaling_record import (
    NOISE_RATIO_COLUMNS,
    TO_TARGET_COLUMNS,
    ScalingRecord,
    TargetRecord,
)
from reports.analysis.update_times import ONE_PIECE, one_network
from reports.schema import (
    CELL,
    FRESH_STAGES,
    GROUP,
    SIZE,
    TUNING_STAGES,
    GroupDescription,
    StudyResults,
    as_table,
    count_seeds,
    empty_table,
)
from reports.stats import Curve, Ends
from reports.stats.intervals import medians
from reports.stats.models import (
    CROSSING_COLUMNS,
    NOISE_CURVE_COLUMNS,
    NOT_REACHED,
    StepsToTargetFit,
    Target,
    UpdateTimeFit,
    best_batch_for_time,
)
from reports.stats.models.first_passage import crossings_by_group
from reports.stats.models.noise_scale import (
    SQUARED_NORM,
    TRACE,
    average_noise,
    compare_with_critical,
    noise_along_training,
)
from reports.stats.models.simulated_workers import simulate_group
from reports.stats.models.steps_to_target import NEAR_ALL, Task, curves_of, fit_tasks
from reports.stats.models.target_levels import target_task, targets_by_group
from reports.stats.models.update_cost import fit_update_times

_NO_CURVES = "No run of the tuning seeds has a learning curve, so no target can be set."
_NO_PROGRESS = "The tuning seeds make no progress on the validation part, so no target can be set."
_AT_EDGES = "At every batch size the selected learning rate lies at the edge of those tried."

Key = tuple[str, float]  # a group's label and a target's share
Tables = Mapping[Key, pd.DataFrame]  # rows of each target of each group

METRIC = "validation_metric"
"""The measure in which targets are set: the one that chooses rates and batch sizes."""
_TARGET = ["group", *(column.name for column in CROSSING_COLUMNS[:3])]


@dataclass(frozen=True)
class _Fits:
    """What is known of all targets at once."""

    crossings: Tables  # the runs measured, one by one
    tuning: Tables  # the tuning runs, likewise
    tables: Tables  # one row for each batch size
    steps: Mapping[Key, StepsToTargetFit]
    tuning_curves: Mapping[Key, Curve | None]
    times: Mapping[str, UpdateTimeFit]
    whole_times: Mapping[str, UpdateTimeFit]  # of batches in one piece, where they have shards
    noise: Mapping[str, pd.DataFrame]  # evaluations of the runs whose gradients were measured


def scaling_records(
    results: StudyResults, selection: pd.DataFrame, timing: pd.DataFrame
) -> dict[str, ScalingRecord]:
    """Return the way of each group to its targets.

    Runs at the selected rates that ended or diverged count. Those of fresh seeds are measured by
    targets that the tuning runs set; where a group has none, the tuning runs are measured.
    """
    tuning, fresh = (
        tuned_points(results, selection, stages) for stages in (TUNING_STAGES, FRESH_STAGES)
    )
    confirmed = {*fresh.loc[fresh[METRIC].notna(), "group"]}
    rest = tuning[~tuning["group"].isin(confirmed)]
    measured = pd.concat([rest, fresh[fresh["group"].isin(confirmed)]], ignore_index=True)
    targets = targets_by_group(tuning, METRIC, lower_is_better=False)
    items = {plan.group: plan.train_items for plan in results.description.groups}
    fits = _fit(measured, tuning, targets, items=items, selection=selection, timing=timing)
    return {
        plan.group: _record(results, plan, targets.get(plan.group), fits, plan.group in confirmed)
        for plan in results.description.groups
    }


def _record(
    results: StudyResults,
    plan: GroupDescription,
    targets: Sequence[Target] | None,
    fits: _Fits,
    fresh: bool,
) -> ScalingRecord:
    group, cluster = plan.group, results.description.cluster
    records = tuple(_target(group, target, fits) for target in targets or ())
    steps, time = records[-1].fit if records else None, fits.times[group]
    noise = fits.noise.get(group)
    no_target = _NO_CURVES if targets is None else _NO_PROGRESS
    return ScalingRecord(
        fresh=fresh,
        targets=records,
        reason="" if targets else no_target,
        update_time=time,
        noise=empty_table(NOISE_CURVE_COLUMNS) if noise is None else noise_along_training(noise),
        simulation=simulate_group(plan, cluster, steps, time, fits.whole_times[group]),
    )


def _fit(
    measured: pd.DataFrame,
    tuning: pd.DataFrame,
    targets: Mapping[str, Sequence[Target]],
    *,
    items: Mapping[str, int],
    selection: pd.DataFrame,
    timing: pd.DataFrame,
) -> _Fits:
    crossings, tuned = (
        crossings_by_group(points, METRIC, targets, lower_is_better=False)
        for points in (measured, tuning)
    )
    keys = [(group, target.share) for group in items for target in targets.get(group, ())]
    inner, tuned_inner = (rows[~at_edges(rows, selection)] for rows in (crossings, tuned))
    steps = dict(zip(keys, fit_tasks(_tasks(keys, inner, items)), strict=True))
    curves = curves_of(_tasks(keys, tuned_inner, items))
    times = _update_times(one_network(timing), items)
    table = summarise_crossings(crossings, selection, timing, items)
    with_noise = measured[measured["group"].isin({*measured.loc[measured[TRACE].notna(), "group"]})]
    return _Fits(
        crossings=_split(crossings),
        tuning=_split(tuned),
        tables=_split(with_predictions(table, steps, times)),
        steps=steps,
        tuning_curves=dict(zip(keys, curves, strict=True)),
        times=times,
        whole_times=_update_times(timing[timing["engine"] == ONE_PIECE], items),
        noise={str(group): rows for group, rows in with_noise.groupby("group")},
    )


def _split(rows: pd.DataFrame) -> dict[Any, pd.DataFrame]:
    groups, shares = rows["group"], rows["share"]
    parts = rows.drop(columns="group").groupby([groups, shares])
    return {key: part.reset_index(drop=True) for key, part in parts}


def _tasks(keys: Sequence[Key], crossings: pd.DataFrame, items: Mapping[str, int]) -> list[Task]:
    rows = dict(list(crossings.groupby(["group", "share"])))
    tasks = [target_task(rows.get(key, crossings[:0]), items=items[key[0]]) for key in keys]
    # Whoever has a target has runs; if none is left here, all were at edges.
    return [
        task if key in rows else replace(task, known=replace(task.known, reason=_AT_EDGES))
        for key, task in zip(keys, tasks, strict=True)
    ]


def _update_times(timed: pd.DataFrame, groups: Mapping[str, int]) -> dict[str, UpdateTimeFit]:
    measured = {
        str(group): (rows["batch_size"].to_numpy(), rows["seconds_per_update"].to_numpy())
        for group, rows in timed.groupby("group")
    }
    fits = fit_update_times([measured.get(group, ((), ())) for group in groups])
    return dict(zip(groups, fits, strict=True))


def _target(group: str, target: Target, fits: _Fits) -> TargetRecord:
    key = (group, target.share)
    table, steps, time = fits.tables[key], fits.steps[key], fits.times[group]
    noise = fits.noise.get(group)
    return TargetRecord(
        target=target,
        batch_sizes=table,
        crossings=fits.crossings[key],
        tuning=fits.tuning[key],
        left_out=tuple(table.loc[~table["fitted"], "batch_size"].tolist()),
        fit=steps,
        best=best_batch_for_time(steps, time),
        named=_best_of(fits.tuning_curves[key], time.curve),
        noise=empty_table(NOISE_RATIO_COLUMNS)
        if noise is None
        else noise_on_the_way(noise, table, steps),
    )


def _best_of(steps: Curve | None, time: Curve | None) -> float | None:
    if steps is None or time is None:
        return None
    return math.sqrt(steps.slope / steps.intercept * time.intercept / time.slope)


def tuned_points(
    results: StudyResults, selection: pd.DataFrame, stages: tuple[str, ...]
) -> pd.DataFrame:
    """Return the evaluations of some stages' runs at the selected rates.

    A median over some of the seeds is none either: the runs of a batch size are there if each of
    its seeds has ended, or diverged, and has left a curve. Of a diverged run, the last row is where
    it diverged, without values.
    """
    study, runs = results.description, tuned(results.trials, selection, stages)
    recorded = runs["trial"].isin(results.curves["trial"]) | (runs["status"] == "diverged")
    planned = study.tuning_seeds if stages == TUNING_STAGES else study.fresh_seeds
    known = runs.assign(status=runs["status"].where(recorded, "unrecorded"))
    cells = count_seeds(known, "validation", planned)
    whole = cells.index[cells["ended"] == cells["planned"]]
    runs = runs[pd.MultiIndex.from_frame(runs[CELL]).isin(whole)]
    run, progress = [*SIZE, "seed"], ["examples", "updates"]
    points = results.curves[["trial", *progress, METRIC, TRACE, SQUARED_NORM]]
    table = points.merge(runs[[*run, "trial"]], on="trial").drop(columns="trial")
    ends = runs.loc[runs["status"] == "diverged", [*run, *progress]]
    return pd.concat([table, ends], ignore_index=True) if len(ends) else table


def at_edges(rows: pd.DataFrame, selection: pd.DataFrame) -> pd.Series[bool]:
    """Return whether the selected rate of a row's batch size lies at the edge of those tried."""
    edges = pd.MultiIndex.from_frame(selection.loc[selection["at_edge"], SIZE])
    return pd.Series(pd.MultiIndex.from_frame(rows[SIZE]).isin(edges), rows.index)


def summarise_crossings(
    crossings: pd.DataFrame,
    selection: pd.DataFrame,
    timing: pd.DataFrame,
    items: Mapping[str, int],
) -> pd.DataFrame:
    """Return one row for each batch size of each target of each group.

    Columns group and `TO_TARGET_COLUMNS`, but for those predicted.
    """
    reached = crossings["outcome"] != NOT_REACHED
    runs = crossings.assign(
        arrived=crossings["updates"].where(reached, math.inf),
        reached=reached,
        half_width=crossings["half_width"].where(reached),
    )
    ends = {"median": "updates", "low": "updates_low", "high": "updates_high"}
    table = medians(runs, _TARGET, "arrived").rename(columns=ends)
    by = runs.groupby(_TARGET)
    # A run that missed the target is known to need more updates than it made.
    made = runs.loc[~reached].groupby(_TARGET)["updates"].min()
    table["updates_low"] = table["updates_low"].mask(np.isinf(table["updates_low"]), made)
    table["runs"], table["reached"] = by.size(), by["reached"].sum()
    table["half_width"] = by["half_width"].median()
    table = table.reset_index()
    cost = one_network(timing)[[*SIZE, "seconds_per_update"]]
    table = table.merge(cost, on=SIZE, how="left")
    known = np.isfinite(table["updates"]) & (table["updates"] > 0)
    table["updates"] = table["updates"].where(known)
    table["examples"] = table["updates"] * table["batch_size"]
    table["seconds"] = table["updates"] * table["seconds_per_update"]
    table["fitted"] = ~at_edges(table, selection)
    table["near_all"] = table["batch_size"] > NEAR_ALL * table["group"].map(items).astype("int64")
    return table


def with_predictions(
    table: pd.DataFrame, fits: Mapping[Key, StepsToTargetFit], times: Mapping[str, UpdateTimeFit]
) -> pd.DataFrame:
    """Return the table with what the fits predict for each row, within their ranges."""
    sizes = table["batch_size"].to_numpy(np.float64)
    groups = table["group"].tolist()
    keys = zip(groups, table["share"].tolist(), strict=True)
    updates = _values(1 / sizes, sizes, [fits[key] for key in keys])
    seconds = _values(sizes, sizes, [times[group] for group in groups])
    table = table.assign(predicted_updates=updates, predicted_seconds=updates * seconds)
    return as_table(table, (GROUP, *TO_TARGET_COLUMNS))


def _values(
    z: np.ndarray, sizes: np.ndarray, fits: Sequence[StepsToTargetFit | UpdateTimeFit]
) -> np.ndarray:
    values = [
        float(fit.curve.at(at))
        if fit.curve and fit.batch_sizes[0] <= size <= fit.batch_sizes[-1]
        else math.nan
        for at, size, fit in zip(z, sizes, fits, strict=True)
    ]
    return np.array(values, np.float64)


def noise_on_the_way(
    points: pd.DataFrame, table: pd.DataFrame, fit: StepsToTargetFit
) -> pd.DataFrame:
    """Return the noise scale of each batch size until its median run reaches the target.

    Columns `NOISE_RATIO_COLUMNS`; batch sizes that don't reach the target are absent, and so are
    those that reach it before the first evaluation after the start.
    """
    until = points["batch_size"].map(table.set_index("batch_size")["examples"])
    scales = average_noise(points[points["examples"] <= until])
    rows = zip(scales["noise_scale"], scales["low"], scales["high"], strict=True)
    ratios = [compare_with_critical(scale, Ends(low, high), fit) for scale, low, high in rows]
    values = [(math.nan if ratio is None else ratio, *ends) for ratio, ends in ratios]
    names = ["ratio", "ratio_low", "ratio_high"]
    compared = scales.join(pd.DataFrame(values, columns=names))
    return as_table(compared, NOISE_RATIO_COLUMNS)
