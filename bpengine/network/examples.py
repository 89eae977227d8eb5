"""Data for the networks of a cohort: one seed's split, and all seeds' as arrays with lane axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from bpengine.network._arrays import Array

SLACK = 64
"""Bytes behind the targets that the compiled kernel reads and doesn't use."""


@dataclass(frozen=True)
class Examples:
    """Inputs and targets.

    Attributes:
        inputs: Features, without the bias unit's 1.
        targets: Wanted outputs; one-hot rows for classes.

    Raises:
        ValueError: The two differ in length, are empty, not two-dimensional or not finite.
    """

    inputs: Annotated[Array, "example fan_in"]
    targets: Annotated[Array, "example fan_out"]

    def __post_init__(self) -> None:
        shapes = self.inputs.shape, self.targets.shape
        if not all(len(shape) == 2 and shape[0] for shape in shapes):  # noqa: PLR2004
            raise ValueError(
                f"`inputs` and `targets` must be matrices with rows, but are {shapes}."
            )
        if shapes[0][0] != shapes[1][0]:
            raise ValueError(f"`inputs` and `targets` must have as many rows, but are {shapes}.")
        if not (np.isfinite(self.inputs).all() and np.isfinite(self.targets).all()):
            raise ValueError("`inputs` and `targets` must be finite.")


@dataclass(frozen=True)
class Split:
    """One seed's data and randomness.

    Attributes:
        train: Examples to train on.
        held_out: Examples the network is evaluated on besides them.
        seed: Seed of initial weights and order.
    """

    train: Examples
    held_out: Examples
    seed: int


@dataclass(frozen=True)
class Stack:
    """Examples of all seeds as arrays; the inputs stand behind the bias unit's 1."""

    inputs: Annotated[Array, "seed 1 example fan_in"]
    targets: Annotated[Array, "seed 1 example fan_out"]

    @property
    def examples(self) -> int:
        """Examples of each seed."""
        return self.inputs.shape[2]


def with_slack(shape: Sequence[int], dtype: npt.DTypeLike) -> Array:
    """Return an empty array behind which memory may be read: vectors end later than rows."""
    count = math.prod(shape)
    return np.empty(count + SLACK // np.dtype(dtype).itemsize, dtype)[:count].reshape(shape)


def stack(examples: Sequence[Examples], dtype: npt.DTypeLike) -> Stack:
    """Return the examples of all seeds, one set each, all of the same shapes."""
    count, features = examples[0].inputs.shape
    inputs = np.ones((len(examples), 1, count, features + 1), dtype)
    targets = with_slack((len(examples), 1, *examples[0].targets.shape), dtype)
    # What float32 can't hold becomes infinite, and who trains on it diverges.
    with np.errstate(over="ignore"):
        for seed, part in enumerate(examples):
            inputs[seed, 0, :, 1:] = part.inputs
            targets[seed, 0] = part.targets
    return Stack(inputs, targets)
