"""Charts of the way to a target: updates, time, and the gradient noise scale along training."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.analysis import TargetRecord
from reports.charts.base import Chart, sentences, style, values
from reports.recommend import Analysis
from reports.schema import count, off_by, plural, seconds, significant, sizes, times
from reports.stats import Ends
from reports.stats.models import NOT_REACHED, RESOLVED
from reports.text import level
from reports.text.reaching_target import critical_span, range_span

_SMOOTH = 80  # points of a computed curve
Curve = Callable[[np.ndarray], np.ndarray]


def steps_to_target(
    ax: Axes,
    table: pd.DataFrame,
    bounds: pd.DataFrame,
    curve: Curve | None,
    *,
    critical: float | None = None,
    interval: Ends | None = None,
) -> Axes:
    """Draw updates to the target against batch size, with perfect scaling and the fitted curve.

    `bounds` has, where runs missed the target, the updates they made and a text of how many missed.
    """
    known = table.dropna(subset="updates")
    if not known.empty:
        first = known.iloc[0]
        ideal = first["updates"] * first["batch_size"] / known["batch_size"]
        ax.plot(
            known["batch_size"], ideal, color=style.GREY, ls=":", lw=1.4, label="perfect: ∝ 1/B"
        )
        shown = pd.concat([known["updates"], bounds["updates"]])
        ax.set_ylim(shown.min() / 4, 3 * shown.max())
    _fitted(ax, table, curve)
    _medians(ax, known, "updates")
    _mark(ax, critical, interval, "critical batch size")
    if not bounds.empty:
        ax.plot(
            bounds["batch_size"], bounds["updates"], "^", color=style.INK, ms=7, mfc="none",
            mew=1.3, label="not reached by so many runs: more than",
        )  # fmt: skip
        style.labels_above(ax, bounds["text"], bounds["batch_size"], bounds["updates"])
    ax.legend(loc="upper right")
    return style.counts_axis(
        style.batch_size_axis(ax, table["batch_size"]), "Updates to the target", "updates"
    )


def steps_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of updates to the target."""
    record = analysis.scaling.main
    if record is None:
        return None
    table, bounds = record.batch_sizes, _bounds(record)
    if table["updates"].isna().all() and bounds.empty:
        return None
    return Chart(
        name="steps-to-target",
        heading="Updates to the target",
        finding=_steps_finding(record),
        caption=f"{_target(analysis, record)} {_median(record)} {_fit(record)}",
        description=_described(table, "updates", count),
        table=table,
        figure=partial(
            steps_to_target,
            bounds=bounds,
            curve=_updates(record),
            critical=record.fit.critical_batch_size,
            interval=record.fit.critical_batch_size_interval,
        ),
        height=3.6,
    )


def _steps_finding(record: TargetRecord) -> str:
    known = record.batch_sizes.dropna(subset="updates")
    if known.empty:
        return "No batch size reaches the target in most of its runs"
    if len(known) == 1:
        return f"Only batch size {known['batch_size'].iloc[0]} reaches the target in most runs"
    first, last = known.iloc[0], known.iloc[-1]
    fewer, larger = first["updates"] / last["updates"], last["batch_size"] / first["batch_size"]
    return (
        f"From batch size {first['batch_size']} to {last['batch_size']}, {times(larger)} as large, "
        f"the target takes {times(fewer)} fewer updates"
    )


def _bounds(record: TargetRecord) -> pd.DataFrame:
    """Where runs missed the target: the median of the updates they made, and how many they are."""
    runs = record.crossings
    missed = runs[(runs["outcome"] == NOT_REACHED) & (runs["updates"] > 0)]
    table = missed.groupby("batch_size", as_index=False)["updates"].median()
    rows = record.batch_sizes.set_index("batch_size").loc[table["batch_size"]]
    missing = rows["runs"] - rows["reached"]
    texts = [f"{n} of {runs}" for n, runs in zip(missing, rows["runs"], strict=True)]
    return table.assign(text=texts)


