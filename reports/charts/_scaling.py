"""Charts of training to a target: updates, time, and the gradient noise scale along training."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.analysis import TargetRecord
from reports.charts.base import Chart, Row, sentences, style, values, with_readings
from reports.recommend import Analysis
from reports.schema import (
    count,
    listing,
    lowered,
    off_by,
    percent,
    plural,
    seconds,
    significant,
    sizes,
    times,
)
from reports.stats import Ends
from reports.stats.models import NOT_REACHED, RESOLVED
from reports.text import level
from reports.text.reaching_target import range_span, range_text

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
) -> None:
    """Draw updates to the target against batch size, with perfect scaling and the fitted curve."""
    style.batch_size_axis(ax, table["batch_size"])
    style.log_axis(ax, "Updates to the target", style.count_tick)
    known = table.dropna(subset="updates")
    if not known.empty:
        drawn = pd.concat([known["updates"], bounds["updates"]])
        ax.set_ylim(drawn.min() / 4, 3 * drawn.max())
        # Perfect scaling, in proportion to 1/B, as far as it lies within the axes.
        first = known.iloc[0]
        sizes = np.geomspace(first["batch_size"], known["batch_size"].max(), _SMOOTH)
        ideal = first["updates"] * first["batch_size"] / sizes
        shown = ideal >= ax.get_ylim()[0]
        ax.plot(sizes[shown], ideal[shown], color=style.GREY, ls=":", lw=1.4)
        named = 2 * shown.sum() // 3
        ax.annotate(
            "ideal: 1/B", (sizes[named], ideal[named]), (-6, -3), textcoords="offset points",
            ha="right", va="top", size=8.5,
        )  # fmt: skip
    _fitted(ax, table, curve)
    _medians(ax, known, "updates")
    if critical is not None:
        style.band(ax, critical, interval, f"critical: {_with_interval(critical, interval)}")
    if not bounds.empty:
        ax.plot(bounds["batch_size"], bounds["updates"], "^", color=style.INK, ms=7, mfc="none")
        style.labels_above(ax, bounds["text"], bounds["batch_size"], bounds["updates"])
        last = bounds.iloc[-1]
        style.name_ends(ax, [("missed the target", last["batch_size"], last["updates"])])


def _with_interval(size: float, interval: Ends | None) -> str:
    return f"{significant(size, 2)} ({range_span(interval)})" if interval else significant(size, 2)


def steps_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of updates to the target."""
    record = analysis.scaling.main
    if record is None:
        return None
    table, runs = record.batch_sizes, record.crossings
    # Where runs missed the target: the median of the updates they made, and how many they are.
    missed = runs[(runs["outcome"] == NOT_REACHED) & (runs["updates"] > 0)]
    bounds = missed.groupby("batch_size", as_index=False)["updates"].median()
    rows = table.set_index("batch_size").loc[bounds["batch_size"]]
    shares = zip(rows["runs"] - rows["reached"], rows["runs"], strict=True)
    bounds = bounds.assign(text=[f"{missing}/{total}" for missing, total in shares])
    if table["updates"].isna().all() and bounds.empty:
        return None
    return Chart(
        name="steps-to-target",
        heading="Updates to the target",
        finding=_steps_finding(record),
        caption=(
            f"Target: {level(analysis, record)}. Measured on "
            f"{'fresh' if analysis.scaling.fresh else 'the tuning'} seeds. {_median(record)} "
            f"{_fit(record)}"
        ),
        description=_described(table, "updates", count),
        table=_readable(analysis, table, "updates"),
        figure=partial(
            steps_to_target,
            bounds=bounds,
            curve=_updates(record),
            critical=record.fit.critical_batch_size,
            interval=record.fit.critical_batch_size_interval,
        ),
        recommended=analysis.recommended,
        right=style.NAMED,
    )


def _readable(analysis: Analysis, table: pd.DataFrame, column: str) -> pd.DataFrame:
    """The table with what is read at its marks: updates with their interval, and time."""

    def value(row: Row) -> str:
        span = ""
        if not pd.isna(row["updates_low"]):
            bounds = Ends(row["updates_low"], row["updates_high"])
            span = f" (95% CI {range_text(*bounds, count)})"
        time = f" in {seconds(row['seconds'])}" if column == "seconds" else ""
        reached = f"{row['reached']} of {plural(row['runs'], 'run')} reached it"
        return f"target after {count(row['updates'])} updates{span}{time}, {reached}"

    return with_readings(analysis, table, value)


