"""The grid of rates, and the rates as good as the best: within a standard error of it."""

from __future__ import annotations

import math
from dataclasses import replace

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reports.analysis.batch_sizes import basins
from reports.analysis.selection import select_rates, summarise_cells
from reports.charts import _tuning as tuning
from reports.charts._tuning import best_rates_chart, gap_chart
from reports.charts.base import svg
from reports.charts.base._chart import Chart
from reports.recommend.record import Analysis
from reports.schema.results import StudyResults
from tests.helpers.claim_studies import Truth, study
from tests.reports.charts.base.test_style import contrast
from tests.reports.conftest import Sketch, make_results, nothing_run, numbers, of_seeds, small

pytestmark = pytest.mark.slow
RATES = (0.1, 0.3, 1.0, 3.0, 10.0)
METRIC = {0.1: 0.8997, 0.3: 0.5, 1.0: 0.9, 3.0: 0.8999, 10.0: 0.6}
"""The smallest rate is as good as the best, but one in between isn't."""


def results(noise: float = 0.002, **changes: object) -> StudyResults:
    truth = Truth(accuracy=lambda _plan, _size, rate: METRIC[rate], noise=noise)
    return study(truth, {"learning_rates": RATES, **changes})


def basins_of(ranges: StudyResults) -> pd.DataFrame:
    cells = summarise_cells(ranges.trials, ranges.description.tuning_seeds)
    return basins(ranges.trials, cells, select_rates(cells))


def test_the_basin_ends_where_a_rate_is_worse() -> None:
    ranges = basins_of(results(noise=0.02))
    assert ranges["batch_size"].tolist() == [1, 32, 1024]
    assert (ranges["basin_low"] >= 0.1).all()
    assert (ranges["basin_high"] <= 3).all()
    quiet = basins_of(results(noise=1e-6))
    assert quiet[["basin_low", "basin_high"]].to_numpy().tolist() == [[1.0, 1.0]] * 3


def test_by_hand() -> None:
    ranges = results()
    analysis = numbers(ranges)
    for row in analysis.batch_sizes.to_dict("records"):
        best = row["learning_rate"]
        explored = ranges.trials.query("batch_size == @row['batch_size'] and stage == 'explore'")
        values = explored[explored["learning_rate"] == best]["validation_metric"]
        limit = values.mean() - values.std() / math.sqrt(len(values))
        means = explored.groupby("learning_rate")["validation_metric"].mean()
        best_index = [*means.index].index(best)
        low = high = best_index
        while low > 0 and means.iloc[low - 1] >= limit:
            low -= 1
        while high + 1 < len(means) and means.iloc[high + 1] >= limit:
            high += 1
        assert (row["basin_low"], row["basin_high"]) == (means.index[low], means.index[high])


def test_a_single_seed_has_no_basin() -> None:
    ranges = results()
    single = ranges.trials[ranges.trials["seed"].isin([1, 101])].reset_index(drop=True)
    assert basins_of(replace(ranges, trials=single)).empty


def made(chart: Chart | None) -> Chart:
    assert chart is not None
    return chart


def growing(power: float, rates: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0, 100.0)) -> Analysis:
    """A study whose best rate grows with the batch."""

    def accuracy(_plan: object, size: int, rate: float) -> float:
        return 0.9 - 0.05 * abs(math.log10(rate) - power * math.log10(size / 100))

    sizes = {"batch_sizes": (1, 10, 100), "learning_rates": rates}
    return numbers(study(Truth(accuracy=accuracy, noise=1e-4), sizes))


def test_how_the_best_rate_grows_is_told() -> None:
    chart = made(best_rates_chart(growing(0.5)))
    assert "0.1 at batch size 1 to 1 at 100, " in chart.finding
    assert "batch size 10: " in chart.description
    assert len(svg.draw(chart)) < 20_000
    edges = made(best_rates_chart(growing(0.5, (0.1, 1.0))))
    assert edges.finding.endswith("0.1 at batch size 1 to 1 at 100")
    assert len(svg.draw(edges)) < 20_000


def test_one_batch_size_has_no_chart_of_rates() -> None:
    single = numbers(make_results(Sketch(description=small(batch_sizes=(8,)))))
    assert best_rates_chart(single) is None


