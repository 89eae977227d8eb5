"""A small network, trained with a few seeds and rates; data that make one of the rates diverge."""

from __future__ import annotations

from typing import Any

from bpengine import Architecture, Budget, Recipe, Split, Training, train

Options = dict[str, Any]

ARCHITECTURE = Architecture((6, 5, 4, 3))
RATES = [0.05, 0.5, 2.0]


def train_small(
    splits: list[Split],
    rates: list[float] = RATES,
    *,
    architecture: Architecture = ARCHITECTURE,
    **options: Any,
) -> Training:
    settings = [{"learning_rate": rate} for rate in rates]
    return train(architecture, splits, settings, recipe(**options))


def recipe(**options: Any) -> Recipe:
    defaults: Options = {
        "batch_size": 5,
        "budget": Budget(epochs=3),
        "evaluate_at": (0, 4, 23, 46, 69),
    }
    return Recipe(**defaults | options)


LINEAR = Architecture((6, 5, 4, 3), "tanh", "identity")
OVERFLOWING = [0.01, 3e38, 0.05]
"""With the second rate the weights of `LINEAR` overflow float32 within a few updates."""
