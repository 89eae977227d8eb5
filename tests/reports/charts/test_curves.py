"""Learning curves are the means of the table, distinguished by more than colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.axes import Axes

from reports.charts._curves import curves_chart, highlighted
from reports.charts.base.style import GREEN, GREY, SIZE_ID
from reports.recommend.record import Analysis
from reports.schema.results import StudyResults
from tests.reports.charts.conftest import made, notes, pairs_of, points_of
from tests.reports.conftest import numbers, of_seeds


def test_learning_curves_are_one_line_for_each_batch_size(ax: Axes, analysis: Analysis) -> None:
    made(curves_chart(analysis)).draw(ax)
    seen = analysis.mean_curves[analysis.mean_curves["epochs"] > 0]
    for line, (size, rows) in zip(ax.lines, seen.groupby("batch_size"), strict=True):
        assert points_of([line]) == pairs_of(rows, "epochs", "validation_metric")
        assert line.get_gid() == f"{SIZE_ID}{size}"


def test_five_are_named_and_the_recommended_one_has_its_colour(
    ax: Axes, analysis: Analysis
) -> None:
    made(curves_chart(analysis)).draw(ax)
    named = [line for line in ax.lines if line.get_color() != GREY]
    looks = {(line.get_color(), str(line._dash_pattern)) for line in named}  # noqa: SLF001
    assert len(named) == len(looks) == len(ax.texts) == 5
    (used,) = [line for line in named if line.get_color() == GREEN]
    assert used.get_gid() == f"{SIZE_ID}{analysis.recommended}"
    assert f"{analysis.recommended}, recommended" in " ".join(notes(ax))
    assert ax.get_legend() is None


def test_bands_are_the_intervals_over_five_seeds(ax: Axes, analysis: Analysis) -> None:
    made(curves_chart(analysis)).draw(ax)
    assert len(ax.collections) == 5
    rows = analysis.mean_curves.query("batch_size == 1 and epochs > 0")
    (band,) = [each for each in ax.collections if each.get_gid() == f"{SIZE_ID}1"]
    ends = {float(y) for y in band.get_paths()[0].vertices[:, 1]}
    assert {*rows["validation_low"], *rows["validation_high"]} <= ends
    middle = (rows["validation_low"] + rows["validation_high"]) / 2
    free = rows["validation_high"] < 1
    np.testing.assert_allclose(middle[free], rows["validation_metric"][free])


def test_few_seeds_have_no_bands(ax: Axes, digits: StudyResults) -> None:
    made(curves_chart(numbers(of_seeds(digits, 0, 1, 100, 101)))).draw(ax)
    assert not ax.collections


@pytest.mark.parametrize(
    ("recommended", "shown"),
    [
        (None, [0, 2, 5, 8, 10]),
        (3, [0, 3, 5, 8, 10]),
        (10, [0, 2, 5, 8, 10]),
        (99, [0, 2, 5, 8, 10]),
    ],
)
def test_the_recommended_size_takes_the_place_of_a_near_one(
    recommended: int | None, shown: list[int]
) -> None:
    assert highlighted(range(11), recommended) == shown
    assert highlighted([4, 8], 8) == [4, 8]


def test_an_answer_is_not_needed(ax: Axes, analysis: Analysis) -> None:
    answer = replace(analysis.answer, batch_size=None)
    made(curves_chart(replace(analysis, answers=(answer, analysis.target)))).draw(ax)
    assert GREEN not in {line.get_color() for line in ax.lines}
