"""What the page says of how the sweep ran."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest

from reports.analysis.worker_timeline import SLACK, timeline_of
from reports.charts.base import svg
from reports.charts.base._chart import Chart
from reports.charts.timeline import timeline_charts
from reports.output.page.sections import inlined, unknown_history
from reports.recommend.record import StudyAnalysis
from reports.schema import count_outcomes
from reports.schema.formats import percent, seconds
from reports.schema.results import StudyResults
from tests.reports.conftest import Sketch, make_results, nothing_run, small, without_timing

pytestmark = pytest.mark.slow


def history_of(results: StudyResults) -> StudyAnalysis:
    """Return what a study's chart and captions need, which is no number of its groups."""
    counts = count_outcomes(results.trials)
    none = pd.DataFrame()
    return StudyAnalysis(results, (), counts, none, timeline_of(results), none, {})


def chart_of(results: StudyResults) -> Chart:
    """Return the chart, which must be there."""
    (chart,) = timeline_charts(history_of(results))
    return chart


def moved(results: StudyResults, stage: str, by: float) -> StudyResults:
    """Return the results as if a stage had run later."""
    later = by * (results.trials["stage"] == stage)
    trials = results.trials.assign(
        started=results.trials["started"] + later, ended=results.trials["ended"] + later
    )
    return replace(results, trials=trials)


def test_the_finding_names_what_took_longest_and_how_busy_workers_were(
    digits: StudyResults,
) -> None:
    study = history_of(digits)
    work = study.timeline.work.sort_values("work_share").iloc[-1]
    finding = chart_of(digits).finding
    assert f"Batch size {work['batch_size']:.0f} took {percent(work['work_share'])} " in finding
    assert f"2 workers were busy {percent(study.timeline.busy)} " in finding


def test_one_worker_was_busy() -> None:
    results = make_results(Sketch(description=small()))
    small_batch = results.trials["batch_size"] == 8
    alone = results.trials[small_batch & (results.trials["stage"] == "explore")].reset_index(
        drop=True
    )
    ended = chart_of(replace(results, trials=alone)).finding
    assert "1 worker was busy 100%" in ended


def test_trials_that_took_no_time_leave_out_how_busy_workers_were(digits: StudyResults) -> None:
    trials = digits.trials.assign(started=1.0, ended=1.0)
    finding = chart_of(replace(digits, trials=trials)).finding
    assert finding.startswith("Batch size")
    assert "busy" not in finding


def test_the_caption_states_that_no_trial_ran_during_the_benchmark(digits: StudyResults) -> None:
    caption = chart_of(digits).caption
    passes = history_of(digits).timeline.spans.iloc[-1]
    took = seconds(passes["ended"] - passes["started"])
    assert f"The benchmark took {took}; no trial" in caption
    assert "timing pass" not in chart_of(without_timing(digits)).caption


def test_trials_next_to_the_benchmark_are_reported(digits: StudyResults) -> None:
    begin = float(digits.timing["started"].min()) - float(digits.trials["started"].min())
    caption = chart_of(moved(digits, "explore", begin)).caption
    assert "trials ran during the benchmark" in caption


@pytest.mark.parametrize(("late", "warned"), [(SLACK / 2, False), (2 * SLACK, True)])
def test_clocks_that_differ_by_a_hair_make_no_trial_run_next_to_the_benchmark(
    digits: StudyResults, late: float, warned: bool
) -> None:
    begin = float(digits.timing["started"].min()) + late
    last = digits.trials["ended"] == digits.trials["ended"].max()
    trials = digits.trials.assign(ended=digits.trials["ended"].where(~last, begin))
    assert ("By these clocks" in chart_of(replace(digits, trials=trials)).caption) is warned


def test_pauses_are_reported_with_their_length(digits: StudyResults) -> None:
    untimed = without_timing(digits)
    once = chart_of(moved(untimed, "confirm", 3600.0)).caption
    assert "a pause of 60\xa0min 0\xa0s" in once
    timed = replace(digits, timing=digits.timing.assign(started=digits.timing["started"] + 7200.0))
    twice = chart_of(moved(timed, "confirm", 3600.0)).caption
    assert "2 pauses of " in twice
    assert "Dotted" not in chart_of(untimed).caption


def test_trials_that_are_not_drawn_are_reported(digits: StudyResults) -> None:
    trials = digits.trials.copy()
    trials.loc[:2, ["started", "ended"]] = math.nan
    caption = chart_of(replace(digits, trials=trials)).caption
    assert "Not drawn: 3 trials" in caption


def test_begins_are_reported_where_they_are_marked(digits: StudyResults) -> None:
    assert "A thin mark" in chart_of(digits).caption
    apart = digits.trials["seed"].rank(method="first") * 1e-4
    many = replace(digits, trials=digits.trials.assign(ended=digits.trials["ended"] + apart))
    assert "A thin mark" not in chart_of(many).caption


def test_the_section_has_a_figure_or_says_why_not(digits: StudyResults) -> None:
    study = history_of(digits)
    (chart,) = timeline_charts(study)
    ((_, drawing),) = inlined({chart.name: (chart, svg.draw(chart))})
    assert 'role="img"' in str(drawing)
    assert unknown_history(study) == ""
    assert unknown_history(history_of(nothing_run(digits))) == "No trial has run yet."
    unknown = replace(
        without_timing(digits), trials=digits.trials.assign(started=math.nan, ended=math.nan)
    )
    assert timeline_charts(history_of(unknown)) == []
    assert unknown_history(history_of(unknown)).startswith("There is no timeline: ")


def test_a_benchmark_alone_has_a_chart(digits: StudyResults) -> None:
    alone = replace(nothing_run(digits), timing=digits.timing)
    assert chart_of(alone).finding.startswith("The benchmark took ")
    pd.testing.assert_frame_equal(alone.timing, digits.timing)
