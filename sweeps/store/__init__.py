"""The study's store: one SQLite file."""
