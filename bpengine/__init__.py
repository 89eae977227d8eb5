"""Mathematics: arrays in, arrays out.

Vectorized backpropagation on cohorts of small networks trained in lockstep. Needs NumPy alone.
"""

from bpengine.lockstep import NUMERICS_VERSION
from bpengine.minibatches import Budget, evaluation_points
from bpengine.network.architecture import Architecture
from bpengine.network.examples import Examples, Split
from bpengine.optim.schedules import BatchGrowth, Schedule
from bpengine.recipe import Recipe
from bpengine.training import Curves, Trainer, Training, evaluate, train

__all__ = [
    "NUMERICS_VERSION",
    "Architecture",
    "BatchGrowth",
    "Budget",
    "Curves",
    "Examples",
    "Recipe",
    "Schedule",
    "Split",
    "Trainer",
    "Training",
    "evaluate",
    "evaluation_points",
    "train",
]
