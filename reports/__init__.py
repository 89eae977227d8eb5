"""Insight: tidy tables in; statistics, figures and a page out.

Importing this package is light. Drawing is not, so `build_report` is loaded when it is first asked
for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from reports.results import GroupDescription, StudyDescription, StudyResults

if TYPE_CHECKING:
    from reports.build import build_report

__all__ = ["GroupDescription", "StudyDescription", "StudyResults", "build_report"]


def __getattr__(name: str) -> object:
    """Load `build_report`, and with it the drawing libraries, on first use."""
    if name == "build_report":
        return importlib.import_module("reports.build").build_report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
