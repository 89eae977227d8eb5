"""The specification of a study."""

from __future__ import annotations

from sweeps.spec._messages import Location, path_of
from sweeps.spec.axes import (
    AXES,
    BUDGETS,
    EXAMPLES,
    HYPERPARAMETERS,
    GrowthChoice,
    OptimizerChoice,
    ScheduleChoice,
)
from sweeps.spec.load import named_data
from sweeps.spec.model import StudySpecification, given, toml_value
from sweeps.spec.types import (
    AUTO,
    FULL,
    LARGEST_RATE,
    MOST_TRIALS,
    SMALLEST_RATE,
    PowersOfTwo,
    rounded,
)

__all__ = [
    "AUTO",
    "AXES",
    "BUDGETS",
    "EXAMPLES",
    "FULL",
    "HYPERPARAMETERS",
    "LARGEST_RATE",
    "MOST_TRIALS",
    "SMALLEST_RATE",
    "GrowthChoice",
    "Location",
    "OptimizerChoice",
    "PowersOfTwo",
    "ScheduleChoice",
    "StudySpecification",
    "given",
    "named_data",
    "path_of",
    "rounded",
    "toml_value",
]


def __dir__() -> list[str]:
    return __all__