def test_rules_go_through_the_middle() -> None:
    ax = Figure().add_subplot()
    table = pd.DataFrame(
        {
            "batch_size": [1, 100],
            "learning_rate": [0.1, 10.0],
            "at_edge": [False, True],
            "basin_low": [0.1, 3.0],
            "basin_high": [0.3, 10.0],
        }
    )
    rules = pd.DataFrame({"batch_size": [1, 100], "linear": [0.1, 10.0], "sqrt": [0.3, 3.0]})
    tuning.best_rates(ax, table, rules)
    lines = {str(line.get_label()): line for line in ax.lines}
    assert lines["∝ B"].get_ydata().tolist() == [0.1, 10.0]
    assert lines["at the grid's edge"].get_markerfacecolor() == "none"
    assert ax.get_xticks().tolist() == [1, 100]


def test_the_gap_is_that_of_every_seed(digits: StudyResults) -> None:
    analysis = numbers(digits)
    rows = analysis.seeds.query("batch_size == 8")
    assert analysis.row(8)["gap"] == pytest.approx((rows["train_metric"] - rows["metric"]).mean())
    chart = made(gap_chart(analysis))
    assert "ahead of the test part" in chart.finding
    assert "with 95% t interval" in chart.caption
    assert len(svg.draw(chart)) < 20_000


def test_without_values_of_the_training_part_there_is_no_gap(digits: StudyResults) -> None:
    trials = digits.trials.assign(train_metric=float("nan"))
    assert gap_chart(numbers(replace(digits, trials=trials))) is None
    assert gap_chart(numbers(nothing_run(digits))) is None
    partial = digits.trials.assign(
        train_metric=digits.trials["train_metric"].mask(digits.trials["seed"] == 100)
    )
    assert gap_chart(numbers(replace(digits, trials=partial))) is None


def test_few_seeds_have_a_gap_without_an_interval(digits: StudyResults) -> None:
    chart = made(gap_chart(numbers(of_seeds(digits, 0, 1, 100, 101))))
    assert "interval" not in chart.caption
    assert len(svg.draw(chart)) < 20_000


def test_the_rate_grid_prints_every_cell_and_boxes_the_selected(
    ax: Axes, analysis: Analysis
) -> None:
    cells = analysis.cells
    selected = analysis.batch_sizes.dropna(subset="learning_rate")
    tuning.rate_grid(ax, cells, selected, label="Validation accuracy", measure=analysis.measure)
    printed = sorted(text.get_text() for text in ax.texts)
    values = cells["validation_metric"].dropna()
    assert printed == sorted(f"{100 * value:.1f}" for value in values)
    boxes = [p for p in ax.patches if isinstance(p, Rectangle) and not p.get_hatch()]
    assert len(boxes) == 2 * len(selected)
    rates = sorted(cells["learning_rate"].unique(), reverse=True)
    corners = {(round(b.get_x() - 0.04), round(b.get_y() - 0.04)) for b in boxes}
    assert corners == {
        (best_index, rates.index(rate)) for best_index, rate in enumerate(selected["learning_rate"])
    }


def test_cells_with_a_lost_seed_are_hatched(ax: Axes, analysis: Analysis) -> None:
    cells = analysis.cells
    tuning.rate_grid(
        ax,
        cells,
        analysis.batch_sizes.dropna(subset="learning_rate"),
        label="",
        measure=analysis.measure,
    )
    hatched = [patch for patch in ax.patches if patch.get_hatch()]
    assert len(hatched) == (cells["ok"] < cells["trials"]).sum() > 0


def test_values_in_the_grid_stand_out_from_their_cell(ax: Axes, analysis: Analysis) -> None:
    tuning.rate_grid(ax, analysis.cells, analysis.measured, label="", measure=analysis.measure)
    colors = ax.collections[0].get_facecolors()
    shown = colors[colors[:, 3] > 0]
    inks = [text.get_color() for text in ax.texts]
    ratios = [
        contrast(mpl.colors.to_hex(c), mpl.colors.to_hex(i))
        for c, i in zip(shown, inks, strict=True)
    ]
    assert min(ratios) >= 4.5


def test_a_selected_rate_at_the_edge_is_boxed_with_dashes(ax: Axes, analysis: Analysis) -> None:
    selected = analysis.batch_sizes.dropna(subset="learning_rate")
    assert selected["at_edge"].nunique() == 2
    tuning.rate_grid(ax, analysis.cells, selected, label="", measure=analysis.measure)
    boxes = [p for p in ax.patches if isinstance(p, Rectangle) and not p.get_hatch()]
    dashed = [box.get_linestyle() != "-" for box in boxes[1::2]]
    assert dashed == selected["at_edge"].tolist()
    assert all(box.get_linestyle() == "-" for box in boxes[::2])
