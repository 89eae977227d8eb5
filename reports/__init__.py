"""Insight: tidy tables in; statistics, figures and a page out.

Importing this package is light. Drawing is not, so what draws is loaded when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from reports.schema.results import GroupDescription, StudyDescription, StudyResults

if TYPE_CHECKING:
    from reports.compare.page import build_comparison
    from reports.output.build import build_report

__all__ = [
    "GroupDescription",
    "StudyDescription",
    "StudyResults",
    "build_comparison",
    "build_report",
]

_HOMES = {"build_comparison": "reports.compare.page", "build_report": "reports.output.build"}


def __getattr__(name: str) -> object:
    """Load what writes reports, and with it the drawing libraries, on first use."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _notebook_view(results: StudyResults) -> str:
    from reports.output.notebook import as_html  # noqa: PLC0415 - drawing is loaded when asked for

    return as_html(results)


StudyResults._repr_html_ = _notebook_view
