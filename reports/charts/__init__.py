"""The charts."""

from __future__ import annotations

from reports.charts.catalogue import charts
from reports.charts.groups import group_charts
from reports.charts.timeline import timeline_charts

__all__ = ["charts", "group_charts", "timeline_charts"]


def __dir__() -> list[str]:
    return __all__
