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
    return np.sqrt(-2 * _log(1 - first)) * _cos_of_turns(second)


# NumPy's logarithm and cosine round differently on different processors; series of sums, products
# and quotients don't.


def _log(x: Array) -> Array:
    """Return the logarithm of numbers above 0 and up to 1."""
    m, exponent = np.frexp(x)
    small = m < math.sqrt(0.5)
    m, exponent = np.where(small, 2 * m, m), exponent - small
    s = (m - 1) / (m + 1)
    total = np.zeros_like(s)
    for power in range(23, 1, -2):
        total = (total + 1 / power) * (s * s)
    return 2 * (s + s * total) + exponent * math.log(2)


def _cos_of_turns(x: Array) -> Array:
    """Return the cosine of `2 pi x`, x from 0 to 1."""
    angle = 2 * math.pi * (np.abs(x - 0.5) - 0.25)  # its sine is the cosine
    total = np.ones_like(angle)
    for power in range(24, 0, -2):
        total = 1 - total * angle * angle / (power * (power + 1))
    return angle * total


def permutation(
    seed: int, purpose: str, count: int, *, part: int = 0
) -> Annotated[IntArray, "example"]:
    """Return the numbers from 0 to `count - 1` in random order; each `part` has its own stream."""
    order = _kept_order if count <= CACHED else _order
    return order(seed, purpose, count, part)


def _order(seed: int, purpose: str, count: int, part: int) -> IntArray:
    order = np.argsort(_raw(seed, purpose, count, part), kind="stable")
    order.flags.writeable = False
    return order


# The cohorts of a study visit the same examples in the same orders, whatever their batch size.
_kept_order = functools.lru_cache(512)(_order)
