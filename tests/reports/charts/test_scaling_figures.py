"""Figures of the way to a target show the numbers of their tables, and only those known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.analysis.scaling_record import TO_TARGET_COLUMNS
from reports.charts import scaling_figures as figures
from reports.stats.bounds import Ends

SIZES = [1, 4, 16]


@pytest.fixture
def ax() -> Axes:
    """Axes to draw on."""
    return Figure().add_subplot()


def way(**columns: list[object]) -> pd.DataFrame:
    """Return a table of the way to a target, with some columns changed."""
    table = pd.DataFrame({"batch_size": SIZES, "updates": [100.0, 30.0, 12.0], "runs": 8})
    table = table.assign(
        reached=8,
        updates_low=table["updates"] * 0.9,
        updates_high=table["updates"] * 1.1,
        examples=table["updates"] * SIZES,
        seconds=table["updates"] * 1e-3,
        fitted=True,
        near_all=False,
        predicted_updates=table["updates"],
        predicted_seconds=table["updates"] * 1e-3,
        share=0.9,
        target=0.8,
        half_width=1.0,
    )
    return table.assign(**columns)[[column.name for column in TO_TARGET_COLUMNS]]


NO_BOUNDS = pd.DataFrame({"batch_size": [], "updates": [], "text": []})


def curve(sizes: np.ndarray) -> np.ndarray:
    """Fitted updates."""
    return 7 + 93 / sizes


def lines(ax: Axes) -> dict[str, list[tuple[float, float]]]:
    """Points of the lines with a label."""
    return {
        str(line.get_label()): [tuple(map(float, point)) for point in line.get_xydata()]
        for line in ax.lines
    }


def test_perfect_scaling_begins_at_the_smallest_batch_that_arrives(ax: Axes) -> None:
    figures.steps_to_target(ax, way(updates=[math.nan, 30.0, 12.0]), NO_BOUNDS, curve)
    assert lines(ax)["perfect: ∝ 1/B"] == [(4, 30), (16, 7.5)]
    assert lines(ax)["median"] == [(4, 30), (16, 12)]
    assert lines(ax)["fitted"][0] == (1, 100)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_xticks().tolist() == SIZES


def test_runs_that_missed_are_triangles_with_their_number(ax: Axes) -> None:
    bounds = pd.DataFrame({"batch_size": [16], "updates": [40.0], "text": ["7 of 8"]})
    figures.steps_to_target(ax, way(), bounds, None)
    (line,) = [line for line in ax.lines if line.get_marker() == "^"]
    assert np.asarray(line.get_xydata()).tolist() == [[16, 40]]
    assert [text.get_text() for text in ax.texts] == ["7 of 8"]
    assert "fitted" not in lines(ax)


def test_what_the_fit_leaves_out_is_hollow(ax: Axes) -> None:
    figures.examples_to_target(ax, way(fitted=[True, True, False]), curve, 5.0, Ends(4, 6))
    hollow = {line.get_label(): line.get_markerfacecolor() for line in ax.lines}
    assert hollow["left out of the fit"] == "none"
    assert lines(ax)["left out of the fit"] == [(16, 192)]
    assert lines(ax)["critical batch size 5.00"][0][0] == 5


def test_open_intervals_are_not_drawn(ax: Axes) -> None:
    figures.steps_to_target(ax, way(updates_high=[110.0, math.inf, math.nan]), NO_BOUNDS, None)
    (bars,) = ax.containers
    assert len(bars[2][0].get_segments()) == 1
    figures.examples_to_target(ax, way(), None, None, None)
    figures.examples_to_target(ax, way(), None, 5.0, Ends(4, math.inf))
    assert not ax.patches


def test_each_batch_size_is_a_point_between_the_two_ends(ax: Axes) -> None:
    figures.steps_against_examples(ax, way(), curve, (7.0, None))
    assert lines(ax)["median, measured"] == [(100, 100), (120, 30), (192, 12)]
    assert [text.get_text() for text in ax.texts] == ["1", "4", "16"]
    assert [line for line in ax.lines if set(line.get_ydata()) == {7.0}]


def test_the_fastest_is_ringed_and_the_predicted_marked(ax: Axes) -> None:
    table = way(seconds=[0.3, 0.1, 0.2])
    figures.time_to_target(ax, table, lambda sizes: 0.1 * sizes, 5.0, Ends(3, 7))
    assert lines(ax)["measured best"] == [(4, 0.1)]
    assert lines(ax)["predicted best 5.00"][0][0] == 5
    assert ax.patches
    other = Figure().add_subplot()
    figures.time_to_target(other, table, None, None, None)
    assert {*lines(other)} >= {"median", "measured best"}
    assert not other.patches


def test_the_axis_of_time_to_target_holds_times_that_lie_far_apart(ax: Axes) -> None:
    table = way().assign(seconds=[1.0, 0.01, 1e-4])
    figures.time_to_target(ax, table, None, None, None)
    low, high = ax.get_ylim()
    assert 1e-5 < low < 1e-4
    assert high == 3


def noise(status: str = "resolved") -> pd.DataFrame:
    """Return the noise scale of two batch sizes at two points, the last of this status."""
    return pd.DataFrame(
        {
            "batch_size": [1, 1, 16, 16],
            "examples": [10, 100, 10, 100],
            "seeds": 5,
            "noise_scale": [5.0, 9.0, 4.0, 8.0],
            "low": [4.0, 0.0, 3.0, 6.0],
            "high": [7.0, 20.0, 5.0, 11.0],
            "status": ["resolved"] * 3 + [status],
        }
    )


def test_the_noise_scale_has_bands_and_the_critical_batch_size_a_line(ax: Axes) -> None:
    figures.noise_along_training(ax, noise(), 12.0, Ends(10, 14))
    assert lines(ax)["batch size 1"] == [(10, 5), (100, 9)]
    assert lines(ax)["critical batch size"][0][1] == 12
    assert len(ax.collections) == 2
    assert "unresolved: at least" not in lines(ax)


def test_unresolved_noise_is_a_triangle_at_its_lower_end(ax: Axes) -> None:
    figures.noise_along_training(ax, noise("unresolved"), None, None)
    assert lines(ax)["batch size 16"] == [(10, 4)]
    triangles = [line for line in ax.lines if line.get_marker() == "^" and len(line.get_xydata())]
    assert [np.asarray(line.get_xydata()).tolist() for line in triangles] == [[[100, 6]]]
    assert "unresolved: at least" in lines(ax)


def test_an_open_interval_of_the_critical_batch_size_is_a_line_alone(ax: Axes) -> None:
    figures.noise_along_training(ax, noise(), 12.0, Ends(10, math.inf))
    assert not ax.patches


def test_throughput_has_a_line_for_each_number_of_networks(ax: Axes) -> None:
    table = pd.DataFrame({"batch_size": [1, 4] * 2, "lanes": [1, 1, 30, 30]})
    figures.throughput(ax, table.assign(throughput=[1e3, 4e3, 9e3, 3e4]))
    assert lines(ax)["one network"] == [(1, 1e3), (4, 4e3)]
    assert lines(ax)["each of 30 networks at once"] == [(1, 9e3), (4, 3e4)]
