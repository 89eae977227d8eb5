"""The page, tables, figures and files of a report."""

from __future__ import annotations

from reports.output.build import build_report
from reports.output.manuscript import build_paper

__all__ = ["build_paper", "build_report"]


def __dir__() -> list[str]:
    return __all__
