"""What all figures share: inks, a palette, marks that differ in more than colour, and axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from reports.schema import Measure, count, rate, seconds

INK = "#1a1a1a"
"""Colour of text and axes; a page may replace it."""
RULE = "#d8d8d8"
"""Colour of grid lines; a page may replace it."""
BLUE, ORANGE, GREEN, PINK, GREY = "#0173b2", "#d55e00", "#029e73", "#cc78bc", "#949494"
"""Of seaborn's colorblind palette: at least 3:1 against white and against #121212."""
STYLE = {
    **sns.axes_style("ticks"),
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelsize": 9.5,
    **dict.fromkeys(("axes.spines.right", "axes.spines.top"), False),
    **dict.fromkeys(("axes.facecolor", "figure.facecolor"), "none"),
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "bpsweep",
    "text.parse_math": False,
    **dict.fromkeys(("legend.fontsize", "xtick.labelsize", "ytick.labelsize"), 8.5),
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "text.color"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), INK),
}
"""matplotlib settings the figures are made for."""
BATCH_SIZE = "Batch size (examples per update)"
"""Label of the axis nearly all figures share."""
METRICS, DIFFERENCES = (-1.0, 2.0), (-2.0, 2.0)
"""Ends of an axis of metrics, and of their differences, at the latest: what lies beyond has failed,
and by how much says nothing."""
LIGHT = 0.18  # luminance above which black ink is easier to read than white

Look = tuple[str, str, tuple[float | None, ...]]  # colour, marker and dashes
LOOKS: tuple[Look, ...] = (
    (BLUE, "o", (None, None)),
    (ORANGE, "s", (4, 1.5)),
    (GREEN, "D", (1, 1)),
    (PINK, "^", (5, 1, 1, 1)),
    (GREY, "v", (8, 2)),
)
"""Of things to tell apart, none by its colour alone."""


def ordered_colors(number: int, margin: float = 0.2) -> list[tuple[float, ...]]:
    """Return that many colours of an ordered scale, for small to large batch sizes."""
    scale = sns.color_palette("viridis", as_cmap=True)
    return [tuple(scale(share)[:3]) for share in np.linspace(margin, 1 - margin, number)]


def ink_on(color: Sequence[float]) -> str:
    """Return the ink for text on a colour: black or white, with a contrast of 4.5 or more."""
    return "#000000" if sns.utils.relative_luminance(color) > LIGHT else "#ffffff"


def batch_size_axis(ax: Axes, batch_sizes: Sequence[int] | pd.Series[int]) -> Axes:
    """Make x the batch size, on a scale of doublings with ticks at the real sizes."""
    real = sorted(set(batch_sizes))
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator(real))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:.0f}"))
    ax.set_xlabel(BATCH_SIZE)
    ax.fmt_xdata = lambda size: f"batch size {size:.0f}"
    return ax


def metric_axis(ax: Axes, label: str, measure: Measure) -> Axes:
    """Make y a metric."""
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: measure.tick(value)))
    ax.set_ylabel(label)
    ax.fmt_ydata = measure.text
    keep_within(ax, *METRICS)
    return ax


def difference_axis(ax: Axes, label: str, measure: Measure) -> Axes:
    """Make y the difference of two metrics, with a line at none."""
    ax.axhline(0, color=INK, lw=1, ls=":")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: measure.signed(value)))
    ax.set_ylabel(label)
    ax.fmt_ydata = lambda value: f"{measure.signed(value)}{measure.points}"
    keep_within(ax, *DIFFERENCES)
    return ax


def keep_within(ax: Axes, low: float, high: float) -> None:
    """End the y axis where values cease to mean something: one that blew up would hide others."""
    bottom, top = ax.get_ylim()
    if (bottom < low < top or bottom < high < top) and bottom < high and low < top:
        ax.set_ylim(max(bottom, low), min(top, high))


def seconds_axis(ax: Axes, label: str) -> Axes:
    """Make the y axis one of durations."""
    ax.set_yscale("log", base=10)
    seconds_ticks(ax.yaxis)
    ax.set_ylabel(label)
    ax.fmt_ydata = seconds
    return ax


def seconds_ticks(axis: Axis) -> None:
    """Write durations at an axis with a logarithmic scale."""
    log_ticks(axis, lambda duration: seconds(duration, digits=1))


def interval_bars(
    ax: Axes,
    table: pd.DataFrame,
    low: str,
    middle: str,
    high: str,
    **look: Any,  # noqa: ANN401
) -> None:
    """Draw a bar from one column to another at each batch size that has both."""
    known = table.dropna(subset=[low, high])
    if not known.empty:
        ends = [known[middle] - known[low], known[high] - known[middle]]
        ax.errorbar(known["batch_size"], known[middle], ends, fmt="none", **look)


def counts_axis(ax: Axes, label: str, unit: str) -> Axes:
    """Make the y axis one of counts."""
    ax.set_yscale("log", base=10)
    counts_ticks(ax.yaxis)
    ax.set_ylabel(label)
    ax.fmt_ydata = lambda number: f"{count(number)} {unit}"
    return ax


def counts_ticks(axis: Axis) -> None:
    """Write counts at an axis with a logarithmic scale."""
    log_ticks(axis, lambda number: count(number) if number >= 1 else rate(number))


def log_ticks(axis: Axis, written: Callable[[float], str]) -> None:
    """Put ticks at 1, 2 and 5 of each power of ten of an axis with a logarithmic scale."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: written(value)))


def labels_above(
    ax: Axes, texts: Iterable[str], across: pd.Series[Any], up: pd.Series[Any]
) -> None:
    """Write texts above points."""
    for text, x, y in zip(texts, across, up, strict=True):
        ax.annotate(text, (x, y), (0, 7), textcoords="offset points", ha="center", size=8)


def split_points(
    ax: Axes,
    table: pd.DataFrame,
    column: str,
    by: str,
    labels: Mapping[bool, str],
    **look: Any,  # noqa: ANN401
) -> None:
    """Draw points against batch size, filled for the first value of `by`, hollow for the second."""
    marks: dict[str, Any] = {"color": BLUE, "marker": "o", "ls": "", "mew": 1.5} | look
    for (value, label), fill in zip(labels.items(), (marks["color"], "none"), strict=True):
        rows = table[table[by] == value]
        if not rows.empty:
            ax.plot(rows["batch_size"], rows[column], mfc=fill, label=label, **marks)


def lines_by(
    ax: Axes, table: pd.DataFrame, column: str, by: str, looks: Sequence[Look] = LOOKS
) -> None:
    """Draw a line against batch size for each value of the column `by`, with a look of its own."""
    for (name, rows), (color, marker, dashes) in zip(
        table.groupby(by, sort=False), looks, strict=False
    ):
        ax.plot(
            rows["batch_size"], rows[column], color=color, marker=marker, dashes=dashes, lw=1.6,
            ms=5, label=str(name),
        )  # fmt: skip
    ax.legend(loc="best", handlelength=3.2)
