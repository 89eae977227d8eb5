"""What tests of charts share: axes, the numbers of the study as shipped, marks as pairs."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.charts.base import Chart
from reports.charts.base.style import STYLE, Marks


@pytest.fixture
def ax() -> Axes:
    """Axes of a figure that pyplot knows nothing of."""
    with mpl.rc_context(STYLE):
        return Figure().add_subplot()


def made(chart: Chart | None) -> Chart:
    """Return a chart that must be there."""
    assert chart is not None
    return chart


def points_of(lines: Sequence[Line2D]) -> set[tuple[float, float]]:
    """Return the points of these lines."""
    return {
        (float(x), float(y))
        for line in lines
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
        if not np.isnan(y)
    }


def pairs_of(table: pd.DataFrame, x: str, y: str) -> set[tuple[float, float]]:
    return {(float(a), float(b)) for a, b in zip(table[x], table[y], strict=True)}


def tick_labels(ax: Axes) -> list[str]:
    ax.figure.draw_without_rendering()
    return [label.get_text() for label in ax.get_xticklabels()]


def readable(ax: Axes) -> list[Marks]:
    """Return the marks of batch sizes: those with a text that is read at them."""
    return [line for line in ax.lines if isinstance(line, Marks)]


def readings(ax: Axes, size: int) -> list[str]:
    """Return what is read at the marks of a batch size."""
    pairs = [pair for line in readable(ax) for pair in zip(line.sizes, line.readings, strict=True)]
    return [text for each, text in pairs if each == size]


def bars_of(ax: Axes) -> list[tuple[float, float]]:
    """Return the ends of the bars of intervals."""
    heights = [np.asarray(line.get_ydata(), np.float64) for line in ax.lines]
    cut = [ends.reshape(-1, 3) for ends in heights if np.isnan(ends[-1:]).any()]
    return [(float(low), float(high)) for ends in cut for low, high, _ in ends]


def notes(ax: Axes) -> list[str]:
    """Return the texts in axes, lines joined."""
    return [text.get_text().replace("\n", " ") for text in ax.texts]


def line_of(ax: Axes, size: int) -> list[tuple[float, ...]]:
    """Return the points of the first line of a batch size."""
    line = next(line for line in readable(ax) if size in line.sizes)
    return [tuple(point) for point in np.asarray(line.get_xydata()).tolist()]
