"""The HTML page."""

from reports.output.page._tables import group_table, page_tables
from reports.output.page.cells import Table
from reports.output.page.page import FIGURES
