"""Dispatch: every cohort comes to its end, and only what is at fault is blamed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from faults import POISON, cohort
from hypothesis import given
from hypothesis import strategies as st

from sweeps.design.trials import Cohort
from sweeps.errors import KEPT, EnvironmentFailedError
from sweeps.run._scheduler import MOST_DEATHS, Dispatch
from sweeps.worker.tasks import Death, Report, Task, Work
from sweeps.worker.train import Outcome, failed
from sweeps.worker.workspace import Workspace

pytestmark = pytest.mark.slow

Behaviour = Callable[[Task], Report]


class Scripted:
    """Runs tasks as a script says; ends them in the order of a list of choices."""

    def __init__(self, behaviour: Behaviour, slots: int = 2, order: Sequence[int] = ()) -> None:
        self.slots = slots
        self.given: list[Task] = []
        self.waits = 0
        self._behaviour = behaviour
        self._held: list[Task] = []
        self._order = iter(order)

    def room(self, waiting: int) -> int:
        """Return how many tasks may run more."""
        assert waiting > 0
        return self.slots - len(self._held)

    def submit(self, work: Work, task: Task) -> None:
        """Take a task."""
        assert work.__name__ == "train"
        assert len(self._held) < self.slots
        assert task.number not in {planned.number for planned in self.given}
        self.given.append(task)
        self._held.append(task)

    def wait(self, seconds: float) -> list[tuple[Task, Report]]:
        """End one task, or all of them if it takes its pool with it."""
        assert seconds > 0
        self.waits += 1
        task = self._held.pop(next(self._order, 0) % len(self._held))
        report = self._behaviour(task)
        ended = [(task, report)]
        if isinstance(report, Death) and not task.apart:
            ended += [(other, Death(began=report.began)) for other in self._held]
            self._held.clear()
        return ended

    def close(self) -> None:
        """Do nothing."""


def well(task: Task) -> list[Outcome]:
    return failed(task.cohort, "ok", "")


def poisoned(death: Death) -> Behaviour:
    def behaviour(task: Task) -> Report:
        rates = [dict(settings)["learning_rate"] for settings in task.cohort.settings]
        return death if POISON in rates else well(task)

    return behaviour


def run(executor: Scripted, cohorts: Sequence[Cohort], **keys: float) -> dict[str, Outcome]:
    by_trial: dict[str, Outcome] = {}
    for ended in Dispatch(executor, Workspace(Path("nowhere")), **keys).run(cohorts):
        for of, outcomes in ended:
            assert [outcome.trial for outcome in outcomes] == [t.identity for t in of.trials]
            assert by_trial.keys().isdisjoint(outcome.trial for outcome in outcomes)
            by_trial |= {outcome.trial: outcome for outcome in outcomes}
    return by_trial


COHORTS = [cohort(0.1 * number, 0.1 * number + 0.01) for number in range(1, 6)]


def test_cohorts_start_in_their_order() -> None:
    executor = Scripted(well)
    run(executor, COHORTS)
    assert [task.cohort for task in executor.given] == COHORTS
    assert not any(task.apart for task in executor.given)


def test_what_is_waited_for_after_a_stop_is_counted() -> None:
    dispatch, trials = Dispatch(Scripted(well), Workspace(Path("nowhere"))), len(COHORTS[0].trials)
    stops = iter([False, False])  # it is asked before and after one ends
    waited = [dispatch.running for _ in dispatch.run(COHORTS, lambda: next(stops, True))]
    # The first cohort had ended, and another had begun, when the stop was asked for.
    assert waited == [2 * trials, trials, 0]


@given(
    order=st.lists(st.integers(0, 9)),
    slots=st.integers(1, 4),
    position=st.integers(0, 5),
    rates=st.lists(st.sampled_from([0.7, 0.8, 0.9]), unique=True),
)
def test_only_the_poison_is_blamed(
    order: list[int], slots: int, position: int, rates: list[float]
) -> None:
    guilty = cohort(*rates, POISON)
    cohorts = [*COHORTS[:position], guilty, *COHORTS[position:]]
    executor = Scripted(poisoned(Death("SIGSEGV")), slots, order)
    by_trial = run(executor, cohorts)
    assert by_trial.keys() == {trial.identity for planned in cohorts for trial in planned.trials}
    for planned in cohorts:
        for trial in planned.trials:
            expected = "crashed" if trial.learning_rate == POISON else "ok"
            assert by_trial[trial.identity].status == expected
    alone = Counter(task.cohort for task in executor.given if len(task.cohort.trials) == 1)
    assert all(count <= MOST_DEATHS for count in alone.values())


def test_a_crashed_trial_shows_what_ended_it() -> None:
    by_trial = run(Scripted(poisoned(Death("SIGSEGV\n  File"))), [cohort(POISON, seeds=(1,))])
    (outcome,) = by_trial.values()
    assert outcome.error == "It ended its process 3 times, the last time by SIGSEGV\n  File"


def test_suspects_wait_until_all_others_are_done() -> None:
    executor = Scripted(poisoned(Death()), slots=2)
    run(executor, [cohort(POISON), *COHORTS])
    first_apart = next(position for position, task in enumerate(executor.given) if task.apart)
    assert not any(not task.apart for task in executor.given[first_apart:])


def test_what_has_not_begun_begins_again_with_the_others() -> None:
    tries = iter([Death(began=False), Death(began=False)])
    executor = Scripted(lambda task: next(tries, None) or well(task), slots=1)
    by_trial = run(executor, COHORTS)
    assert len(by_trial) == 20
    assert not any(task.apart for task in executor.given)


class Together(Scripted):
    """Ends all tasks together, as a batch of which one has begun."""

    def wait(self, seconds: float) -> list[tuple[Task, Report]]:
        """End what it has."""
        assert seconds > 0
        first, *others = self._held
        self._held.clear()
        return [(first, well(first)), *((task, Death(began=False)) for task in others)]


def test_what_comes_back_of_a_batch_goes_on_in_its_order() -> None:
    executor = Together(well, slots=3)
    run(executor, COHORTS)
    numbers = [COHORTS.index(task.cohort) for task in executor.given]
    assert numbers == [0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 4]


def test_a_process_that_dies_isolated_before_it_begins_is_tried_isolated_again() -> None:
    tries = iter([Death(), Death(began=False), Death(began=False)])
    executor = Scripted(lambda task: next(tries, None) or well(task), slots=1)
    run(executor, COHORTS[:1])
    assert [task.apart for task in executor.given] == [False, True, True, True]
    assert executor.given[-1].deaths == 0


def test_workers_that_never_begin_end_the_run() -> None:
    executor = Scripted(lambda _task: Death("exit code 1", began=False), slots=2)
    with pytest.raises(EnvironmentFailedError) as refused:
        run(executor, COHORTS)
    assert f"before they could begin: exit code 1. {KEPT}" in str(refused.value)
    assert executor.waits == 3


def test_workers_that_die_now_and_then_don_t_end_the_run() -> None:
    lives = iter([False, False, True] * 100)
    executor = Scripted(lambda task: well(task) if next(lives) else Death(began=False), slots=1)
    assert len(run(executor, COHORTS)) == 20


def test_a_trial_that_does_not_end_is_a_timeout_at_once() -> None:
    executor = Scripted(poisoned(Death("no end", overdue=True)))
    by_trial = run(executor, [cohort(POISON, 0.1, seeds=(1,))], trial_seconds=2.0)
    assert Counter(outcome.status for outcome in by_trial.values()) == {"ok": 1, "timeout": 1}
    assert "It had not ended after 14 s and was killed." in {o.error for o in by_trial.values()}
    assert [len(task.cohort.trials) for task in executor.given] == [2, 2, 1, 1]


def test_nothing_starts_any_more_when_asked_to_stop() -> None:
    executor = Scripted(well)
    ended = Dispatch(executor, Workspace(Path("nowhere"))).run(COHORTS, lambda: executor.waits > 0)
    assert sum(map(len, ended)) == len(executor.given) == 2


def test_a_suspect_is_not_started_when_asked_to_stop() -> None:
    executor = Scripted(poisoned(Death()), slots=1)
    stopping = iter([False, True, True, True])
    ended = Dispatch(executor, Workspace(Path("nowhere"))).run(
        [cohort(POISON)], lambda: next(stopping)
    )
    assert [*ended] == [[]]


def test_nothing_to_run_is_nothing_to_wait_for() -> None:
    executor = Scripted(well)
    assert run(executor, []) == {}
    assert executor.waits == 0


def test_cohorts_that_do_not_fit_are_left_out() -> None:
    executor = Scripted(well)
    cohorts = [cohort(0.1), cohort(0.2), cohort(0.3)]
    dispatch = Dispatch(executor, Workspace(Path("nowhere")))
    ended = [
        done
        for ended_together in dispatch.run(cohorts, fits=lambda planned: planned != cohorts[1])
        for done in ended_together
    ]
    assert [planned for planned, _ in ended] == [cohorts[0], cohorts[2]]
