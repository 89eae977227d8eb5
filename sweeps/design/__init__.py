"""From a specification to trials, cohorts and stages."""

from sweeps.design.cohorts import cohort_cost, plan
from sweeps.design.trials import Cohort, Configuration, Planned, Trial, fields_from
