"""What every chart is made with: style, marks, SVG."""

from __future__ import annotations

from reports.charts.base._chart import (
    Chart,
    Drawn,
    Row,
    Scale,
    in_words,
    interval_text,
    sentences,
    validation,
    values,
    with_metric,
    with_readings,
)

__all__ = [
    "Chart",
    "Drawn",
    "Row",
    "Scale",
    "in_words",
    "interval_text",
    "sentences",
    "validation",
    "values",
    "with_metric",
    "with_readings",
]


def __dir__() -> list[str]:
    return __all__
