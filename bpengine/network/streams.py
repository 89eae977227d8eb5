"""Named random streams, each given by a seed and a purpose and not by the order of their use.

Numbers come straight from the bit generator, whose stream NumPy keeps stable between versions; the
methods of `numpy.random.Generator` are not promised to be.
"""

from __future__ import annotations

import functools
import math
from typing import Annotated

import numpy as np
import numpy.typing as npt

from bpengine.network._arrays import Array, IntArray

_DOUBLE_BITS = 53
CACHED = 4096  # numbers up to which permutations are kept


def _raw(seed: int, purpose: str, count: int, part: int = 0) -> npt.NDArray[np.uint64]:
    entropy = [seed, part, *purpose.encode()]
    return np.random.PCG64(np.random.SeedSequence(entropy)).random_raw(count)


def uniform(seed: int, purpose: str, count: int) -> Annotated[Array, "example"]:
    """Return independent numbers, uniform in [0, 1), as float64."""
    return (_raw(seed, purpose, count) >> np.uint64(64 - _DOUBLE_BITS)) * 2.0**-_DOUBLE_BITS


def standard_uniform(seed: int, purpose: str, count: int) -> Annotated[Array, "example"]:
    """Return uniform numbers of mean 0 and standard deviation 1, as float64."""
    return math.sqrt(3) * (2 * uniform(seed, purpose, count) - 1)


def standard_normal(seed: int, purpose: str, count: int) -> Annotated[Array, "example"]:
    """Return normal numbers of mean 0 and deviation 1, as float64 (Box and Muller 1958)."""
    first, second = uniform(seed, purpose, 2 * count).reshape(2, count)
    return np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * math.pi * second)


def permutation(
    seed: int, purpose: str, count: int, *, part: int = 0
) -> Annotated[IntArray, "example"]:
    """Return the numbers from 0 to `count - 1` in random order; each `part` has its own stream."""
    if count > CACHED:
        return np.argsort(_raw(seed, purpose, count, part), kind="stable")
    return _permutation(seed, purpose, count, part)


@functools.lru_cache(512)
def _permutation(seed: int, purpose: str, count: int, part: int) -> IntArray:
    # The cohorts of a study visit the same examples in the same orders, whatever their batch size.
    order = np.argsort(_raw(seed, purpose, count, part), kind="stable")
    order.flags.writeable = False
    return order
