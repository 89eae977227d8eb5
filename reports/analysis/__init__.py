"""The tables of one configuration."""
