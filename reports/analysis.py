"""Everything a report says, computed once: `analyse` makes the record all other modules read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports.formats import visible
from reports.intervals import Comparison, Separation, compare_with_best, separate, t_interval
from reports.results import (
    CONFIRM,
    EXPLORE,
    Column,
    StudyDescription,
    StudyResults,
    as_table,
)
from reports.selection import SETTING, select_rates, summarise_cells, without_noise
from reports.timing import TENSOR, speedups, summarise_timing

SEEDS_FOR_INTERVAL = 5
"""Fewer values than this are shown one by one, without an interval."""

BATCH_SIZE_COLUMNS = (
    Column("batch_size", "int64", "examples", "Examples of one update."),
    Column("learning_rate", "float64", "", "Rate selected on the validation part."),
    Column("at_edge", "bool", "", "Whether no smaller, or no larger, rate was tried."),
    Column("eligible_rates", "int64", "rates", "Rates with a result for every seed."),
    Column("tried_rates", "int64", "rates", "Rates tried."),
    Column("validation_metric", "float64", "", "Mean validation metric over the explore seeds."),
    Column("metric", "float64", "", "Mean metric on the part the report shows, over its seeds."),
    Column("metric_median", "float64", "", "Median, likewise."),
    Column("metric_low", "float64", "", "Lower end of the 95% t interval; 5 seeds or more."),
    Column("metric_high", "float64", "", "Upper end, likewise."),
    Column("seeds", "int64", "seeds", "Seeds behind metric."),
    Column("lost_seeds", "int64", "seeds", "Seeds that diverged or failed there."),
    Column("tied", "bool", "", "Whether it can't be told from the best batch size."),
    Column("updates", "float64", "updates", "Updates of the budget."),
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
)

MEAN_CURVE_COLUMNS = (
    Column("batch_size", "int64", "examples", "Examples of one update."),
    Column("examples", "int64", "examples", "Examples processed before the evaluation."),
    Column("epochs", "float64", "epochs", "The same, as passes over the training part."),
    Column("validation_metric", "float64", "", "Mean over the explore seeds, at the tuned rate."),
)


@dataclass(frozen=True)
class Counts:
    """How many trials there are of each kind.

    Attributes:
        planned: Of both stages, as far as is known.
        run: With an outcome.
        ok: With a result.
        diverged: Diverged.
        failed: Without a result for another reason.
    """

    planned: int
    run: int
    ok: int
    diverged: int
    failed: int

    @property
    def missing(self) -> int:
        """Trials planned that have no outcome yet."""
        return max(self.planned - self.run, 0)


@dataclass(frozen=True)
class Analysis:
    """The numbers of one report.

    Attributes:
        results: What they are computed from.
        counts: Trials of each kind.
        part: Part of the data whose metric is shown: "test" (of the confirm stage) or
            "validation" (of the explore stage, before any confirm trial has a result).
        batch_sizes: Columns `BATCH_SIZE_COLUMNS`; one row for each batch size planned or run.
        cells: Columns `reports.selection.CELL_COLUMNS`.
        seeds: Columns `SEED_COLUMNS`: the values behind `metric`.
        mean_curves: Columns `MEAN_CURVE_COLUMNS`.
        timing: Columns `reports.timing.TIMING_SUMMARY_COLUMNS`.
        comparison: Who ties with the best, among the batch sizes that lost no seed; None if
            there is none. If the test part is shown, best is the one with the highest mean
            validation metric, so that one part chooses and the other judges.
        recommended: The batch size that trains fastest among those tied with the best; None if
            nothing was tested or the timing pass has timed none of them.
        rival: The batch size to hold against the best: the recommended one or, if that is the
            best itself or unknown, the other one with the highest mean; None if there is none.
        separation: Rival minus best; None if that can't be said.
    """

    results: StudyResults
    counts: Counts
    part: str
    batch_sizes: pd.DataFrame
    cells: pd.DataFrame
    seeds: pd.DataFrame
    mean_curves: pd.DataFrame
    timing: pd.DataFrame
    comparison: Comparison | None
    recommended: int | None
    rival: int | None
    separation: Separation | None

    @property
    def description(self) -> StudyDescription:
        """The study's description."""
        return self.results.description

    @property
    def metric(self) -> str:
        """What `metric` is, such as "test accuracy"."""
        return f"{self.part} {visible(self.description.metric, most=40)}"

    @property
    def measured(self) -> pd.DataFrame:
        """The rows of `batch_sizes` with a metric."""
        return self.batch_sizes[self.batch_sizes["seeds"] > 0]

    @property
    def ranked(self) -> pd.DataFrame:
        """Those of them that lost no seed; only these are compared."""
        return self.measured[self.measured["lost_seeds"] == 0]

    @property
    def timed(self) -> pd.DataFrame:
        """The rows of `batch_sizes` with a time to train."""
        return self.batch_sizes.dropna(subset="seconds_to_train")

    @property
    def shows_intervals(self) -> bool:
        """Whether every batch size shown has seeds enough for an interval."""
        return bool((self.measured["seeds"] >= SEEDS_FOR_INTERVAL).all())

    def row(self, batch_size: int) -> pd.Series[Any]:
        """Return the row of `batch_sizes` for one batch size."""
        return self.batch_sizes[self.batch_sizes["batch_size"] == batch_size].iloc[0]


