"""The sentences of a page."""
