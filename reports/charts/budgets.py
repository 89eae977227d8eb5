"""The chart of the budget rules, and what a reader can choose with its slider."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator

from reports.analysis import by_rule
from reports.charts.base import Chart, Row, in_words, interval_text, style, with_readings
from reports.charts.base.svg import draw_with, embedded, inline
from reports.recommend import Analysis
from reports.schema import Measure, count, listing, plural, rate, seconds
from reports.text import RULE_WORDS, amount
from reports.text.budget_rules import budget_sentence, stopped_note

_GAP = 0.05  # between two panels, as a share of the whole
_TALL = 0.92  # height of a panel, too; its heading is above it
_MOST_TICKS = 5  # batch sizes named in a panel
_CAPTION = (
    "Computed by the rules of the figure above. Undecided: not significantly lower than the best. "
    "(early): read before the first evaluation."
)


def budget_panels(
    ax: Axes, table: pd.DataFrame, *, label: str, measure: Measure, recommended: int | None = None
) -> None:
    """Draw the metric against batch size under several budget rules, a panel for each."""
    ax.set_axis_off()
    panels = _panels(table)
    width = (1 + _GAP) / len(panels) - _GAP
    low, high = limits(table, measure)
    for number, (heading, rows) in enumerate(panels.items()):
        panel = ax.inset_axes((number * (width + _GAP), 0, width, _TALL))
        style.metric_axis(style.batch_size_axis(panel, rows["batch_size"]), label, measure)
        panel.plot(rows["batch_size"], rows["metric"], color=style.BLUE, lw=1.6)
        style.interval_bars(panel, rows, "metric_low", "metric_high", lw=1.2)
        style.points(panel, rows, "metric", "tied", ms=5)
        ticks = sorted(set(rows["batch_size"]))
        panel.xaxis.set_major_locator(FixedLocator(ticks[:: -(-len(ticks) // _MOST_TICKS)]))
        panel.set(ylim=(low, high), xlabel=style.SIZES)
        # With its place given, no ticks are made to find one above them.
        panel.set_title(heading, fontsize=9.5, loc="left", pad=16, y=1.0)
        style.recommend(panel, recommended)
        if number:
            panel.tick_params(labelleft=False)
            panel.set_ylabel("")


def budget_frame(ax: Axes, table: pd.DataFrame, *, label: str) -> None:
    """Draw axes for any budget, with nothing in them: their y goes from 0 to 1, without ticks."""
    batch_sizes = sorted(set(table["batch_size"]))
    ax.set(ylim=(0, 1), yticks=[], ylabel=label)
    style.batch_size_axis(ax, batch_sizes)
    ax.set_xlim(batch_sizes[0] / 2**0.5, batch_sizes[-1] * 2**0.5)


def limits(table: pd.DataFrame, measure: Measure) -> tuple[float, float]:
    """Return bounds of an axis that holds all means and intervals, but for what has failed."""
    metrics = table[["metric", "metric_low", "metric_high"]].to_numpy(np.float64)
    usual = metrics[(metrics >= measure.shown[0]) & (metrics <= measure.shown[1])]
    shown = usual if usual.size else metrics
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    margin = 0.05 * max(high - low, 1e-3, 1e-3 * abs(high))
    return low - margin, high + margin


def budget_chart(analysis: Analysis) -> Chart | None:
    """Return the chart of all rules, each with the largest budget that all batch sizes reach."""
    table = analysis.budgets[analysis.budgets["common"]]
    if table.empty:
        return None
    panels, seeds = _panels(table), plural(int(table["seeds"].max()), "tuning seed")

    def value(row: Row) -> str:
        span = interval_text(row, "metric", analysis.measure.span)
        metric = f"{analysis.measure.text(row['metric'])}{span}"
        budget = amount(row["rule"], row["budget"])
        return f"{metric} with {budget}, {plural(row['seeds'], 'tuning seed')}"

    return Chart(
        name="budgets",
        heading="Budget rules",
        finding=_finding(analysis, panels),
        caption=(
            f"Mean validation {analysis.measure.name} of {seeds} with 95% t interval, each seed at "
            "the learning rate that is best on the others. Each panel has the largest budget that "
            "all batch sizes reach. Filled: not significantly different from the best (paired t "
            "tests, Holm over all pairs, 5%)."
            f"{stopped_note(analysis)}"
        ),
        description=in_words(
            pd.concat([rows.assign(panel=panel) for panel, rows in panels.items()]),
            "{panel}: batch size {batch_size}: {metric}",
            metric=analysis.measure.text,
        ),
        # The rate depends on the seed.
        table=with_readings(analysis, table.assign(learning_rate=math.nan), value),
        figure=partial(
            budget_panels,
            label=f"Validation {analysis.measure.name}",
            measure=analysis.measure,
            recommended=analysis.recommended,
        ),
        height=2.9,
    )


def _panels(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Rows of each rule, by the heading above them."""
    return {
        f"{RULE_WORDS[rule].capitalize()}: {amount(rule, rows['budget'].iloc[0])}": rows
        for rule, rows in by_rule(table).items()
    }


