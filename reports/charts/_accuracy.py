"""Charts of the metric at the tuned rates: against batch size, against time, seed by seed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from reports.charts.base import Chart, in_words, sentences, style, validation, values
from reports.recommend import Analysis, extreme
from reports.schema import Measure, capitalised, plural, seconds, sizes
from reports.stats.non_inferiority import NEAR_OPTIMAL, REFERENCE
from reports.text.instruction import with_rate

_FEW = 3  # batch sizes that a title names


def accuracy(
    ax: Axes, table: pd.DataFrame, seeds: pd.DataFrame, *, label: str, measure: Measure
) -> Axes:
    """Draw accuracy against batch size.

    Means if every batch size has an interval, else medians and the seeds; filled: may be the best.
    """
    intervals = bool(table["metric_low"].notna().all())
    shown = "metric" if intervals else "metric_median"
    ax.plot(table["batch_size"], table[shown], color=style.BLUE, lw=1.6, zorder=2)
    if intervals:
        style.interval_bars(
            ax, table, "metric_low", "metric", "metric_high",
            ecolor=style.BLUE, elinewidth=1.4, capsize=3, label="95% t interval",
        )  # fmt: skip
    else:
        ax.plot(
            seeds["batch_size"], seeds["metric"], "o", color=style.GREY, ms=3.5, label="one seed"
        )
    statistic = "mean" if intervals else "median"
    near = table["verdict"].isin([REFERENCE, NEAR_OPTIMAL])
    labels = {True: f"{statistic}, shown near-optimal", False: f"{statistic}, not shown"}
    style.split_points(ax, table.assign(near=near), shown, "near", labels, ms=7, zorder=3)
    ax.legend(loc="best")
    return style.metric_axis(style.batch_size_axis(ax, table["batch_size"]), label, measure)


def accuracy_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the metric against batch size; None with nothing to compare."""
    table = analysis.measured
    if analysis.reference is None:
        return None
    return Chart(
        name="accuracy",
        heading=f"{capitalised(analysis.measure.name)} against batch size",
        finding=_best_finding(analysis),
        caption=sentences(
            _statistic(analysis),
            bool(analysis.lost)
            and f"Left out: batch {sizes(analysis.lost)}, where a seed has no value.",
            _tuning(analysis),
            analysis.recommended is not None
            and f"Filled: shown to lose at most {analysis.measure.gap(analysis.margin)} against "
            f"batch size {analysis.best}.",
        ),
        description=values(table, "metric", analysis.measure.text),
        table=table,
        figure=partial(
            accuracy,
            seeds=analysis.seeds[analysis.seeds["batch_size"].isin(table["batch_size"])],
            label=capitalised(analysis.metric),
            measure=analysis.measure,
        ),
    )


def _best_finding(analysis: Analysis) -> str:
    if analysis.recommended is None:
        best = analysis.measure.text(analysis.row(analysis.best)["metric"])
        return f"{capitalised(analysis.metric)} {best} at batch size {analysis.best}"
    value = analysis.measure.text(analysis.row(analysis.recommended)["metric"])
    return f"{capitalised(with_rate(analysis.answer))} attains {analysis.metric} {value}"


def _statistic(analysis: Analysis) -> str:
    seeds = analysis.measured["seeds"]
    low, high = int(seeds.min()), int(seeds.max())
    number = plural(high, "seed") if low == high else f"{low} to {high} seeds"
    if analysis.shows_intervals:
        return f"Mean {analysis.metric} of {number} with 95% t interval."
    return f"Median {analysis.metric} of {number}, and every seed."


def _tuning(analysis: Analysis) -> str:
    chosen = (
        f"The learning rate is the one with the highest mean {validation(analysis)} at that "
        "batch size"
        if analysis.batch_sizes["validation_metric"].notna().any()
        else "The learning rate of each batch size was given"
    )
    return f"{chosen}; the budget of every trial is {analysis.budget}."


