"""Colours of figures on a dark page."""

from __future__ import annotations

import pytest
from markupsafe import Markup

from reports.charts.base.style import ordered_colors
from reports.output.page._dark import CONTRAST, PAPER, contrast, dark_rules, lighter, recolorable

CELL = '<path d="M 1 1 L 2 2" clip-path="url(#a)" style="fill: #31678e"/>'
LINE = '<path d="M 1 1" style="fill: none; stroke: #31678e; stroke-width: 1.6"/>'
MARK = '<use xlink:href="#m" x="1" y="2" style="fill: #31678e"/>'
INKED = '<text style="font-size: 9px; fill: var(--ink, #1a1a1a)" x="1">a</text>'


def colored(drawing: str) -> Markup:
    return recolorable(Markup(drawing))  # noqa: S704 - the test's own


def test_contrast_is_that_of_the_guidelines() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_colours_are_lightened_as_far_as_needed() -> None:
    assert lighter("#d8d8d8") == "#d8d8d8"
    for shares in ordered_colors(11, margin=0):
        color = "#{:02x}{:02x}{:02x}".format(*(round(255 * share) for share in shares))
        assert contrast(lighter(color), PAPER) >= CONTRAST


def test_lines_and_points_change_and_cells_and_inks_stay() -> None:
    drawing = colored(CELL + LINE + MARK + INKED)
    assert drawing.count("var(--c31678e, #31678e)") == 2
    assert CELL in drawing
    assert INKED in drawing


def test_the_style_sheet_names_each_colour_once() -> None:
    rules = dark_rules([colored(LINE), colored(MARK)])
    assert rules.count(f"--c31678e: {lighter('#31678e')};") == 1
    assert "prefers-color-scheme: dark" in rules
