"""Fitted models: steps to a target, the batch size that is best for time, update times, noise."""

from __future__ import annotations

from reports.stats.models.first_passage import CROSSING_COLUMNS, NOT_REACHED, Target
from reports.stats.models.noise_scale import NOISE_CURVE_COLUMNS, RESOLVED
from reports.stats.models.optimal_batch import best_batch_for_time
from reports.stats.models.steps_to_target import StepsToTargetFit
from reports.stats.models.update_cost import UpdateTimeFit, fit_update_time

__all__ = [
    "CROSSING_COLUMNS",
    "NOISE_CURVE_COLUMNS",
    "NOT_REACHED",
    "RESOLVED",
    "StepsToTargetFit",
    "Target",
    "UpdateTimeFit",
    "best_batch_for_time",
    "fit_update_time",
]


def __dir__() -> list[str]:
    return __all__
