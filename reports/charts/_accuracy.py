"""Charts of the metric at the tuned rates: against batch size, and against training time."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.analysis import SEEDS_FOR_INTERVAL
from reports.charts.base import Chart, in_words, sentences, style, validation, values, with_metric
from reports.recommend import Analysis
from reports.schema import Measure, capitalised, listing, plural, seconds, sizes
from reports.schema.formats import faster
from reports.stats.non_inferiority import NEAR_OPTIMAL, REFERENCE
from reports.text.instruction import margin_text, with_rate


def accuracy(
    ax: Axes,
    table: pd.DataFrame,
    seeds: pd.DataFrame,
    *,
    label: str,
    measure: Measure,
    reference: int | None = None,
) -> None:
    """Draw accuracy against batch size: means if all have an interval, else medians."""
    style.metric_axis(style.batch_size_axis(ax, table["batch_size"]), label, measure)
    shown = "metric" if table["metric_low"].notna().all() else "metric_median"
    ax.plot(seeds["batch_size"], seeds["metric"], "o", color=style.GREY, ms=3, alpha=0.6, mew=0)
    ax.plot(table["batch_size"], table[shown], color=style.BLUE, lw=1.6)
    style.interval_bars(ax, table, "metric_low", "metric_high")
    style.points(ax, table, shown, "near")
    style.keep_within(ax, *measure.shown)
    _shade(ax, table)
    for row in table[table["batch_size"] == reference].to_dict("records"):
        ax.annotate(
            "reference", (reference, row[shown]), (0, -11), textcoords="offset points",
            ha="center", va="top", size=8, gid=f"{style.SIZE_ID}{reference}",
        )  # fmt: skip


def _shade(ax: Axes, table: pd.DataFrame) -> None:
    """Shade the near-optimal sizes, each up to the middle between it and its neighbours."""
    tried = np.log2(table["batch_size"].to_numpy(np.float64))
    middles = (tried[1:] + tried[:-1]) / 2 if len(tried) > 1 else tried
    edges = 2 ** np.concatenate(
        [2 * tried[:1] - middles[:1], middles, 2 * tried[-1:] - middles[-1:]]
    )
    near = np.flatnonzero(table["near"] & (len(tried) > 1))
    for number in near:
        ax.axvspan(edges[number], edges[number + 1], color=style.GREEN, alpha=0.13, lw=0)
    ax.set_xlim(edges[0] / 1.05, edges[-1] * 1.05)
    if len(near):
        ax.annotate(
            "near-optimal", (edges[near[0]], 0), (5, 5), xycoords=ax.get_xaxis_transform(),
            textcoords="offset points", size=8.5,
        )  # fmt: skip


def accuracy_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the metric against batch size; None with nothing to compare."""
    if analysis.reference is None:
        return None
    table, seeds = _readable(analysis), analysis.seeds
    shown = table["near"] & (analysis.recommended is not None)
    return Chart(
        name="accuracy",
        heading=f"{capitalised(analysis.measure.name)} against batch size",
        finding=_finding(analysis),
        caption=_caption(analysis),
        description=values(table, "metric", analysis.measure.text),
        table=table.assign(near=shown),
        figure=partial(
            accuracy,
            seeds=seeds[seeds["batch_size"].isin(table["batch_size"])],
            label=capitalised(analysis.metric),
            measure=analysis.measure,
            reference=analysis.reference,
        ),
        recommended=analysis.recommended,
    )


def _readable(analysis: Analysis) -> pd.DataFrame:
    """The batch sizes with a metric: their texts, and whether they are shown near-optimal."""
    near = analysis.measured["verdict"].isin([REFERENCE, NEAR_OPTIMAL])
    return with_metric(analysis, analysis.measured.assign(near=near))


def _finding(analysis: Analysis) -> str:
    """What the batch size to use attains; without one, how the metric changes."""
    text = analysis.measure.text
    if analysis.recommended is not None:
        value = text(analysis.row(analysis.recommended)["metric"])
        return f"{capitalised(with_rate(analysis.answer))} attains {analysis.metric} {value}"
    ends = analysis.measured.iloc[[0, -1] if len(analysis.measured) > 1 else [0]]
    parts = [
        f"{text(row['metric'])} at batch size {row['batch_size']}" for _, row in ends.iterrows()
    ]
    return f"{capitalised(analysis.metric)} is {listing(parts)}"


