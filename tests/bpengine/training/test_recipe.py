"""A recipe refuses what makes no training, and says why."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bpengine import BatchGrowth, Budget, Recipe, Schedule
from tests.bpengine.refusals import refused


def recipe(**options: Any) -> Recipe:
    defaults: dict[str, Any] = {"batch_size": 8, "budget": Budget(epochs=2)}
    return Recipe(**defaults | options)


NAMES = {
    "loss": "['binary_cross_entropy', 'cross_entropy', 'squared_error']",
    "reduction": "['mean', 'sum']",
    "metric": "['accuracy', 'r2']",
    "optimizer": "['adagrad', 'adam', 'adamw', 'lamb', 'lars', 'momentum', 'nesterov', 'rmsprop', "
    "'sgd']",
    "initialiser": "['glorot_normal', 'glorot_uniform', 'he_normal', 'he_uniform', "
    "'lecun_normal', 'lecun_uniform', 'normal', 'uniform']",
}


@pytest.mark.parametrize(("parameter", "known"), NAMES.items(), ids=NAMES)
def test_unknown_names_are_refused(parameter: str, known: str) -> None:
    refused(lambda: recipe(**{parameter: "other"}), f"`{parameter}`", known, "'other'")


@pytest.mark.parametrize("parameter", ["batch_size", "shards", "local_updates", "patience"])
@pytest.mark.parametrize("value", [0, -3])
def test_counts_below_1_are_refused(parameter: str, value: int) -> None:
    refused(lambda: recipe(**{parameter: value}), f"`{parameter} >= 1`", f"but got {value}")


@pytest.mark.parametrize(
    ("scale", "divergence"),
    [(0.0, 1e3), (-1.0, 1e3), (math.inf, 1e3), (math.nan, 1e3), (1.0, 0.5), (1.0, math.nan)],
)
def test_a_scale_of_weights_or_a_divergence_out_of_range_is_refused(
    scale: float, divergence: float
) -> None:
    parts = (
        "`initial_scale` must be above 0",
        "`divergence` at least 1",
        f"{scale} and {divergence}",
    )
    refused(lambda: recipe(initial_scale=scale, divergence=divergence), *parts)


def test_local_updates_without_shards_are_refused() -> None:
    refused(lambda: recipe(local_updates=2), "`local_updates > 1`", "`shards > 1`")


def test_a_cosine_without_an_end_is_refused() -> None:
    budget = Budget(epochs=2, seconds=1.0)
    refused(lambda: recipe(schedule=Schedule("cosine"), budget=budget), "cosine", "seconds")


@pytest.mark.parametrize("kind", ["constant", "step", "exponential", "cosine", "inverse"])
def test_a_cosine_alone_needs_the_length_of_training(kind: str) -> None:
    assert recipe(schedule=Schedule(kind)).needs_total == (kind == "cosine")
    if kind != "cosine":
        assert recipe(schedule=Schedule(kind), budget=Budget(seconds=1.0))


def test_with_growth_alone_the_batch_size_depends_on_the_epoch() -> None:
    assert [recipe().batch_size_of(epoch) for epoch in range(3)] == [8, 8, 8]
    growing = recipe(growth=BatchGrowth(factor=2, every=2, limit=20))
    assert [growing.batch_size_of(epoch) for epoch in range(5)] == [8, 8, 16, 16, 16]


@pytest.mark.parametrize("count", [-1, 1])
def test_gradient_statistics_need_two_examples(count: int) -> None:
    parts = ("`noise_examples` must be 0 or at least 2", f"but got {count}")
    refused(lambda: recipe(noise_examples=count), *parts)


@pytest.mark.parametrize(("examples", "shards"), [(0, 2), (8, 1), (8, 9)])
def test_shards_of_gradient_statistics_share_their_examples(examples: int, shards: int) -> None:
    assert recipe(noise_examples=8, noise_shards=8).noise_shards == 8
    parts = ("`2 <= noise_shards <= noise_examples`", f"but got {shards} and {examples}")
    refused(lambda: recipe(noise_examples=examples, noise_shards=shards), *parts)


def test_the_curvature_of_noise_needs_examples() -> None:
    refused(lambda: recipe(noise_curvature=True), "`noise_curvature` needs `noise_examples`")


@pytest.mark.parametrize("points", [(8, 3), (3, 3), (-1, 3)])
def test_evaluation_points_must_ascend_from_zero(points: tuple[int, ...]) -> None:
    refused(lambda: recipe(evaluate_at=points), "`evaluate_at` must be ascending", points)


def test_other_dtypes_are_refused() -> None:
    refused(lambda: recipe(dtype="float16"), "`dtype`", "float32 or float64", "'float16'")
