"""A chart of the report: what is drawn, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from reports.charts.base.style import recommend
from reports.recommend import Analysis
from reports.schema import plural, rate, seconds

Row = Mapping[Any, Any]  # one row of a table


@dataclass(frozen=True)
class Scale:
    """A logarithmic scale of the x axis that a reader can choose."""

    column: str  # of the chart's table; in words, too
    label: str  # of the axis
    written: Callable[[float], str]


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart of the report; drawing it is left to those who show it."""

    name: str  # of its file, without the ending
    heading: str  # what is drawn
    finding: str  # what it shows, computed; its title
    caption: str  # statistic, number of seeds, method and rules
    description: str  # the values in words, for those who can't see it
    table: pd.DataFrame
    figure: Callable[[Axes, pd.DataFrame], None]  # draws the table
    recommended: int | None = None  # batch size to mark on an axis of batch sizes
    height: float = 3.4  # inches
    right: float = 0.12  # inches kept free right of the axes
    scales: Sequence[Scale] = ()  # to choose from; the first is drawn

    def draw(self, ax: Axes) -> Axes:
        """Draw it on axes, and return them."""
        self.figure(ax, self.table)
        recommend(ax, self.recommended)
        return ax


Drawn = Mapping[str, tuple[Chart, str]]  # charts with their SVG elements, by name


def in_words(table: pd.DataFrame, text: str, /, **written: Callable[[Any], str]) -> str:
    """Return a text with columns in braces, filled in for each row; `written` by column."""
    rows = table.to_dict("records")
    values = [row | {name: write(row[name]) for name, write in written.items()} for row in rows]
    return "; ".join(text.format_map(row) for row in values)


def values(table: pd.DataFrame, column: str, written: Callable[[Any], str], by: str = "") -> str:
    """Return a value for each batch size, or each of those of the groups in `by`, in words."""
    where = f"{{{by}}}, " if by else ""
    return in_words(table, f"{where}batch size {{batch_size}}: {{{column}}}", **{column: written})


def with_metric(analysis: Analysis, table: pd.DataFrame, name: str = "") -> pd.DataFrame:
    """Return a table with its mean metric as `with_readings` does, and a name behind it."""

    def value(row: Row) -> str:
        span = interval_text(row, "metric", analysis.measure.span)
        text = f"{analysis.metric} {analysis.measure.text(row['metric'])}{span}"
        return f"{text}, {plural(row['seeds'], 'seed')}{name and f' ({name})'}"

    return with_readings(analysis, table, value)


def with_readings(
    analysis: Analysis, table: pd.DataFrame, value: Callable[[Row], str]
) -> pd.DataFrame:
    """Return a table with a column `reading`: what is read at the marks of its batch sizes."""
    # The rate is the tuned one, unless the row has its own.
    texts = []
    for row in table.to_dict("records"):
        tuned = analysis.row(row["batch_size"])
        step, takes = row.get("learning_rate", tuned["learning_rate"]), tuned["seconds_to_train"]
        with_step = "" if pd.isna(step) else f", learning rate {rate(step)}"
        time = "" if pd.isna(takes) else f", trains in {seconds(takes)}"
        texts.append(f"batch size {row['batch_size']}{with_step}: {value(row)}{time}")
    return table.assign(reading=texts)


def interval_text(row: Row, name: str, span: Callable[[float, float], str]) -> str:
    """Return the 95% interval of a column in brackets; "" if there is none."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return "" if pd.isna(low) or pd.isna(high) else f" (95% CI {span(low, high)})"


def sentences(*texts: str | bool) -> str:
    """Return the texts that say something, one after the other; False is none."""
    return " ".join(text for text in texts if isinstance(text, str) and text)


def validation(analysis: Analysis) -> str:
    """Return what the metric is called on the validation set."""
    name = analysis.measure.name
    return name if analysis.study.finished else f"validation {name}"
