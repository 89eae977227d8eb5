"""A figure of the report, before it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
from matplotlib.axes import Axes

from reports.recommend.record import Analysis


@dataclass(frozen=True)
class Words:
    """What is said of a figure.

    Attributes:
        finding: What it shows, computed; its title.
        caption: Statistic, number of seeds, method and rules.
        description: The values in words, for those who can't see it.
    """

    finding: str
    caption: str
    description: str


@dataclass(frozen=True)
class Chart:
    """A figure of the report, ready to be drawn.

    Attributes:
        name: Its file's name, without the ending.
        heading: What is drawn.
        tell: Computes what is said of it: of many groups, few figures are ever shown.
        draw: Draws it.
        height: Inches, at a width of `reports.charts.base.svg.WIDTH`.
        right: Inches kept free right of the axes.
        switch: Name shared by figures of which a page may show one at a time; "" for none.
        option: What tells it from those: to be read after "Against".
    """

    name: str
    heading: str
    tell: Callable[[], Words]
    draw: Callable[[Axes], Axes]
    height: float = 3.2
    right: float = 0.12
    switch: str = ""
    option: str = ""

    @cached_property
    def words(self) -> Words:
        """What is said of it."""
        return self.tell()

    @property
    def finding(self) -> str:
        """What it shows; its title."""
        return self.words.finding

    @property
    def caption(self) -> str:
        """Statistic, number of seeds, method and rules."""
        return self.words.caption

    @property
    def description(self) -> str:
        """The values in words."""
        return self.words.description


def values(table: pd.DataFrame, column: str, written: Callable[[float], str]) -> str:
    """Return a value for each batch size, in words.

    Args:
        table: Has a column batch_size.
        column: The column of the values.
        written: How one is written.
    """
    pairs = zip(table["batch_size"], table[column], strict=True)
    return "; ".join(f"batch size {size}: {written(value)}" for size, value in pairs)


def sentences(*texts: str) -> str:
    """Return the texts that say something, one after the other."""
    return " ".join(text for text in texts if text)


def validation(analysis: Analysis) -> str:
    """Return what the metric is called on the validation part."""
    return f"validation {analysis.measure.name}"
