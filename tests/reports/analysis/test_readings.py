"""Curves are read between their evaluations, and no seed chooses the rate it is read at."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.analysis.readings import best_on_others, evaluations, read


def curve(trial: str, points: dict[int, float]) -> pd.DataFrame:
    """Return a curve of batches of two."""
    updates = [*points]
    return pd.DataFrame(
        {
            "trial": trial,
            "updates": updates,
            "examples": [2 * number for number in updates],
            "validation_metric": [*points.values()],
        }
    )


CURVES = pd.concat([curve("a", {0: 0.1, 10: 0.5, 20: 0.6}), curve("b", {0: 0.2, 5: 0.4})])


def test_a_curve_is_read_on_the_line_between_two_evaluations() -> None:
    found = read(evaluations(CURVES), ["b", "a"], np.array([[2.5, 5.0], [5.0, 12.0]]))
    np.testing.assert_allclose(found, [[0.3, 0.4], [0.3, 0.52]])


def test_beyond_its_ends_a_curve_is_what_it_is_there() -> None:
    found = read(evaluations(CURVES), ["b"], np.array([[-1.0, 99.0]]))
    np.testing.assert_allclose(found, [[0.2, 0.4]])


def test_examples_are_another_axis_of_the_same_curve() -> None:
    found = read(evaluations(CURVES, "examples"), ["a"], np.array([[10.0, 24.0]]))
    np.testing.assert_allclose(found, [[0.3, 0.52]])


def test_a_trial_without_a_curve_has_no_metric() -> None:
    assert np.isnan(read(evaluations(CURVES), ["c"], np.array([[1.0]]))).all()


def test_a_rate_is_chosen_without_the_seed_it_is_used_for() -> None:
    values = np.array([[0.9, 0.1, 0.1], [0.5, 0.5, 0.5]])
    assert best_on_others(values).tolist() == [1, 0, 0]


def test_every_budget_has_its_own_rate() -> None:
    early, late = [[0.6, 0.6], [0.2, 0.2]], [[0.7, 0.7], [0.9, 0.9]]
    assert best_on_others(np.dstack([early, late])).tolist() == [[0, 1], [0, 1]]


def test_of_rates_that_differ_by_rounding_the_smallest_is_taken() -> None:
    assert best_on_others(np.array([[0.3, 0.3], [0.1 + 0.2, 0.1 + 0.2]])).tolist() == [0, 0]
