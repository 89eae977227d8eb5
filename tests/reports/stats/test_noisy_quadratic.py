"""Scaling on models whose learning curves are known exactly, from curves to the critical batch."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from reports.stats._two_terms import fit_two_terms, means_of
from reports.stats.models.first_passage import REACHED, Target, updates_to_target
from reports.stats.models.steps_to_target import StepsToTargetFit, fit_steps_to_target
from tests.helpers.noisy_quadratic import best_rate, curvatures, loss_at, recursion, updates_needed

BATCH_SIZES = [2**power for power in range(2, 21)]
CURVATURES = curvatures(100)
LEVEL = 0.001 * float(CURVATURES.sum() / 2)


def crossings(updates: np.ndarray, losses: np.ndarray, level: float) -> np.ndarray:
    """Return the updates after which each column first falls to the level; infinite if never."""
    columns = [
        pd.DataFrame({"batch_size": 1, "seed": i, "updates": updates, "gain": -column})
        for i, column in enumerate(losses.T)
    ]
    table = updates_to_target(
        pd.concat(columns), "gain", [Target(1, -level)], lower_is_better=False
    )
    return table["updates"].where(table["outcome"] == REACHED, np.inf).to_numpy()


@cache
def tuned(batch: int) -> tuple[float, float]:
    """Return best rate and updates to target as a study finds them: by grid and recorded curves."""
    exact = best_rate(CURVATURES, batch, LEVEL)
    grid = 0.1 * 1.01 ** np.arange(-300, 302)
    rates = grid[(grid > exact / 1.15) & (grid < min(exact * 1.15, 2))]
    most = 1.1 * updates_needed(CURVATURES, exact, batch, LEVEL)
    cadence = np.unique(np.geomspace(1, most, round(100 * np.log(most))).astype(int))
    losses = recursion(CURVATURES, rates, batch, cadence)
    reached = crossings(cadence, losses, LEVEL)
    best = int(np.argmin(reached))
    return float(rates[best]), float(reached[best])


@cache
def fitted() -> tuple[StepsToTargetFit, list[float]]:
    updates = [tuned(batch)[1] for batch in BATCH_SIZES]
    return fit_steps_to_target(BATCH_SIZES, updates), updates


def test_the_closed_form_is_the_recursion() -> None:
    cadence, rates = np.array([1, 2, 10, 300]), np.array([0.1, 1.9])
    losses = recursion(CURVATURES, rates, 64, cadence)
    for i, rate in enumerate(rates):
        closed = loss_at(CURVATURES, rate, 64, cadence)
        np.testing.assert_allclose(losses[:, i], closed, rtol=1e-12)


@pytest.mark.parametrize("batch", BATCH_SIZES)
def test_the_best_rate_is_within_2_percent_of_the_exact_one(batch: int) -> None:
    assert tuned(batch)[0] == pytest.approx(best_rate(CURVATURES, batch, LEVEL), rel=0.02)


def test_updates_to_target_are_within_half_a_percent_of_the_exact_ones() -> None:
    exact = [
        updates_needed(CURVATURES, best_rate(CURVATURES, batch, LEVEL), batch, LEVEL)
        for batch in BATCH_SIZES
    ]
    np.testing.assert_allclose(fitted()[1], exact, rtol=0.005)


def test_the_curve_bends_where_a_hyperbola_is_not_the_law() -> None:
    fit, updates = fitted()
    sizes = np.array(BATCH_SIZES)
    hyperbola = fit_two_terms(means_of(1 / sizes, np.array(updates)), 0.95, bend=False)
    assert hyperbola.poor_fit
    assert hyperbola.largest_residual == pytest.approx(0.119, abs=0.005)
    assert fit.plateau == "in range"
    assert fit.max_log_residual is not None
    assert fit.max_log_residual < 0.05
    # Where the exact updates are twice those of the largest batch size.
    exact = np.exp(np.interp(-np.log(2 * updates[-1]), -np.log(updates), np.log(sizes)))
    assert fit.critical_batch_size == pytest.approx(exact, rel=0.1)


def test_perfect_scaling_has_no_plateau_in_range() -> None:
    # One curvature, the best rate at each step: 1/s grows by B with every update.
    updates: list[float] = []
    for batch in BATCH_SIZES[:11]:
        s, losses = 1.0, [1.0]
        while s > 1e-5:
            rate = s / (s + 1 / batch)
            s = (1 - rate) ** 2 * s + rate**2 / batch
            losses.append(s)
        updates += crossings(np.arange(len(losses)), np.array([losses]).T, 1e-5).tolist()
    fit = fit_steps_to_target(BATCH_SIZES[:11], updates)
    assert fit.plateau == "not in range"
    assert (fit.min_updates, fit.critical_batch_size) == (None, None)
    assert fit.min_examples == pytest.approx(1e5, rel=1e-3)
    assert fit.critical_batch_size_interval is not None
    assert fit.critical_batch_size_interval.low > BATCH_SIZES[10]
    assert not fit.poor_fit
