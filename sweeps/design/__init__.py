"""From a specification to trials, cohorts and stages."""
