"""From a table to a dataset."""
