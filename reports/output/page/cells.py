"""Cells of the tables of a page, and what makes them of the columns of a frame."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from reports.charts.base import Row
from reports.schema import MISSING, Measure, rate, seconds, visible
from reports.text.instruction import span

LINE = 30  # characters of a cell from which on it is broken into lines


@dataclass(frozen=True)
class Cell:
    """A cell of a table."""

    text: str
    key: str  # rows are sorted by it: a number, or text; empty for what isn't there
    strong: bool = False


Maker = Callable[[Row], Cell]  # makes the cell of one column

Written = Callable[[Any], str]  # writes a number


@dataclass(frozen=True)
class Table:
    """A sortable table; the first cell of each row is its header."""

    name: str  # its identifier in the page
    heading: str
    note: str  # how to read it
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    read: tuple[str, ...] = ()  # headers of what figures say of a row's batch size, if any

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


def text_cell(foreign: str) -> Cell:
    """Return the cell of anybody's text; "none" sorts last."""
    shown = visible(foreign, most=200)
    return Cell(shown, "" if shown == MISSING else shown)


def text(column: str) -> Maker:
    """Return what makes cells of a column of texts."""
    return lambda row: text_cell(row[column])


def number(column: Hashable, written: Written, *, strong: str | bool = False) -> Maker:
    """Return what makes cells of a column of numbers; `strong` may be a column that says which."""

    def make(row: Row) -> Cell:
        stands_out = row[strong] if isinstance(strong, str) else strong
        return number_cell(row[column], written, strong=bool(stands_out))

    return make


def interval(low: str, high: str, written: Callable[[float, float], str]) -> Maker:
    """Return what makes cells of the two columns of bounds."""
    return lambda row: number_cell(row[low], lambda bound: written(bound, row[high]))


def share(column: str, total: str) -> Maker:
    """Return what makes cells of a count and its column of totals."""
    return lambda row: Cell(f"{row[column]}/{row[total]}", str(row[column]))


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


def without_empty(table: Table) -> Table:
    """Return a table without the columns in which nothing stands."""
    said = [
        any(cell.text not in {"", MISSING} for cell in cells)
        for cells in zip(*table.rows, strict=True)
    ]
    kept = [number for number, says in enumerate(said) if says]
    return replace(
        table,
        headers=tuple(table.headers[number] for number in kept),
        rows=tuple(tuple(row[number] for number in kept) for row in table.rows),
        read=tuple(header for header in table.read if header in {table.headers[n] for n in kept}),
    )


def table_of(
    name: str, heading: str, note: str, columns: Mapping[str, Maker], frame: pd.DataFrame
) -> Table:
    """Return a table of the page with a row for each of a frame's."""
    rows = tuple(tuple(make(row) for make in columns.values()) for row in frame.to_dict("records"))
    return Table(name, heading, note, tuple(columns), rows)


SUMMARY_NOTE = (
    "Batch size to use: the fastest that is shown to be near-optimal. Mean and interval are "
    "those of the best batch size, over its seeds."
)


def summary_columns(measure_of: Callable[[Row], Measure]) -> dict[str, Maker]:
    """Return the columns of a study's summary, whose rows' metrics needn't be of one kind."""

    def mean(row: Row) -> Cell:
        written = measure_of(row).text
        return number_cell(row["metric"], lambda value: f"{written(value)} ({row['part']})")

    return {
        "Batch size to use": number("recommended", "{:.0f}".format, strong=True),
        "Learning rate": number("recommended_rate", rate),
        "Shown near-optimal": interval("low", "high", span),
        "Time to train": number("seconds_to_train", seconds),
        "Fastest to a target": number("to_target", "{:.0f}".format),
        "At rate": number("to_target_rate", rate),
        "Best batch size": number("best", "{:.0f}".format),
        "Its learning rate": number("learning_rate", rate),
        "Mean": mean,
        "95% interval": lambda row: interval("metric_low", "metric_high", measure_of(row).span)(
            row
        ),
        "Trials ok": share("ok", "trials"),
    }
