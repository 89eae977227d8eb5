"""Fitted models: steps to a target, the batch size that is best for time, update times, noise."""
