"""The marks of a drawing as data: what can be read off it exactly, and what can be hidden."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.lines import Line2D

MOST_POINTS = 60
"""Points of a line that are values; lines with more are computed curves."""
_CAPS = ("_", "|")


def marks(ax: Axes) -> dict[str, list[object]]:
    """Return the series of Axes and their points, and name the series in the drawing.

    What is returned has `series`: their labels, and `points`: place in points of 1/72 inch from
    the upper left corner, text, and place of the series or -1. Empty if there are no points:
    without `fmt_xdata` and `fmt_ydata` of the axes, which say how values are written.
    """
    handles, labels = ax.get_legend_handles_labels()
    ax.autoscale_view()
    series: dict[Artist, int] = {}
    for number, handle in enumerate(handles):
        for artist in _artists(handle):
            artist.set_gid(f"series-{number}")
            series[artist] = number
    if ax.fmt_xdata is None or ax.fmt_ydata is None:
        return {}
    # What has a label comes first: lines through the same points say no more.
    lines = sorted(ax.lines, key=lambda line: line not in series)
    points: dict[tuple[float, float], list[object]] = {}
    for line in lines:
        if _holds_values(ax, line):
            number = series.get(line, -1)
            for point in _points(
                ax, line, labels[number] if number >= 0 and len(labels) > 1 else ""
            ):
                points.setdefault((point[0], point[1]), [*point, number])
    return {"series": [*labels], "points": [*points.values()]} if points else {}


def _artists(handle: Artist | Container) -> list[Artist]:
    """Return the artists behind an entry of a legend."""
    if not isinstance(handle, Container):
        return [handle]
    parts = [part if isinstance(part, tuple) else (part,) for part in handle if part is not None]
    return [artist for group in parts for artist in group]


def _holds_values(ax: Axes, line: Line2D) -> bool:
    return (
        line.get_transform() == ax.transData
        and line.get_marker() not in _CAPS
        and 0 < len(_values(line)) <= MOST_POINTS
    )


def _points(ax: Axes, line: Line2D, label: str) -> list[tuple[float, float, str]]:
    points = _values(line)
    height, note = ax.figure.bbox.height, f" ({label})" if label else ""
    places = (ax.transData.transform(points) - [0, height]) * [1, -1] * 72 / ax.figure.dpi
    return [
        (across, down, f"{ax.format_xdata(x)}: {ax.format_ydata(y)}{note}")
        for (x, y), (across, down) in zip(points.tolist(), places.round(1).tolist(), strict=True)
        if math.isfinite(across) and 0 <= down <= height * 72 / ax.figure.dpi
    ]


def _values(line: Line2D) -> np.ndarray:
    return np.asarray(line.get_xydata(), np.float64)
