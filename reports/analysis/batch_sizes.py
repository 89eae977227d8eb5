"""One row for each batch size of each group: what was selected there and what its seeds attain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports.analysis.selection import without_noise
from reports.analysis.update_times import one_network, speedups
from reports.schema import (
    BATCH_SIZE,
    CELL,
    FRESH_STAGES,
    GROUP,
    SEED,
    SIZE,
    TUNING_STAGES,
    Column,
    GroupDescription,
    StudyResults,
    as_table,
    count_seeds,
    has_value,
    measure_of,
    rmse_unit,
)
from reports.schema.measures import rmse
from reports.stats import t_interval

SEEDS_FOR_INTERVAL = 5  # fewer values than this are shown one by one, without an interval

BATCH_SIZE_COLUMNS = (
    BATCH_SIZE,
    Column("learning_rate", "float64", "", "Learning rate selected on the validation set."),
    Column("at_edge", "bool", "", "Whether no smaller, or no larger, rate was tried."),
    Column("basin_low", "float64", "", "Smallest rate within a standard error of the best."),
    Column("basin_high", "float64", "", "Largest such rate, with no worse one in between."),
    Column("eligible_rates", "int64", "rates", "Rates with a value for every seed."),
    Column("tried_rates", "int64", "rates", "Rates tried."),
    Column("validation_metric", "float64", "", "Mean validation metric over the explore seeds."),
    Column("metric", "float64", "", "Mean metric on the set shown; missing if seeds failed."),
    Column("metric_median", "float64", "", "Median of the metric on the set shown."),
    Column("metric_low", "float64", "", "Lower bound of the 95% t interval; 5 seeds or more."),
    Column("metric_high", "float64", "", "Upper bound of that interval."),
    Column("loss", "float64", "per example", "Mean loss on the set shown."),
    Column("rmse", "float64", "", "Mean root mean squared error there; see the method text."),
    Column("gap", "float64", "", "Mean metric on the training set minus metric."),
    Column("gap_low", "float64", "", "Lower bound of its 95% t interval; 5 seeds or more."),
    Column("gap_high", "float64", "", "Upper bound of that interval."),
    Column("train_loss", "float64", "per example", "Mean training loss at the end."),
    Column("sharpness", "float64", "%", "Mean sharpness at the end, if it was measured."),
    Column("sharpness_low", "float64", "%", "Lower bound of its 95% t interval."),
    Column("sharpness_high", "float64", "%", "Upper bound of that interval."),
    Column("top_eigenvalue", "float64", "", "Mean largest eigenvalue of the Hessian there."),
    Column("top_eigenvalue_low", "float64", "", "Lower bound of its 95% t interval."),
    Column("top_eigenvalue_high", "float64", "", "Upper bound of that interval."),
    Column("seeds", "int64", "seeds", "Seeds with a value there."),
    Column("lost_seeds", "int64", "seeds", "Others: diverged, failed or still to run."),
    Column("shortfall", "float64", "", "Mean loss of metric against the reference, over seeds."),
    Column("shortfall_low", "float64", "", "One-sided 95% limit of it from below."),
    Column("shortfall_high", "float64", "", "The same from above."),
    Column("verdict", "str", "", "reference, near-optimal, undecided, worse or slower.", True),
    Column("may_be_best", "bool", "", "Whether it may be the true best, with 95% confidence."),
    Column("updates", "float64", "updates", "Median of the trials shown; else of the budget."),
    Column("seconds_per_update", "float64", "s", "Median of the benchmark, vectorized.", True),
    Column("seconds_to_train", "float64", "s", "updates by the seconds of one.", volatile=True),
    Column("pareto", "bool", "", "Whether nothing is both faster and more accurate.", True),
    Column("speedup", "float64", "", "Vectorized against one example at a time; medians.", True),
    Column("speedup_low", "float64", "", "Smallest ratio within a round.", volatile=True),
    Column("speedup_high", "float64", "", "Largest ratio within a round.", volatile=True),
)

SEED_COLUMNS = (
    BATCH_SIZE,
    SEED,
    Column("metric", "float64", "", "Metric of the trial, on the set the report shows."),
    Column("loss", "float64", "per example", "Mean loss on that set."),
    Column("rmse", "float64", "", "Root mean squared error on that set."),
    Column("train_metric", "float64", "", "Metric on the training set, at the end."),
    Column("train_loss", "float64", "per example", "Mean loss there."),
    Column("updates", "int64", "updates", "Updates made."),
    Column("sharpness", "float64", "%", "Sharpness at the end, if it was measured."),
    Column("top_eigenvalue", "float64", "", "Largest eigenvalue of the Hessian there."),
)
_CURVATURE = ("sharpness", "top_eigenvalue")


@dataclass(frozen=True)
class Shown:
    """The trials whose metric is shown."""

    parts: Mapping[str, str]  # by group: "test" or "validation"
    seeds: pd.DataFrame  # columns group and `SEED_COLUMNS`
    counts: pd.DataFrame  # from `count_seeds`, by group and batch size


def tuned(trials: pd.DataFrame, selection: pd.DataFrame, stages: tuple[str, ...]) -> pd.DataFrame:
    """Return the trials of some stages at the selected rate of their batch size."""
    return trials[trials["stage"].isin(stages)].merge(selection[CELL], on=CELL)


def shown_trials(results: StudyResults, selection: pd.DataFrame) -> Shown:
    """Return what is shown of each group: the test set, or validation until a test has run."""
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
    ).sort_values([*SIZE, "seed"], ignore_index=True)
    seeds["rmse"] = math.nan
    for plan in filter(rmse_unit, study.groups):
        rows = seeds["group"] == plan.group
        seeds.loc[rows, "rmse"] = rmse(seeds[rows], plan)
    counts = pd.concat(count_seeds(rows, part, planned) for part, rows, planned in shown)
    return Shown(
        {g.group: "test" if g.group in confirmed else "validation" for g in study.groups},
        as_table(seeds, (GROUP, *SEED_COLUMNS)),
        counts.droplevel("learning_rate"),
    )


def later_half(seeds: pd.DataFrame) -> pd.Series[bool]:
    """Return whether rows are of the later half of the seeds, which judges if none tuned."""
    return seeds["seed"] > seeds["seed"].median()


def reference_size(selection: pd.DataFrame, seeds: pd.DataFrame) -> int | None:
    """Return the best batch size, by other seeds than those that judge it; None for none."""
    order = ["validation_metric", "validation_loss", "batch_size"]
    ranked = selection[selection["batch_size"].isin(seeds["batch_size"])]
    if ranked.empty or ranked["validation_metric"].isna().any():
        order = ["metric", "loss", "batch_size"]
        earlier = seeds[~later_half(seeds)]
        ranked = earlier.groupby("batch_size", as_index=False)[["metric", "loss"]].mean()
    if ranked.empty:
        return None
    best = ranked.sort_values(order, ascending=[False, True, True], key=without_noise)
    return int(best["batch_size"].iloc[0])


def batch_size_table(
    results: StudyResults,
    cells: pd.DataFrame,
    selection: pd.DataFrame,
    timing: pd.DataFrame,
    shown: Shown,
) -> pd.DataFrame:
    """Return group and `BATCH_SIZE_COLUMNS` of batch sizes planned or run, without verdicts."""
    whole = shown.counts.index[shown.counts["complete"]]
    complete = pd.MultiIndex.from_frame(shown.seeds[SIZE]).isin(whole)
    table = _selected(results, selection).join(_statistics(shown.seeds[complete]), on=SIZE)
    table = within_limits(table, "metric", results.description.groups)
    table = table.merge(basins(results.trials, cells, selection), on=SIZE, how="left")
    table = table.join(shown.counts[["ok", "planned"]].rename(columns={"ok": "seeds"}), on=SIZE)
    table = table.fillna({"planned": 0, "seeds": 0})
    unknown = dict.fromkeys(("shortfall", "shortfall_low", "shortfall_high"), math.nan)
    table = table.assign(**unknown, verdict="", may_be_best=False)
    table["lost_seeds"] = table["planned"] - table["seeds"]
    table = _with_times(table, timing, results.description.groups)
    table = table.merge(speedups(results.timing), on=SIZE, how="left")
    return as_table(table, (GROUP, *BATCH_SIZE_COLUMNS))


def _selected(results: StudyResults, selection: pd.DataFrame) -> pd.DataFrame:
    """One row for each batch size, with what was selected there."""
    trials = results.trials
    planned = [(g.group, size) for g in results.description.groups for size in g.batch_sizes]
    everything = pd.concat([pd.DataFrame(planned, columns=SIZE), trials[SIZE]])
    table = everything.drop_duplicates().sort_values(SIZE, ignore_index=True)
    table = table.merge(selection.drop(columns="seeds"), on=SIZE, how="left")
    table["at_edge"] = table["at_edge"].eq(other=True)
    rates = trials[trials["stage"].isin(TUNING_STAGES)].groupby(SIZE)["learning_rate"]
    table = table.join(rates.nunique().rename("tried_rates"), on=SIZE)
    table = table.fillna({"eligible_rates": 0, "tried_rates": 0})
    return table.join(budget_updates(results).rename("updates"), on=SIZE)


def budget_updates(results: StudyResults) -> pd.Series[float]:
    """Return updates of the budget or, where a time ends it, the most that a trial made."""
    trials, groups = results.trials, results.description.groups
    made = trials[trials["status"] == "ok"].groupby(SIZE)["updates"].max()
    budget = {(g.group, size): n for g in groups for size, n in g.budget_updates.items()}
    known: dict[Any, int] = made.to_dict() | budget
    index = pd.MultiIndex.from_tuples(known, names=SIZE)
    return pd.Series([*known.values()], index, dtype="float64")


def _statistics(seeds: pd.DataFrame) -> pd.DataFrame:
    """Mean, median and interval of the values, indexed by group and batch size."""
    by_size = seeds.assign(gap=seeds["train_metric"] - seeds["metric"]).groupby(SIZE)
    values = by_size[["metric", "loss", "rmse", "gap", "train_loss", *_CURVATURE]]
    table = values.mean().where(values.count().eq(by_size.size(), axis=0))
    table["metric_median"] = by_size["metric"].median()
    table["shown_updates"] = by_size["updates"].median()
    for name in ("metric", "gap", *_CURVATURE):
        bounds = {
            size: (interval.low, interval.high)
            for size, sample in by_size[name]
            if len(sample) >= SEEDS_FOR_INTERVAL
            for interval in [t_interval(sample.tolist())]
        }
        index = pd.MultiIndex.from_tuples(bounds, names=SIZE)
        columns = [f"{name}_low", f"{name}_high"]
        table = table.join(pd.DataFrame([*bounds.values()], index, columns, "float64"))
    return table


def within_limits(
    table: pd.DataFrame, name: str, groups: tuple[GroupDescription, ...]
) -> pd.DataFrame:
    """End intervals of a metric where its values end."""
    least = table["group"].map({plan.group: measure_of(plan).least for plan in groups})
    most = table["group"].map({plan.group: measure_of(plan).most for plan in groups})
    bounds = {column: table[column].clip(least, most) for column in (f"{name}_low", f"{name}_high")}
    return table.assign(**bounds)


def _with_times(
    table: pd.DataFrame, summary: pd.DataFrame, groups: Sequence[GroupDescription]
) -> pd.DataFrame:
    tensor = one_network(summary).set_index(SIZE)["seconds_per_update"]
    table = table.join(tensor, on=SIZE)
    table["updates"] = table["shown_updates"].fillna(table["updates"])
    table["seconds_to_train"] = table["updates"] * table["seconds_per_update"]
    for plan in groups:
        if plan.growth:
            rows = table[table["group"] == plan.group]
            table.loc[rows.index, "seconds_to_train"] = _grown_seconds(rows, plan)
    by_time = table.dropna(subset=["seconds_to_train", "metric"])
    by_time = by_time.sort_values(
        ["group", "seconds_to_train", "metric"], ascending=[True, True, False]
    )
    known, labels = by_time["metric"], by_time["group"]
    faster = known.groupby(labels).cummax().groupby(labels).shift(fill_value=-np.inf)
    table["pareto"] = (known > faster).reindex(table.index, fill_value=False)
    return table


def _grown_seconds(rows: pd.DataFrame, plan: GroupDescription) -> pd.Series[float]:
    """Return the time to train on growing batches, as far as their mean size was timed."""
    # The time of an update is about linear in its examples: that of a mean batch counts.
    mean = rows["batch_size"].map(plan.budget_examples) / rows["updates"]
    timed = rows.dropna(subset="seconds_per_update")
    if timed.empty:
        return rows["seconds_per_update"]
    sizes, paces = timed[["batch_size", "seconds_per_update"]].to_numpy(np.float64).T
    return rows["updates"] * np.interp(mean.to_numpy(np.float64), sizes, paces, right=np.nan)


def basins(trials: pd.DataFrame, cells: pd.DataFrame, selection: pd.DataFrame) -> pd.DataFrame:
    """Return the smallest and largest rate of each batch size that are as good as the best."""
    # From the selected rate outwards, as long as the mean validation metric is less than a standard
    # error below the best mean, and no seed is lost; batch sizes with a single seed are absent.
    seeds = tuned(trials, selection, TUNING_STAGES).groupby(SIZE)["validation_metric"]
    error = seeds.sem().dropna().rename("error").reset_index()
    best = selection[[*CELL, "validation_metric"]].merge(error, on=SIZE)
    best = best.rename(columns={"learning_rate": "rate", "validation_metric": "most"})
    grid = cells.merge(best, on=SIZE).sort_values(CELL)
    good = grid["eligible"] & (grid["validation_metric"] >= grid["most"] - grid["error"])
    # A rate belongs to the basin if no rate between it and the best fails.
    stretch = (~good).groupby([grid[name] for name in SIZE]).cumsum()
    selected = stretch[grid["learning_rate"] == grid["rate"]]
    centre = grid.loc[selected.index, SIZE].assign(centre=selected)
    inside = grid.assign(stretch=stretch, good=good).merge(centre, on=SIZE)
    inside = inside[inside["good"] & (inside["stretch"] == inside["centre"])]
    rates = inside.groupby(SIZE)["learning_rate"]
    return rates.agg(basin_low="min", basin_high="max").reset_index()
