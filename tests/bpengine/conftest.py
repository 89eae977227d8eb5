"""Small random problems in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from bpengine import Architecture, Examples, Split
from bpengine.network.activations import ACTIVATIONS
from bpengine.network.arrays import Array

MakeExamples = Callable[..., Examples]

LOSSES_AND_OUTPUTS = [
    ("squared_error", "sigmoid"),
    ("squared_error", "identity"),
    ("squared_error", "gelu"),
    ("cross_entropy", "softmax"),
    ("binary_cross_entropy", "sigmoid"),
]


@pytest.fixture(params=LOSSES_AND_OUTPUTS, ids=" and ".join)
def loss_and_output(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Return a loss and an output activation that go together: every loss, bent outputs too."""
    return request.param


@pytest.fixture(params=[name for name in ACTIVATIONS if name != "softmax"])
def every_network(
    request: pytest.FixtureRequest, loss_and_output: tuple[str, str]
) -> tuple[Architecture, str]:
    """Return a network and its loss: each activation of hidden layers with each loss."""
    loss, output = loss_and_output
    return Architecture((3, 5, 4, 2), request.param, output), loss


@pytest.fixture
def make_examples() -> MakeExamples:
    """Return a function that draws examples for an architecture."""

    def make(architecture: Architecture, items: int, seed: int = 0) -> Examples:
        rng = np.random.default_rng(seed)
        inputs = rng.normal(size=(items, architecture.widths[0]))
        classes = rng.integers(architecture.widths[-1], size=items)
        return Examples(inputs, np.eye(architecture.widths[-1])[classes])

    return make


@pytest.fixture
def make_splits(make_examples: MakeExamples) -> Callable[..., list[Split]]:
    """Return a function that draws one split per seed."""

    def make(architecture: Architecture, seeds: list[int], items: int = 23) -> list[Split]:
        return [
            Split(
                make_examples(architecture, items, seed),
                make_examples(architecture, 9, seed + 1000),
                seed,
            )
            for seed in seeds
        ]

    return make


@pytest.fixture
def make_parameters() -> Callable[..., Array]:
    """Return a function that draws weights, biases included, for some lanes."""

    def make(architecture: Architecture, lanes: tuple[int, ...] = (1, 1), seed: int = 0) -> Array:
        rng = np.random.default_rng(seed)
        return rng.normal(scale=0.7, size=(*lanes, architecture.parameter_count))

    return make


@pytest.fixture
def flatten() -> Callable[..., Array]:
    """Return a function that puts the weights of layers into one row of parameters."""

    def flat(architecture: Architecture, layers: Sequence[Array]) -> Array:
        parameters = np.empty(architecture.parameter_count)
        for W, layer in zip(architecture.layers(parameters), layers, strict=True):
            W[...] = layer
        return parameters

    return flat
