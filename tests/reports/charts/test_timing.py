"""The times drawn are those of the tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.charts.timing import seconds_per_update, seconds_to_train, tensor_speedup, throughput
from reports.recommend.record import Analysis
from reports.schema.results import StudyResults
from tests.reports.charts.conftest import lines, pairs_of, points_of
from tests.reports.conftest import numbers


def test_seconds_per_update_show_each_engine(ax: Axes, analysis: Analysis) -> None:
    seconds_per_update(ax, analysis.timing)
    lines = [container.lines[0] for container in ax.containers]
    expected = pairs_of(analysis.timing, "batch_size", "seconds_per_update")
    assert points_of(lines) == expected
    assert {line.get_marker() for line in lines} == {"o", "s"}
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_seconds_to_train_are_those_of_the_table(ax: Axes, analysis: Analysis) -> None:
    seconds_to_train(ax, analysis.timed)
    expected = pairs_of(analysis.timed, "batch_size", "seconds_to_train")
    assert points_of([ax.lines[0]]) == expected


def test_the_speedup_has_the_range_of_the_rounds_and_a_line_at_one(
    ax: Axes, analysis: Analysis
) -> None:
    table = analysis.batch_sizes
    tensor_speedup(ax, table)
    assert points_of([ax.containers[0].lines[0]]) == pairs_of(table, "batch_size", "speedup")
    ends = [(bar[0][1], bar[1][1]) for bar in ax.collections[0].get_segments()]
    low = table[["speedup", "speedup_low"]].min(axis=1)
    high = table[["speedup", "speedup_high"]].max(axis=1)
    np.testing.assert_allclose(ends, pd.DataFrame({"low": low, "high": high}))
    assert any(list(line.get_ydata()) == [1, 1] for line in ax.lines)


def test_a_cohorts_time_has_a_look_of_its_own(ax: Axes, digits: StudyResults) -> None:
    tensor = digits.timing[digits.timing["engine"] == "tensor"]
    timing = pd.concat([digits.timing, tensor.assign(lanes=30)], ignore_index=True)
    analysis = numbers(replace(digits, timing=timing))
    seconds_per_update(ax, analysis.timing)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [
        "tensor operations",
        "tensor operations, each of 30 networks",
        "one item at a time",
    ]
    looks = {(c.lines[0].get_color(), c.lines[0].get_marker()) for c in ax.containers}
    assert len(looks) == 3


def test_throughput_has_a_line_for_each_number_of_networks(ax: Axes) -> None:
    table = pd.DataFrame({"batch_size": [1, 4] * 2, "lanes": [1, 1, 30, 30]})
    throughput(ax, table.assign(throughput=[1e3, 4e3, 9e3, 3e4]))
    assert lines(ax)["one network"] == [(1, 1e3), (4, 4e3)]
    assert lines(ax)["each of 30 networks at once"] == [(1, 9e3), (4, 3e4)]
