"""What can be done with a study: forecast, status, export, merge, times by themselves."""

from __future__ import annotations

__all__: list[str] = []


def __dir__() -> list[str]:
    return __all__
