"""Splitting and scaling data for one seed. Imports NumPy alone: workers run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from bpengine import Examples, Split
from bpengine.arrays import Array, BoolArray, IntArray
from bpengine.streams import permutation


@dataclass(frozen=True)
class Source:
    """What names data, before anything is loaded.

    Attributes:
        name: What the data are called, such as "digits" or "my.csv".
        parameters: What else determines them, by name, sorted.
    """

    name: str
    parameters: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True)
class Dataset:
    """Examples with their classes.

    Attributes:
        name: The dataset's name.
        inputs: Features, float64, read-only.
        labels: Number of each example's class, from 0, read-only.
        classes: Names of the classes.
        fingerprint: Content hash of inputs and labels.
    """

    name: str
    inputs: Annotated[Array, "item feature"]
    labels: Annotated[IntArray, "item"]
    classes: tuple[str, ...]
    fingerprint: str


@dataclass(frozen=True)
class Preparation:
    """How a dataset becomes examples to train on.

    Attributes:
        validation_fraction: Share of the examples for choosing rates.
        test_fraction: Share of the examples nothing is chosen on.
        scaling: Name in `SCALINGS`.
    """

    validation_fraction: float
    test_fraction: float
    scaling: str


def part_sizes(items: int, preparation: Preparation) -> tuple[int, int, int]:
    """Return how many examples are for training, validation and test.

    Args:
        items: Examples of the dataset.
        preparation: The wanted shares; rounded to whole examples, half upwards.
    """
    validation = int(items * preparation.validation_fraction + 0.5)
    test = int(items * preparation.test_fraction + 0.5)
    return items - validation - test, validation, test


def prepare(dataset: Dataset, preparation: Preparation, seed: int) -> tuple[Split, Examples]:
    """Split a dataset by a seed, stratified by class, and scale it.

    Args:
        dataset: The examples.
        preparation: Shares and scaling; the scaling is fitted on the training part only.
        seed: Seed of the split, and of the network's weights and order.

    Returns:
        The training part with the validation part held out, and the test part apart.
    """
    train, validation, test = _parts(dataset.labels, preparation, seed)
    shift, factor = SCALINGS[preparation.scaling](dataset.inputs[train])
    targets = np.eye(len(dataset.classes))[dataset.labels]

    def examples(chosen: IntArray) -> Examples:
        return Examples((dataset.inputs[chosen] - shift) * factor, targets[chosen])

    return Split(examples(train), examples(validation), seed), examples(test)


def _parts(
    labels: IntArray, preparation: Preparation, seed: int
) -> tuple[IntArray, IntArray, IntArray]:
    # In an order by class, random within each, every k-th example is taken: each class gives its
    # share to within one example, and the totals are exact.
    order = permutation(seed, "split", len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    _, validation_size, test_size = part_sizes(len(labels), preparation)
    is_test = _evenly_spaced(len(order), test_size)
    rest = order[~is_test]
    is_validation = _evenly_spaced(len(rest), validation_size)
    return rest[~is_validation], rest[is_validation], order[is_test]


def _evenly_spaced(items: int, chosen: int) -> BoolArray:
    return np.diff(np.arange(items + 1) * chosen // items) > 0


def _standardise(inputs: Array) -> tuple[Array, Array]:
    return inputs.mean(axis=0), _inverse(inputs.std(axis=0))


def _min_max(inputs: Array) -> tuple[Array, Array]:
    return inputs.min(axis=0), _inverse(np.ptp(inputs, axis=0))


def _unscaled(inputs: Array) -> tuple[Array, Array]:
    return np.zeros(inputs.shape[1]), np.ones(inputs.shape[1])


def _inverse(spread: Array) -> Array:
    # A feature that is constant over the training part is left at 0, not blown up.
    return np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)


SCALINGS: dict[str, Callable[[Array], tuple[Array, Array]]] = {
    "standardise": _standardise,
    "min-max": _min_max,
    "none": _unscaled,
}
"""Each scaling by name: from the training inputs to what is subtracted and what is multiplied."""