def accuracy_and_time(ax: Axes, table: pd.DataFrame, *, label: str, measure: Measure) -> Axes:
    """Draw accuracy against the time to train; the Pareto set is ringed."""
    colors = dict(zip(table["batch_size"], style.ordered_colors(len(table)), strict=True))
    sns.scatterplot(
        table, x="seconds_to_train", y="metric", hue="batch_size", palette=colors, ax=ax, s=45,
        legend=False, edgecolor="none", zorder=3,
    )  # fmt: skip
    ringed = table[table["pareto"]]
    ax.plot(
        ringed["seconds_to_train"], ringed["metric"], "o", ms=12, mfc="none", mec=style.ORANGE,
        mew=1.6, label=f"none both faster and {measure.better}",
    )  # fmt: skip
    for size, point, away in _labels(table):
        ax.annotate(
            size, point, tuple(13 * away),
            textcoords="offset points", ha="center", va="center", size=8,
        )  # fmt: skip
    ax.set_xscale("log", base=10)
    ax.margins(y=0.15)
    style.seconds_ticks(ax.xaxis)
    ax.set_xlabel("Time to train the budget")
    ax.legend(loc="best")
    return style.metric_axis(ax, label, measure)


def _labels(table: pd.DataFrame) -> Iterator[tuple[str, tuple[float, float], np.ndarray]]:
    """Batch sizes, their points, and the direction away from the nearest other point."""
    points = table[["seconds_to_train", "metric"]].to_numpy()
    seen = np.column_stack([np.log(points[:, 0]), points[:, 1]])
    seen /= np.maximum(np.ptp(seen, axis=0), 1e-12) * [1, 2]  # twice as wide as high
    for row, (size, point) in enumerate(zip(table["batch_size"], points, strict=True)):
        steps = np.delete(seen[row] - seen, row, axis=0)
        distances = np.hypot(*steps.T)
        nearest = distances.argmin()
        away = steps[nearest] / distances[nearest] if distances[nearest] > 0 else np.array([0, 1])
        yield str(size), tuple(point), away


def accuracy_time_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the metric against training time; None below two batch sizes."""
    table = analysis.measured.dropna(subset="seconds_to_train")
    ringed = table.loc[table["pareto"], "batch_size"].tolist()
    if len(table) < 2 or not ringed:  # noqa: PLR2004
        return None
    return Chart(
        name="accuracy-time",
        heading=f"{capitalised(analysis.measure.name)} against training time",
        finding=f"None is both faster and {analysis.measure.better} than batch {sizes(ringed)}",
        caption=(
            f"Mean {analysis.metric} against the time to train {analysis.training}, labelled "
            "with the batch size. Ringed: the Pareto set of the means, whose differences may "
            "be chance."
        ),
        description=in_words(
            table,
            "batch size {batch_size}: {metric} in {seconds_to_train}",
            metric=analysis.measure.text,
            seconds_to_train=seconds,
        ),
        table=table,
        figure=partial(
            accuracy_and_time, label=capitalised(analysis.metric), measure=analysis.measure
        ),
    )


def seed_spread(ax: Axes, seeds: pd.DataFrame, *, label: str, measure: Measure) -> Axes:
    """Draw every trial at the tuned rates as a dot; a line joins the trials of one seed."""
    sns.lineplot(
        seeds, x="batch_size", y="metric", units="seed", estimator=None, errorbar=None, ax=ax,
        color=style.GREY, linewidth=0.8, zorder=2,
    )  # fmt: skip
    ax.plot(
        seeds["batch_size"], seeds["metric"], "o", color=style.BLUE, ms=4.5, alpha=0.8, zorder=3
    )
    return style.metric_axis(style.batch_size_axis(ax, seeds["batch_size"]), label, measure)


def seeds_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of the single seeds; None below two of them."""
    seeds = analysis.seeds
    if seeds["seed"].nunique() < 2:  # noqa: PLR2004
        return None
    groups, written = seeds.groupby("batch_size")["metric"], analysis.measure.text
    spread = pd.DataFrame({"low": groups.min(), "high": groups.max()}).reset_index()
    widest = extreme(spread.assign(width=spread["high"] - spread["low"]), "width", largest=True)
    return Chart(
        name="seeds",
        heading="The seeds, one by one",
        finding=(
            f"Seeds differ most at batch size {widest['batch_size']:.0f}: "
            f"{written(widest['low'])} to {written(widest['high'])}"
        ),
        caption=sentences(
            f"Every dot is one trial at the selected rate ({analysis.metric}); a line joins the "
            "trials that share a seed, and with it split and initial weights.",
            bool(analysis.lost) and f"At batch {sizes(analysis.lost)} a seed has no value.",
        ),
        description=in_words(
            spread, "batch size {batch_size}: {low} to {high}", low=written, high=written
        ),
        table=seeds,
        figure=partial(seed_spread, label=capitalised(analysis.metric), measure=analysis.measure),
    )
