"""Filling: from the training part, as scikit-learn's imputer would."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.impute import SimpleImputer

from sweeps.data.imputation import FILLINGS, filled

TRAIN = np.arange(40)


@pytest.mark.parametrize("how", FILLINGS)
def test_numbers_are_filled_as_scikit_learn_would(how: str) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 6, (60, 3)).astype(float)
    inputs[rng.random((60, 3)) < 0.2] = np.nan
    values, empty = filled(inputs, TRAIN, np.full(3, -1), how)
    imputer = SimpleImputer(strategy=how).fit(inputs[TRAIN])
    np.testing.assert_allclose(values, imputer.transform(inputs), rtol=1e-12)
    assert not empty.size


@pytest.mark.parametrize("how", FILLINGS)
def test_categories_are_filled_by_the_most_frequent_one(how: str) -> None:
    # The last twenty would outvote the others, but are not for training.
    codes = np.array([0, 0, 1, 2] * 10 + [2] * 20)
    inputs = np.eye(3)[codes]
    inputs[[5, 50]] = np.nan
    values, _ = filled(inputs, TRAIN, np.zeros(3, np.int64), how)
    np.testing.assert_array_equal(values[[5, 50]], [[1, 0, 0]] * 2)
    np.testing.assert_array_equal(values[6], inputs[6])


def test_columns_are_filled_each_by_its_own() -> None:
    inputs = np.hstack([np.eye(2)[[0, 0, 1]], [[3.0], [5.0], [np.nan]], np.eye(2)[[1, 1, 0]]])
    inputs[2, :2] = inputs[0, 3:] = np.nan
    values, _ = filled(inputs, np.arange(3), np.array([0, 0, -1, 1, 1]), "mean")
    assert values.tolist() == [[1, 0, 3, 1, 0], [1, 0, 5, 0, 1], [1, 0, 4, 1, 0]]


def test_features_that_the_training_part_lacks_are_told() -> None:
    inputs = np.ones((60, 3))
    inputs[:40, 1] = np.nan
    _, empty = filled(inputs, TRAIN, np.full(3, -1), "mean")
    assert empty.tolist() == [1]
