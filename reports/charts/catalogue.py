"""Which charts a report has."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from reports.charts._accuracy import accuracy_chart, accuracy_time_chart
from reports.charts._cluster import workers_chart
from reports.charts._curves import curves_chart
from reports.charts._scaling import critical_chart, noise_chart, steps_chart, time_chart
from reports.charts._timing import seconds_per_update_chart
from reports.charts._tuning import gap_chart, rates_chart, sharpness_chart
from reports.charts.base import Chart
from reports.charts.budgets import budget_chart
from reports.recommend import Analysis

_MAKERS: tuple[Callable[[Analysis], Chart | None], ...] = (
    accuracy_chart,
    accuracy_time_chart,
    critical_chart,  # only where a study asks for it
    rates_chart,
    curves_chart,
    steps_chart,
    seconds_per_update_chart,
    budget_chart,
    noise_chart,
    time_chart,
    gap_chart,
    sharpness_chart,
    workers_chart,
)


def charts(analysis: Analysis, most: int | None = None) -> list[Chart]:
    """Return the charts the data allow, in the order of the page; no more are made than asked."""
    made = (maker(analysis) for maker in _MAKERS)
    return [*islice((chart for chart in made if chart is not None), most)]
