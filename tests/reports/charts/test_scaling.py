"""Charts of the way to a target show the numbers of their tables, and state what was found."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.analysis.branched_losses import Branched
from reports.analysis.scaling_record import TO_TARGET_COLUMNS, TargetRecord
from reports.charts._scaling import (
    critical_chart,
    noise_along_training,
    noise_chart,
    steps_chart,
    steps_to_target,
    time_chart,
    time_to_target,
)
from reports.charts.base import svg
from reports.charts.base._chart import Chart
from reports.charts.base.style import GREY, ORANGE
from reports.recommend.record import Analysis
from reports.schema.formats import off_by, significant, times
from reports.schema.results import EXPLORE, StudyResults
from reports.stats.bounds import Ends
from reports.stats.models.first_passage import NOT_REACHED
from reports.stats.models.noise_scale import FURTHER
from tests.helpers.claim_studies import study
from tests.reports.analysis.test_scaling_analysis import HYPERBOLIC, SIZES, hyperbola, main, noisy
from tests.reports.charts.conftest import bars_of, line_of, made, notes, points_of, readable
from tests.reports.conftest import keep, numbers

NO_BOUNDS = pd.DataFrame({"batch_size": [], "updates": [], "text": []})
Maker = Callable[[Analysis], Chart | None]
MAKERS: list[Maker] = [
    steps_chart,
    time_chart,
    noise_chart,
]

THREE = [1, 4, 16]


def way(**columns: list[object]) -> pd.DataFrame:
    """Return a table of the way to a target, with some columns changed."""
    table = pd.DataFrame({"batch_size": THREE, "updates": [100.0, 30.0, 12.0], "runs": 8})
    table = table.assign(
        learning_rate=1.0,
        target_rate=1.0,
        reached=8,
        updates_low=table["updates"] * 0.9,
        updates_high=table["updates"] * 1.1,
        examples=table["updates"] * THREE,
        seconds=table["updates"] * 1e-3,
        fitted=True,
        near_all=False,
        predicted_updates=table["updates"],
        predicted_seconds=table["updates"] * 1e-3,
        share=0.9,
        target=0.8,
        half_width=1.0,
    )
    return table.assign(**columns)[[column.name for column in TO_TARGET_COLUMNS]]


def curve(sizes: np.ndarray) -> np.ndarray:
    """Fitted updates."""
    return 7 + 93 / sizes


def read(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(reading="value")


def medians(ax: Axes) -> set[tuple[float, float]]:
    return points_of(readable(ax))


def test_perfect_scaling_begins_at_the_smallest_batch_that_arrives(ax: Axes) -> None:
    steps_to_target(ax, read(way(updates=[math.nan, 30.0, 12.0])), NO_BOUNDS, curve)
    ideal = next(np.asarray(line.get_xydata()) for line in ax.lines if line.get_color() == GREY)
    assert ideal[0].tolist() == [4, 30]
    np.testing.assert_allclose(ideal.prod(axis=1), 120)
    assert medians(ax) == {(4, 30), (16, 12)}
    fitted = next(np.asarray(line.get_xydata()) for line in ax.lines if line.get_color() == ORANGE)
    assert fitted[0].tolist() == [1, 100]
    assert {"ideal: 1/B", "fitted"} == {*notes(ax)}
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_xticks().tolist() == THREE


def test_runs_that_missed_are_triangles_with_their_number(ax: Axes) -> None:
    bounds = pd.DataFrame({"batch_size": [16], "updates": [40.0], "text": ["7/8"]})
    steps_to_target(ax, read(way()), bounds, None)
    (line,) = [line for line in ax.lines if line.get_marker() == "^"]
    assert np.asarray(line.get_xydata()).tolist() == [[16, 40]]
    assert {*notes(ax)} == {"ideal: 1/B", "7/8", "missed the target"}


def test_what_the_fit_leaves_out_is_hollow(ax: Axes) -> None:
    table = read(way(fitted=[True, True, False]))
    steps_to_target(ax, table, NO_BOUNDS, curve, critical=5.0, interval=Ends(4, 6))
    hollow = [line for line in readable(ax) if line.get_markerfacecolor() == "none"]
    assert points_of(hollow) == {(16, 12)}
    assert any(text.startswith("critical: 5") for text in notes(ax))
    assert len(ax.patches) == 1


def test_open_intervals_are_not_drawn(ax: Axes) -> None:
    steps_to_target(ax, read(way(updates_high=[110.0, math.inf, math.nan])), NO_BOUNDS, None)
    assert bars_of(ax) == [(90, 110)]
    steps_to_target(ax, read(way()), NO_BOUNDS, None, critical=5.0, interval=Ends(4, math.inf))
    assert not ax.patches


def test_times_are_medians_and_the_predicted_best_is_marked(ax: Axes) -> None:
    table = read(way(seconds=[0.3, 0.1, 0.2]))
    time_to_target(ax, table, lambda sizes: 0.1 * sizes, 5.0, Ends(3, 7))
    assert medians(ax) == {(1, 0.3), (4, 0.1), (16, 0.2)}
    assert any(text.startswith("predicted best: 5") for text in notes(ax))
    assert "fitted" in notes(ax)
    assert len(ax.patches) == 1
    other = Figure().add_subplot()
    time_to_target(other, table, None)
    assert not other.patches
    assert not other.texts


def test_the_axis_of_time_to_target_holds_times_that_lie_far_apart(ax: Axes) -> None:
    table = read(way().assign(seconds=[1.0, 0.01, 1e-4]))
    time_to_target(ax, table, None)
    low, high = ax.get_ylim()
    assert 1e-5 < low < 1e-4
    assert high == 3


def noise(status: str = "resolved") -> pd.DataFrame:
    """Return the noise scale of two batch sizes at two points, the last of this status."""
    return pd.DataFrame(
        {
            "batch_size": [1, 1, 16, 16],
            "examples": [10, 100, 10, 100],
            "seeds": 5,
            "noise_scale": [5.0, 9.0, 4.0, 8.0 if status == "resolved" else math.nan],
            "low": [4.0, 0.0, 3.0, 6.0],
            "high": [7.0, 20.0, 5.0, 11.0],
            "status": ["resolved"] * 3 + [status],
            "reading": ["a", "b", "c", "d"],
            **{f"{name}{end}": math.nan for name in FURTHER for end in ("", "_low", "_high")},
        }
    )


def test_the_noise_scale_has_bands_and_the_critical_batch_size_a_line(ax: Axes) -> None:
    noise_along_training(ax, noise(), 12.0, Ends(10, 14))
    assert line_of(ax, 1) == [(10, 5), (100, 9)]
    assert {*notes(ax)} == {"batch size 1", "batch size 16", "critical batch size"}
    assert [list(line.get_ydata()) for line in ax.lines if line.get_color() == ORANGE] == [[12, 12]]
    assert len(ax.collections) == 2


def test_unresolved_noise_is_a_triangle_at_its_lower_end(ax: Axes) -> None:
    noise_along_training(ax, noise("unresolved"), None, None)
    assert line_of(ax, 16) == [(10, 4)]
    triangles = [line for line in ax.lines if line.get_marker() == "^" and len(line.get_xydata())]
    assert [np.asarray(line.get_xydata()).tolist() for line in triangles] == [[[100, 6]]]


@pytest.mark.parametrize(("name", "marker"), [("b_noise", "o"), ("b_geometry", "D")])
def test_other_metrics_are_hollow_curves_of_the_same_batch_size(
    ax: Axes, name: str, marker: str
) -> None:
    values = {name: [6.0, 12.0, 5.0, math.nan], f"{name}_low": [4.0, 9.0, 3.0, 7.0]}
    noise_along_training(ax, noise().assign(**values, **{f"{name}_high": 20.0}), None, None)
    assert line_of(ax, 1) == [(10, 5), (100, 9)]
    hollow = [
        np.asarray(line.get_xydata()).tolist() for line in ax.lines if line.get_marker() == marker
    ]
    assert [[10, 6], [100, 12]] in hollow
    assert [[10, 5]] in hollow
    segments = [
        bar.tolist() for bars in ax.containers for end in bars[2] for bar in end.get_segments()
    ]
    assert [[10, 4], [10, 20]] in segments


def test_an_open_interval_of_the_critical_batch_size_is_a_line_alone(ax: Axes) -> None:
    noise_along_training(ax, noise(), 12.0, Ends(10, math.inf))
    assert not ax.patches


@pytest.fixture(scope="module")
def results() -> StudyResults:
    """A study whose updates to any target follow 1 + 25/B, with gradient noise."""
    return noisy(study(HYPERBOLIC, {"batch_sizes": SIZES}), 1.0)


@pytest.fixture(scope="module")
def analysis(results: StudyResults) -> Analysis:
    """Its only group's numbers."""
    return numbers(results)


