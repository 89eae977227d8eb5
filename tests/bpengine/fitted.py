"""Estimators fitted to iris, and what tests compare of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_iris

from bpengine.sklearn.estimators import BackpropClassifier, BackpropRegressor

Estimator = BackpropClassifier | BackpropRegressor

IRIS_X, IRIS_Y = load_iris(return_X_y=True)
IRIS_X = (IRIS_X - IRIS_X.mean(axis=0)) / IRIS_X.std(axis=0)
NAMES = np.array(["setosa", "versicolor", "virginica"])


def classifier(**options: Any) -> BackpropClassifier:
    return BackpropClassifier(**{"random_state": 0, "epochs": 5, **options})


def regressor(**options: Any) -> BackpropRegressor:
    return BackpropRegressor(**{"random_state": 0, "epochs": 5, **options})


def fitted(kind: str, **options: Any) -> Estimator:
    if kind == "classifier":
        return classifier(**options).fit(IRIS_X, IRIS_Y)
    return regressor(**options).fit(IRIS_X[:, :3], IRIS_X[:, 3])


def same_training(actual: Estimator, expected: Estimator) -> None:
    assert actual.n_iter_ == expected.n_iter_
    assert actual.loss_curve_ == expected.loss_curve_
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(actual, name), getattr(expected, name), strict=True):
            np.testing.assert_array_equal(a, b)
