"""The updates, examples and time of every group to its targets."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from reports.analysis.branched_losses import branched_of
from reports.analysis.scaling_record import (
    NOISE_RATIO_COLUMNS,
    TO_TARGET_COLUMNS,
    ScalingRecord,
    TargetRecord,
    main_target,
    other_rates,
)
from reports.analysis.target_rates import (
    TARGET_CELL,
    Goal,
    Tuning,
    at_confirmed_rates,
    points_of,
    tune,
    tuning_of_steps,
)
from reports.analysis.update_times import one_network
from reports.schema import (
    CELL,
    FRESH_STAGES,
    GROUP,
    ONE_PIECE,
    SIZE,
    TARGET,
    GroupDescription,
    StudyResults,
    as_table,
    empty_table,
)
from reports.stats import Ends
from reports.stats.intervals import medians
from reports.stats.models import (
    CROSSING_COLUMNS,
    NOT_REACHED,
    StepsToTargetFit,
    Target,
    UpdateTimeFit,
    best_batch_for_time,
    fit_update_time,
)
from reports.stats.models.first_passage import RATE, fit_target
from reports.stats.models.noise_scale import (
    average_noise,
    compare_with_critical,
    noise_along_training,
)
from reports.stats.models.simulated_workers import simulate_group
from reports.stats.models.steps_to_target import NEAR_ALL

_NO_CURVES = "No run of the tuning seeds has a learning curve, so no target can be set."
_NO_PROGRESS = "The tuning seeds make no progress on the validation set, so no target can be set."
_AT_EDGES = "At every batch size the selected learning rate lies at the edge of those tried."

Key = tuple[str, float]  # a group's label and a target's level


def scaling_records(
    results: StudyResults, selection: pd.DataFrame, timing: pd.DataFrame
) -> dict[str, ScalingRecord]:
    """Return the way of each group to its targets.

    Targets are set by the tuning runs. Fresh seeds are measured by them, or the tuning runs where a
    group has none, at the rate that reaches the target soonest or else the selected one.
    """
    groups, cluster = results.description.groups, results.description.cluster
    items = {plan.group: plan.train_items or sys.maxsize for plan in groups}
    tuning, fresh, crossings, noise = _measured(results, selection)
    times = _update_times(one_network(timing), items)
    whole_times = _update_times(timing[timing["engine"] == ONE_PIECE], items)
    table = summarise_crossings(crossings, tuning.rates, _steady(timing, groups), items)
    steps, tuning_steps = _fits(table, crossings, tuning, fresh, items)
    table = with_predictions(table, steps, times)
    tables, runs, tuning_runs = map(_split, (table, crossings, tuning.crossings))
    branched = branched_of(results)

    def to_target(group: str, target: Target) -> TargetRecord:
        key, time = (group, target.level), times[group]
        return TargetRecord(
            target=target,
            batch_sizes=tables[key],
            crossings=runs[key],
            tuning=tuning_runs.get(key, empty_table((*CROSSING_COLUMNS, RATE))),
            fit=steps[key],
            best=best_batch_for_time(steps[key], time),
            named=best_batch_for_time(tuning_steps[key], time).batch_size,
            noise=noise_on_the_way(noise[group], tables[key], steps[key]),
        )

    def record(plan: GroupDescription) -> ScalingRecord:
        group, time, targets = plan.group, times[plan.group], tuning.targets.get(plan.group)
        records = tuple(to_target(group, target) for target in targets or ())
        main = main_target(records)
        fit = None if main is None else main.fit
        return ScalingRecord(
            fresh=group in fresh,
            targets=records,
            reason="" if targets else _NO_CURVES if targets is None else _NO_PROGRESS,
            update_time=time,
            noise=noise_along_training(noise[group]),
            simulation=simulate_group(plan, cluster, fit, time, whole_times[group]),
            branched=branched.of(group),
        )

    return {plan.group: record(plan) for plan in groups}


def _steady(timing: pd.DataFrame, groups: Sequence[GroupDescription]) -> pd.DataFrame:
    """Return the times of groups whose batches don't grow: others' are not those of the way."""
    growing = [plan.group for plan in groups if plan.growth]
    return timing[~timing["group"].isin(growing)]


def _measured(
    results: StudyResults, selection: pd.DataFrame
) -> tuple[Tuning, set[str], pd.DataFrame, dict[str, pd.DataFrame]]:
    """What the tuning seeds show, who has fresh ones, runs measured, evaluations for the noise."""
    study = results.description
    goal = Goal(study.target_metric, study.target_loss)
    # Evaluations on fresh seeds, of the groups that have any.
    trials = results.trials.merge(selection[SIZE], on=SIZE)
    kinds = ((FRESH_STAGES, study.fresh_seeds), ((TARGET,), study.target_seeds))
    parts = [
        points_of(trials[trials["stage"].isin(stages)], results.curves, planned)
        for stages, planned in kinds
    ]
    fresh = pd.concat(parts, ignore_index=True)
    fresh = fresh[fresh["group"].isin(fresh.loc[fresh[goal.measure].notna(), "group"])]
    known = results.trials, results.curves, study.tuning_seeds
    if results.steps.empty:
        tuning = tune(*known, selection, goal, others=fresh["group"].unique())
    else:
        tuning = tuning_of_steps(results.steps, fresh, goal)
    repeated = goal.crossings(fresh, tuning.targets)
    confirmed = at_confirmed_rates(repeated, tuning.rates, selection)
    points = _fresh_or_else(tuning.points, fresh).merge(selection[CELL], on=CELL)
    groups = dict(list(points.groupby("group")))
    noise = {plan.group: groups.get(plan.group, points[:0]) for plan in study.groups}
    return tuning, {*fresh["group"]}, _fresh_or_else(tuning.crossings, confirmed), noise


def _fits(
    table: pd.DataFrame,
    crossings: pd.DataFrame,
    tuning: Tuning,
    fresh: set[str],
    items: Mapping[str, int],
) -> tuple[dict[Key, StepsToTargetFit], dict[Key, StepsToTargetFit]]:
    """Fits to the runs measured, and to the tuning runs; the table shows who is fitted."""
    keys = [(group, each.level) for group in items for each in tuning.targets.get(group, ())]
    target, other = ["group", "target"], other_rates(table)[["group", "target"]]
    # Tuning runs are fitted where any batch size is measured at another rate than the target's.
    elsewhere = pd.MultiIndex.from_frame(other)
    first, second = (
        pd.MultiIndex.from_frame(rows[target]).isin(elsewhere)
        for rows in (crossings, tuning.crossings)
    )
    fitted = pd.concat([crossings[~first], tuning.crossings[second]], ignore_index=True)
    inner = fitted[~at_edges(fitted, tuning.points)]
    steps = _steps(keys, inner, items)
    apart = [key for key in keys if key[0] in fresh and key not in elsewhere]
    tuned = tuning.crossings[~at_edges(tuning.crossings, tuning.points)]
    # The runs of a batch size have one rate.
    inside = pd.MultiIndex.from_frame(inner[TARGET_CELL])
    table["fitted"] = pd.MultiIndex.from_frame(table[TARGET_CELL]).isin(inside)
    return steps, steps | _steps(apart, tuned, items)


def _fresh_or_else(tuning: pd.DataFrame, fresh: pd.DataFrame) -> pd.DataFrame:
    """Rows of fresh seeds, and those of tuning seeds of groups without any."""
    rest = tuning[~tuning["group"].isin(fresh["group"])]
    return pd.concat([rest, fresh], ignore_index=True)


def _split(rows: pd.DataFrame) -> dict[Any, pd.DataFrame]:
    groups, levels = rows["group"], rows["target"]
    parts = rows.drop(columns="group").groupby([groups, levels])
    return {key: part.reset_index(drop=True) for key, part in parts}


def _steps(
    keys: Sequence[Key], crossings: pd.DataFrame, items: Mapping[str, int]
) -> dict[Key, StepsToTargetFit]:
    rows = dict(list(crossings.groupby(["group", "target"])))
    fits = {key: fit_target(rows.get(key, crossings[:0]), items=items[key[0]]) for key in keys}
    # Whoever has a target has runs; if none is left here, all were at edges.
    return {
        key: fit if key in rows else replace(fit, reason=_AT_EDGES) for key, fit in fits.items()
    }


def _update_times(timed: pd.DataFrame, groups: Mapping[str, int]) -> dict[str, UpdateTimeFit]:
    rows = dict(list(timed.groupby("group")))
    measured = {group: rows.get(group, timed[:0]) for group in groups}
    columns = ["batch_size", "seconds_per_update"]
    return {
        group: fit_update_time(*each[columns].to_numpy(np.float64).T)
        for group, each in measured.items()
    }


def at_edges(rows: pd.DataFrame, tuning: pd.DataFrame) -> pd.Series[bool]:
    """Return whether the rate of a row is the smallest or largest of its batch size's."""
    rates = tuning.groupby(SIZE)[RATE.name].agg(["min", "max"])
    grid = rates.reindex(pd.MultiIndex.from_frame(rows[SIZE])).set_axis(rows.index)
    return (rows[RATE.name] == grid["min"]) | (rows[RATE.name] == grid["max"])


