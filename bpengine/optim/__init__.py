"""Optimizers, their state at work, and schedules."""

from __future__ import annotations

from bpengine.optim._optimizers import COMMON, OPTIMIZERS
from bpengine.optim.schedules import BatchGrowth, Schedule
from bpengine.optim.stepper import Stepper

__all__ = ["COMMON", "OPTIMIZERS", "BatchGrowth", "Schedule", "Stepper"]


def __dir__() -> list[str]:
    return __all__
