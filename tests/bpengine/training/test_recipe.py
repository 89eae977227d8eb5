"""A recipe refuses what makes no training, and says why."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bpengine import BatchGrowth, Budget, Recipe, Schedule


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
    with pytest.raises(ValueError) as refused:
        recipe(**{parameter: "other"})
    assert str(refused.value) == f"`{parameter}` must be one of {known}, but got 'other'."


@pytest.mark.parametrize("parameter", ["batch_size", "shards", "local_updates", "patience"])
@pytest.mark.parametrize("value", [0, -3])
def test_counts_below_1_are_refused(parameter: str, value: int) -> None:
    with pytest.raises(ValueError) as refused:
        recipe(**{parameter: value})
    assert str(refused.value) == f"`{parameter} >= 1` must hold, but got {value}."


@pytest.mark.parametrize("scale", [0.0, -1.0, math.inf, math.nan])
def test_a_scale_of_initial_weights_out_of_range_is_refused(scale: float) -> None:
    with pytest.raises(ValueError) as refused:
        recipe(initial_scale=scale)
    assert str(refused.value) == (
        f"`initial_scale` must be above 0 and `divergence` at least 1, but got {scale} and 1000.0."
    )


@pytest.mark.parametrize("divergence", [0.5, float("nan")])
def test_a_divergence_that_the_first_loss_exceeds_is_refused(divergence: float) -> None:
    with pytest.raises(ValueError) as refused:
        recipe(divergence=divergence)
    assert str(refused.value) == (
        "`initial_scale` must be above 0 and `divergence` at least 1, "
        f"but got 1.0 and {divergence}."
    )


def test_local_updates_without_shards_are_refused() -> None:
    with pytest.raises(ValueError) as refused:
        recipe(local_updates=2)
    assert str(refused.value) == "`local_updates > 1` needs `shards > 1`: copies to combine."


def test_a_cosine_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError) as refused:
        recipe(schedule=Schedule("cosine"), budget=Budget(epochs=2, seconds=1.0))
    assert str(refused.value) == (
        "A cosine schedule needs to know its end: not a budget in seconds."
    )


@pytest.mark.parametrize("kind", ["constant", "step", "exponential", "cosine", "inverse"])
def test_a_cosine_alone_needs_the_length_of_training(kind: str) -> None:
    assert recipe(schedule=Schedule(kind)).needs_total == (kind == "cosine")


def test_a_budget_in_seconds_goes_with_schedules_that_need_no_end() -> None:
    assert not recipe(schedule=Schedule("step"), budget=Budget(seconds=1.0)).needs_total


def test_without_growth_every_epoch_has_the_same_batch_size() -> None:
    assert [recipe().batch_size_of(epoch) for epoch in range(3)] == [8, 8, 8]


def test_with_growth_the_batch_size_depends_on_the_epoch() -> None:
    growing = recipe(growth=BatchGrowth(factor=2, every=2, limit=20))
    assert [growing.batch_size_of(epoch) for epoch in range(5)] == [8, 8, 16, 16, 16]


def test_shards_with_local_updates_patience_and_target_are_accepted() -> None:
    made = recipe(shards=4, local_updates=3, patience=1, target=0.9, initial_scale=0.1)
    assert (made.shards, made.local_updates, made.patience, made.target) == (4, 3, 1, 0.9)


def test_equal_recipes_are_equal() -> None:
    assert recipe() == recipe()
    assert recipe() != recipe(batch_size=9)


@pytest.mark.parametrize("count", [-1, 1])
def test_gradient_statistics_need_two_examples(count: int) -> None:
    with pytest.raises(ValueError) as refused:
        recipe(noise_examples=count)
    assert str(refused.value) == f"`noise_examples` must be 0 or at least 2, but got {count}."


@pytest.mark.parametrize(("examples", "shards"), [(0, 2), (8, 1), (8, 9)])
def test_shards_of_gradient_statistics_share_their_examples(examples: int, shards: int) -> None:
    assert recipe(noise_examples=8, noise_shards=8).noise_shards == 8
    with pytest.raises(ValueError) as refused:
        recipe(noise_examples=examples, noise_shards=shards)
    assert str(refused.value) == (
        f"`2 <= noise_shards <= noise_examples` must hold, but got {shards} and {examples}."
    )


@pytest.mark.parametrize("points", [(8, 3), (3, 3), (-1, 3)])
def test_evaluation_points_must_ascend_from_zero(points: tuple[int, ...]) -> None:
    with pytest.raises(ValueError) as refused:
        recipe(evaluate_at=points)
    assert str(refused.value) == (
        f"`evaluate_at` must be ascending and at least 0, but got {points}."
    )


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(ValueError) as refused:
        recipe(dtype="float16")
    assert str(refused.value) == "`dtype` must be float32 or float64, but got 'float16'."
