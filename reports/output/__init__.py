"""The page, tables, figures and files of a report."""

from reports.output.build import build_report
from reports.output.manuscript import build_paper
