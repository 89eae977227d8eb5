"""Training a cohort of networks in lockstep."""

from __future__ import annotations

from bpengine.training.lockstep import Lockstep
from bpengine.training.minibatches import Budget
from bpengine.training.recipe import Recipe

__all__ = ["Budget", "Lockstep", "Recipe"]


def __dir__() -> list[str]:
    return __all__
