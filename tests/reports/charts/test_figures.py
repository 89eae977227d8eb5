"""The marks on the Axes are the numbers of the tables."""

from __future__ import annotations

import itertools
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from reports.charts import figures
from reports.charts.base.style import STYLE
from reports.recommend.record import Analysis
from reports.schema.results import StudyResults
from tests.reports.charts.base.test_style import contrast
from tests.reports.conftest import Sketch, make_results, numbers, of_seeds, small


@pytest.fixture
def ax() -> Axes:
    """Axes of a figure that pyplot knows nothing of."""
    with mpl.rc_context(STYLE):
        return Figure().add_subplot()


@pytest.fixture(scope="module")
def analysis(digits: StudyResults) -> Analysis:
    """The numbers of the study as shipped."""
    return numbers(digits)


def points_of(lines: list[Line2D]) -> set[tuple[float, float]]:
    """Return the points of these lines."""
    return {
        (float(x), float(y))
        for line in lines
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }


def pairs_of(table: pd.DataFrame, x: str, y: str) -> set[tuple[float, float]]:
    return {(float(a), float(b)) for a, b in zip(table[x], table[y], strict=True)}


def tick_labels(ax: Axes) -> list[str]:
    ax.figure.draw_without_rendering()
    return [label.get_text() for label in ax.get_xticklabels()]


def test_ticks_are_the_real_batch_sizes_on_a_log2_axis(ax: Axes, analysis: Analysis) -> None:
    figures.accuracy(
        ax, analysis.measured, analysis.seeds, label="Test accuracy", measure=analysis.measure
    )
    assert ax.get_xscale() == "log"
    assert tick_labels(ax) == [str(size) for size in analysis.plan.batch_sizes]
    assert ax.get_ylabel() == "Test accuracy"


def test_accuracy_shows_means_with_their_intervals(ax: Axes, analysis: Analysis) -> None:
    table = analysis.measured
    assert figures.accuracy(ax, table, analysis.seeds, label="", measure=analysis.measure) is ax
    assert points_of([ax.lines[0]]) == pairs_of(table, "batch_size", "metric")
    bars = ax.collections[0].get_segments()
    ends = [(bar[0][1], bar[1][1]) for bar in bars]
    np.testing.assert_allclose(ends, table[["metric_low", "metric_high"]])


def test_hollow_markers_are_those_told_from_the_best(ax: Axes, analysis: Analysis) -> None:
    table = analysis.measured
    figures.accuracy(ax, table, analysis.seeds, label="", measure=analysis.measure)
    hollow = [line for line in ax.lines if line.get_markerfacecolor() == "none"]
    assert points_of(hollow) == pairs_of(table[~table["tied"]], "batch_size", "metric")


def test_few_seeds_are_dots_with_a_median(ax: Axes, digits: StudyResults) -> None:
    few = numbers(of_seeds(digits, 0, 1, 2, 100, 101, 102))
    figures.accuracy(ax, few.measured, few.seeds, label="", measure=few.measure)
    assert not ax.collections
    assert points_of([ax.lines[0]]) == pairs_of(few.measured, "batch_size", "metric_median")
    assert points_of([ax.lines[1]]) == pairs_of(few.seeds, "batch_size", "metric")


def test_the_rate_grid_prints_every_cell_and_boxes_the_selected(
    ax: Axes, analysis: Analysis
) -> None:
    cells = analysis.cells
    selected = analysis.batch_sizes.dropna(subset="learning_rate")
    figures.rate_grid(ax, cells, selected, label="Validation accuracy", measure=analysis.measure)
    printed = sorted(text.get_text() for text in ax.texts)
    values = cells["validation_metric"].dropna()
    assert printed == sorted(f"{100 * value:.1f}" for value in values)
    boxes = [p for p in ax.patches if isinstance(p, Rectangle) and not p.get_hatch()]
    assert len(boxes) == 2 * len(selected)
    rates = sorted(cells["learning_rate"].unique(), reverse=True)
    corners = {(round(b.get_x() - 0.04), round(b.get_y() - 0.04)) for b in boxes}
    assert corners == {
        (place, rates.index(rate)) for place, rate in enumerate(selected["learning_rate"])
    }


def test_cells_with_a_lost_seed_are_hatched(ax: Axes, analysis: Analysis) -> None:
    cells = analysis.cells
    figures.rate_grid(
        ax,
        cells,
        analysis.batch_sizes.dropna(subset="learning_rate"),
        label="",
        measure=analysis.measure,
    )
    hatched = [patch for patch in ax.patches if patch.get_hatch()]
    assert len(hatched) == (cells["ok"] < cells["trials"]).sum() > 0


def test_learning_curves_are_one_line_for_each_batch_size(ax: Axes, analysis: Analysis) -> None:
    curves = analysis.mean_curves
    figures.learning_curves(ax, curves, label="Validation accuracy", measure=analysis.measure)
    seen = curves[curves["epochs"] > 0]
    drawn = [line for line in ax.lines if len(line.get_xdata())]
    for line, (_, rows) in zip(drawn, seen.groupby("batch_size"), strict=True):
        assert points_of([line]) == pairs_of(rows, "epochs", "validation_metric")
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [str(size) for size in analysis.plan.batch_sizes]


