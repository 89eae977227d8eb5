"""The grid of rates, and the rates as good as the best: within a standard error of it."""

from __future__ import annotations

import math
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from scipy import stats

from reports.analysis.batch_sizes import basins
from reports.analysis.selection import select_rates, summarise_cells
from reports.charts._tuning import gap_chart, rates_chart, sharpness_chart
from reports.charts.base import svg
from reports.output.page._dark import contrast
from reports.recommend.record import Analysis
from reports.schema.formats import significant
from reports.schema.results import StudyResults
from reports.stats import t_interval
from tests.helpers.claim_studies import Truth, study
from tests.reports.charts.conftest import made, notes
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


def test_the_near_optimal_range_ends_where_a_rate_is_worse() -> None:
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


def test_a_single_seed_has_no_near_optimal_range() -> None:
    ranges = results()
    single = ranges.trials[ranges.trials["seed"].isin([1, 101])].reset_index(drop=True)
    assert basins_of(replace(ranges, trials=single)).empty


def growing(power: float, rates: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0, 100.0)) -> Analysis:
    """A study whose best rate grows with the batch."""

    def accuracy(_plan: object, size: int, rate: float) -> float:
        return 0.9 - 0.05 * abs(math.log10(rate) - power * math.log10(size / 100))

    sizes = {"batch_sizes": (1, 10, 100), "learning_rates": rates}
    return numbers(study(Truth(accuracy=accuracy, noise=1e-4), sizes))


def test_how_the_best_rate_grows_is_reported() -> None:
    chart = made(rates_chart(growing(0.5)))
    assert "0.1 at batch size 1 and 1 at 100: " in chart.finding
    assert chart.finding.endswith("power 0.5")
    assert "batch size 10: " in chart.description
    edges = made(rates_chart(growing(0.5, (0.1, 1.0))))
    assert edges.finding.endswith("0.1 at batch size 1 and 1 at 100")


def test_one_batch_size_has_a_grid_without_lines(ax: Axes) -> None:
    single = numbers(make_results(Sketch(description=small(batch_sizes=(8,)))))
    chart = made(rates_chart(single))
    chart.draw(ax)
    assert "batch size" not in chart.finding
    assert {"linear", "root"}.isdisjoint(notes(ax))


def test_rules_go_through_the_middle(ax: Axes) -> None:
    analysis = growing(0.5)
    made(rates_chart(analysis)).draw(ax)
    rates = analysis.batch_sizes["learning_rate"].tolist()
    dark = [
        line
        for line in ax.lines
        if line.get_color() == "#000000" and not np.isnan(line.get_xydata()[-1]).all()
    ]
    assert [line.get_linestyle() for line in dark] == ["-", "--", ":"]
    selected = np.asarray(dark[0].get_ydata(), np.float64)
    tried = sorted(analysis.cells["learning_rate"].unique())
    assert selected.tolist() == [tried.index(rate) + 0.5 for rate in rates]
    assert {"linear", "root"} < {*notes(ax)}
    for line in dark[1:]:
        inner = np.asarray(line.get_ydata(), np.float64)
        assert np.diff(inner[np.isfinite(inner)]).min() > 0


def test_the_gap_is_that_of_every_seed(digits: StudyResults) -> None:
    analysis = numbers(digits)
    rows = analysis.seeds.query("batch_size == 8")
    assert analysis.row(8)["gap"] == pytest.approx((rows["train_metric"] - rows["metric"]).mean())
    chart = made(gap_chart(analysis))
    assert "ahead of the test set" in chart.finding
    assert "with 95% t interval" in chart.caption
    assert len(svg.draw(chart)) < 20_000


def test_without_values_of_the_training_set_there_is_no_gap(digits: StudyResults) -> None:
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


def sharp(results: StudyResults) -> StudyResults:
    """Return results whose sharpness grows with the root of the batch size, times a seed's own."""
    trials, rng = results.trials, np.random.default_rng(1)
    level = trials["batch_size"] ** 0.5 * np.exp(rng.normal(scale=0.3, size=len(trials)))
    level = level.where(trials["stage"] == "confirm")
    return replace(results, trials=trials.assign(sharpness=level, top_eigenvalue=level**2))


def test_sharpness_is_drawn_and_compared_within_seeds(digits: StudyResults, ax: Axes) -> None:
    analysis = numbers(sharp(digits))
    rows = analysis.measured
    small, large = rows["batch_size"].min(), rows["batch_size"].max()
    fresh = analysis.seeds.pivot_table(index="seed", columns="batch_size", values="sharpness")
    logs = np.log(fresh[large] / fresh[small])
    ends = logs.mean() + stats.t.ppf([0.5, 0.025, 0.975], len(logs) - 1) * logs.sem()
    ratio, low, high = (f"{significant(math.exp(end))}x" for end in ends)
    chart = made(sharpness_chart(analysis))
    chart.draw(ax)
    drawn = {tuple(line.get_ydata()) for line in ax.lines if line.get_marker() in {"o", "s"}}
    assert {tuple(rows["sharpness"]), tuple(rows["top_eigenvalue"])} <= drawn
    interval, row = t_interval(fresh[8].tolist()), analysis.row(8)
    assert (row["sharpness_low"], row["sharpness_high"]) == (interval.low, interval.high)
    assert f"{large} ends {ratio} (95% CI {low} to {high}) as sharp as {small}, " in chart.finding
    losses = analysis.seeds.groupby("batch_size")["train_loss"].mean()[rows["batch_size"]]
    least, most = significant(losses.min()), significant(losses.max())
    assert f"here these are {least} to {most}." in chart.caption
    assert f"{significant(math.exp(2 * ends[0]))}x (95% CI " in chart.caption
    assert len(svg.draw(chart)) < 20_000


