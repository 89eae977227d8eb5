"""Everything a report says of a group, computed once: `analyse` makes the records others read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from reports.analysis.batch_sizes import batch_size_table, shown_trials, tuned
from reports.analysis.equal_budgets import budget_table
from reports.analysis.scaling_analysis import scaling_records
from reports.analysis.scaling_record import ScalingRecord
from reports.analysis.selection import (
    select_rates,
    summarise_cells,
    with_given_rates,
    without_noise,
)
from reports.analysis.update_times import one_network, summarise_timing
from reports.analysis.worker_timeline import timeline_of
from reports.recommend.answers import UNLEARNED, highest_accuracy
from reports.recommend.baseline import unlearned
from reports.recommend.groups import StudyAnalysis, group_summary
from reports.recommend.recommendation import Answer, Recommendation, reconcile
from reports.recommend.record import MEAN_CURVE_COLUMNS, Analysis
from reports.recommend.time_answers import target_time, timed_accuracy
from reports.schema.measures import rmse_unit
from reports.schema.outcomes import count_outcomes, measurements
from reports.schema.results import GROUP, TUNING_STAGES, StudyResults, as_table
from reports.stats.differences import by_seed
from reports.stats.intervals import Comparison, compare_with_best
from reports.stats.power import separate

_SIZE = ["group", "batch_size"]


@dataclass(frozen=True)
class _Shared:
    """What is computed for all groups at once, which costs as much as for a single one.

    Attributes:
        cells: Columns `reports.analysis.selection.CELL_COLUMNS`.
        selection: Columns `reports.analysis.selection.SELECTION_COLUMNS`.
        timing: Columns `reports.analysis.update_times.TIMING_SUMMARY_COLUMNS`.
        batch_sizes: Columns `BATCH_SIZE_COLUMNS`; nothing is called tied yet.
        seeds: Columns `SEED_COLUMNS`.
        mean_curves: Columns `MEAN_CURVE_COLUMNS`.
        budgets: Columns `reports.analysis.equal_budgets.BUDGET_COLUMNS`.
    """

    cells: pd.DataFrame
    selection: pd.DataFrame
    timing: pd.DataFrame
    batch_sizes: pd.DataFrame
    seeds: pd.DataFrame
    mean_curves: pd.DataFrame
    budgets: pd.DataFrame

    def split(self, groups: Sequence[str]) -> Iterator[_Shared]:
        """Yield the rows of each group, in this order."""
        named = ("cells", "selection", "timing")
        frames = [
            (frame if name in named else frame.drop(columns="group"), frame["group"])
            for name, frame in vars(self).items()
        ]
        parts = [(dict(list(frame.groupby(labels))), frame[:0]) for frame, labels in frames]
        for group in groups:
            rows = (rows_of.get(group, none) for rows_of, none in parts)
            yield _Shared(*(frame.reset_index(drop=True) for frame in rows))


def analyse(results: StudyResults) -> tuple[Analysis, ...]:
    """Compute everything the report says, group by group, in the order of the description."""
    results = readable(results)
    cells = summarise_cells(results.trials, results.description.tuning_seeds)
    selection = with_given_rates(select_rates(cells), results.trials)
    timing = summarise_timing(results.timing)
    shown = shown_trials(results, selection)
    shared = _Shared(
        cells,
        selection,
        timing,
        batch_size_table(results, cells, selection, timing, shown),
        shown.seeds,
        _mean_curves(results, selection, timing),
        budget_table(results, timing),
    )
    scaling = scaling_records(results, selection, timing)
    labels = [plan.group for plan in results.description.groups]
    return tuple(
        _analyse_group(part, tables, shown.parts[label], scaling[label])
        for label, part, tables in zip(labels, by_group(results), shared.split(labels), strict=True)
    )


def analyse_study(results: StudyResults) -> StudyAnalysis:
    """Compute everything the report says."""
    groups = analyse(results)
    return StudyAnalysis(
        results,
        groups,
        count_outcomes(results.trials),
        group_summary(groups),
        timeline_of(results),
    )


def readable(results: StudyResults) -> StudyResults:
    """Return results whose numbers all measure something, or are missing as failures' are."""
    trials, curves, timing = map(measurements, (results.trials, results.curves, results.timing))
    # Nothing takes no time, and a rate that is no number is that of no cell.
    timed = (timing[["wall_seconds", "updates", "lanes"]] > 0).all(axis=1)
    timed &= timing["cpu_seconds"] >= 0
    return replace(
        results,
        trials=trials[trials["learning_rate"] > 0].reset_index(drop=True),
        curves=curves,
        timing=timing[timed].reset_index(drop=True),
    )


def by_group(results: StudyResults) -> list[StudyResults]:
    """Return the results of each group as those of a study of its own."""
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


