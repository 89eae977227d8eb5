"""Measurements of gradients and curvature: gradient noise, sharpness."""

from __future__ import annotations

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
