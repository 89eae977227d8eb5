"""Charts of the way to a target: their titles state what was found, or that nothing can be."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.analysis.scaling_record import TargetRecord
from reports.charts import scaling_charts
from reports.charts.base import svg
from reports.charts.base.chart import Chart
from reports.recommend.record import Analysis
from reports.schema.formats import off_by
from reports.schema.results import EXPLORE, StudyResults
from reports.stats.models.first_passage import NOT_REACHED
from tests.reports.analysis.test_scaling_analysis import HYPERBOLIC, SIZES, hyperbola, main, noisy
from tests.reports.claim_studies import study
from tests.reports.conftest import keep, nothing_run, numbers, without_timing

Maker = Callable[[Analysis], Chart | None]


@pytest.fixture(scope="module")
def results() -> StudyResults:
    """A study whose updates to any target follow 1 + 25/B, with gradient noise."""
    return noisy(study(HYPERBOLIC, {"batch_sizes": SIZES}), 1.0)


@pytest.fixture(scope="module")
def analysis(results: StudyResults) -> Analysis:
    """Its only group's numbers."""
    return numbers(results)


def made(maker: Maker, analysis: Analysis) -> Chart:
    """Return a chart that must be there."""
    chart = maker(analysis)
    assert chart is not None
    return chart


def with_record(analysis: Analysis, record: TargetRecord) -> Analysis:
    """Return the numbers with another record of the main target."""
    return replace(analysis, scaling=replace(analysis.scaling, targets=(record,)))


MAKERS: list[Maker] = [
    scaling_charts.steps_chart,
    scaling_charts.examples_chart,
    scaling_charts.tradeoff_chart,
    scaling_charts.time_chart,
    scaling_charts.noise_chart,
    scaling_charts.throughput_chart,
]


@pytest.mark.parametrize("maker", MAKERS)
def test_every_chart_is_drawn_lean_and_says_what_it_shows(analysis: Analysis, maker: Maker) -> None:
    chart = made(maker, analysis)
    assert len(svg.draw(chart)) < 20_000
    assert "batch size" in chart.description
    assert len(chart.caption) > 40


@pytest.mark.parametrize("maker", MAKERS)
def test_a_study_that_has_not_begun_has_none(results: StudyResults, maker: Maker) -> None:
    assert maker(numbers(nothing_run(results))) is None


def test_titles_state_what_was_found(analysis: Analysis) -> None:
    record = main(analysis.scaling)
    table = record.batch_sizes
    fewer = table["updates"].iloc[0] / table["updates"].iloc[-1]
    finding = made(scaling_charts.steps_chart, analysis).finding
    assert finding.startswith("From batch size 1 to 256, 256\N{MULTIPLICATION SIGN} as large")
    assert f"{fewer:.1f}\N{MULTIPLICATION SIGN} fewer updates" in finding
    critical = record.fit.critical_batch_size
    finding = made(scaling_charts.examples_chart, analysis).finding
    assert f"critical batch size of {critical:.1f} (95% interval" in finding
    assert "at least about" in made(scaling_charts.tradeoff_chart, analysis).finding
    finding = made(scaling_charts.time_chart, analysis).finding
    assert finding.startswith(f"Batch size {record.fastest} reaches the target first")
    assert f"predicted: {record.best.batch_size:.1f} (95% interval" in finding
    finding = made(scaling_charts.noise_chart, analysis).finding
    assert finding.endswith("the critical batch size")


def test_captions_name_target_seeds_statistic_and_fit(
    results: StudyResults, analysis: Analysis
) -> None:
    caption = made(scaling_charts.steps_chart, analysis).caption
    assert "90% of the way" in caption
    assert "Measured on fresh seeds" in caption
    assert "Median of 8 runs with its distribution-free 95% interval." in caption
    fit = main(analysis.scaling).fit
    assert fit.max_log_residual is not None
    assert (
        f"fitted to the logarithms of 40 runs, off by up to {off_by(fit.max_log_residual)} at"
        in caption
    )
    tuning = numbers(keep(results, results.trials["stage"] == EXPLORE))
    assert "the tuning seeds, which also set it" in made(scaling_charts.steps_chart, tuning).caption


def test_runs_that_missed_are_in_caption_and_description() -> None:
    def late(size: int, stage: str) -> float:
        return 1e3 if size == 1 else hyperbola(size, stage)

    missed = numbers(study(replace(HYPERBOLIC, epochs_needed=late), {"batch_sizes": SIZES}))
    chart = made(scaling_charts.steps_chart, missed)
    assert "8 runs that missed it: counted as lower bounds." in chart.caption
    row = main(missed.scaling).batch_sizes.set_index("batch_size").loc[1]
    assert np.isfinite(row["updates_low"])
    assert (
        row["updates_low"]
        == main(missed.scaling).crossings.query("batch_size == 1")["updates"].min()
    )
    assert "batch size 1: not reached by most runs" in chart.description
    assert "8 of 8" in svg.draw(chart)


