"""Cohorts on several workers: all of them, whatever the number; a dead worker is told."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from sweeps import executors
from sweeps.errors import EnvironmentFailedError
from sweeps.plan import plan
from sweeps.spec import StudySpecification
from sweeps.splits import Dataset
from sweeps.stages import explore_trials
from sweeps.trials import DataFacts


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_cohort_is_run(
    jobs: int, specification: StudySpecification, facts: DataFacts, dataset: Dataset
) -> None:
    cohorts = plan(explore_trials(specification, facts), facts, jobs)
    found = dict(executors.run_cohorts(cohorts, dataset, jobs))
    assert set(found) == set(cohorts)
    for cohort, outcomes in found.items():
        assert [outcome.trial for outcome in outcomes] == [t.identity for t in cohort.trials]
        assert {outcome.status for outcome in outcomes} == {"ok"}


def test_a_dead_worker_is_told(
    monkeypatch: pytest.MonkeyPatch,
    specification: StudySpecification,
    facts: DataFacts,
    dataset: Dataset,
) -> None:
    def die(*_arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(executors, "_run", die)
    cohorts = plan(explore_trials(specification, facts), facts, jobs=2)
    with pytest.raises(EnvironmentFailedError, match=r"^A worker process died"):
        list(executors.run_cohorts(cohorts, dataset, jobs=2))
