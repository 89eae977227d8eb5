"""Everything a report says of a group, computed once: `analyse` makes the records others read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.core.groupby import SeriesGroupBy

from reports.answers import recommendations
from reports.basins import basins
from reports.budgets import BUDGET_COLUMNS, budget_table
from reports.claim_values import by_seed
from reports.intervals import (
    Comparison,
    Interval,
    compare_with_best,
    separate,
    t_interval,
)
from reports.outcomes import count_outcomes
from reports.record import (
    BATCH_SIZE_COLUMNS,
    MEAN_CURVE_COLUMNS,
    SEED_COLUMNS,
    SEEDS_FOR_INTERVAL,
    Analysis,
)
from reports.regression import rmse, rmse_unit
from reports.results import (
    FRESH_STAGES,
    TUNING_STAGES,
    GroupDescription,
    StudyResults,
    as_table,
)
from reports.scaling_analysis import scaling_records
from reports.scaling_record import ScalingRecord
from reports.selection import select_from, summarise_cells, with_given_rates, without_noise
from reports.timing import one_network, speedups, summarise_timing


@dataclass(frozen=True)
class _Shared:
    """What is computed for all groups at once, which costs as much as for a single one.

    Attributes:
        cells: Columns `reports.selection.CELL_COLUMNS`.
        selection: Columns `reports.selection.SELECTION_COLUMNS`.
        mean_curves: Columns `MEAN_CURVE_COLUMNS`.
        timing: Columns `reports.timing.TIMING_SUMMARY_COLUMNS`.
        speedups: Columns `reports.timing.SPEEDUP_COLUMNS`.
        basins: From `reports.basins.basins`.
        budgets: Columns `reports.budgets.BUDGET_COLUMNS`.
    """

    cells: pd.DataFrame
    selection: pd.DataFrame
    mean_curves: pd.DataFrame
    timing: pd.DataFrame
    speedups: pd.DataFrame
    basins: pd.DataFrame
    budgets: pd.DataFrame

    def split(self, groups: Sequence[str]) -> Iterator[_Shared]:
        """Yield the rows of each group, in this order."""
        frames = [(dict(list(frame.groupby("group"))), frame[:0]) for frame in vars(self).values()]
        for group in groups:
            rows = (parts.get(group, none) for parts, none in frames)
            yield _Shared(*(frame.reset_index(drop=True) for frame in rows))


def analyse(results: StudyResults) -> tuple[Analysis, ...]:
    """Compute everything the report says, group by group, in the order of the description.

    Args:
        results: A study.
    """
    cells = summarise_cells(results.trials)
    selection = with_given_rates(select_from(cells), results.trials)
    timing = summarise_timing(results.timing)
    shared = _Shared(
        cells,
        selection,
        _mean_curves(results, selection, timing),
        timing,
        speedups(results.timing),
        basins(results.trials, cells, selection),
        budget_table(results, timing),
    )
    scaling = scaling_records(results, selection, timing)
    labels = [plan.group for plan in results.description.groups]
    return tuple(
        _analyse_group(part, own, scaling[label])
        for label, part, own in zip(labels, by_group(results), shared.split(labels), strict=True)
    )


def by_group(results: StudyResults) -> list[StudyResults]:
    """Return the results of each group as those of a study of its own.

    Args:
        results: A study.
    """
    groups = results.description.groups
    if len(groups) == 1:
        return [results]
    trials = dict(list(results.trials.groupby("group")))
    # A trial may belong to several groups; its curve is there once.
    owned = results.curves.merge(results.trials[["trial", "group"]], on="trial")
    curves = {group: rows.drop(columns="group") for group, rows in owned.groupby("group")}
    timing = dict(list(results.timing.groupby("group")))
    return [
        StudyResults(
            replace(results.description, groups=(plan,)),
            trials.get(plan.group, results.trials[:0]).reset_index(drop=True),
            curves.get(plan.group, results.curves[:0]).reset_index(drop=True),
            timing.get(plan.group, results.timing[:0]).reset_index(drop=True),
        )
        for plan in groups
    ]


def _analyse_group(results: StudyResults, shared: _Shared, scaling: ScalingRecord) -> Analysis:
    plan, selection = results.description.groups[0], shared.selection
    part, seeds, lost = _shown_values(results.trials, selection, plan)
    ranked = seeds[~seeds["batch_size"].isin(lost.index)]
    values = by_seed(ranked, "metric")
    comparison = _compare(values, selection, part)
    table = _batch_sizes(results, selection).join(_statistics(seeds), on="batch_size")
    table = table.merge(shared.basins.drop(columns="group"), on="batch_size", how="left")
    table["lost_seeds"] = table["batch_size"].map(lost).fillna(0)
    table["tied"] = table["batch_size"].isin(comparison.tied if comparison else ())
    faster = shared.speedups.drop(columns="group")
    table = _with_times(table, shared.timing).merge(faster, on="batch_size", how="left")
    recommended = _fastest_tied(table, comparison)
    rival = _rival(values, comparison, recommended)
    analysis = Analysis(
        results=results,
        counts=count_outcomes(results.trials),
        part=part,
        rmse_unit=rmse_unit(plan),
        batch_sizes=as_table(table.fillna({"seeds": 0}), BATCH_SIZE_COLUMNS),
        cells=shared.cells,
        seeds=seeds,
        mean_curves=as_table(shared.mean_curves, MEAN_CURVE_COLUMNS),
        timing=shared.timing,
        budgets=as_table(shared.budgets, BUDGET_COLUMNS),
        scaling=scaling,
        comparison=comparison,
        recommended=recommended,
        rival=rival,
        separation=(
            separate(values, comparison.best, rival, comparison.tail)
            if comparison and rival
            else None
        ),
    )
    return replace(analysis, recommendations=recommendations(analysis))


def _tuned(trials: pd.DataFrame, selection: pd.DataFrame, stages: tuple[str, ...]) -> pd.DataFrame:
    """Trials of these stages at the selected rate of their batch size."""
    cell = ["group", "batch_size", "learning_rate"]
    return trials[trials["stage"].isin(stages)].merge(selection[cell], on=cell)


def _shown_values(
    trials: pd.DataFrame, selection: pd.DataFrame, plan: GroupDescription
) -> tuple[str, pd.DataFrame, pd.Series]:
    """Part shown, its value for each seed, and how many trials have none, by batch size."""
    part, shown = "test", _tuned(trials, selection, FRESH_STAGES)
    if not (shown["status"] == "ok").any():
        part, shown = "validation", _tuned(trials, selection, TUNING_STAGES)
    ok = shown["status"] == "ok"
    values = (
        shown[ok]
        .drop(columns="loss")
        .rename(columns={f"{part}_metric": "metric", f"{part}_loss": "loss"})
    )
    ordered = values.sort_values(["batch_size", "seed"])
    ordered["rmse"] = rmse(ordered, plan)
    return part, as_table(ordered, SEED_COLUMNS), shown[~ok].groupby("batch_size").size()


def _batch_sizes(results: StudyResults, selection: pd.DataFrame) -> pd.DataFrame:
    """One row for each batch size planned or run, with what was selected there."""
    trials = results.trials
    everything = sorted(
        {*results.description.groups[0].batch_sizes, *trials["batch_size"].tolist()}
    )
    tried = (
        trials[trials["stage"].isin(TUNING_STAGES)].groupby("batch_size")["learning_rate"].nunique()
    )
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
    others = seeds.groupby("batch_size")
    table[["loss", "rmse"]] = others[["loss", "rmse"]].mean()
    table["shown_updates"] = others["updates"].median()
    apart = seeds.assign(gap=seeds["train_metric"] - seeds["metric"]).groupby("batch_size")["gap"]
    table["gap"] = apart.mean()
    for name, values in (("metric", groups), ("gap", apart)):
        ends = _intervals(values)
        table[f"{name}_low"] = pd.Series({b: i.low for b, i in ends.items()}, dtype="float64")
        table[f"{name}_high"] = pd.Series({b: i.high for b, i in ends.items()}, dtype="float64")
    return table


def _intervals(groups: SeriesGroupBy[Any, Any]) -> dict[int, Interval]:
    return {
        batch_size: t_interval(values.tolist())
        for batch_size, values in groups
        if len(values) >= SEEDS_FOR_INTERVAL
    }


def _with_times(table: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    tensor = one_network(summary).set_index("batch_size")["seconds_per_update"]
    table["updates"] = table["shown_updates"].fillna(table["updates"])
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
    ranked = selection[selection["batch_size"].isin(values.columns)]
    if part == "validation" or ranked["validation_metric"].isna().any():
        return compare_with_best(values)
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


def _mean_curves(
    results: StudyResults, selection: pd.DataFrame, timing: pd.DataFrame
) -> pd.DataFrame:
    """Mean validation curve of the explore seeds at the selected rate of each batch size."""
    tuned = _tuned(results.trials, selection, TUNING_STAGES)[["trial", "group", "batch_size"]]
    columns = ["trial", "examples", "updates", "validation_metric"]
    points = results.curves[columns].merge(tuned, on="trial")
    groups = points.groupby(["group", "batch_size", "examples"])
    means = groups.agg({"validation_metric": "mean", "updates": "median"}).reset_index()
    items = {plan.group: plan.train_items for plan in results.description.groups}
    means["epochs"] = means["examples"] / means["group"].map(items).astype("float64")
    cost = one_network(timing)[["group", "batch_size", "seconds_per_update"]]
    timed = means.merge(cost, on=["group", "batch_size"], how="left")
    return timed.assign(seconds=timed["updates"] * timed["seconds_per_update"])
