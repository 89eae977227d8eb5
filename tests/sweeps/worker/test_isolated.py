"""A task apart: its end is known for sure, and touches nobody else."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import Any

import faults
import pytest
from faults import POISON, cohort, stable

from sweeps.worker import isolated as apart
from sweeps.worker.isolated import perform_apart
from sweeps.worker.processes import start_python
from sweeps.worker.tasks import Death, Report, Task, Work, perform, received, train
from sweeps.worker.workspace import Workspace


@pytest.fixture
def task(workspace: Workspace) -> Task:
    """Return a poisoned task apart."""
    return Task(1, cohort(POISON), workspace, apart=True)


def report(work: Work, task: Task) -> Report:
    return received(perform_apart(work, task), task)


@pytest.mark.parametrize("work", [train, faults.chatter])
def test_an_isolated_task_gives_the_same_bytes_whatever_is_printed(work: Work, task: Task) -> None:
    here, there = received(perform(train, task), task), report(work, task)
    assert isinstance(here, list)
    assert isinstance(there, list)
    assert stable(there) == stable(here)


def test_an_error_is_an_outcome(task: Task) -> None:
    death = report(faults.divide, task)
    assert isinstance(death, list)
    assert {outcome.status for outcome in death} == {"error"}


@pytest.mark.parametrize(("work", "how"), [(faults.kill, "SIGKILL"), (faults.leave, "exit code 0")])
def test_an_end_without_a_word_is_a_death_with_a_name(work: Work, how: str, task: Task) -> None:
    assert report(work, task) == Death(how)


def test_a_crash_shows_where(task: Task) -> None:
    death = report(faults.crash, task)
    assert isinstance(death, Death)
    assert death.how.startswith("SIGSEGV\n  File ")
    assert " in crash\n" in death.how


def test_what_does_not_end_is_killed(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeps.worker.tasks.HARD_SECONDS", 1.0)
    death = report(faults.hang, replace(task, trial_seconds=0.01))
    assert death == Death("no end", overdue=True)


def test_a_process_that_cannot_begin_is_no_trials_fault(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "CODE", "raise SystemExit(5)")
    assert report(train, task) == Death("exit code 5", began=False)


def test_a_process_ends_when_nobody_asks_it_anything() -> None:
    process = start_python(apart.CODE, streams=subprocess.PIPE)
    assert not process.communicate(b"")[0]
    assert process.returncode == 1


def test_a_process_that_cannot_be_started_has_not_begun(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any, **_keys: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert report(train, task) == Death("[Errno 11] Resource temporarily unavailable", began=False)
