"""Axes written as SVG are those that matplotlib would draw."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from reports.charts.base._axes import panels, write_axes
from reports.charts.base.style import BATCH_SIZE, STYLE, TICK_SIZE, batch_size_axis

WIDTH, HEIGHT = 288, 144  # points


@pytest.fixture
def ax() -> Axes:
    """Axes with batch sizes on x and metrics on y."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=100)
        made = batch_size_axis(figure.add_axes((0.25, 0.25, 0.7, 0.7)), [1, 8, 64])
    made.set(xlim=(0.5, 32), ylim=(-0.0015, 0.0025), ylabel="Test <accuracy>")
    made.yaxis.set_major_formatter(lambda value, _place: f"{value:+.4f}")
    return made


def written(ax: Axes) -> ET.Element:
    return ET.fromstring(f"<svg>{write_axes(ax)}</svg>")  # noqa: S314


def texts(root: ET.Element, axis: str) -> dict[str, tuple[float, float]]:
    return {
        str(text.text): (float(text.get("x", "")), float(text.get("y", "")))
        for text in root.findall(f"g[@data-axis='{axis}']/text")
    }


@pytest.mark.parametrize("axis", ["x", "y"])
def test_ticks_are_where_matplotlib_puts_them_with_its_texts(ax: Axes, axis: str) -> None:
    ax.figure.draw_without_rendering()
    drawn = (ax.xaxis if axis == "x" else ax.yaxis).get_major_ticks()
    expected = {tick.label1.get_text(): tick.get_loc() for tick in drawn}
    shown = texts(written(ax), "size" if axis == "x" else "y")
    assert set(shown) < set(expected) or axis == "y"
    for text, (x, y) in shown.items():
        point = (expected[text], 0) if axis == "x" else (1, expected[text])
        across, up = ax.transData.transform(point) * 72 / ax.figure.dpi
        if axis == "x":
            assert x == pytest.approx(across, abs=0.06)
            assert y > HEIGHT - 0.25 * HEIGHT
        else:
            assert y == pytest.approx(HEIGHT - up, abs=0.4 * TICK_SIZE)
            assert x < 0.25 * WIDTH


def test_what_lies_outside_of_the_axes_has_no_tick(ax: Axes) -> None:
    assert set(texts(written(ax), "size")) == {"1", "8"}


def test_labels_are_text_and_clear_of_long_numbers(ax: Axes) -> None:
    root = written(ax)
    across, up = root.findall("g")[-1].findall("text")
    assert (across.text, up.text) == (BATCH_SIZE, "Test <accuracy>")
    baseline = float(up.get("x", ""))
    font = FontProperties(family="DejaVu Sans", size=TICK_SIZE)
    widest = TextPath((0, 0), "+0.0015", prop=font).get_extents().width
    assert 9 < baseline < min(x for x, _ in texts(root, "y").values()) - widest


def test_parts_that_are_off_are_not_written(ax: Axes) -> None:
    ax.tick_params(labelleft=False, length=0)
    ax.grid(visible=False)
    root = written(ax)
    assert not texts(root, "y")
    (frame,) = root.findall("path")
    assert "v3" not in frame.get("d", "")


def test_axes_are_written_once_and_their_data_stay(ax: Axes) -> None:
    ax.plot([1, 8], np.zeros(2))
    assert write_axes(ax)
    assert not write_axes(ax)
    assert len(ax.lines) == 1


def test_panels_are_axes_too(ax: Axes) -> None:
    inset = ax.inset_axes((0, 0, 0.5, 0.5))
    assert panels(ax) == [ax, inset]
