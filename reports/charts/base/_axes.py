"""The axes of a figure as SVG: lines, ticks, labels and grid, written from the scales.

matplotlib's artists of ticks take half of the time of a figure; its locators still choose them.
"""

from __future__ import annotations

import numpy as np
from markupsafe import escape
from matplotlib.axes import Axes
from matplotlib.axis import Axis

from reports.charts.base.style import INK, LABEL_SIZE, RULE, SIZES, TICK_SIZE

POINTS = 72  # of an inch
_TICK, _PAD = 3.5, 3.5  # points of a tick's length, and between it and its text
_RISE = 0.76  # height of a capital letter, as a share of the size of its font
_ACROSS, _DOWN = 55.0, 29.0  # points from an axis to the baseline of its label
_NEAR = 1e-6  # share of an axis by which a tick may lie outside of it


def panels(ax: Axes) -> list[Axes]:
    """Return axes and those inset in them."""
    return [ax, *(child for child in ax.child_axes if isinstance(child, Axes))]


def write_axes(ax: Axes) -> str:
    """Return all that is drawn of axes but their data, and take it off them; "" if it is off."""
    if not ax.axison:
        return ""
    scale = POINTS / ax.figure.dpi
    height = ax.figure.bbox.height * scale
    (left, bottom), (right, top) = ax.bbox.get_points() * scale * [1, -1] + [0, height]
    x_ticks, y_ticks = _length(ax.xaxis), _length(ax.yaxis)
    frame = [f"M{left:.1f} {top:.1f}V{bottom:.1f}H{right:.1f}"]
    below, before = bottom + x_ticks + _PAD + _RISE * TICK_SIZE, left - y_ticks - _PAD
    marks, across, up, grid = [], [], [], []
    for share, text in _ticks(ax.xaxis):
        x = left + share * (right - left)
        marks.append(f"M{x:.1f} {bottom:.1f}v{x_ticks}")
        across.append(_text(text, x, below))
    for share, text in _ticks(ax.yaxis):
        y = bottom + share * (top - bottom)
        frame.append(f"M{left:.1f} {y:.1f}h-{y_ticks}")
        grid.append(f"M{left:.1f} {y:.1f}H{right:.1f}" * _has(ax.yaxis, "gridOn"))
        up.append(_text(text, before, y + _RISE * TICK_SIZE / 2))
    ax.set_axis_off()
    across_name = "size" if ax.get_xlabel().startswith(SIZES) else "x"
    labels = [
        _text(ax.get_xlabel(), (left + right) / 2, bottom + _DOWN),
        _text(ax.get_ylabel(), left - _ACROSS, (bottom + top) / 2, turned=True),
    ]
    return "".join(
        (
            _path(grid, RULE, 0.6),
            _path(frame, INK, 0.8),
            _group(across_name, "middle", TICK_SIZE, [_path(marks, INK, 0.8), *across])
            if _has(ax.xaxis, "labelbottom")
            else "",
            _group("y", "end", TICK_SIZE, up) if _has(ax.yaxis, "labelleft") else "",
            _group("labels", "middle", LABEL_SIZE, labels),
        )
    )


def _ticks(axis: Axis) -> list[tuple[float, str]]:
    """Where the ticks within an axis are, as shares of its length, and their texts."""
    places = np.asarray(axis.get_majorticklocs(), np.float64)
    low, high = axis.get_transform().transform(np.asarray(axis.get_view_interval()))
    shares = (axis.get_transform().transform(places) - low) / (high - low)
    texts = axis.get_major_formatter().format_ticks(places.tolist())
    return [
        (share, text)
        for share, text in zip(shares.tolist(), texts, strict=True)
        if -_NEAR <= share <= 1 + _NEAR
    ]


def _has(axis: Axis, part: str) -> bool:
    return bool(axis.get_tick_params().get(part))


def _length(axis: Axis) -> float:
    return float(axis.get_tick_params().get("length", _TICK))


def _path(pieces: list[str], color: str, width: float) -> str:
    style = f"fill: none; stroke: {color}; stroke-width: {width}"
    return f'<path d="{"".join(pieces)}" style="{style}"/>' if any(pieces) else ""


def _group(name: str, anchor: str, size: float, texts: list[str]) -> str:
    style = f"font-size: {size}px; text-anchor: {anchor}; fill: {INK}"
    return f'<g data-axis="{name}" style="{style}">{"".join(texts)}</g>' if any(texts) else ""


def _text(text: str, x: float, y: float, *, turned: bool = False) -> str:
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{turn}>{escape(text)}</text>' if text else ""