def _steps_finding(record: TargetRecord) -> str:
    known = record.batch_sizes.dropna(subset="updates")
    if known.empty:
        return "No batch size reaches the target in most of its runs"
    if len(known) == 1:
        return f"Only batch size {known['batch_size'].iloc[0]} reaches the target in most runs"
    fit, first, last = record.fit, known.iloc[0], known.iloc[-1]
    if fit.critical_batch_size is not None and not fit.poor_fit:
        return (
            "Doubling the batch size nearly halves the updates well below the critical batch size "
            f"of {significant(fit.critical_batch_size, 2)}, and saves little beyond it"
        )
    fewer, larger = first["updates"] / last["updates"], last["batch_size"] / first["batch_size"]
    return (
        f"From batch size {first['batch_size']} to {last['batch_size']}, {times(larger)} as large, "
        f"the target takes {times(fewer)} fewer updates"
    )


def time_to_target(
    ax: Axes,
    table: pd.DataFrame,
    curve: Curve | None,
    best: float | None = None,
    interval: Ends | None = None,
) -> None:
    """Draw time to the target against batch size, measured and predicted."""
    style.batch_size_axis(ax, table["batch_size"])
    style.log_axis(ax, "Time to the target", style.seconds_tick)
    _fitted(ax, table, curve)
    _medians(ax, table, "seconds")
    if best is not None:
        style.band(ax, best, interval, f"predicted best: {_with_interval(best, interval)}")
    # Only a logarithmic axis has its lower bound where the values are, however far apart they lie.
    ax.set_ylim(table["seconds"].min() / 3, 3 * table["seconds"].max())


