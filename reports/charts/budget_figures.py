"""Figures of the budget rules: three of them side by side, and a frame to draw others in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator

from reports.charts.base.style import BATCH_SIZE, LOOKS, METRICS, batch_size_axis, metric_axis
from reports.schema.measures import Measure

_GAP = 0.05
"""Between two panels, as a share of the whole."""
_TALL = 0.92
"""Height of a panel, likewise; its heading stands above."""
_MOST_TICKS = 6
"""Batch sizes named in a panel."""


def budget_panels(
    ax: Axes, panels: dict[str, pd.DataFrame], *, label: str, measure: Measure
) -> Axes:
    """Draw the metric against batch size under several budget rules, a panel for each.

    Filled markers can't be told from the best with that budget.

    Args:
        ax: Whose place the panels take.
        panels: Rows of columns `reports.analysis.budgets.BUDGET_COLUMNS` with a metric, by heading.
        label: Of the y axis.
        measure: How the metric is written.
    """
    ax.set_axis_off()
    width = (1 + _GAP) / len(panels) - _GAP
    low, high = limits(pd.concat(panels.values()))
    for place, (heading, rows) in enumerate(panels.items()):
        panel = ax.inset_axes((place * (width + _GAP), 0, width, _TALL))
        _budget(panel, rows, *LOOKS[place][:2])
        metric_axis(batch_size_axis(panel, rows["batch_size"]), label, measure)
        ticks = sorted(set(rows["batch_size"]))
        panel.xaxis.set_major_locator(FixedLocator(ticks[:: -(-len(ticks) // _MOST_TICKS)]))
        panel.set(ylim=(low, high), xlabel="")
        panel.set_title(heading, fontsize=9.5, loc="left")
        if place:
            panel.tick_params(labelleft=False)
            panel.set_ylabel("")
    ax.text(0.5, -0.13, BATCH_SIZE, ha="center", va="top", size=9.5, transform=ax.transAxes)
    return ax


def budget_frame(ax: Axes, batch_sizes: Sequence[int], *, label: str) -> Axes:
    """Draw axes for any budget, with nothing in them: their y goes from 0 to 1, without ticks.

    Args:
        ax: Where to draw.
        batch_sizes: Ascending.
        label: Of the y axis.
    """
    ax.set(ylim=(0, 1), yticks=[], ylabel=label)
    ax.yaxis.labelpad = 44
    batch_size_axis(ax, batch_sizes)
    ax.set_xlim(batch_sizes[0] / 2**0.5, batch_sizes[-1] * 2**0.5)
    return ax


def limits(table: pd.DataFrame) -> tuple[float, float]:
    """Return ends of an axis that holds all means and intervals, but for what has failed.

    Args:
        table: Columns `reports.analysis.budgets.BUDGET_COLUMNS`.
    """
    ends = table[["metric", "metric_low", "metric_high"]].to_numpy(np.float64)
    usual = ends[(ends >= METRICS[0]) & (ends <= METRICS[1])]
    shown = usual if usual.size else ends
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    room = 0.05 * max(high - low, 1e-3, 1e-3 * abs(high))
    return low - room, high + room


def _budget(ax: Axes, rows: pd.DataFrame, color: str, marker: str) -> None:
    ax.plot(rows["batch_size"], rows["metric"], color=color, lw=1.6, zorder=2)
    known = rows.dropna(subset="metric_low")
    ax.errorbar(
        known["batch_size"], known["metric"],
        [known["metric"] - known["metric_low"], known["metric_high"] - known["metric"]],
        fmt="none", ecolor=color, elinewidth=1.2, capsize=2,
    )  # fmt: skip
    for tied, fill in ((True, color), (False, "none")):
        shown = rows[rows["tied"] == tied]
        ax.plot(
            shown["batch_size"], shown["metric"], marker, ms=5, mfc=fill, mec=color, mew=1.4,
            zorder=3,
        )  # fmt: skip
