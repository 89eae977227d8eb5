"""Stages: each follows from the results so far, and from nothing else."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.schema.results import TRIAL_COLUMNS, as_table
from sweeps.design.checks.checking import experiment_of
from sweeps.design.stages import REFINE_STEP, Experiment, derived, refinement_seeds
from sweeps.design.trials import Planned, Trial

Result = Callable[[str, Trial], float | str]
"""Group and trial to a metric, or to a status other than ok."""

KEYS: dict[str, Any] = {
    "dataset": "iris",
    "batch_sizes": [5, 40],
    "learning_rates": [0.5, 1.0, 2.0],
    "seeds": [1, 2],
    "epochs": 1,
}


def experiment(**keys: Any) -> Experiment:
    return experiment_of(KEYS | keys, "study.toml", Path())


def played(study: Experiment, result: Result) -> dict[str, list[Planned]]:
    """Return all stages of a study whose trials give these results."""
    stages: dict[str, list[Planned]] = {}
    for stage, planned in derived(study, lambda: table_of(stages, result)):
        stages.setdefault(stage, []).extend(planned)
    return stages


def table_of(stages: dict[str, list[Planned]], result: Result) -> pd.DataFrame:
    rows = [
        {column.name: _PLAIN[column.dtype] for column in TRIAL_COLUMNS}
        | row_of(stage, entry.group, entry.trial, result)
        for stage, planned in stages.items()
        for entry in planned
    ]
    return as_table(pd.DataFrame(rows), TRIAL_COLUMNS)


_PLAIN = {"str": "", "int64": 0, "Int64": None, "float64": float("nan")}


def row_of(stage: str, group: str, trial: Trial, result: Result) -> dict[str, Any]:
    outcome = result(group, trial)
    metric = outcome if isinstance(outcome, float) else float("nan")
    return {
        "trial": trial.identity,
        "group": group,
        "stage": stage,
        "batch_size": trial.configuration.batch_size,
        "learning_rate": trial.learning_rate,
        "seed": trial.seed,
        "status": "ok" if isinstance(outcome, float) else outcome,
        "validation_metric": metric,
        "validation_loss": -metric,
        "test_metric": metric if trial.configuration.evaluate_test else float("nan"),
        "test_loss": -metric if trial.configuration.evaluate_test else float("nan"),
    }


def rates_of(planned: list[Planned]) -> dict[int, list[float]]:
    outcome: dict[int, list[float]] = {}
    for _, trial in planned:
        rates = outcome.setdefault(trial.configuration.batch_size, [])
        if trial.learning_rate not in rates:
            rates.append(trial.learning_rate)
    return outcome


def peak_at(best: float) -> Result:
    return lambda _group, trial: -abs(trial.learning_rate - best)


def test_exploring_tries_every_cell_on_every_seed() -> None:
    stages = played(experiment(extensions=0), peak_at(1.0))
    assert {*stages} == {"explore"}
    cells = {
        (trial.configuration.batch_size, trial.learning_rate, trial.seed)
        for _, trial in stages["explore"]
    }
    assert cells == {*itertools.product([5, 40], [0.5, 1.0, 2.0], [1, 2])}
    assert not any(trial.configuration.evaluate_test for _, trial in stages["explore"])


EXTENSIONS: dict[str, tuple[float, int, list[float]]] = {
    "best within": (1.0, 2, []),
    "best above, found": (4.0, 3, [4.0, 8.0]),
    "best above, beyond the limit": (100.0, 2, [4.0, 8.0]),
    "best below, found": (0.25, 3, [0.25, 0.125]),
    "best below, beyond the limit": (0.0, 1, [0.25]),
    "switched off": (100.0, 0, []),
}


@pytest.mark.parametrize(("best", "limit", "wanted"), EXTENSIONS.values(), ids=EXTENSIONS)
def test_rates_are_added_by_the_grids_ratio_while_the_best_lies_at_the_edge(
    best: float, limit: int, wanted: list[float]
) -> None:
    stages = played(experiment(extensions=limit), peak_at(best))
    outcome = rates_of(stages.get("extend", []))
    assert outcome == ({5: wanted, 40: wanted} if wanted else {})
    assert all(trial.seed in {1, 2} for _, trial in stages.get("extend", []))


def test_each_side_goes_on_by_its_own_ratio() -> None:
    uneven = experiment(learning_rates=[0.1, 0.3, 3.0])
    assert rates_of(played(uneven, peak_at(1000.0))["extend"])[5] == [30.0, 300.0]
    assert rates_of(played(uneven, peak_at(0.0))["extend"])[5] == [0.03333, 0.01111]


def test_only_batch_sizes_at_the_edge_get_more() -> None:
    def result(_group: str, trial: Trial) -> float:
        best = 1.0 if trial.configuration.batch_size == 5 else 4.0
        return -abs(trial.learning_rate - best)

    assert rates_of(played(experiment(), result)["extend"]) == {40: [4.0, 8.0]}


def test_an_edge_that_diverges_is_no_edge_to_go_beyond() -> None:
    def result(_group: str, trial: Trial) -> float | str:
        return "diverged" if trial.learning_rate > 2.0 else trial.learning_rate

    # The first rate beyond the grid diverges, so the best is within.
    assert rates_of(played(experiment(), result)["extend"]) == {5: [4.0], 40: [4.0]}


def test_where_every_rate_diverges_smaller_ones_are_tried() -> None:
    def result(_group: str, trial: Trial) -> float | str:
        return "diverged" if trial.learning_rate > 0.2 else trial.learning_rate

    stages = played(experiment(confirmation_seeds=[7]), result)
    assert rates_of(stages["extend"]) == {5: [0.25, 0.125], 40: [0.25, 0.125]}
    assert rates_of(stages["confirm"]) == {5: [0.125], 40: [0.125]}


def test_failures_are_no_reason_to_go_anywhere() -> None:
    stages = played(experiment(confirmation_seeds=[7]), lambda *_: "error")
    assert {stage: len(planned) for stage, planned in stages.items()} == {
        "explore": 12,
        "confirm": 0,
    }


def test_a_single_rate_has_no_ratio_to_go_on_by() -> None:
    assert {*played(experiment(learning_rates=1.0), peak_at(9.0))} == {"explore"}


def test_selected_rates_are_confirmed_on_fresh_seeds_with_the_test_part() -> None:
    def result(_group: str, trial: Trial) -> float:
        best = 1.0 if trial.configuration.batch_size == 5 else 4.0
        return -abs(trial.learning_rate - best)

    confirm = played(experiment(confirmation_seeds=[11, 12, 13]), result)["confirm"]
    assert rates_of(confirm) == {5: [1.0], 40: [4.0]}
    assert [trial.seed for _, trial in confirm] == [11, 12, 13] * 2
    assert all(trial.configuration.evaluate_test for _, trial in confirm)


def test_groups_are_extended_and_confirmed_apart() -> None:
    def result(group: str, trial: Trial) -> float:
        return -abs(trial.learning_rate - {"sgd": 4.0, "adam": 0.5}[group])

    study = experiment(optimizer=["sgd", "adam"], confirmation_seeds=[7], extensions=1)
    stages = played(study, result)
    for group, extended, selected in (("sgd", [4.0], [4.0]), ("adam", [0.25], [0.5])):
        for stage, wanted in (("extend", extended), ("confirm", selected)):
            planned = [entry for entry in stages[stage] if entry.group == group]
            assert rates_of(planned) == {5: wanted, 40: wanted}


def test_without_exploring_the_only_rates_are_confirmed() -> None:
    study = experiment(
        explore=False,
        learning_rates=[0.5, 2.0],
        zip=["batch_sizes", "learning_rates"],
        confirmation_seeds=[7, 8],
    )
    stages = played(study, peak_at(0.0))
    assert {*stages} == {"confirm"}
    assert rates_of(stages["confirm"]) == {5: [0.5], 40: [2.0]}


FRESH = {"batch_sizes": [5, 10, 40], "learning_rates": 1.0, "confirmation_seeds": [11, 12, 13]}


def noisy(worst: float, middle: float) -> Result:
    """Batch size 5 is best, 10 is nearly as good, 40 is worse: with the noise of the seeds."""

    def result(_group: str, trial: Trial) -> float:
        size = trial.configuration.batch_size
        noise = random.Random(f"{size} {trial.seed}").gauss(0, 0.01)  # noqa: S311
        return {5: 0.9, 10: middle, 40: worst}[size] + noise

    return result


def test_refining_stops_when_the_best_stands_apart() -> None:
    study = experiment(**FRESH, refinement_seeds=100)
    refine = played(study, noisy(worst=0.5, middle=0.885))["refine"]
    seeds = sorted({trial.seed for _, trial in refine})
    assert seeds[0] == 14
    assert len(seeds) % REFINE_STEP == 0
    assert REFINE_STEP <= len(seeds) < 100
    # The batch size that is clearly worse needs no more seeds.
    assert {*rates_of(refine)} == {5, 10}
    assert all(trial.configuration.evaluate_test for _, trial in refine)


def test_refining_stops_at_its_limit() -> None:
    study = experiment(**FRESH, refinement_seeds=7)
    refine = played(study, noisy(worst=0.9, middle=0.9))["refine"]
    assert sorted({trial.seed for _, trial in refine}) == [*range(14, 21)]


def test_what_stands_apart_is_not_refined() -> None:
    study = experiment(**FRESH, refinement_seeds=20)
    assert {*played(study, noisy(worst=0.1, middle=0.2))} == {"explore", "confirm"}


def test_nothing_is_refined_where_nothing_was_confirmed() -> None:
    def result(_group: str, trial: Trial) -> float | str:
        return "error" if trial.configuration.evaluate_test else 1.0

    study = experiment(**FRESH, refinement_seeds=20)
    assert {*played(study, result)} == {"explore", "confirm"}


@pytest.mark.parametrize("lost", ["error", "diverged", math.nan, math.inf, 1e300])
def test_a_mean_over_some_of_the_seeds_neither_selects_nor_compares(lost: float | str) -> None:
    def result(group: str, trial: Trial) -> float | str:
        tuning = not trial.configuration.evaluate_test
        if (tuning, trial.learning_rate, trial.seed) == (True, 1.0, 2):
            return lost
        if tuning:
            return peak_at(1.0)(group, trial)
        if (trial.configuration.batch_size, trial.seed) == (40, 12):
            return lost
        return noisy(worst=0.9, middle=0.9)(group, trial)

    rates = {"learning_rates": [0.4, 1.0, 2.0, 4.0], "extensions": 0}
    stages = played(experiment(**FRESH | rates, refinement_seeds=5), result)
    assert rates_of(stages["confirm"]) == {5: [0.4], 10: [0.4], 40: [0.4]}
    assert {*rates_of(stages["refine"])} == {5, 10}


def test_refining_without_exploring_compares_the_means() -> None:
    study = experiment(**FRESH, explore=False, refinement_seeds=100)
    assert {*rates_of(played(study, noisy(worst=0.5, middle=0.885))["refine"])} == {5, 10}


def test_refinement_seeds_follow_the_largest() -> None:
    study = experiment(seeds=[500, 1], confirmation_seeds=[7], refinement_seeds=12)
    steps = refinement_seeds(study.specification)
    assert [len(step) for step in steps] == [5, 5, 2]
    assert [seed for step in steps for seed in step] == [*range(501, 513)]
    assert refinement_seeds(experiment().specification) == []


@pytest.mark.parametrize("grid", [[1e-30, 1e-15, 1.0], [1.0, 1e20, 1e30]])
def test_no_rate_is_added_that_float32_could_not_hold(grid: list[float]) -> None:
    edge = min if grid[0] < 1 else max

    def best_at_the_edge(_group: str, trial: Trial) -> float:
        return float(trial.learning_rate == edge(grid))

    stages = played(experiment(learning_rates=grid, extensions=100), best_at_the_edge)
    assert {trial.learning_rate for entry in stages.values() for _, trial in entry} == {*grid}
