"""The tables beside the page, as CSV that spreadsheets can't be tricked with."""

from __future__ import annotations

import pandas as pd

from reports.analysis import BATCH_SIZE_COLUMNS, MEAN_CURVE_COLUMNS, Analysis
from reports.formats import visible
from reports.results import CURVE_COLUMNS, TIMING_COLUMNS, TRIAL_COLUMNS, Column
from reports.selection import CELL_COLUMNS
from reports.timing import TIMING_SUMMARY_COLUMNS

COLUMNS: dict[str, tuple[Column, ...]] = {
    "trials": TRIAL_COLUMNS,
    "cells": CELL_COLUMNS,
    "batch-sizes": BATCH_SIZE_COLUMNS,
    "curves": CURVE_COLUMNS,
    "mean-curves": MEAN_CURVE_COLUMNS,
    "timing": TIMING_COLUMNS,
    "timing-summary": TIMING_SUMMARY_COLUMNS,
}
"""The tables by the name of their file, without the ending; and their columns."""

MOST_TEXT = 2_000
"""Characters of a text cell; longer ones are cut."""

_FORMULA_STARTS = ("=", "+", "-", "@")


def tables(analysis: Analysis) -> dict[str, pd.DataFrame]:
    """Return every table of a report, by the names of `COLUMNS`, and what their columns mean.

    Args:
        analysis: The numbers.
    """
    results = analysis.results
    return {
        "trials": results.trials,
        "cells": analysis.cells,
        "batch-sizes": analysis.batch_sizes,
        "curves": results.curves,
        "mean-curves": analysis.mean_curves,
        "timing": results.timing,
        "timing-summary": analysis.timing,
        "columns": column_meanings(),
    }


def column_meanings() -> pd.DataFrame:
    """Return one row for each column of each table: table, column, dtype, unit, meaning."""
    rows = [
        (table, column.name, column.dtype, column.unit, column.meaning)
        for table, columns in COLUMNS.items()
        for column in columns
    ]
    return pd.DataFrame(rows, columns=["table", "column", "dtype", "unit", "meaning"])


def to_csv(frame: pd.DataFrame) -> str:
    r"""Return a table as CSV: floats read back exactly, text that can't act as a formula.

    A text cell that a spreadsheet would take for a formula gets an apostrophe in front; control
    characters are escaped, so that every row is one line. A missing value is an empty cell.

    Args:
        frame: Any table.

    Example:
        >>> to_csv(pd.DataFrame({"error": ["=1+1", "a\nb"], "rate": [0.1, -3.0]}))
        "error,rate\n'=1+1,0.1\na\\x0ab,-3.0\n"
    """
    text = frame.select_dtypes(["str", "object"])
    harmless = frame.assign(**{str(c): text[c].map(_harmless, na_action="ignore") for c in text})
    return str(harmless.to_csv(index=False, lineterminator="\n"))


def _harmless(value: object) -> str:
    text = visible(str(value), MOST_TEXT)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
