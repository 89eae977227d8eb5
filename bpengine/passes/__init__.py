"""Forward and backward passes: of a cohort, and of one example at a time."""

from __future__ import annotations

from bpengine.passes.backprop import (
    ROWS,
    Backprop,
    Inputs,
    Weights,
    cache_slices,
    shard_slices,
    slices_of,
)

__all__ = ["ROWS", "Backprop", "Inputs", "Weights", "cache_slices", "shard_slices", "slices_of"]


def __dir__() -> list[str]:
    return __all__
