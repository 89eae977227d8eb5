"""Splits: exact sizes, stratified, disjoint, fitted on the training set alone."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refused import refusal, states
from sklearn.impute import SimpleImputer

from bpengine import Examples
from sweeps.data._dataset import classification, regression
from sweeps.data.registry import load
from sweeps.data.splits import (
    FILLINGS,
    SCALINGS,
    Dataset,
    Preparation,
    Source,
    filled,
    part_sizes,
    preparation_problems,
    prepare,
    target_scaling,
)

FIFTHS = Preparation(0.2, 0.2, "none")


def dataset_of(counts: list[int]) -> Dataset:
    """Return examples, this many a class, each with its own number as its only feature."""
    labels = np.repeat(np.arange(len(counts)), counts)
    inputs = np.arange(len(labels), dtype=float)[:, None]
    return classification("made", inputs, labels, map(str, range(len(counts))))


def two_classes(inputs: Any, **about: Any) -> Dataset:
    """Return examples with these features, of two classes by turns."""
    return classification("made", inputs, np.arange(len(inputs)) % 2, "ab", **about)


def parts_of(dataset: Dataset, preparation: Preparation, seed: int) -> list[Examples]:
    """Return the three parts."""
    split, test = prepare(dataset, preparation, seed)
    return [split.train, split.held_out, test]


def numbers_in(dataset: Dataset, preparation: Preparation, seed: int) -> list[Any]:
    """Return the only feature of each part's examples."""
    return [part.inputs[:, 0].astype(int) for part in parts_of(dataset, preparation, seed)]


@given(
    counts=st.lists(st.integers(1, 60), min_size=2, max_size=5),
    validation=st.floats(0.05, 0.45) | st.integers(1, 9),
    test=st.floats(0.05, 0.45) | st.integers(1, 9),
    seed=st.integers(0, 2**63 - 1),
)
def test_sets_are_disjoint_exact_and_stratified(
    counts: list[int], validation: float, test: float, seed: int
) -> None:
    dataset = dataset_of([count + 10 for count in counts])
    preparation = Preparation(validation, test, "none")
    assert dataset.labels is not None
    parts = numbers_in(dataset, preparation, seed)
    assert sorted(np.concatenate(parts)) == list(range(len(dataset.labels)))
    assert tuple(map(len, parts)) == part_sizes(len(dataset.labels), preparation)
    for label, count in enumerate(np.bincount(dataset.labels)):
        in_test = (dataset.labels[parts[2]] == label).sum()
        assert abs(in_test - count * len(parts[2]) / len(dataset.labels)) < 1 + 1e-9


@pytest.mark.parametrize(
    ("name", "scaling", "digest"),
    [
        ("digits", "standardise", "f1e48afdf6cf419f75e8ec9a2fe5bc68"),
        ("digits", "min-max", "d27d4b16e99e5e1626e8fa5902363661"),
        ("digits", "none", "b2bc011b59b167a0d6dc40fe253d0872"),
        ("iris", "none", "cce728c40c8d2d19c0de2aa3fa9a0cff"),
    ],
)
def test_a_split_is_the_one_it_was(name: str, scaling: str, digest: str) -> None:
    # Recorded with the first version that could split. Other parts would be other trials.
    content = hashlib.sha256()
    for part in parts_of(load(Source(name)), Preparation(0.2, 0.2, scaling), 3):
        content.update(part.inputs.tobytes())
        content.update(part.targets.tobytes())
    assert content.hexdigest()[:32] == digest


def test_seeds_give_different_splits_and_the_same_seed_the_same() -> None:
    dataset = dataset_of([30, 30])
    train = [tuple(numbers_in(dataset, FIFTHS, seed)[0]) for seed in (1, 2, 1)]
    assert train[0] != train[1]
    assert train[0] == train[2]


def test_a_fixed_split_is_that_of_its_seed_for_all_trials() -> None:
    dataset, fixed = dataset_of([30, 30]), Preparation(0.2, 0.2, "none", split_seed=7)
    for seed in (1, 2):
        split, _ = prepare(dataset, fixed, seed)
        assert split.seed == seed
        for numbers, expected in zip(
            numbers_in(dataset, fixed, seed), numbers_in(dataset, FIFTHS, 7), strict=True
        ):
            np.testing.assert_array_equal(numbers, expected)


@pytest.mark.parametrize("scaling", SCALINGS)
def test_scaling_is_fitted_on_the_training_set_alone(scaling: str) -> None:
    rng = np.random.default_rng(0)
    dataset = two_classes(np.column_stack([rng.normal(5, 3, 200), np.full(200, 7.0)]))
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


