"""Which task runs next, and what is done about those that end their process."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from sweeps.design import Cohort
from sweeps.errors import KEPT, EnvironmentFailedError
from sweeps.run._executors import Executor
from sweeps.worker.tasks import Death, Mismatch, Report, Task, train
from sweeps.worker.train import CRASHED, TIMEOUT, Outcome, failed
from sweeps.worker.workspace import Workspace

MOST_DEATHS = 3  # a trial that ends so many processes of its own is at fault
MOST_IN_VAIN = 3  # workers that die so often in a row, before a trial began, don't run at all
WAIT_SECONDS = 0.5

Ended = list[tuple[Cohort, list[Outcome]]]


class Dispatch:
    """Brings cohorts to their end: what dies runs apart, then split, and then is `crashed`."""

    def __init__(
        self, executor: Executor, workspace: Workspace, trial_seconds: float | None = None
    ) -> None:
        self._executor = executor
        self._workspace = workspace
        self._trial_seconds = trial_seconds
        self._numbers = itertools.count()
        self._waiting: deque[Task] = deque()
        self._suspects: deque[Task] = deque()
        self._running: dict[int, int] = {}  # trials of the tasks that workers have
        self._in_vain = 0

    def run(
        self,
        cohorts: Sequence[Cohort],
        stopping: Callable[[], bool] = lambda: False,
        fits: Callable[[Cohort], bool] = lambda _: True,
    ) -> Iterator[Ended]:
        """Run cohorts in their order, and yield what has ended twice a second or more often."""
        # `stopping` is asked all the time; a cohort that doesn't fit at its turn is left out.
        self._waiting.extend(self._task(cohort) for cohort in cohorts)
        while self._start(stopping(), fits):
            reports = self._executor.wait(WAIT_SECONDS)
            for task, _ in reports:
                del self._running[task.number]
            # Backwards: what has not begun goes back to the front in its order.
            ended = [done for report in reversed(reports) for done in self._ended(*report)]
            self._check(reports)
            self._start(stopping(), fits)
            yield ended

    @property
    def running(self) -> int:
        """How many trials workers have now."""
        return sum(self._running.values())

    def _task(self, cohort: Cohort, *, apart: bool = False) -> Task:
        return Task(next(self._numbers), cohort, self._workspace, self._trial_seconds, apart=apart)

    def _start(self, stopping: bool, fits: Callable[[Cohort], bool]) -> bool:
        """Fill the executor and return whether there is anything to wait for."""
        while not stopping and (queue := self._waiting or self._suspects):
            if self._executor.room(len(queue)) <= 0:
                break
            task = queue.popleft()
            if fits(task.cohort):
                self._executor.submit(train, task)
                self._running[task.number] = len(task.cohort.trials)
        return bool(self._running)

    def _ended(self, task: Task, report: Report) -> Ended:
        if isinstance(report, list):
            return [(task.cohort, report)]
        if isinstance(report, Mismatch) or not report.began:
            self._again(self._suspects if task.apart else self._waiting, task)
        elif not task.apart:
            self._suspects.append(self._task(task.cohort, apart=True))
        elif len(task.cohort.trials) > 1:
            for seed, settings in itertools.product(task.cohort.seeds, task.cohort.settings):
                single = replace(task.cohort, seeds=(seed,), settings=(settings,))
                self._suspects.append(self._task(single, apart=True))
        else:
            return self._died_alone(task, report)
        return []

    def _died_alone(self, task: Task, death: Death) -> Ended:
        if death.overdue:
            text = f"It had not ended after {task.hard_seconds:g} s and was killed."
            return [(task.cohort, failed(task.cohort, TIMEOUT, text))]
        task = replace(task, deaths=task.deaths + 1)
        if task.deaths < MOST_DEATHS:
            self._again(self._suspects, task)
            return []
        text = f"It ended its process {MOST_DEATHS} times, the last time by {death.how}"
        return [(task.cohort, failed(task.cohort, CRASHED, text))]

    def _again(self, queue: deque[Task], task: Task) -> None:
        # Another number: what is written down about the last attempt must not count for this one.
        queue.appendleft(replace(task, number=next(self._numbers)))

    def _check(self, reports: Sequence[tuple[Task, Report]]) -> None:
        deaths = [report for _, report in reports if isinstance(report, Death)]
        if len(deaths) < len(reports) or any(death.began for death in deaths):
            self._in_vain = 0
        elif deaths:
            self._in_vain += 1
        if self._in_vain == MOST_IN_VAIN:
            how = f": {deaths[0].how}" if deaths[0].how else ""
            raise EnvironmentFailedError(
                f"Workers died {MOST_IN_VAIN} times in a row before they could begin{how}. {KEPT} "
                "to go on."
            )
