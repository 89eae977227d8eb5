"""What can be read off a drawing is what was drawn."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.charts.base.marks import MOST_POINTS, marks
from reports.charts.base.style import STYLE


@pytest.fixture
def ax() -> Axes:
    """Axes whose values can be written."""
    with mpl.rc_context(STYLE):
        made = Figure(figsize=(2, 1), dpi=100).add_axes((0, 0, 1, 1))
    made.set(xlim=(0, 10), ylim=(0, 1))
    made.fmt_xdata = "x {:g}".format
    made.fmt_ydata = "{:.1%}".format
    return made


def test_a_point_has_its_place_from_the_upper_left_and_its_text(ax: Axes) -> None:
    ax.plot([5], [0.25], "o")
    assert marks(ax) == {"series": [], "points": [[72.0, 54.0, "x 5: 25.0%", -1]]}


def test_series_are_named_where_there_are_several(ax: Axes) -> None:
    ax.plot([1], [0.5], label="one")
    ax.errorbar([2], [0.5], [0.1], label="two", capsize=3)
    found = marks(ax)
    assert found["series"] == ["one", "two"]
    assert [point[2:] for point in found["points"]] == [  # type: ignore[index]
        ["x 1: 50.0% (one)", 0],
        ["x 2: 50.0% (two)", 1],
    ]
    names = [artist.get_gid() for artist in (*ax.lines, *ax.collections)]
    assert names == ["series-0", "series-1", "series-1", "series-1", "series-1"]


def test_a_line_through_named_points_adds_none(ax: Axes) -> None:
    ax.plot([1, 2], [0.5, 0.6])
    ax.plot([1, 2], [0.5, 0.6], "o", label="mean")
    assert [point[3] for point in marks(ax)["points"]] == [0, 0]  # type: ignore[index]


def test_what_is_no_value_is_no_point(ax: Axes) -> None:
    ax.axhline(0.5)
    ax.plot(np.linspace(0, 1, MOST_POINTS + 1), np.zeros(MOST_POINTS + 1))
    ax.plot([1.0], [np.nan], "o")
    assert marks(ax) == {}


def test_without_a_way_to_write_values_there_are_no_points(ax: Axes) -> None:
    ax.fmt_ydata = None
    ax.plot([1], [0.5], label="named all the same")
    assert marks(ax) == {}
    assert ax.lines[0].get_gid() == "series-0"
