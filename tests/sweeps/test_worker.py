"""A worker's outcomes: the engine's numbers, failures as data, nothing heavy imported."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from bpengine import Budget, Recipe, evaluate, evaluation_points, train
from sweeps.plan import plan
from sweeps.spec import StudySpecification
from sweeps.splits import Dataset, Preparation, prepare
from sweeps.stages import confirm_trials, explore_trials, preparation_of
from sweeps.trials import Cohort, DataFacts
from sweeps.worker import run_cohort


@pytest.fixture
def explore(specification: StudySpecification, facts: DataFacts) -> Cohort:
    """Return the explore cohort of batch size 5."""
    return plan(explore_trials(specification, facts), facts, jobs=1)[0]


@pytest.fixture
def confirm(specification: StudySpecification, facts: DataFacts) -> Cohort:
    """Return a confirm cohort of batch size 5."""
    return plan(confirm_trials(specification, facts, [(5, 0.5)]), facts, jobs=1)[0]


def test_outcomes_are_what_the_engine_gives(
    confirm: Cohort, dataset: Dataset, specification: StudySpecification
) -> None:
    prepared = [prepare(dataset, preparation_of(specification), seed) for seed in confirm.seeds]
    architecture = confirm.configuration.architecture
    trained = train(
        architecture,
        [split for split, _ in prepared],
        [{"learning_rate": 0.5}],
        Recipe(batch_size=5, budget=Budget(epochs=2), evaluate_at=evaluation_points(90, 2)),
    )
    losses, metrics = evaluate(architecture, trained.parameters, [test for _, test in prepared])
    for place, outcome in enumerate(run_cohort(confirm, dataset)):
        assert (outcome.trial, outcome.status) == (confirm.trials[place].identity, "ok")
        assert (outcome.updates, outcome.examples) == (36, 180)
        assert (outcome.test_loss, outcome.test_metric) == (losses[place, 0], metrics[place, 0])
        np.testing.assert_array_equal(outcome.curve[:, 0], trained.curves.examples)
        np.testing.assert_array_equal(
            outcome.curve[:, 5], trained.curves.held_out_metric[:, place, 0]
        )


def test_the_test_part_is_not_evaluated_while_rates_are_compared(
    explore: Cohort, dataset: Dataset
) -> None:
    for outcome in run_cohort(explore, dataset):
        assert np.isnan([outcome.test_loss, outcome.test_metric]).all()


def test_divergence_is_a_result(explore: Cohort, dataset: Dataset) -> None:
    # Summed over five unscaled examples, the step of the second rate overflows float32 at once.
    configuration = replace(
        explore.configuration,
        preparation=Preparation(0.2, 0.2, "none"),
        widths=(4, 3),
        reduction="sum",
    )
    wild = Cohort(configuration, (1, 2), (0.5, 3e38))
    for trial, outcome in zip(wild.trials, run_cohort(wild, dataset), strict=True):
        if trial.learning_rate == 0.5:
            assert (outcome.status, outcome.diverged_at_update) == ("ok", 0)
            assert np.isfinite(outcome.curve).all()
        else:
            assert (outcome.status, outcome.diverged_at_update) == ("diverged", 1)
            assert np.isnan(outcome.curve[1:, 2:]).all()


def test_a_failure_is_an_outcome_with_its_traceback(explore: Cohort, dataset: Dataset) -> None:
    broken = replace(dataset, inputs=dataset.inputs[:, :2], fingerprint="broken")
    for outcome in run_cohort(explore, broken):
        assert outcome.status == "error"
        assert outcome.error.startswith("Traceback")
        assert "must have 2 inputs" in outcome.error


def test_a_worker_imports_nothing_heavy() -> None:
    code = "import sys, sweeps.worker; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"matplotlib", "pandas", "pydantic", "rich", "scipy", "seaborn", "sklearn", "joblib"}
    assert not heavy & set(found.stdout.split())
