"""Values under a rule: no seed chooses what it judges, and every rule reads the same curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reports.analysis import analyse
from reports.claim_values import (
    cross_fitted,
    explored,
    round_seconds,
    trend,
    tuned,
    updates_in_equal_time,
)
from reports.readings import guess_level
from reports.record import Analysis
from reports.results import REGRESSION
from tests.reports.claim_studies import FAST, FRESH, SEEDS, Truth, study
from tests.reports.conftest import DIGITS_GROUP, small


def numbers(truth: Truth, **group: object) -> Analysis:
    (analysis,) = analyse(study(truth, group))
    return analysis


def values(table: dict[tuple[int, float], list[float]]) -> pd.Series[float]:
    rows = {(*cell, seed): v for cell, all_of in table.items() for seed, v in enumerate(all_of)}
    index = pd.MultiIndex.from_tuples([*rows], names=["batch_size", "learning_rate", "seed"])
    return pd.Series([*rows.values()], index=index)


def test_a_seed_never_chooses_the_rate_it_judges() -> None:
    # Each seed is best at another rate: chosen by itself it would be 1, by the others 0.
    found = cross_fitted(values({(8, 0.1): [1.0, 0.0], (8, 1.0): [0.0, 1.0]}))
    assert found[8].tolist() == [0.0, 0.0]


def test_the_best_of_equal_cells_is_no_better_than_they_are() -> None:
    rng = np.random.default_rng(0)
    means = [
        cross_fitted(values({(8, float(rate)): rng.normal(size=4).tolist() for rate in range(6)}))[
            8
        ].mean()
        for _ in range(100)
    ]
    # Chosen by itself, the best of six means of four would be 0.63 on average.
    assert abs(np.mean(means)) < 4 * np.std(means) / np.sqrt(100) < 0.35


def test_each_batch_size_has_its_own_rate_unless_one_is_kept() -> None:
    table = values(
        {
            (1, 0.1): [0.9, 0.9],
            (1, 1.0): [0.5, 0.5],
            (8, 0.1): [0.2, 0.2],
            (8, 1.0): [0.8, 0.8],
        }
    )
    assert cross_fitted(table).loc[0].to_dict() == {1: 0.9, 8: 0.8}
    assert cross_fitted(table, kept=True).loc[0].to_dict() == {1: 0.9, 8: 0.2}


def test_a_kept_rate_is_one_that_every_batch_size_tried() -> None:
    table = values({(1, 0.1): [0.9, 0.9], (1, 1.0): [0.5, 0.5], (8, 1.0): [0.8, 0.8]})
    assert cross_fitted(table, kept=True).loc[1].to_dict() == {1: 0.5, 8: 0.8}
    assert cross_fitted(table.drop(index=1.0, level=1), kept=True).columns.tolist() == [1]
    apart = values({(1, 0.1): [0.9, 0.9], (8, 1.0): [0.8, 0.8]})
    assert cross_fitted(apart, kept=True).empty


def test_a_rate_with_a_missing_seed_is_not_chosen() -> None:
    table = values({(8, 0.1): [0.9, 0.9, 0.9], (8, 1.0): [0.5, 0.5, 0.5]})
    assert cross_fitted(table.drop(index=(8, 0.1, 2)))[8].tolist() == [0.5] * 3


def test_one_seed_can_not_judge_what_it_chose() -> None:
    assert cross_fitted(values({(8, 0.1): [0.9]})).empty


def test_equal_rates_are_the_smaller_one_whatever_rounding_does() -> None:
    third = 0.1 + 0.2
    table = values({(8, 0.1): [0.3, 0.3, 0.5], (8, 1.0): [third, third, 0.7]})
    assert cross_fitted(table)[8].tolist()[2] == 0.5


def test_a_diverged_trial_counts_as_a_guess() -> None:
    analysis = numbers(Truth(diverges=lambda _, size, rate: (size, rate) == (1024, 10.0)))
    found = explored(analysis)
    assert found[1024, 10.0].tolist() == [0.1] * len(SEEDS)
    assert (found[1024, 1.0] > 0.8).all()
    early = explored(analysis, dict.fromkeys((1, 32, 1024), 1))
    assert early[1024, 10.0].tolist() == [0.1] * len(SEEDS)


def test_guessing_is_one_class_of_several_and_explains_no_variance() -> None:
    assert guess_level(DIGITS_GROUP) == 0.1
    (regression,) = small(task=REGRESSION).groups
    assert guess_level(regression) == 0.0
    (single,) = small(outputs=1).groups
    assert guess_level(single) == 0.5


def test_curves_are_read_between_their_points() -> None:
    analysis = numbers(Truth(noise=0, epochs_needed=lambda *_: 4.0))
    # 34 updates an epoch: 51 updates are one and a half.
    assert explored(analysis, {1: 0, 32: 51, 1024: 4})[32].tolist() == pytest.approx(
        [0.1 + 0.8 * 1.5 / 4] * 18
    )


def test_trials_without_a_curve_are_absent() -> None:
    results = study(Truth())
    results = type(results)(results.description, results.trials, results.curves[:0], results.timing)
    (analysis,) = analyse(results)
    assert explored(analysis, {1: 1, 32: 1, 1024: 1}).empty


def test_the_tuned_values_are_those_of_fresh_seeds() -> None:
    found = tuned(numbers(Truth()))
    assert found.index.tolist() == [*FRESH]
    assert found.columns.tolist() == [1, 32, 1024]


def test_equal_time_is_that_of_the_fastest_training() -> None:
    analysis = numbers(Truth(seconds=FAST, jitter=0))
    found = updates_in_equal_time(analysis)
    # Batch size 1024 needs 8 updates of 1.064 ms, 32 needs 136 of 72 us.
    assert found == pytest.approx({1: 0.008512 / 4.1e-5, 32: 0.008512 / 7.2e-5, 1024: 8})
    assert updates_in_equal_time(numbers(Truth())) == {}


def test_rounds_are_kept_apart_by_engine() -> None:
    found = round_seconds(numbers(Truth(seconds=FAST, jitter=0)))
    assert found["per-item"][32].tolist() == pytest.approx([32 * 4e-5] * 7)
    assert found["tensor"][32].tolist() == pytest.approx([7.2e-5] * 7)
    assert round_seconds(numbers(Truth())) == {}


def test_a_straight_line_is_found_whatever_its_level() -> None:
    sizes = [1, 2, 8, 512]
    lines = {seed: [seed - 0.02 * np.log2(size) for size in sizes] for seed in (1, 2)}
    table = pd.DataFrame.from_dict(lines, orient="index", columns=sizes)
    assert trend(table).to_dict() == pytest.approx({1: -0.18, 2: -0.18})


def test_seeds_that_lack_a_batch_size_and_single_batch_sizes_have_no_trend() -> None:
    table = pd.DataFrame({1: [0.9, 0.9], 8: [0.8, np.nan]}, index=[1, 2])
    assert trend(table).index.tolist() == [1]
    assert trend(table[[1]]).empty
    assert trend(table[:0]).empty
