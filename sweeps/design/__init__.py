"""From a specification to trials, cohorts and stages."""

from __future__ import annotations

from sweeps.design.cohorts import cohort_cost, plan
from sweeps.design.trials import (
    Cohort,
    Configuration,
    EngineConfiguration,
    Planned,
    TrainerConfiguration,
    Trial,
    fields_from,
)

__all__ = [
    "Cohort",
    "Configuration",
    "EngineConfiguration",
    "Planned",
    "TrainerConfiguration",
    "Trial",
    "cohort_cost",
    "fields_from",
    "plan",
]


def __dir__() -> list[str]:
    return __all__
