"""Charts of the timing pass: what an update takes, and what follows for training."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from reports.analysis.update_times import CONTENDED_BELOW, ONE_PIECE, PER_ITEM, TENSOR
from reports.charts.base.chart import Chart, values
from reports.charts.base.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PINK,
    batch_size_axis,
    counts_axis,
    lines_by,
    seconds_axis,
)
from reports.recommend.record import Analysis, extreme
from reports.schema.formats import TIMES, capitalised, count, rate, seconds, significant, times
from reports.stats.models.update_cost import UpdateTimeFit
from reports.stats.two_terms import Curve
from reports.text.scaling import cost_caption


def seconds_per_update(
    ax: Axes, timing: pd.DataFrame, line: Curve | None = None, doubling: float | None = None
) -> Axes:
    """Draw seconds per update against batch size for each engine: median and quartiles.

    `timing`: columns `reports.analysis.update_times.TIMING_SUMMARY_COLUMNS`.
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


def seconds_per_update_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of seconds per update; None where nothing was timed."""
    timing = analysis.timing
    tensor = analysis.alone
    if tensor.empty:
        return None
    fit = analysis.scaling.update_time
    return Chart(
        name="seconds-per-update",
        heading="Time per update",
        finding=_cost_finding(tensor, fit),
        caption=(
            "Median and quartiles over the rounds of a timing pass of its own: serial, one "
            f"BLAS thread. A measurement counts as contended below {CONTENDED_BELOW:.0%} of a "
            f"processor.{cost_caption(fit)}"
        ),
        description=values(tensor, "seconds_per_update", seconds),
        table=timing,
        figure=partial(seconds_per_update, line=fit.curve, doubling=fit.doubling_batch_size),
    )


def _cost_finding(tensor: pd.DataFrame, fit: UpdateTimeFit) -> str:
    if fit.doubling_batch_size is not None:
        return (
            f"An update takes twice its fixed cost at batch size "
            f"{significant(fit.doubling_batch_size)}: well below it, larger batches are nearly free"
        )
    ends = tensor.iloc[[0, -1]] if len(tensor) > 1 else tensor
    extremes = values(ends, "seconds_per_update", seconds)
    return f"Time of an update by tensor operations: {extremes}"


def seconds_to_train(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw the time to train the budget against batch size.

    `table`: columns `reports.recommend.record.BATCH_SIZE_COLUMNS`; rows with a time.
    """
    ax.plot(table["batch_size"], table["seconds_to_train"], color=BLUE, lw=1.6, marker="o")
    return seconds_axis(batch_size_axis(ax, table["batch_size"]), "Time to train the budget")


def seconds_to_train_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the time to train; None below two batch sizes that have one."""
    table = analysis.timed
    if len(table) < 2:  # noqa: PLR2004
        return None
    return Chart(
        name="seconds-to-train",
        heading="Time to train",
        finding=_shortest_finding(analysis),
        caption=(
            f"Updates that {analysis.training} make, multiplied by the median seconds of an "
            "update from the timing pass; not the clock of the sweep, whose trials run beside "
            "each other."
        ),
        description=values(table, "seconds_to_train", seconds),
        table=table,
        figure=seconds_to_train,
    )


def _shortest_finding(analysis: Analysis) -> str:
    fastest = extreme(analysis.timed, "seconds_to_train", largest=False)
    return (
        f"{capitalised(analysis.training)} take least time at batch size {fastest['batch_size']}: "
        f"{seconds(fastest['seconds_to_train'])}"
    )


def throughput(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw how many examples are processed in a second, against batch size.

    `table`: columns batch_size, lanes and throughput.
    """
    names = {lanes: f"each of {lanes} networks at once" for lanes in table["lanes"]}
    named = table.assign(name=table["lanes"].map(names | {1: "one network"}))
    lines_by(ax, named.sort_values("lanes", kind="stable"), "throughput", "name")
    ax.legend(loc="upper left")
    return counts_axis(
        batch_size_axis(ax, table["batch_size"]), "Examples per second", "per second"
    )


def throughput_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of examples per second."""
    timing = analysis.timing[analysis.timing["engine"] == TENSOR]
    if timing["batch_size"].nunique() < 2:  # noqa: PLR2004
        return None
    table = timing.assign(throughput=timing["batch_size"] / timing["seconds_per_update"])
    alone = table[table["lanes"] == 1]
    shown = table if alone.empty else alone
    first, most = shown.iloc[0], shown.sort_values("throughput").iloc[-1]
    return Chart(
        name="throughput",
        heading="Throughput",
        finding=(
            f"Up to {count(most['throughput'])} examples a second on one thread (batch size "
            f"{most['batch_size']}), {times(most['throughput'] / first['throughput'])} as many as "
            f"at batch size {first['batch_size']}"
        ),
        caption=(
            "Batch size by the median seconds of an update, by tensor operations; where several "
            "networks are updated at once, for each of them."
        ),
        description=values(shown, "throughput", lambda value: f"{count(value)} per second"),
        table=table,
        figure=throughput,
    )


def tensor_speedup(ax: Axes, table: pd.DataFrame) -> Axes:
    """Draw how many times faster tensor operations are, with the range over the timing rounds.

    `table`: columns `reports.analysis.update_times.SPEEDUP_COLUMNS`.
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


def speedup_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of tensor operations against single items; None without both."""
    table = analysis.batch_sizes.dropna(subset="speedup")
    if table.empty:
        return None
    return Chart(
        name="speedup",
        heading="Tensor operations against single items",
        finding=_speedup_finding(table),
        caption=(
            "Ratio of the median seconds per update; bars span the ratios of the single "
            "rounds. Both make the same update."
        ),
        description=values(table, "speedup", times),
        table=table,
        figure=tensor_speedup,
    )


def _speedup_finding(table: pd.DataFrame) -> str:
    most = extreme(table, "speedup", largest=True)
    return (
        f"Tensor operations are up to {times(most['speedup'])} as fast as single items (batch "
        f"size {most['batch_size']})"
    )
