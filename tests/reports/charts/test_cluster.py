"""The chart of many workers says what is simulated, under which parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from reports.charts._cluster import time_on_workers, workers_chart
from reports.charts.base import svg
from reports.recommend.record import Analysis
from reports.schema.formats import percent, seconds, times
from reports.schema.results import Cluster, StudyResults
from tests.helpers.claim_studies import study
from tests.reports.analysis.test_scaling_analysis import HYPERBOLIC, SIZES
from tests.reports.charts.conftest import made
from tests.reports.conftest import nothing_run, numbers, without_timing

FAST = Cluster(1e-6, 1e10, "ring", (1, 4, 16, 4_096))
"""Messages in a fiftieth of the time."""


@pytest.fixture(scope="module")
def results() -> StudyResults:
    """A study whose updates to any target follow 1 + 25/B, and whose update takes 40 + B us."""
    return study(HYPERBOLIC, {"batch_sizes": SIZES})


def on(results: StudyResults, cluster: Cluster | None) -> Analysis:
    """Return the numbers of a study with other workers."""
    return numbers(replace(results, description=replace(results.description, cluster=cluster)))


def test_everything_is_called_simulated(results: StudyResults) -> None:
    chart = made(workers_chart(numbers(results)))
    for text in (chart.heading, chart.finding, chart.caption, chart.description):
        assert "simulated" in text.lower()
    drawn = svg.draw(chart)
    assert "Time to the target (simulated)" in drawn
    assert len(drawn) < 15_000


def test_the_fastest_number_of_workers_is_reported_with_its_share_of_combining(
    results: StudyResults,
) -> None:
    analysis = on(results, FAST)
    chart, table = made(workers_chart(analysis)), analysis.scaling.simulation.table
    best = table.loc[table["workers"] == 4].iloc[0]
    assert best["seconds_to_target"] == table["seconds_to_target"].min()
    assert chart.finding.startswith("Simulated: 4 workers reach the target first, in ")
    assert f"{times(best['speedup'])} as fast" in chart.finding
    assert percent(best["communication_share"]) in chart.caption
    for part in ("9.6 kB", "ring", seconds(1e-6), "10 GB/s"):
        assert part in chart.caption
    assert "one beyond may be faster" in chart.caption


def test_messages_that_cost_more_than_they_save_are_reported(results: StudyResults) -> None:
    chart = made(workers_chart(on(results, replace(FAST, latency=1.0))))
    assert chart.finding.startswith("Simulated: no number of workers is faster than one")
    assert chart.description.startswith("1 worker: simulated ")


def test_a_best_batch_size_within_the_range_needs_no_warning(results: StudyResults) -> None:
    assert "beyond" not in made(workers_chart(on(results, replace(FAST, workers=(1,))))).caption


def test_without_cluster_fit_or_times_there_is_none(results: StudyResults) -> None:
    for analysis in (
        on(results, None),
        numbers(without_timing(results)),
        numbers(nothing_run(results)),
    ):
        assert workers_chart(analysis) is None


TABLE = pd.DataFrame(
    {
        "workers": [2, 4, 8],
        "batch_size": [16, 64, 64],
        "seconds_to_target": [6.0, 4.0, 5.0],
        "speedup": [1.5, 2.25, 1.8],
        "reading": "value",
    }
)


def test_points_are_the_simulated_times_and_changes_of_batch_size_are_labelled() -> None:
    ax = Figure().add_subplot()
    time_on_workers(ax, TABLE)
    perfect, simulated, *marks = ax.lines
    points = [[2, 6], [4, 4], [8, 5]]
    assert np.asarray(simulated.get_xydata()).tolist() == points
    assert sorted(np.vstack([mark.get_xydata() for mark in marks]).tolist()) == points
    # One worker takes 9 s, which isn't shown, nor is what lies below the axes.
    assert np.asarray(perfect.get_xydata()).tolist() == [[2, 4.5], [4, 2.25]]
    named = [(text.get_text(), text.xy) for text in ax.texts]  # type: ignore[attr-defined]
    assert named[:2] == [("16", (2, 6)), ("64", (4, 4))]
    assert [text for text, _ in named[2:]] == ["simulated", "perfect scaling"]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert "simulated" in ax.get_ylabel()
    ticks = ax.xaxis.get_major_formatter()
    assert ticks(1024, None) == "1,024"
