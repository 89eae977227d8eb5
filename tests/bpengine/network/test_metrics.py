"""Metrics by hand and by scikit-learn's, with and without lanes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
)

from bpengine import Architecture, Examples, evaluate
from bpengine.network._arrays import Array
from bpengine.network._metrics import METRICS

RNG = np.random.default_rng(5)
LANES = (2, 3)


def metric(name: str, psi: Array, t: Array) -> Array:
    score, summary = METRICS[name]
    return summary(score(psi, t), t)


@pytest.mark.parametrize(
    ("psi", "t", "right"),
    [
        ([[0.1, 0.7, 0.2], [0.5, 0.4, 0.45], [0.9, 0.91, 0]], np.eye(3)[[1, 1, 1]], [1, 0, 1]),
        ([[0.51], [0.49], [0.9], [0.2], [-3]], [[1], [1], [0], [0], [0]], [1, 0, 0, 1, 1]),
    ],
    ids=["the largest output", "the number a single output is nearer to"],
)
def test_the_class_is(psi: list[list[float]], t: Any, right: list[int]) -> None:
    score, _ = METRICS["accuracy"]
    assert score(np.array(psi), np.array(t)).tolist() == right
    assert metric("accuracy", np.array(psi), np.array(t)) == np.mean(right)


ERRORS: dict[str, Callable[[Array, Array], float]] = {
    # Over all outputs together: those with more variance count for more.
    "r2": lambda t, psi: r2_score(t, psi, multioutput="variance_weighted"),
    "neg_mae": lambda t, psi: -mean_absolute_error(t, psi),
}


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("name", ERRORS)
def test_a_metric_of_numbers_is_scikit_learns_in_every_lane(name: str, outputs: int) -> None:
    t = RNG.normal(size=(2, 1, 40, outputs)) * [1, 5, 0.1][:outputs] + 2
    psi = t + RNG.normal(scale=0.5, size=(*LANES, 40, outputs))
    actual = metric(name, psi, t)
    assert actual.shape == LANES
    for lane in np.ndindex(LANES):
        assert actual[lane] == pytest.approx(ERRORS[name](t[lane[0], 0], psi[lane]), rel=1e-12)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_r2_of_targets_that_do_not_vary_is_scikit_learns(
    outputs: int, dtype: type[np.floating], constant: float
) -> None:
    t = np.full((7, outputs), constant, dtype)
    missed = t + np.arange(7, dtype=dtype)[:, None]
    lanes = np.stack([t, missed, np.full_like(t, np.nan)])
    expected = [r2_score(np.zeros_like(t), psi - t) for psi in (t, missed)]
    assert expected == [1, 0]
    np.testing.assert_array_equal(metric("r2", lanes, t), [*expected, np.nan])


def test_r2_of_a_seed_does_not_depend_on_one_whose_targets_do_not_vary() -> None:
    t = np.stack([np.ones((5, 1)), np.arange(5.0)[:, None]])[:, None]
    psi = t + RNG.normal(size=(*LANES, 5, 1))
    actual = metric("r2", psi, t)
    assert actual[0].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(actual[1:], metric("r2", psi[1:], t[1:]))


def test_r2_of_float32_is_accumulated_in_float64() -> None:
    # 200,000 equal residuals: a running sum in float32 would be off in the fourth digit.
    t = np.tile(np.array([[0.0], [1.0]], np.float32), (100_000, 1))
    psi = t + np.float32(0.1)
    score, summary = METRICS["r2"]
    scores = score(psi, t).astype(np.float64)
    actual = summary(scores, t)
    assert actual.dtype == np.float64
    assert actual == pytest.approx(r2_score(t.astype(float), psi.astype(float)), rel=1e-6)


@pytest.mark.parametrize("outputs", [1, 3])
def test_evaluation_gives_the_r2_of_each_network_on_its_seeds_examples(outputs: int) -> None:
    # More examples than are processed at once.
    architecture = Architecture((4, outputs), activation="identity")
    parameters = RNG.normal(size=(*LANES, architecture.parameter_count))
    sets = []
    for seed in range(LANES[0]):
        inputs = RNG.normal(size=(301, 4))
        weights = architecture.layers(parameters[seed, 0])[0]
        noise = RNG.normal(scale=0.3, size=(301, outputs))
        sets.append(Examples(inputs, weights[0] + inputs @ weights[1:] + noise))
    loss, actual = evaluate(architecture, parameters, sets, metric="r2")
    for seed, setting in np.ndindex(LANES):
        (W,) = architecture.layers(parameters[seed, setting])
        psi, t = W[0] + sets[seed].inputs @ W[1:], sets[seed].targets
        expected = r2_score(t, psi, multioutput="variance_weighted")
        assert actual[seed, setting] == pytest.approx(expected, rel=1e-12)
        errors = ((t - psi) ** 2).sum(axis=1) / 2
        assert loss[seed, setting] == pytest.approx(errors.mean(), rel=1e-12)


def labels_of(outputs: Array) -> Array:
    return outputs[:, 0] > 0.5 if outputs.shape[1] == 1 else outputs.argmax(axis=1)


def probabilities_of(psi: Array) -> Array:
    if psi.shape[1] == 1:
        return np.hstack([1 - psi, psi])
    return psi / psi.sum(axis=1, keepdims=True)


def auc(t: Array, psi: Array) -> float:
    if len(set(labels_of(t).tolist())) == 1:
        return np.nan
    if t.shape[1] <= 2:
        return float(roc_auc_score(labels_of(t), psi[:, -1]))
    # scikit-learn refuses sets that lack a class: those there are, each against the rest.
    there = t.any(axis=0)
    return float(np.mean([roc_auc_score(t[:, k], psi[:, k]) for k in np.flatnonzero(there)]))


SCORES: dict[str, Callable[[Array, Array], float]] = {
    "accuracy": lambda t, psi: accuracy_score(labels_of(t), labels_of(psi)),
    "balanced_accuracy": lambda t, psi: balanced_accuracy_score(labels_of(t), labels_of(psi)),
    "f1_macro": lambda t, psi: f1_score(labels_of(t), labels_of(psi), average="macro"),
    "roc_auc": auc,
    "neg_log_loss": lambda t, psi: (
        -log_loss(
            labels_of(t).astype(int), probabilities_of(psi), labels=range(max(2, psi.shape[1]))
        )
    ),
}


@pytest.mark.parametrize("kinds", ["all", "some", "one"])
@pytest.mark.parametrize("outputs", [1, 2, 3, 6])
@pytest.mark.parametrize("name", SCORES)
def test_a_metric_of_classes_is_scikit_learns_in_every_lane(
    name: str, outputs: int, kinds: str
) -> None:
    number = {"all": max(2, outputs), "some": max(2, outputs - 2), "one": 1}[kinds]
    classes = RNG.integers(number, size=(2, 1, 60))
    t = classes[..., None].astype(float) if outputs == 1 else np.eye(outputs)[classes]
    # Rounded, so that many outputs are equal; never 0 or 1, which are cut off elsewhere.
    psi = (0.3 * t + 0.7 * RNG.uniform(size=(*LANES, 60, outputs))).round(1).clip(0.05, 0.95)
    actual = metric(name, psi, t)
    assert actual.shape == LANES
    for lane in np.ndindex(LANES):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes that a set lacks
            expected = SCORES[name](t[lane[0], 0], psi[lane])
        assert actual[lane] == pytest.approx(expected, rel=1e-12, nan_ok=True)


def test_the_log_loss_of_a_class_held_impossible_is_large_and_finite() -> None:
    psi, t = np.array([[1.0, 0.0, 0.0]]), np.eye(3)[[1]]
    assert metric("neg_log_loss", psi, t) == pytest.approx(-log_loss([1], psi, labels=range(3)))


@pytest.mark.parametrize("name", SCORES)
def test_a_metric_has_the_same_bits_next_to_others_and_over_slices_of_the_cache(name: str) -> None:
    architecture = Architecture((4, 5, 3), output="softmax")
    parameters = RNG.normal(size=(*LANES, architecture.parameter_count)).astype(np.float32)
    sets = [Examples(RNG.normal(size=(700, 4)), np.eye(3)[np.arange(700) % 3]) for _ in range(2)]
    _, together = evaluate(architecture, parameters, sets, loss="cross_entropy", metric=name)
    for seed, setting in np.ndindex(LANES):
        lane = parameters[seed : seed + 1, setting : setting + 1]
        _, alone = evaluate(architecture, lane, [sets[seed]], loss="cross_entropy", metric=name)
        assert alone.item() == together[seed, setting]