def summarise_crossings(
    crossings: pd.DataFrame, rates: pd.DataFrame, timing: pd.DataFrame, items: Mapping[str, int]
) -> pd.DataFrame:
    """Return group and `TO_TARGET_COLUMNS`, but for `fitted` and those predicted."""
    reached = crossings["outcome"] != NOT_REACHED
    runs = crossings.assign(
        arrived=crossings["updates"].where(reached, math.inf),
        reached=reached,
        half_width=crossings["half_width"].where(reached),
    )
    ends = {"median": "updates", "low": "updates_low", "high": "updates_high"}
    table = medians(runs, TARGET_CELL, "arrived").rename(columns=ends)
    by = runs.groupby(TARGET_CELL)
    # A run that missed the target is known to need more updates than it made.
    made = runs.loc[~reached].groupby(TARGET_CELL)["updates"].min()
    table["updates_low"] = table["updates_low"].mask(np.isinf(table["updates_low"]), made)
    table["runs"], table["reached"] = by.size(), by["reached"].sum()
    table["half_width"] = by["half_width"].median()
    # All runs of a row share both.
    table[["share", RATE.name]] = by[["share", RATE.name]].max()
    table = table.reset_index().merge(rates, on=TARGET_CELL, how="left")
    cost = one_network(timing)[[*SIZE, "seconds_per_update"]]
    table = table.merge(cost, on=SIZE, how="left")
    known = np.isfinite(table["updates"]) & (table["updates"] > 0)
    table["updates"] = table["updates"].where(known)
    table["examples"] = table["updates"] * table["batch_size"]
    table["seconds"] = table["updates"] * table["seconds_per_update"]
    table["near_all"] = table["batch_size"] > NEAR_ALL * table["group"].map(items).astype("int64")
    return table


