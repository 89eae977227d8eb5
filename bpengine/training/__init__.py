"""Training a cohort of networks in lockstep."""

from __future__ import annotations

from bpengine.training.lockstep import NUMERICS_VERSION, Lockstep
from bpengine.training.loop import Curves, Trainer, Training, evaluate, train
from bpengine.training.minibatches import Budget, evaluation_points
from bpengine.training.recipe import Recipe

__all__ = [
    "NUMERICS_VERSION",
    "Budget",
    "Curves",
    "Lockstep",
    "Recipe",
    "Trainer",
    "Training",
    "evaluate",
    "evaluation_points",
    "train",
]


def __dir__() -> list[str]:
    return __all__
