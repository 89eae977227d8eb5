"""The tables of the page: what stands in each cell, and what it is sorted by."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from reports.recommend.groups import StudyAnalysis
from reports.recommend.record import Analysis
from reports.schema.formats import (
    MISSING,
    count,
    percent,
    plural,
    rate,
    seconds,
    significant,
    times,
    visible,
)
from reports.stats.bounds import Ends
from reports.stats.differences import by_seed
from reports.text.budgets import RULE_WORDS, amount
from reports.text.recommendation import CELL_HEADERS, cell_texts, span

LINE = 30
"""Characters of a cell from which on it is broken into lines."""

Row = Mapping[Any, Any]
"""One row of a frame."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What is read.
        key: What rows are sorted by: a number, or text; empty for what isn't there.
        strong: Whether it stands out.
    """

    text: str
    key: str
    strong: bool = False


Maker = Callable[[Row], Cell]
"""Makes the cell of one column."""

Written = Callable[[Any], str]
"""Writes a number."""


@dataclass(frozen=True)
class Table:
    """A sortable table; the first cell of each row is its header.

    Attributes:
        name: Its identifier in the page.
        heading: What it lists.
        note: How to read it.
        headers: Of the columns.
        rows: As many cells each as there are headers.
    """

    name: str
    heading: str
    note: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @cached_property
    def prose(self) -> tuple[bool, ...]:
        """Whether a column has texts that take several lines."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.headers)
        return tuple(any(len(cell.text) > LINE for cell in column) for column in columns)

    @property
    def texts(self) -> pd.DataFrame:
        """What is read, by the number of row and column."""
        texts = [[cell.text for cell in row] for row in self.rows]
        return pd.DataFrame(texts, columns=range(len(self.headers)))


def page_tables(analysis: Analysis) -> list[Table]:
    """Return the tables of the page that have rows."""
    made = (
        _batch_sizes(analysis),
        _recommendations(analysis),
        _budgets(analysis),
        _cells(analysis),
        _expected_best(analysis),
        _timing(analysis),
        _shards(analysis),
    )
    return [table for table in made if table.rows]


def group_table(study: StudyAnalysis) -> Table:
    """Return the table over the groups of a study."""
    measures = {group.plan.group: group.measure for group in study.groups}

    def metric(row: Row) -> Cell:
        written = measures[row["group"]].text
        return number_cell(row["metric"], lambda value: f"{written(value)} ({row['part']})")

    def span_of_metric(row: Row) -> Cell:
        return interval("metric_low", "metric_high", measures[row["group"]].span)(row)

    columns: dict[str, Maker] = {
        "Group": lambda row: Cell(visible(row["group"], most=100), visible(row["group"])),
        "Batch size to use": number("recommended", _whole, strong=True),
        "Its range": interval("low", "high", _range),
        "Time to train": number("seconds_to_train", seconds),
        "Fastest to a target": number("to_target", _whole),
        "That range": interval("to_target_low", "to_target_high", _range),
        "Best batch size": number("best", _whole),
        "Its learning rate": number("learning_rate", rate),
        "Metric": text("metric_name"),
        "Mean": metric,
        "95% interval": span_of_metric,
        "Trials ok": share("ok", "trials"),
        "Diverged": number("diverged", count),
        "Failed": number("failed", count),
    }
    note = (
        "Batch size to use: the one that trains fastest among those whose metric can't be told "
        "from the best. Mean and interval are those of the best batch size, over its seeds."
    )
    return table_of("groups", "Groups", note, columns, study.summary)


def _range(low: float, high: float) -> str:
    return span(Ends(low, high))


def _whole(number: float) -> str:
    return f"{number:.0f}"


def _batch_sizes(analysis: Analysis) -> Table:
    written = analysis.measure.text
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str, strong="tied"),
        "Learning rate": flagged("learning_rate", rate, "at_edge", "edge"),
        "Validation": number("validation_metric", written),
        analysis.part.capitalize(): number("metric", written),
        "95% interval": interval("metric_low", "metric_high", analysis.measure.span),
        "Loss": number("loss", significant),
        "RMSE": number("rmse", significant),
        "Seeds": number("seeds", count),
        "Updates": number("updates", count),
        "Per update": number("seconds_per_update", seconds),
        "To train": number("seconds_to_train", seconds),
        "Tensor speed-up": number("speedup", times),
    }
    if not analysis.rmse_unit:
        del columns["RMSE"]
    error = f" RMSE in {analysis.rmse_unit}." if analysis.rmse_unit else ""
    note = (
        f"Every batch size at its tuned learning rate; {analysis.metric} and loss of its seeds."
        f"{error} In bold: not told from the best. (edge): no smaller, or no larger, rate was "
        "tried."
    )
    return table_of("batch-sizes", "Batch sizes", note, columns, analysis.batch_sizes)


def _recommendations(analysis: Analysis) -> Table:
    rows = tuple(
        tuple(Cell(words, words, strong=n == 1) for n, words in enumerate(cell_texts(advice)))
        for advice in analysis.recommendations
        if analysis.comparison is not None
    )
    note = (
        "For each goal the batch sizes that measurement, the fitted curves and the gradient noise "
        "scale name, and the range of the one that is trusted. They agree if a batch size is in "
        "all their ranges; a measured range counts up to the next sizes tried."
    )
    return Table("recommendations", "Batch sizes to use", note, CELL_HEADERS, rows)


