"""Progress: a plain line every few seconds, a bar on a terminal, a prediction that learns."""

from __future__ import annotations

import io
import itertools

import pytest

from reports.schema.results import CONFIRM, EXPLORE, EXTEND, REFINE
from sweeps.run._progress import Remaining, progress, step_title
from sweeps.spec import StudySpecification


def test_plain_lines_come_when_enough_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0, 1.0)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    with progress("trials", [0.1, 4.9, 2.5, 2.5], 4, stream=stream) as advance:
        for cost in (0.1, 4.9, 2.5, 2.5):
            advance([cost], 1, cost / 2.5)
    assert stream.getvalue().splitlines() == [
        "trials: 2/4 (50%), about 2 s left",
        "trials: 4/4 (100%), about 0 s left",
        "trials: 4/4 in 5.0 s",
    ]


def test_a_long_wait_gets_a_line_without_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0, 40.0)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    with progress("trials", [100.0], 2, stream=stream) as advance:
        advance([], 0, 0.0)
    assert stream.getvalue().splitlines()[0] == "trials: 0/2 (0%)"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_terminal_gets_a_bar() -> None:
    stream = Terminal()
    with progress("trials", [10.0], 4, stream=stream) as advance:
        advance([10.0], 4, 1.0)
    assert "4/4" in stream.getvalue()
    assert "100%" in stream.getvalue()
    assert "about 0 s left" in stream.getvalue()


def test_each_stage_is_a_step_of_those_there_are() -> None:
    keys = {"dataset": "iris", "batch_sizes": 5, "learning_rates": 1.0, "seeds": 1, "epochs": 1}
    alone, fresh = (
        StudySpecification.model_validate(keys | more) for more in ({}, {"confirmation_seeds": 9})
    )
    assert [step_title(fresh, stage)[:3] for stage in (EXPLORE, EXTEND, CONFIRM, REFINE, "")] == [
        *("1/3", "1/3", "2/3", "2/3", "3/3")
    ]
    assert [step_title(alone, stage)[:3] for stage in (EXPLORE, "")] == ["1/2", "2/2"]
    assert step_title(fresh, CONFIRM) != step_title(fresh, EXPLORE)


def test_before_anything_has_ended_the_prediction_is_the_plans() -> None:
    assert not Remaining([60.0], workers=2).known
    assert Remaining([60.0], workers=2).seconds(0.0) == 30
    assert Remaining([60.0], workers=2).seconds(10.0) == 20
    assert Remaining([60.0], workers=2).seconds(1000.0) == 0


def test_the_prediction_learns_what_work_costs_indeed() -> None:
    remaining = Remaining([10.0, 90.0], workers=1)
    remaining.add([10.0], 30.0)
    assert remaining.share == 0.1
    assert remaining.seconds(30.0) == 270


def test_work_under_way_counts_as_far_as_it_has_got() -> None:
    # Two workers for ten seconds: five cohorts of two seconds ended on one, the other is at one of
    # twenty.
    remaining = Remaining([20.0, *[2.0] * 5], workers=2)
    for _ in range(5):
        remaining.add([2.0], 2.0)
    assert remaining.seconds(10.0) == 5


def test_what_workers_do_next_to_their_work_is_predicted_too() -> None:
    # Each second of work takes nine more of sending and waiting; one piece at most is under way.
    remaining = Remaining([1.0] * 4, workers=1)
    remaining.add([1.0, 1.0], 2.0)
    assert remaining.seconds(20.0) == 18


def test_parts_of_a_cohort_that_was_split_count_as_they_are() -> None:
    remaining = Remaining([2.0, 10.0], workers=1)
    remaining.add([5.0, 5.0], 10.0)
    assert remaining.seconds(10.0) == 2


def test_no_work_is_done() -> None:
    assert Remaining([], workers=1).share == 1
    assert Remaining([], workers=1).seconds(1.0) == 0
