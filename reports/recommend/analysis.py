"""Everything a report says of a study, computed once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
from scipy import special

from reports.analysis import (
    SEEDS_FOR_INTERVAL,
    ScalingRecord,
    one_network,
    select_rates,
    summarise_cells,
    summarise_timing,
)
from reports.analysis.batch_sizes import (
    BATCH_SIZE_COLUMNS,
    batch_size_table,
    reference_size,
    shown_trials,
    tuned,
    within_limits,
)
from reports.analysis.equal_budgets import budget_table
from reports.analysis.optima import OPTIMUM_COLUMNS, laws_of, optimum_of, optimum_row
from reports.analysis.scaling_analysis import scaling_records
from reports.analysis.selection import with_given_rates
from reports.analysis.worker_timeline import timeline_of
from reports.recommend.choice import metric_answer, target_answer
from reports.recommend.record import MEAN_CURVE_COLUMNS, Analysis, StudyAnalysis, group_summary
from reports.schema import (
    GROUP,
    SIZE,
    TUNING_STAGES,
    StudyResults,
    as_table,
    count_outcomes,
    table_of,
)
from reports.schema.measures import step_of
from reports.schema.outcomes import measurements
from reports.stats import by_seed, sizes_of
from reports.stats.intervals import CONFIDENCE
from reports.stats.non_inferiority import SLOWER, WORSE, possible_best, shortfall

_LABELLED = ("cells", "selection", "timing")
"""Tables of one group that keep the column of groups."""


def analyse(results: StudyResults) -> tuple[Analysis, ...]:
    """Compute everything the report says, group by group, in the order of the description."""
    results = readable(results)
    cells = summarise_cells(results.trials, results.description.tuning_seeds)
    selection = with_given_rates(select_rates(cells), results.trials)
    timing = summarise_timing(results.timing)
    shown = shown_trials(results, selection)
    # What is computed for all groups at once costs as much as for a single one.
    whole = {
        "cells": cells,
        "selection": selection,
        "timing": timing,
        "batch_sizes": batch_size_table(results, cells, selection, timing, shown),
        "seeds": shown.seeds,
        "mean_curves": _mean_curves(results, selection, timing),
        "budgets": budget_table(results, timing),
    }
    scaling = scaling_records(results, selection, timing)
    labels = [plan.group for plan in results.description.groups]
    tables = {name: _split(frame, labels, keep=name in _LABELLED) for name, frame in whole.items()}
    return tuple(
        _analyse_group(
            part, shown.parts[label], scaling[label], {n: t[label] for n, t in tables.items()}
        )
        for label, part in zip(labels, by_group(results), strict=True)
    )


def analyse_study(results: StudyResults) -> StudyAnalysis:
    """Compute everything the report says."""
    groups = analyse(results)
    counts, summary = count_outcomes(results.trials), group_summary(groups)
    rows = [optimum_row(g.plan, g.cells, g.optimum, g.scaling) for g in groups if g.optimum]
    optima = table_of(rows, OPTIMUM_COLUMNS)
    laws = laws_of(optima, results.description.unit_size)
    return StudyAnalysis(results, groups, counts, summary, timeline_of(results), optima, laws)


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
    labels = [plan.group for plan in groups]
    trials = _split(results.trials, labels)
    # A trial may belong to several groups; its curve is there once.
    owned = results.curves.merge(results.trials[["trial", "group"]], on="trial")
    curves = _split(owned, labels, keep=False)
    timing, steps = _split(results.timing, labels), _split(results.steps, labels)
    return [
        StudyResults(
            replace(results.description, groups=(plan,)),
            trials[plan.group],
            curves[plan.group],
            timing[plan.group],
            steps[plan.group],
        )
        for plan in groups
    ]


def _split(
    frame: pd.DataFrame, labels: Sequence[str], *, keep: bool = True
) -> dict[str, pd.DataFrame]:
    """Return the rows of each group, with or without the column that names it."""
    shown = frame if keep else frame.drop(columns="group")
    rows = dict(list(shown.groupby(frame["group"])))
    return {label: rows.get(label, shown[:0]).reset_index(drop=True) for label in labels}


def _analyse_group(
    results: StudyResults, part: str, scaling: ScalingRecord, tables: Mapping[str, pd.DataFrame]
) -> Analysis:
    analysis = Analysis(
        results=results,
        part=part,
        batch_sizes=tables["batch_sizes"],
        cells=tables["cells"],
        seeds=tables["seeds"],
        mean_curves=tables["mean_curves"],
        timing=tables["timing"],
        budgets=tables["budgets"],
        scaling=scaling,
        optimum=optimum_of(tables["cells"]) if results.description.has_optima else None,
    )
    reference = reference_size(tables["selection"], analysis.complete)
    analysis = replace(analysis, reference=reference)
    analysis = replace(analysis, answers=(metric_answer(analysis), target_answer(analysis)))
    judged = replace(analysis, batch_sizes=_with_verdicts(analysis))
    return judged if analysis.plan.learning_rates else _without_rates(judged)


def _without_rates(analysis: Analysis) -> Analysis:
    """Return the numbers of finished runs whose learning rates nobody names."""
    tables = {name: getattr(analysis, name) for name in ("batch_sizes", "cells")}
    blank = {name: frame.assign(learning_rate=math.nan) for name, frame in tables.items()}
    answers = tuple(replace(answer, learning_rate=None) for answer in analysis.answers)
    return replace(analysis, answers=answers, **blank)


def _with_verdicts(analysis: Analysis) -> pd.DataFrame:
    """The table of batch sizes, with what each loses against the reference."""
    table, answer, judged = analysis.batch_sizes, analysis.answer, analysis.judged
    chosen_alone = analysis.study.finished and analysis.part != "test"
    if analysis.reference is None or judged.empty or chosen_alone:
        return table
    values = by_seed(judged, "metric")
    step = step_of(analysis.plan.metric, analysis.items)
    pilot = analysis.study.confirmation_seeds
    compared = {each.batch_size: each for each in answer.compared}
    for size in sizes_of(values):
        if size not in compared:
            each = shortfall(values, analysis.reference, size, answer.margin, step, pilot=pilot)
            slower = answer.compared and each.verdict != WORSE
            compared[size] = replace(each, verdict=SLOWER) if slower else each
    rows = [vars(compared[size]) if size in compared else _NO_VERDICT for size in analysis.tried]
    columns = [[row[name] for row in rows] for name in _NO_VERDICT]
    shown = dict(zip(("shortfall", "shortfall_low", "shortfall_high"), columns, strict=False))
    possible = possible_best(values, step)
    best = [size in possible for size in analysis.tried]
    return as_table(
        table.assign(**shown, verdict=columns[-1], may_be_best=best), BATCH_SIZE_COLUMNS
    )


_NO_VERDICT = dict.fromkeys(("mean", "lower", "upper"), math.nan) | {"verdict": ""}


def _mean_curves(
    results: StudyResults, selection: pd.DataFrame, timing: pd.DataFrame
) -> pd.DataFrame:
    """Mean validation curve of the explore seeds at the selected rate of each batch size."""
    chosen = tuned(results.trials, selection, TUNING_STAGES)[["trial", *SIZE]]
    columns = ["trial", "examples", "updates", "validation_metric"]
    points = results.curves[columns].merge(chosen, on="trial")
    groups = points.groupby([*SIZE, "examples"])
    values = groups["validation_metric"]
    counts = values.count()
    quantile = special.stdtrit(counts.clip(lower=2) - 1, (1 + CONFIDENCE) / 2)
    half = (quantile * values.std() / counts**0.5).where(counts >= SEEDS_FOR_INTERVAL)
    means = groups.agg({"validation_metric": "mean", "updates": "median"})
    middle = means["validation_metric"]
    means = means.assign(validation_low=middle - half, validation_high=middle + half)
    planned = means.join(results.description.tuning_seeds.rename("planned"), on=SIZE)["planned"]
    # A curve ends where the first of its seeds does: from there on it would be that of the others.
    means = means[counts >= planned].reset_index()
    means = within_limits(means, "validation", results.description.groups)
    items = {plan.group: plan.train_items for plan in results.description.groups}
    known = means["group"].map(items).astype("float64")
    means["epochs"] = means["examples"] / known.where(known > 0)
    cost = one_network(timing)[[*SIZE, "seconds_per_update"]]
    timed = means.merge(cost, on=SIZE, how="left")
    timed["seconds"] = timed["updates"] * timed["seconds_per_update"]
    return as_table(timed, (GROUP, *MEAN_CURVE_COLUMNS))