def test_what_sharpness_is_missing_is_not_compared(digits: StudyResults) -> None:
    assert sharpness_chart(numbers(digits)) is None
    few = made(sharpness_chart(numbers(of_seeds(sharp(digits), 0, 1, 100, 101))))
    assert "CI" not in few.finding
    assert "interval" not in few.caption
    single = sharp(make_results(Sketch(description=small(batch_sizes=(8,)))))
    assert "at batch size 8, at a" in made(sharpness_chart(numbers(single))).finding


def boxes(ax: Axes) -> list[tuple[int, int]]:
    """Return column and row of the boxes of selected rates: a light and a dark one for each."""
    points = [np.asarray(line.get_xydata(), np.float64) for line in ax.lines]
    outlines = [xy.reshape(-1, 6, 2) for xy in points if np.isnan(xy[-1]).all()]
    corners = [tuple(box[0].round().astype(int)) for part in outlines for box in part]
    return [(int(x), int(y)) for x, y in corners]


def test_the_rate_grid_prints_every_error_and_boxes_the_selected(
    ax: Axes, analysis: Analysis
) -> None:
    chart = made(rates_chart(analysis))
    chart.draw(ax)
    cells = chart.table.dropna(subset="error")
    np.testing.assert_allclose(cells["error"], 1 - cells["validation_metric"])
    printed = sorted(text.get_text() for text in ax.texts if text.get_label())
    assert printed == sorted(significant(100 * error, 2) for error in cells["error"])
    selected = analysis.batch_sizes.dropna(subset="learning_rate")
    rates = sorted(analysis.cells["learning_rate"].unique())
    assert len(boxes(ax)) == 2 * len(selected)
    assert {*boxes(ax)} == {
        (n, rates.index(rate)) for n, rate in enumerate(selected["learning_rate"])
    }
    assert f"recommended: {analysis.recommended}" in notes(ax)


def test_colours_follow_the_logarithm_of_the_error(ax: Axes, analysis: Analysis) -> None:
    chart = made(rates_chart(analysis))
    chart.draw(ax)
    wide = chart.table.pivot_table(
        index="learning_rate", columns="batch_size", values="error", dropna=False
    ).to_numpy()
    drawn = np.asarray(ax.collections[0].get_array(), np.float64).reshape(wide.shape)
    known = np.isfinite(wide)
    logs = np.log(wide[known])
    shares = (logs - logs.min()) / (logs.max() - logs.min())
    np.testing.assert_allclose(drawn[known], shares, atol=1e-9)


def test_errors_of_nothing_and_of_failures_have_a_colour(ax: Axes) -> None:
    metric = {0.1: 1.0, 1.0: 0.99, 10.0: -1e9}
    truth = Truth(accuracy=lambda _plan, _size, rate: metric[rate], noise=0)
    chart = made(rates_chart(numbers(study(truth, {"learning_rates": tuple(metric)}))))
    chart.draw(ax)
    drawn = np.asarray(ax.collections[0].get_array(), np.float64)
    assert np.nanmin(drawn) >= 0
    assert np.nanmax(drawn) <= 1


def test_a_cell_is_read_with_its_own_rate(ax: Axes, analysis: Analysis) -> None:
    made(rates_chart(analysis)).draw(ax)
    texts = {text.get_label() for text in ax.texts if text.get_label()}
    row = analysis.cells.dropna(subset="validation_metric").iloc[0]
    value = analysis.measure.text(row["validation_metric"])
    where = f"batch size {row['batch_size']}, learning rate {row['learning_rate']:g}: "
    assert any(text.startswith(where) and value in text for text in texts)


def test_cells_with_a_failed_seed_are_hatched(ax: Axes, analysis: Analysis) -> None:
    made(rates_chart(analysis)).draw(ax)
    hatched = [patch for patch in ax.patches if patch.get_hatch()]
    cells = analysis.cells
    assert len(hatched) == (cells["ok"] < cells["trials"]).sum() > 0


def test_values_in_the_grid_stand_out_from_their_cell(ax: Axes, analysis: Analysis) -> None:
    made(rates_chart(analysis)).draw(ax)
    mesh = ax.collections[0]
    mesh.update_scalarmappable()
    colors = np.asarray(mesh.get_facecolor()).reshape(*np.shape(mesh.get_array()), 4)
    values = [text for text in ax.texts if text.get_label()]
    for text in values:
        x, y = text.get_position()
        cell, ink = colors[int(y), int(x)], mpl.colors.to_hex(text.get_color())
        assert contrast(mpl.colors.to_hex(cell), ink) >= 4.5


def test_a_selected_rate_at_the_edge_is_boxed_with_dashes(ax: Axes, analysis: Analysis) -> None:
    selected = analysis.batch_sizes.dropna(subset="learning_rate")
    assert selected["at_edge"].nunique() == 2
    made(rates_chart(analysis)).draw(ax)
    dark = [line for line in ax.lines if line.get_color() == "#000000"]
    outlines = {
        line.get_linestyle() != "-": np.asarray(line.get_xydata(), np.float64)
        for line in dark
        if np.isnan(line.get_xydata()[-1]).all()
    }
    for edge, at_edge in selected.groupby("at_edge"):
        assert len(outlines[bool(edge)].reshape(-1, 6, 2)) == len(at_edge)
