"""Two ends of an interval, and the interval of a product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Ends(NamedTuple):
    """Ends of an interval; 0 and infinity where the data set none."""

    low: float
    high: float

    def inverse(self) -> Ends:
        """Return the interval of 1/x."""
        return Ends(
            1 / self.high if self.high > 0 else math.inf, 1 / self.low if self.low > 0 else math.inf
        )


def product_interval(factors: Sequence[float], intervals: Sequence[Ends]) -> Ends:
    """Return the interval of a product of independent factors above 0.

    The distances of the factors' ends add in quadrature, in logarithms, lower and upper ones apart:
    the method of variance estimates recovery (Zou & Donner 2008, Construction of confidence limits
    about effect measures, Statist. Med. 27).

    An interval has 0 or infinity where it has no end.

    Example:
        >>> intervals = [Ends(math.exp(-3), 1), Ends(math.exp(-4), 2)]
        >>> low, high = product_interval([1.0, 1.0], intervals)
        >>> round(math.log(low), 6), round(high, 6)
        (-5.0, 2.0)
    """
    pairs = list(zip([_log(factor) for factor in factors], intervals, strict=True))
    below = [max(log - _log(ends.low), 0) for log, ends in pairs]
    above = [max(_log(ends.high) - log, 0) for log, ends in pairs]
    middle = sum(log for log, _ in pairs)
    return Ends(math.exp(middle - math.hypot(*below)), math.exp(middle + math.hypot(*above)))


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
