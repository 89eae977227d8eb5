"""Tasks: whatever happens in one, what comes back is outcomes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import faults
import pytest
from faults import POISON, cohort

from sweeps.errors import DataError
from sweeps.worker.tasks import Task, Work, perform, received, train
from sweeps.worker.train import CURVE_WIDTH, Outcome
from sweeps.worker.workspace import Workspace


def outcomes(work: Work, task: Task) -> list[Outcome]:
    ended = received(perform(work, task), task)
    assert isinstance(ended, list)
    return ended


def test_a_task_gives_the_outcomes_of_its_trials(workspace: Workspace) -> None:
    task = Task(7, cohort(0.1, 0.2), workspace)
    ended = outcomes(train, task)
    assert [outcome.trial for outcome in ended] == [trial.identity for trial in task.cohort.trials]
    assert {outcome.status for outcome in ended} == {"ok"}


def test_beginning_is_written_down(workspace: Workspace) -> None:
    for number in (7, 8):
        perform(train, Task(number, cohort(0.1), workspace))
    lines = workspace.started.read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["7", "8"]


def test_a_task_needs_no_workspace(tmp_path: Path) -> None:
    task = Task(1, cohort(0.1), Workspace(tmp_path / "elsewhere"))
    assert {outcome.status for outcome in outcomes(faults.divide, task)} == {"error"}


@pytest.mark.parametrize(
    ("work", "last_line"),
    [
        (faults.divide, "ZeroDivisionError: division by zero"),
        (faults.recurse, "RecursionError: maximum recursion depth exceeded"),
        (faults.exit_politely, "SystemExit: 3"),
        (faults.return_unpicklable, "AttributeError: Can't "),  # the rest depends on Python
        (faults.return_unreadable, "ValueError: can't be unpickled"),
        (faults.raise_unpicklable, "faults.UnpicklableError: can't be sent"),
    ],
)
def test_what_goes_wrong_is_an_error_with_its_traceback(
    work: Work, last_line: str, workspace: Workspace
) -> None:
    task = Task(1, cohort(POISON, 0.1), workspace)
    for outcome in outcomes(work, task):
        assert outcome.status == "error"
        assert outcome.error.startswith("Traceback")
        assert outcome.error.splitlines()[-1].startswith(last_line)
        assert outcome.curve.shape == (0, CURVE_WIDTH)


def test_what_the_user_can_mend_has_no_traceback(workspace: Workspace) -> None:
    def refuse(_task: Task) -> list[Outcome]:
        raise DataError("There is no such file.")

    ended = outcomes(refuse, Task(1, cohort(0.1), workspace))
    assert {(outcome.status, outcome.error) for outcome in ended} == {
        ("error", "There is no such file.")
    }


def test_the_hard_limit_leaves_room_for_the_soft_one(workspace: Workspace) -> None:
    task = Task(1, cohort(0.1, 0.2), workspace)
    assert task.hard_seconds is None
    assert replace(task, trial_seconds=3.0).hard_seconds == 3 * 4 * 2 + 10
