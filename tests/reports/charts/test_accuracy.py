"""The marks of the charts of the metric are the numbers of the tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes

from reports.charts._accuracy import accuracy_chart, accuracy_time_chart
from reports.charts.base.style import GREEN, GREY, SIZE_ID
from reports.recommend.record import Analysis
from reports.schema.results import StudyResults
from reports.stats.non_inferiority import NEAR_OPTIMAL, REFERENCE
from tests.reports.charts.conftest import (
    bars_of,
    made,
    notes,
    pairs_of,
    points_of,
    readable,
    readings,
    tick_labels,
)
from tests.reports.conftest import Sketch, make_results, numbers, of_seeds, small


def test_ticks_are_the_real_batch_sizes_on_a_log2_axis(ax: Axes, analysis: Analysis) -> None:
    assert made(accuracy_chart(analysis)).draw(ax) is ax
    assert ax.get_xscale() == "log"
    assert tick_labels(ax) == [str(size) for size in analysis.plan.batch_sizes]
    assert ax.get_ylabel() == "Test accuracy"
    assert ax.get_legend() is None


def test_accuracy_shows_means_with_intervals_and_every_seed(ax: Axes, analysis: Analysis) -> None:
    made(accuracy_chart(analysis)).draw(ax)
    table = analysis.measured
    assert points_of(readable(ax)) == pairs_of(table, "batch_size", "metric")
    dots = [line for line in ax.lines if line.get_color() == GREY]
    assert points_of(dots) == pairs_of(analysis.seeds, "batch_size", "metric")
    np.testing.assert_allclose(bars_of(ax), table[["metric_low", "metric_high"]])


def test_filled_and_shaded_are_those_shown_near_optimal(ax: Axes, analysis: Analysis) -> None:
    made(accuracy_chart(analysis)).draw(ax)
    near = analysis.measured["verdict"].isin([REFERENCE, NEAR_OPTIMAL])
    assert analysis.recommended is not None
    assert 0 < near.sum() < len(near)
    hollow = [line for line in readable(ax) if line.get_markerfacecolor() == "none"]
    assert points_of(hollow) == pairs_of(analysis.measured[~near], "batch_size", "metric")
    assert len(ax.patches) == near.sum()


def test_reference_and_recommended_size_are_named(ax: Axes, analysis: Analysis) -> None:
    made(accuracy_chart(analysis)).draw(ax)
    (line,) = [line for line in ax.lines if line.get_color() == GREEN]
    assert [*line.get_xdata()] == [analysis.recommended] * 2
    assert {f"recommended: {analysis.recommended}", "reference", "near-optimal"} == {*notes(ax)}
    assert line.get_gid() == f"{SIZE_ID}{analysis.recommended}"


def test_a_mark_is_read_with_value_interval_rate_time_and_seeds(
    ax: Axes, analysis: Analysis
) -> None:
    made(accuracy_chart(analysis)).draw(ax)
    row = analysis.row(8)
    (text,) = readings(ax, 8)
    for part in ("batch size 8, learning rate ", "95% CI ", "5 seeds", "trains in "):
        assert part in text
    for column in ("metric", "metric_low", "metric_high"):
        assert analysis.measure.text(row[column]) in text


def test_without_an_answer_nothing_is_marked_near_optimal(ax: Axes, analysis: Analysis) -> None:
    answer = replace(analysis.answer, batch_size=None, learning_rate=None)
    chart = made(accuracy_chart(replace(analysis, answers=(answer, analysis.target))))
    chart.draw(ax)
    assert not ax.patches
    assert not any("recommended" in text for text in notes(ax))
    assert "Use" not in chart.finding
    assert "Shaded" not in chart.caption


def test_few_seeds_are_dots_with_a_median(ax: Axes, digits: StudyResults) -> None:
    few = numbers(of_seeds(digits, 0, 1, 2, 100, 101, 102))
    made(accuracy_chart(few)).draw(ax)
    assert points_of(readable(ax)) == pairs_of(few.measured, "batch_size", "metric_median")
    assert points_of([ax.lines[0]]) == pairs_of(few.seeds, "batch_size", "metric")


def test_accuracy_and_time_fill_the_pareto_set(ax: Axes, analysis: Analysis) -> None:
    chart = made(accuracy_time_chart(analysis))
    chart.draw(ax)
    table = chart.table
    assert points_of(readable(ax)) == pairs_of(table, "seconds_to_train", "metric")
    filled = [line for line in readable(ax) if line.get_markerfacecolor() != "none"]
    best = pairs_of(table[table["pareto"]], "seconds_to_train", "metric")
    assert points_of(filled) == points_of([ax.lines[0]]) == best
    names = {*notes(ax)} - {f"recommended: {analysis.recommended}"}
    assert names == {str(size) for size in table["batch_size"]}
    times = [bar[:, 0].tolist() for bar in ax.collections[0].get_segments()]
    np.testing.assert_allclose(times, table[["seconds_low", "seconds_high"]])
    assert (table["seconds_low"] <= table["seconds_to_train"]).all()


def test_one_batch_size_can_be_drawn(ax: Axes) -> None:
    sketch = Sketch(description=small(batch_sizes=(8,)))
    analysis = numbers(make_results(sketch))
    made(accuracy_chart(analysis)).draw(ax)
    assert tick_labels(ax) == ["8"]
