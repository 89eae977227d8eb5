"""A chart of the report: what is drawn, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from reports.recommend.record import Analysis

Row = Mapping[Any, Any]
"""One row of a table."""


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart of the report; drawing it is left to those who show it.

    Attributes:
        name: Its file's name, without the ending.
        heading: What is drawn.
        finding: What it shows, computed; its title.
        caption: Statistic, number of seeds, method and rules.
        description: The values in words, for those who can't see it.
        table: The values that are drawn.
        figure: Draws the table on axes.
        height: Inches, at a width of `reports.charts.base.svg.WIDTH`.
        right: Inches kept free right of the axes.
        switch: Name shared by charts of which a page may show one at a time; "" for none.
        option: What tells it from those: to be read after "Against".
    """

    name: str
    heading: str
    finding: str
    caption: str
    description: str
    table: pd.DataFrame
    figure: Callable[[Axes, pd.DataFrame], Axes]
    height: float = 3.2
    right: float = 0.12
    switch: str = ""
    option: str = ""

    def draw(self, ax: Axes) -> Axes:
        """Draw it on axes, and return these."""
        return self.figure(ax, self.table)


def in_words(table: pd.DataFrame, written: Callable[[Row], str]) -> str:
    """Return what is written of each row, one after the other."""
    return "; ".join(written(row) for row in table.to_dict("records"))


def values(table: pd.DataFrame, column: str, written: Callable[[float], str]) -> str:
    """Return a value for each batch size, in words."""
    return in_words(table, lambda row: f"batch size {row['batch_size']}: {written(row[column])}")


def sentences(*texts: str) -> str:
    """Return the texts that say something, one after the other."""
    return " ".join(text for text in texts if text)


def validation(analysis: Analysis) -> str:
    """Return what the metric is called on the validation part."""
    return f"validation {analysis.measure.name}"
