"""What is sent to a worker, what comes back, and what a worker does in between."""

from __future__ import annotations

import os
import pickle
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sweeps.design import Cohort, TrainerConfiguration
from sweeps.errors import UserError
from sweeps.machine import versions
from sweeps.worker.run_trainer import run_trainer
from sweeps.worker.train import ERROR, Outcome, failed, run_cohort
from sweeps.worker.workspace import Workspace

HARD_FACTOR, HARD_SECONDS = 2.0, 10.0
"""A process that passes its cohort's limit by so much no longer looks at it: it is killed."""


@dataclass(frozen=True)
class Task:
    """One attempt at a cohort."""

    number: int  # names the attempt within a session
    cohort: Cohort
    workspace: Workspace
    trial_seconds: float | None = None  # limit of a trial's share of the time
    apart: bool = False  # in a process of its own, because it may have ended another's
    deaths: int = 0  # how many processes of its own it has ended
    versions: str = field(default_factory=versions)  # that its results must be computed with

    @property
    def hard_seconds(self) -> float | None:
        """Seconds after which its process is killed; None for never."""
        if self.trial_seconds is None:
            return None
        return self.trial_seconds * len(self.cohort.trials) * HARD_FACTOR + HARD_SECONDS

    def is_overdue(self, since: float) -> bool:
        """Whether its process, in which it began then on the monotonic clock, is to be killed."""
        return self.hard_seconds is not None and time.monotonic() - since > self.hard_seconds


@dataclass(frozen=True)
class Death:
    """A task's process ended before the task did."""

    how: str = ""  # what ended it, as far as is known
    began: bool = True  # if the task had not, it is not to blame
    overdue: bool = False  # whether it was killed for passing its limit


@dataclass(frozen=True)
class Mismatch:
    """A worker has other versions than the driver: it gave nothing that may be kept."""

    versions: str


Report = list[Outcome] | Death | Mismatch
Work = Callable[[Task], Any]


def train(task: Task) -> list[Outcome]:
    """Train a task's cohort."""
    if isinstance(task.cohort.configuration, TrainerConfiguration):
        return run_trainer(task.cohort, task.workspace, task.trial_seconds)
    return run_cohort(task.cohort, task.workspace, task.trial_seconds)


def perform(work: Work, task: Task) -> bytes:
    """Do a task in this process, whatever happens in it. BLAS is to have one thread."""
    if versions() != task.versions:
        return packed([])
    # If this process dies, the driver knows whose task it was.
    with suppress(OSError), task.workspace.started.open("ab", buffering=0) as file:
        file.write(f"{task.number} {os.getpid()}\n".encode())
    try:
        # What can't be pickled is one cohort's failure here; later it would break the pool.
        return packed(work(task))
    except UserError as error:
        text = str(error)
    except (Exception, SystemExit):  # noqa: BLE001 - whatever it is, it is this cohort's result
        text = traceback.format_exc()
    return packed(failed(task.cohort, ERROR, text))


def packed(report: Report) -> bytes:
    """Return a report as bytes, together with what it was computed with."""
    return pickle.dumps((versions(), report))


def received(content: bytes, task: Task) -> Report:
    """Return what a worker sent."""
    try:
        theirs, report = pickle.loads(content)  # noqa: S301 - from our own worker
    except Exception:  # noqa: BLE001 - a result that can't be read is a failure of its cohort
        return failed(task.cohort, ERROR, traceback.format_exc())
    return report if theirs == task.versions else Mismatch(str(theirs))