def time_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of time to the target, measured and predicted."""
    record = analysis.scaling.main
    if record is None or record.fastest is None:
        return None
    table, best = record.batch_sizes.dropna(subset="seconds"), record.best
    # How the measured time changes up to where it is shortest, and beyond.
    shown = [table["batch_size"].iloc[0], record.fastest, table["batch_size"].iloc[-1]]
    texts = [
        f"{seconds(row['seconds'], 2)} at batch size {row['batch_size']}"
        for row in table[table["batch_size"].isin(shown)].to_dict("records")
    ]
    return Chart(
        name="time-to-target",
        heading="Time to the target",
        finding=f"Time to the target: {listing(texts)}",
        caption=sentences(
            "The target of figure “Updates to the target”. Updates times the median seconds of "
            f"an update. {_median(record)}",
            best.batch_size is not None
            and "Orange: fitted updates times fitted seconds, shortest at the line (band: 95% "
            f"interval), and within 5% of that at {range_span(best.near)}.",
        ),
        description=_described(table, "seconds", seconds),
        table=_readable(analysis, table, "seconds"),
        figure=partial(
            time_to_target,
            curve=_seconds(analysis, record),
            best=best.batch_size,
            interval=best.interval,
        ),
        recommended=analysis.recommended,
        right=style.NAMED,
    )


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
    style.interval_bars(ax, known, "low", "high")
    style.points(ax, table, column, "fitted")


def _fitted(ax: Axes, table: pd.DataFrame, curve: Curve | None) -> None:
    """Draw the fitted curve within its range; named at its end, below it where sizes follow."""
    fitted = table[table["predicted_updates"].notna()]
    if curve is None or fitted.empty:
        return
    sizes = np.geomspace(fitted["batch_size"].min(), fitted["batch_size"].max(), _SMOOTH)
    ax.plot(sizes, curve(sizes), color=style.ORANGE, ls="--", lw=1.6)
    last = sizes[-1] >= table["batch_size"].max()
    ax.annotate(
        "fitted", (sizes[-1], curve(sizes[-1:])[0]), (7, 0) if last else (0, -5), size=8.5,
        textcoords="offset points", ha="left" if last else "center", va="center" if last else "top",
    )  # fmt: skip


def _median(record: TargetRecord) -> str:
    table = record.batch_sizes
    known = table["updates_low"].notna().any()
    interval = "with its distribution-free 95% interval" if known else "without an interval"
    return f"Median of {plural(int(table['runs'].max()), 'run')} {interval}."


def _fit(record: TargetRecord) -> str:
    fit = record.fit
    if fit.curve is None:
        return f"Nothing is fitted: {lowered(fit.reason)}"
    missed, size = plural(fit.censored, "run"), fit.critical_batch_size
    return sentences(
        f"Dashed: S^p = S_min^p + (E_min/B)^p, p = {significant(fit.curve.power)}, fitted to the "
        f"logarithms of the batch sizes' means over {plural(fit.runs, 'run')}; the curve misses a "
        f"batch size by up to {off_by(fit.max_log_residual or 0)}.",
        fit.poor_fit and "That is a rough estimate.",
        fit.censored > 0 and f"{missed} that missed the target count as lower bounds (triangles).",
        size is not None
        and f"Dash-dotted, with its band: the critical batch size of {significant(size)} (95% CI "
        f"{range_span(fit.critical_batch_size_interval)}).",
        not bool(record.batch_sizes["fitted"].all())
        and "Hollow: left out of the fit, as the rate lies at the edge of those tried.",
    )


def _updates(record: TargetRecord) -> Curve | None:
    curve = record.fit.curve
    return None if curve is None else lambda sizes: curve.at(1 / sizes)


def _described(table: pd.DataFrame, column: str, written: Callable[[float], str]) -> str:
    missing = "most runs did not reach it"
    return values(table, column, lambda value: missing if pd.isna(value) else written(value))


def noise_along_training(
    ax: Axes,
    noise: pd.DataFrame,
    critical: float | None,
    interval: Ends | None,
    label: str = "batch size {}",
) -> None:
    """Draw the gradient noise scale of a few batch sizes along training."""
    ax.set_xscale("log", base=10)
    style.log_ticks(ax.xaxis, style.count_tick)
    style.log_axis(ax, "Gradient noise scale (examples)", style.count_tick)
    ax.set_xlabel("Examples processed")
    names = []
    for dashes, (size, rows) in zip(style.DASHES, noise.groupby("batch_size"), strict=False):
        gid, name = f"{style.SIZE_ID}{size}", label.format(size)
        resolved = rows[rows["status"] == RESOLVED]
        line: dict[str, Any] = {"color": style.BLUE, "lw": 1.4, "ls": "-", "dashes": dashes}
        look: dict[str, Any] = {"color": style.BLUE, "gid": gid}
        style.add_marks(ax, resolved, "examples", "noise_scale", marker="o", ms=4, **line | look)
        low = resolved["low"].where(resolved["low"] > 0, resolved["noise_scale"] / 10)
        ax.fill_between(resolved["examples"], low, resolved["high"], alpha=0.12, lw=0, **look)
        rest = rows[(rows["status"] != RESOLVED) & (rows["low"] > 0)]
        style.add_marks(ax, rest, "examples", "low", marker="^", ms=7, mfc="none", **look)
        # In other metrics, where it is resolved: hollow points with intervals.
        for scale, marker in (("b_noise", "o"), ("b_geometry", "D")):
            known = rows.dropna(subset=scale)
            value, least, most = (known[f"{scale}{end}"] for end in ("", "_low", "_high"))
            lengths = [value - least.where(least > 0, value / 10), most - value]
            line = {"fmt": f"{marker}-", "mfc": "none", "ms": 5, "lw": 0.8}
            if len(known):
                ax.errorbar(known["examples"], value, lengths, **line | look)
        ends = pd.concat([resolved["noise_scale"], rest["low"]]).sort_index()
        names += [(name, rows.loc[i, "examples"], end) for i, end in [*ends.items()][-1:]]
    if critical is not None:
        ax.axhline(critical, color=style.ORANGE, lw=1.2, ls="-.")
        names.append(("critical batch size", noise["examples"].max(), critical))
        if interval is not None and math.isfinite(interval.high):
            ax.axhspan(interval.low, interval.high, color=style.ORANGE, alpha=0.15, lw=0)
    style.name_ends(ax, names)


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
        caption=sentences(
            "Trace of the gradients' covariance divided by the gradient's squared length: a ratio "
            f"of means over the {kind} seeds, with Fieller's 95% interval. Shown: batch "
            f"{sizes(shown)}. Triangles: the noise scale is at least that; the squared length "
            "may be zero.",
            bool(noise["b_noise"].notna().any())
            and "Hollow: B_noise, which weighs both parts by the curvature of the loss (McCandlish "
            "et al. 2018, equation 2.8).",
            bool(noise["b_geometry"].notna().any())
            and "Diamonds: in the optimizer's geometry, each parameter weighed as its steps are.",
        ),
        description="; ".join(
            _noise_described(points) for _, points in noise.groupby("batch_size")
        ),
        table=rows.assign(reading=[_noise_reading(row) for row in rows.to_dict("records")]),
        figure=partial(
            noise_along_training,
            critical=fit.critical_batch_size if fit else None,
            interval=fit.critical_batch_size_interval if fit else None,
        ),
        right=style.NAMED,
    )


def critical_along_training(ax: Axes, critical: pd.DataFrame, noise: pd.DataFrame) -> None:
    """Draw the critical batch size at each point where branches left, and the noise scale there."""
    noise_along_training(ax, noise, None, None, "noise scale")
    style.log_axis(ax, "Batch size (examples)", style.count_tick)
    known = critical[np.isfinite(critical["critical_batch_size"])]
    look: dict[str, Any] = {"color": style.ORANGE}
    style.add_marks(ax, known, "examples", "critical_batch_size", marker="s", ms=6, lw=1.6, **look)
    low, high = critical["critical_low"], critical["critical_high"].clip(upper=critical["largest"])
    ax.vlines(critical["examples"], low, high, lw=1.2, **look)
    rest = critical[np.isinf(critical["critical_batch_size"])]
    style.add_marks(ax, rest, "examples", "largest", marker="^", ms=7, mfc="none", **look)
    ends = critical["critical_batch_size"].clip(upper=critical["largest"])
    style.name_ends(ax, [("critical batch size", critical["examples"].iloc[-1], ends.iloc[-1])])


def critical_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the critical batch size along training, as branches measure it."""
    _, critical, noise = analysis.scaling.branched
    critical = critical.dropna(subset="critical_batch_size")
    if critical.empty:
        return None
    noise = noise.assign(reading=[_noise_reading(row) for row in noise.to_dict("records")])
    tolerance = percent(analysis.study.branch_tolerance or 0.0)
    seeds = plural(critical["seeds"].max(), "seed")
    readings = [_critical_reading(row) for row in critical.to_dict("records")]
    return Chart(
        name="critical-batch-size",
        heading="Critical batch size along training",
        finding=_critical_finding(critical),
        caption=sentences(
            f"From each point the run of batch size {critical['batch_size'].iloc[0]} was continued "
            "with larger batches. Squares: the largest whose training loss stays within "
            f"{tolerance} of the run's, with its 95% interval over {seeds} (Merrill et al. 2025).",
            bool(np.isinf(critical["critical_batch_size"]).any())
            and "Triangles: no branch was worse, up to there.",
            not noise.empty and "Blue: the noise scale of the same runs.",
            bool(noise["b_noise"].notna().any()) and "Hollow: B_noise.",
        ),
        description="; ".join(readings),
        table=critical.assign(reading=readings),
        figure=partial(critical_along_training, noise=noise),
        right=style.NAMED,
    )


