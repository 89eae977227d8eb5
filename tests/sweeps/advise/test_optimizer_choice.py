"""Which optimizer a short study goes on with, and what it keeps of the comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reports.schema.results import StudyResults
from sweeps.advise._grid_choice import ADAM, SGD, Grid, keys_of
from sweeps.advise._optimizer_choice import NO_TIME, better, comparison, decided
from sweeps.design.checks.checking import experiment_of
from sweeps.design.experiment import Experiment
from sweeps.run import run_study
from sweeps.spec.model import given

pytestmark = pytest.mark.slow

LEAST = {"batch_sizes": 1, "learning_rates": 1.0, "seeds": 1, "epochs": 1}
(FACTS,) = experiment_of({"dataset": "iris", **LEAST}, "draft", Path()).data.values()
KEYS = keys_of("iris", "iris", FACTS, Grid(4, 16, 1))


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Experiment, StudyResults]:
    """Optimizers compared on iris."""
    experiment = experiment_of(comparison(KEYS), "compared", Path())
    return experiment, run_study(experiment, tmp_path_factory.mktemp("compared"), timing=False)


def test_optimizers_are_compared_at_the_ends_of_the_grid_on_tuning_seeds(
    compared: tuple[Experiment, StudyResults],
) -> None:
    experiment, results = compared
    assert [group.label for group in experiment.groups] == ["sgd", "adam"]
    assert [[*group.grid] for group in experiment.groups] == [[4, 16], [4, 16]]
    assert {*results.trials["seed"]} == {1, 2, 3}


def judged(results: StudyResults, gain: float) -> StudyResults:
    """Return results in which adam gains this at every rate."""
    trials = results.trials
    metric = 0.5 + gain * (trials["group"] == "adam")
    return replace(results, trials=trials.assign(validation_metric=metric, validation_loss=1.0))


@pytest.mark.parametrize(
    ("gain", "chosen", "shown"),
    [
        (0.1, ADAM, ("sgd 50.0%", "adam 60.0%")),
        (-0.1, SGD, ("sgd 50.0%", "adam 40.0%")),
        (0.0, SGD, ("sgd 50.0%", "adam 50.0%")),
    ],
    ids=["better", "worse", "equal"],
)
def test_the_optimizer_with_the_better_metric_goes_on(
    compared: tuple[Experiment, StudyResults],
    gain: float,
    chosen: dict[str, object],
    shown: tuple[str, str],
) -> None:
    experiment, results = compared
    keys = decided(given(experiment.specification), judged(results, gain))
    (group,) = experiment_of(keys, "decided", Path()).groups
    assert group.family.shared.optimizer == chosen["name"]
    assert {*group.grid} == {4, 8, 16}
    assert {*group.grid[4]} == {*chosen["learning_rates"]}  # type: ignore[misc]
    assert all(score in keys["title"] for score in shown)
    same = {"epochs", "dataset", "seeds", "hidden_layers", "noise_examples"}
    assert {name: keys[name] for name in same} == {
        name: given(experiment.specification)[name] for name in same
    }


def test_what_was_trained_for_the_comparison_is_part_of_the_study(
    compared: tuple[Experiment, StudyResults],
) -> None:
    experiment, results = compared
    for choice in (SGD, ADAM):
        study = experiment_of(KEYS | {"optimizer": choice}, "study", Path())
        planned = {trial.identity for _, trial in study.explored}
        group = results.trials[results.trials["group"] == choice["name"]]
        kept = group.loc[group["stage"] == "explore", "trial"]
        assert planned > {*kept}
    assert experiment.specification.epochs == (1,)


def test_without_results_of_both_it_is_sgd(compared: tuple[Experiment, StudyResults]) -> None:
    _, results = compared
    trials = results.trials
    only = replace(results, trials=trials[trials["group"] == "sgd"])
    assert better(only) == (SGD, NO_TIME)
