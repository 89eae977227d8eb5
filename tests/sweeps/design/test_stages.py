"""Stages: each follows from the results so far, and from nothing else."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.schema.results import CURVE_COLUMNS, TRIAL_COLUMNS, as_table
from reports.stats.non_inferiority import seeds_to_show
from sweeps.design.checks.checking import experiment_of
from sweeps.design.experiment import Experiment, refinement_seeds
from sweeps.design.stages import derived
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


def played(
    study: Experiment, result: Result, reached: Callable[[Trial], int] = lambda _trial: 1
) -> dict[str, list[Planned]]:
    """Return all stages of a study whose trials give these results.

    They attain 0.9 of the metric after a number of updates, of 100 with an evaluation after each.
    """
    stages: dict[str, list[Planned]] = {}

    def curves(wanted: Iterable[str]) -> pd.DataFrame:
        trials = {t.identity: t for planned in stages.values() for _, t in planned}
        rows = [
            {column.name: math.nan for column in CURVE_COLUMNS}
            | {"trial": name, "examples": updates, "updates": updates}
            | {"validation_metric": 0.9 * (updates >= reached(trials[name]))}
            for name in wanted
            for updates in range(101)
        ]
        names = [column.name for column in CURVE_COLUMNS]
        return as_table(pd.DataFrame(rows, columns=names), CURVE_COLUMNS)

    for stage, planned in derived(study, lambda: table_of(stages, result), curves):
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
    metric = outcome if isinstance(outcome, float) else math.nan
    tested = metric if trial.configuration.evaluate_test else math.nan
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
        "test_metric": tested,
        "test_loss": -tested,
    }


def rates_of(planned: list[Planned]) -> dict[int, list[float]]:
    rates: dict[int, dict[float, None]] = {}
    for _, trial in planned:
        rates.setdefault(trial.configuration.batch_size, {})[trial.learning_rate] = None
    return {size: [*tried] for size, tried in rates.items()}


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


def parabola(best: float) -> Result:
    return lambda _group, trial: -(math.log(trial.learning_rate / best) ** 2) + trial.seed / 1e3


@pytest.mark.parametrize(
    ("best", "limit", "wanted"),
    [
        (1.2, 2, [1.2]),
        (1.2, 0, []),
        (1.001, 2, []),
        (0.31, 2, [0.25, 0.125, 0.31]),
        (4.9, 2, [4.0, 8.0, 4.9]),
    ],
    ids=["within", "switched off", "tried", "below", "above, after extending"],
)
def test_a_rate_is_added_where_a_parabola_peaks_between_those_tried(
    best: float, limit: int, wanted: list[float]
) -> None:
    stages = played(experiment(insertions=limit, batch_sizes=5), parabola(best))
    assert rates_of(stages.get("extend", [])) == ({5: wanted} if wanted else {})


def test_rates_between_are_few_and_extensions_go_on_from_the_grids_edge() -> None:
    # The peak moves with every rate that is added; what lies between is no step of the grid's.
    def jagged(_group: str, trial: Trial) -> float:
        return math.sin(1e3 * trial.learning_rate) + (trial.learning_rate > 2)

    rates = rates_of(played(experiment(insertions=2, extensions=5), jagged)["extend"])
    for added in rates.values():
        steps = [rate for rate in added if math.log2(rate).is_integer()]
        assert steps == [2.0 ** (2 + step) for step in range(len(steps))]
        assert len(added) - len(steps) <= 2


def test_noise_adds_no_rate_between() -> None:
    def noisy(_group: str, trial: Trial) -> float:
        return -(math.log(trial.learning_rate / 1.2) ** 2) + trial.seed

    assert "extend" not in played(experiment(insertions=2), noisy)


def diverging_above(limit: float) -> Result:
    return lambda _group, trial: "diverged" if trial.learning_rate > limit else trial.learning_rate


def test_an_edge_that_diverges_is_no_edge_to_go_beyond() -> None:
    # The first rate beyond the grid diverges, so the best is within.
    assert rates_of(played(experiment(), diverging_above(2.0))["extend"]) == {5: [4.0], 40: [4.0]}


def test_where_every_rate_diverges_smaller_ones_are_tried() -> None:
    stages = played(experiment(confirmation_seeds=[7]), diverging_above(0.2))
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


def test_batch_sizes_at_the_edge_get_more_rates_and_the_selected_run_on_fresh_seeds() -> None:
    def result(_group: str, trial: Trial) -> float:
        best = 1.0 if trial.configuration.batch_size == 5 else 4.0
        return -abs(trial.learning_rate - best)

    stages = played(experiment(confirmation_seeds=[11, 12, 13]), result)
    assert rates_of(stages["extend"]) == {40: [4.0, 8.0]}
    assert rates_of(stages["confirm"]) == {5: [1.0], 40: [4.0]}
    assert [trial.seed for _, trial in stages["confirm"]] == [11, 12, 13] * 2
    assert all(trial.configuration.evaluate_test for _, trial in stages["confirm"])


def sooner_at(rates: dict[int, float]) -> Callable[[Trial], int]:
    """Return updates to the target that are fewest at the rate of a batch size."""

    def reached(trial: Trial) -> int:
        distance = abs(math.log2(trial.learning_rate / rates[trial.configuration.batch_size]))
        return round(20 * (1 + distance))

    return reached


def test_rates_that_reach_the_target_sooner_run_on_the_confirmation_seeds() -> None:
    study = experiment(confirmation_seeds=[11, 12, 13])
    stages = played(study, peak_at(1.0), sooner_at({5: 1.0, 40: 2.0}))
    assert {*stages} == {"explore", "confirm", "target"}
    assert rates_of(stages["target"]) == {40: [2.0]}
    assert [trial.seed for _, trial in stages["target"]] == [11, 12, 13]
    assert not any(trial.configuration.evaluate_test for _, trial in stages["target"])


def test_the_target_stage_aims_at_the_level_that_is_set() -> None:
    sooner = sooner_at({5: 2.0, 40: 2.0})
    for level, wanted in ((0.5, {5: [2.0], 40: [2.0]}), (0.95, {})):
        study = experiment(confirmation_seeds=[11], target_metric=level)
        assert rates_of(played(study, peak_at(1.0), sooner).get("target", [])) == wanted


@pytest.mark.parametrize(
    "keys",
    [{"target_rates": False}, {"confirmation_seeds": []}, {"learning_rates": 1.0}],
    ids=["switched off", "no fresh seeds", "a single rate"],
)
def test_without_fresh_seeds_or_another_rate_nothing_runs_for_the_target(
    keys: dict[str, Any],
) -> None:
    study = experiment(**{"confirmation_seeds": [11]} | keys)
    assert "target" not in played(study, peak_at(1.0), sooner_at({5: 2.0, 40: 2.0}))


def test_groups_are_extended_and_confirmed_separately() -> None:
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


FRESH = {"batch_sizes": [5, 10, 40], "learning_rates": 1.0, "confirmation_seeds": [*range(11, 16)]}
STEP = 1 / 30  # of the test accuracy on iris


def noisy(spread: float, **metrics: float) -> Result:
    """Metrics by batch size, 0.9 if not given, with the noise of the seeds; 5 is best at tuning."""

    def result(_group: str, trial: Trial) -> float:
        size = trial.configuration.batch_size
        noise = random.Random(f"{size} {trial.seed}").gauss(0, spread)  # noqa: S311
        tuning = 0.05 * (size == 5) if not trial.configuration.evaluate_test else 0.0
        return metrics.get(f"b{size}", 0.9) + noise + tuning

    return result


def refined(result: Result, **keys: Any) -> list[Planned]:
    return played(experiment(**FRESH | {"refinement_seeds": 200} | keys), result).get("refine", [])


def test_as_many_seeds_are_added_at_once_as_show_a_size_to_be_near_optimal() -> None:
    planned = refined(noisy(0.06), margin=0.05)
    seeds = sorted({trial.seed for _, trial in planned})
    assert seeds[0] == 16
    assert {*rates_of(planned)} == {5, 10, 40}
    assert all(trial.configuration.evaluate_test for _, trial in planned)
    # The spread of 5 less 10 and of 5 less 40, of which with two sizes the median is the mean.
    drawn = {
        size: [random.Random(f"{size} {seed}").gauss(0, 0.06) for seed in range(11, 16)]  # noqa: S311
        for size in (5, 10, 40)
    }
    spreads = [
        statistics.stdev(a - b for a, b in zip(drawn[5], drawn[size], strict=True))
        for size in (10, 40)
    ]
    assert len(seeds) == seeds_to_show(statistics.mean(spreads), 0.05, 205, 0.85, 4) - 5 > 0


def test_no_seeds_are_added_where_the_confirmation_seeds_suffice() -> None:
    assert refined(noisy(0.0), margin=0.1) == []
    # Equal on every seed, but no spread is below half a test example.
    floor = seeds_to_show(STEP / 2, 0.01, 1000, 0.85, 4) - 5
    planned = refined(noisy(0.0), margin=0.01)
    assert {trial.seed for _, trial in planned} == {*range(16, 16 + floor)}


def test_sizes_shown_to_be_worse_or_slower_than_the_reference_get_no_more() -> None:
    planned = refined(noisy(0.06, b40=0.2), margin=0.05)
    assert {*rates_of(planned)} == {5, 10}
    result = noisy(0.06)

    def largest_best(group: str, trial: Trial) -> float:
        best = trial.configuration.batch_size == 10 and not trial.configuration.evaluate_test
        return float(result(group, trial)) + best  # type: ignore[arg-type]

    assert {*rates_of(refined(largest_best, margin=0.05))} == {10, 40}


def test_refining_stops_at_its_limit() -> None:
    planned = refined(noisy(0.06), margin=0.001, refinement_seeds=7)
    assert sorted({trial.seed for _, trial in planned}) == [*range(16, 23)]


def test_too_few_confirmation_seeds_are_filled_up() -> None:
    planned = refined(noisy(0.0), margin=0.5, confirmation_seeds=[11])
    assert {trial.seed for _, trial in planned} == {12, 13, 14, 15}


def test_groups_get_what_each_of_them_needs() -> None:
    calm, wild = noisy(0.0), noisy(0.06)

    def result(group: str, trial: Trial) -> float | str:
        return (calm if group == "sgd" else wild)(group, trial)

    planned = refined(result, margin=0.05, optimizer=["sgd", "adam"])
    assert {group for group, _ in planned} == {"adam"}


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
        return noisy(0.06)(group, trial)

    rates = {"learning_rates": [0.4, 1.0, 2.0, 4.0], "extensions": 0}
    stages = played(experiment(**FRESH | rates, refinement_seeds=5), result)
    assert rates_of(stages["confirm"]) == {5: [0.4], 10: [0.4], 40: [0.4]}
    assert {*rates_of(stages["refine"])} == {5, 10}


def test_given_rates_refine_whatever_may_become_the_reference() -> None:
    given = {"explore": False, "confirmation_seeds": [*range(11, 21)], "margin": 0.05}
    planned = refined(noisy(0.06, b40=0.2), **given)
    assert {*rates_of(planned)} == {5, 10}
    assert len(planned) % 4 == 0  # half of the seeds choose, half judge


def test_refinement_seeds_follow_the_largest() -> None:
    study = experiment(seeds=[500, 1], confirmation_seeds=[7], refinement_seeds=12)
    assert refinement_seeds(study.specification) == (*range(501, 513),)
    assert refinement_seeds(experiment().specification) == ()


@pytest.mark.parametrize("grid", [[1e-30, 1e-15, 1.0], [1.0, 1e20, 1e30]])
def test_no_rate_is_added_that_float32_could_not_hold(grid: list[float]) -> None:
    edge = min if grid[0] < 1 else max

    def best_at_the_edge(_group: str, trial: Trial) -> float:
        return float(trial.learning_rate == edge(grid))

    stages = played(experiment(learning_rates=grid, extensions=100), best_at_the_edge)
    assert {trial.learning_rate for entry in stages.values() for _, trial in entry} == {*grid}
