"""Mistakes of keys together, and of keys with the data."""
