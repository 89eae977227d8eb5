"""The tables of the page: what each cell shows, and what it is sorted by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pandas as pd

from reports.analysis import TargetRecord
from reports.charts.base import Row
from reports.output.page.cells import (
    Cell,
    Maker,
    Table,
    Written,
    flagged,
    interval,
    mean_and_interval,
    number,
    number_cell,
    share,
    table_of,
    text,
)
from reports.recommend import Analysis, StudyAnalysis
from reports.schema import (
    MISSING,
    count,
    off_by,
    percent,
    plural,
    rate,
    seconds,
    significant,
    times,
    visible,
)
from reports.stats import by_seed
from reports.stats.models import RESOLVED
from reports.text import RULE_WORDS, amount, level
from reports.text.instruction import CELL_HEADERS, cell_texts, span
from reports.text.reaching_target import range_text

MOST_RATES = 20
"""Learning rates up to which the page has a table of them: a column for each."""


def page_tables(analysis: Analysis) -> list[Table]:
    """Return the tables of a group that have rows."""
    made = [
        _batch_sizes(analysis),
        _details(analysis),
        _answers(analysis),
        _budgets(analysis),
        _cells(analysis),
        _expected_best(analysis),
        _timing(analysis),
        _shards(analysis),
    ]
    record = analysis.scaling.main
    if record is not None:
        made += [_to_target(analysis, record), _targets(analysis), _noise(record)]
    return [table for table in made if table.rows]


def group_table(study: StudyAnalysis) -> Table:
    """Return the table over the groups of a study."""
    measures = {group.plan.group: group.measure for group in study.groups}
    columns: dict[str, Maker] = {
        "Configuration": lambda row: Cell(visible(row["group"], most=100), visible(row["group"])),
        "Batch size to use": number("recommended", "{:.0f}".format, strong=True),
        "Learning rate": number("recommended_rate", rate),
        "Shown near-optimal": interval("low", "high", span),
        "Time to train": number("seconds_to_train", seconds),
        "Fastest to a target": number("to_target", "{:.0f}".format),
        "At rate": number("to_target_rate", rate),
        "Best batch size": number("best", "{:.0f}".format),
        "Its learning rate": number("learning_rate", rate),
        "Metric": text("metric_name"),
        **mean_and_interval(lambda row: measures[row["group"]]),
        "Trials ok": share("ok", "trials"),
        "Diverged": number("diverged", count),
        "Failed": number("failed", count),
    }
    note = (
        "Batch size to use: the fastest that is shown to be near-optimal. Mean and interval are "
        "those of the best batch size, over its seeds."
    )
    return table_of("groups", "Configurations", note, columns, study.summary)


def _batch_sizes(analysis: Analysis) -> Table:
    record, table = analysis.scaling.main, analysis.batch_sizes
    sizes = None if record is None else record.batch_sizes.set_index("batch_size")
    reached = math.nan if sizes is None else table["batch_size"].map(sizes["updates"])
    mean, span = f"{analysis.part.capitalize()} {analysis.measure.name}", "95% interval"
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "Learning rate": flagged("learning_rate", rate, "at_edge", "edge"),
        mean: number("metric", analysis.measure.text),
        span: interval("metric_low", "metric_high", analysis.measure.span),
        "Loss against reference": interval("shortfall", "shortfall_high", _at_most(analysis)),
        "Verdict": text("verdict"),
        "Time to train": number("seconds_to_train", seconds),
        "Updates to target": number("reached", count),
        "Seeds": number("seeds", count),
    }
    note = (
        f"Each batch size at its tuned learning rate, with mean {analysis.metric} of its seeds. "
        "Loss: mean, and its one-sided 95% limit. (edge): the rate is the smallest or largest "
        "tried."
    )
    made = table_of(
        *("batch-sizes", "Batch sizes", note, columns),
        table.assign(reached=reached),
    )
    return replace(made, read=("Learning rate", mean, span, "Time to train", "Seeds"))


def _details(analysis: Analysis) -> Table:
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "Validation": number("validation_metric", analysis.measure.text),
        "Loss": number("loss", partial(significant, digits=3)),
        "RMSE": number("rmse", partial(significant, digits=3)),
        "Updates": number("updates", count),
        "Per update": number("seconds_per_update", seconds),
        "Vectorized speed-up": number("speedup", times),
    }
    if not analysis.rmse_unit:
        del columns["RMSE"]
    error = f" RMSE in {analysis.rmse_unit}." if analysis.rmse_unit else ""
    note = f"Loss: of the {analysis.part} set.{error} Speed-up: against one example at a time."
    measured = analysis.batch_sizes.dropna(subset="updates")
    return table_of("batch-size-details", "More about each batch size", note, columns, measured)


def _at_most(analysis: Analysis) -> Callable[[float, float], str]:
    def written(mean: float, high: float) -> str:
        if mean == high == 0:
            return MISSING
        return f"{analysis.measure.signed(mean)}, at most {analysis.measure.signed(high)}"

    return written


def _answers(analysis: Analysis) -> Table:
    rows = tuple(
        tuple(
            Cell(words, words, strong=n == 1)
            for n, words in enumerate(cell_texts(analysis, answer))
        )
        for answer in analysis.answers
        if analysis.reference is not None
    )
    note = (
        "For each goal the batch size to use and its learning rate, and what the fitted curves and "
        "the gradient noise scale expect of the time to the target."
    )
    return Table("answers", "Batch sizes to use", note, CELL_HEADERS, rows)


def _budgets(analysis: Analysis) -> Table:
    table = analysis.budgets[analysis.budgets["common"]]
    columns: dict[str, Maker] = {"Batch size": number("batch_size", str)}
    for rule, rows in table.groupby("rule", sort=False):
        header = (
            f"{RULE_WORDS[str(rule)].capitalize()}: {amount(str(rule), rows['budget'].iloc[0])}"
        )
        columns[header] = _listed(rows, "metric", "tied", analysis.measure.text)
    note = (
        f"Validation {analysis.measure.name} with the largest budget that all batch sizes reach. "
        "In bold: not significantly different from the best. All budgets: budgets.csv."
    )
    return table_of("budgets", "Budget rules", note, columns, _sizes_of(table))


def _cells(analysis: Analysis) -> Table:
    tuned = analysis.batch_sizes.set_index("batch_size")["learning_rate"]
    cells = analysis.cells[: 0 if analysis.cells["learning_rate"].nunique() > MOST_RATES else None]
    cells = cells.assign(tuned=cells["learning_rate"] == cells["batch_size"].map(tuned))
    columns: dict[str, Maker] = {"Batch size": number("batch_size", str)}
    for value, rows in cells.groupby("learning_rate"):
        columns[f"Rate {rate(float(str(value)))}"] = _listed(
            rows, "validation_metric", "tuned", analysis.measure.text
        )
    note = (
        f"Mean validation {analysis.measure.name} of the tuning seeds at each learning rate; "
        f"{MISSING} where a seed has no value. In bold: the tuned rate. Losses and failed trials: "
        "cells.csv."
    )
    return table_of("cells", "Learning rates and batch sizes", note, columns, _sizes_of(cells))


def _listed(rows: pd.DataFrame, column: str, strong: str, written: Written) -> Maker:
    """Return what makes cells of a column of another frame, by the batch size of its rows."""
    known = rows.set_index("batch_size")[[column, strong]].to_dict("index")
    missing = {column: math.nan, strong: False}
    make = number(column, written, strong=strong)
    return lambda row: make(known.get(row["batch_size"], missing))


def _sizes_of(table: pd.DataFrame) -> pd.DataFrame:
    return table[["batch_size"]].drop_duplicates().sort_values("batch_size")


def _expected_best(analysis: Analysis) -> Table:
    table = analysis.expected_best
    if table["tried_rates"].max() == 1:
        table = table[:0]
    wide = by_seed(table, "expected_best", seed="drawn_rates").T.reset_index()
    wide["tried_rates"] = table.drop_duplicates("batch_size")["tried_rates"].to_numpy()
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "Tried": number("tried_rates", count),
    }
    efforts = sorted({*table["drawn_rates"].tolist()})
    columns |= {f"Best of {draws}": number(draws, analysis.measure.text) for draws in efforts}
    note = (
        "Expected validation metric of the best of a few learning rates drawn from those tried "
        "(Dodge et al. 2019): what less tuning would have found. A rate with a failed seed counts "
        "as the worst of the others; another range of rates gives other numbers."
    )
    return table_of("expected-best", "Best of few learning rates", note, columns, wide)


def _timing(analysis: Analysis) -> Table:
    columns: dict[str, Maker] = {
        "Engine": text("engine"),
        "Batch size": number("batch_size", str),
        "Networks at once": number("lanes", count),
        "Per update": number("seconds_per_update", seconds),
        "First quartile": number("lower_quartile", seconds),
        "Third quartile": flagged("upper_quartile", seconds, "unsteady"),
        "Processor share": flagged("cpu_share", percent, "contended"),
    }
    note = (
        "The benchmark: median and quartiles over its rounds, serial, one BLAS thread; the time "
        "of one network where several are updated at once."
    )
    return table_of("timing", "Timing", note, columns, analysis.timing)


def _shards(analysis: Analysis) -> Table:
    shards = plural(analysis.plan.shards, "shard")
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "In shards": number("seconds_in_shards", seconds),
        "Whole": number("seconds_whole", seconds),
        "Cost": number("cost", times),
        "Range of rounds": interval("cost_low", "cost_high", _span_of(times)),
    }
    note = (
        f"Seconds of an update with the batch in {shards}, one after the other on this machine, "
        "and unsharded: medians of the same rounds of the benchmark, and "
        "the ratio of the two."
    )
    return table_of("shards", f"The cost of {shards}", note, columns, analysis.shard_costs)


def _to_target(analysis: Analysis, record: TargetRecord) -> Table:
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "Learning rate": number("learning_rate", rate),
        "Tuned for the target": number("target_rate", rate),
        "Reached": share("reached", "runs"),
        "Updates": number("updates", count),
        "95% interval": interval("updates_low", "updates_high", _span_of(count)),
        "Half width": number("half_width", count),
        "By the fit": number("predicted_updates", count),
        "Examples": number("examples", count),
        "Time": number("seconds", seconds),
        "Time by the fits": number("predicted_seconds", seconds),
        "In the fit": _in_fit,
    }
    note = (
        f"Target: {level(analysis, record)}. Medians over runs; missing where half of them or more "
        "did not reach it. Half width: half the updates between the two evaluations around the "
        "crossing. Tuned for the target: the rate that reaches it soonest on the tuning seeds. "
        "Other targets: to-target.csv; single runs: crossings.csv."
    )
    return table_of("to-target", "Training to the target", note, columns, record.batch_sizes)


def _targets(analysis: Analysis) -> Table:
    columns: dict[str, Maker] = {
        "Target": number("target", analysis.target_measure.text),
        "Share": number("share", "{:.0%}".format),
        "Runs": number("runs", count),
        "Missed": number("censored", count),
        "Fewest updates": number("min_updates", count),
        "Fewest examples": number("min_examples", count),
        "Critical batch size": number("critical_batch_size", significant),
        "95% interval": interval("critical_low", "critical_high", _span_of(significant)),
        "20% overhead": _overhead,
        "Largest miss": number("max_log_residual", off_by),
        "Fastest": number("fastest", count),
        "Predicted": number("predicted_best", significant),
        "Its interval": interval("predicted_low", "predicted_high", _span_of(significant)),
        "Why not": lambda row: Cell(row["reason"] or row["why_no_prediction"] or "", ""),
    }
    note = (
        "A target is a share of the way from the start to what the best batch size attains on "
        "the tuning seeds, or set by the study. Critical batch size: the one with twice the fewest "
        "updates. 20% overhead: what others call critical (Zhang et al. 2024), the batch size that "
        "takes 20% more updates than in proportion from the one behind it; not to be mixed with "
        "the former. Predicted: the fastest batch size by updates and seconds, fitted separately."
    )
    return table_of("targets", "Targets", note, columns, analysis.scaling.table)


def _overhead(row: Row) -> Cell:
    cell = number_cell(row["overhead_batch_size"], significant)
    if pd.isna(row["overhead_batch_size"]):
        return cell
    return Cell(f"{cell.text} from {row['overhead_reference']:g}", cell.key)


def _noise(record: TargetRecord) -> Table:
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "Seeds": number("seeds", count),
        "Noise scale": lambda row: (
            number_cell(row["noise_scale"], significant)
            if row["status"] == RESOLVED
            else Cell("unresolved", "")
        ),
        "95% interval": interval("low", "high", _span_of(significant)),
        "By the critical batch size": number("ratio", times),
        "Its interval": interval("ratio_low", "ratio_high", _span_of(significant)),
    }
    note = (
        "Gradient noise scale in examples, averaged over the evaluations up to the target "
        "without the one before the first update: a ratio of means over seeds with Fieller's "
        "interval, compared with the critical batch size. "
        "Published ratios of the two run from 0.05 to 8."
    )
    return table_of("noise", "Gradient noise scale", note, columns, record.noise)


def _in_fit(row: Row) -> Cell:
    if not row["fitted"]:
        return Cell("no: rate at the edge", "0")
    return Cell("yes, but near all examples" if row["near_all"] else "yes", "1")


def _span_of(written: Callable[[float], str]) -> Callable[[float, float], str]:
    return lambda low, high: range_text(low, high, written)


def work_tables(study: StudyAnalysis) -> list[Table]:
    """Return the table of what each batch size took; none where nothing is known."""
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "Cohorts": number("cohorts", count),
        "Trials": number("trials", count),
        "Time of all": number("work_seconds", seconds),
        "Share": number("work_share", percent),
    }
    note = (
        "Cohorts of all configurations and stages; timeline.csv has the begin and end of each. "
        "Time of all: their seconds added up, although cohorts ran at the same time."
    )
    table = table_of("work", "What each batch size took", note, columns, study.timeline.work)
    return [table] if table.rows else []
