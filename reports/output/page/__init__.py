"""The HTML page."""

from __future__ import annotations

from reports.output.page.cells import Table
from reports.output.page.page import FIGURES
from reports.output.page.tables import group_table, page_tables

__all__ = ["FIGURES", "Table", "group_table", "page_tables"]


def __dir__() -> list[str]:
    return __all__
