"""Training a cohort of networks in lockstep."""

from bpengine.training.lockstep import NUMERICS_VERSION, Lockstep
from bpengine.training.loop import Curves, Trainer, Training, evaluate, train
from bpengine.training.minibatches import Budget, evaluation_points
from bpengine.training.recipe import Recipe