def with_record(analysis: Analysis, record: TargetRecord) -> Analysis:
    """Return the numbers with another record of the main target."""
    return replace(analysis, scaling=replace(analysis.scaling, targets=(record,)))


@pytest.mark.parametrize("maker", MAKERS)
def test_every_chart_is_drawn_lean_and_describes_itself(analysis: Analysis, maker: Maker) -> None:
    chart = made(maker(analysis))
    assert len(svg.draw(chart)) < 25_000
    assert "batch size" in chart.description
    assert len(chart.caption) > 40


def test_titles_state_what_was_found(analysis: Analysis) -> None:
    record = main(analysis.scaling)
    table = record.batch_sizes
    fewer = table["updates"].iloc[0] / table["updates"].iloc[-1]
    critical = record.fit.critical_batch_size
    assert f"critical batch size of {critical:.0f}" in made(steps_chart(analysis)).finding
    finding = made(steps_chart(unfitted(analysis, poor_fit=True))).finding
    assert finding.startswith("From batch size 1 to 256")
    assert f"{times(fewer)} fewer updates" in finding
    caption = made(steps_chart(analysis)).caption
    assert f"critical batch size of {significant(critical)} (95% CI" in caption
    finding = made(time_chart(analysis)).finding
    assert finding.startswith("Time to the target: ")
    assert f" at batch size {record.fastest}" in finding
    finding = made(noise_chart(analysis)).finding
    assert finding.endswith("the critical batch size")


