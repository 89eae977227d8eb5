"""The figures of a comparison of studies: tidy table to Axes."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from reports.charts.base.style import (
    DIFFERENCES,
    INK,
    LOOKS,
    batch_size_axis,
    keep_within,
    seconds_axis,
)
from reports.schema.measures import Measure


def differences(ax: Axes, table: pd.DataFrame, *, measure: Measure) -> Axes:
    """Draw how far other studies are above the first one, with intervals, against batch size.

    Filled markers are established.

    Args:
        ax: Where to draw.
        table: Columns group, batch_size, difference, difference_low, difference_high and
            established; at most as many groups as `LOOKS`.
        measure: How the metric is written.
    """
    ax.axhline(0, color=INK, lw=1, ls=":")
    shown = list(table.groupby("group", sort=False))
    for place, ((name, rows), (color, marker, _)) in enumerate(zip(shown, LOOKS, strict=False)):
        # Side by side: intervals of one batch size would cover each other.
        beside = rows["batch_size"] * 2 ** (0.12 * (place - (len(shown) - 1) / 2))
        middle = rows["difference"]
        ax.errorbar(
            beside, middle, [middle - rows["difference_low"], rows["difference_high"] - middle],
            fmt="none", ecolor=color, elinewidth=1.4, capsize=3,
        )  # fmt: skip
        ax.plot(beside, middle, marker, ms=6, mfc="none", mec=color, mew=1.5, label=str(name))
        found = rows["established"]
        ax.plot(beside[found], middle[found], marker, ms=6, color=color)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: measure.signed(value)))
    ax.set_ylabel(f"Difference{measure.points and ' in points'}")
    keep_within(ax, *DIFFERENCES)
    if len(shown) > 1:
        ax.legend(loc="best")
    return batch_size_axis(ax, table["batch_size"])


def update_times(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw seconds per update of several studies against batch size, each with its own look.

    Args:
        ax: Where to draw.
        table: Columns group, batch_size and seconds_per_update; at most as many groups as `LOOKS`.
    """
    for (name, rows), (color, marker, dashes) in zip(
        table.groupby("group", sort=False), LOOKS, strict=False
    ):
        ax.plot(
            rows["batch_size"], rows["seconds_per_update"], color=color, marker=marker,
            dashes=dashes, lw=1.6, ms=5, label=str(name),
        )  # fmt: skip
    ax.legend(loc="best", handlelength=3.2)
    return seconds_axis(batch_size_axis(ax, table["batch_size"]), "Time per update")
