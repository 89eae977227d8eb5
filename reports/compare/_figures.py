"""Charts that compare studies."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from reports.charts.base import Chart, Row, in_words, interval_text, style, values, with_readings
from reports.charts.groups import groups, metrics
from reports.compare._matches import Matches, Pair
from reports.recommend import Analysis
from reports.schema import Measure, capitalised, seconds, visible

NAMES = ("metric", "difference", "update")  # of figures; the number of their group follows
_WORDS = 40


def match_charts(matches: Matches) -> list[Chart]:
    """Return the figures that the data allow, for one matched group after the other."""
    by_first: dict[int, list[Pair]] = {}
    for pair in matches.pairs:
        by_first.setdefault(id(pair.first), []).append(pair)
    return [
        replace(chart, name=f"{chart.name}-{number}")
        for number, pairs in enumerate(by_first.values(), start=1)
        for make in (_metric, _difference, _update)
        if (chart := make(matches, pairs))
    ]


def _metric(matches: Matches, pairs: list[Pair]) -> Chart | None:
    first, alike = pairs[0].first, [pair for pair in pairs if pair.comparable]
    shown = [(matches.first, first), *((pair.study, pair.other) for pair in alike)]
    table = pd.concat([metrics(each, _short(name)) for name, each in shown], ignore_index=True)
    if not alike or table["group"].nunique() < 2 or len(shown) > len(style.LOOKS):  # noqa: PLR2004
        return None
    label = capitalised(first.metric)
    best, text = table.groupby("group", sort=False)["metric"].max(), first.measure.text
    return Chart(
        name=NAMES[0],
        heading=f"{label} in each study{_of(matches, first)}",
        finding=(
            f"The {len(best)} studies attain at most {text(best.min())} to {text(best.max())} "
            f"{first.metric}"
        ),
        caption=(
            f"Mean {first.metric} over each study's own seeds, at the learning rate that it tuned "
            "for the batch size."
        ),
        description=values(table, "metric", first.measure.text, by="group"),
        table=table,
        figure=partial(groups, label=label, measure=first.measure),
        right=style.NAMED,
    )


def differences(ax: Axes, table: pd.DataFrame, *, measure: Measure) -> None:
    """Draw how far other studies are above the first one, with intervals, against batch size."""
    # Filled markers are established.
    label = f"Difference{measure.points and ' in points'}"
    style.difference_axis(style.batch_size_axis(ax, table["batch_size"]), label, measure)
    shown, names = list(table.groupby("group", sort=False)), []
    for number, ((name, rows), (color, marker, _)) in enumerate(
        zip(shown, style.LOOKS, strict=False)
    ):
        # Side by side: intervals of one batch size would cover each other.
        moved = rows.assign(x=rows["batch_size"] * 2 ** (0.12 * (number - (len(shown) - 1) / 2)))
        style.interval_bars(ax, moved, "difference_low", "difference_high", x="x", color=color)
        style.points(ax, moved, "difference", "established", x="x", color=color, marker=marker)
        names.append((str(name), *moved[["x", "difference"]].iloc[-1]))
    style.keep_within(ax, *measure.apart)
    style.name_ends(ax, names if len(shown) > 1 else [])


def _difference(matches: Matches, pairs: list[Pair]) -> Chart | None:
    first = pairs[0].first
    cells = matches.cells[matches.cells["group"] == first.plan.group]
    table = cells.assign(group=cells["study"].map(_short)).dropna(subset="difference")
    if table.empty or len(pairs) > len(style.LOOKS):
        return None
    signed, change = first.measure.signed, first.measure.change
    most = table.sort_values("difference", key=abs, kind="stable").iloc[-1]
    established = int(table["established"].sum())
    readings = [
        f"batch size {row['batch_size']}: {row['group']} {change(row['difference'])}"
        f"{interval_text(row, 'difference', first.measure.signed_span)}"
        for row in table.to_dict("records")
    ]
    return Chart(
        name=NAMES[1],
        heading=f"Difference from {_short(matches.first)}{_of(matches, first)}",
        finding=(
            f"Largest difference: {change(most['difference'])}, {most['group']} at batch size "
            f"{most['batch_size']}; {established or 'none'} of {len(table)} are significant"
        ),
        caption=(
            f"{capitalised(first.metric)} of the other study minus that of "
            f"{_short(matches.first)}, with the 95% interval of each: "
            f"{' and '.join(sorted(set(table['method'])))}. Filled: significantly different, by "
            "Holm's method over all matched batch sizes."
        ),
        description=in_words(
            table,
            "{group}, batch size {batch_size}: {difference}, {difference_low} to {difference_high}",
            difference=change,
            difference_low=signed,
            difference_high=signed,
        ),
        table=table.assign(reading=readings),
        figure=partial(differences, measure=first.measure),
        right=style.NAMED if len({*table["group"]}) > 1 else Chart.right,
    )


def update_times(ax: Axes, table: pd.DataFrame) -> None:
    """Draw seconds per update of several studies against batch size, each with its own look."""
    style.batch_size_axis(ax, table["batch_size"])
    style.log_axis(ax, "Time per update", style.seconds_tick)
    style.lines_by(ax, table, "seconds_per_update", "group")


def _update(matches: Matches, pairs: list[Pair]) -> Chart | None:
    first = pairs[0].first
    shown = [(matches.first, first), *((pair.study, pair.other) for pair in pairs)]

    def takes(row: Row) -> str:
        return f"{seconds(row['seconds_per_update'])} per update"

    frames = [
        with_readings(group, group.batch_sizes, takes).assign(group=_short(name))
        for name, group in shown
    ]
    table = pd.concat(frames, ignore_index=True).dropna(subset="seconds_per_update")
    if table["group"].nunique() < 2 or len(shown) > len(style.LOOKS):  # noqa: PLR2004
        return None
    fastest = table.sort_values("seconds_per_update", kind="stable").iloc[0]
    return Chart(
        name=NAMES[2],
        heading=f"Time per update in each study{_of(matches, first)}",
        finding=(
            f"Shortest time of an update: {seconds(fastest['seconds_per_update'])}, "
            f"{fastest['group']} at batch size {fastest['batch_size']}"
        ),
        caption="Median over the rounds of each study's own benchmark, on its own machine.",
        description=values(table, "seconds_per_update", seconds, by="group"),
        table=table,
        figure=update_times,
        right=style.NAMED,
    )


def _of(matches: Matches, first: Analysis) -> str:
    several = len({pair.first.plan.group for pair in matches.pairs}) > 1
    return f", {_short(first.plan.group)}" if several else ""


def _short(name: str) -> str:
    return visible(name, most=_WORDS)
