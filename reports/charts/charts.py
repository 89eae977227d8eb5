"""Which charts a report has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from reports.charts.accuracy import accuracy_chart, accuracy_time_chart, seeds_chart
from reports.charts.base.chart import Chart
from reports.charts.budgets import budget_chart
from reports.charts.cluster import workers_chart
from reports.charts.curves import ALONG, curves_chart
from reports.charts.noise import noise_chart
from reports.charts.scaling import examples_chart, steps_chart, time_chart, tradeoff_chart
from reports.charts.timing import (
    seconds_per_update_chart,
    seconds_to_train_chart,
    speedup_chart,
    throughput_chart,
)
from reports.charts.tuning import best_rates_chart, gap_chart, rates_chart
from reports.recommend.record import Analysis

NAMES = (
    "accuracy",
    "accuracy-time",
    "rates",
    "best-rates",
    "curves",
    "curves-updates",
    "curves-seconds",
    "budgets",
    "seeds",
    "generalization-gap",
    *("steps-to-target", "examples-to-target", "steps-examples", "time-to-target"),
    "workers",
    "noise-scale",
    "seconds-per-update",
    "seconds-to-train",
    "throughput",
    "speedup",
)
"""Names of all figures there can be, in the order of the page."""


def charts(analysis: Analysis) -> list[Chart]:
    """Return the figures the data allow, in the order of the page."""
    makers: tuple[Callable[[Analysis], Chart | None], ...] = (
        accuracy_chart,
        accuracy_time_chart,
        rates_chart,
        best_rates_chart,
        *(partial(curves_chart, along=along) for along in ALONG),
        budget_chart,
        seeds_chart,
        gap_chart,
        steps_chart,
        examples_chart,
        tradeoff_chart,
        time_chart,
        workers_chart,
        noise_chart,
        seconds_per_update_chart,
        seconds_to_train_chart,
        throughput_chart,
        speedup_chart,
    )
    made = [maker(analysis) for maker in makers]
    return [chart for chart in made if chart is not None]
