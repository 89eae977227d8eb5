"""Forward and backward passes: of a cohort, and of one example at a time."""
