"""Training a cohort of networks in lockstep."""
