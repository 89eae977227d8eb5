"""What goes in: tables, columns, units, and how numbers are written."""

from reports.schema.formats import (
    MISSING,
    capitalised,
    count,
    listing,
    lowered,
    off_by,
    percent,
    plural,
    rate,
    seconds,
    significant,
    sizes,
    times,
    visible,
)
from reports.schema.measures import Measure, measure_of, rmse_unit
from reports.schema.outcomes import CELL, SIZE, count_outcomes, count_seeds, has_value
from reports.schema.results import (
    BATCH_SIZE,
    CLASSIFICATION,
    CONFIRM,
    CURVE_COLUMNS,
    EXPLORE,
    FRESH_STAGES,
    GROUP,
    REFINE,
    SEED,
    TARGET,
    TIMING_COLUMNS,
    TRIAL_COLUMNS,
    TUNING_STAGES,
    Cluster,
    Column,
    GroupDescription,
    StudyDescription,
    StudyResults,
    as_table,
    empty_table,
)
