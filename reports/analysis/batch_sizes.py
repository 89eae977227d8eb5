"""One row for each batch size of each group: what was selected there and what its seeds attain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.core.groupby import SeriesGroupBy

from reports.analysis.selection import CELL_COLUMNS
from reports.analysis.update_times import one_network, speedups
from reports.schema.measures import measure_of, rmse, rmse_unit
from reports.schema.outcomes import count_seeds, has_value
from reports.schema.results import (
    FRESH_STAGES,
    TUNING_STAGES,
    Column,
    GroupDescription,
    StudyResults,
    as_table,
)
from reports.stats.intervals import Interval, t_interval

SEEDS_FOR_INTERVAL = 5
"""Fewer values than this are shown one by one, without an interval."""

BATCH_SIZE_COLUMNS = (
    Column("batch_size", "int64", "examples", "Examples of one update."),
    Column("learning_rate", "float64", "", "Rate selected on the validation part."),
    Column("at_edge", "bool", "", "Whether no smaller, or no larger, rate was tried."),
    Column("basin_low", "float64", "", "Smallest rate within a standard error of the best."),
    Column("basin_high", "float64", "", "Largest such rate, with no worse one in between."),
    Column("eligible_rates", "int64", "rates", "Rates with a value for every seed."),
    Column("tried_rates", "int64", "rates", "Rates tried."),
    Column("validation_metric", "float64", "", "Mean validation metric over the explore seeds."),
    Column("metric", "float64", "", "Mean metric on the part shown; missing if seeds are lost."),
    Column("metric_median", "float64", "", "Median, likewise."),
    Column("metric_low", "float64", "", "Lower end of the 95% t interval; 5 seeds or more."),
    Column("metric_high", "float64", "", "Upper end, likewise."),
    Column("loss", "float64", "per example", "Mean loss, likewise."),
    Column("rmse", "float64", "", "Mean root mean squared error, likewise; see the method text."),
    Column("gap", "float64", "", "Mean metric on the training part less metric, likewise."),
    Column("gap_low", "float64", "", "Lower end of its 95% t interval; 5 seeds or more."),
    Column("gap_high", "float64", "", "Upper end, likewise."),
    Column("seeds", "int64", "seeds", "Seeds with a value there."),
    Column("lost_seeds", "int64", "seeds", "Others: diverged, failed or still to run."),
    Column("tied", "bool", "", "Whether it can't be told from the best batch size."),
    Column("updates", "float64", "updates", "Median of the trials shown; else of the budget."),
    Column("seconds_per_update", "float64", "s", "Median of the timing pass, tensor.", True),
    Column("seconds_to_train", "float64", "s", "updates by seconds_per_update.", volatile=True),
    Column("pareto", "bool", "", "Whether nothing is both faster and more accurate.", True),
    Column("speedup", "float64", "", "Tensor operations over single items; medians.", True),
    Column("speedup_low", "float64", "", "Smallest ratio within a round.", volatile=True),
    Column("speedup_high", "float64", "", "Largest ratio within a round.", volatile=True),
)

SEED_COLUMNS = (
    Column("batch_size", "int64", "examples", "Examples of one update."),
    Column("seed", "int64", "", "Seed of split, initial weights and order."),
    Column("metric", "float64", "", "Metric of the trial, on the part the report shows."),
    Column("loss", "float64", "per example", "Mean loss, likewise."),
    Column("rmse", "float64", "", "Root mean squared error, likewise."),
    Column("train_metric", "float64", "", "Metric on the training part, at the end."),
    Column("updates", "int64", "updates", "Updates made."),
)

GROUP = CELL_COLUMNS[0]
"""The column that tells the groups of a table apart."""

_SIZE = ["group", "batch_size"]


@dataclass(frozen=True)
class Shown:
    """The trials whose metric is shown.

    Attributes:
        parts: By group, the part of the data whose metric it is: "test" or "validation".
        seeds: Columns group and `reports.recommend.record.SEED_COLUMNS`: the value of each seed.
        counts: How many seeds have one, as from `reports.schema.outcomes.count_seeds`, by group and
            batch size.
    """

    parts: Mapping[str, str]
    seeds: pd.DataFrame
    counts: pd.DataFrame


def tuned(trials: pd.DataFrame, selection: pd.DataFrame, stages: tuple[str, ...]) -> pd.DataFrame:
    """Return the trials of some stages at the selected rate of their batch size.

    Args:
        trials: Columns `reports.schema.results.TRIAL_COLUMNS`.
        selection: Columns `reports.analysis.selection.SELECTION_COLUMNS`.
    """
    cell = [*_SIZE, "learning_rate"]
    return trials[trials["stage"].isin(stages)].merge(selection[cell], on=cell)


def shown_trials(results: StudyResults, selection: pd.DataFrame) -> Shown:
    """Return what is shown of each group: the test part, or validation as long as no test has run.

    Args:
        selection: Columns `reports.analysis.selection.SELECTION_COLUMNS`.
    """
    fresh, tuning = (
        tuned(results.trials, selection, stages) for stages in (FRESH_STAGES, TUNING_STAGES)
    )
    study = results.description
    confirmed = {*fresh.loc[has_value(fresh, "test"), "group"]}
    shown = (
        ("test", fresh[fresh["group"].isin(confirmed)], study.fresh_seeds),
        ("validation", tuning[~tuning["group"].isin(confirmed)], study.tuning_seeds),
    )
    seeds = pd.concat(
        rows[has_value(rows, part)].assign(metric=rows[f"{part}_metric"], loss=rows[f"{part}_loss"])
        for part, rows, _ in shown
    ).sort_values([*_SIZE, "seed"], ignore_index=True)
    counts = pd.concat(count_seeds(rows, part, planned) for part, rows, planned in shown)
    return Shown(
        {one.group: "test" if one.group in confirmed else "validation" for one in study.groups},
        as_table(seeds.assign(rmse=_errors(seeds, study.groups)), (GROUP, *SEED_COLUMNS)),
        counts.droplevel("learning_rate"),
    )


def _errors(seeds: pd.DataFrame, groups: tuple[GroupDescription, ...]) -> pd.Series[float]:
    errors = pd.Series(np.nan, seeds.index, dtype="float64")
    for plan in groups:
        if rmse_unit(plan):
            own = seeds["group"] == plan.group
            errors[own] = rmse(seeds[own], plan)
    return errors


def batch_size_table(
    results: StudyResults,
    cells: pd.DataFrame,
    selection: pd.DataFrame,
    timing: pd.DataFrame,
    shown: Shown,
) -> pd.DataFrame:
    """Return one row for each batch size of each group, planned or run.

    Args:
        cells: Columns `reports.analysis.selection.CELL_COLUMNS`.
        selection: Columns `reports.analysis.selection.SELECTION_COLUMNS`.
        timing: Columns `reports.analysis.update_times.TIMING_SUMMARY_COLUMNS`.

    Returns:
        Columns group and `reports.recommend.record.BATCH_SIZE_COLUMNS`; nothing is called tied yet.
    """
    whole = shown.counts.index[shown.counts["complete"]]
    complete = pd.MultiIndex.from_frame(shown.seeds[_SIZE]).isin(whole)
    table = _selected(results, selection).join(_statistics(shown.seeds[complete]), on=_SIZE)
    table = _within_limits(table, results.description.groups)
    table = table.merge(basins(results.trials, cells, selection), on=_SIZE, how="left")
    table = table.join(shown.counts[["ok", "planned"]].rename(columns={"ok": "seeds"}), on=_SIZE)
    table = table.fillna({"planned": 0, "seeds": 0}).assign(tied=False)
    table["lost_seeds"] = table["planned"] - table["seeds"]
    table = _with_times(table, timing).merge(speedups(results.timing), on=_SIZE, how="left")
    return as_table(table, (GROUP, *BATCH_SIZE_COLUMNS))


def _selected(results: StudyResults, selection: pd.DataFrame) -> pd.DataFrame:
    """One row for each batch size, with what was selected there."""
    trials = results.trials
    planned = [(one.group, size) for one in results.description.groups for size in one.batch_sizes]
    everything = pd.concat([pd.DataFrame(planned, columns=_SIZE), trials[_SIZE]])
    table = everything.drop_duplicates().sort_values(_SIZE, ignore_index=True)
    table = table.merge(selection.drop(columns="seeds"), on=_SIZE, how="left")
    table["at_edge"] = table["at_edge"].eq(other=True)
    rates = trials[trials["stage"].isin(TUNING_STAGES)].groupby(_SIZE)["learning_rate"]
    table = table.join(rates.nunique().rename("tried_rates"), on=_SIZE)
    table = table.fillna({"eligible_rates": 0, "tried_rates": 0})
    return table.join(_updates(results).rename("updates"), on=_SIZE)


def _updates(results: StudyResults) -> pd.Series[float]:
    """Updates of the budget or, where a time ends it, those of the trial that made most of them."""
    trials, groups = results.trials, results.description.groups
    made = trials[trials["status"] == "ok"].groupby(_SIZE)["updates"].max()
    budget = {(g.group, size): n for g in groups for size, n in g.budget_updates.items()}
    known: dict[Any, int] = made.to_dict() | budget
    index = pd.MultiIndex.from_tuples(known, names=_SIZE)
    return pd.Series([*known.values()], index, dtype="float64")


def _statistics(seeds: pd.DataFrame) -> pd.DataFrame:
    """Mean, median and interval of the values, indexed by group and batch size."""
    by_size = seeds.assign(gap=seeds["train_metric"] - seeds["metric"]).groupby(_SIZE)
    values = by_size[["metric", "loss", "rmse", "gap"]]
    table = values.mean().where(values.count().eq(by_size.size(), axis=0))
    table["metric_median"] = by_size["metric"].median()
    table["shown_updates"] = by_size["updates"].median()
    for name in ("metric", "gap"):
        ends = _intervals(by_size[name])
        index = pd.MultiIndex.from_tuples(ends, names=_SIZE)
        table[f"{name}_low"] = pd.Series([one.low for one in ends.values()], index, "float64")
        table[f"{name}_high"] = pd.Series([one.high for one in ends.values()], index, "float64")
    return table


def _within_limits(table: pd.DataFrame, groups: tuple[GroupDescription, ...]) -> pd.DataFrame:
    """End intervals of a metric where its values end."""
    measures = {plan.group: measure_of(plan) for plan in groups}
    least = table["group"].map({group: one.least for group, one in measures.items()})
    most = table["group"].map({group: one.most for group, one in measures.items()})
    ends = {name: table[name].clip(least, most) for name in ("metric_low", "metric_high")}
    return table.assign(**ends)


def _intervals(groups: SeriesGroupBy[Any, Any]) -> dict[Any, Interval]:
    return {
        place: t_interval(values.tolist())
        for place, values in groups
        if len(values) >= SEEDS_FOR_INTERVAL
    }


def _with_times(table: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    tensor = one_network(summary).set_index(_SIZE)["seconds_per_update"]
    table = table.join(tensor, on=_SIZE)
    table["updates"] = table["shown_updates"].fillna(table["updates"])
    table["seconds_to_train"] = table["updates"] * table["seconds_per_update"]
    by_time = table.dropna(subset=["seconds_to_train", "metric"])
    by_time = by_time.sort_values(
        ["group", "seconds_to_train", "metric"], ascending=[True, True, False]
    )
    known, groups = by_time["metric"], by_time["group"]
    faster = known.groupby(groups).cummax().groupby(groups).shift(fill_value=-np.inf)
    table["pareto"] = (known > faster).reindex(table.index, fill_value=False)
    return table


def basins(trials: pd.DataFrame, cells: pd.DataFrame, selection: pd.DataFrame) -> pd.DataFrame:
    """Return the smallest and largest rate of each batch size that are as good as the best.

    From the selected rate outwards, as long as the mean validation metric is less than a standard
    error of the best mean below it. Rates that lost a seed end the basin.

    Args:
        trials: Columns `reports.schema.results.TRIAL_COLUMNS`.
        cells: Columns `reports.analysis.selection.CELL_COLUMNS`.
        selection: Columns `reports.analysis.selection.SELECTION_COLUMNS`.

    Returns:
        Columns group, batch_size, basin_low and basin_high; batch sizes with a single seed, whose
        standard error isn't known, are absent.
    """
    cell = [*_SIZE, "learning_rate"]
    tuned = trials[trials["stage"].isin(TUNING_STAGES)].merge(selection[cell], on=cell)
    seeds = tuned.groupby(_SIZE)["validation_metric"]
    spread = pd.DataFrame({"error": seeds.std() / np.sqrt(seeds.size())})
    error = spread.dropna().reset_index()
    best = selection[[*cell, "validation_metric"]].merge(error, on=_SIZE)
    best = best.rename(columns={"learning_rate": "rate", "validation_metric": "most"})
    grid = cells.merge(best, on=_SIZE).sort_values(cell)
    good = grid["eligible"] & (grid["validation_metric"] >= grid["most"] - grid["error"])
    # A rate belongs to the basin if no rate between it and the best fails.
    stretch = (~good).groupby([grid[name] for name in _SIZE]).cumsum()
    own = stretch[grid["learning_rate"] == grid["rate"]]
    centre = grid.loc[own.index, _SIZE].assign(centre=own)
    inside = grid.assign(stretch=stretch, good=good).merge(centre, on=_SIZE)
    inside = inside[inside["good"] & (inside["stretch"] == inside["centre"])]
    ends = inside.groupby(_SIZE)["learning_rate"].agg(["min", "max"]).reset_index()
    return ends.rename(columns={"min": "basin_low", "max": "basin_high"})
