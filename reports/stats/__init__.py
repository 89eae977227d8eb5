"""Statistics on tidy tables: intervals, tests, fits."""

from __future__ import annotations

from reports.stats._differences import by_seed, difference, sizes_of
from reports.stats.bounds import NOWHERE, Ends
from reports.stats.intervals import CONFIDENCE, t_interval
from reports.stats.paired_tests import FEWEST, holm

__all__ = [
    "CONFIDENCE",
    "FEWEST",
    "NOWHERE",
    "Ends",
    "by_seed",
    "difference",
    "holm",
    "sizes_of",
    "t_interval",
]


def __dir__() -> list[str]:
    return __all__
