"""Every group's way to its targets, computed once: `scaling_records` makes the records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from reports.analysis.scaling_record import (
    NOISE_RATIO_COLUMNS,
    ScalingRecord,
    TargetRecord,
)
from reports.analysis.scaling_tables import (
    METRIC,
    Key,
    at_edges,
    noise_on_the_way,
    summarise_crossings,
    tuned_points,
    with_predictions,
)
from reports.analysis.update_times import ONE_PIECE, one_network
from reports.schema.results import (
    FRESH_STAGES,
    TUNING_STAGES,
    GroupDescription,
    StudyResults,
    empty_table,
)
from reports.stats.models.cluster import simulate_group
from reports.stats.models.first_passage import Target, crossings_by_group
from reports.stats.models.noise_scale import NOISE_CURVE_COLUMNS, TRACE, noise_along_training
from reports.stats.models.optimal_batch import best_batch_for_time
from reports.stats.models.steps_to_target import StepsToTargetFit, Task, curves_of, fit_tasks
from reports.stats.models.target_levels import target_task, targets_by_group
from reports.stats.models.update_cost import UpdateTimeFit, fit_update_times
from reports.stats.two_terms import Curve

_NO_CURVES = "No run of the tuning seeds has a learning curve, so no target can be set."
_NO_PROGRESS = "The tuning seeds make no progress on the validation part, so no target can be set."
_AT_EDGES = "At every batch size the selected learning rate lies at the edge of those tried."

Tables = Mapping[Key, pd.DataFrame]
"""Rows of each target of each group."""


@dataclass(frozen=True)
class _Study:
    """What all groups' records are made from.

    Attributes:
        selection: Columns `reports.analysis.selection.SELECTION_COLUMNS`.
        timing: Columns `reports.analysis.update_times.TIMING_SUMMARY_COLUMNS`.
        items: Training items of each group.
        targets: Targets of each group whose tuning runs have curves.
    """

    selection: pd.DataFrame
    timing: pd.DataFrame
    items: Mapping[str, int]
    targets: Mapping[str, Sequence[Target]]


@dataclass(frozen=True)
class _Found:
    """What is found for all targets at once.

    Attributes:
        crossings: The runs measured, one by one.
        tuning: The tuning runs, likewise.
        tables: One row for each batch size.
        fits: Updates to each target.
        named: Curves of the tuning runs.
        times: Seconds of an update, by group.
        whole_times: The same with batches in one piece, where they are split into shards.
        noise: Evaluations of the runs measured, of groups whose gradients were measured.
    """

    crossings: Tables
    tuning: Tables
    tables: Tables
    fits: Mapping[Key, StepsToTargetFit]
    named: Mapping[Key, Curve | None]
    times: Mapping[str, UpdateTimeFit]
    whole_times: Mapping[str, UpdateTimeFit]
    noise: Mapping[str, pd.DataFrame]


def scaling_records(
    results: StudyResults, selection: pd.DataFrame, timing: pd.DataFrame
) -> dict[str, ScalingRecord]:
    """Return the way of each group to its targets.

    Runs at the selected rates that ended or diverged count. Those of fresh seeds are measured by
    targets that the tuning runs set; where a group has none, the tuning runs are measured.

    Args:
        selection: Columns `reports.analysis.selection.SELECTION_COLUMNS`.
        timing: Columns `reports.analysis.update_times.TIMING_SUMMARY_COLUMNS`.
    """
    tuning, fresh = (
        tuned_points(results, selection, stages) for stages in (TUNING_STAGES, FRESH_STAGES)
    )
    confirmed = {*fresh.loc[fresh[METRIC].notna(), "group"]}
    rest = tuning[~tuning["group"].isin(confirmed)]
    measured = pd.concat([rest, fresh[fresh["group"].isin(confirmed)]], ignore_index=True)
    targets = targets_by_group(tuning, METRIC, lower_is_better=False)
    items = {plan.group: plan.train_items for plan in results.description.groups}
    found = _find(_Study(selection, timing, items, targets), measured, tuning)
    return {
        plan.group: _record(results, plan, targets.get(plan.group), found, plan.group in confirmed)
        for plan in results.description.groups
    }


def _record(
    results: StudyResults,
    plan: GroupDescription,
    targets: Sequence[Target] | None,
    found: _Found,
    fresh: bool,
) -> ScalingRecord:
    group = plan.group
    ways = tuple(_target(group, target, found) for target in targets or ())
    fit, time = ways[-1].fit if ways else None, found.times[group]
    return ScalingRecord(
        fresh=fresh,
        targets=ways,
        reason=_reason(targets),
        update_time=time,
        noise=noise_along_training(found.noise[group])
        if group in found.noise
        else empty_table(NOISE_CURVE_COLUMNS),
        simulation=simulate_group(
            plan, results.description.cluster, fit, time, found.whole_times[group]
        ),
    )


def _reason(targets: Sequence[Target] | None) -> str:
    if targets is None:
        return _NO_CURVES
    return "" if targets else _NO_PROGRESS


def _find(study: _Study, measured: pd.DataFrame, tuning: pd.DataFrame) -> _Found:
    selection, timing, items, targets = vars(study).values()
    crossings, tuned = (
        crossings_by_group(points, METRIC, targets, lower_is_better=False)
        for points in (measured, tuning)
    )
    keys = [(group, target.share) for group in items for target in targets.get(group, ())]
    inner, tuned_inner = (rows[~at_edges(rows, selection)] for rows in (crossings, tuned))
    fits = dict(zip(keys, fit_tasks(_tasks(keys, inner, items)), strict=True))
    named = dict(zip(keys, curves_of(_tasks(keys, tuned_inner, items)), strict=True))
    times = _update_times(one_network(timing), items)
    table = summarise_crossings(crossings, selection, timing, items)
    with_noise = measured[measured["group"].isin({*measured.loc[measured[TRACE].notna(), "group"]})]
    return _Found(
        crossings=_split(crossings),
        tuning=_split(tuned),
        tables=_split(with_predictions(table, fits, times)),
        fits=fits,
        named=named,
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


def _target(group: str, target: Target, found: _Found) -> TargetRecord:
    key = (group, target.share)
    table, fit, time = found.tables[key], found.fits[key], found.times[group]
    return TargetRecord(
        target=target,
        batch_sizes=table,
        crossings=found.crossings[key],
        tuning=found.tuning[key],
        left_out=tuple(table.loc[~table["fitted"], "batch_size"].tolist()),
        fit=fit,
        best=best_batch_for_time(fit, time),
        named=_named(found.named[key], time.curve),
        noise=noise_on_the_way(found.noise[group], table, fit)
        if group in found.noise
        else empty_table(NOISE_RATIO_COLUMNS),
    )


def _named(steps: Curve | None, time: Curve | None) -> float | None:
    if steps is None or time is None:
        return None
    return math.sqrt(steps.slope / steps.intercept * time.intercept / time.slope)
