"""Forward and backward passes: of a cohort, and of one example at a time."""

from bpengine.passes.backprop import ROWS, Backprop, Inputs, Weights, cache_slices, shard_slices
