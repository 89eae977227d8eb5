"""The network: its shape, activations, losses, metrics, random streams, arrays and examples."""

from __future__ import annotations

from bpengine.network._arrays import Array, BoolArray, IntArray, Parameters, PerLane
from bpengine.network._losses import LOSSES, REDUCTIONS
from bpengine.network._metrics import METRICS
from bpengine.network.activations import ACTIVATIONS
from bpengine.network.architecture import INITIALISERS, Architecture, check_name, initial_parameters
from bpengine.network.examples import Examples, Split, Stack, stack, with_slack
from bpengine.network.streams import permutation

__all__ = [
    "ACTIVATIONS",
    "INITIALISERS",
    "LOSSES",
    "METRICS",
    "REDUCTIONS",
    "Architecture",
    "Array",
    "BoolArray",
    "Examples",
    "IntArray",
    "Parameters",
    "PerLane",
    "Split",
    "Stack",
    "check_name",
    "initial_parameters",
    "permutation",
    "stack",
    "with_slack",
]


def __dir__() -> list[str]:
    return __all__
