"""Values under a rule: no seed chooses what it judges, and every rule reads the same curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reports.analysis.equal_budgets import guess_level
from reports.claims._values import cross_fitted, explored, fall, round_seconds, tuned_values
from reports.recommend.analysis import analyse
from reports.recommend.record import Analysis
from reports.schema.results import REGRESSION
from tests.helpers.claim_studies import FAST, FRESH, SEEDS, Truth, study
from tests.reports.conftest import DIGITS_GROUP, small

pytestmark = pytest.mark.slow


def numbers(truth: Truth) -> Analysis:
    (analysis,) = analyse(study(truth))
    return analysis


def values(table: dict[tuple[int, float], list[float]]) -> pd.DataFrame:
    cells = pd.MultiIndex.from_tuples(table, names=["batch_size", "learning_rate"])
    return pd.DataFrame([*table.values()], cells).T.rename_axis("seed")


def test_a_seed_never_chooses_the_rate_it_judges() -> None:
    # Each seed is best at another rate: chosen by itself it would be 1, by the others 0.
    fitted = cross_fitted(values({(8, 0.1): [1.0, 0.0], (8, 1.0): [0.0, 1.0]}))
    assert fitted[8].tolist() == [0.0, 0.0]


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
        {(1, 0.1): [0.9, 0.9], (1, 1.0): [0.5, 0.5], (8, 0.1): [0.2, 0.2], (8, 1.0): [0.8, 0.8]}
    )
    assert cross_fitted(table).loc[0].to_dict() == {1: 0.9, 8: 0.8}
    assert cross_fitted(table, fixed=True).loc[0].to_dict() == {1: 0.9, 8: 0.2}


def test_a_fixed_rate_is_one_that_every_batch_size_tried() -> None:
    table = values({(1, 0.1): [0.9, 0.9], (1, 1.0): [0.5, 0.5], (8, 1.0): [0.8, 0.8]})
    assert cross_fitted(table, fixed=True).loc[1].to_dict() == {1: 0.5, 8: 0.8}
    assert cross_fitted(values({(1, 0.1): [0.9, 0.9]}), fixed=True).columns.tolist() == [1]
    apart = values({(1, 0.1): [0.9, 0.9], (8, 1.0): [0.8, 0.8]})
    assert cross_fitted(apart, fixed=True).empty


def test_a_rate_with_a_missing_seed_is_not_chosen() -> None:
    table = values({(8, 0.1): [0.9, 0.9, np.nan], (8, 1.0): [0.5, 0.5, 0.5]})
    assert cross_fitted(table)[8].tolist() == [0.5] * 3


def test_one_seed_can_not_judge_what_it_chose() -> None:
    assert cross_fitted(values({(8, 0.1): [0.9]})).empty


def test_equal_rates_are_the_smaller_one_whatever_rounding_does() -> None:
    third = 0.1 + 0.2
    table = values({(8, 0.1): [0.3, 0.3, 0.5], (8, 1.0): [third, third, 0.7]})
    assert cross_fitted(table)[8].tolist()[2] == 0.5


def test_a_diverged_trial_counts_as_a_guess() -> None:
    group = numbers(Truth(diverges=lambda _, size, rate: (size, rate) == (1024, 10.0)))
    values = explored(group)
    assert values[1024, 10.0].tolist() == [0.1] * len(SEEDS)
    assert values[1024, 1.0].min() > 0.8


def test_guessing_is_one_class_of_several_and_explains_no_variance() -> None:
    assert guess_level(DIGITS_GROUP) == 0.1
    (regression,) = small(task=REGRESSION).groups
    assert guess_level(regression) == 0.0
    (single,) = small(outputs=1).groups
    assert guess_level(single) == 0.5


def test_the_tuned_values_are_those_of_fresh_seeds() -> None:
    fitted = tuned_values(numbers(Truth()))
    assert fitted.index.tolist() == [*FRESH]
    assert fitted.columns.tolist() == [1, 32, 1024]


def test_rounds_are_kept_separate_by_engine() -> None:
    fitted = round_seconds(numbers(Truth(seconds=FAST, jitter=0)))
    assert fitted["per-item"][32].tolist() == pytest.approx([32 * 4e-5] * 7)
    assert fitted["tensor"][32].tolist() == pytest.approx([7.2e-5] * 7)
    assert round_seconds(numbers(Truth())) == {}


def test_a_fall_is_from_the_best_smaller_batch_size_to_the_largest() -> None:
    table = pd.DataFrame({1: [0.8, 0.8], 8: [0.9, 0.95], 64: [0.7, 0.7]}, index=[1, 2])
    assert fall(table).to_dict() == pytest.approx({1: -0.2, 2: -0.25})
    assert fall(table, 1).to_dict() == pytest.approx({1: -0.1, 2: -0.1})
    # The largest may be the best.
    assert fall(table[[1, 8]]).to_dict() == pytest.approx({1: 0.1, 2: 0.15})


def test_no_seed_chooses_the_best_size_that_it_judges() -> None:
    table = pd.DataFrame({1: [0.9, 0.5], 8: [0.5, 0.9], 64: [0.7, 0.7]}, index=[1, 2])
    assert fall(table).to_dict() == pytest.approx({1: 0.2, 2: 0.2})


def test_seeds_that_lack_a_batch_size_and_single_batch_sizes_have_no_fall() -> None:
    table = pd.DataFrame({1: [0.9, 0.9, 0.9], 8: [0.8, np.nan, 0.8]}, index=[1, 2, 3])
    assert fall(table).index.tolist() == [1, 3]
    assert fall(table[:1]).empty
    assert fall(table[[1]]).empty
    assert fall(table[:0]).empty