def test_neighbouring_curves_differ_in_colour_and_dash(ax: Axes, analysis: Analysis) -> None:
    figures.learning_curves(ax, analysis.mean_curves, label="", measure=analysis.measure)
    drawn = [line for line in ax.lines if len(line.get_xdata())]
    looks = [(line.get_color(), line.get_linestyle(), line._dash_pattern) for line in drawn]  # noqa: SLF001
    assert len({str(color) for color, _, _ in looks}) == len(drawn)
    assert all(a[2] != b[2] for a, b in itertools.pairwise(looks))


def test_seconds_per_update_show_each_engine(ax: Axes, analysis: Analysis) -> None:
    figures.seconds_per_update(ax, analysis.timing)
    lines = [container.lines[0] for container in ax.containers]
    expected = pairs_of(analysis.timing, "batch_size", "seconds_per_update")
    assert points_of(lines) == expected
    assert {line.get_marker() for line in lines} == {"o", "s"}
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_seconds_to_train_are_those_of_the_table(ax: Axes, analysis: Analysis) -> None:
    figures.seconds_to_train(ax, analysis.timed)
    expected = pairs_of(analysis.timed, "batch_size", "seconds_to_train")
    assert points_of([ax.lines[0]]) == expected


def test_the_speedup_has_the_range_of_the_rounds_and_a_line_at_one(
    ax: Axes, analysis: Analysis
) -> None:
    table = analysis.batch_sizes
    figures.tensor_speedup(ax, table)
    assert points_of([ax.containers[0].lines[0]]) == pairs_of(table, "batch_size", "speedup")
    ends = [(bar[0][1], bar[1][1]) for bar in ax.collections[0].get_segments()]
    low = table[["speedup", "speedup_low"]].min(axis=1)
    high = table[["speedup", "speedup_high"]].max(axis=1)
    np.testing.assert_allclose(ends, pd.DataFrame({"low": low, "high": high}))
    assert any(list(line.get_ydata()) == [1, 1] for line in ax.lines)


def test_accuracy_and_time_ring_the_pareto_set(ax: Axes, analysis: Analysis) -> None:
    table = analysis.measured
    figures.accuracy_and_time(ax, table, label="", measure=analysis.measure)
    drawn = {tuple(point) for point in ax.collections[0].get_offsets().tolist()}
    assert drawn == pairs_of(table, "seconds_to_train", "metric")
    rings = pairs_of(table[table["pareto"]], "seconds_to_train", "metric")
    assert points_of([ax.lines[0]]) == rings
    assert [text.get_text() for text in ax.texts] == [str(b) for b in table["batch_size"]]


def test_every_trial_is_a_dot_and_every_seed_a_line(ax: Axes, analysis: Analysis) -> None:
    figures.seed_spread(ax, analysis.seeds, label="", measure=analysis.measure)
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert points_of(dots) == pairs_of(analysis.seeds, "batch_size", "metric")
    assert len(ax.lines) - 1 == analysis.seeds["seed"].nunique()


def test_values_in_the_grid_stand_out_from_their_cell(ax: Axes, analysis: Analysis) -> None:
    figures.rate_grid(ax, analysis.cells, analysis.measured, label="", measure=analysis.measure)
    colors = ax.collections[0].get_facecolors()
    shown = colors[colors[:, 3] > 0]
    inks = [text.get_color() for text in ax.texts]
    ratios = [
        contrast(mpl.colors.to_hex(c), mpl.colors.to_hex(i))
        for c, i in zip(shown, inks, strict=True)
    ]
    assert min(ratios) >= 4.5


def test_one_batch_size_can_be_drawn(ax: Axes) -> None:
    sketch = Sketch(description=small(batch_sizes=(8,)))
    analysis = numbers(make_results(sketch))
    figures.accuracy(ax, analysis.measured, analysis.seeds, label="", measure=analysis.measure)
    assert tick_labels(ax) == ["8"]


def test_a_selected_rate_at_the_edge_is_boxed_with_dashes(ax: Axes, analysis: Analysis) -> None:
    selected = analysis.batch_sizes.dropna(subset="learning_rate")
    assert selected["at_edge"].nunique() == 2
    figures.rate_grid(ax, analysis.cells, selected, label="", measure=analysis.measure)
    boxes = [p for p in ax.patches if isinstance(p, Rectangle) and not p.get_hatch()]
    dashed = [box.get_linestyle() != "-" for box in boxes[1::2]]
    assert dashed == selected["at_edge"].tolist()
    assert all(box.get_linestyle() == "-" for box in boxes[::2])


def test_a_cohorts_time_has_a_look_of_its_own(ax: Axes, digits: StudyResults) -> None:
    tensor = digits.timing[digits.timing["engine"] == "tensor"]
    timing = pd.concat([digits.timing, tensor.assign(lanes=30)], ignore_index=True)
    analysis = numbers(replace(digits, timing=timing))
    figures.seconds_per_update(ax, analysis.timing)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [
        "tensor operations",
        "tensor operations, each of 30 networks",
        "one item at a time",
    ]
    looks = {(c.lines[0].get_color(), c.lines[0].get_marker()) for c in ax.containers}
    assert len(looks) == 3
