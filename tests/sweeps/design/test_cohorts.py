"""Cohorts: every trial once, products only, small enough, the costliest first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from faults import configuration
from hypothesis import given
from hypothesis import strategies as st

from bpengine import BatchGrowth, Budget
from sweeps.data.splits import Preparation
from sweeps.design.cohorts import (
    MOST_BYTES,
    cohort_bytes,
    cohort_cost,
    lane_bytes,
    most_lanes,
    plan,
)
from sweeps.design.trials import Cohort, EngineConfiguration, Trial, settings_of

CONFIGURATION = configuration(
    preparation=Preparation(100, 100, "none"),
    train_items=1000,
    widths=(4, 3, 2),
    batch_size=1,
    budget=Budget(epochs=1),
)


def trial(configuration: EngineConfiguration, rate: float, seed: int, l2: float = 0.0) -> Trial:
    return Trial(configuration, settings_of(configuration.optimizer, rate, {"l2": l2}), seed)


def cohort(configuration: EngineConfiguration, seeds: int = 2, rates: int = 3) -> Cohort:
    settings = tuple(settings_of(configuration.optimizer, rate, {}) for rate in range(1, rates + 1))
    return Cohort(configuration, tuple(range(seeds)), settings)


@given(
    trials=st.sets(
        st.tuples(
            st.sampled_from([1, 8, 64]),
            st.sampled_from([0.1, 0.2, 0.4]),
            st.sampled_from([0.0, 0.5]),
            st.integers(0, 5),
        )
    ),
    jobs=st.integers(1, 5),
    width=st.sampled_from([3, 2000, 10_000, 100_000]),
    optimizer=st.sampled_from(["sgd", "adam"]),
)
def test_every_trial_is_in_one_cohort(
    trials: set[tuple[int, float, float, int]], jobs: int, width: int, optimizer: str
) -> None:
    shared = replace(CONFIGURATION, widths=(4, width, 2), optimizer=optimizer)
    wanted = [
        trial(replace(shared, batch_size=size), rate, seed, l2) for size, rate, l2, seed in trials
    ]
    cohorts = plan(wanted, jobs)
    planned = [made.identity for cohort in cohorts for made in cohort.trials]
    assert sorted(planned) == sorted(made.identity for made in wanted)
    assert all(cohort.trials for cohort in cohorts)
    costs = [cohort_cost(cohort) for cohort in cohorts]
    assert costs == sorted(costs, reverse=True)
    for made in cohorts:
        lanes, each = len(made.trials), lane_bytes(made.configuration)
        assert lanes <= most_lanes(made.configuration)
        assert lanes * each <= max(MOST_BYTES, each)


def test_large_networks_share_a_cohort_as_long_as_they_are_few() -> None:
    mnist = replace(CONFIGURATION, widths=(784, 128, 10))
    assert lane_bytes(mnist) == 4 * 2 * 101_770
    assert most_lanes(mnist) == 24
    assert most_lanes(replace(mnist, optimizer="adam")) == 12
    assert most_lanes(replace(mnist, widths=(784, 4096, 10))) == 1


def test_state_and_precision_take_memory() -> None:
    plain = lane_bytes(CONFIGURATION)
    assert lane_bytes(replace(CONFIGURATION, dtype="float64")) == 2 * plain
    assert lane_bytes(replace(CONFIGURATION, optimizer="momentum")) == plain * 3 // 2
    apart = replace(CONFIGURATION, optimizer="adam", shards=3, local_updates=2)
    assert lane_bytes(apart) == plain * (2 + 2 * 3) // 2


def test_a_full_grid_is_one_cohort_for_each_batch_size() -> None:
    wanted = [
        trial(replace(CONFIGURATION, batch_size=size), rate, seed)
        for size in (16, 32, 64)
        for rate in (0.1, 0.2)
        for seed in (1, 2, 3)
    ]
    cohorts = plan(wanted, jobs=1)
    assert [cohort.configuration.batch_size for cohort in cohorts] == [16, 32, 64]
    settings = tuple(settings_of("sgd", rate, {}) for rate in (0.1, 0.2))
    assert {(cohort.seeds, cohort.settings) for cohort in cohorts} == {((1, 2, 3), settings)}


def test_hyperparameters_share_a_cohort_and_a_trial_of_two_groups_is_run_once() -> None:
    wanted = [trial(CONFIGURATION, 0.1, seed, l2) for l2 in (0.0, 0.1, 0.0) for seed in (1, 2)]
    (made,) = plan(wanted, jobs=1)
    assert (made.seeds, len(made.settings)) == ((1, 2), 2)


def test_a_cohort_is_shared_out_when_it_would_keep_the_others_waiting() -> None:
    wanted = [trial(CONFIGURATION, rate, seed) for rate in (0.1, 0.2) for seed in range(6)]
    cohorts = plan(wanted, jobs=3)
    assert sorted(cohort.seeds for cohort in cohorts) == [(0, 1), (2, 3), (4, 5)]


COSTLIER = {
    "more epochs": {"budget": Budget(epochs=2)},
    "more updates": {"budget": Budget(updates=2000)},
    "more examples": {"budget": Budget(examples=2000)},
    "a larger network": {"widths": (4, 30, 2)},
    "more state": {"optimizer": "adam"},
    "a softmax": {"output": "softmax"},
    "gradient statistics": {"noise_examples": 500},
    "curvature": {"noise_examples": 500, "noise_curvature": True},
    "geometry": {"noise_examples": 500, "noise_geometry": True},
    "wider numbers": {"dtype": "float64", "widths": (4, 300, 2), "batch_size": 1000},
}


@pytest.mark.parametrize("change", COSTLIER.values(), ids=COSTLIER)
def test_what_is_more_work_costs_more(change: dict[str, object]) -> None:
    plain = replace(CONFIGURATION, batch_size=int(str(change.get("batch_size", 1))))
    if "widths" in change and "dtype" in change:
        plain = replace(plain, widths=(4, 300, 2))
    assert cohort_cost(cohort(replace(CONFIGURATION, **change))) > cohort_cost(cohort(plain))  # type: ignore[arg-type]


def test_larger_batches_cost_less_and_growing_ones_too() -> None:
    budget = Budget(epochs=4)
    sizes = [
        cohort_cost(cohort(replace(CONFIGURATION, batch_size=size, budget=budget)))
        for size in (1, 10, 100)
    ]
    assert sizes == sorted(sizes, reverse=True)
    growing = replace(CONFIGURATION, growth=BatchGrowth(((1, 100), (2, 1000))), budget=budget)
    assert cohort_cost(cohort(growing)) < sizes[0]


def test_a_budget_in_seconds_costs_that() -> None:
    timed = replace(CONFIGURATION, budget=Budget(seconds=2.0))
    assert cohort_cost(cohort(timed)) == 2e6
    either = replace(CONFIGURATION, budget=Budget(epochs=1, seconds=1e-5))
    assert cohort_cost(cohort(either)) < cohort_cost(cohort(CONFIGURATION))


def test_memory_grows_with_lanes_and_examples() -> None:
    made = cohort_bytes(cohort(CONFIGURATION))
    assert cohort_bytes(cohort(CONFIGURATION, rates=6)) > made
    assert cohort_bytes(cohort(replace(CONFIGURATION, train_items=2000))) > made
