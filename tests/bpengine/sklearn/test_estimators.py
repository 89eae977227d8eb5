"""The scikit-learn estimators: their contract, and that their training is the engine's."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from refused import refused
from sklearn.base import clone
from sklearn.datasets import load_digits, make_regression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from bpengine import Budget, Examples, Recipe, Split, train
from bpengine.network.architecture import Architecture
from bpengine.network.streams import permutation
from bpengine.sklearn.estimators import BackpropClassifier, BackpropRegressor
from tests.bpengine.fitted import (
    IRIS_X,
    IRIS_Y,
    NAMES,
    Estimator,
    classifier,
    fitted,
    regressor,
    same_training,
)


@pytest.mark.parametrize(
    "estimator",
    [
        BackpropClassifier(),
        BackpropClassifier(loss="squared_error"),
        BackpropClassifier(patience=3),
        BackpropRegressor(),
        BackpropRegressor(hidden_layer_sizes=[], learning_rate=0.01),
    ],
    ids=repr,
)
def test_scikit_learns_own_checks_pass(estimator: Estimator) -> None:
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    others = {
        result["check_name"]: (result["status"], repr(result["exception"]))
        for result in results
        if result["status"] != "passed"
    }
    # scikit-learn 1.7 lets this pass; later ones skip it where SciPy was not asked to experiment
    # with other array libraries.
    reason = "SkipTest('SCIPY_ARRAY_API is not set: not checking array_api input')"
    assert others.items() <= {"check_array_api_input": ("skipped", reason)}.items()
    assert len(results) > 50


def test_both_have_the_same_parameters_and_differ_in_the_loss_alone() -> None:
    ours, theirs = BackpropClassifier().get_params(), BackpropRegressor().get_params()
    assert ours == {**theirs, "loss": "cross_entropy"}
    assert theirs["loss"] == "squared_error"
    assert BackpropClassifier() != BackpropClassifier()
    assert repr(BackpropClassifier(epochs=3)) == "BackpropClassifier(epochs=3)"


def test_it_learns_digits_in_a_pipeline() -> None:
    X, y = load_digits(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), classifier(epochs=30))
    assert cross_val_score(pipeline, X, y, cv=3).min() > 0.9


def test_the_papers_squared_error_learns_iris() -> None:
    estimator = classifier(
        loss="squared_error", activation="sigmoid", optimizer="sgd", learning_rate=1.0, epochs=200
    ).fit(IRIS_X, NAMES[IRIS_Y])
    assert estimator.score(IRIS_X, NAMES[IRIS_Y]) > 0.93
    assert estimator.classes_.tolist() == NAMES.tolist()


def test_it_fits_several_targets_at_once() -> None:
    X, Y = make_regression(200, 5, n_targets=3, random_state=0)
    Y /= Y.std(axis=0)
    estimator = regressor(epochs=60, learning_rate=0.01).fit(X, Y)
    assert estimator.predict(X).shape == (200, 3)
    assert estimator.score(X, Y) > 0.95


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_equal_random_states_give_equal_bits(kind: str) -> None:
    first = fitted(kind)
    same_training(fitted(kind), first)
    same_training(fitted(kind, random_state=np.random.RandomState(0)), first)
    assert fitted(kind, random_state=1).loss_curve_ != first.loss_curve_
    assert clone(first).get_params() == first.get_params()


def test_training_is_that_of_the_engine() -> None:
    estimator = classifier(l2=0.01, batch_size=40, random_state=3).fit(IRIS_X, IRIS_Y)
    seed = int(np.random.RandomState(3).randint(2**31 - 1))
    data = Examples(IRIS_X, np.eye(3)[IRIS_Y])
    architecture = Architecture((4, 32, 3), "relu", "softmax")
    recipe = Recipe(
        batch_size=40,
        budget=Budget(epochs=5),
        loss="cross_entropy",
        optimizer="adam",
        evaluate_at=(150, 300, 450, 600, 750),
        dtype=np.float64,
    )
    settings = [{"learning_rate": 1e-3, "l2": 0.01}]
    expected = train(architecture, [Split(data, data, seed)], settings, recipe)
    layers = architecture.layers(expected.parameters[0, 0])
    for W, coefs, intercepts in zip(layers, estimator.coefs_, estimator.intercepts_, strict=True):
        np.testing.assert_array_equal(W[1:], coefs)
        np.testing.assert_array_equal(W[0], intercepts)
    np.testing.assert_allclose(estimator.loss_curve_, expected.curves.train_loss[:, 0, 0])


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_calls_of_partial_fit_are_epochs_of_fit(optimizer: str) -> None:
    labels = NAMES[IRIS_Y]
    whole = classifier(optimizer=optimizer).fit(IRIS_X, labels)
    pieces = classifier(optimizer=optimizer, patience=1)
    for _ in range(5):
        pieces.partial_fit(IRIS_X, labels, classes=NAMES)
    same_training(pieces, whole)
    began = classifier(optimizer=optimizer, epochs=4).fit(IRIS_X, labels)
    same_training(began.partial_fit(IRIS_X, labels), whole)


def test_partial_fit_of_a_regressor_goes_on_with_other_data() -> None:
    X, y = IRIS_X[:, :3], IRIS_X[:, 3]
    estimator = regressor(epochs=2).fit(X[:100], y[:100])
    estimator.set_params(learning_rate=0.01).partial_fit(X[100:], y[100:])
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 3
    residuals = estimator.predict(X[100:]) - y[100:]
    np.testing.assert_allclose(estimator.loss_curve_[-1], np.square(residuals).mean() / 2)


def test_partial_fit_learns_of_classes_that_a_batch_lacks() -> None:
    estimator = classifier().partial_fit(IRIS_X[:40], IRIS_Y[:40], classes=[2, 0, 1])
    assert estimator.classes_.tolist() == [0, 1, 2]
    assert estimator.predict_proba(IRIS_X).shape == (150, 3)


@pytest.mark.parametrize("epochs_before", [0, 1])
def test_partial_fit_takes_too_few_examples_for_a_batch_as_a_smaller_one(
    epochs_before: int,
) -> None:
    larger, smaller = classifier(), classifier()
    for estimator in (larger, smaller):
        for _ in range(epochs_before):
            estimator.partial_fit(IRIS_X, IRIS_Y, classes=[0, 1, 2])
    smaller.set_params(batch_size=20).partial_fit(IRIS_X[:20], IRIS_Y[:20], classes=[0, 1, 2])
    with pytest.warns(UserWarning, match="batch of 20 .* 'batch_size' of 32") as warned:
        larger.set_params(batch_size=32).partial_fit(IRIS_X[:20], IRIS_Y[:20], classes=[0, 1, 2])
    assert [warning.filename for warning in warned] == [__file__]
    same_training(larger, smaller)


def test_patience_keeps_the_weights_of_the_best_epoch() -> None:
    options: dict[str, Any] = {"validation_fraction": 0.3, "learning_rate": 0.1, "batch_size": 5}
    stopped = classifier(epochs=500, patience=4, **options).fit(IRIS_X, IRIS_Y)
    best = int(np.argmin(stopped.validation_loss_curve_)) + 1
    assert stopped.n_iter_ == len(stopped.validation_loss_curve_) == best + 4 < 500
    shorter = classifier(epochs=best, patience=500, **options).fit(IRIS_X, IRIS_Y)
    np.testing.assert_array_equal(stopped.predict_proba(IRIS_X), shorter.predict_proba(IRIS_X))
    patient = classifier(epochs=3, **options).fit(IRIS_X, IRIS_Y)
    assert (patient.n_iter_, patient.validation_loss_curve_) == (3, [])


def test_coefficients_are_views_in_scikit_learns_meaning() -> None:
    estimator = fitted("regressor", hidden_layer_sizes=(), activation="identity")
    (W,), (bias,) = estimator.coefs_, estimator.intercepts_
    expected = IRIS_X[:, :3] @ W[:, 0] + bias[0]
    np.testing.assert_allclose(estimator.predict(IRIS_X[:, :3]), expected)
    bias += 1
    np.testing.assert_allclose(estimator.predict(IRIS_X[:, :3]), expected + 1)
    assert not hasattr(regressor(), "coefs_")


def test_sigmoid_outputs_that_all_vanish_leave_no_preference() -> None:
    estimator = fitted("classifier", loss="squared_error")
    estimator.coefs_[-1][:] = 0
    estimator.intercepts_[-1][:] = -1000
    np.testing.assert_array_equal(estimator.predict_proba(IRIS_X), np.full((150, 3), 1 / 3))


def test_validation_must_leave_examples_to_train_on() -> None:
    estimator = regressor(patience=1, validation_fraction=0.9)
    parts = ("'validation_fraction'", "leave some of n_samples = 5", "Got 0.9")
    refused(lambda: estimator.fit(IRIS_X[:5], IRIS_Y[:5]), *parts)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("sizes", "fraction", "held_out"),
    [
        ((60, 30, 10), 0.1, (6, 3, 1)),
        ((61, 29, 9), 0.2, (12, 6, 2)),
        ((8, 1, 1), 0.5, (5, 0, 0)),
        ((3, 2, 9), 0.7, (2, 1, 7)),
        ((5, 5, 5), 0.8, (4, 4, 4)),
    ],
    ids=str,
)
def test_every_class_gives_its_share_to_validation_but_not_its_last_example(
    sizes: tuple[int, ...], fraction: float, held_out: tuple[int, ...], seed: int
) -> None:
    # Where all examples of a class are the same, so is their loss, and the mean shows how many of
    # each were held out.
    X = np.repeat(np.eye(3), sizes, axis=0)
    estimator = classifier(
        epochs=1, patience=1, validation_fraction=fraction, batch_size=1, random_state=seed
    ).fit(X, X.argmax(axis=1))
    losses = -np.log(estimator.predict_proba(np.eye(3)).diagonal())
    np.testing.assert_allclose(
        estimator.validation_loss_curve_, [losses @ held_out / sum(held_out)]
    )
    trained = np.subtract(sizes, held_out)
    np.testing.assert_allclose(estimator.loss_curve_, [losses @ trained / sum(trained)])


def test_validation_must_leave_an_example_of_each_class() -> None:
    estimator = classifier(patience=1, validation_fraction=0.6)
    parts = ("'validation_fraction'", "one of each of the 3 classes of n_samples = 6", "Got 0.6")
    refused(lambda: estimator.fit(IRIS_X[:6], [0, 1, 2, 0, 1, 2]), *parts)


def test_a_validation_loss_that_is_not_finite_is_divergence() -> None:
    y = IRIS_X[:, 3].copy()
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    y[permutation(seed, "validation", 150)[0]] = 1e200
    parts = ("diverged in epoch 1", "'learning_rate', which is 0.001")
    refused(lambda: regressor(patience=2).fit(IRIS_X[:, :3], y), *parts)


@pytest.mark.parametrize("rate", [1e300, 1e100])
def test_divergence_is_an_error_and_leaves_training_where_it_stood(rate: float) -> None:
    X, y = IRIS_X[:, :3], IRIS_X[:, 3]
    options: dict[str, Any] = {"optimizer": "sgd", "batch_size": 100, "epochs": 1}
    estimator = regressor(**options).fit(X, y)
    before = estimator.predict(X)
    estimator.set_params(learning_rate=rate)
    parts = ("diverged in epoch 2", f"'learning_rate', which is {rate!r}")
    refused(lambda: estimator.partial_fit(X, y), *parts)
    assert estimator.n_iter_ == 1
    np.testing.assert_array_equal(estimator.predict(X), before)


def test_partial_fit_refuses_another_network() -> None:
    estimator = fitted("regressor", hidden_layer_sizes=(), epochs=1)
    parts = ("network, loss and optimizer", "fit begins anew", "widths=(3, 1)", "widths=(3, 2)")
    refused(lambda: estimator.partial_fit(IRIS_X[:, :3], IRIS_X[:, :2]), *parts)


def test_classes_must_be_known_from_the_first_call_on() -> None:
    estimator = classifier()
    refused(lambda: estimator.partial_fit(IRIS_X, IRIS_Y), "`classes`", "first call", "None")
    two_classes = functools.partial(estimator.partial_fit, IRIS_X, IRIS_Y, classes=[0, 1])
    refused(two_classes, "`y`", "among the classes [0, 1], but also holds [2]")
    estimator.partial_fit(IRIS_X, IRIS_Y, classes=[0, 1, 2])
    refused(two_classes, "`classes` must stay [0, 1, 2], but got [0, 1]")
    refused(lambda: estimator.fit(IRIS_X[:50], IRIS_Y[:50]), "more than one class, but got [0]")
