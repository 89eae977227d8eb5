"""Data, their split and their preparation for one seed. Imports NumPy alone: workers run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from bpengine import Examples, Split
from bpengine.network import Array, BoolArray, IntArray, permutation
from sweeps.errors import DataError, Problem, counted, shown

CLASSIFICATION, REGRESSION = "classification", "regression"
LEAST_OF_A_CLASS = 3  # examples: one for each set

SMALLEST_SPREAD = 1e-100
"""Differences below it are none: their squares, of which standard deviations are made, vanish."""


@dataclass(frozen=True)
class Source:
    """What names data, before anything is loaded."""

    name: str  # such as "digits", "openml:mnist_784@1" or "my.csv"
    parameters: tuple[tuple[str, object], ...] = ()  # sorted by name, defaults written out
    content: str = ""  # hash of a file's bytes
    path: str = field(default="", compare=False)  # of a file; never from a store


@dataclass(frozen=True)
class Dataset:
    """Examples with their targets. Arrays are read-only, and float64 unless said otherwise."""

    name: str
    inputs: Annotated[Array, "example feature"]  # NaN where a value is missing
    targets: Annotated[Array, "example output"]  # one-hot, or values in their own unit
    labels: Annotated[IntArray, "example"] | None  # numbers of classes; None in regression
    task: str
    classes: tuple[str, ...]  # none in regression
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    groups: Annotated[IntArray, "feature"]  # number of the one-hot column; -1 for a number
    missing: str  # name in `FILLINGS`; empty where nothing is missing
    fingerprint: str  # of all that determines what a network is trained on
    notes: tuple[str, ...] = ()
    sampled_rows: int = 0  # of the file that the examples are a sample of


@dataclass(frozen=True)
class Preparation:
    """How a dataset becomes examples to train on."""

    validation: float  # a share if it is a float, a count if it is an int
    test: float
    scaling: str  # name in `SCALINGS`
    split_seed: int | None = None  # without one, each trial's own seed splits


def part_sizes(examples: int, preparation: Preparation) -> tuple[int, int, int]:
    """Return how many examples are for training, validation and test; halves are rounded up."""
    validation, test = (
        wanted if isinstance(wanted, int) else int(examples * wanted + 0.5)
        for wanted in (preparation.validation, preparation.test)
    )
    return examples - validation - test, validation, test


def preparation_problems(dataset: Dataset, preparation: Preparation) -> list[Problem]:
    """Return why a dataset can't be split as wanted; nothing if it can.

    Every seed gets sets of the same sizes, with the same numbers of each class.
    """
    name, labels = dataset.name, _strata(dataset)
    train, *held_out = part_sizes(len(labels), preparation)
    # R2 needs a spread.
    least = 2 if dataset.task == REGRESSION else 1
    problems = [
        Problem(part, f"leaves {counted(size, 'example')} of {name}; at least {least} needed.")
        for part, size in zip(("validation", "test"), held_out, strict=True)
        if size < least
    ]
    if train < least:
        text = f"leaves {max(train, 0)} of {len(labels)} examples of {name} for training."
        return [*problems, Problem("test", text)]
    trained = labels[_parts(labels, preparation, 0)[0]]
    untrained = sorted(set(range(len(dataset.classes))) - set(trained))
    if untrained:
        classes = ", ".join(shown(dataset.classes[label]) for label in untrained[:5])
        text = f"leaves no example of class {classes} of {name} for training."
        problems.append(Problem("test", text))
    return problems


def prepare(dataset: Dataset, preparation: Preparation, seed: int) -> tuple[Split, Examples]:
    """Split a dataset by a seed, stratified by class, fill what is missing and scale.

    The first result holds the training and validation sets, the second the test set. Fills and
    scales are fitted on the training set. The features of a categorical column stay 0 and 1, as
    standardising would weigh a category the more the rarer it is; a category that the training set
    lacks becomes 0 everywhere. Targets of a regression are standardised.
    """
    train, validation, test = _parts(_strata(dataset), preparation, seed)
    inputs = filled(dataset, train)
    trained, is_category = inputs[train], dataset.groups >= 0
    shift, factor = SCALINGS[preparation.scaling](trained)
    if preparation.scaling != "none":
        shift[is_category] = 0
        factor[is_category] = trained[:, is_category].any(axis=0)
    target_shift, target_scale = _target_scaling(dataset, train)

    def examples(chosen: IntArray) -> Examples:
        targets = dataset.targets[chosen]
        if dataset.task == REGRESSION:
            targets = (targets - target_shift) / target_scale
            if not np.ptp(targets, axis=0).any():
                problem = f"{dataset.name}: with seed {seed} all targets of a set are the same"
                raise DataError(f"{problem}, whose R2 is undefined. Make the sets larger.")
        return Examples((inputs[chosen] - shift) * factor, targets)

    return Split(examples(train), examples(validation), seed), examples(test)


def target_scaling(
    dataset: Dataset, preparation: Preparation, seed: int
) -> tuple[Annotated[Array, "output"], Annotated[Array, "output"]]:
    """Return mean and deviation of a training set's targets; 0 and 1 for a classification."""
    return _target_scaling(dataset, _parts(_strata(dataset), preparation, seed)[0])


