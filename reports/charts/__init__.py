"""The charts."""

from reports.charts.catalogue import charts
from reports.charts.groups import group_charts
from reports.charts.timeline import timeline_charts
