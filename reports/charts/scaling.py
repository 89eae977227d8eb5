"""Charts of the way to a target: updates, examples and time against batch size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.analysis.scaling_record import TargetRecord
from reports.charts.base.chart import Chart, in_words, values
from reports.charts.base.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    batch_size_axis,
    counts_axis,
    counts_ticks,
    seconds_axis,
    split_points,
)
from reports.recommend.record import Analysis
from reports.schema.formats import count, listing, off_by, plural, seconds, significant, times
from reports.stats.bounds import Ends
from reports.stats.models.first_passage import NOT_REACHED
from reports.text.scaling import critical_span, level, range_span

_SMOOTH = 80
"""Points of a computed curve."""
Curve = Callable[[np.ndarray], np.ndarray]


def steps_to_target(
    ax: Axes, table: pd.DataFrame, bounds: pd.DataFrame, curve: Curve | None
) -> Axes:
    """Draw updates to the target against batch size, with perfect scaling and the fitted curve.

    `table`: columns `reports.analysis.scaling_record.TO_TARGET_COLUMNS`. `bounds`: columns
    batch_size, updates and text: where runs missed the target, the updates they made and how many
    they are.
    """
    known = table.dropna(subset="updates")
    if not known.empty:
        first = known.iloc[0]
        ideal = first["updates"] * first["batch_size"] / known["batch_size"]
        ax.plot(known["batch_size"], ideal, color=GREY, ls=":", lw=1.4, label="perfect: ∝ 1/B")
        shown = pd.concat([known["updates"], bounds["updates"]])
        ax.set_ylim(shown.min() / 4, 3 * shown.max())
    _fitted(ax, table, curve)
    _medians(ax, known, "updates")
    if not bounds.empty:
        ax.plot(
            bounds["batch_size"], bounds["updates"], "^", color=INK, ms=7, mfc="none", mew=1.3,
            label="not reached by so many runs: more than",
        )  # fmt: skip
        for row in bounds.to_dict("records"):
            ax.annotate(
                row["text"], (row["batch_size"], row["updates"]), (0, 7),
                textcoords="offset points", ha="center", size=8,
            )  # fmt: skip
    ax.legend(loc="upper right")
    return counts_axis(batch_size_axis(ax, table["batch_size"]), "Updates to the target", "updates")


def steps_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of updates to the target."""
    record = analysis.scaling.main
    if record is None:
        return None
    table = record.batch_sizes
    if table["updates"].isna().all() and _bounds(record).empty:
        return None
    return Chart(
        name="steps-to-target",
        heading="Updates to the target",
        finding=_steps_finding(record),
        caption=f"{_target(analysis, record)} {_median(record)} {_fit(record)}",
        description=_described(table, "updates", count),
        table=table,
        figure=partial(steps_to_target, bounds=_bounds(record), curve=_updates(record)),
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


def examples_to_target(
    ax: Axes,
    table: pd.DataFrame,
    curve: Curve | None,
    critical: float | None,
    interval: Ends | None,
) -> Axes:
    """Draw examples to the target against batch size, with the critical batch size.

    `table`: columns `reports.analysis.scaling_record.TO_TARGET_COLUMNS`.
    """
    known = table.dropna(subset="updates")
    _fitted(ax, table, None if curve is None else lambda sizes: curve(sizes) * sizes)
    _medians(ax, known, "examples")
    batch_size_axis(ax, table["batch_size"])
    if critical is not None:
        _mark(ax, critical, interval, f"critical batch size {significant(critical)}")
    ax.legend(loc="upper left")
    return counts_axis(ax, "Examples to the target", "examples")


def examples_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of examples to the target."""
    record = analysis.scaling.main
    if record is None or record.batch_sizes["updates"].isna().all():
        return None
    fit = record.fit
    return Chart(
        name="examples-to-target",
        heading="Examples to the target",
        finding=(
            f"Examples grow with the batch beyond a {critical_span(fit)}"
            if critical_span(fit)
            else f"The critical batch size can't be told: {_lower(fit.reason)}"
        ),
        caption=f"{_target(analysis, record)} {_median(record)} {_fit(record)}",
        description=_described(record.batch_sizes, "examples", count),
        table=record.batch_sizes,
        figure=partial(
            examples_to_target,
            curve=_updates(record),
            critical=fit.critical_batch_size,
            interval=fit.critical_batch_size_interval,
        ),
    )


def steps_against_examples(
    ax: Axes, table: pd.DataFrame, curve: Curve, ends: tuple[float | None, float | None]
) -> Axes:
    """Draw updates against examples to the target, batch size by batch size.

    `table`: columns `reports.analysis.scaling_record.TO_TARGET_COLUMNS`; rows with updates.
    """
    sizes = _between(table["batch_size"])
    updates = curve(sizes)
    ax.plot(updates * sizes, updates, color=ORANGE, ls="--", lw=1.6, label="fitted hyperbola")
    ax.plot(table["examples"], table["updates"], "o", color=BLUE, ms=6, label="median, measured")
    for row in table.to_dict("records"):
        ax.annotate(
            str(row["batch_size"]), (row["examples"], row["updates"]), (6, 4),
            textcoords="offset points", size=8,
        )  # fmt: skip
    for draw, end in zip((ax.axhline, ax.axvline), ends, strict=True):
        if end is not None:
            draw(end, color=GREY, ls=":", lw=1.2)
    ax.set_xscale("log", base=10)
    counts_ticks(ax.xaxis)
    ax.set_xlabel("Examples to the target")
    ax.fmt_xdata = lambda number: f"{count(number)} examples"
    ax.legend(loc="upper right")
    return counts_axis(ax, "Updates to the target", "updates")


def tradeoff_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of updates against examples."""
    record = analysis.scaling.main
    curve = record and _updates(record)
    if record is None or not curve:
        return None
    table, fit = record.batch_sizes.dropna(subset="updates"), record.fit
    return Chart(
        name="steps-examples",
        heading="Updates against examples",
        finding=_tradeoff_finding(record),
        caption=(
            f"{_target(analysis, record)} Each point is a batch size; dashed the fitted "
            "hyperbola (S/S_min - 1)(E/E_min - 1) = 1, dotted its ends: updates and examples "
            "that any batch size needs (McCandlish et al. 2018)."
        ),
        description=in_words(
            table,
            lambda row: (
                f"batch size {row['batch_size']}: {count(row['updates'])} updates, "
                f"{count(row['examples'])} examples"
            ),
        ),
        table=table,
        figure=partial(
            steps_against_examples, curve=curve, ends=(fit.min_updates, fit.min_examples)
        ),
    )


def _tradeoff_finding(record: TargetRecord) -> str:
    fit = record.fit
    fewest = None if fit.min_updates is None else plural(round(fit.min_updates), "update")
    least = None if fit.min_examples is None else plural(round(fit.min_examples), "example")
    known = [text for text in (fewest, least) if text]
    if not known:
        return "The data show neither the fewest updates nor the fewest examples"
    return f"The target needs at least about {listing(known)}, whatever the batch size"


def time_to_target(
    ax: Axes, table: pd.DataFrame, curve: Curve | None, best: float | None, interval: Ends | None
) -> Axes:
    """Draw time to the target against batch size, measured and predicted.

    `table`: columns `reports.analysis.scaling_record.TO_TARGET_COLUMNS`; rows with seconds.
    """
    _fitted(ax, table, curve, "predicted: updates by seconds, both fitted")
    _medians(ax, table, "seconds")
    batch_size_axis(ax, table["batch_size"])
    if best is not None:
        _mark(ax, best, interval, f"predicted best {significant(best)}")
    fastest = table.sort_values(["seconds", "batch_size"]).iloc[[0]]
    ax.plot(
        fastest["batch_size"], fastest["seconds"], "o", ms=13, mfc="none", mec=GREEN, mew=1.6,
        label="measured best",
    )  # fmt: skip
    ax.legend(loc="upper center", ncols=2)
    seconds_axis(ax, "Time to the target")
    # Only a logarithmic axis has its lower end where the values are, however far apart they lie.
    ax.set_ylim(top=3 * table["seconds"].max())
    return ax


def time_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of time to the target, measured and predicted."""
    record = analysis.scaling.main
    if record is None or record.fastest is None:
        return None
    table, best = record.batch_sizes.dropna(subset="seconds"), record.best
    predicted = (
        ""
        if best.batch_size is None
        else (
            " Dash-dotted: where S_min (1 + B_crit/B)(alpha + beta B) is shortest, "
            f"shaded its interval; within 5% of that time are {range_span(best.near)}."
        )
    )
    return Chart(
        name="time-to-target",
        heading="Time to the target",
        finding=_time_finding(record),
        caption=(
            f"{_target(analysis, record)} Updates by the median seconds of an update from the "
            f"timing pass. {_median(record)}{predicted}"
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
    """Medians with their intervals; hollow where the fit leaves them out."""
    scale = table[column] / table["updates"]
    low = (table["updates"] - table["updates_low"]) * scale
    high = (table["updates_high"] - table["updates"]) * scale
    ends = table[low.notna() & np.isfinite(high)]
    if not ends.empty:
        ax.errorbar(
            ends["batch_size"], ends[column], [low[ends.index], high[ends.index]], fmt="none",
            ecolor=BLUE, elinewidth=1.4, label="95% interval",
        )  # fmt: skip
    labels = {True: "median", False: "left out of the fit"}
    split_points(ax, table, column, "fitted", labels, ms=6, zorder=3)


def _fitted(ax: Axes, table: pd.DataFrame, curve: Curve | None, name: str = "fitted") -> None:
    fitted = table[table["predicted_updates"].notna()]
    if curve is None or fitted.empty:
        return
    sizes = _between(fitted["batch_size"])
    ax.plot(sizes, curve(sizes), color=ORANGE, ls="--", lw=1.6, label=name)


def _between(sizes: Sequence[int] | pd.Series[int]) -> np.ndarray:
    return np.geomspace(min(sizes), max(sizes), _SMOOTH)


def _mark(ax: Axes, size: float, interval: Ends | None, name: str) -> None:
    """A batch size that isn't one of those tried, with its interval."""
    if interval is not None and interval.low > 0 and math.isfinite(interval.high):
        ax.axvspan(interval.low, interval.high, color=GREY, alpha=0.18, lw=0)
    ax.axvline(size, color=INK, lw=1.2, ls="-.", label=name)


def _target(analysis: Analysis, record: TargetRecord) -> str:
    kind = "fresh seeds" if analysis.scaling.fresh else "the tuning seeds, which also set it"
    return f"Target: {level(analysis, record)}. Measured on {kind}, at the tuned rates."


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
        return f"Nothing is fitted: {_lower(fit.reason)}"
    poor = " That is a poor fit." if fit.poor_fit else ""
    missed = plural(fit.censored, "run")
    bounds = f" {missed} that missed it: counted as lower bounds." if fit.censored else ""
    return (
        f"Dashed: S = S_min + E_min/B, fitted to the logarithms of {plural(fit.runs, 'run')}, "
        f"off by up to {off_by(fit.max_log_residual or 0)} at a batch size.{poor}{bounds}"
    )


def _updates(record: TargetRecord) -> Curve | None:
    curve = record.fit.curve
    return None if curve is None else lambda sizes: curve.at(1 / sizes)


def _described(table: pd.DataFrame, column: str, written: Callable[[float], str]) -> str:
    missing = "not reached by most runs"
    return values(table, column, lambda value: missing if pd.isna(value) else written(value))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
