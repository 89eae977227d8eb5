"""Splits: exact sizes, stratified, disjoint, scaled by the training part alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.splits import SCALINGS, Dataset, Preparation, part_sizes, prepare

FIFTHS = Preparation(0.2, 0.2, "none")


def dataset_of(counts: list[int]) -> Dataset:
    """Return examples of so many per class, each with its own number as its only feature."""
    labels = np.repeat(np.arange(len(counts)), counts)
    inputs = np.arange(len(labels), dtype=float)[:, None]
    return Dataset("made", inputs, labels, tuple(map(str, range(len(counts)))), "0")


@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=5),
    validation=st.floats(0.05, 0.45),
    test=st.floats(0.05, 0.45),
    seed=st.integers(0, 2**63 - 1),
)
def test_parts_are_disjoint_exact_and_stratified(
    counts: list[int], validation: float, test: float, seed: int
) -> None:
    dataset = dataset_of([count + 10 for count in counts])
    preparation = Preparation(validation, test, "none")
    split, apart = prepare(dataset, preparation, seed)
    parts = [part.inputs[:, 0] for part in (split.train, split.held_out, apart)]
    assert sorted(np.concatenate(parts)) == list(range(len(dataset.labels)))
    assert tuple(map(len, parts)) == part_sizes(len(dataset.labels), preparation)
    for label, count in enumerate(np.bincount(dataset.labels)):
        in_test = (dataset.labels[parts[2].astype(int)] == label).sum()
        assert abs(in_test - count * len(parts[2]) / len(dataset.labels)) < 1 + 1e-9


def test_targets_are_one_hot() -> None:
    dataset = dataset_of([10, 20])
    split, _ = prepare(dataset, FIFTHS, 1)
    labels = dataset.labels[split.train.inputs[:, 0].astype(int)]
    np.testing.assert_array_equal(split.train.targets, np.eye(2)[labels])


def test_seeds_give_different_splits_and_the_same_seed_the_same() -> None:
    dataset = dataset_of([30, 30])
    train = [tuple(prepare(dataset, FIFTHS, seed)[0].train.inputs[:, 0]) for seed in (1, 2, 1)]
    assert train[0] != train[1]
    assert train[0] == train[2]


@pytest.mark.parametrize("scaling", SCALINGS)
def test_scaling_is_fitted_on_the_training_part_alone(scaling: str) -> None:
    rng = np.random.default_rng(0)
    inputs = np.column_stack([rng.normal(5, 3, 200), np.full(200, 7.0)])
    dataset = Dataset("made", inputs, np.arange(200) % 2, ("a", "b"), "0")
    split, test = prepare(dataset, Preparation(0.2, 0.2, scaling), 1)
    raw_split, raw_test = prepare(dataset, FIFTHS, 1)
    train = raw_split.train.inputs[:, 0]
    shift, spread = {
        "standardise": (train.mean(), train.std()),
        "min-max": (train.min(), train.max() - train.min()),
        "none": (0.0, 1.0),
    }[scaling]
    expected = (raw_test.inputs[:, 0] - shift) / spread
    np.testing.assert_allclose(test.inputs[:, 0], expected, rtol=1e-12)
    assert np.isfinite(split.train.inputs).all()


def test_a_constant_feature_is_left_at_zero() -> None:
    dataset = Dataset("made", np.full((20, 1), 7.0), np.arange(20) % 2, ("a", "b"), "0")
    for scaling in ("standardise", "min-max"):
        split, _ = prepare(dataset, Preparation(0.2, 0.2, scaling), 1)
        assert not split.train.inputs.any()


def test_half_an_example_is_rounded_upwards() -> None:
    assert part_sizes(1797, FIFTHS) == (1079, 359, 359)
    assert part_sizes(5, Preparation(0.1, 0.1, "none")) == (3, 1, 1)
