"""The answer: which batch size to use."""
