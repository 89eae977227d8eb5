"""The figure of simulated time on many workers."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from reports.charts.base.style import BLUE, INK, seconds_axis
from reports.stats.models.cluster import SIMULATED

_TICKS = 13


def time_on_workers(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw simulated time to the target against workers, and perfect scaling.

    Args:
        ax: Where to draw.
        table: Columns `reports.stats.models.cluster.SIMULATION_COLUMNS`; one row or more.
    """
    alone = table["seconds_to_target"].iloc[0] * table["speedup"].iloc[0]
    ax.plot(
        table["workers"], alone / table["workers"], color=INK, ls=":", lw=1.2,
        label="perfect: one worker's time by workers",
    )  # fmt: skip
    ax.plot(
        table["workers"], table["seconds_to_target"], color=BLUE, marker="o", ms=5, lw=1.6,
        label=f"{SIMULATED}, labelled with its best batch size",
    )  # fmt: skip
    changes = table[table["batch_size"] != table["batch_size"].shift()]
    for row in changes.to_dict("records"):
        ax.annotate(
            f"{row['batch_size']:g}", (row["workers"], row["seconds_to_target"]), (0, 7),
            textcoords="offset points", ha="center", size=8,
        )  # fmt: skip
    low, high = table["seconds_to_target"].min(), table["seconds_to_target"].max()
    ax.set_ylim(low / 3, 4 * high)
    ax.set_xscale("log", base=2)
    # A margin by itself would reach down to half a worker.
    ax.set_xlim(table["workers"].min() / 1.3, table["workers"].max() * 1.3)
    ax.xaxis.set_major_locator(LogLocator(base=2, numticks=_TICKS))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.0f}"))
    ax.set_xlabel("Workers that share an update")
    ax.fmt_xdata = lambda number: f"{number:,.0f} workers"
    ax.legend(loc="upper right")
    return seconds_axis(ax, f"Time to the target ({SIMULATED})")
