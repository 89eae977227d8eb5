"""Small random problems in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bpengine import Architecture, Examples, Split
from bpengine.arrays import Array

MakeExamples = Callable[..., Examples]


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
