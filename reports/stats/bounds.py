"""Bounds of an interval, and the interval of a product."""

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


NOWHERE = Ends(math.nan, math.nan)  # bounds of an interval that isn't known


def bound_columns(name: str, ends: Ends | None) -> dict[str, float]:
    """Return bounds as the columns of a table, NaN if there is no interval."""
    low, high = ends or NOWHERE
    return {f"{name}_low": low, f"{name}_high": high}


def product_interval(factors: Sequence[float], intervals: Sequence[Ends]) -> Ends:
    """Return the interval of a product of independent factors above 0.

    By the method of variance estimates recovery, in logarithms (Zou & Donner 2008, Construction of
    confidence limits about effect measures).
    """
    pairs = list(zip([_log(factor) for factor in factors], intervals, strict=True))
    below = [max(log - _log(ends.low), 0) for log, ends in pairs]
    above = [max(_log(ends.high) - log, 0) for log, ends in pairs]
    middle = sum(log for log, _ in pairs)
    return Ends(math.exp(middle - math.hypot(*below)), math.exp(middle + math.hypot(*above)))


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