@pytest.mark.parametrize("scaling", ["standardise", "min-max"])
@pytest.mark.parametrize("value", [7.0, 0.1, 1e-320])
def test_a_constant_feature_is_left_at_zero(scaling: str, value: float) -> None:
    # The standard deviation of many 0.1 is not 0 in floating point.
    inputs = np.column_stack([np.full(60, value), np.arange(60.0)])
    split, _ = prepare(two_classes(inputs), Preparation(0.2, 0.2, scaling), 1)
    assert not split.train.inputs[:, 0].any()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_features_of_a_category_stay_0_and_1(scaling: str) -> None:
    colour = np.eye(3)[np.arange(60) % 3]
    dataset = two_classes(np.column_stack([np.arange(60.0), colour]), groups=[-1, 0, 0, 0])
    split, _ = prepare(dataset, Preparation(0.2, 0.2, scaling), 1)
    rows = split.train.inputs[:, 1:]
    np.testing.assert_array_equal(np.sort(rows, axis=1), np.tile([0, 0, 1], (36, 1)))


def test_a_category_that_the_training_set_lacks_is_zero_everywhere() -> None:
    apart = numbers_in(dataset_of([30, 30]), FIFTHS, 1)[2]
    rare = np.zeros(60)
    rare[apart[0]] = 1
    inputs = np.column_stack([rare, 1 - rare])
    labels = np.repeat([0, 1], 30)
    dataset = classification("made", inputs, labels, "ab", groups=[0, 0])
    _, test = prepare(dataset, Preparation(0.2, 0.2, "standardise"), 1)
    assert not test.inputs[:, 0].any()
    assert test.inputs[0, 1] in {0, 1}
    _, raw = prepare(dataset, FIFTHS, 1)
    assert raw.inputs[:, 0].sum() == 1


def test_a_column_that_the_training_set_lacks_teaches_nothing() -> None:
    apart = numbers_in(dataset_of([30, 30]), FIFTHS, 1)[2]
    values = np.full((60, 3), np.nan)
    values[apart[0]] = 1, 0, 1
    labels = np.repeat([0, 1], 30)
    dataset = classification("made", values, labels, "ab", missing="mean", groups=[-1, 0, 0])
    for examples in parts_of(dataset, replace(FIFTHS, scaling="standardise"), 1):
        assert not examples.inputs[:, 0].any()
        assert not examples.inputs[:, 2].any()


