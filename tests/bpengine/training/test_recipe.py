"""A recipe refuses what makes no training, and says why."""

from __future__ import annotations

import math
from typing import Any

import pytest
from refused import refused

from bpengine import BatchGrowth, Budget, Recipe, Schedule


def recipe(**options: Any) -> Recipe:
    defaults: dict[str, Any] = {"batch_size": 8, "budget": Budget(epochs=2)}
    return Recipe(**defaults | options)


NAMES = {
    "loss": "['binary_cross_entropy', 'cross_entropy', 'squared_error']",
    "reduction": "['mean', 'sum']",
    "metric": "['accuracy', 'balanced_accuracy', 'f1_macro', 'neg_log_loss', ",
    "optimizer": "['adagrad', 'adam', 'adamw', 'lamb', 'lars', 'momentum', 'nesterov', 'rmsprop', "
    "'sgd']",
    "initialiser": "['glorot_normal', 'glorot_uniform', 'he_normal', 'he_uniform', "
    "'lecun_normal', 'lecun_uniform', 'normal', 'uniform']",
}


@pytest.mark.parametrize(("parameter", "known"), NAMES.items(), ids=NAMES)
def test_unknown_names_are_refused(parameter: str, known: str) -> None:
    refused(lambda: recipe(**{parameter: "other"}), f"`{parameter}`", known, "'other'")


@pytest.mark.parametrize(
    ("parameter", "values", "allowed"),
    [
        ("batch_size", [0, -3], "`batch_size >= 1`"),
        ("shards", [0, -3], "`shards >= 1`"),
        ("local_updates", [0, -3], "`local_updates >= 1`"),
        ("patience", [0, -3], "`patience >= 1`"),
        ("initial_scale", [0.0, -1.0, math.inf, math.nan], "`initial_scale` must be above 0"),
        ("divergence", [0.5, math.nan], "`divergence` at least 1"),
        ("noise_examples", [-1, 1], "`noise_examples` must be 0 or at least 2"),
        ("evaluate_at", [(8, 3), (3, 3), (-1, 3)], "`evaluate_at` must be ascending"),
        ("dtype", ["float16"], "float32 or float64"),
    ],
)
def test_values_out_of_range_are_refused(parameter: str, values: list[Any], allowed: str) -> None:
    for value in values:
        refused(lambda value=value: recipe(**{parameter: value}), allowed, value)


def test_a_cosine_without_an_end_and_local_updates_without_shards_are_refused() -> None:
    refused(lambda: recipe(local_updates=2), "`local_updates > 1`", "`shards > 1`")
    budget = Budget(epochs=2, seconds=1.0)
    refused(lambda: recipe(schedule=Schedule("cosine"), budget=budget), "cosine", "seconds")


@pytest.mark.parametrize("kind", ["constant", "step", "exponential", "cosine", "inverse"])
def test_a_cosine_alone_needs_the_length_of_training(kind: str) -> None:
    assert recipe(schedule=Schedule(kind)).needs_total == (kind == "cosine")
    if kind != "cosine":
        assert recipe(schedule=Schedule(kind), budget=Budget(seconds=1.0))


def test_with_growth_alone_the_batch_size_depends_on_the_epoch() -> None:
    assert [recipe().batch_size_of(epoch) for epoch in range(3)] == [8, 8, 8]
    growing = recipe(growth=BatchGrowth(((2, 16),)))
    assert [growing.batch_size_of(epoch) for epoch in range(5)] == [8, 8, 16, 16, 16]


@pytest.mark.parametrize("name", ["noise_curvature", "noise_geometry"])
def test_further_statistics_need_examples(name: str) -> None:
    refused(lambda: recipe(**{name: True}), f"`{name}` needs `noise_examples`")
