"""Which charts a report has."""

from __future__ import annotations

from collections.abc import Callable

from reports.charts._accuracy import accuracy_chart, accuracy_time_chart
from reports.charts._cluster import workers_chart
from reports.charts._curves import curves_chart
from reports.charts._scaling import noise_chart, steps_chart, time_chart
from reports.charts._timing import seconds_per_update_chart
from reports.charts._tuning import gap_chart, rates_chart
from reports.charts.base import Chart
from reports.charts.budgets import budget_chart
from reports.recommend import Analysis

_MAKERS: dict[str, Callable[[Analysis], Chart | None]] = {
    "accuracy": accuracy_chart,
    "accuracy-time": accuracy_time_chart,
    "rates": rates_chart,
    "curves": curves_chart,
    "steps-to-target": steps_chart,
    "seconds-per-update": seconds_per_update_chart,
    "budgets": budget_chart,
    "noise-scale": noise_chart,
    "time-to-target": time_chart,
    "generalization-gap": gap_chart,
    "workers": workers_chart,
}
NAMES = tuple(_MAKERS)  # names of all charts there can be, in the order of the page


def charts(analysis: Analysis) -> list[Chart]:
    """Return the charts the data allow, in the order of the page."""
    made = [maker(analysis) for maker in _MAKERS.values()]
    return [chart for chart in made if chart is not None]