def _finding(analysis: Analysis, panels: dict[str, pd.DataFrame]) -> str:
    best = [int(rows.loc[rows["best"], "batch_size"].iloc[0]) for rows in panels.values()]
    where = f"the {analysis.measure.best} mean validation {analysis.measure.name} is at batch size"
    if len({*best}) == 1:
        return f"Whatever is held fixed, {where} {best[0]}"
    parts = [
        f"{size} with {RULE_WORDS[rows['rule'].iloc[0]]}"
        for size, rows in zip(best, panels.values(), strict=True)
    ]
    return f"It depends on what is held fixed: {where} {listing(parts)}"


@dataclass(frozen=True)
class Slider:
    """A budget to choose, and what is found with it: all of it computed, ready to be shown."""

    rules: tuple[str, ...]  # what batch sizes get equally much of, as words
    caption: str
    frame: Markup  # axes as an `<svg>` element, without marks
    data: Markup  # JSON for an attribute: bounds of the frame, first budget and steps by rule


def budget_slider(analysis: Analysis, prefix: str = "") -> Slider | None:
    """Return what the page's slider over budgets shows; None if there is nothing to choose."""
    table = analysis.budgets
    if table.empty:
        return None
    batch_sizes = sorted({int(size) for size in table["batch_size"]})
    label = f"Validation {analysis.measure.name}"
    chart = Chart(
        name="budget",
        heading="",
        finding=f"{label} against batch size with the budget chosen",
        caption="",
        description="The table below lists the values.",
        table=table,
        figure=partial(budget_frame, label=label),
    )
    corners = [(batch_sizes[0] / 2**0.5, 0), (batch_sizes[-1] * 2**0.5, 1)]
    points = np.array([*corners, *((size, 0) for size in batch_sizes)])
    frame, places = draw_with(chart, points.astype(np.float64))
    (left, bottom), (right, top) = places[:2].round(1).tolist()
    across = dict(zip(batch_sizes, places[2:, 0].round(1).tolist(), strict=True))
    placed, choices = by_rule(table.assign(x=table["batch_size"].map(across))), []
    for of_rule in placed.values():
        budgets = [rows for _, rows in of_rule.groupby("budget")]
        common = next(number for number, rows in enumerate(budgets) if rows["common"].all())
        steps = [_step(analysis, rows, bottom, top) for rows in budgets]
        choices.append({"first": common, "steps": steps})
    return Slider(
        rules=tuple(RULE_WORDS[rule] for rule in placed),
        caption=f"{_CAPTION}{stopped_note(analysis)}",
        frame=inline(frame, chart, prefix),
        data=Markup(embedded({"left": left, "right": right, "rules": choices})),  # noqa: S704
    )


def _step(analysis: Analysis, rows: pd.DataFrame, bottom: float, top: float) -> dict[str, object]:
    """What one budget shows."""
    low, high = limits(rows, analysis.measure)
    known = [row for row in rows.to_dict("records") if not math.isnan(row["metric"])]

    def height(value: float) -> float | None:
        share = (min(max(value, low), high) - low) / (high - low)
        return None if math.isnan(value) else round(bottom + share * (top - bottom), 1)

    ticks = [tick for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
    return {
        "amount": amount(rows["rule"].iloc[0], rows["budget"].iloc[0]),
        "said": budget_sentence(analysis, rows),
        "ticks": [[height(tick), analysis.measure.tick(tick)] for tick in ticks],
        "marks": [_mark(analysis, row, height) for row in known],
        "rows": [_row(analysis, row) for row in known],
    }


def _mark(analysis: Analysis, row: Row, height: Callable[[float], float | None]) -> list[object]:
    """Return its place, the bounds of its interval or null, whether it ties, its value in words."""
    span = analysis.measure.span(row["metric_low"], row["metric_high"])
    interval = "" if math.isnan(row["metric_low"]) else f" ({span})"
    value = f"batch size {row['batch_size']}: {analysis.measure.text(row['metric'])}{interval}"
    ends = [height(row[column]) for column in ("metric", "metric_low", "metric_high")]
    return [row["x"], *ends, int(row["tied"]), value]


def _row(analysis: Analysis, row: Row) -> list[str]:
    standing = "best" if row["best"] else "undecided" if row["tied"] else "lower"
    return [
        str(row["batch_size"]),
        rate(round(row["epochs"], 3)),
        count(row["updates"]),
        seconds(row["seconds"]),
        analysis.measure.text(row["metric"]) + (" (early)" if row["early"] else ""),
        analysis.measure.span(row["metric_low"], row["metric_high"]),
        standing,
    ]
