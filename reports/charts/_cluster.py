"""The chart of simulated time on many workers, and the model's parameters in words."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from reports.analysis import TargetRecord
from reports.charts.base import Chart, in_words, style
from reports.recommend import Analysis
from reports.schema import Cluster, count, percent, plural, seconds, significant, times
from reports.stats.models.simulated_workers import SIMULATED
from reports.text import level


def workers_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of simulated time to the target on many workers."""
    table = analysis.scaling.simulation.table
    cluster, target = analysis.study.cluster, analysis.scaling.main
    if cluster is None or target is None or table.empty:
        return None
    best = table.iloc[int(table["seconds_to_target"].argmin())]
    texts = [
        f"{plural(row['workers'], 'worker')}, batch size {row['batch_size']:g}: {SIMULATED} "
        f"{seconds(row['seconds_to_target'])}"
        for row in table.to_dict("records")
    ]
    return Chart(
        name="workers",
        heading=f"Time to the target on many workers ({SIMULATED})",
        finding=_finding(best),
        caption=_caption(analysis, cluster, target, best),
        description=in_words(
            table,
            f"{{workers}}: {SIMULATED} {{seconds_to_target}} at batch size {{batch_size:g}}",
            workers=lambda number: plural(number, "worker"),
            seconds_to_target=seconds,
        ),
        table=table.assign(reading=texts, batch_size=table["batch_size"].astype("int64")),
        figure=time_on_workers,
        right=style.NAMED,
    )


def _finding(best: pd.Series[Any]) -> str:
    if best["speedup"] <= 1:
        return "Simulated: no number of workers is faster than one; combining takes too long"
    return (
        f"Simulated: {count(best['workers'])} workers reach the target first, in "
        f"{seconds(best['seconds_to_target'])}, {times(best['speedup'])} as fast as one"
    )


def _caption(
    analysis: Analysis, cluster: Cluster, target: TargetRecord, best: pd.Series[Any]
) -> str:
    shards, size = analysis.plan.shards, (analysis.plan.gradient_bytes or 0) / 1e3
    parts = f"{shards} shards, in turn" if shards > 1 else "a shard for each worker"
    edge = "; where that is the smallest or largest of them, one beyond may be faster"
    beyond = edge if analysis.scaling.simulation.table["at_edge"].any() else ""
    return (
        f"Simulated, not measured. Target: {level(analysis, target)}. Updates by the fit, each at "
        "the fitted seconds of computing its shards on one of this machine's threads, plus the "
        f"combining of gradients: {size:,.1f} kB by {cluster.combine}, latency "
        f"{seconds(cluster.latency)}, {significant(cluster.bandwidth / 1e9)} GB/s. Each number of "
        f"workers has its fastest batch size of those that reached the target{beyond}. A batch "
        f"has {parts}. Combining takes {percent(best['communication_share'])} of an update on "
        f"{plural(best['workers'], 'worker')}. Stragglers, contention and overlap are left out."
    )


def time_on_workers(ax: Axes, table: pd.DataFrame) -> None:
    """Draw simulated time to the target against workers, and perfect scaling."""
    style.log_axis(ax, f"Time to the target ({SIMULATED})", style.seconds_tick)
    ax.set_xscale("log", base=2)
    # A margin by itself would reach down to half a worker.
    ax.set_xlim(table["workers"].min() / 1.3, table["workers"].max() * 1.3)
    ax.xaxis.set_major_locator(LogLocator(base=2, numticks=13))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.0f}"))
    ax.set_xlabel("Workers that share an update (labels: batch size)")
    low, high = table["seconds_to_target"].min(), table["seconds_to_target"].max()
    ax.set_ylim(low / 3, 4 * high)
    alone = table["seconds_to_target"].iloc[0] * table["speedup"].iloc[0]
    ideal = table[alone / table["workers"] >= low / 3]
    ax.plot(ideal["workers"], alone / ideal["workers"], color=style.GREY, ls=":", lw=1.4)
    ax.plot(table["workers"], table["seconds_to_target"], color=style.ORANGE, lw=1.6)
    style.points(ax, table, "seconds_to_target", x="workers", color=style.ORANGE, ms=5, apart=True)
    changes = table[table["batch_size"] != table["batch_size"].shift()]
    sizes = [f"{size:g}" for size in changes["batch_size"]]
    style.labels_above(ax, sizes, changes["workers"], changes["seconds_to_target"])
    last = ideal["workers"].iloc[-1]
    names = [
        (SIMULATED, *table[["workers", "seconds_to_target"]].iloc[-1]),
        ("perfect scaling", last, alone / last),
    ]
    style.name_ends(ax, names)
