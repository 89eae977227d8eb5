"""Charts that compare the configurations of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from reports.charts.base import Chart, values, with_metric
from reports.charts.base.style import LOOKS, NAMED, Look, batch_size_axis, lines_by, metric_axis
from reports.charts.laws import law_charts
from reports.figures import COMPARISONS, MOST_SETS
from reports.recommend import Analysis, StudyAnalysis
from reports.schema import Measure, capitalised, listing, plural, visible
from reports.text.across import comparable


def groups(
    ax: Axes, table: pd.DataFrame, *, label: str, measure: Measure, looks: Sequence[Look] = LOOKS
) -> None:
    """Draw the metric of several configurations against batch size, each with its own look."""
    metric_axis(batch_size_axis(ax, table["batch_size"]), label, measure)
    lines_by(ax, table, "metric", "group", looks)


def group_charts(study: StudyAnalysis) -> list[Chart]:
    """Return the figures over all groups: power laws, then metrics that several groups share."""
    return [*law_charts(study), *_metric_charts(study)]


def _metric_charts(study: StudyAnalysis) -> list[Chart]:
    """A figure for each data and metric that several groups share, at most `MOST_SETS`."""
    if study.description.finished and len(study.groups) > len(LOOKS):
        return []
    measured = [group for group in study.groups if not group.measured.empty]
    sets = [alike for alike in comparable(measured) if len(alike) > 1]
    drawn = [_drawn(alike) for alike in sets[:MOST_SETS]]
    beyond = len(sets) - len(drawn)
    rest = f" Figures of {beyond} further data and metrics are left out." if beyond else ""
    made = [
        _chart(name, shown, alike, looks, several=len(sets) > 1)
        for name, shown, alike, looks in zip(COMPARISONS, drawn, sets, _looks(drawn), strict=False)
    ]
    return [*made[:-1], *(replace(last, caption=last.caption + rest) for last in made[-1:])]


def _drawn(alike: list[Analysis]) -> list[Analysis]:
    """All groups or, if they exceed the looks, the best of each optimizer on validation."""
    if len(alike) <= len(LOOKS):
        return alike
    best: dict[str, str] = {}
    for group in sorted(alike, key=lambda g: -g.measured["validation_metric"].max()):
        best.setdefault(group.plan.optimizer, group.plan.group)
    kept = [*best.values()][: len(LOOKS)]
    return [group for group in alike if group.plan.group in kept]


def _looks(drawn: Sequence[Sequence[Analysis]]) -> list[list[Look]]:
    """Styles by optimizer if that distinguishes all groups of a figure, otherwise by place."""
    optimizers = [[group.plan.optimizer for group in shown] for shown in drawn]
    order = [*dict.fromkeys(name for names in optimizers for name in names)]
    distinct = all(len({*names}) == len(names) for names in optimizers)
    if distinct and len(order) <= len(LOOKS):
        return [[LOOKS[order.index(name)] for name in names] for names in optimizers]
    return [[*LOOKS[: len(names)]] for names in optimizers]


def _chart(
    name: str, shown: list[Analysis], alike: list[Analysis], looks: Sequence[Look], *, several: bool
) -> Chart:
    first = shown[0]
    table = pd.concat([metrics(group, _label(group)) for group in shown], ignore_index=True)
    label = capitalised(first.metric)
    where = f" on {visible(first.plan.subject, most=40)}" if several else ""
    drawn = {group.plan.group for group in shown}
    best, text = table.groupby("group", sort=False)["metric"].max(), first.measure.text
    low, high = text(best.min()), text(best.max())
    most = low if low == high else f"{low} to {high}"
    left = [f"“{_label(group)}”" for group in alike if group.plan.group not in drawn]
    left_out = (
        " Drawn: the best configuration of each optimizer on the validation set, of at most "
        f"{len(LOOKS)} optimizers; left out: {plural(len(left), 'configuration')}, "
        f"{listing(left, most=6)}."
    )
    return Chart(
        name=name,
        heading=f"{capitalised(first.measure.name)} of each configuration{where}",
        finding=f"The {plural(len(best), 'configuration')} attain at most {most}{where}",
        caption=(
            f"Mean {first.metric} over the seeds, at the learning rate tuned for each batch "
            "size and configuration; their 95% t intervals are in the tables."
            f"{left_out if left else ''}"
        ),
        description=values(table, "metric", first.measure.text, by="group"),
        table=table,
        figure=partial(groups, label=label, measure=first.measure, looks=looks),
        right=NAMED,
    )


def metrics(analysis: Analysis, name: str) -> pd.DataFrame:
    """Return the batch sizes with a metric under a name, with what is read at their marks."""
    return with_metric(analysis, analysis.measured, name).assign(group=name)


def _label(group: Analysis) -> str:
    return visible(group.plan.group, most=40)
