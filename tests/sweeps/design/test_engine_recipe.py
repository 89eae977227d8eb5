"""From configuration to recipe: everything arrives, and evaluations come on one cadence."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from faults import configuration
from hypothesis import given
from hypothesis import strategies as st

from bpengine import (
    BatchGrowth,
    Budget,
    Examples,
    Recipe,
    Schedule,
    Split,
    evaluation_points,
    train,
)
from bpengine.optim._optimizers import OPTIMIZERS
from sweeps.design.engine_recipe import DENSE, DOUBLINGS, evaluation_cadence, recipe_of, totals_of
from sweeps.design.trials import EngineConfiguration, settings_of

REGRESSION: dict[str, Any] = {
    "task": "regression",
    "train_items": 100,
    "widths": (2, 1),
    "activation": "tanh",
    "output": "identity",
    "initialiser": "he_normal",
    "initial_scale": 2.0,
    "reduction": "sum",
    "metric": "r2",
    "budget": Budget(epochs=2),
    "dtype": "float64",
}
PLAIN = configuration(**REGRESSION)
CONFIGURATION = configuration(
    **REGRESSION,
    optimizer="momentum",
    schedule=Schedule("exponential", decay=0.5),
    growth=BatchGrowth(((1, 20), (2, 40))),
    shards=2,
    local_updates=3,
    noise_examples=20,
    noise_curvature=True,
    noise_geometry=True,
    target=0.5,
    patience=4,
    divergence=50.0,
)


def test_every_choice_arrives_in_the_recipe() -> None:
    recipe = recipe_of(CONFIGURATION)
    shared = {field.name for field in fields(Recipe)} & {
        f.name for f in fields(EngineConfiguration)
    }
    assert {field.name for field in fields(Recipe)} - shared == {"evaluate_at"}
    for name in shared:
        assert getattr(recipe, name) == getattr(CONFIGURATION, name), name
    assert recipe.evaluate_at == evaluation_points(100, 2)


def test_settings_arrive_by_name() -> None:
    settings = dict(settings_of("momentum", 0.1, {"l2": 0.5}))
    assert settings == {**OPTIMIZERS["momentum"].defaults, "l2": 0.5, "learning_rate": 0.1}


BUDGETS = st.one_of(
    st.builds(Budget, epochs=st.integers(1, 40)),
    st.builds(Budget, updates=st.integers(1, 5000)),
    st.builds(Budget, examples=st.integers(1, 100_000)),
    st.builds(Budget, epochs=st.integers(1, 40), updates=st.integers(1, 500)),
)
SIZES = st.integers(1, 100)


@given(BUDGETS, SIZES, st.booleans())
def test_training_is_evaluated_at_its_start_and_its_end(
    budget: Budget, size: int, grows: bool
) -> None:
    growth = BatchGrowth(((1, 20), (2, 100))) if grows else None
    configuration = replace(PLAIN, budget=budget, batch_size=size, growth=growth)
    points = evaluation_cadence(configuration)
    assert points[0] == 0
    assert points[-1] == totals_of(configuration)[1]
    assert all(point < other for point, other in pairwise(points))


@given(st.sampled_from(["updates", "examples"]), st.integers(1, 5000), SIZES, SIZES)
def test_the_cadence_is_the_same_for_every_batch_size(
    limit: str, count: int, first: int, second: int
) -> None:
    cadences = [
        evaluation_cadence(replace(PLAIN, budget=Budget(**{limit: count}), batch_size=size))
        for size in (first, second)
    ]
    shorter = min(points[-1] for points in cadences)
    common = [[point for point in points if point < shorter] for points in cadences]
    assert common[0] == common[1]


def test_the_cadence_is_dense_early_and_never_sparse() -> None:
    points = evaluation_cadence(replace(PLAIN, budget=Budget(seconds=1.0), train_items=640))
    assert points[:8] == (0, 10, 20, 40, 80, 160, 320, 640)
    epochs = [point // 640 for point in points if point >= 640]
    assert epochs[:DENSE] == [*range(1, DENSE + 1)]
    late = epochs[DENSE - 1 :]
    assert all(other / point <= 1.05 for point, other in pairwise(late))
    assert epochs[-1] == DENSE * 2**DOUBLINGS


@pytest.mark.parametrize("items", [1, 2, 7])
def test_a_few_examples_are_no_obstacle(items: int) -> None:
    points = evaluation_cadence(
        replace(PLAIN, budget=Budget(updates=3), train_items=items, batch_size=1)
    )
    assert points[0] == 0
    assert points[-1] == 3


LIMITS: dict[str, dict[str, Any]] = {
    "epochs": {"budget": Budget(epochs=3)},
    "updates": {"budget": Budget(updates=17)},
    "examples": {"budget": Budget(examples=150)},
    "growth": {"budget": Budget(updates=30), "growth": BatchGrowth(((1, 20), (2, 40)))},
}


@pytest.mark.parametrize("change", LIMITS.values(), ids=LIMITS)
def test_the_engine_makes_as_many_updates_and_evaluations(change: dict[str, Any]) -> None:
    configuration = replace(PLAIN, **change)
    rng = np.random.default_rng(0)
    data = Examples(rng.normal(size=(100, 2)), rng.normal(size=(100, 1)))
    trained = train(
        configuration.architecture,
        [Split(data, data, seed=1)],
        [{"learning_rate": 0.001}],
        recipe_of(configuration),
    )
    assert (trained.updates, trained.examples) == totals_of(configuration)
    assert trained.curves.examples[-1] == trained.examples
    assert trained.curves.examples[0] == 0