def extreme(table: pd.DataFrame, column: str, *, largest: bool) -> pd.Series[Any]:
    """Return the first row with the largest, or smallest, value of a column.

    Args:
        table: Has at least one row.
        column: What to compare.
        largest: Whether to return the largest, or else the smallest.
    """
    return table.sort_values(column, ascending=not largest, kind="stable").iloc[0]


def analyse(results: StudyResults) -> Analysis:
    """Compute everything the report says.

    Args:
        results: A study with one dataset, architecture and optimizer.

    Raises:
        ValueError: The trials belong to more than one setting.
    """
    _check_one_setting(results.trials)
    selection = select_rates(results.trials)
    part, seeds, lost = _shown_values(results.trials, selection)
    ranked = seeds[~seeds["batch_size"].isin(lost.index)]
    values = ranked.pivot_table(index="seed", columns="batch_size", values="metric")
    comparison = _compare(values, selection, part)
    summary = summarise_timing(results.timing)
    table = _batch_sizes(results, selection).join(_statistics(seeds), on="batch_size")
    table["lost_seeds"] = table["batch_size"].map(lost).fillna(0)
    table["tied"] = table["batch_size"].isin(comparison.tied if comparison else ())
    table = _with_times(table, summary).merge(speedups(results.timing), on="batch_size", how="left")
    recommended = _fastest_tied(table, comparison)
    rival = _rival(values, comparison, recommended)
    return Analysis(
        results=results,
        counts=_counts(results),
        part=part,
        batch_sizes=as_table(table.fillna({"seeds": 0}), BATCH_SIZE_COLUMNS),
        cells=summarise_cells(results.trials),
        seeds=seeds,
        mean_curves=_mean_curves(results, selection),
        timing=summary,
        comparison=comparison,
        recommended=recommended,
        rival=rival,
        separation=(
            separate(values, comparison.best, rival, comparison.tail)
            if comparison and rival
            else None
        ),
    )


def _check_one_setting(trials: pd.DataFrame) -> None:
    settings = trials[SETTING].drop_duplicates()
    if len(settings) > 1:
        found = settings.to_dict("records")
        raise ValueError(f"A report covers one dataset, architecture and optimizer, not {found}.")


def _counts(results: StudyResults) -> Counts:
    status = results.trials["status"]
    ok, diverged = int((status == "ok").sum()), int((status == "diverged").sum())
    planned = max(results.description.planned_trials, len(status))
    return Counts(planned, len(status), ok, diverged, len(status) - ok - diverged)


def _tuned(trials: pd.DataFrame, selection: pd.DataFrame, stage: str) -> pd.DataFrame:
    """Trials of one stage at the selected rate of their batch size."""
    rates = selection[["batch_size", "learning_rate"]]
    return trials[trials["stage"] == stage].merge(rates, on=["batch_size", "learning_rate"])


def _shown_values(
    trials: pd.DataFrame, selection: pd.DataFrame
) -> tuple[str, pd.DataFrame, pd.Series]:
    """Part shown, its value for each seed, and how many trials have none, by batch size."""
    part, shown = "test", _tuned(trials, selection, CONFIRM)
    if not (shown["status"] == "ok").any():
        part, shown = "validation", _tuned(trials, selection, EXPLORE)
    ok = shown["status"] == "ok"
    values = shown[ok].rename(columns={f"{part}_metric": "metric"})
    ordered = values.sort_values(["batch_size", "seed"])
    return part, as_table(ordered, SEED_COLUMNS), shown[~ok].groupby("batch_size").size()