def _critical_reading(row: Row) -> str:
    passed = f"after {count(row['examples'])} examples"
    if math.isinf(row["critical_batch_size"]):
        return f"{passed}: at least {row['largest']}"
    ends = Ends(row["critical_low"], row["critical_high"])
    span = "" if math.isnan(ends.low) else f" (95% CI {range_span(ends)})"
    return f"{passed}: {significant(row['critical_batch_size'], 2)}{span}"


def _critical_finding(critical: pd.DataFrame) -> str:
    first, last = critical.iloc[0], critical.iloc[-1]
    texts = [
        "at least " * math.isinf(row["critical_batch_size"])
        + significant(min(row["critical_batch_size"], row["largest"]), 2)
        + f" after {count(row['examples'])} examples"
        for row in (first, last)
    ]
    if len(critical) == 1:
        return f"The critical batch size is {texts[0]}"
    return f"The critical batch size is {' and '.join(texts)}"


def _noise_reading(row: Row) -> str:
    known = row["status"] == RESOLVED
    value = significant(row["noise_scale"]) if known else f"at least {significant(row['low'])}"
    passed = f"batch size {row['batch_size']}, {count(row['examples'])} examples"
    return f"{passed}: noise scale {value} examples"


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
        return f"In training to the target, the noise scale is {ratios} the critical batch size"
    noise = analysis.scaling.noise
    resolved = noise[(noise["status"] == RESOLVED) & (noise["examples"] > 0)]
    if resolved.empty:
        return "The seeds don't resolve the gradient noise scale"
    return (
        f"The noise scale goes from {significant(resolved['noise_scale'].min())} to "
        f"{significant(resolved['noise_scale'].max())} examples in training"
    )
