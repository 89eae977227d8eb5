"""A chart of the report: what is drawn, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from reports.recommend import Analysis

Row = Mapping[Any, Any]  # one row of a table


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart of the report; drawing it is left to those who show it."""

    name: str  # of its file, without the ending
    heading: str  # what is drawn
    finding: str  # what it shows, computed; its title
    caption: str  # statistic, number of seeds, method and rules
    description: str  # the values in words, for those who can't see it
    table: pd.DataFrame
    figure: Callable[[Axes, pd.DataFrame], Axes]  # draws the table
    height: float = 3.2  # inches
    right: float = 0.12  # inches kept free right of the axes

    def draw(self, ax: Axes) -> Axes:
        """Draw it on axes, and return them."""
        return self.figure(ax, self.table)


def in_words(table: pd.DataFrame, text: str, /, **written: Callable[[Any], str]) -> str:
    """Return a text with columns in braces, filled in for each row; `written` by column."""
    rows = table.to_dict("records")
    values = [row | {name: write(row[name]) for name, write in written.items()} for row in rows]
    return "; ".join(text.format_map(row) for row in values)


def values(table: pd.DataFrame, column: str, written: Callable[[Any], str], by: str = "") -> str:
    """Return a value for each batch size, or each of those of the groups in `by`, in words."""
    where = f"{{{by}}}, " if by else ""
    return in_words(table, f"{where}batch size {{batch_size}}: {{{column}}}", **{column: written})


def sentences(*texts: str | bool) -> str:
    """Return the texts that say something, one after the other; False is none."""
    return " ".join(text for text in texts if isinstance(text, str) and text)


def validation(analysis: Analysis) -> str:
    """Return what the metric is called on the validation part."""
    return f"validation {analysis.measure.name}"
