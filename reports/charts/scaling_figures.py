"""Figures of the way to a target: steps, examples, time and gradient noise against batch size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from reports.charts.base.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LOOKS,
    ORANGE,
    batch_size_axis,
    seconds_axis,
)
from reports.schema.formats import count, rate, significant
from reports.stats.bounds import Ends
from reports.stats.models.noise_scale import RESOLVED

_SMOOTH = 80
"""Points of a computed curve."""


def steps_to_target(
    ax: Axes,
    table: pd.DataFrame,
    bounds: pd.DataFrame,
    curve: Callable[[np.ndarray], np.ndarray] | None,
) -> Axes:
    """Draw updates to the target against batch size, with perfect scaling and the fitted curve.

    Args:
        ax: Where to draw.
        table: Columns `reports.analysis.scaling_record.TO_TARGET_COLUMNS`.
        bounds: Columns batch_size, updates and text: where runs missed the target, the updates they
            made and how many they are.
        curve: Fitted updates at batch sizes; None if nothing was fitted.
    """
    known = table.dropna(subset="updates")
    if not known.empty:
        first = known.iloc[0]
        ideal = first["updates"] * first["batch_size"] / known["batch_size"]
        ax.plot(known["batch_size"], ideal, color=GREY, ls=":", lw=1.4, label="perfect: ∝ 1/B")
        shown = pd.concat([known["updates"], bounds["updates"]])
        ax.set_ylim(shown.min() / 4, 3 * shown.max())
    _fitted(ax, table, curve)
    _medians(ax, known, "updates")
    if not bounds.empty:
        ax.plot(
            bounds["batch_size"], bounds["updates"], "^", color=INK, ms=7, mfc="none", mew=1.3,
            label="not reached by so many runs: more than",
        )  # fmt: skip
        for row in bounds.to_dict("records"):
            ax.annotate(
                row["text"], (row["batch_size"], row["updates"]), (0, 7),
                textcoords="offset points", ha="center", size=8,
            )  # fmt: skip
    ax.legend(loc="upper right")
    return _counts_axis(
        batch_size_axis(ax, table["batch_size"]), "Updates to the target", "updates"
    )


def examples_to_target(
    ax: Axes,
    table: pd.DataFrame,
    curve: Callable[[np.ndarray], np.ndarray] | None,
    critical: float | None,
    interval: Ends | None,
) -> Axes:
    """Draw examples to the target against batch size, with the critical batch size.

    Args:
        ax: Where to draw.
        table: Columns `reports.analysis.scaling_record.TO_TARGET_COLUMNS`.
        curve: Fitted updates at batch sizes; None if nothing was fitted.
        critical: The critical batch size; None if it isn't known.
        interval: Its interval.
    """
    known = table.dropna(subset="updates")
    _fitted(ax, table, None if curve is None else lambda sizes: curve(sizes) * sizes)
    _medians(ax, known, "examples")
    batch_size_axis(ax, table["batch_size"])
    if critical is not None:
        _mark(ax, critical, interval, f"critical batch size {significant(critical)}")
    ax.legend(loc="upper left")
    return _counts_axis(ax, "Examples to the target", "examples")


def steps_against_examples(
    ax: Axes,
    table: pd.DataFrame,
    curve: Callable[[np.ndarray], np.ndarray],
    ends: tuple[float | None, float | None],
) -> Axes:
    """Draw updates against examples to the target, batch size by batch size.

    Args:
        ax: Where to draw.
        table: Columns `reports.analysis.scaling_record.TO_TARGET_COLUMNS`; rows with updates.
        curve: Fitted updates at batch sizes.
        ends: Fewest updates and fewest examples that any batch size needs; None if unknown.
    """
    sizes = _between(table["batch_size"])
    updates = curve(sizes)
    ax.plot(updates * sizes, updates, color=ORANGE, ls="--", lw=1.6, label="fitted hyperbola")
    ax.plot(table["examples"], table["updates"], "o", color=BLUE, ms=6, label="median, measured")
    for row in table.to_dict("records"):
        ax.annotate(
            str(row["batch_size"]), (row["examples"], row["updates"]), (6, 4),
            textcoords="offset points", size=8,
        )  # fmt: skip
    for draw, end in zip((ax.axhline, ax.axvline), ends, strict=True):
        if end is not None:
            draw(end, color=GREY, ls=":", lw=1.2)
    ax.set_xscale("log", base=10)
    _counts(ax.xaxis)
    ax.set_xlabel("Examples to the target")
    ax.fmt_xdata = lambda number: f"{count(number)} examples"
    ax.legend(loc="upper right")
    return _counts_axis(ax, "Updates to the target", "updates")


def time_to_target(
    ax: Axes,
    table: pd.DataFrame,
    curve: Callable[[np.ndarray], np.ndarray] | None,
    best: float | None,
    interval: Ends | None,
) -> Axes:
    """Draw time to the target against batch size, measured and predicted.

    Args:
        ax: Where to draw.
        table: Columns `reports.analysis.scaling_record.TO_TARGET_COLUMNS`; rows with seconds.
        curve: Predicted seconds at batch sizes; None if nothing can be predicted.
        best: Batch size predicted to be fastest; None if there is none.
        interval: Its interval.
    """
    _fitted(ax, table, curve, "predicted: updates by seconds, both fitted")
    _medians(ax, table, "seconds")
    batch_size_axis(ax, table["batch_size"])
    if best is not None:
        _mark(ax, best, interval, f"predicted best {significant(best)}")
    fastest = table.sort_values(["seconds", "batch_size"]).iloc[[0]]
    ax.plot(
        fastest["batch_size"], fastest["seconds"], "o", ms=13, mfc="none", mec=GREEN, mew=1.6,
        label="measured best",
    )  # fmt: skip
    ax.legend(loc="upper center", ncols=2)
    seconds_axis(ax, "Time to the target")
    # Only a logarithmic axis has its lower end where the values are, however far apart they lie.
    ax.set_ylim(top=3 * table["seconds"].max())
    return ax


def noise_along_training(
    ax: Axes, noise: pd.DataFrame, critical: float | None, interval: Ends | None
) -> Axes:
    """Draw the gradient noise scale of a few batch sizes along training.

    Args:
        ax: Where to draw.
        noise: Columns `reports.stats.models.noise_scale.NOISE_CURVE_COLUMNS`, of as many batch
            sizes as there are looks; points after the start of training.
        critical: The critical batch size; None if it isn't known.
        interval: Its interval.
    """
    if critical is not None:
        ax.axhline(critical, color=INK, lw=1.2, ls=":", label="critical batch size")
        if interval is not None and math.isfinite(interval.high):
            ax.axhspan(interval.low, interval.high, color=GREY, alpha=0.18, lw=0)
    for (size, rows), (color, marker, dashes) in zip(
        noise.groupby("batch_size"), LOOKS, strict=False
    ):
        told = rows[rows["status"] == RESOLVED]
        ax.plot(
            told["examples"], told["noise_scale"], color=color, marker=marker, dashes=dashes, ms=4,
            lw=1.4, label=f"batch size {size}",
        )  # fmt: skip
        low = told["low"].where(told["low"] > 0, told["noise_scale"] / 10)
        ax.fill_between(told["examples"], low, told["high"], color=color, alpha=0.15, lw=0)
        rest = rows[(rows["status"] != RESOLVED) & (rows["low"] > 0)]
        ax.plot(rest["examples"], rest["low"], "^", color=color, ms=7, mfc="none", mew=1.3)
    if (noise["status"] != RESOLVED).any():
        ax.plot([], [], "^", color=INK, ms=7, mfc="none", mew=1.3, label="unresolved: at least")
    ax.set_xscale("log", base=10)
    _counts(ax.xaxis)
    ax.set_xlabel("Examples processed")
    ax.fmt_xdata = lambda number: f"{count(number)} examples"
    ax.legend(loc="upper left")
    return _counts_axis(ax, "Gradient noise scale (examples)", "examples")


def throughput(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw how many examples are processed in a second, against batch size.

    Args:
        ax: Where to draw.
        table: Columns batch_size, lanes and throughput.
    """
    for (lanes, rows), (color, marker, dashes) in zip(table.groupby("lanes"), LOOKS, strict=False):
        name = "one network" if lanes == 1 else f"each of {lanes} networks at once"
        ax.plot(
            rows["batch_size"], rows["throughput"], color=color, marker=marker, dashes=dashes,
            lw=1.6, ms=5, label=name,
        )  # fmt: skip
    ax.legend(loc="upper left")
    return _counts_axis(
        batch_size_axis(ax, table["batch_size"]), "Examples per second", "per second"
    )


