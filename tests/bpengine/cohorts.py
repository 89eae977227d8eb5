"""A small network, trained with a few seeds and rates; data that make one of the rates diverge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bpengine import Architecture, Budget, Examples, Recipe, Split, Training, train

MakeSplits = Callable[..., list[Split]]
Options = dict[str, Any]

ARCHITECTURE = Architecture((6, 5, 4, 3))
RATES = [0.05, 0.5, 2.0]


def train_small(splits: list[Split], rates: list[float] = RATES, **options: Any) -> Training:
    settings = [{"learning_rate": rate} for rate in rates]
    return train(ARCHITECTURE, splits, settings, recipe(**options))


def recipe(**options: Any) -> Recipe:
    defaults: Options = {
        "batch_size": 5,
        "budget": Budget(epochs=3),
        "evaluate_at": (0, 4, 23, 46, 69),
    }
    return Recipe(**defaults | options)


OVERFLOWING = [0.05, 20.0, 0.5]
"""The second rate's step overflows float32 at the example that `with_a_huge_target` spoils."""


def with_a_huge_target(split: Split) -> Split:
    targets = split.train.targets.copy()
    targets[7] = 3e38
    return Split(Examples(split.train.inputs, targets), split.held_out, split.seed)
