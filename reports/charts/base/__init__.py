"""What every chart is made with: style, marks, SVG."""

from __future__ import annotations

from reports.charts.base._chart import (
    Chart,
    Row,
    in_words,
    interval_text,
    sentences,
    validation,
    values,
    with_readings,
)
from reports.charts.base.style import INK, metric_axis, ordered_colors
from reports.charts.base.svg import Drawn

__all__ = [
    "INK",
    "Chart",
    "Drawn",
    "Row",
    "in_words",
    "interval_text",
    "metric_axis",
    "ordered_colors",
    "sentences",
    "validation",
    "values",
    "with_readings",
]


def __dir__() -> list[str]:
    return __all__