def _batch_sizes(results: StudyResults, selection: pd.DataFrame) -> pd.DataFrame:
    """One row for each batch size planned or run, with what was selected there."""
    trials = results.trials
    everything = sorted({*results.description.batch_sizes, *trials["batch_size"].tolist()})
    tried = trials[trials["stage"] == EXPLORE].groupby("batch_size")["learning_rate"].nunique()
    ok = trials[trials["status"] == "ok"]
    table = pd.DataFrame({"batch_size": everything}).merge(
        selection.drop(columns="seeds"), on="batch_size", how="left"
    )
    table["at_edge"] = table["at_edge"].eq(other=True)
    table["eligible_rates"] = table["eligible_rates"].fillna(0)
    table["tried_rates"] = table["batch_size"].map(tried).fillna(0)
    table["updates"] = table["batch_size"].map(ok.groupby("batch_size")["updates"].max())
    return table


def _statistics(seeds: pd.DataFrame) -> pd.DataFrame:
    """Mean, median, count and interval of each batch size's values, indexed by batch size."""
    groups = seeds.groupby("batch_size")["metric"]
    table = pd.DataFrame(
        {"metric": groups.mean(), "metric_median": groups.median(), "seeds": groups.size()}
    )
    enough = {
        batch_size: t_interval(values.tolist())
        for batch_size, values in groups
        if len(values) >= SEEDS_FOR_INTERVAL
    }
    table["metric_low"] = pd.Series({b: i.low for b, i in enough.items()}, dtype="float64")
    table["metric_high"] = pd.Series({b: i.high for b, i in enough.items()}, dtype="float64")
    return table


def _with_times(table: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    tensor = summary[summary["engine"] == TENSOR].set_index("batch_size")["seconds_per_update"]
    table["seconds_per_update"] = table["batch_size"].map(tensor)
    table["seconds_to_train"] = table["updates"] * table["seconds_per_update"]
    complete = table[table["lost_seeds"] == 0].dropna(subset=["seconds_to_train", "metric"])
    by_time = complete.sort_values(["seconds_to_train", "metric"], ascending=[True, False])
    known = by_time["metric"]
    faster = known.cummax().shift(fill_value=-np.inf)
    table["pareto"] = (known > faster).reindex(table.index, fill_value=False)
    return table


def _compare(values: pd.DataFrame, selection: pd.DataFrame, part: str) -> Comparison | None:
    if values.empty:
        return None
    if part == "validation":
        return compare_with_best(values)
    ranked = selection[selection["batch_size"].isin(values.columns)]
    order = ["validation_metric", "validation_loss", "batch_size"]
    ordered = ranked.sort_values(order, ascending=[False, True, True], key=without_noise)
    return compare_with_best(values, int(ordered["batch_size"].iloc[0]))


def _rival(
    values: pd.DataFrame, comparison: Comparison | None, recommended: int | None
) -> int | None:
    if comparison is None or len(values.columns) == 1:
        return None
    if recommended not in {None, comparison.best}:
        return recommended
    means = values.drop(columns=comparison.best).mean()
    return int(means.index[int(means.argmax())])


def _fastest_tied(table: pd.DataFrame, comparison: Comparison | None) -> int | None:
    if comparison is None or not comparison.tested:
        return None
    tied = table[table["tied"]].dropna(subset="seconds_to_train")
    fastest = tied.sort_values(["seconds_to_train", "batch_size"])["batch_size"]
    return None if fastest.empty else int(fastest.iloc[0])


def _mean_curves(results: StudyResults, selection: pd.DataFrame) -> pd.DataFrame:
    """Mean validation curve of the explore seeds at the selected rate of each batch size."""
    tuned = _tuned(results.trials, selection, EXPLORE)[["trial", "batch_size"]]
    points = results.curves[["trial", "examples", "validation_metric"]].merge(tuned, on="trial")
    groups = points.groupby(["batch_size", "examples"])["validation_metric"]
    means = groups.mean().reset_index()
    means["epochs"] = means["examples"] / results.description.train_items
    return as_table(means, MEAN_CURVE_COLUMNS)
