"""The tables of the page: what each cell shows, and what it is sorted by."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import pandas as pd

from reports.analysis import TargetRecord
from reports.charts.base import Row
from reports.output.page.cells import (
    SUMMARY_NOTE,
    Cell,
    Maker,
    Table,
    flagged,
    interval,
    number,
    number_cell,
    share,
    summary_columns,
    table_of,
    text,
    without_empty,
)
from reports.recommend import Analysis, StudyAnalysis
from reports.schema import (
    MISSING,
    capitalised,
    count,
    rate,
    seconds,
    significant,
    times,
    visible,
)
from reports.stats.models import RESOLVED
from reports.text.finished import critical_alone
from reports.text.reaching_target import range_text, target_name

MOST_RATES = 20  # learning rates up to which the page has a table of them: a column for each


def page_tables(analysis: Analysis, *, main_alone: bool = False) -> list[Table]:
    """Return the tables of a group that have rows, or the first of them alone."""
    made, record = [], analysis.scaling.main
    if not critical_alone(analysis):
        made = [_batch_sizes(analysis)]
        made += [] if main_alone else [_details(analysis), _cells(analysis)]
    if record is not None and not (made and main_alone):
        made += [_to_target(analysis, record), _targets(analysis)]
    if analysis.study.finished:
        made = [without_empty(table) for table in made]
    return [table for table in made if table.rows]


def group_table(study: StudyAnalysis) -> Table:
    """Return the table over the groups of a study."""
    measures = {group.plan.group: group.measure for group in study.groups}
    columns: dict[str, Maker] = {
        "Configuration": lambda row: Cell(visible(row["group"], most=100), visible(row["group"])),
        **summary_columns(lambda row: measures[row["group"]]),
    }
    return table_of("groups", "Configurations", SUMMARY_NOTE, columns, study.summary)


def optima_table(study: StudyAnalysis) -> Table:
    """Return the table of where the best batch size of each configuration lies."""
    optima, span = study.optima, partial(range_text, written=significant)
    columns: dict[str, Maker] = {
        "Configuration": lambda row: Cell(visible(row["group"], most=100), visible(row["group"])),
        "Optimal batch size": number("optimum", significant, strong=True),
        "95% interval": interval("optimum_low", "optimum_high", span),
        "Its learning rate": number("learning_rate", partial(significant, digits=2)),
        "Interval of the rate": interval("rate_low", "rate_high", span),
        "Best cell": number("measured", str),
        "Rate there": number("measured_rate", rate),
        "Critical batch size": number("critical", significant),
        "Its interval": interval("critical_low", "critical_high", span),
        "Why not": lambda row: Cell(row["reason"], ""),
    }
    if optima["measured"].isna().all():
        del columns["Why not"]
    note = (
        "The optimum lies between the cells tried: the lowest point of a surface in the logarithms "
        "of both, with the interval that its residuals allow. Best cell: the best single mean."
    )
    return without_empty(table_of("optima", "Optima", note, columns, optima))


def _batch_sizes(analysis: Analysis) -> Table:
    record, table = analysis.scaling.main, analysis.batch_sizes
    sizes = None if record is None else record.batch_sizes.set_index("batch_size")
    reached = math.nan if sizes is None else table["batch_size"].map(sizes["updates"])
    mean, span = f"{analysis.part.capitalize()} {analysis.measure.name}", "95% interval"

    def at_most(loss: float, high: float) -> str:
        shown, lost = loss != 0 or high != 0, analysis.measure.lost
        return f"{lost(loss)}, at most {lost(high)}" if shown else MISSING

    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "Learning rate": flagged("learning_rate", rate, "at_edge", "edge"),
        mean: number("metric", analysis.measure.text),
        span: interval("metric_low", "metric_high", analysis.measure.span),
        "Loss against reference": interval("shortfall", "shortfall_high", at_most),
        "Verdict": text("verdict"),
        "Time to train": number("seconds_to_train", seconds),
        "Updates to target": number("reached", count),
        "Seeds": number("seeds", count),
    }
    note = (
        f"Each batch size at its tuned learning rate, with mean {analysis.metric} of its seeds. "
        f"Loss{analysis.measure.points and ' in points'}: mean, and its one-sided 95% limit. "
        "(edge): the rate is the smallest or largest tried."
        f"{analysis.constant_text and f' {capitalised(analysis.constant_text)}.'}"
    )
    made = table_of("batch-sizes", "Batch sizes", note, columns, table.assign(reached=reached))
    return replace(made, read=("Learning rate", mean, span, "Time to train", "Seeds"))


def _details(analysis: Analysis) -> Table:
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "Loss": number("loss", partial(significant, digits=3)),
        "RMSE": number("rmse", partial(significant, digits=3)),
        "Updates": number("updates", count),
        "Per update": number("seconds_per_update", seconds),
        "Vectorized speed-up": number("speedup", times),
        "Cost of shards": number("cost", times),
    }
    if not analysis.rmse_unit:
        del columns["RMSE"]
    if analysis.shard_costs.empty:
        del columns["Cost of shards"]
    error = f" RMSE in {analysis.rmse_unit}." if analysis.rmse_unit else ""
    note = (
        f"Loss: of the {analysis.part} set.{error} Speed-up: against one example at a time. All "
        "times: timing-summary.csv."
    )
    costs = analysis.shard_costs[["batch_size", "cost"]]
    table = analysis.batch_sizes.dropna(subset="updates").merge(costs, on="batch_size", how="left")
    return table_of("batch-size-details", "More about each batch size", note, columns, table)


def _cells(analysis: Analysis) -> Table:
    tuned = analysis.batch_sizes.set_index("batch_size")["learning_rate"]
    cells = analysis.cells[: 0 if analysis.cells["learning_rate"].nunique() > MOST_RATES else None]
    cells = cells.assign(tuned=cells["learning_rate"] == cells["batch_size"].map(tuned))
    columns: dict[str, Maker] = {"Batch size": number("batch_size", str)}
    wide = cells[["batch_size"]].drop_duplicates().sort_values("batch_size").set_index("batch_size")
    for value, rows in cells.groupby("learning_rate"):
        mean, strong = f"mean {value}", f"tuned {value}"
        by_size = rows.set_index("batch_size")
        wide[mean], wide[strong] = by_size["validation_metric"], by_size["tuned"]
        wide[strong] = wide[strong].eq(other=True)
        name = f"Rate {rate(float(str(value)))}"
        columns[name] = number(mean, analysis.measure.text, strong=strong)
    note = (
        f"Mean validation {analysis.measure.name} of the tuning seeds; {MISSING} where a seed has "
        "no value. Bold: the tuned rate. Losses and failed trials: cells.csv."
    )
    heading = "Learning rates and batch sizes"
    return table_of("cells", heading, note, columns, wide.reset_index())


def _to_target(analysis: Analysis, record: TargetRecord) -> Table:
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "Rate tuned for it": number("target_rate", rate),
        "Reached": share("reached", "runs"),
        "Updates": number("updates", count),
        "95% interval": interval("updates_low", "updates_high", partial(range_text, written=count)),
        "Half width": number("half_width", count),
        "Time": number("seconds", seconds),
        "Noise scale": _noise_scale,
    }
    if record.noise.empty:
        del columns["Noise scale"]
    note = (
        f"Target: {target_name(analysis, record)}. Medians over runs; missing where half of them "
        "or more did not reach it. Half width: half the updates between the evaluations around the "
        "crossing. More: to-target.csv, crossings.csv, noise-ratio.csv."
    )
    noise = record.noise[["batch_size", "noise_scale", "status"]]
    table = record.batch_sizes.merge(noise, on="batch_size", how="left")
    return table_of("to-target", "Training to the target", note, columns, table)


def _noise_scale(row: Row) -> Cell:
    if pd.isna(row["status"]) or row["status"] == RESOLVED:
        return number_cell(row["noise_scale"], significant)
    return Cell("unresolved", "")


def _targets(analysis: Analysis) -> Table:
    columns: dict[str, Maker] = {
        "Target": number("target", analysis.target_measure.text),
        "Missed, of runs fitted": share("censored", "runs"),
        "Fewest updates": number("min_updates", count),
        "Critical batch size": number("critical_batch_size", significant),
        "95% interval": interval(
            "critical_low", "critical_high", partial(range_text, written=significant)
        ),
        "Fastest batch size": number("fastest", count),
        "Fitted": number("predicted_best", significant),
        "Its interval": interval(
            "predicted_low", "predicted_high", partial(range_text, written=significant)
        ),
        "Why not": lambda row: Cell(row["reason"] or row["why_no_prediction"] or "", ""),
    }
    note = (
        "Critical batch size: the one with twice the fewest updates. Fitted: the fastest batch "
        "size by updates and seconds, fitted separately. More: targets.csv."
    )
    return table_of("targets", "Targets", note, columns, analysis.scaling.table)
