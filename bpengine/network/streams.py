"""Named random streams.

A stream is determined by a seed and a purpose, never by the order in which streams are used.
Numbers come straight from the bit generator, whose stream NumPy keeps stable between versions; the
methods of `numpy.random.Generator` are not promised to be.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import numpy.typing as npt

from bpengine.network.arrays import Array, IntArray

_DOUBLE_BITS = 53


def _raw(seed: int, purpose: str, count: int, part: int = 0) -> npt.NDArray[np.uint64]:
    entropy = [seed, part, *purpose.encode()]
    return np.random.PCG64(np.random.SeedSequence(entropy)).random_raw(count)


def uniform(seed: int, purpose: str, count: int) -> Annotated[Array, "item"]:
    """Return independent numbers, uniform in [0, 1), as float64.

    Args:
        seed: A whole number of at least 0.
        purpose: What the numbers are for; streams of different purposes are independent.
        count: How many.
    """
    return (_raw(seed, purpose, count) >> np.uint64(64 - _DOUBLE_BITS)) * 2.0**-_DOUBLE_BITS


def standard_uniform(seed: int, purpose: str, count: int) -> Annotated[Array, "item"]:
    """Return independent uniform numbers with mean 0 and standard deviation 1, as float64.

    Args:
        seed: A whole number of at least 0.
        purpose: What the numbers are for.
        count: How many.
    """
    return math.sqrt(3) * (2 * uniform(seed, purpose, count) - 1)


def standard_normal(seed: int, purpose: str, count: int) -> Annotated[Array, "item"]:
    """Return independent normal numbers with mean 0 and standard deviation 1, as float64.

    Args:
        seed: A whole number of at least 0.
        purpose: What the numbers are for.
        count: How many.

    Source:
        Box and Muller 1958.
    """
    first, second = uniform(seed, purpose, 2 * count).reshape(2, count)
    return np.sqrt(-2 * np.log1p(-first)) * np.cos(2 * math.pi * second)


def permutation(
    seed: int, purpose: str, count: int, *, part: int = 0
) -> Annotated[IntArray, "item"]:
    """Return the numbers from 0 to `count - 1` in random order.

    Args:
        seed: A whole number of at least 0.
        purpose: What the order is for; streams of different purposes are independent.
        count: How many.
        part: Number of the order within the purpose, such as the epoch; each has its own stream.
    """
    return np.argsort(_raw(seed, purpose, count, part), kind="stable")
