"""Estimators say what is wrong with the data, and are what they were before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from refused import refused

from bpengine.sklearn.estimators import BackpropClassifier, BackpropRegressor
from tests.bpengine.fitted import (
    IRIS_X,
    IRIS_Y,
    NAMES,
    Estimator,
    classifier,
    regressor,
    same_training,
)

FRAME = pd.DataFrame(IRIS_X, columns=list("abcd"))
OTHER = FRAME[["b", "a"]]
UNTYPED = "`{}` must hold texts alone, or be an array of numbers, but holds {} "


@pytest.mark.parametrize(
    ("X", "y", "options"),
    [
        pytest.param(OTHER, np.zeros(150), {}, id="one class"),
        pytest.param(OTHER.to_numpy(), np.zeros(150), {}, id="one class, no names"),
        pytest.param(OTHER, np.full(150, np.nan), {}, id="NaN as a label"),
        pytest.param(OTHER.where(OTHER > 0), IRIS_Y, {}, id="NaN as an input"),
        pytest.param(OTHER, IRIS_Y, {"batch_size": 151}, id="batch too large"),
        pytest.param(OTHER, IRIS_Y, {"patience": 1, "batch_size": 149}, id="too few left"),
        pytest.param(OTHER, IRIS_Y, {"learning_rate": 1e200}, id="divergence"),
    ],
)
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(
    X: pd.DataFrame, y: np.ndarray, options: dict[str, Any]
) -> None:
    trained, same = (
        classifier(optimizer="sgd", epochs=2).fit(FRAME, NAMES[IRIS_Y]) for _ in range(2)
    )
    fresh = classifier(optimizer="sgd")
    for estimator in (trained, fresh):
        before = vars(estimator.set_params(**options)).copy()
        refused(lambda estimator=estimator: estimator.fit(X, y))
        assert vars(estimator).keys() == before.keys()
        assert all(value is before[name] for name, value in vars(estimator).items())
    same_training(trained, same)
    np.testing.assert_array_equal(trained.predict(FRAME), same.predict(FRAME))


def test_a_partial_fit_that_fails_leaves_the_estimator_as_it_was() -> None:
    estimator = classifier(optimizer="sgd", learning_rate=1e200)
    before = vars(estimator).copy()
    for X, y, classes in ((FRAME, IRIS_Y, [0, 1]), (OTHER, IRIS_Y, [0, 1, 2])):
        refused(lambda X=X, y=y, classes=classes: estimator.partial_fit(X, y, classes=classes))
        assert vars(estimator) == before
    with pytest.raises(UserWarning):  # the tests make errors of warnings
        estimator.set_params(batch_size=151).partial_fit(FRAME, IRIS_Y, classes=[0, 1, 2])
    assert vars(estimator) == {**before, "batch_size": 151}


@pytest.mark.parametrize("labels", [["a", 1, "b"], [True, "a", "b"], [0, 1, 2]], ids=str)
def test_labels_of_several_types_are_refused(labels: list[object]) -> None:
    y = np.array(labels * 50, dtype=object)
    (other, *_) = (label for label in labels if not isinstance(label, str))
    refused(lambda: classifier().fit(IRIS_X, y), UNTYPED.format("y", other))


def test_labels_of_another_type_than_the_classes_are_named() -> None:
    estimator = classifier().fit(IRIS_X, IRIS_Y)
    parts = ("`y`", "among the classes [0, 1, 2]", NAMES.tolist())
    refused(lambda: estimator.partial_fit(IRIS_X, NAMES.astype(object)[IRIS_Y]), *parts)


@pytest.mark.parametrize(
    ("classes", "text"),
    [
        ([0, 1, np.nan], "`classes` must not hold NaN or infinity"),
        ([], "more than one class, but got []"),
        (np.array([0, None]), UNTYPED.format("classes", 0)),
    ],
    ids=str,
)
def test_classes_must_be_labels(classes: Any, text: str) -> None:
    refused(lambda: classifier().partial_fit(IRIS_X, IRIS_Y, classes=classes), text)


@pytest.mark.parametrize("dtype", ["string", object, "category", "Int64"])
@pytest.mark.parametrize("kind", [BackpropClassifier, BackpropRegressor])
def test_missing_targets_of_pandas_are_refused(kind: type[Estimator], dtype: Any) -> None:
    values = [1, 2, pd.NA] if dtype == "Int64" else ["1", "2", pd.NA]
    column = pd.Series(values * 50, dtype=dtype)
    for y in (column, column.to_frame()):
        refused(lambda y=y: kind().fit(IRIS_X, y), "`y` must not have missing values")


@pytest.mark.parametrize("dtype", ["U1", "S1", "datetime64[D]"])
def test_targets_of_a_regressor_are_numbers(dtype: str) -> None:
    y = IRIS_Y.astype(dtype)
    refused(lambda: regressor().fit(IRIS_X, y), "`y` must hold numbers", y.dtype)
