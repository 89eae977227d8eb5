"""Steps along fixed random gradients, of lanes that differ in any hyperparameter."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from bpengine import Architecture
from bpengine.network._arrays import Array
from bpengine.optim._optimizers import OPTIMIZERS
from bpengine.optim.stepper import Stepper

Settings = Mapping[str, float]

optimizers = pytest.mark.parametrize("name", OPTIMIZERS)
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

ARCHITECTURE = Architecture((4, 3, 2))
COUNT = ARCHITECTURE.parameter_count
LANES = (2, 3)
UPDATES = 6

RNG = np.random.default_rng(8)
START = RNG.normal(size=(*LANES, COUNT))
GRADIENTS = RNG.normal(size=(UPDATES, *LANES, COUNT))

VARIED: dict[str, tuple[float, float, float]] = {
    "learning_rate": (0.1, 0.02, 0.5),
    "momentum": (0.9, 0.0, 0.5),
    "alpha": (0.99, 0.9, 0.5),
    "beta1": (0.9, 0.5, 0.8),
    "beta2": (0.999, 0.9, 0.99),
    "epsilon": (1e-8, 1e-2, 1e-3),
    "trust": (0.001, 0.1, 0.02),
    "l2": (0.0, 0.3, 0.02),
    "weight_decay": (0.05, 0.0, 0.2),
    "clip_norm": (math.inf, 1.5, 3.0),
}
"""A value of every hyperparameter for each of three settings; some switch something off."""


def varied(name: str, keys: Sequence[str] = ()) -> list[dict[str, float]]:
    """Return three settings in which a rate and some, or all, hyperparameters differ."""
    known = {"learning_rate", *(keys or OPTIMIZERS[name].defaults)}
    return [
        {key: values[index] for key, values in VARIED.items() if key in known} for index in range(3)
    ]


def stepper_of(
    name: str, settings: Sequence[Settings], parameters: Array
) -> tuple[Stepper, Callable[..., Array]]:
    """Return an optimizer and a function that makes a step and returns it."""
    stepper = Stepper(name, settings, ARCHITECTURE, parameters)

    def step(gradient: Array, factor: float = 1.0, total_weight: float = 1.0) -> Array:
        before = parameters.copy()
        stepper.step(gradient.astype(parameters.dtype), factor, total_weight)
        return before - parameters

    return stepper, step


def steps(
    name: str,
    settings: Sequence[Settings],
    *,
    start: Array = START,
    gradients: Array = GRADIENTS,
    **options: float,
) -> tuple[Array, Array]:
    """Return all steps along fixed gradients and the parameters after them."""
    parameters = start.copy()
    _, step = stepper_of(name, settings, parameters)
    taken = np.array([step(gradient, **options) for gradient in gradients])
    return taken, parameters


def norm(numbers: Sequence[float]) -> float:
    return math.sqrt(math.fsum(number * number for number in numbers))
