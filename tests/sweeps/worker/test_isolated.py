"""A task apart: its end is known for sure, and touches nobody else."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
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


def test_an_isolated_task_gives_the_same_bytes(task: Task) -> None:
    here, there = received(perform(train, task), task), report(train, task)
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


def test_what_libraries_print_does_not_get_into_the_answer(
    task: Task, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # The very thing the process does, here, with its parent's part played.
    def work(of: Task) -> Any:
        os.write(1, b"noise\n")
        return [of.number]

    answer, end = os.pipe()
    monkeypatch.setattr(apart.faulthandler, "enable", lambda: None)
    monkeypatch.setattr(apart, "start_worker", lambda _parent: None)
    monkeypatch.setattr(pickle, "load", lambda _file: (0, work, task))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    saved = os.dup(1)
    os.dup2(end, 1)
    with os.fdopen(1, "w", closefd=False) as standard:
        monkeypatch.setattr(sys, "stdout", standard)
        apart.main()
    os.dup2(saved, 1)
    os.close(saved)
    os.close(end)
    content = os.read(answer, 4096)
    os.close(answer)
    assert content[:1] == b"\n"
    assert received(content[1:], task) == [1]
    assert "noise" in capfd.readouterr().err


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
