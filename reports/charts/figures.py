"""The figures: one function each, tidy table to Axes. Style is the caller's, meaning is here."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, NullLocator

from reports.analysis.update_times import ONE_PIECE, PER_ITEM
from reports.charts.base.style import (
    BATCH_SIZE,
    BLUE,
    GREEN,
    GREY,
    INK,
    LOOKS,
    METRICS,
    ORANGE,
    PINK,
    Look,
    batch_size_axis,
    ink_on,
    metric_axis,
    ordered_colors,
    seconds_axis,
    seconds_ticks,
)
from reports.schema.formats import TIMES, count, rate, seconds, times
from reports.schema.measures import Measure
from reports.stats.two_terms import Curve

ALONG: dict[str, tuple[str, Callable[[float], str]]] = {
    "epochs": ("Epochs (passes over the training part)", lambda number: rate(round(number, 3))),
    "updates": ("Updates", count),
    "seconds": ("Time (updates by the timed seconds of an update)", lambda s: seconds(s, digits=2)),
}
"""What learning curves are drawn against: label of the axis, how its values are written."""

_LINES = {False: "-", True: (0, (3, 1.5))}
_DASHES = ("", (4, 1.5), (1, 1), (5, 1, 1, 1))


def accuracy(
    ax: Axes, table: pd.DataFrame, seeds: pd.DataFrame, *, label: str, measure: Measure
) -> Axes:
    """Draw accuracy against batch size.

    With an interval for every batch size: means with their intervals. Otherwise every seed a dot,
    and the median. Filled markers can't be told from the best.

    Args:
        ax: Where to draw.
        table: Columns `reports.recommend.record.BATCH_SIZE_COLUMNS`; rows with a metric.
        seeds: Columns `reports.recommend.record.SEED_COLUMNS`.
        label: Of the y axis.
        measure: How the metric is written.
    """
    intervals = bool(table["metric_low"].notna().all())
    shown = "metric" if intervals else "metric_median"
    ax.plot(table["batch_size"], table[shown], color=BLUE, lw=1.6, zorder=2)
    if intervals:
        below, above = table["metric"] - table["metric_low"], table["metric_high"] - table["metric"]
        ax.errorbar(
            table["batch_size"], table["metric"], [below, above],
            fmt="none", ecolor=BLUE, elinewidth=1.4, capsize=3, label="95% t interval",
        )  # fmt: skip
    else:
        ax.plot(seeds["batch_size"], seeds["metric"], "o", color=GREY, ms=3.5, label="one seed")
    for tied, fill, name in ((True, BLUE, "not told from the best"), (False, "none", "worse")):
        rows = table[table["tied"] == tied]
        if not rows.empty:
            ax.plot(
                rows["batch_size"], rows[shown], "o", ms=7, mfc=fill, mec=BLUE, mew=1.5, zorder=3,
                label=f"{'mean' if intervals else 'median'}, {name}",
            )  # fmt: skip
    ax.legend(loc="best")
    return metric_axis(batch_size_axis(ax, table["batch_size"]), label, measure)


def groups(
    ax: Axes,
    table: pd.DataFrame,
    *,
    label: str,
    measure: Measure,
    looks: Sequence[Look] = LOOKS,
) -> Axes:
    """Draw the metric of several groups against batch size, each with its own look.

    Args:
        ax: Where to draw.
        table: Columns group, batch_size and metric; at most as many groups as looks.
        label: Of the y axis.
        measure: How the metric is written.
        looks: Of the groups, in the order of the table.
    """
    for (name, rows), (color, marker, dashes) in zip(
        table.groupby("group", sort=False), looks, strict=False
    ):
        ax.plot(
            rows["batch_size"], rows["metric"], color=color, marker=marker, dashes=dashes, lw=1.6,
            ms=5, label=str(name),
        )  # fmt: skip
    ax.legend(loc="best", handlelength=3.2)
    return metric_axis(batch_size_axis(ax, table["batch_size"]), label, measure)


def rate_grid(
    ax: Axes, cells: pd.DataFrame, selected: pd.DataFrame, *, label: str, measure: Measure
) -> Axes:
    """Draw mean validation accuracy on the real cells of learning rate and batch size.

    A cell where a seed has no value is hatched, without a mean. The rate selected for a batch size
    is boxed, with dashes if it is the smallest or largest one tried.

    Args:
        ax: Where to draw.
        cells: Columns `reports.analysis.selection.CELL_COLUMNS`.
        selected: Columns batch_size, learning_rate and at_edge.
        label: Of the colour scale.
        measure: How the metric is written.
    """
    wide = cells.pivot_table(
        index="learning_rate", columns="batch_size", values="validation_metric", dropna=False
    ).sort_index(ascending=False)
    text = wide.map(lambda value: "" if math.isnan(value) else measure.short(value))
    scale = FuncFormatter(lambda value, _: measure.tick(value))
    # One that blew up would leave the others one colour; and where there is none, any scale does.
    means = cells["validation_metric"].dropna()
    usual = means[means >= METRICS[0]]
    low = usual.min() if len(usual) else means.min()
    sns.heatmap(
        wide, ax=ax, cmap=ListedColormap(ordered_colors(64, margin=0.1)), annot=text, fmt="",
        annot_kws={"size": 7.5}, cbar_kws={"label": label, "format": scale, "pad": 0.02},
        vmin=low if len(means) else 0, vmax=means.max() if len(means) else 1, linewidths=0,
    )  # fmt: skip
    ax.grid(visible=False)
    # seaborn's own choice of ink falls to a contrast of 2.3; this one keeps 4.5.
    shades = np.asarray(ax.collections[0].get_facecolor())[wide.notna().to_numpy().ravel()]
    for value, shade in zip(ax.texts, shades, strict=True):
        value.set_color(ink_on(shade))
    columns: list[int] = list(map(int, wide.columns))
    rows: list[float] = list(map(float, wide.index))
    for size, tried in _pairs(cells[~cells["eligible"]]):
        corner = (columns.index(size), rows.index(tried))
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, hatch="////", ec=GREY, lw=0))
    for (size, tried), at_edge in zip(_pairs(selected), selected["at_edge"], strict=True):
        inner = (columns.index(size) + 0.04, rows.index(tried) + 0.04)
        for color, width, line in (("#ffffff", 3.2, "-"), ("#000000", 1.6, _LINES[at_edge])):
            ax.add_patch(Rectangle(inner, 0.92, 0.92, fill=False, ec=color, lw=width, ls=line))
    ax.set_yticks(np.arange(len(rows)) + 0.5, [rate(value) for value in rows], rotation=0)
    ax.set_xticks(np.arange(len(columns)) + 0.5, [str(size) for size in columns], rotation=0)
    ax.tick_params(length=0)
    ax.set(xlabel=BATCH_SIZE, ylabel="Learning rate")
    return ax


def learning_curves(
    ax: Axes, curves: pd.DataFrame, *, along: str = "epochs", label: str, measure: Measure
) -> Axes:
    """Draw the mean validation curve of each batch size at its tuned rate.

    Args:
        ax: Where to draw.
        curves: Columns `reports.recommend.record.MEAN_CURVE_COLUMNS`.
        along: What they are drawn against: a key of `ALONG`.
        label: Of the y axis.
        measure: How the metric is written.
    """
    seen = curves[curves["epochs"] > 0]
    colors = ordered_colors(seen["batch_size"].nunique())
    for place, (size, rows) in enumerate(seen.groupby("batch_size")):
        ax.plot(
            rows[along], rows["validation_metric"], color=colors[place], lw=1.6,
            dashes=_DASHES[place % len(_DASHES)] or (None, None), label=str(size),
        )  # fmt: skip
    name, written = ALONG[along]
    ax.set_xscale("log", base=2 if along == "epochs" else 10)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda amount, _: written(amount)))
    ax.set_xlabel(name)
    ax.fmt_xdata = lambda amount: f"{written(amount)}{'' if along == 'seconds' else f' {along}'}"
    ax.legend(title="Batch size", loc="upper left", bbox_to_anchor=(1, 1.03), handlelength=2.4)
    return metric_axis(ax, label, measure)


def seconds_per_update(
    ax: Axes, timing: pd.DataFrame, line: Curve | None = None, doubling: float | None = None
) -> Axes:
    """Draw seconds per update against batch size for each engine: median and quartiles.

    Args:
        ax: Where to draw.
        timing: Columns `reports.analysis.update_times.TIMING_SUMMARY_COLUMNS`.
        line: Fixed cost and cost of each example, fitted to one network by tensor operations; None
            if they weren't.
        doubling: Batch size at which an update takes twice the fixed cost; None if it isn't known.
    """
    if line is not None:
        sizes = np.geomspace(timing["batch_size"].min(), timing["batch_size"].max(), 80)
        ax.plot(sizes, line.at(sizes), color=INK, lw=1.2, ls=":", label="fitted: alpha + beta B")
    if doubling is not None:
        ax.axvline(doubling, color=GREY, lw=1.2, ls="-.", label="twice the fixed cost")
    for (engine, lanes), rows in timing.groupby(["engine", "lanes"], sort=False):
        name, color, marker, dash = _engine_look(str(engine), int(str(lanes)))
        middle = rows["seconds_per_update"]
        ax.errorbar(
            rows["batch_size"], middle,
            [middle - rows["lower_quartile"], rows["upper_quartile"] - middle],
            color=color, marker=marker, ls=dash, ms=5, lw=1.6, label=name,
        )  # fmt: skip
    ax.legend(loc="upper left")
    return seconds_axis(batch_size_axis(ax, timing["batch_size"]), "Time per update")


def _engine_look(engine: str, lanes: int) -> tuple[str, str, str, str]:
    """Label, colour, marker and line of an engine's times."""
    if engine == PER_ITEM:
        return "one item at a time", ORANGE, "s", "--"
    if engine == ONE_PIECE:
        return "tensor operations, without shards", PINK, "^", "-."
    if lanes > 1:
        return f"tensor operations, each of {lanes} networks", GREEN, "D", ":"
    return "tensor operations", BLUE, "o", "-"


