"""Mathematics: arrays in, arrays out.

Vectorized backpropagation on cohorts of small networks trained in lockstep. Needs NumPy alone.
"""

from bpengine.lockstep import (
    NUMERICS_VERSION,
    Curves,
    Examples,
    Split,
    Training,
    evaluate,
    train,
)
from bpengine.minibatches import evaluation_points
from bpengine.network import Architecture

__all__ = [
    "NUMERICS_VERSION",
    "Architecture",
    "Curves",
    "Examples",
    "Split",
    "Training",
    "evaluate",
    "evaluation_points",
    "train",
]
