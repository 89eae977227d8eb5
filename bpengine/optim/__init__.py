"""Optimizers, their state at work, and schedules."""

from bpengine.optim._optimizers import COMMON, OPTIMIZERS
from bpengine.optim.schedules import BatchGrowth, Schedule
from bpengine.optim.stepper import Stepper