def test_captions_name_target_seeds_statistic_and_fit(
    results: StudyResults, analysis: Analysis
) -> None:
    caption = made(steps_chart(analysis)).caption
    assert f"{main(analysis.scaling).target.share:.0%} of the way" in caption
    assert "Measured on fresh seeds" in caption
    assert "Median of 8 runs with its distribution-free 95% interval" in caption
    fit = main(analysis.scaling).fit
    assert fit.max_log_residual is not None
    assert f"{fit.runs} runs" in caption
    assert off_by(fit.max_log_residual) in caption
    tuning = numbers(keep(results, results.trials["stage"] == EXPLORE))
    assert "fresh seeds" not in made(steps_chart(tuning)).caption


def test_runs_that_missed_are_in_caption_and_description() -> None:
    def late(size: int, stage: str) -> float:
        return 1e3 if size == 1 else hyperbola(size, stage)

    missed = numbers(study(replace(HYPERBOLIC, epochs_needed=late), {"batch_sizes": SIZES}))
    chart = made(steps_chart(missed))
    assert "8 runs that missed the target count as lower bounds" in chart.caption
    row = main(missed.scaling).batch_sizes.set_index("batch_size").loc[1]
    assert np.isfinite(row["updates_low"])
    assert (
        row["updates_low"]
        == main(missed.scaling).crossings.query("batch_size == 1")["updates"].min()
    )
    assert "batch size 1: most runs did not reach it" in chart.description
    assert ">8/8<" in svg.draw(chart)


@pytest.mark.parametrize(
    ("reached", "finding"),
    [
        ([], "No batch size"),
        ([16], "Only batch size 16"),
    ],
)
def test_few_that_arrive_are_stated(analysis: Analysis, reached: list[int], finding: str) -> None:
    record = main(analysis.scaling)
    arrived = record.batch_sizes["batch_size"].isin(reached)
    table = record.batch_sizes.assign(updates=record.batch_sizes["updates"].where(arrived))
    runs = record.crossings
    missed = runs.assign(
        outcome=runs["outcome"].where(runs["batch_size"].isin(reached), NOT_REACHED)
    )
    other = replace(record, batch_sizes=table, crossings=missed)
    assert made(steps_chart(with_record(analysis, other))).finding.startswith(finding)


def test_a_target_that_is_met_at_the_start_has_no_figure(analysis: Analysis) -> None:
    record = main(analysis.scaling)
    table = record.batch_sizes.assign(updates=math.nan, seconds=math.nan)
    other = with_record(analysis, replace(record, batch_sizes=table))
    assert steps_chart(other) is None
    assert time_chart(other) is None


