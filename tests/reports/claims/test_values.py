"""Values under a rule: no seed chooses what it judges, and every rule reads the same curves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reports.analysis.equal_budgets import guess_level
from reports.claims._values import Grid, GroupValues, cross_fitted, trend
from reports.recommend.analysis import analyse
from reports.schema.results import REGRESSION
from tests.helpers.claim_studies import FAST, FRESH, SEEDS, Truth, study
from tests.reports.conftest import DIGITS_GROUP, small

pytestmark = pytest.mark.slow


def numbers(truth: Truth, **group: object) -> GroupValues:
    (analysis,) = analyse(study(truth, group))
    return GroupValues(analysis)


def values(table: dict[tuple[int, float], list[float]]) -> Grid:
    sizes, rates = (sorted({cell[position] for cell in table}) for position in (0, 1))
    seeds = range(max(map(len, table.values())))
    nothing = [np.nan] * len(seeds)
    metric = [[table.get((size, rate), nothing) for rate in rates] for size in sizes]
    return Grid(np.array(sizes), np.array(rates), np.array(seeds), np.array(metric))


def at(grid: Grid, size: int, rate: float) -> list[float]:
    position = np.flatnonzero(grid.sizes == size)[0], np.flatnonzero(grid.rates == rate)[0]
    return [float(value) for value in grid.metric[position]]


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
    assert cross_fitted(values({(1, 0.1): [0.9, 0.9]}), kept=True).columns.tolist() == [1]
    apart = values({(1, 0.1): [0.9, 0.9], (8, 1.0): [0.8, 0.8]})
    assert cross_fitted(apart, kept=True).empty


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
    assert at(group.explored, 1024, 10.0) == [0.1] * len(SEEDS)
    assert min(at(group.explored, 1024, 1.0)) > 0.8
    early = group.explored_at(dict.fromkeys((1, 32, 1024), 1))
    assert at(early, 1024, 10.0) == [0.1] * len(SEEDS)


def test_guessing_is_one_class_of_several_and_explains_no_variance() -> None:
    assert guess_level(DIGITS_GROUP) == 0.1
    (regression,) = small(task=REGRESSION).groups
    assert guess_level(regression) == 0.0
    (single,) = small(outputs=1).groups
    assert guess_level(single) == 0.5


def test_curves_are_read_between_their_points() -> None:
    group = numbers(Truth(noise=0, epochs_needed=lambda *_: 4.0))
    # 34 updates an epoch: 51 updates are one and a half.
    grid = group.explored_at({1: 0, 32: 51, 1024: 4})
    assert grid.metric[1] == pytest.approx(np.full((3, 6), 0.1 + 0.8 * 1.5 / 4))


def test_trials_without_a_curve_are_absent() -> None:
    results = study(Truth())
    results = type(results)(results.description, results.trials, results.curves[:0], results.timing)
    (analysis,) = analyse(results)
    grid = GroupValues(analysis).explored_at({1: 1, 32: 1, 1024: 1})
    assert np.isnan(grid.metric).all()
    assert cross_fitted(grid).empty


def test_the_tuned_values_are_those_of_fresh_seeds() -> None:
    fitted = numbers(Truth()).tuned
    assert fitted.index.tolist() == [*FRESH]
    assert fitted.columns.tolist() == [1, 32, 1024]


def test_equal_time_is_that_of_the_fastest_training() -> None:
    fitted = numbers(Truth(seconds=FAST, jitter=0)).updates_in_equal_time
    # Batch size 1024 needs 8 updates of 1.064 ms, 32 needs 136 of 72 us.
    assert fitted == pytest.approx({1: 0.008512 / 4.1e-5, 32: 0.008512 / 7.2e-5, 1024: 8})
    assert numbers(Truth()).updates_in_equal_time == {}


def test_rounds_are_kept_apart_by_engine() -> None:
    fitted = numbers(Truth(seconds=FAST, jitter=0)).round_seconds
    assert fitted["per-item"][32].tolist() == pytest.approx([32 * 4e-5] * 7)
    assert fitted["tensor"][32].tolist() == pytest.approx([7.2e-5] * 7)
    assert numbers(Truth()).round_seconds == {}


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
