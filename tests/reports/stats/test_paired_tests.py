"""Equal batch sizes are rarely called different, and many cases are each what it would be alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reports.stats.paired_tests import best_and_tied, holm


def tied(values: np.ndarray | list[list[float]]) -> list[bool]:
    """Return which of the batch sizes, in columns, tie with the best of one case."""
    return best_and_tied(np.asarray(values)[:, :, None], 0.05)[1][:, 0].tolist()


def normal(rng: np.random.Generator, shifts: list[float], seeds: int = 5) -> np.ndarray:
    return rng.normal(size=(seeds, 1)) + rng.normal(size=(seeds, len(shifts))) + np.array(shifts)


def test_holm_adjusts_step_by_step_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_many_cases_are_judged_as_each_alone() -> None:
    values = np.random.default_rng(0).normal([[0.0, 0.0, 1.5, 4.0]] * 5, 1.0, (5, 4))
    cases = np.dstack([values, values * 2 + 1, values[::-1]])
    cases[:, 3, 1] = np.nan
    cases[0, 1, 2] = np.nan
    best, ties = best_and_tied(cases, 0.05)
    for case in range(3):
        present = ~np.isnan(cases[:, :, case]).all(axis=0)
        alone = cases[:, present, case]
        assert best[case] == np.nanmean(alone, axis=0).argmax()
        assert ties[present, case].tolist() == tied(alone)
        assert not ties[~present, case].any()
    assert not ties[:, 0].all()


@pytest.mark.parametrize("columns", [2, 3, 11])
@pytest.mark.parametrize("spread", [1, 4])
def test_equal_batch_sizes_are_called_worse_in_at_most_5_percent(columns: int, spread: int) -> None:
    rng, scales = np.random.default_rng(2), np.linspace(1, spread, columns)
    wrong = [not all(tied(normal(rng, [0.0] * columns) * scales)) for _ in range(400)]
    # Three standard errors of 400 simulations above 5%.
    assert np.mean(wrong) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_a_correction_for_the_pairs_with_the_best_alone_would_not_hold() -> None:
    rng = np.random.default_rng(3)

    def naive(values: np.ndarray) -> bool:
        best = values.mean(axis=0).argmax()
        others = np.delete(values, best, axis=1)
        bests = np.broadcast_to(values[:, [best]], others.shape)
        return min(holm(stats.ttest_rel(bests, others).pvalue)) <= 0.05

    assert np.mean([naive(normal(rng, [0.0] * 11)) for _ in range(400)]) > 0.08


@pytest.mark.parametrize("seeds", [2, 3])
def test_shares_of_few_examples_are_called_worse_in_at_most_5_percent(seeds: int) -> None:
    studies = np.random.default_rng(6).binomial(36, 0.95, (200, seeds, 11)) / 36
    assert np.mean([not all(tied(study)) for study in studies]) <= 0.05


@pytest.mark.parametrize(
    ("columns", "ties"),
    [
        (normal(np.random.default_rng(4), [0.0, 0.0, -20.0]).T.tolist(), [True, True, False]),
        ([[0.75, 0.5, 0.25, 0.5, 0.5], [0.5, 0.25, 0.0, 0.25, 0.25]], [True, False]),
        ([[0.75, 0.5, 0.625], [0.625, 0.375, 0.5], [0.25, 0.0, 0.125]], [True, True, False]),
        ([[0.3] * 5, [0.1 + 0.2] * 5], [True, True]),
        ([[0.9], [0.1]], [True, True]),
        ([[0.9, 0.8]], [True]),
        ([[0.9, math.nan], [math.nan, 0.1]], [True, True]),
    ],
    ids=["large", "always", "one example or four", "rounding", "one seed", "one size", "no pair"],
)
def test_which_batch_sizes_tie(columns: list[list[float]], ties: list[bool]) -> None:
    assert tied(np.transpose(columns)) == ties