def _target_scaling(dataset: Dataset, train: IntArray) -> tuple[Array, Array]:
    if dataset.task == CLASSIFICATION:
        outputs = dataset.targets.shape[1]
        return np.zeros(outputs), np.ones(outputs)
    targets = dataset.targets[train]
    spread = np.ptp(targets, axis=0)
    if (spread < SMALLEST_SPREAD).any():
        name = dataset.target_names[int(spread.argmin())]
        raise DataError(f"{dataset.name}: {shown(name)} is the same in all of a training set.")
    return targets.mean(axis=0), targets.std(axis=0)


def _strata(dataset: Dataset) -> IntArray:
    return np.zeros(len(dataset.targets), np.int64) if dataset.labels is None else dataset.labels


def _parts(
    labels: IntArray, preparation: Preparation, seed: int
) -> tuple[IntArray, IntArray, IntArray]:
    # In an order by class, random within each, every k-th example is taken: each class gives its
    # share to within one example, and the totals are exact.
    split_seed = seed if preparation.split_seed is None else preparation.split_seed
    order = permutation(split_seed, "split", len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    _, validation_size, test_size = part_sizes(len(labels), preparation)
    is_test = _evenly_spaced(len(order), test_size)
    rest = order[~is_test]
    is_validation = _evenly_spaced(len(rest), validation_size)
    return rest[~is_validation], rest[is_validation], order[is_test]


def drawn(labels: IntArray, most: int) -> BoolArray:
    """Return which examples a sample holds that takes its share of each class, always the same."""
    order = permutation(0, "sample", len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    mask = np.zeros(len(labels), bool)
    mask[order[_evenly_spaced(len(labels), most)]] = True
    return mask


def _evenly_spaced(examples: int, chosen: int) -> BoolArray:
    return np.diff(np.arange(examples + 1) * chosen // examples) > 0


def filled(
    dataset: Dataset, train: Annotated[IntArray, "example"]
) -> Annotated[Array, "example feature"]:
    """Return inputs whose gaps are filled by what the training set has in their columns.

    Categories are always filled by the most frequent one.
    """
    inputs, groups = dataset.inputs, dataset.groups
    if not dataset.missing:
        return inputs
    values, gaps = inputs.copy(), np.isnan(inputs)
    with_gaps = np.flatnonzero(gaps.any(axis=0))
    for feature in with_gaps[groups[with_gaps] < 0]:
        present = inputs[train, feature][~gaps[train, feature]]
        # A column that the training set lacks is constant in it, and teaches nothing.
        fill = FILLINGS[dataset.missing](present) if present.size else 0.0
        values[gaps[:, feature], feature] = fill
    for group in np.unique(groups[with_gaps][groups[with_gaps] >= 0]):
        features = np.flatnonzero(groups == group)
        counts = np.nansum(inputs[np.ix_(train, features)], axis=0)
        row = np.eye(len(features))[counts.argmax()]
        values[np.ix_(gaps[:, features[0]], features)] = row
    return values


def _most_frequent(values: Array) -> float:
    # The smallest of those that are equally frequent.
    distinct, counts = np.unique(values, return_counts=True)
    return float(distinct[counts.argmax()])


FILLINGS: dict[str, Callable[[Array], float]] = {
    "mean": np.mean,
    "median": np.median,
    "most_frequent": _most_frequent,
}
"""Each filling by name: from the values that are there to the one for those that are not."""


def _inverse(spread: Array, inputs: Array) -> Array:
    # A constant feature becomes 0, though rounding may give it a standard deviation.
    differ = np.ptp(inputs, axis=0) >= SMALLEST_SPREAD
    return np.divide(1.0, spread, out=np.zeros_like(spread), where=differ)


SCALINGS: dict[str, Callable[[Array], tuple[Array, Array]]] = {
    "standardise": lambda inputs: (inputs.mean(axis=0), _inverse(inputs.std(axis=0), inputs)),
    "min-max": lambda inputs: (inputs.min(axis=0), _inverse(np.ptp(inputs, axis=0), inputs)),
    "none": lambda inputs: (np.zeros(inputs.shape[1]), np.ones(inputs.shape[1])),
}
"""Each scaling by name: from the training inputs to what is subtracted and what is multiplied."""
