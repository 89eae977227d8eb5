"""The chart of the gradient noise scale along training."""

from __future__ import annotations

import math
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from reports.charts.base.chart import Chart
from reports.charts.base.style import GREY, INK, LOOKS, counts_axis, counts_ticks
from reports.recommend.record import Analysis
from reports.schema.formats import count, significant, sizes, times
from reports.stats.bounds import Ends
from reports.stats.models.noise_scale import RESOLVED


def noise_along_training(
    ax: Axes, noise: pd.DataFrame, critical: float | None, interval: Ends | None
) -> Axes:
    """Draw the gradient noise scale of a few batch sizes along training."""
    if critical is not None:
        ax.axhline(critical, color=INK, lw=1.2, ls=":", label="critical batch size")
        if interval is not None and math.isfinite(interval.high):
            ax.axhspan(interval.low, interval.high, color=GREY, alpha=0.18, lw=0)
    for (size, rows), (color, marker, dashes) in zip(
        noise.groupby("batch_size"), LOOKS, strict=False
    ):
        resolved = rows[rows["status"] == RESOLVED]
        ax.plot(
            resolved["examples"], resolved["noise_scale"], color=color, marker=marker,
            dashes=dashes, ms=4, lw=1.4, label=f"batch size {size}",
        )  # fmt: skip
        low = resolved["low"].where(resolved["low"] > 0, resolved["noise_scale"] / 10)
        ax.fill_between(resolved["examples"], low, resolved["high"], color=color, alpha=0.15, lw=0)
        rest = rows[(rows["status"] != RESOLVED) & (rows["low"] > 0)]
        ax.plot(rest["examples"], rest["low"], "^", color=color, ms=7, mfc="none", mew=1.3)
    if (noise["status"] != RESOLVED).any():
        ax.plot([], [], "^", color=INK, ms=7, mfc="none", mew=1.3, label="unresolved: at least")
    ax.set_xscale("log", base=10)
    counts_ticks(ax.xaxis)
    ax.set_xlabel("Examples processed")
    ax.fmt_xdata = lambda number: f"{count(number)} examples"
    ax.legend(loc="upper left")
    return counts_axis(ax, "Gradient noise scale (examples)", "examples")


def noise_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the gradient noise scale along training."""
    scaling = analysis.scaling
    noise = scaling.noise[scaling.noise["examples"] > 0]
    if scaling.noise_known.empty:
        return None
    measured = sorted(set(noise["batch_size"]))
    shown = sorted({measured[0], measured[len(measured) // 2], measured[-1]})
    rows = noise[noise["batch_size"].isin(shown)]
    record = scaling.main
    fit = record.fit if record else None
    kind = "fresh" if scaling.fresh else "tuning"
    return Chart(
        name="noise-scale",
        heading="Gradient noise scale along training",
        finding=_noise_finding(analysis),
        caption=(
            "Trace of the gradients' covariance by the squared length of the gradient: a "
            f"ratio of means over the {kind} seeds, at the tuned rates, with Fieller's 95% "
            f"interval (1954). Shown: batch {sizes(shown)}. Triangles: the squared length "
            "isn't told from zero, so the noise scale is at least that."
        ),
        description="; ".join(
            _noise_described(points) for _, points in noise.groupby("batch_size")
        ),
        table=rows,
        figure=partial(
            noise_along_training,
            critical=fit.critical_batch_size if fit else None,
            interval=fit.critical_batch_size_interval if fit else None,
        ),
        height=3.6,
    )


def _noise_described(rows: pd.DataFrame) -> str:
    known = rows.loc[rows["status"] == RESOLVED, "noise_scale"]
    size = f"batch size {rows['batch_size'].iloc[0]}"
    if known.empty:
        return f"{size}: unresolved, at least {significant(rows['low'].max())}"
    return (
        f"{size}: {significant(known.iloc[0])} to {significant(known.iloc[-1])}, resolved at "
        f"{len(known)} of {len(rows)} evaluations"
    )


def _noise_finding(analysis: Analysis) -> str:
    record = analysis.scaling.main
    known = record.noise.dropna(subset="ratio") if record else pd.DataFrame()
    if not known.empty and record is not None:
        ratios = f"{significant(known['ratio'].min())} to {times(known['ratio'].max())}"
        return f"On the way to the target, the noise scale is {ratios} the critical batch size"
    noise = analysis.scaling.noise
    resolved = noise[(noise["status"] == RESOLVED) & (noise["examples"] > 0)]
    if resolved.empty:
        return "The seeds don't resolve the gradient noise scale"
    return (
        f"The noise scale goes from {significant(resolved['noise_scale'].min())} to "
        f"{significant(resolved['noise_scale'].max())} examples in training"
    )
