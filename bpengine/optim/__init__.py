"""Optimizers, their state at work, and schedules."""

from __future__ import annotations

from bpengine.optim._optimizers import COMMON, MEMORIES, OPTIMIZERS, share_at, usual_rate_rule
from bpengine.optim.schedules import RATE_RULES, BatchGrowth, Schedule
from bpengine.optim.stepper import Stepper

__all__ = [
    "COMMON",
    "MEMORIES",
    "OPTIMIZERS",
    "RATE_RULES",
    "BatchGrowth",
    "Schedule",
    "Stepper",
    "share_at",
    "usual_rate_rule",
]


def __dir__() -> list[str]:
    return __all__
