"""Mathematics: arrays in, arrays out.

Vectorized backpropagation on cohorts of small networks trained in lockstep. Needs NumPy alone.
"""

from bpengine.network.architecture import Architecture
from bpengine.network.examples import Examples, Split
from bpengine.optim.schedules import BatchGrowth, Schedule
from bpengine.training.lockstep import NUMERICS_VERSION
from bpengine.training.loop import Curves, Trainer, Training, evaluate, train
from bpengine.training.minibatches import Budget, evaluation_points
from bpengine.training.recipe import Recipe

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
