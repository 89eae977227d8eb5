"""Cohorts: every trial once, products only, small enough, the costliest first."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sweeps.plan import COHORT_BYTES, LANE_BYTES, cohort_cost, plan
from sweeps.splits import Preparation
from sweeps.trials import Configuration, DataFacts, Trial

FACTS = DataFacts("made", "0", 1000, 100, 100, 4, ("a", "b"))
CONFIGURATION = Configuration(
    evaluate_test=False,
    dataset="made",
    fingerprint="0",
    preparation=Preparation(0.1, 0.1, "none"),
    widths=(4, 3, 2),
    activation="sigmoid",
    loss="squared_error",
    reduction="mean",
    optimizer="sgd",
    batch_size=1,
    epochs=1,
)


@given(
    trials=st.sets(
        st.tuples(st.sampled_from([1, 8, 64]), st.sampled_from([0.1, 0.2, 0.4]), st.integers(0, 5))
    ),
    jobs=st.integers(1, 5),
    width=st.sampled_from([3, 2000, 100_000]),
)
def test_every_trial_is_in_one_cohort(
    trials: set[tuple[int, float, int]], jobs: int, width: int
) -> None:
    wanted = [
        Trial(replace(CONFIGURATION, batch_size=size, widths=(4, width, 2)), rate, seed)
        for size, rate, seed in trials
    ]
    cohorts = plan(wanted, FACTS, jobs)
    planned = [trial.identity for cohort in cohorts for trial in cohort.trials]
    assert sorted(planned) == sorted(trial.identity for trial in wanted)
    costs = [cohort_cost(cohort, FACTS) for cohort in cohorts]
    assert costs == sorted(costs, reverse=True)
    for cohort in cohorts:
        bytes_of_a_lane = LANE_BYTES * cohort.configuration.architecture.parameter_count
        assert len(cohort.trials) == 1 or len(cohort.trials) * bytes_of_a_lane <= COHORT_BYTES


def test_a_full_grid_is_one_cohort_for_each_batch_size() -> None:
    wanted = [
        Trial(replace(CONFIGURATION, batch_size=size), rate, seed)
        for size in (16, 32, 64)
        for rate in (0.1, 0.2)
        for seed in (1, 2, 3)
    ]
    cohorts = plan(wanted, FACTS, jobs=1)
    assert [cohort.configuration.batch_size for cohort in cohorts] == [16, 32, 64]
    assert {(cohort.seeds, cohort.learning_rates) for cohort in cohorts} == {
        ((1, 2, 3), (0.1, 0.2))
    }


def test_a_cohort_is_shared_out_when_it_would_keep_the_others_waiting() -> None:
    wanted = [Trial(CONFIGURATION, rate, seed) for rate in (0.1, 0.2) for seed in range(6)]
    cohorts = plan(wanted, FACTS, jobs=3)
    assert sorted(cohort.seeds for cohort in cohorts) == [(0, 1), (2, 3), (4, 5)]


def test_nothing_to_run_is_no_cohort() -> None:
    assert plan([], FACTS, jobs=2) == []
