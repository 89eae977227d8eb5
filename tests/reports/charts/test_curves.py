"""Learning curves are the means of the table, told apart by more than colour."""

from __future__ import annotations

import itertools

from matplotlib.axes import Axes

from reports.charts._curves import learning_curves
from reports.recommend.record import Analysis
from tests.reports.charts.conftest import pairs_of, points_of


def test_learning_curves_are_one_line_for_each_batch_size(ax: Axes, analysis: Analysis) -> None:
    seen = analysis.mean_curves[analysis.mean_curves["epochs"] > 0]
    learning_curves(ax, seen, label="Validation accuracy", measure=analysis.measure)
    drawn = [line for line in ax.lines if len(line.get_xdata())]
    for line, (_, rows) in zip(drawn, seen.groupby("batch_size"), strict=True):
        assert points_of([line]) == pairs_of(rows, "epochs", "validation_metric")
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [str(size) for size in analysis.plan.batch_sizes]


def test_neighbouring_curves_differ_in_colour_and_dash(ax: Axes, analysis: Analysis) -> None:
    learning_curves(ax, analysis.mean_curves, label="", measure=analysis.measure)
    drawn = [line for line in ax.lines if len(line.get_xdata())]
    looks = [(line.get_color(), line.get_linestyle(), line._dash_pattern) for line in drawn]  # noqa: SLF001
    assert len({str(color) for color, _, _ in looks}) == len(drawn)
    assert all(a[2] != b[2] for a, b in itertools.pairwise(looks))
