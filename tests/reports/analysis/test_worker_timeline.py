"""The clock of a sweep: pauses left out, rows that were free, work that adds up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.analysis.worker_timeline import (
    LEAST_PAUSE,
    TIMED,
    TIMELINE_COLUMNS,
    Timeline,
    timeline_of,
)
from reports.schema.results import TIMING_COLUMNS, StudyResults, empty_table
from tests.reports.conftest import BEGIN, Sketch, make_results, nothing_run, small


def ran(
    spans: Sequence[tuple[float, float]], rounds: Sequence[tuple[float, float]] = ()
) -> Timeline:
    """Return the timeline of a study of which a trial ran in each span, a cohort of its own."""
    results = make_results(Sketch(description=small()))
    trials = results.trials.iloc[: len(spans)].reset_index(drop=True)
    began, ended = (BEGIN + np.array(ends) for ends in zip(*spans, strict=True))
    timing = results.timing.iloc[: len(rounds)].reset_index(drop=True)
    if rounds:
        started, wall = (np.array(ends) for ends in zip(*rounds, strict=True))
        timing = timing.assign(started=BEGIN + started, wall_seconds=wall)
    return timeline_of(
        replace(results, trials=trials.assign(started=began, ended=ended), timing=timing)
    )


def ends(timeline: Timeline) -> list[tuple[float, float]]:
    spans = timeline.spans[["started", "ended"]].round(5)
    return list(zip(spans["started"], spans["ended"], strict=True))


def test_a_cohort_is_what_began_and_ended_together(digits: StudyResults) -> None:
    timeline = timeline_of(digits)
    cohorts = timeline.spans[timeline.spans["stage"] != TIMED]
    assert len(cohorts) == 22
    assert cohorts["trials"].sum() == digits.trials["trial"].nunique()
    assert set(cohorts["stage"]) == {"explore", "confirm"}
    assert cohorts["batch_size"].nunique() == 11
    assert timeline.spans.columns.tolist() == [column.name for column in TIMELINE_COLUMNS]
    assert timeline.unknown == 0


def test_the_work_of_a_batch_size_is_that_of_its_cohorts(digits: StudyResults) -> None:
    timeline = timeline_of(digits)
    cohorts = timeline.spans[timeline.spans["stage"] != TIMED]
    lengths = cohorts["ended"] - cohorts["started"]
    for row in timeline.work.to_dict("records"):
        chosen = cohorts["batch_size"] == row["batch_size"]
        assert (row["cohorts"], row["trials"]) == (chosen.sum(), cohorts["trials"][chosen].sum())
        assert row["work_seconds"] == pytest.approx(lengths[chosen].sum())
        assert row["work_share"] == pytest.approx(lengths[chosen].sum() / lengths.sum())
    assert timeline.work["work_share"].sum() == pytest.approx(1)


def test_the_clock_begins_with_the_first_trial_in_any_order_of_rows() -> None:
    assert ends(ran([(3, 4), (1, 2.5)])) == [(0, 1.5), (2, 3)]


@pytest.mark.parametrize("gap", [LEAST_PAUSE - 0.1, LEAST_PAUSE + 0.1])
def test_only_a_long_gap_is_a_pause(gap: float) -> None:
    timeline = ran([(0, 1), (1 + gap, 3 + gap)])
    if gap > LEAST_PAUSE:
        assert ends(timeline) == [(0, 1), (1, 3)]
        assert timeline.pauses.round(5).to_dict("records") == [
            {"at": 1.0, "seconds": round(gap, 5)}
        ]
    else:
        assert ends(timeline) == [(0, 1), (round(1 + gap, 5), round(3 + gap, 5))]
        assert timeline.pauses.empty
    assert timeline.seconds == pytest.approx(3 if gap > LEAST_PAUSE else 3 + gap)


def test_a_gap_is_no_pause_next_to_a_long_sweep() -> None:
    assert ran([(0, 1000), (1050, 1100)]).pauses.empty
    assert len(ran([(0, 1000), (1060, 1100)]).pauses) == 1


def test_a_gap_behind_a_longer_cohort_is_none() -> None:
    assert ran([(0, 100), (1, 2), (50, 60)]).pauses.empty


def test_a_cohort_takes_the_lowest_row_that_is_free() -> None:
    timeline = ran([(0, 3), (1, 2), (2, 4), (2.5, 5), (3, 6)])
    assert timeline.spans["row"].tolist() == [1, 2, 2, 3, 1]
    assert timeline.rows == 3


def test_clocks_that_differ_by_a_hair_do_not_need_another_row() -> None:
    assert ran([(0, 1), (0.9999, 2)]).spans["row"].tolist() == [1, 1]
    assert ran([(0, 1), (0.99, 2)]).spans["row"].tolist() == [1, 2]


def test_rounds_of_the_benchmark_are_one_bar_where_they_follow_each_other() -> None:
    timeline = ran([(0, 1)], rounds=[(2, 0.5), (2.6, 0.5), (90, 0.25)])
    passes = timeline.spans[timeline.spans["stage"] == TIMED]
    assert ends(timeline) == [(0, 1), (2, 3.1), (3.1, 3.35)]
    assert passes["row"].tolist() == [0, 0]
    assert passes["batch_size"].isna().all()
    assert timeline.work["trials"].tolist() == [1]


def test_rounds_that_several_groups_share_count_once() -> None:
    results = make_results(Sketch(description=small()))
    twice = pd.concat([results.timing, results.timing], ignore_index=True)
    single, doubled = (
        timeline_of(replace(results, timing=timing)) for timing in (results.timing, twice)
    )
    pd.testing.assert_frame_equal(single.spans, doubled.spans)


def test_busy_is_the_share_of_all_rows_between_the_first_trial_and_the_last() -> None:
    assert ran([(0, 4), (1, 2)]).busy == pytest.approx(5 / 8)
    assert ran([(0, 1), (1, 2)]).busy == pytest.approx(1)


def test_the_benchmark_between_trials_is_no_idleness() -> None:
    between = ran([(0, 1), (3, 4)], rounds=[(1.5, 1.0)])
    assert between.busy == pytest.approx(2 / 3)
    assert ran([(0, 1), (3, 4)], rounds=[(5, 1.0)]).busy == pytest.approx(1 / 2)


def test_trials_of_unknown_times_are_counted() -> None:
    results = make_results(Sketch(description=small()))
    lost = results.trials["batch_size"] == 8
    columns = ["started", "ended"]
    trials = results.trials.copy()
    trials.loc[lost, columns] = math.nan
    timeline = timeline_of(replace(results, trials=trials))
    assert timeline.unknown == lost.sum()
    assert 8 not in set(timeline.work["batch_size"])


def test_a_study_that_has_not_begun_has_no_clock(digits: StudyResults) -> None:
    timeline = timeline_of(nothing_run(digits))
    assert (len(timeline.spans), len(timeline.work), len(timeline.pauses)) == (0, 0, 0)
    assert (timeline.rows, timeline.seconds, timeline.unknown) == (0, 0.0, 0)
    assert math.isnan(timeline.busy)


def test_trials_that_took_no_time_leave_open_how_busy_workers_were() -> None:
    assert math.isnan(ran([(0, 0)]).busy)


def test_a_benchmark_alone_has_a_clock(digits: StudyResults) -> None:
    alone = replace(nothing_run(digits), timing=digits.timing)
    timeline = timeline_of(alone)
    assert timeline.spans["stage"].tolist() == [TIMED]
    assert math.isnan(timeline.busy)
    untimed = replace(alone, timing=empty_table(TIMING_COLUMNS))
    assert timeline_of(untimed).spans.empty
