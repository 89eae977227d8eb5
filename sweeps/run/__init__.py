"""Running what is missing of a study."""