def unfitted(analysis: Analysis, **changes: Any) -> Analysis:
    """Return the numbers without some of what is fitted."""
    record = main(analysis.scaling)
    return with_record(analysis, replace(record, fit=replace(record.fit, **changes)))


def test_what_was_not_fitted_is_stated(analysis: Analysis) -> None:
    nothing = unfitted(analysis, curve=None, critical_batch_size=None, reason="There are no runs.")
    assert "there are no runs" in made(steps_chart(nothing)).caption
    assert len(svg.draw(made(time_chart(nothing)))) > 1_000
    poor = unfitted(analysis, poor_fit=True)
    assert "rough estimate" in made(steps_chart(poor)).caption


def test_without_a_prediction_nothing_is_stated_of_it(analysis: Analysis) -> None:
    record = main(analysis.scaling)
    unknown = replace(record.best, reason="?", batch_size=None)
    chart = made(time_chart(with_record(analysis, replace(record, best=unknown))))
    assert "Orange" not in chart.caption
    assert "Orange" in made(time_chart(analysis)).caption


def test_few_runs_have_no_interval(analysis: Analysis) -> None:
    record = main(analysis.scaling)
    table = record.batch_sizes.assign(updates_low=np.nan, updates_high=np.nan)
    other = with_record(analysis, replace(record, batch_sizes=table))
    assert "without an interval" in made(steps_chart(other)).caption


def test_unresolved_noise_is_stated(results: StudyResults, analysis: Analysis) -> None:
    scaling = analysis.scaling
    unresolved = scaling.noise.assign(status="unresolved", noise_scale=math.nan, low=5.0)
    record = replace(main(scaling), noise=main(scaling).noise.assign(ratio=math.nan))
    other = replace(analysis, scaling=replace(scaling, noise=unresolved, targets=(record,)))
    chart = made(noise_chart(other))
    assert "don't resolve" in chart.finding
    assert f"unresolved, at least {significant(5.0)}" in chart.description
    finding = made(noise_chart(with_record(analysis, record))).finding
    assert re.search(r"from \d+ to \d+ examples", finding)
    assert noise_chart(numbers(noisy(results, -1.0))) is None


def critical() -> pd.DataFrame:
    """Return critical batch sizes at three points, the last of which no branch passes."""
    return pd.DataFrame(
        {
            "group": "g",
            "batch_size": 8,
            "examples": [10, 100, 1000],
            "seeds": 5,
            "critical_batch_size": [12.0, 30.0, math.inf],
            "critical_low": [9.0, 20.0, 60.0],
            "critical_high": [20.0, math.inf, math.inf],
            "largest": [32, 64, 128],
        }
    )


def branched(analysis: Analysis, table: pd.DataFrame) -> Analysis:
    branches = Branched(table, table, noise().assign(group="g"))
    return replace(analysis, scaling=replace(analysis.scaling, branched=branches))


def test_critical_batch_sizes_have_intervals_and_triangles_where_no_branch_is_worse(
    analysis: Analysis, ax: Axes
) -> None:
    chart = made(critical_chart(branched(analysis, critical())))
    chart.draw(ax)
    squares = [line for line in ax.lines if line.get_marker() == "s"]
    assert points_of(squares) == {(10, 12), (100, 30)}
    triangles = [
        line for line in ax.lines if line.get_marker() == "^" and line.get_color() == ORANGE
    ]
    assert points_of(triangles) == {(1000, 128)}
    assert {*notes(ax)} == {"noise scale", "critical batch size"}
    bars = [bar.tolist() for bars in ax.collections[-1:] for bar in bars.get_segments()]
    assert bars == [[[10, 9], [10, 20]], [[100, 20], [100, 64]], [[1000, 60], [1000, 128]]]
    first, last = "12 after 10 examples", "at least 128 after 1,000 examples"
    assert chart.finding == f"The critical batch size is {first} and {last}"
    assert chart.description.startswith("after 10 examples: 12 (95% CI 9.0 to 20)")
    assert "Triangles" in chart.caption


def test_a_study_without_branches_has_no_chart_of_them(analysis: Analysis) -> None:
    assert critical_chart(analysis) is None
    once = made(critical_chart(branched(analysis, critical()[:1])))
    assert once.finding == "The critical batch size is 12 after 10 examples"
    assert "Triangles" not in once.caption
