"""Optimizers, their state at work, and schedules."""
