"""The chart of simulated time on many workers, and the model's parameters in words."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from reports.charts.base.chart import Chart, Words
from reports.charts.base.style import BLUE, INK, seconds_axis
from reports.recommend.record import Analysis
from reports.schema.formats import count, percent, plural, seconds, significant, times
from reports.stats.models.cluster import SIMULATED, Network, Simulation
from reports.text.scaling import level

_TICKS = 13


def workers_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of simulated time to the target on many workers.

    Args:
        analysis: The numbers.
    """
    record, simulation = analysis.scaling.main, analysis.scaling.simulation
    table, network = simulation.table, simulation.network
    if record is None or network is None or table.empty:
        return None
    return Chart(
        name="workers",
        heading=f"Time to the target on many workers ({SIMULATED})",
        tell=lambda: Words(
            finding=_finding(table),
            caption=(
                f"Simulated, not measured. Target: {level(analysis, record)}. Updates by the fit, "
                "each at the fitted seconds of computing its shards on one of this machine's "
                f"threads, plus the combining of gradients: {network_text(network)}. Each number "
                "of workers has its fastest batch size of those that reached the "
                f"target. {pieces_text(simulation)}{_edge(table)} {_shares(table)} Stragglers, "
                "contention and overlap are left out."
            ),
            description="; ".join(
                f"{plural(row['workers'], 'worker')}: {SIMULATED} "
                f"{seconds(row['seconds_to_target'])} at batch size {row['batch_size']:g}"
                for row in table.to_dict("records")
            ),
        ),
        draw=lambda ax: time_on_workers(ax, table),
        height=3.6,
    )


def pieces_text(simulation: Simulation) -> str:
    """Return into what a batch is split, a sentence.

    Args:
        simulation: Of a group.
    """
    if simulation.shards is None:
        return "A batch has a shard for each worker that gets examples."
    return f"A batch has {simulation.shards} shards, as in the study, which workers take in turn."


def network_text(network: Network) -> str:
    """Return the parameters of what joins the workers, in words.

    Args:
        network: What joins them.
    """
    return (
        f"{network.gradient_bytes / 1e3:,.1f} kB by {network.combine}, latency "
        f"{seconds(network.latency)}, {significant(network.bandwidth / 1e9)} GB/s"
    )


def _finding(table: pd.DataFrame) -> str:
    best = _fastest(table)
    if best["speedup"] <= 1:
        return "Simulated: no number of workers is faster than one; combining takes too long"
    return (
        f"Simulated: {count(best['workers'])} workers reach the target first, in "
        f"{seconds(best['seconds_to_target'])}, {times(best['speedup'])} as fast as one"
    )


def _fastest(table: pd.DataFrame) -> pd.Series:
    return table.iloc[int(table["seconds_to_target"].argmin())]


def _shares(table: pd.DataFrame) -> str:
    best, last = _fastest(table), table.iloc[-1]
    return (
        f"Combining takes {percent(best['communication_share'])} of an update on "
        f"{count(best['workers'])} and {percent(last['communication_share'])} on "
        f"{count(last['workers'])}."
    )


def _edge(table: pd.DataFrame) -> str:
    if not table["at_edge"].any():
        return ""
    return " Where that is the smallest or largest of them, one beyond may be faster."


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
