"""What every chart is made with: style, marks, SVG."""

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
    with_readings,
)
from reports.charts.base.style import INK, metric_axis, ordered_colors
