"""Mistakes of keys together, and of keys with the data."""

from __future__ import annotations

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
