"""The chart of the timing pass: what an update takes, by each engine."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.analysis import CONTENDED_BELOW, ONE_PIECE, PER_ITEM
from reports.charts.base import Chart, style, values
from reports.recommend import Analysis
from reports.schema import seconds, significant
from reports.stats import Curve
from reports.stats.models import UpdateTimeFit
from reports.text.reaching_target import cost_caption


def seconds_per_update(
    ax: Axes, timing: pd.DataFrame, line: Curve | None = None, doubling: float | None = None
) -> Axes:
    """Draw seconds per update against batch size for each engine: median and quartiles."""
    if line is not None:
        sizes = np.geomspace(timing["batch_size"].min(), timing["batch_size"].max(), 80)
        ax.plot(
            sizes, line.at(sizes), color=style.INK, lw=1.2, ls=":", label="fitted: alpha + beta B"
        )
    if doubling is not None:
        ax.axvline(doubling, color=style.GREY, lw=1.2, ls="-.", label="twice the fixed cost")
    for (engine, lanes), rows in timing.groupby(["engine", "lanes"], sort=False):
        name, color, marker, dash = _engine_look(str(engine), int(str(lanes)))
        middle = rows["seconds_per_update"]
        ax.errorbar(
            rows["batch_size"], middle,
            [middle - rows["lower_quartile"], rows["upper_quartile"] - middle],
            color=color, marker=marker, ls=dash, ms=5, lw=1.6, label=name,
        )  # fmt: skip
    ax.legend(loc="upper left")
    return style.seconds_axis(style.batch_size_axis(ax, timing["batch_size"]), "Time per update")


def _engine_look(engine: str, lanes: int) -> tuple[str, str, str, str]:
    """Return label, colour, marker and line of an engine's times."""
    if engine == PER_ITEM:
        return "one item at a time", style.ORANGE, "s", "--"
    if engine == ONE_PIECE:
        return "tensor operations, without shards", style.PINK, "^", "-."
    if lanes > 1:
        return f"tensor operations, each of {lanes} networks", style.GREEN, "D", ":"
    return "tensor operations", style.BLUE, "o", "-"


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
