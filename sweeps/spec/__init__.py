"""The specification of a study."""

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
