"""Figures that hold the groups of a study against each other."""

from __future__ import annotations

import pandas as pd

from reports import figures
from reports.chart import Chart
from reports.formats import visible
from reports.groups import StudyAnalysis
from reports.record import Analysis

NAMES = ("groups",)
"""Names of all figures there can be."""


def group_charts(study: StudyAnalysis) -> list[Chart]:
    """Return the figures over all groups that the data allow; none for a study of one group.

    Groups share an axis only if they share data and metric, and only as many as there are looks to
    tell them apart.

    Args:
        study: The numbers.
    """
    shown = [group for group in study.groups if not group.measured.empty]
    kinds = {(group.plan.dataset, group.plan.fingerprint, group.metric) for group in shown}
    if not 1 < len(shown) <= len(figures.LOOKS) or len(kinds) > 1:
        return []
    first = shown[0]
    table = pd.concat(
        [group.measured.assign(group=visible(group.plan.group, most=40)) for group in shown],
        ignore_index=True,
    )
    label = f"{first.metric[:1].upper()}{first.metric[1:]}"
    return [
        Chart(
            name=NAMES[0],
            heading=f"{first.measure.name.capitalize()} of the groups against batch size",
            finding=_finding(first, table),
            caption=(
                f"Mean {first.metric} over the seeds, at the learning rate tuned for each batch "
                "size and group; their 95% t intervals are in the sections."
            ),
            description="; ".join(
                f"{row['group']}, batch size {row['batch_size']}: "
                f"{first.measure.text(row['metric'])}"
                for row in table.to_dict("records")
            ),
            draw=lambda ax: figures.groups(ax, table, label=label, measure=first.measure),
        )
    ]


def _finding(first: Analysis, table: pd.DataFrame) -> str:
    row = table.sort_values("metric", ascending=False, kind="stable").iloc[0]
    return (
        f"Highest mean {first.metric} of all groups: {first.measure.text(row['metric'])}, "
        f"{row['group']} at batch size {row['batch_size']}"
    )
