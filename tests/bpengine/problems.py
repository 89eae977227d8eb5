"""Small random problems in float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bpengine import Architecture, Examples, Split
from bpengine.network._arrays import Array


def make_examples(architecture: Architecture, items: int, seed: int = 0) -> Examples:
    """Draw examples for an architecture."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(items, architecture.widths[0]))
    classes = rng.integers(architecture.widths[-1], size=items)
    return Examples(inputs, np.eye(architecture.widths[-1])[classes])


def make_splits(architecture: Architecture, seeds: list[int], items: int = 23) -> list[Split]:
    """Draw one split per seed."""
    return [
        Split(
            make_examples(architecture, items, seed),
            make_examples(architecture, 9, seed + 1000),
            seed,
        )
        for seed in seeds
    ]


def make_parameters(
    architecture: Architecture, lanes: tuple[int, ...] = (1, 1), seed: int = 0
) -> Array:
    """Draw weights, biases included, for some lanes."""
    rng = np.random.default_rng(seed)
    return rng.normal(scale=0.7, size=(*lanes, architecture.parameter_count))


def flatten(architecture: Architecture, layers: Sequence[Array]) -> Array:
    """Put the weights of layers into one row of parameters."""
    parameters = np.empty(architecture.parameter_count)
    for W, layer in zip(architecture.layers(parameters), layers, strict=True):
        W[...] = layer
    return parameters
