"""Statistics on tidy tables: intervals, tests, fits."""

from __future__ import annotations

from reports.stats._differences import by_seed, difference, sizes_of
from reports.stats._two_terms import Curve
from reports.stats.bounds import NOWHERE, Ends
from reports.stats.intervals import (
    CONFIDENCE,
    Comparison,
    bootstrap_interval,
    compare_with_best,
    fieller_interval,
    interquartile_mean,
    paired_difference,
    t_interval,
)
from reports.stats.paired_tests import FEWEST, holm

__all__ = [
    "CONFIDENCE",
    "FEWEST",
    "NOWHERE",
    "Comparison",
    "Curve",
    "Ends",
    "bootstrap_interval",
    "by_seed",
    "compare_with_best",
    "difference",
    "fieller_interval",
    "holm",
    "interquartile_mean",
    "paired_difference",
    "sizes_of",
    "t_interval",
]


def __dir__() -> list[str]:
    return __all__
