"""The times drawn are those of the tables."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes

from reports.charts._timing import seconds_per_update
from reports.recommend.record import Analysis
from reports.schema.results import StudyResults
from tests.reports.charts.conftest import pairs_of, points_of
from tests.reports.conftest import numbers


def test_seconds_per_update_show_each_engine(ax: Axes, analysis: Analysis) -> None:
    seconds_per_update(ax, analysis.timing)
    lines = [container.lines[0] for container in ax.containers]
    expected = pairs_of(analysis.timing, "batch_size", "seconds_per_update")
    assert points_of(lines) == expected
    assert {line.get_marker() for line in lines} == {"o", "s"}
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


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
