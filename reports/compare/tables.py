"""The tables of a comparison's page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from reports.compare.matches import MATCH_COLUMNS, STUDY_COLUMNS, UNMATCHED_COLUMNS, Matches
from reports.compare.variations import VALUE_COLUMNS
from reports.output.page.tables import Cell, Table
from reports.schema.formats import MISSING, count, rate, seconds, significant, visible
from reports.schema.measures import Measure
from reports.schema.results import Column

COLUMNS: dict[str, tuple[Column, ...]] = {
    "studies": STUDY_COLUMNS,
    "matched": MATCH_COLUMNS,
    "unmatched": UNMATCHED_COLUMNS,
    "specification": VALUE_COLUMNS,
    "provenance": VALUE_COLUMNS,
}
"""The tables beside the page by the name of their file, without the ending; and their columns."""

_WORDS = 60
_Row = Mapping[Any, Any]


def match_frames(matches: Matches) -> dict[str, pd.DataFrame]:
    """Return every table beside the page, by the names of `COLUMNS`, and what columns mean."""
    rows = [
        (table, column.name, column.dtype, column.unit, column.meaning)
        for table, columns in COLUMNS.items()
        for column in columns
    ]
    return {
        "studies": matches.groups,
        "matched": matches.cells,
        "unmatched": matches.unmatched,
        "specification": matches.specification,
        "provenance": matches.provenance,
        "columns": pd.DataFrame(rows, columns=["table", "column", "dtype", "unit", "meaning"]),
    }


def match_tables(matches: Matches) -> list[Table]:
    """Return the tables of the page that have rows."""
    made = (
        _studies(matches),
        _cells(matches),
        _times(matches),
        _unmatched(matches),
        _values(matches, "specification", "What differs between the specifications"),
        _values(matches, "provenance", "What differs between machines and versions"),
    )
    return [table for table in made if table.rows]


def _studies(matches: Matches) -> Table:
    measures = {
        (name, group.plan.group): group.measure
        for name, study in matches.studies.items()
        for group in study.groups
    }
    rows = tuple(
        _study_row(row, measures[row["study"], row["group"]])
        for row in matches.groups.to_dict("records")
    )
    return Table(
        "studies",
        "Studies",
        "Batch size to use: the one that trains fastest among those whose metric can't be told "
        "from the best, in that study. Mean and interval are those of its best batch size.",
        (
            "Study",
            "Group",
            "Dataset",
            "Batch size to use",
            "Time to train",
            "Best batch size",
            "Mean",
            "95% interval",
            "Trials ok",
            "Machine",
        ),
        rows,
    )


def _study_row(row: _Row, measure: Measure) -> tuple[Cell, ...]:
    return (
        _text(row["study"]),
        _text(row["group"]),
        _text(row["dataset"]),
        _number(row["recommended"], "{:.0f}".format, strong=True),
        _number(row["seconds_to_train"], seconds),
        _number(row["best"], "{:.0f}".format),
        _number(row["metric"], _with(f" ({row['part']})", measure.text)),
        _number(row["metric_low"], lambda low: measure.span(low, row["metric_high"])),
        _text(f"{row['ok']} of {row['trials']}"),
        _text(row["machine"]),
    )


def _cells(matches: Matches) -> Table:
    rows = tuple(
        (
            _number(row["batch_size"], str),
            *_place(row),
            _number(row["first_learning_rate"], rate),
            _number(row["learning_rate"], rate),
            _number(row["first_metric"], measure.text),
            _number(row["metric"], measure.text),
            _number(row["difference"], _with(measure.points, measure.signed), row["established"]),
            _number(row["difference_low"], _span(measure, row)),
            _text(_how(row)),
        )
        for row, measure in _measured(matches)
    )
    return Table(
        "matched",
        "Matched cells",
        f"“First” is {visible(matches.first, _WORDS)}; the difference is the other study minus it. "
        "In bold: established by Holm's method over all matched cells. none: can't be compared.",
        (
            "Batch size",
            "Group",
            "Other study",
            "First rate",
            "Its rate",
            "First mean",
            "Its mean",
            "Difference",
            "95% interval",
            "Interval",
        ),
        rows,
    )


def _times(matches: Matches) -> Table:
    rows = tuple(
        (
            _number(row["batch_size"], str),
            *_place(row),
            _number(row["first_seconds_per_update"], seconds),
            _number(row["seconds_per_update"], seconds),
            _number(row["time_ratio"], significant),
            _number(row["first_seconds_to_train"], seconds),
            _number(row["seconds_to_train"], seconds),
        )
        for row in matches.cells.to_dict("records")
    )
    return Table(
        "times",
        "Times of matched cells",
        "Medians of each study's timing pass, on its own machine. Ratio: of the time of an update, "
        "other over first.",
        (
            "Batch size",
            "Group",
            "Other study",
            "First, an update",
            "Its update",
            "Ratio",
            "First, training",
            "Its training",
        ),
        rows,
    )


def _unmatched(matches: Matches) -> Table:
    rows = tuple(
        (
            _text(row["study"]),
            _text(row["group"]),
            _text(row["batch_sizes"]),
            _text(row["against"]),
        )
        for row in matches.unmatched.to_dict("records")
    )
    note = "Batch sizes of groups that have no match in the other study, or not at this batch size."
    return Table(
        "unmatched",
        "Without a counterpart",
        note,
        ("Study", "Group", "Batch sizes", "Missing in"),
        rows,
    )


def _values(matches: Matches, name: str, heading: str) -> Table:
    frame: pd.DataFrame = getattr(matches, name)
    wide = {
        key: dict(zip(rows["study"], rows["value"], strict=True))
        for key, rows in frame.groupby("key", sort=False)
    }
    rows = tuple(
        (_text(str(key)), *(_text(values[study]) for study in matches.studies))
        for key, values in wide.items()
    )
    note = "Only what isn't the same everywhere; none: not given there."
    return Table(name, heading, note, ("Key", *(visible(s, _WORDS) for s in matches.studies)), rows)


def _measured(matches: Matches) -> list[tuple[_Row, Measure]]:
    measures = {(p.study, p.first.plan.group): p.other.measure for p in matches.pairs}
    return [(row, measures[row["study"], row["group"]]) for row in matches.cells.to_dict("records")]


def _place(row: _Row) -> tuple[Cell, Cell]:
    return _text(row["group"]), _text(row["study"])


def _with(unit: str, written: Callable[[float], str]) -> Callable[[float], str]:
    return lambda value: f"{written(value)}{unit}"


def _span(measure: Measure, row: _Row) -> Callable[[float], str]:
    return lambda low: f"{measure.signed(low)} to {measure.signed(row['difference_high'])}"


def _how(row: _Row) -> str:
    return f"{row['method']}, {count(row['seeds'])} seeds" if row["method"] else MISSING


def _text(text: str) -> Cell:
    shown = visible(text, most=200)
    return Cell(shown, "" if shown == MISSING else shown)


def _number(value: float, written: Callable[[float], str], strong: object = False) -> Cell:
    if pd.isna(value):
        return Cell(MISSING, "")
    return Cell(written(value), repr(float(value)), bool(strong))