def _caption(analysis: Analysis) -> str:
    seeds = analysis.measured["seeds"]
    low, high = int(seeds.min()), int(seeds.max())
    number = plural(high, "seed") if low == high else f"{low} to {high} seeds"
    several, interval = low >= SEEDS_FOR_INTERVAL, " with 95% t interval"
    chosen = (
        f"Each batch size has its learning rate with the {analysis.measure.best} mean "
        f"{validation(analysis)}"
        if analysis.batch_sizes["validation_metric"].notna().any()
        else "The learning rate of each batch size was given"
    )
    return sentences(
        f"{'Mean' if several else 'Median'} {analysis.metric} of {number}{interval * several}; "
        "grey dots are the seeds.",
        bool(analysis.lost)
        and f"Left out: batch {sizes(analysis.lost)}, where a seed has no value.",
        f"{chosen}; every trial trains for {analysis.budget}.",
        analysis.recommended is not None
        and f"Shaded and filled: shown to lose at most {margin_text(analysis)} against batch size "
        f"{analysis.best}, the reference (one-sided 95% tests over the paired seeds).",
    )


def accuracy_and_time(
    ax: Axes, table: pd.DataFrame, *, label: str, measure: Measure, recommended: int | None = None
) -> None:
    """Draw accuracy against the time to train; the Pareto set is filled and joined."""
    ax.set_xscale("log", base=10)
    best = table[table["pareto"]].sort_values("seconds_to_train")
    ax.plot(best["seconds_to_train"], best["metric"], color=style.BLUE, lw=1.2, alpha=0.6)
    style.interval_bars(ax, table, "metric_low", "metric_high", x="seconds_to_train", apart=True)
    known = table.dropna(subset=["seconds_low", "seconds_high"])
    ax.hlines(
        known["metric"], known["seconds_low"], known["seconds_high"], color=style.BLUE, lw=1.4
    )
    style.points(ax, table, "metric", "pareto", x="seconds_to_train", apart=True)
    for number, row in enumerate(table.sort_values("seconds_to_train").to_dict("records")):
        above = number % 2 == 0  # in turns, as those that take about as long are close together
        ax.annotate(
            str(row["batch_size"]), (row["seconds_to_train"], row["metric"]),
            (4, 4 if above else -5), textcoords="offset points", size=8.5,
            va="bottom" if above else "top", gid=f"{style.SIZE_ID}{row['batch_size']}",
        )  # fmt: skip
    ax.margins(0.06, 0.12)
    style.log_ticks(ax.xaxis, style.seconds_tick)
    ax.set_xlabel("Time to train the budget (labels: batch size)")
    style.metric_axis(ax, label, measure)
    for at in table.loc[table["batch_size"] == recommended, "seconds_to_train"]:
        style.recommend(ax, recommended, at)


def accuracy_time_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the metric against training time; None below two batch sizes."""
    table = _readable(analysis).dropna(subset="seconds_to_train")
    if len(table) < 2 or not table["pareto"].any():  # noqa: PLR2004
        return None
    quartiles = analysis.alone.set_index("batch_size")
    ends = {
        f"seconds_{side}": table["updates"] * table["batch_size"].map(quartiles[f"{name}_quartile"])
        for side, name in (("low", "lower"), ("high", "upper"))
    }
    return Chart(
        name="accuracy-time",
        heading=f"{capitalised(analysis.measure.name)} against training time",
        finding=_trade(analysis, table),
        caption=(
            f"Mean {analysis.metric} against the time to train {analysis.training}. Upright bars: "
            "95% t interval over the seeds, with 5 seeds or more. Level bars: quartiles of the "
            f"measured update times. Filled and joined: no other size is both faster and "
            f"{analysis.measure.better} by its mean."
        ),
        description=in_words(
            table,
            "batch size {batch_size}: {metric} in {seconds_to_train}",
            metric=analysis.measure.text,
            seconds_to_train=seconds,
        ),
        table=table.assign(**ends),
        figure=partial(
            accuracy_and_time,
            label=capitalised(analysis.metric),
            measure=analysis.measure,
            recommended=analysis.recommended,
        ),
    )


def _trade(analysis: Analysis, table: pd.DataFrame) -> str:
    """What changes from the smallest batch size to the largest."""
    first, last = table.iloc[0], table.iloc[-1]
    pace = faster(first["seconds_to_train"] / last["seconds_to_train"])
    change = analysis.measure.becomes(last["metric"] - first["metric"], analysis.metric)
    return (
        f"Batch size {last['batch_size']} trains {pace} than batch size {first['batch_size']} and "
        f"{change}"
    )