def _analyse_group(
    results: StudyResults, shared: _Shared, part: str, scaling: ScalingRecord
) -> Analysis:
    table, seeds = shared.batch_sizes, shared.seeds
    complete = table.loc[table["metric"].notna(), "batch_size"]
    values = by_seed(seeds[seeds["batch_size"].isin(complete)], "metric")
    comparison = _compare(values, shared.selection, part)
    table["tied"] = table["batch_size"].isin(comparison.tied if comparison else ())
    analysis = Analysis(
        results=results,
        counts=count_outcomes(results.trials),
        part=part,
        rmse_unit=rmse_unit(results.description.groups[0]),
        batch_sizes=table,
        cells=shared.cells,
        seeds=seeds,
        mean_curves=shared.mean_curves,
        timing=shared.timing,
        budgets=shared.budgets,
        scaling=scaling,
        comparison=comparison,
        recommended=None,
        rival=None,
        separation=None,
    )
    if comparison is not None:
        analysis = _held_against(analysis, values, comparison)
    return replace(analysis, recommendations=_recommendations(analysis))


def _held_against(analysis: Analysis, values: pd.DataFrame, comparison: Comparison) -> Analysis:
    """Add which batch size to use, and how far it is from the best."""
    use = None if unlearned(analysis) else _fastest_tied(analysis.batch_sizes, comparison)
    rival = _rival(values, comparison, use)
    apart = separate(values, comparison.best, rival, comparison.tail) if rival else None
    return replace(analysis, recommended=use, rival=rival, separation=apart)


def _recommendations(analysis: Analysis) -> tuple[Recommendation, ...]:
    """The batch sizes to use, goal by goal."""
    goals = (highest_accuracy(analysis), target_time(analysis), timed_accuracy(analysis))
    if analysis.comparison is None or not unlearned(analysis):
        return goals
    return tuple(_silent(goal) for goal in goals)


def _silent(recommendation: Recommendation) -> Recommendation:
    """What can be said to a goal where networks have learned nothing."""
    answers = [Answer(source=answer.source, reason=UNLEARNED) for answer in recommendation.answers]
    return reconcile(
        recommendation.goal, recommendation.sought, (), answers, ["networks that learn something"]
    )


def _compare(values: pd.DataFrame, selection: pd.DataFrame, part: str) -> Comparison | None:
    if values.empty:
        return None
    ranked = selection[selection["batch_size"].isin(values.columns)]
    if part == "validation" or ranked["validation_metric"].isna().any():
        return compare_with_best(values)
    order = ["validation_metric", "validation_loss", "batch_size"]
    ordered = ranked.sort_values(order, ascending=[False, True, True], key=without_noise)
    return compare_with_best(values, int(ordered["batch_size"].iloc[0]))


def _rival(values: pd.DataFrame, comparison: Comparison, recommended: int | None) -> int | None:
    if len(values.columns) == 1:
        return None
    if recommended not in {None, comparison.best}:
        return recommended
    means = values.drop(columns=comparison.best).mean()
    return int(means.index[int(means.argmax())])


def _fastest_tied(table: pd.DataFrame, comparison: Comparison) -> int | None:
    if not comparison.tested:
        return None
    tied = table[table["tied"]].dropna(subset="seconds_to_train")
    fastest = tied.sort_values(["seconds_to_train", "batch_size"])["batch_size"]
    return None if fastest.empty else int(fastest.iloc[0])


def _mean_curves(
    results: StudyResults, selection: pd.DataFrame, timing: pd.DataFrame
) -> pd.DataFrame:
    """Mean validation curve of the explore seeds at the selected rate of each batch size.

    It ends where the first of its seeds does: from there on, it would be the mean of the others.
    """
    chosen = tuned(results.trials, selection, TUNING_STAGES)[["trial", "group", "batch_size"]]
    columns = ["trial", "examples", "updates", "validation_metric"]
    points = results.curves[columns].merge(chosen, on="trial")
    groups = points.groupby(["group", "batch_size", "examples"])
    means = groups.agg({"validation_metric": "mean", "updates": "median"})
    planned = means.join(results.description.tuning_seeds.rename("planned"), on=_SIZE)["planned"]
    means = means[groups["validation_metric"].count() >= planned].reset_index()
    items = {plan.group: plan.train_items for plan in results.description.groups}
    means["epochs"] = means["examples"] / means["group"].map(items).astype("float64")
    cost = one_network(timing)[["group", "batch_size", "seconds_per_update"]]
    timed = means.merge(cost, on=["group", "batch_size"], how="left")
    timed["seconds"] = timed["updates"] * timed["seconds_per_update"]
    return as_table(timed, (GROUP, *MEAN_CURVE_COLUMNS))
