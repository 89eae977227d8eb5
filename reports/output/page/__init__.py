"""The HTML page."""

from __future__ import annotations

from reports.output.page._tables import group_table, page_tables
from reports.output.page.cells import Table
from reports.output.page.page import FIGURES

__all__ = ["FIGURES", "Table", "group_table", "page_tables"]


def __dir__() -> list[str]:
    return __all__
