"""Progress: a plain line every few seconds, a bar on a terminal, a prediction that learns."""

from __future__ import annotations

import io
import itertools

import pytest

from reports.schema.results import CONFIRM, EXPLORE, EXTEND, REFINE
from sweeps.run._progress import Done, progress, step_title
from sweeps.spec import StudySpecification


def test_plain_lines_come_when_enough_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    stream = io.StringIO()
    with progress("trials", [0.1, 4.9, 2.5, 2.5], 4, stream=stream) as advance:
        for cost in (0.1, 4.9, 2.5, 2.5):
            now += 1.25
            advance([cost], 1)
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
        advance([], 0)
    assert stream.getvalue().splitlines()[0] == "trials: 0/2 (0%)"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_a_terminal_gets_a_bar() -> None:
    stream = Terminal()
    with progress("trials", [10.0], 4, stream=stream) as advance:
        advance([10.0], 4)
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


def test_the_prediction_learns_what_work_costs_indeed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 30.0, 40.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    done = Done([10.0, 90.0])
    assert done.left == ""
    done.add([10.0], 1)
    assert (done.share, done.ended) == (0.1, 1)
    assert done.left == "about 270 s left"
    done.add([90.0], 2)
    assert (done.left, done.ended) == ("about 0 s left", 3)


def test_no_work_is_done() -> None:
    assert Done([]).share == 1
