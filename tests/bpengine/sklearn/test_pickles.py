"""Estimators are saved as any of scikit-learn's, and nothing is lost by it."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.bpengine.fitted import (
    IRIS_X,
    IRIS_Y,
    NAMES,
    Estimator,
    classifier,
    fitted,
    same_training,
)


def copied(estimator: Estimator) -> Any:
    return pickle.loads(pickle.dumps(estimator))  # noqa: S301


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_nothing_is_lost_by_pickle(kind: str) -> None:
    estimator = fitted(kind, learning_rate=np.float32(0.01), hidden_layer_sizes=(np.int64(7), 5))
    copy = copied(estimator)
    X = IRIS_X[:, : estimator.n_features_in_]
    assert vars(copy).keys() == vars(estimator).keys()
    assert copy.get_params() == estimator.get_params()
    same_training(copy, estimator)
    np.testing.assert_array_equal(copy.predict(X), estimator.predict(X))


@pytest.mark.parametrize("dtype", [str, object, "str"], ids=["numpy", "object", "pandas"])
def test_labels_and_names_stay_and_training_goes_on(dtype: Any) -> None:
    frame = pd.DataFrame(IRIS_X, columns=list("abcd"))
    labels = (
        pd.Series(NAMES[IRIS_Y], dtype=dtype) if dtype == "str" else NAMES[IRIS_Y].astype(dtype)
    )
    estimator = classifier(patience=2).fit(frame, labels)
    copy = copied(estimator)
    for name in ("classes_", "feature_names_in_"):
        np.testing.assert_array_equal(getattr(copy, name), getattr(estimator, name))
    assert copy.validation_loss_curve_ == estimator.validation_loss_curve_
    np.testing.assert_array_equal(copy.predict(frame), estimator.predict(frame))
    same_training(copy.partial_fit(frame, labels), estimator.partial_fit(frame, labels))
