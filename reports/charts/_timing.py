"""The chart of update times: a fixed cost and a cost per example, vectorized or not."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.analysis import CONTENDED_BELOW
from reports.charts.base import Chart, Row, style, values, with_readings
from reports.recommend import Analysis
from reports.schema import ONE_PIECE, PER_ITEM, percent, plural, seconds, significant, times
from reports.stats.models import UpdateTimeFit
from reports.text.reaching_target import cost_caption

_PARTS = 80  # points of a computed curve


def seconds_per_update(ax: Axes, timing: pd.DataFrame, fit: UpdateTimeFit | None = None) -> None:
    """Draw seconds per update against batch size for each engine: median and quartiles."""
    style.batch_size_axis(ax, timing["batch_size"])
    style.log_axis(ax, "Time per update", style.seconds_tick)
    names: dict[str, tuple[float, float]] = {}
    for (engine, lanes), rows in timing.groupby(["engine", "lanes"], sort=False):
        name, color, marker, dashes = _engine_look(str(engine), int(str(lanes)))
        ax.plot(rows["batch_size"], rows["seconds_per_update"], color=color, ls=dashes, lw=1.6)
        style.interval_bars(ax, rows, "lower_quartile", "upper_quartile", color=color)
        style.points(ax, rows, "seconds_per_update", color=color, marker=marker, ms=5)
        end: tuple[float, float] = tuple(rows[["batch_size", "seconds_per_update"]].iloc[-1])
        names[name] = max(names.get(name, end), end)
    names |= _costs(ax, timing, fit)
    style.name_ends(ax, [(name, *end) for name, end in names.items()])


def _costs(
    ax: Axes, timing: pd.DataFrame, fit: UpdateTimeFit | None
) -> dict[str, tuple[float, float]]:
    """Draw the fitted curve and its two parts as far as they are known; return their ends."""
    if fit is None or fit.curve is None:
        return {}
    low, high = timing["batch_size"].min(), timing["batch_size"].max()
    look: dict[str, Any] = {"color": style.ORANGE, "lw": 1.2}
    sizes = np.geomspace(low, high, _PARTS)
    ax.plot(sizes, fit.curve.at(sizes), ls="--", **look)
    bottom = timing["lower_quartile"].min() / 1.5
    ax.set_ylim(bottom=bottom)
    if fit.fixed_seconds is None or fit.seconds_per_example is None:
        return {}
    each = fit.seconds_per_example * sizes
    ax.hlines(fit.fixed_seconds, low, high, ls=":", **look)
    ax.plot(sizes[each >= bottom], each[each >= bottom], ls=":", **look)
    return {
        f"fixed cost {seconds(fit.fixed_seconds, 2)}": (high, fit.fixed_seconds),
        f"{seconds(fit.seconds_per_example, 2)} per example": (high, each[-1]),
    }


def _engine_look(engine: str, lanes: int) -> tuple[str, str, str, str]:
    """Return name, colour, marker and line of an engine's times."""
    if engine == PER_ITEM:
        return "one example at a time", style.PINK, "s", "--"
    if engine == ONE_PIECE:
        return "vectorized, unsharded", style.BLUE, "^", "-."
    if lanes > 1:
        return "vectorized, several networks at once", style.GREY, "D", ":"
    return "vectorized", style.BLUE, "o", "-"


def seconds_per_update_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of seconds per update; None where nothing was timed."""
    alone, fit = analysis.alone, analysis.scaling.update_time
    if alone.empty:
        return None

    def value(row: Row) -> str:
        low, high = seconds(row["lower_quartile"]), seconds(row["upper_quartile"])
        text = f"{seconds(row['seconds_per_update'])} per update (quartiles {low} to {high})"
        name = _engine_look(row["engine"], row["lanes"])[0]
        lanes = f" ({row['lanes']})" if row["lanes"] > 1 else ""
        return f"{text}, {name}{lanes}, {plural(row['rounds'], 'round')}"

    return Chart(
        name="seconds-per-update",
        heading="Time per update",
        finding=_finding(analysis, fit),
        caption=(
            "Median and quartiles over the rounds of a benchmark of its own: serial, one BLAS "
            f"thread. A measurement counts as contended below {percent(CONTENDED_BELOW)} of a "
            f"processor.{cost_caption(fit)}"
        ),
        description=values(alone, "seconds_per_update", seconds),
        table=with_readings(analysis, analysis.timing, value),
        figure=partial(seconds_per_update, fit=fit),
        recommended=analysis.recommended,
        right=style.NAMED,
    )


def _finding(analysis: Analysis, fit: UpdateTimeFit) -> str:
    """What a larger batch costs, and what vectorizing gains."""
    gains = analysis.batch_sizes["speedup"].dropna()
    gain = f"; vectorizing makes it up to {times(gains.max())} faster" if (gains > 1).any() else ""
    if fit.doubling_batch_size is not None:
        size = significant(fit.doubling_batch_size, 2)
        return f"An update takes twice its fixed cost at batch size {size}{gain}"
    ends = analysis.alone.iloc[[0, -1] if len(analysis.alone) > 1 else [0]]
    return f"An update takes: {values(ends, 'seconds_per_update', seconds)}{gain}"
