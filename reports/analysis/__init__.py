"""The tables of one configuration."""

from __future__ import annotations

from reports.analysis.batch_sizes import SEEDS_FOR_INTERVAL
from reports.analysis.equal_budgets import SECONDS, by_rule
from reports.analysis.scaling_record import ScalingRecord, TargetRecord
from reports.analysis.selection import select_rates, summarise_cells, without_noise
from reports.analysis.update_times import (
    CONTENDED_BELOW,
    TIMING_SUMMARY_COLUMNS,
    UNSTEADY_ABOVE,
    one_network,
    summarise_timing,
)
from reports.analysis.worker_timeline import Timeline

__all__ = [
    "CONTENDED_BELOW",
    "SECONDS",
    "SEEDS_FOR_INTERVAL",
    "TIMING_SUMMARY_COLUMNS",
    "UNSTEADY_ABOVE",
    "ScalingRecord",
    "TargetRecord",
    "Timeline",
    "by_rule",
    "one_network",
    "select_rates",
    "summarise_cells",
    "summarise_timing",
    "without_noise",
]


def __dir__() -> list[str]:
    return __all__
