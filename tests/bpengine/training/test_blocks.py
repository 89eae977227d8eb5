"""Blocks of updates, and the delayed first layer of plain gradient descent."""

from __future__ import annotations

import numpy as np
import pytest

from bpengine import Architecture, Budget, Recipe, train
from bpengine.optim.stepper import BLOCK
from bpengine.passes.compiled import NUMPY
from bpengine.training._blocks import delayed_updates, ordinary_updates
from tests.bpengine.problems import make_splits

NETWORKS = {
    "sigmoid": (Architecture((3, 5, 2)), "squared_error"),
    "no hidden layer": (Architecture((3, 2)), "squared_error"),
    "wide": (Architecture((3, 20, 17)), "squared_error"),
    "deep": (Architecture((3, 4, 4, 2), "gelu"), "squared_error"),
    "softmax": (Architecture((3, 4, 2), "relu", "softmax"), "cross_entropy"),
    "linear softmax": (Architecture((3, 2), "tanh", "softmax"), "cross_entropy"),
}
networks = pytest.mark.parametrize(("architecture", "loss"), NETWORKS.values(), ids=NETWORKS)
RATES = (0.05, 0.4)


@networks
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_delaying_the_first_layer_changes_nothing_but_rounding(
    architecture: Architecture, loss: str, batch_size: int, reduction: str
) -> None:
    # A setting that names a penalty, of 0, goes the ordinary way.
    recipe = Recipe(
        batch_size=batch_size,
        budget=Budget(epochs=3),
        loss=loss,
        reduction=reduction,
        dtype=np.float64,
        numerics=NUMPY,
    )
    splits = make_splits(architecture, [1, 2], 71)
    delayed, ordinary = (
        train(architecture, splits, [{"learning_rate": rate, **more} for rate in RATES], recipe)
        for more in ({}, {"l2": 0.0})
    )
    assert delayed_updates(batch_size, 4) > 1
    assert not np.array_equal(delayed.parameters, ordinary.parameters)
    np.testing.assert_allclose(delayed.parameters, ordinary.parameters, rtol=1e-10, atol=1e-12)


@networks
def test_a_lane_of_a_delayed_block_trains_exactly_as_it_would_alone(
    architecture: Architecture, loss: str
) -> None:
    recipe = Recipe(batch_size=2, budget=Budget(epochs=2), loss=loss, numerics=NUMPY)
    splits = make_splits(architecture, [1, 2, 3], 45)
    settings = [{"learning_rate": rate} for rate in RATES]
    together = train(architecture, splits, settings, recipe).parameters
    for seed, setting in np.ndindex(3, 2):
        alone = train(architecture, [splits[seed]], [settings[setting]], recipe).parameters
        np.testing.assert_array_equal(together[seed, setting], alone[0, 0])


def test_short_blocks_are_not_delayed() -> None:
    assert [delayed_updates(rows, 65) for rows in (1, 2, 4, 8, 9, 16)] == [32, 16, 8, 4, 0, 0]


def test_wide_inputs_make_longer_blocks() -> None:
    assert [delayed_updates(rows, 785) for rows in (1, 4, 32, 33)] == [BLOCK, 32, 4, 0]


def test_ordinary_blocks_hold_one_large_batch_or_several_small_ones() -> None:
    assert [ordinary_updates(rows) for rows in (1, 8, 64, 65, 1024)] == [BLOCK, 8, 1, 1, 1]
