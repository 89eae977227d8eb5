"""What all figures share can be seen on light and on dark pages, and without colours."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from reports.charts.base.style import LOOKS, STYLE, ink_on, ordered_colors


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two colours, as WCAG 2 defines it."""

    def luminance(color: str) -> float:
        share = np.array(mpl.colors.to_rgb(color))
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("color", [color for color, _, _ in LOOKS])
@pytest.mark.parametrize("paper", ["#ffffff", "#121212"])
def test_marks_stand_out_on_light_and_on_dark_pages(color: str, paper: str) -> None:
    assert contrast(color, paper) >= 3


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.2])
def test_ink_can_be_read_on_every_colour_of_the_scale(margin: float) -> None:
    for color in ordered_colors(64, margin):
        assert contrast(mpl.colors.to_hex(color), ink_on(color)) >= 4.5


def test_looks_differ_in_more_than_colour() -> None:
    assert len({marker for _, marker, _ in LOOKS}) == len(LOOKS)
    assert len({dashes for _, _, dashes in LOOKS}) == len(LOOKS)


def test_text_of_others_is_no_mathematics() -> None:
    with mpl.rc_context(STYLE):
        figure = Figure()
        text = figure.text(0, 0, "a$x^$b")
        figure.draw_without_rendering()
    assert text.get_text() == "a$x^$b"
