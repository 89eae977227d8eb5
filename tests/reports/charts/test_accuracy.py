"""The marks of the charts of the metric are the numbers of the tables."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from reports.charts import _accuracy as accuracy
from reports.recommend.record import Analysis
from reports.schema.results import StudyResults
from tests.reports.charts.conftest import pairs_of, points_of, tick_labels
from tests.reports.conftest import Sketch, make_results, numbers, of_seeds, small


def test_ticks_are_the_real_batch_sizes_on_a_log2_axis(ax: Axes, analysis: Analysis) -> None:
    accuracy.accuracy(
        ax, analysis.measured, analysis.seeds, label="Test accuracy", measure=analysis.measure
    )
    assert ax.get_xscale() == "log"
    assert tick_labels(ax) == [str(size) for size in analysis.plan.batch_sizes]
    assert ax.get_ylabel() == "Test accuracy"


def test_accuracy_shows_means_with_their_intervals(ax: Axes, analysis: Analysis) -> None:
    table = analysis.measured
    assert accuracy.accuracy(ax, table, analysis.seeds, label="", measure=analysis.measure) is ax
    assert points_of([ax.lines[0]]) == pairs_of(table, "batch_size", "metric")
    bars = ax.collections[0].get_segments()
    ends = [(bar[0][1], bar[1][1]) for bar in bars]
    np.testing.assert_allclose(ends, table[["metric_low", "metric_high"]])


def test_hollow_markers_are_those_told_from_the_best(ax: Axes, analysis: Analysis) -> None:
    table = analysis.measured
    accuracy.accuracy(ax, table, analysis.seeds, label="", measure=analysis.measure)
    hollow = [line for line in ax.lines if line.get_markerfacecolor() == "none"]
    assert points_of(hollow) == pairs_of(table[~table["tied"]], "batch_size", "metric")


def test_few_seeds_are_dots_with_a_median(ax: Axes, digits: StudyResults) -> None:
    few = numbers(of_seeds(digits, 0, 1, 2, 100, 101, 102))
    accuracy.accuracy(ax, few.measured, few.seeds, label="", measure=few.measure)
    assert not ax.collections
    assert points_of([ax.lines[0]]) == pairs_of(few.measured, "batch_size", "metric_median")
    assert points_of([ax.lines[1]]) == pairs_of(few.seeds, "batch_size", "metric")


def test_accuracy_and_time_ring_the_pareto_set(ax: Axes, analysis: Analysis) -> None:
    table = analysis.measured
    accuracy.accuracy_and_time(ax, table, label="", measure=analysis.measure)
    drawn = {tuple(point) for point in ax.collections[0].get_offsets().tolist()}
    assert drawn == pairs_of(table, "seconds_to_train", "metric")
    rings = pairs_of(table[table["pareto"]], "seconds_to_train", "metric")
    assert points_of([ax.lines[0]]) == rings
    assert [text.get_text() for text in ax.texts] == [str(b) for b in table["batch_size"]]


def test_every_trial_is_a_dot_and_every_seed_a_line(ax: Axes, analysis: Analysis) -> None:
    accuracy.seed_spread(ax, analysis.seeds, label="", measure=analysis.measure)
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert points_of(dots) == pairs_of(analysis.seeds, "batch_size", "metric")
    assert len(ax.lines) - 1 == analysis.seeds["seed"].nunique()


def test_one_batch_size_can_be_drawn(ax: Axes) -> None:
    sketch = Sketch(description=small(batch_sizes=(8,)))
    analysis = numbers(make_results(sketch))
    accuracy.accuracy(ax, analysis.measured, analysis.seeds, label="", measure=analysis.measure)
    assert tick_labels(ax) == ["8"]
