"""What all figures share can be seen on light and on dark pages, and without colours."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from reports.charts.base.style import (
    GREEN,
    LINE,
    LOOKS,
    STYLE,
    batch_size_axis,
    ink_on,
    name_ends,
    ordered_colors,
    recommend,
    spread,
)
from reports.output.page._dark import contrast


@pytest.mark.parametrize("color", [color for color, _, _ in LOOKS])
@pytest.mark.parametrize("paper", ["#ffffff", "#121212"])
def test_points_stand_out_on_light_and_on_dark_pages(color: str, paper: str) -> None:
    assert contrast(color, paper) >= 3


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.2])
def test_ink_can_be_read_on_every_colour_of_the_scale(margin: float) -> None:
    for color in ordered_colors(64, margin):
        assert contrast(mpl.colors.to_hex(color), ink_on(color)) >= 4.5


def test_styles_differ_in_more_than_colour() -> None:
    assert len({marker for _, marker, _ in LOOKS}) == len(LOOKS)
    assert len({dashes for _, _, dashes in LOOKS}) == len(LOOKS)


def test_text_of_others_is_no_mathematics() -> None:
    with mpl.rc_context(STYLE):
        figure = Figure()
        text = figure.text(0, 0, "a$x^$b")
        figure.draw_without_rendering()
    assert text.get_text() == "a$x^$b"


def test_names_are_moved_apart_no_more_than_needed() -> None:
    free = np.array([50.0, 0.0, 100.0])
    np.testing.assert_allclose(spread(free, np.full(3, 10.0)), free)
    moved = spread(np.array([0.0, 1.0, 2.0]), np.array([10.0, 10.0, 20.0]))
    np.testing.assert_allclose(np.diff(moved), [10, 15])


def test_names_of_lines_stand_at_their_ends_without_covering_each_other() -> None:
    ax = Figure(dpi=72).add_subplot()
    ax.plot([1, 2], [0.5, 0.5])
    ax.plot([1, 2], [0.4, 0.501])
    name_ends(ax, [("first", 2, 0.5), ("a name that is longer than a line", 2, 0.501)])
    first, second = ax.texts
    assert isinstance(first, Annotation)
    assert isinstance(second, Annotation)
    assert first.xy == (2, 0.5)
    assert "\n" in second.get_text()
    places = [ax.transData.transform(text.xy)[1] + text.xyann[1] for text in (first, second)]
    assert places[1] - places[0] >= 1.5 * LINE - 1e-9


@pytest.mark.parametrize(("size", "side"), [(1, "left"), (32, "center"), (1024, "right")])
def test_the_recommended_size_is_named_within_the_figure(size: int, side: str) -> None:
    ax = batch_size_axis(Figure().add_subplot(), [1, 32, 1024])
    ax.set_xlim(1, 1024)
    recommend(ax, size)
    assert ax.texts[0].get_horizontalalignment() == side
    assert str(size) in ax.texts[0].get_text()
    assert ax.lines[0].get_color() == GREEN
    recommend(ax, None)
    assert len(ax.lines) == 1
