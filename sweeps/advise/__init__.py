"""A recommendation within a time budget."""
