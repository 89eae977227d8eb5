"""Optimizers, their state at work, and schedules."""

from __future__ import annotations

from bpengine.optim._optimizers import COMMON, MEMORIES, OPTIMIZERS, share_at
from bpengine.optim.schedules import BatchGrowth, Schedule
from bpengine.optim.stepper import Stepper

__all__ = [
    "COMMON",
    "MEMORIES",
    "OPTIMIZERS",
    "BatchGrowth",
    "Schedule",
    "Stepper",
    "share_at",
]


def __dir__() -> list[str]:
    return __all__