def time_to_target(
    ax: Axes, table: pd.DataFrame, curve: Curve | None, best: float | None, interval: Ends | None
) -> Axes:
    """Draw time to the target against batch size, measured and predicted."""
    _fitted(ax, table, curve, "predicted: updates by seconds, both fitted")
    _medians(ax, table, "seconds")
    style.batch_size_axis(ax, table["batch_size"])
    _mark(ax, best, interval, "predicted best")
    fastest = table.sort_values(["seconds", "batch_size"]).iloc[[0]]
    ax.plot(
        fastest["batch_size"], fastest["seconds"], "o", ms=13, mfc="none", mec=style.GREEN, mew=1.6,
        label="measured best",
    )  # fmt: skip
    ax.legend(loc="upper center", ncols=2)
    style.seconds_axis(ax, "Time to the target")
    # Only a logarithmic axis has its lower end where the values are, however far apart they lie.
    ax.set_ylim(top=3 * table["seconds"].max())
    return ax


def time_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of time to the target, measured and predicted."""
    record = analysis.scaling.main
    if record is None or record.fastest is None:
        return None
    table, best = record.batch_sizes.dropna(subset="seconds"), record.best
    return Chart(
        name="time-to-target",
        heading="Time to the target",
        finding=_time_finding(record),
        caption=sentences(
            f"{_target(analysis, record)} Updates by the median seconds of an update from the "
            f"timing pass. {_median(record)}",
            best.batch_size is not None
            and "Dash-dotted: where S_min (1 + B_crit/B)(alpha + beta B) is shortest, "
            f"shaded its interval; within 5% of that time are {range_span(best.near)}.",
        ),
        description=_described(table, "seconds", seconds),
        table=table,
        figure=partial(
            time_to_target,
            curve=_seconds(analysis, record),
            best=best.batch_size,
            interval=best.interval,
        ),
        height=3.6,
    )


def _time_finding(record: TargetRecord) -> str:
    best, fastest = record.best, _first(record)
    if best.batch_size is None:
        return f"{fastest}; no batch size can be predicted"
    edge = ", the end of the range," if best.at_edge else ""
    span = range_span(best.interval)
    return f"{fastest}; predicted: {significant(best.batch_size)}{edge} (95% interval {span})"


def _first(record: TargetRecord) -> str:
    """Who reaches the target first; where a run of it misses, also who does so with all runs."""
    table = record.batch_sizes
    first = table[table["batch_size"] == record.fastest].iloc[0]
    text = f"Batch size {record.fastest} reaches the target first, in {seconds(first['seconds'])}"
    if first["reached"] == first["runs"]:
        return text
    text += f" with {first['reached']} of {first['runs']} runs"
    whole = table[(table["reached"] == table["runs"]) & table["seconds"].notna()]
    if whole.empty:
        return text
    sure = whole.sort_values("seconds", kind="stable").iloc[0]
    return f"{text}; with all runs {sure['batch_size']}, in {seconds(sure['seconds'])}"


def _seconds(analysis: Analysis, record: TargetRecord) -> Curve | None:
    steps, update = _updates(record), analysis.scaling.update_time.curve
    if steps is None or update is None:
        return None
    return lambda sizes: steps(sizes) * update.at(sizes)


def _medians(ax: Axes, table: pd.DataFrame, column: str) -> None:
    """Draw medians with their intervals; hollow where the fit leaves them out."""
    scale = table[column] / table["updates"]
    high = table["updates_high"].where(np.isfinite(table["updates_high"]))
    known = table.assign(low=table["updates_low"] * scale, high=high * scale)
    bars = {"ecolor": style.BLUE, "elinewidth": 1.4, "label": "95% interval"}
    style.interval_bars(ax, known, "low", column, "high", **bars)
    labels = {True: "median", False: "left out of the fit"}
    style.split_points(ax, table, column, "fitted", labels, ms=6, zorder=3)


def _fitted(ax: Axes, table: pd.DataFrame, curve: Curve | None, name: str = "fitted") -> None:
    fitted = table[table["predicted_updates"].notna()]
    if curve is None or fitted.empty:
        return
    sizes = np.geomspace(fitted["batch_size"].min(), fitted["batch_size"].max(), _SMOOTH)
    ax.plot(sizes, curve(sizes), color=style.ORANGE, ls="--", lw=1.6, label=name)


def _mark(ax: Axes, size: float | None, interval: Ends | None, name: str) -> None:
    """Mark a batch size that isn't one of those tried, with its interval."""
    if size is None:
        return
    if interval is not None and interval.low > 0 and math.isfinite(interval.high):
        ax.axvspan(interval.low, interval.high, color=style.GREY, alpha=0.18, lw=0)
    ax.axvline(size, color=style.INK, lw=1.2, ls="-.", label=f"{name} {significant(size)}")


