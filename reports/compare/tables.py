"""The tables of a comparison's page."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from reports.compare.matches import MATCH_COLUMNS, STUDY_COLUMNS, UNMATCHED_COLUMNS, Matches
from reports.compare.variations import VALUE_COLUMNS
from reports.output.csv import column_meanings
from reports.output.page.tables import (
    Cell,
    Maker,
    Row,
    Table,
    interval,
    number,
    share,
    table_of,
    text,
    text_cell,
)
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


def match_frames(matches: Matches) -> dict[str, pd.DataFrame]:
    """Return every table beside the page, by the names of `COLUMNS`, and what columns mean."""
    return {
        "studies": matches.groups,
        "matched": matches.cells,
        "unmatched": matches.unmatched,
        "specification": matches.specification,
        "provenance": matches.provenance,
        "columns": column_meanings(COLUMNS),
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

    def mean(row: Row) -> Cell:
        written = measures[row["study"], row["group"]].text
        return number("metric", lambda value: f"{written(value)} ({row['part']})")(row)

    def bounds(row: Row) -> Cell:
        return interval("metric_low", "metric_high", measures[row["study"], row["group"]].span)(row)

    columns: dict[str, Maker] = {
        "Study": text("study"),
        "Group": text("group"),
        "Dataset": text("dataset"),
        "Batch size to use": number("recommended", "{:.0f}".format, strong=True),
        "Time to train": number("seconds_to_train", seconds),
        "Best batch size": number("best", "{:.0f}".format),
        "Mean": mean,
        "95% interval": bounds,
        "Trials ok": share("ok", "trials"),
        "Machine": text("machine"),
    }
    note = (
        "Batch size to use: the one that trains fastest among those whose metric can't be told "
        "from the best, in that study. Mean and interval are those of its best batch size."
    )
    return table_of("studies", "Studies", note, columns, matches.groups)


def _cells(matches: Matches) -> Table:
    note = (
        f"“First” is {visible(matches.first, _WORDS)}; the difference is the other study minus it. "
        "In bold: established by Holm's method over all matched cells. none: can't be compared."
    )
    return table_of("matched", "Matched cells", note, _cell_columns(matches), matches.cells)


def _cell_columns(matches: Matches) -> dict[str, Maker]:
    measures = {(pair.study, pair.first.plan.group): pair.other.measure for pair in matches.pairs}

    def measured(make: Callable[[Measure], Maker]) -> Maker:
        return lambda row: make(measures[row["study"], row["group"]])(row)

    return {
        "Batch size": number("batch_size", str),
        "Group": text("group"),
        "Other study": text("study"),
        "First rate": number("first_learning_rate", rate),
        "Its rate": number("learning_rate", rate),
        "First mean": measured(lambda measure: number("first_metric", measure.text)),
        "Its mean": measured(lambda measure: number("metric", measure.text)),
        "Difference": measured(_difference),
        "95% interval": measured(_bounds),
        "Interval": _method,
    }


def _difference(measure: Measure) -> Maker:
    def written(value: float) -> str:
        return f"{measure.signed(value)}{measure.points}"

    return number("difference", written, strong="established")


def _bounds(measure: Measure) -> Maker:
    def written(low: float, high: float) -> str:
        return f"{measure.signed(low)} to {measure.signed(high)}"

    return interval("difference_low", "difference_high", written)


def _method(row: Row) -> Cell:
    return text_cell(f"{row['method']}, {count(row['seeds'])} seeds" if row["method"] else MISSING)


def _times(matches: Matches) -> Table:
    columns: dict[str, Maker] = {
        "Batch size": number("batch_size", str),
        "Group": text("group"),
        "Other study": text("study"),
        "First, an update": number("first_seconds_per_update", seconds),
        "Its update": number("seconds_per_update", seconds),
        "Ratio": number("time_ratio", significant),
        "First, training": number("first_seconds_to_train", seconds),
        "Its training": number("seconds_to_train", seconds),
    }
    note = (
        "Medians of each study's timing pass, on its own machine. Ratio: of the time of an update, "
        "other over first."
    )
    return table_of("times", "Times of matched cells", note, columns, matches.cells)


def _unmatched(matches: Matches) -> Table:
    columns: dict[str, Maker] = {
        "Study": text("study"),
        "Group": text("group"),
        "Batch sizes": text("batch_sizes"),
        "Missing in": text("against"),
    }
    note = "Batch sizes of groups that have no match in the other study, or not at this batch size."
    return table_of("unmatched", "Without a counterpart", note, columns, matches.unmatched)


def _values(matches: Matches, name: str, heading: str) -> Table:
    frame: pd.DataFrame = getattr(matches, name)
    wide = {
        key: dict(zip(rows["study"], rows["value"], strict=True))
        for key, rows in frame.groupby("key", sort=False)
    }
    rows = tuple(
        tuple(map(text_cell, (str(key), *(values[study] for study in matches.studies))))
        for key, values in wide.items()
    )
    note = "Only what isn't the same everywhere; none: not given there."
    return Table(name, heading, note, ("Key", *(visible(s, _WORDS) for s in matches.studies)), rows)