def _medians(ax: Axes, table: pd.DataFrame, column: str) -> None:
    """Medians with their intervals; hollow where the fit leaves them out."""
    scale = table[column] / table["updates"]
    low = (table["updates"] - table["updates_low"]) * scale
    high = (table["updates_high"] - table["updates"]) * scale
    ends = table[low.notna() & np.isfinite(high)]
    if not ends.empty:
        ax.errorbar(
            ends["batch_size"], ends[column], [low[ends.index], high[ends.index]], fmt="none",
            ecolor=BLUE, elinewidth=1.4, label="95% interval",
        )  # fmt: skip
    for fitted, fill, name in ((True, BLUE, "median"), (False, "none", "left out of the fit")):
        rows = table[table["fitted"] == fitted]
        if not rows.empty:
            ax.plot(
                rows["batch_size"], rows[column], "o", ms=6, mfc=fill, mec=BLUE, mew=1.5,
                label=name, zorder=3,
            )  # fmt: skip


def _fitted(
    ax: Axes,
    table: pd.DataFrame,
    curve: Callable[[np.ndarray], np.ndarray] | None,
    name: str = "fitted",
) -> None:
    told = table[table["predicted_updates"].notna()]
    if curve is None or told.empty:
        return
    sizes = _between(told["batch_size"])
    ax.plot(sizes, curve(sizes), color=ORANGE, ls="--", lw=1.6, label=name)


def _between(sizes: Sequence[int] | pd.Series[int]) -> np.ndarray:
    return np.geomspace(min(sizes), max(sizes), _SMOOTH)


def _mark(ax: Axes, size: float, interval: Ends | None, name: str) -> None:
    """A batch size that isn't one of those tried, with its interval."""
    if interval is not None and interval.low > 0 and math.isfinite(interval.high):
        ax.axvspan(interval.low, interval.high, color=GREY, alpha=0.18, lw=0)
    ax.axvline(size, color=INK, lw=1.2, ls="-.", label=name)


def _counts_axis(ax: Axes, label: str, unit: str) -> Axes:
    ax.set_yscale("log", base=10)
    _counts(ax.yaxis)
    ax.set_ylabel(label)
    ax.fmt_ydata = lambda number: f"{count(number)} {unit}"
    return ax


def _counts(axis: Axis) -> None:
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(
        FuncFormatter(lambda number, _: count(number) if number >= 1 else rate(number))
    )
