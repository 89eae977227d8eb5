"""Mathematics: arrays in, arrays out.

Vectorized backpropagation on cohorts of small networks trained in lockstep. Needs NumPy alone, but
for the estimators, which are loaded with scikit-learn when they are first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpengine.network.architecture import Architecture
from bpengine.network.examples import Examples, Split
from bpengine.optim.schedules import BatchGrowth, Schedule
from bpengine.passes.compiled import default_numerics
from bpengine.training.loop import Curves, Trainer, Training, evaluate, train
from bpengine.training.minibatches import Budget, evaluation_points
from bpengine.training.recipe import Recipe

if TYPE_CHECKING:
    from bpengine.sklearn.estimators import BackpropClassifier, BackpropRegressor

__all__ = [
    "Architecture",
    "BackpropClassifier",
    "BackpropRegressor",
    "BatchGrowth",
    "Budget",
    "Curves",
    "Examples",
    "Recipe",
    "Schedule",
    "Split",
    "Trainer",
    "Training",
    "default_numerics",
    "evaluate",
    "evaluation_points",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in {"BackpropClassifier", "BackpropRegressor"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from bpengine.sklearn import estimators

    return getattr(estimators, name)


def __dir__() -> list[str]:
    return __all__