def with_predictions(
    table: pd.DataFrame, fits: Mapping[Key, StepsToTargetFit], times: Mapping[str, UpdateTimeFit]
) -> pd.DataFrame:
    """Return the table with what the fits predict for each row, within their ranges."""
    rows = []
    for group, target, size in table[TARGET_CELL].itertuples(index=False):
        rows.append(
            [
                float(fit.curve.at(z))
                if fit.curve and fit.batch_sizes[0] <= size <= fit.batch_sizes[-1]
                else math.nan
                for fit, z in ((fits[group, target], 1 / size), (times[group], float(size)))
            ]
        )
    updates, seconds = np.array(rows, np.float64).reshape(-1, 2).T
    table = table.assign(predicted_updates=updates, predicted_seconds=updates * seconds)
    return as_table(table, (GROUP, *TO_TARGET_COLUMNS))


def noise_on_the_way(
    points: pd.DataFrame, table: pd.DataFrame, fit: StepsToTargetFit
) -> pd.DataFrame:
    """Return the noise scale of each batch size until its median run reaches the target."""
    until = points["batch_size"].map(table.set_index("batch_size")["examples"])
    scales = average_noise(points[points["examples"] <= until])
    if scales.empty:
        return empty_table(NOISE_RATIO_COLUMNS)
    rows = zip(scales["noise_scale"], scales["low"], scales["high"], strict=True)
    ratios = [compare_with_critical(scale, Ends(low, high), fit) for scale, low, high in rows]
    values = [(math.nan if ratio is None else ratio, *ends) for ratio, ends in ratios]
    compared = scales.join(pd.DataFrame(values, columns=["ratio", "ratio_low", "ratio_high"]))
    return as_table(compared, NOISE_RATIO_COLUMNS)
