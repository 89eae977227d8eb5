"""Several studies on one page."""

from __future__ import annotations

from reports.compare.comparison import build_comparison

__all__ = ["build_comparison"]


def __dir__() -> list[str]:
    return __all__