def test_a_first_of_which_a_run_misses_names_who_arrives_with_all(analysis: Analysis) -> None:
    record = main(analysis.scaling)
    table = record.batch_sizes
    first = table["batch_size"] == record.fastest

    def finding(reached: pd.Series[int]) -> str:
        part = replace(record, batch_sizes=table.assign(reached=reached))
        return made(scaling_charts.time_chart, with_record(analysis, part)).finding

    others = table[~first].sort_values("seconds")["batch_size"].iloc[0]
    one = finding(table["reached"].where(~first, 7))
    assert f" with 7 of 8 runs; with all runs {others}, in " in one
    assert "with all runs" not in finding(table["reached"].clip(upper=7))


@pytest.mark.parametrize(
    ("reached", "finding"),
    [
        ([], "No batch size reaches the target in most of its runs"),
        ([16], "Only batch size 16 reaches the target in most runs"),
    ],
)
def test_few_that_arrive_are_said(analysis: Analysis, reached: list[int], finding: str) -> None:
    record = main(analysis.scaling)
    arrived = record.batch_sizes["batch_size"].isin(reached)
    table = record.batch_sizes.assign(updates=record.batch_sizes["updates"].where(arrived))
    runs = record.crossings
    missed = runs.assign(
        outcome=runs["outcome"].where(runs["batch_size"].isin(reached), NOT_REACHED)
    )
    other = replace(record, batch_sizes=table, crossings=missed)
    assert made(scaling_charts.steps_chart, with_record(analysis, other)).finding == finding


def test_a_target_that_is_met_at_the_start_has_no_figure(analysis: Analysis) -> None:
    record = main(analysis.scaling)
    table = record.batch_sizes.assign(updates=math.nan, seconds=math.nan)
    other = with_record(analysis, replace(record, batch_sizes=table))
    assert scaling_charts.steps_chart(other) is None
    assert scaling_charts.examples_chart(other) is None
    assert scaling_charts.time_chart(other) is None


def unfitted(analysis: Analysis, **changes: Any) -> Analysis:
    """Return the numbers without some of what is fitted."""
    record = main(analysis.scaling)
    return with_record(analysis, replace(record, fit=replace(record.fit, **changes)))


def test_what_was_not_fitted_is_said(analysis: Analysis) -> None:
    nothing = unfitted(analysis, curve=None, critical_batch_size=None, reason="There are no runs.")
    chart = made(scaling_charts.examples_chart, nothing)
    assert chart.finding == "The critical batch size can't be told: there are no runs."
    assert "Nothing is fitted: there are no runs." in chart.caption
    assert scaling_charts.tradeoff_chart(nothing) is None
    assert len(svg.draw(made(scaling_charts.time_chart, nothing))) > 1_000
    neither = unfitted(analysis, min_updates=None, min_examples=None)
    assert made(scaling_charts.tradeoff_chart, neither).finding.startswith("The data show neither")
    poor = unfitted(analysis, poor_fit=True)
    assert "That is a poor fit." in made(scaling_charts.steps_chart, poor).caption


def test_without_a_prediction_the_measured_best_is_told(analysis: Analysis) -> None:
    record = main(analysis.scaling)
    unknown = replace(record.best, reason="?", batch_size=None)
    other = with_record(analysis, replace(record, best=unknown))
    finding = made(scaling_charts.time_chart, other).finding
    assert finding.endswith("no batch size can be predicted")
    edge = replace(record.best, batch_size=1.0)
    finding = made(
        scaling_charts.time_chart, with_record(analysis, replace(record, best=edge))
    ).finding
    assert "predicted: 1.00, the end of the range," in finding


def test_without_times_there_is_no_chart_of_time(results: StudyResults) -> None:
    untimed = numbers(without_timing(results))
    assert scaling_charts.time_chart(untimed) is None
    assert scaling_charts.throughput_chart(untimed) is None
    assert made(scaling_charts.steps_chart, untimed)


def test_few_runs_have_no_interval(analysis: Analysis) -> None:
    record = main(analysis.scaling)
    table = record.batch_sizes.assign(updates_low=np.nan, updates_high=np.nan)
    other = with_record(analysis, replace(record, batch_sizes=table))
    assert "without an interval" in made(scaling_charts.steps_chart, other).caption


def test_unresolved_noise_is_said(results: StudyResults, analysis: Analysis) -> None:
    scaling = analysis.scaling
    unresolved = scaling.noise.assign(status="unresolved", noise_scale=math.nan, low=5.0)
    record = replace(main(scaling), noise=main(scaling).noise.assign(ratio=math.nan))
    other = replace(analysis, scaling=replace(scaling, noise=unresolved, targets=(record,)))
    chart = made(scaling_charts.noise_chart, other)
    assert chart.finding == "The seeds don't resolve the gradient noise scale"
    assert "unresolved, at least 5.00" in chart.description
    finding = made(scaling_charts.noise_chart, with_record(analysis, record)).finding
    assert finding.startswith("The noise scale goes from 4")
    assert scaling_charts.noise_chart(numbers(noisy(results, -1.0))) is None
