"""The specification of a study."""