def seconds_to_train(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw the time to train the budget against batch size.

    Args:
        ax: Where to draw.
        table: Columns `reports.recommend.record.BATCH_SIZE_COLUMNS`; rows with a time.
    """
    ax.plot(table["batch_size"], table["seconds_to_train"], color=BLUE, lw=1.6, marker="o")
    return seconds_axis(batch_size_axis(ax, table["batch_size"]), "Time to train the budget")


def tensor_speedup(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw how many times faster tensor operations are, with the range over the timing rounds.

    Args:
        ax: Where to draw.
        table: Columns `reports.analysis.update_times.SPEEDUP_COLUMNS`.
    """
    ratio = table["speedup"]
    # The ratio of medians needn't lie within the ratios of the rounds.
    below = (ratio - table["speedup_low"]).clip(lower=0)
    above = (table["speedup_high"] - ratio).clip(lower=0)
    ax.errorbar(
        table["batch_size"], ratio, [below, above], color=BLUE, marker="o", lw=1.6, capsize=3
    )
    ax.axhline(1, color=INK, lw=1, ls=":")
    ax.annotate(
        "as fast as single items", (1, 1), (0, 3), xycoords=("axes fraction", "data"),
        textcoords="offset points", ha="right", va="bottom", size=8,
    )  # fmt: skip
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{rate(value)}{TIMES}"))
    ax.set_ylabel("Tensor operations over single items")
    ax.fmt_ydata = times
    return batch_size_axis(ax, table["batch_size"])


def accuracy_and_time(ax: Axes, table: pd.DataFrame, *, label: str, measure: Measure) -> Axes:
    """Draw accuracy against the time to train; the Pareto set is ringed.

    Args:
        ax: Where to draw.
        table: Columns `reports.recommend.record.BATCH_SIZE_COLUMNS`; rows with metric and time.
        label: Of the y axis.
        measure: How the metric is written.
    """
    colors = dict(zip(table["batch_size"], ordered_colors(len(table)), strict=True))
    sns.scatterplot(
        table, x="seconds_to_train", y="metric", hue="batch_size", palette=colors, ax=ax, s=45,
        legend=False, edgecolor="none", zorder=3,
    )  # fmt: skip
    ringed = table[table["pareto"]]
    ax.plot(
        ringed["seconds_to_train"], ringed["metric"], "o", ms=12, mfc="none", mec=ORANGE, mew=1.6,
        label=f"none both faster and {measure.better}",
    )  # fmt: skip
    for size, place, away in _labels(table):
        ax.annotate(
            size, place, tuple(13 * away),
            textcoords="offset points", ha="center", va="center", size=8,
        )  # fmt: skip
    ax.set_xscale("log", base=10)
    ax.margins(y=0.15)
    seconds_ticks(ax.xaxis)
    ax.set_xlabel("Time to train the budget")
    ax.legend(loc="best")
    return metric_axis(ax, label, measure)


def seed_spread(ax: Axes, seeds: pd.DataFrame, *, label: str, measure: Measure) -> Axes:
    """Draw every trial at the tuned rates as a dot; a line joins the trials of one seed.

    Args:
        ax: Where to draw.
        seeds: Columns `reports.recommend.record.SEED_COLUMNS`.
        label: Of the y axis.
        measure: How the metric is written.
    """
    sns.lineplot(
        seeds, x="batch_size", y="metric", units="seed", estimator=None, errorbar=None, ax=ax,
        color=GREY, linewidth=0.8, zorder=2,
    )  # fmt: skip
    ax.plot(seeds["batch_size"], seeds["metric"], "o", color=BLUE, ms=4.5, alpha=0.8, zorder=3)
    return metric_axis(batch_size_axis(ax, seeds["batch_size"]), label, measure)


def _labels(table: pd.DataFrame) -> Iterator[tuple[str, tuple[float, float], np.ndarray]]:
    """Batch sizes, their points, and the direction away from the nearest other point."""
    points = table[["seconds_to_train", "metric"]].to_numpy()
    seen = np.column_stack([np.log(points[:, 0]), points[:, 1]])
    seen /= np.maximum(np.ptp(seen, axis=0), 1e-12) * [1, 2]  # twice as wide as high
    for place, (size, point) in enumerate(zip(table["batch_size"], points, strict=True)):
        apart = np.delete(seen[place] - seen, place, axis=0)
        distances = np.hypot(*apart.T)
        nearest = distances.argmin()
        away = apart[nearest] / distances[nearest] if distances[nearest] > 0 else np.array([0, 1])
        yield str(size), tuple(point), away


def _pairs(table: pd.DataFrame) -> Iterator[tuple[int, float]]:
    return zip(table["batch_size"], table["learning_rate"], strict=True)
