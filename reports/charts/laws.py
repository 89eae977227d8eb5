"""Charts of the power laws that optimal and critical batch sizes follow."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.analysis.optima import FOLLOWING
from reports.charts.base import Chart, style
from reports.recommend import StudyAnalysis
from reports.schema import capitalised, significant, visible
from reports.stats.models.power_law import PowerLaw
from reports.text.finished import law_sentence

_SPREAD = 0.03  # logarithm by which configurations of one value of the scale are drawn apart


def power_law(
    ax: Axes, table: pd.DataFrame, *, law: PowerLaw, scale: str, unit: str, label: str
) -> None:
    """Draw batch sizes with their intervals against a scale, and the line through them."""
    ax.set(xscale="log", yscale="log")
    ends = np.array([table["scale"].min(), table["scale"].max()])
    ax.plot(ends, law.at(ends), color=style.ORANGE, lw=1.6)
    known = table[(table["low"] > 0) & np.isfinite(table["high"])]
    ax.vlines(known["at"], known["low"], known["high"], color=style.BLUE, lw=1.2, alpha=0.6)
    style.add_marks(ax, table, "at", "value", color=style.BLUE, marker="o", ms=5.5)
    style.log_ticks(ax.yaxis, style.count_tick)
    style.fixed_ticks(ax.xaxis, values := sorted(table["scale"].unique()), map(significant, values))
    ax.minorticks_off()
    ax.set(xlabel=scale, ylabel=f"{label} ({unit})")


def law_charts(study: StudyAnalysis) -> list[Chart]:
    """Return a chart for each power law that could be fitted."""
    return [_chart(study, name, law) for name, law in study.laws.items() if not law.reason]


def _chart(study: StudyAnalysis, name: str, law: PowerLaw) -> Chart:
    plan, size = study.description, study.description.unit_size
    rows = study.optima[study.optima["scale"] > 0].dropna(subset=name)
    same = rows.groupby("scale").cumcount()
    middle = (rows.groupby("scale")["scale"].transform("size") - 1) / 2
    table = pd.DataFrame(
        {
            "group": rows["group"],
            "batch_size": rows[name].round().astype("int64"),
            "scale": rows["scale"],
            "at": rows["scale"] * np.exp(_SPREAD * (same - middle)),
            "value": size * rows[name],
            "low": size * rows[f"{name}_low"],
            "high": size * rows[f"{name}_high"],
        }
    )
    readings = [
        f"{row['group']}: {FOLLOWING[name]} {significant(row['value'])} {plan.unit}"
        for row in table.to_dict("records")
    ]
    label, scale = capitalised(FOLLOWING[name]), visible(plan.scale_name, most=40)
    return Chart(
        name=f"law-{name}",
        heading=f"{label} against {scale}",
        finding=law_sentence(study, name).partition(". ")[0].removesuffix("."),
        caption=(
            "Points: one configuration each, with its 95% interval where it has two ends; those of "
            "one value are drawn side by side. Line: the power law through the means."
        ),
        description="; ".join(readings),
        table=table.assign(reading=readings),
        figure=partial(power_law, law=law, scale=scale, unit=plan.unit, label=label),
    )
