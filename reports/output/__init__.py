"""The page, tables, figures and files of a report."""

from __future__ import annotations

from reports.output.build import build_report
from reports.output.manuscript import build_paper
from reports.output.notebook import as_html

__all__ = ["as_html", "build_paper", "build_report"]


def __dir__() -> list[str]:
    return __all__
