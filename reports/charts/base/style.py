"""What all figures share: inks, a palette, marks that differ in more than colour, and axes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, NullLocator

from reports.schema import Measure, count, rate, seconds
from reports.stats import Ends

INK = "#1a1a1a"  # colour of text and axes; a page may replace it
RULE = "#d8d8d8"  # colour of grid lines; a page may replace it
BLUE, ORANGE, GREEN, PINK, GREY = "#0173b2", "#d55e00", "#029e73", "#cc78bc", "#949494"
"""Five of `seaborn.color_palette("colorblind")`: at least 3:1 against white and against #121212.

Each has one meaning: blue is measured, orange fitted, green the recommended batch size, pink one
example at a time, and grey what is there to compare with.
"""
SIZE_ID = "batch-size-"  # how the identifier of a mark of a batch size begins; the size follows
TICK_SIZE, LABEL_SIZE = 8.5, 9.5  # points of the texts of axes
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelsize": LABEL_SIZE,
    **dict.fromkeys(("axes.spines.right", "axes.spines.top"), False),
    **dict.fromkeys(("axes.facecolor", "figure.facecolor"), "none"),
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "svg.hashsalt": "bpsweep",
    "text.parse_math": False,
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), TICK_SIZE),
    **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "text.color"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), INK),
}
SIZES = "Batch size"  # how the label of an axis of batch sizes begins
BATCH_SIZE = f"{SIZES} (examples per update)"  # label of the axis nearly all figures share
LIGHT = 0.18  # luminance above which black ink is easier to read than white
DASHES: tuple[Dashes, ...] = ((None, None), (4, 1.5), (1, 1), (5, 1, 1, 1), (8, 2))
SIDE = 42.0  # points at either side of axes where a name in the middle would reach out of them
_TEXT = 0.36  # share of the axes that the name of a band takes
NAME_WIDTH, LINE = 22, 11.0  # characters of a line of a name, and points of its height
NAMED = 1.4  # inches right of axes whose lines are named

Dashes = tuple[float | None, ...]
Look = tuple[str, str, Dashes]  # colour, marker and dashes
LOOKS: tuple[Look, ...] = tuple(
    zip((BLUE, ORANGE, GREEN, PINK, GREY), "osD^v", DASHES, strict=True)
)


def ordered_colors(number: int, margin: float = 0.2) -> list[tuple[float, ...]]:
    """Return that many colours of an ordered scale, for small to large batch sizes."""
    scale = colormaps["viridis"]
    return [tuple(scale(share)[:3]) for share in np.linspace(margin, 1 - margin, number)]


def ink_on(color: Sequence[float]) -> str:
    """Return the ink for text on a colour: black or white, with a contrast of 4.5 or more."""
    return "#000000" if luminance(color) > LIGHT else "#ffffff"


def luminance(color: Sequence[float]) -> float:
    """Return the relative luminance of red, green and blue, each from 0 to 1 (WCAG 2)."""
    red, green, blue = (
        x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4  # noqa: PLR2004
        for x in color[:3]
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def batch_size_axis(ax: Axes, batch_sizes: Sequence[int] | pd.Series[int]) -> Axes:
    """Make x the batch size, on a scale of doublings with ticks at the real sizes."""
    real = sorted(set(batch_sizes))
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator(real))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda size, _: f"{size:.0f}"))
    ax.set_xlabel(BATCH_SIZE)
    return ax


def metric_axis(ax: Axes, label: str, measure: Measure) -> Axes:
    """Make y a metric."""
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: measure.tick(value)))
    ax.set_ylabel(f"{label} (lower is better)" if measure.lower_is_better else label)
    keep_within(ax, *measure.shown)
    return ax


def difference_axis(ax: Axes, label: str, measure: Measure) -> Axes:
    """Make y the difference of two metrics, with a line at none."""
    ax.axhline(0, color=INK, lw=1, ls=":")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: measure.signed(value)))
    ax.set_ylabel(label)
    return ax


def keep_within(ax: Axes, low: float, high: float) -> None:
    """End the y axis where values cease to mean something: one that blew up would hide others."""
    bottom, top = ax.get_ylim()
    if (bottom < low < top or bottom < high < top) and bottom < high and low < top:
        ax.set_ylim(max(bottom, low), min(top, high))


def log_axis(ax: Axes, label: str, written: Callable[[float], str]) -> None:
    """Make the y axis a logarithmic one of durations or counts."""
    ax.set_yscale("log", base=10)
    log_ticks(ax.yaxis, written)
    ax.set_ylabel(label)


def seconds_tick(duration: float) -> str:
    """Return a duration as an axis shows it."""
    return seconds(duration, digits=1)


def count_tick(number: float) -> str:
    """Return a count as an axis shows it."""
    return count(number) if number >= 1 else rate(number)


class Marks(Line2D):
    """Points of batch sizes, each with a text that is read at it."""

    def __init__(self, rows: pd.DataFrame, x: str, y: str, **look: Any) -> None:  # noqa: ANN401
        super().__init__(rows[x], rows[y], **{"ls": ""} | look)
        self.readings = [str(text) for text in rows["reading"]]
        self.sizes = [int(size) for size in rows["batch_size"]]


def add_marks(ax: Axes, rows: pd.DataFrame, x: str, y: str, **look: Any) -> None:  # noqa: ANN401
    """Draw points, each with its column `reading`."""
    ax.add_line(Marks(rows, x, y, **look))
    ax.autoscale_view()


def _pieces(table: pd.DataFrame, *, apart: bool) -> list[tuple[pd.DataFrame, str | None]]:
    """The table or, with `apart`, the rows of each batch size, with the identifier they have."""
    if not apart:
        return [(table, None)] if len(table) else []
    return [(rows, f"{SIZE_ID}{size}") for size, rows in table.groupby("batch_size")]


def interval_bars(
    ax: Axes,
    table: pd.DataFrame,
    low: str,
    high: str,
    *,
    x: str = "batch_size",
    apart: bool = False,
    **look: Any,  # noqa: ANN401
) -> None:
    """Draw a bar from one column to another at each batch size that has both."""
    looks: dict[str, Any] = {"color": BLUE, "lw": 1.4} | look
    known = table.dropna(subset=[low, high]).assign(cut=math.nan)
    for rows, gid in _pieces(known, apart=apart):
        ends = rows[[low, high, "cut"]].to_numpy(np.float64).ravel()
        ax.plot(rows[x].repeat(3), ends, gid=gid, **looks)


def fixed_ticks(axis: Axis, places: Sequence[float] | np.ndarray, texts: Iterable[str]) -> None:
    """Put ticks with these texts at these places of an axis."""
    axis.set_major_locator(FixedLocator([*places]))
    axis.set_major_formatter(FixedFormatter([*texts]))


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


def points(
    ax: Axes,
    table: pd.DataFrame,
    y: str,
    filled: str = "",
    *,
    x: str = "batch_size",
    apart: bool = False,
    **look: Any,  # noqa: ANN401
) -> None:
    """Draw a mark for each row, with its column `reading`; hollow where `filled` is false."""
    looks: dict[str, Any] = {"color": BLUE, "marker": "o", "ms": 6.5, "mew": 1.5, "zorder": 3}
    known = table.dropna(subset=[x, y])
    hollow = ~known[filled].astype(bool) if filled else pd.Series(data=False, index=known.index)
    for part, fill in ((known[~hollow], {}), (known[hollow], {"mfc": "none"})):
        for rows, gid in _pieces(part, apart=apart):
            add_marks(ax, rows, x, y, gid=gid, **looks | fill | look)


def recommend(ax: Axes, size: int | None, at: float | None = None, *, width: float = 1.2) -> None:
    """Mark the batch size to use by a thin line where it is on x, named above the axes."""
    if size is None:
        return
    where = size if at is None else at
    if width:
        ax.axvline(where, color=GREEN, lw=width, zorder=1.5, gid=f"{SIZE_ID}{size}")
    share, edge = _share(ax, where), SIDE / (ax.bbox.width * 72 / ax.figure.dpi)
    side = "left" if share < edge else "right" if share > 1 - edge else "center"
    ax.text(
        where, 1.015, f"recommended: {size}", ha=side, size=8.5,
        transform=ax.get_xaxis_transform(), gid=f"{SIZE_ID}{size}",
    )  # fmt: skip


def band(ax: Axes, at: float, interval: Ends | None, text: str) -> None:
    """Mark a fitted batch size with its interval, named within the axes."""
    if interval is not None and interval.low > 0 and math.isfinite(interval.high):
        ax.axvspan(interval.low, interval.high, color=ORANGE, alpha=0.15, lw=0)
    ax.axvline(at, color=ORANGE, lw=1.2, ls="-.", zorder=1.5)
    right = _share(ax, at) > _TEXT
    note = ax.annotate(
        text, (at, 1), (-4 if right else 4, -3), xycoords=ax.get_xaxis_transform(),
        textcoords="offset points", size=8, va="top", ha="right" if right else "left",
    )  # fmt: skip
    note.set_in_layout(False)  # it has its place within the axes


def _share(ax: Axes, x: float) -> float:
    """Where a value is on the x axis, from 0 to 1."""
    ax.autoscale_view()
    return float(ax.transAxes.inverted().transform(ax.transData.transform((x, 1)))[0])


def name_ends(ax: Axes, names: Sequence[tuple[str, float, float]], ids: Sequence[str] = ()) -> None:
    """Write the name of each line right of its last point (x, y), in the scales that are set."""
    if not names:
        return
    ax.autoscale_view()
    texts = [textwrap.fill(text, NAME_WIDTH) for text, _, _ in names]
    scale = 72 / ax.figure.dpi
    places = ax.transData.transform([(x, y) for _, x, y in names])[:, 1] * scale
    lines = np.array([text.count("\n") + 1 for text in texts])
    moved = spread(places, LINE * lines)
    for number, (text, (_, x, y)) in enumerate(zip(texts, names, strict=True)):
        ax.annotate(
            text, (x, y), (6, moved[number] - places[number]), textcoords="offset points",
            va="center", size=8.5, gid=ids[number] if ids else None,
        )  # fmt: skip


def spread(places: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Return the places moved apart as little as needed, each with a height of its own."""
    order = np.argsort(places, kind="stable")
    below = np.cumsum(heights[order]) - heights[order] / 2
    free = places[order] - below
    # The middle of the least sequence that rises above it and the greatest that stays below it.
    rising = np.maximum.accumulate(free), np.minimum.accumulate(free[::-1])[::-1]
    moved = np.empty(len(places))
    moved[order] = np.mean(rising, axis=0) + below
    return moved


def lines_by(
    ax: Axes, table: pd.DataFrame, column: str, by: str, looks: Sequence[Look] = LOOKS
) -> None:
    """Draw a line against batch size for each value of the column `by`, with a look of its own."""
    import seaborn as sns  # noqa: PLC0415 - it takes half a second, and most pages do without

    names: list[tuple[str, float, float]] = []
    colors: dict[str, str] = {}
    strokes: dict[str, Any] = {}
    for (key, rows), (color, marker, dashes) in zip(
        table.groupby(by, sort=False), looks, strict=False
    ):
        name = str(key)
        colors[name], strokes[name] = color, dashes if dashes[0] else ""
        names.append((name, *rows[["batch_size", column]].iloc[-1]))
        points(ax, rows, column, color=color, marker=marker, ms=5)
    sns.lineplot(
        table, x="batch_size", y=column, hue=by, style=by, palette=colors, dashes=strokes,
        estimator=None, legend=False, lw=1.6, ax=ax,
    )  # fmt: skip
    name_ends(ax, names)
