"""What an update of a user's trainer costs, in a process that does nothing else."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from reports.schema import TENSOR
from sweeps.design import Trial
from sweeps.worker.measure import LEAST_SECONDS, Round
from sweeps.worker.run_trainer import alone, folder_of, yielded
from sweeps.worker.trainer import Clock, TrainerError, TrainerTrial

TRAINER_ROUNDS, LEAST_UPDATES = 5, 3  # rounds, and updates of each


class _EnoughError(BaseException):
    """What was to be timed has been."""


class _Timer:
    """Wall and processor time of a trainer's updates; the first may compile and isn't timed."""

    def __init__(self) -> None:
        self._began: tuple[int, float, float, float] | None = None
        self.measured: tuple[int, float, float, float] | None = None

    def tick(self, updates: int) -> None:
        """Take note of the updates made so far."""
        wall, processor = time.perf_counter(), time.process_time()
        if self._began is None:
            self._began = updates, wall, processor, time.time()
            return
        before, wall_before, processor_before, started = self._began
        spent = wall - wall_before
        if spent >= LEAST_SECONDS and updates >= before + LEAST_UPDATES:
            self.measured = updates - before, spent, processor - processor_before, started
            raise _EnoughError


@dataclass(frozen=True)
class TrainerTimes:
    """What a benchmark of a trainer showed."""

    rounds: list[Round]
    training_examples: int  # 0 if the trainer doesn't say
    seconds: float  # that it took, with all that a trainer does before its first update


def time_trainer(
    workload: str, trials: Sequence[Trial], rounds: int, _task: object
) -> TrainerTimes:
    """Measure updates of a trainer at several batch sizes, in turn."""
    measured, examples, began = [], 0, time.perf_counter()
    for number, trial in itertools.product(range(rounds), trials):
        timer = _Timer()
        with alone(), folder_of(None, "") as folder:
            given = TrainerTrial.of(trial, folder, Clock())
            given.timing, given.tick = True, timer.tick
            with suppress(_EnoughError), ExitStack() as stack:
                for _ in yielded(trial, given, stack):
                    pass
        if timer.measured is None:
            raise TrainerError(
                f"{trial.configuration.source.name} ended before {LEAST_UPDATES + 1} updates were "
                "timed: it must call `trial.due` after every update."
            )
        size = trial.configuration.batch_size
        measured.append(Round(workload, TENSOR, 1, size, number, *timer.measured))
        examples = given.training_examples
    return TrainerTimes(measured, examples, time.perf_counter() - began)