def test_targets_of_a_regression_are_standardised_and_their_scale_is_known() -> None:
    rng = np.random.default_rng(2)
    inputs = np.arange(50.0)[:, None]
    values = np.column_stack([rng.normal(100, 20, 50), rng.normal(-3, 0.1, 50)])
    dataset = regression("made", inputs, values, ["price", "depth"])
    shift, scale = target_scaling(dataset, FIFTHS, 5)
    parts = parts_of(dataset, FIFTHS, 5)
    np.testing.assert_allclose(parts[0].targets.mean(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(parts[0].targets.std(axis=0), 1, rtol=1e-12)
    for part in parts:
        unscaled = values[part.inputs[:, 0].astype(int)]
        np.testing.assert_allclose(part.targets * scale + shift, unscaled, rtol=1e-12)


def test_targets_of_classes_have_no_scale() -> None:
    shift, scale = target_scaling(dataset_of([10, 10, 10]), FIFTHS, 1)
    assert shift.tolist() == [0, 0, 0]
    assert scale.tolist() == [1, 1, 1]


def test_a_target_that_does_not_change_in_the_training_set_is_refused() -> None:
    values = np.zeros(21)
    values[numbers_in(regression("made", *_numbered(21), ["y"]), FIFTHS, 1)[2][0]] = 1
    dataset = regression("made", _numbered(21)[0], values[:, None], ["y"])
    states(refusal(prepare, dataset, FIFTHS, 1), "made: 'y' is the same", "training")


def test_what_varies_in_another_set_only_is_constant_in_the_training_set() -> None:
    inputs = 1e-200 * np.arange(21.0)[:, None]
    test = numbers_in(regression("made", *_numbered(21), ["y"]), FIFTHS, 1)[2]
    inputs[test[0]] = 1
    dataset = regression("made", inputs, _numbered(21)[1], ["y"])
    for scaling in ("standardise", "min-max"):
        split, held = prepare(dataset, replace(FIFTHS, scaling=scaling), 1)
        assert not split.train.inputs.any()
        assert not held.inputs.any()
    values = regression("made", _numbered(21)[0], inputs, ["y"])
    states(refusal(prepare, values, FIFTHS, 1), "made: 'y' is the same", "training")


def test_a_set_whose_r2_is_undefined_is_refused() -> None:
    values = np.zeros(20)
    values[numbers_in(regression("made", *_numbered(20), ["y"]), FIFTHS, 1)[0][0]] = 1
    dataset = regression("made", _numbered(20)[0], values[:, None], ["y"])
    states(refusal(prepare, dataset, FIFTHS, 1), "seed 1", "all targets of a set", "R2")


def _numbered(items: int) -> tuple[Any, Any]:
    return np.arange(float(items))[:, None], np.arange(float(items))[:, None]


def test_half_an_example_is_rounded_upwards_and_counts_are_taken_as_they_are() -> None:
    assert part_sizes(100, Preparation(7, 0.2, "none")) == (73, 7, 20)
    assert part_sizes(1797, FIFTHS) == (1079, 359, 359)
    assert part_sizes(5, Preparation(0.1, 0.1, "none")) == (3, 1, 1)


def test_a_dataset_that_can_be_split_has_no_problem() -> None:
    assert preparation_problems(dataset_of([10, 10]), FIFTHS) == []
    assert preparation_problems(regression("made", *_numbered(10), ["y"]), FIFTHS) == []


@pytest.mark.parametrize(
    ("validation", "test", "path", "expected"),
    [
        (0.01, 1, "validation", ("0 examples of made", "at least 1")),
        (10, 15, "test", ("0 of 20 examples of made", "training")),
        (1, 18, "test", ("class '1' of made", "training")),
    ],
)
def test_sets_that_are_too_small_are_reported(
    validation: float, test: float, path: str, expected: tuple[str, ...]
) -> None:
    preparation = Preparation(validation, test, "none")
    (problem,) = preparation_problems(dataset_of([10, 10]), preparation)
    assert problem.path == path
    states(problem.text, *expected)


def test_a_regression_needs_two_examples_in_each_set() -> None:
    dataset = regression("made", *_numbered(10), ["y"])
    problems = preparation_problems(dataset, Preparation(1, 1, "none"))
    assert [problem.path for problem in problems] == ["validation", "test"]
    states(problems[0].text, "1 example of made", "at least 2")


TRAIN = np.arange(40)


@pytest.mark.parametrize("how", FILLINGS)
def test_numbers_are_filled_from_the_training_set_as_scikit_learn_would(how: str) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 6, (60, 4)).astype(float)
    inputs[rng.random((60, 4)) < 0.2] = np.nan
    inputs[:, 0] = np.arange(60)
    parts = parts_of(two_classes(inputs, missing=how), FIFTHS, 4)
    imputer = SimpleImputer(strategy=how).fit(inputs[parts[0].inputs[:, 0].astype(int)])
    for part in parts:
        expected = imputer.transform(inputs[part.inputs[:, 0].astype(int)])
        np.testing.assert_allclose(part.inputs, expected, rtol=1e-12)


@pytest.mark.parametrize("how", FILLINGS)
def test_categories_are_filled_by_the_most_frequent_one(how: str) -> None:
    # The last twenty would outvote the others, but are not for training.
    codes = np.array([0, 0, 1, 2] * 10 + [2] * 20)
    inputs = np.eye(3)[codes]
    inputs[[5, 50]] = np.nan
    values = filled(two_classes(inputs, missing=how, groups=[0, 0, 0]), TRAIN)
    np.testing.assert_array_equal(values[[5, 50]], [[1, 0, 0]] * 2)
    np.testing.assert_array_equal(values[6], inputs[6])


def test_columns_are_filled_each_by_its_own() -> None:
    inputs = np.hstack([np.eye(2)[[0, 0, 1]], [[3.0], [5.0], [np.nan]], np.eye(2)[[1, 1, 0]]])
    inputs[2, :2] = inputs[0, 3:] = np.nan
    dataset = two_classes(np.tile(inputs, (2, 1)), missing="mean", groups=[0, 0, -1, 1, 1])
    values = filled(dataset, np.arange(3))
    assert values[:3].tolist() == [[1, 0, 3, 1, 0], [1, 0, 5, 0, 1], [1, 0, 4, 1, 0]]


def test_what_is_imputed_follows_from_the_training_set_alone() -> None:
    rng = np.random.default_rng(3)
    inputs = np.column_stack([np.arange(60.0), rng.normal(size=60), np.eye(2)[np.arange(60) % 2]])
    inputs[::5, 1:] = np.nan
    changed = inputs.copy()
    _, *held = numbers_in(dataset_of([30, 30]), FIFTHS, 1)
    # Whatever the others hold, examples to train on stay the same to the bit.
    changed[np.concatenate(held), 1:] = [1e6, 1, 0]
    labels = np.repeat([0, 1], 30)
    for missing in FILLINGS:
        whole, other = (
            classification("made", values, labels, "ab", missing=missing, groups=[-1, -1, 0, 0])
            for values in (inputs, changed)
        )
        np.testing.assert_array_equal(
            prepare(whole, FIFTHS, 1)[0].train.inputs, prepare(other, FIFTHS, 1)[0].train.inputs
        )
