"""Several studies on one page."""

from reports.compare.comparison import build_comparison
