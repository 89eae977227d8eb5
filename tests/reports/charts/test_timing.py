"""The times drawn are those of the tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from reports.charts._timing import seconds_per_update_chart
from reports.charts.base.style import ORANGE, PINK
from reports.recommend.record import Analysis
from reports.schema.results import StudyResults
from tests.reports.charts.conftest import made, notes, pairs_of, points_of, readable
from tests.reports.conftest import numbers


def test_seconds_per_update_show_each_engine(ax: Axes, analysis: Analysis) -> None:
    made(seconds_per_update_chart(analysis)).draw(ax)
    expected = pairs_of(analysis.timing, "batch_size", "seconds_per_update")
    assert points_of(readable(ax)) == expected
    assert {line.get_marker() for line in readable(ax)} == {"o", "s"}
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert {"vectorized", "one example at a time"} < {*notes(ax)}


def test_the_fitted_costs_are_drawn_and_named(ax: Axes, analysis: Analysis) -> None:
    made(seconds_per_update_chart(analysis)).draw(ax)
    fit = analysis.scaling.update_time
    assert fit.fixed_seconds is not None
    (fixed,) = ax.collections[-1].get_segments()
    assert fixed[:, 1].tolist() == [fit.fixed_seconds] * 2
    fitted = next(line for line in ax.lines if line.get_color() == ORANGE)
    sizes = np.asarray(fitted.get_xdata(), np.float64)
    assert fit.curve is not None
    np.testing.assert_allclose(np.asarray(fitted.get_ydata()), fit.curve.at(sizes))
    assert any(text.startswith("fixed cost ") for text in notes(ax))
    assert any(text.endswith(" per example") for text in notes(ax))


def test_a_cohorts_time_has_a_look_of_its_own(ax: Axes, digits: StudyResults) -> None:
    tensor = digits.timing[digits.timing["engine"] == "tensor"]
    timing = pd.concat([digits.timing, tensor.assign(lanes=30)], ignore_index=True)
    made(seconds_per_update_chart(numbers(replace(digits, timing=timing)))).draw(ax)
    looks = {(line.get_color(), line.get_marker()) for line in readable(ax)}
    assert len(looks) == 3
    assert (PINK, "s") in looks
    assert "vectorized, several networks at once" in notes(ax)
    assert any("(30)" in text for line in readable(ax) for text in line.readings)