def _budgets(analysis: Analysis) -> Table:
    table = analysis.budgets[analysis.budgets["common"]]
    columns: dict[str, Maker] = {
        "Rule": lambda row: Cell(RULE_WORDS[row["rule"]], RULE_WORDS[row["rule"]]),
        "Budget": lambda row: Cell(amount(row["rule"], row["budget"]), repr(row["budget"])),
        "Batch size": number("batch_size", str, strong="tied"),
        "Updates": number("updates", count),
        "Validation": number("metric", analysis.measure.text),
        "95% interval": interval("metric_low", "metric_high", analysis.measure.span),
        "Seeds": number("seeds", count),
    }
    note = (
        "Each rule with the largest budget that all batch sizes reach; all others are in "
        "budgets.csv. In bold: not told from the best with that budget."
    )
    return table_of("budgets", "Budget rules", note, columns, table)


def _cells(analysis: Analysis) -> Table:
    tuned = analysis.batch_sizes.set_index("batch_size")["learning_rate"]
    cells = analysis.cells.assign(
        tuned=analysis.cells["learning_rate"] == analysis.cells["batch_size"].map(tuned)
    )
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "Learning rate": number("learning_rate", rate, strong="tuned"),
        "Validation": number("validation_metric", analysis.measure.text),
        "Validation loss": number("validation_loss", significant),
        "Seeds ok": share("ok", "planned"),
        "Diverged": number("diverged", count),
        "Failed": number("failed", count),
    }
    note = (
        "Every learning rate at every batch size, explore stage: means over all seeds that were "
        "planned, none where one has no value. In bold: the rate selected."
    )
    return table_of("cells", "Learning rates and batch sizes", note, columns, cells)


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
        "Expected validation metric of the best of so many learning rates drawn from those tried "
        "(Dodge et al. 2019): what less tuning would have found. A rate that lost a seed counts as "
        "the worst of the others; another range of rates gives other numbers."
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
        "Rounds": number("rounds", count),
        "Processor share": flagged("cpu_share", percent, "contended"),
    }
    note = (
        "The timing pass: median and quartiles over its rounds, serial, one BLAS thread; the time "
        "of one network where several are updated at once."
    )
    return table_of("timing", "Timing", note, columns, analysis.timing)


def _shards(analysis: Analysis) -> Table:
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "In shards": number("seconds_in_shards", seconds),
        "Whole": number("seconds_whole", seconds),
        "Cost": number("cost", times),
        "Range of rounds": interval("cost_low", "cost_high", _between),
    }
    note = (
        f"Seconds of an update with the batch in {plural(analysis.plan.shards, 'shard')}, one "
        "after the other on this machine, and with the whole batch in one piece: medians of the "
        "same rounds of the timing pass, and the ratio of the two."
    )
    heading = f"The cost of {plural(analysis.plan.shards, 'shard')}"
    return table_of("shards", heading, note, columns, analysis.shard_costs)


def _between(low: float, high: float) -> str:
    return f"{times(low)} to {times(high)}"


def text_cell(foreign: str) -> Cell:
    """Return the cell of anybody's text; "none" sorts last."""
    shown = visible(foreign, most=200)
    return Cell(shown, "" if shown == MISSING else shown)


def text(column: str) -> Maker:
    """Return what makes cells of a column of texts."""
    return lambda row: text_cell(row[column])


def number(column: Hashable, written: Written, *, strong: str | bool = False) -> Maker:
    """Return what makes cells of a column of numbers.

    `strong` says whether they stand out, or is the column that does.
    """

    def make(row: Row) -> Cell:
        stands_out = row[strong] if isinstance(strong, str) else strong
        return number_cell(row[column], written, strong=bool(stands_out))

    return make


def interval(low: str, high: str, written: Callable[[float, float], str]) -> Maker:
    """Return what makes cells of the two columns of bounds."""
    return lambda row: number_cell(row[low], lambda bound: written(bound, row[high]))


def share(column: str, total: str) -> Maker:
    """Return what makes cells of a count and its column of totals."""
    return lambda row: Cell(f"{row[column]} of {row[total]}", str(row[column]))


def flagged(column: str, written: Written, flag: str, mark: str = "") -> Maker:
    """Return what makes cells of numbers with a mark, or its name, where a flag is set."""

    def make(row: Row) -> Cell:
        cell = number_cell(row[column], written)
        return Cell(f"{cell.text} ({mark or flag})", cell.key) if row[flag] else cell

    return make


def number_cell(value: float, written: Written, *, strong: bool = False) -> Cell:
    """Return the cell of a number; of a missing one "none", which sorts last."""
    if pd.isna(value):
        return Cell(MISSING, "")
    return Cell(written(value), repr(float(value)), strong)


def table_of(
    name: str, heading: str, note: str, columns: Mapping[str, Maker], frame: pd.DataFrame
) -> Table:
    """Return a table of the page with a row for each of a frame's."""
    rows = tuple(tuple(make(row) for make in columns.values()) for row in frame.to_dict("records"))
    return Table(name, heading, note, tuple(columns), rows)