def _target(analysis: Analysis, record: TargetRecord) -> str:
    kind = (
        "fresh seeds, at the confirmed learning rates"
        if analysis.scaling.fresh
        else "the tuning seeds, which also tuned the learning rates for it"
    )
    return f"Target: {level(analysis, record)}. Measured on {kind}."


def _median(record: TargetRecord) -> str:
    runs = record.batch_sizes["runs"]
    number = plural(int(runs.max()), "run")
    interval = (
        "with its distribution-free 95% interval"
        if record.batch_sizes["updates_low"].notna().any()
        else "without an interval, for which there are too few"
    )
    return f"Median of {number} {interval}."


def _fit(record: TargetRecord) -> str:
    fit = record.fit
    if fit.curve is None:
        return f"Nothing is fitted: {fit.reason[:1].lower()}{fit.reason[1:]}"
    missed, span = plural(fit.censored, "run"), critical_span(fit)
    return sentences(
        f"Dashed: S^p = S_min^p + (E_min/B)^p, p = {significant(fit.curve.power)}, fitted to the "
        f"logarithms of the batch sizes' means over {plural(fit.runs, 'run')}, "
        f"off by up to {off_by(fit.max_log_residual or 0)} at a batch size.",
        fit.poor_fit and "That is a rough estimate.",
        fit.censored > 0 and f"{missed} that missed it: counted as lower bounds.",
        bool(span) and f"Dash-dotted: the {span}.",
    )


def _updates(record: TargetRecord) -> Curve | None:
    curve = record.fit.curve
    return None if curve is None else lambda sizes: curve.at(1 / sizes)


def _described(table: pd.DataFrame, column: str, written: Callable[[float], str]) -> str:
    missing = "not reached by most runs"
    return values(table, column, lambda value: missing if pd.isna(value) else written(value))


def noise_along_training(
    ax: Axes, noise: pd.DataFrame, critical: float | None, interval: Ends | None
) -> Axes:
    """Draw the gradient noise scale of a few batch sizes along training."""
    if critical is not None:
        ax.axhline(critical, color=style.INK, lw=1.2, ls=":", label="critical batch size")
        if interval is not None and math.isfinite(interval.high):
            ax.axhspan(interval.low, interval.high, color=style.GREY, alpha=0.18, lw=0)
    for (size, rows), (color, marker, dashes) in zip(
        noise.groupby("batch_size"), style.LOOKS, strict=False
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
        if rows["b_noise"].notna().any():
            _b_noise(ax, rows, color, marker)
    if noise["b_noise"].notna().any():
        ax.plot([], [], "o-", color=style.INK, ms=5, lw=0.8, mfc="none", label="hollow: B_noise")
    if (noise["status"] != RESOLVED).any():
        ax.plot(
            [], [], "^", color=style.INK, ms=7, mfc="none", mew=1.3, label="unresolved: at least"
        )
    ax.set_xscale("log", base=10)
    style.counts_ticks(ax.xaxis)
    ax.set_xlabel("Examples processed")
    ax.fmt_xdata = lambda number: f"{count(number)} examples"
    ax.legend(loc="upper left")
    return style.counts_axis(ax, "Gradient noise scale (examples)", "examples")


def _b_noise(ax: Axes, rows: pd.DataFrame, color: str, marker: str) -> None:
    """Draw B_noise, where it is resolved, as hollow points with intervals."""
    known = rows.dropna(subset="b_noise")
    value, low = known["b_noise"], known["b_noise_low"]
    lengths = [value - low.where(low > 0, value / 10), known["b_noise_high"] - value]
    ax.errorbar(
        known["examples"], value, yerr=lengths, fmt=f"{marker}-", color=color, mfc="none", ms=5,
        lw=0.8,
    )  # fmt: skip


_CURVATURE = (
    " Hollow: B_noise, which weighs both parts by the curvature of the loss (McCandlish et al. "
    "2018, equation 2.8), where it is resolved."
)


def noise_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the gradient noise scale along training."""
    scaling = analysis.scaling
    if scaling.noise_known.empty:
        return None
    noise = scaling.noise[scaling.noise["examples"] > 0]
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
            + (_CURVATURE if noise["b_noise"].notna().any() else "")
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
