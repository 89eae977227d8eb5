"""Updates in lockstep are those of the per-item reference; a lane that diverges is dated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bpengine import Architecture, Budget, Examples, Split
from bpengine.network.architecture import initial_parameters
from bpengine.passes import sequential
from bpengine.passes.backprop import shard_slices
from bpengine.training.lockstep import Lockstep
from bpengine.training.minibatches import Segment, epoch_order
from tests.bpengine.cohorts import ARCHITECTURE, Options, recipe, train_small
from tests.bpengine.problems import flatten, make_splits


@pytest.mark.parametrize("batch_size", [1, 5, 23])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_training_is_that_of_the_sequential_reference(batch_size: int, reduction: str) -> None:
    split = make_splits(ARCHITECTURE, [4])[0]
    actual = train_small(
        [split], [0.3], batch_size=batch_size, reduction=reduction, dtype=np.float64
    )
    batches = []
    for epoch in range(3):
        order = epoch_order(split.seed, epoch, 23)
        for start in range(0, 23, batch_size):
            chosen = order[start : start + batch_size]
            batches.append((split.train.inputs[chosen], split.train.targets[chosen]))
    start_W = ARCHITECTURE.layers(initial_parameters(ARCHITECTURE, split.seed, np.float64))
    expected = sequential.train(start_W, batches, 0.3, reduction=reduction)
    flat = flatten(ARCHITECTURE, expected)
    np.testing.assert_allclose(actual.parameters[0, 0], flat, rtol=1e-12, atol=1e-14)
    assert actual.curves.updates[-1] == len(batches)


def test_with_the_whole_set_as_a_batch_the_order_does_not_matter() -> None:
    split = make_splits(ARCHITECTURE, [1])[0]
    shuffled = Split(
        Examples(split.train.inputs[::-1], split.train.targets[::-1]), split.held_out, split.seed
    )
    options: Options = {"batch_size": 23, "budget": Budget(epochs=4), "dtype": np.float64}
    np.testing.assert_allclose(
        train_small([split], **options).parameters,
        train_small([shuffled], **options).parameters,
        rtol=1e-12,
        atol=1e-14,
    )


LINEAR = Architecture((3, 2), "identity")
SPOILED = [1e-37, 4.0, 1e-36]
"""The second rate's step overflows float32 at the example that `with_a_huge_target` spoils."""


def with_a_huge_target(split: Split) -> Split:
    targets = split.train.targets.copy()
    targets[7] = 1e38
    return Split(Examples(split.train.inputs, targets), split.held_out, split.seed)


def run_epoch(splits: list[Split], rates: list[float], **options: Any) -> Lockstep:
    """Return networks after an epoch without evaluations, at which such losses would end them."""
    settings = [{"learning_rate": rate} for rate in rates]
    networks = Lockstep(LINEAR, splits, settings, recipe(**options))
    networks.run(Segment(0, 0, 23, networks.recipe.batch_size, evaluate=False))
    return networks


@pytest.mark.parametrize("batch_size", [1, 5])
def test_a_diverging_lane_is_dated_and_harms_no_neighbour(batch_size: int) -> None:
    splits = [with_a_huge_target(split) for split in make_splits(LINEAR, [1, 2, 3])]
    options: Options = {"batch_size": batch_size, "reduction": "sum"}
    healthy = run_epoch(splits, SPOILED[::2], **options)
    mixed = run_epoch(splits, SPOILED, **options)
    dates = [epoch_order(split.seed, 0, 23).tolist().index(7) // batch_size + 1 for split in splits]
    np.testing.assert_array_equal(mixed.diverged_at_update, [[-1, date, -1] for date in dates])
    np.testing.assert_array_equal(mixed.parameters[:, ::2], healthy.parameters)
    assert (mixed.parameters[:, 1] == 0).all()


@pytest.mark.parametrize("batch_size", [1, 5])
def test_a_lane_that_has_diverged_rests_though_its_gradients_overflow(batch_size: int) -> None:
    splits = [with_a_huge_target(split) for split in make_splits(LINEAR, [1, 2, 3])]
    networks = run_epoch(splits, SPOILED, batch_size=batch_size, reduction="sum")
    dates, before = networks.diverged_at_update.copy(), networks.parameters.copy()
    networks.train.targets[:] = 3e38
    networks.run(Segment(1, 0, 10, batch_size, evaluate=False))
    ended = dates >= 0
    assert ended.any()
    np.testing.assert_array_equal(networks.diverged_at_update[ended], dates[ended])
    np.testing.assert_array_equal(networks.parameters[ended], before[ended])


def test_a_lane_that_diverges_in_local_training_is_dated_where_copies_are_combined() -> None:
    splits = [with_a_huge_target(split) for split in make_splits(LINEAR, [1, 2, 3])]
    options: Options = {"batch_size": 6, "shards": 3, "local_updates": 2, "reduction": "sum"}
    networks = run_epoch(splits, SPOILED, **options)
    met = [epoch_order(split.seed, 0, 23).tolist().index(7) // 12 for split in splits]
    np.testing.assert_array_equal(
        networks.diverged_at_update, [[-1, 2 * rounds + 2, -1] for rounds in met]
    )


def test_local_training_is_that_of_copies_that_are_averaged() -> None:
    """Three shards, two local updates each, by the per-item reference."""
    split = make_splits(ARCHITECTURE, [1])[0]
    actual = train_small(
        [split],
        [0.3],
        batch_size=7,
        shards=3,
        local_updates=2,
        budget=Budget(epochs=1),
        dtype=np.float64,
    )
    order = epoch_order(1, 0, 23)
    inputs, targets = split.train.inputs[order], split.train.targets[order]
    W = ARCHITECTURE.layers(initial_parameters(ARCHITECTURE, 1, np.float64))
    for start, stop in ((0, 14), (14, 23)):
        copies, shares = [], []
        for worker in range(3):
            shards = []
            for at in range(start, stop, 7):
                batch = slice(at, min(at + 7, stop))
                rows = shard_slices(batch.stop - at, 3)[worker : worker + 1]
                shards += [(inputs[batch][shard], targets[batch][shard]) for shard in rows]
            copies.append(sequential.train(W, shards, 0.3))
            shares.append(sum(len(x) for x, _ in shards) / (stop - start))
        W = [
            sum(share * copy[layer] for share, copy in zip(shares, copies, strict=True))
            for layer in range(len(W))
        ]
    flat = flatten(ARCHITECTURE, W)
    np.testing.assert_allclose(actual.parameters[0, 0], flat, rtol=1e-12, atol=1e-14)
