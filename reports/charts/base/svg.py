"""Figures as SVG: inside a page, and as stand-alone files."""

from __future__ import annotations

import io
import json
import math
import re
import textwrap
from collections.abc import Iterable

import matplotlib as mpl
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.charts.base._axes import POINTS, panels, write_axes
from reports.charts.base._chart import Chart, Drawn
from reports.charts.base.style import INK, RULE, SIZE_ID, STYLE, Marks

WIDTH = 6.6  # inches of every figure
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

_MARGIN = 0.05  # share of the values' range that matplotlib leaves free at either end of an axis
_MANY_POWERS = 2.5  # powers of ten
_LEFT, _BOTTOM, _TOP = 0.9, 0.52, 0.27
_TITLE_CHARACTERS, _LINE = 70, 16
_HEAD = re.compile(r"^.*?(?=<svg )", re.DOTALL)
_NOISE = re.compile(r"<(!--.*?--|style.*?</style)>|<defs>\s*</defs>", re.DOTALL)
_FONT = re.compile(r"font-family: [^;\"]*(; )?")
_UNSEEN = re.compile(r'<path d="[^"]*" style="fill: none"/>|<defs></defs>')
_UNTURNED = re.compile(r' transform="rotate\(-0 [^"]*\)"')
_PLACES = re.compile(r' (?:d|x|y|transform|width|height)="[^"]*"')
_DECIMAL = re.compile(r"\d+\.\d+")
_ID = re.compile(r' id="([^"]*)"')
_SIZE = re.compile(rf' id="{SIZE_ID}(\d+)"')
_DATA = re.compile(r" data-(?:marks|scales)='[^']*'")
_TARGET = re.compile(r'(?:url\(#|href="#)([^")]*)')
_GROUPS = re.compile(r"(</?g\b[^>]*>)")
_BOX = re.compile(r'width="[^"]*" height="[^"]*" viewBox="0 0 ([\d.]+) ([\d.]+)"')
_NAME = re.compile(r'(?<= id=")|(?<=url\(#)|(?<=href="#)')


def draw_all(charts: Iterable[Chart]) -> Drawn:
    """Return charts with their elements, by name."""
    return {chart.name: (chart, draw(chart)) for chart in charts}


def draw(chart: Chart) -> str:
    """Return a chart as an `<svg>` element, without its title."""
    return draw_with(chart, np.empty((0, 2)))[0]


def draw_with(chart: Chart, points: np.ndarray) -> tuple[str, np.ndarray]:
    """Return a chart as an `<svg>` element, and where points (x, y) of its axes lie in it."""
    # Fixed margins: measuring the texts to fit them costs as much as drawing.
    width, height = WIDTH - _LEFT - chart.right, chart.height - _BOTTOM - _TOP
    inches = np.array([_LEFT, _BOTTOM, width, height])
    left, bottom, across, up = inches / [WIDTH, chart.height, WIDTH, chart.height]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, chart.height))
        ax = chart.draw(figure.add_axes((left, bottom, across, up)))
        read = marks(ax)
        choices = _scales(ax, chart)
        axes = "".join(write_axes(each) for each in panels(ax))
        written = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(written, format="svg", metadata=nothing)
        places = ax.transData.transform(points) * POINTS / figure.dpi
    head, rest = _compact(written.getvalue()).split(">", 1)
    element = f"{head}>{axes}{rest}"
    for name, data in (("marks", read), ("scales", choices)):
        if data:
            element = element.replace("<svg ", f"<svg data-{name}='{embedded(data)}' ", 1)
    return element, places * [1, -1] + [0, POINTS * chart.height]


def _compact(written: str) -> str:
    """Return the element alone, without what says nothing: less than half of what was written."""
    text = _NOISE.sub("", _HEAD.sub("", written))
    text = _UNTURNED.sub("", _FONT.sub("", text))
    # Lengths in points, as exactly as a screen can show them.
    text = _PLACES.sub(
        lambda match: _DECIMAL.sub(
            lambda number: f"{round(float(number[0]), 1):g}", match[0].replace("\n", "")
        ),
        text,
    )
    text = re.sub(r">\s*\n\s*<", "><", text)
    wanted = set(_TARGET.findall(text))
    text = _SIZE.sub(r' data-batch-size="\1"', text)
    text = _ID.sub(lambda match: match[0] if match[1] in wanted else "", text)
    return _UNSEEN.sub("", _ungrouped(text)).replace("<svg ", f'<svg font-family="{FONTS}" ', 1)


def _ungrouped(text: str) -> str:
    """Drop groups that say nothing of what is in them, and empty ones."""
    kept, bare = [], []
    for part in _GROUPS.split(text):
        if part.startswith("<g") and part.endswith("/>"):
            continue
        if part == "<g>":
            bare.append(True)
            continue
        if part.startswith("<g "):
            bare.append(False)
        if part != "</g>" or not bare.pop():
            kept.append(part)
    return "".join(kept)


def embedded(data: object) -> str:
    r"""Return data as JSON that can be written in an attribute between single quotes."""
    escapes = {ord(character): f"\\u{ord(character):04x}" for character in "<>&'"}
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).translate(escapes)


def alone(svg: str, chart: Chart) -> str:
    """Return the element as a file of its own: white background, its finding as the title."""
    lines = textwrap.wrap(chart.finding, _TITLE_CHARACTERS)
    band = _LINE * len(lines) + 6
    texts = [
        f'<text x="8" y="{_LINE * (number + 1) - band}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    ]
    title = f'<g font-size="11" font-weight="bold" fill="{INK}">{"".join(texts)}</g>'
    width, height = POINTS * WIDTH, POINTS * chart.height
    box = f'0 {-band} {width:g} {height + band:g}"'
    paper = f'<rect x="0" y="{-band}" width="100%" height="100%" fill="#ffffff"/>'
    sized = f'width="{width:g}pt" height="{height + band:g}pt" viewBox="{box}'
    head, rest = _DATA.sub("", _BOX.sub(sized, svg, count=1)).split(">", 1)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}>{paper}{title}{rest}'


def inline(svg: str, chart: Chart, prefix: str = "") -> Markup:
    """Return the element for a page that has other figures: named, described, in its colours."""
    name = f"{prefix}{chart.name}"
    text = _NAME.sub(f"{name}-", _BOX.sub(r'viewBox="0 0 \1 \2"', svg, count=1))
    text = text.replace(INK, f"var(--ink, {INK})").replace(RULE, f"var(--rule, {RULE})")
    head, rest = text.removeprefix("<svg ").split(">", 1)
    said = Markup('<title id="{0}-title">{1}</title><desc id="{0}-desc">{2}</desc>').format(
        name, chart.finding, chart.description
    )
    named = f'aria-labelledby="{name}-title" aria-describedby="{name}-desc"'
    return Markup(f'<svg role="img" {named} {head}>{said}{rest}')  # noqa: S704


def _scales(ax: Axes, chart: Chart) -> list[dict[str, object]]:
    """Return where each scale puts the points of each batch size, and its ticks."""
    (left, _), (right, _) = ax.bbox.get_points() * POINTS / ax.figure.dpi
    width = (right - left) / (1 + 2 * _MARGIN)
    start = left + _MARGIN * width
    made: list[dict[str, object]] = []
    for scale in chart.scales:
        logs = np.log10(chart.table[scale.column])
        low, length = float(logs.min()), float(np.ptp(logs))
        if not length:
            return []
        places = (start + width * (logs - low) / length).round(1)
        # At 1, 2 and 5 of each power of ten or, of many, at 1.
        least, most = low - _MARGIN * length, low + (1 + _MARGIN) * length
        steps = (1, 2, 5) if most - least < _MANY_POWERS else (1,)
        powers = range(math.floor(least), math.ceil(most))
        ticks = [step * 10.0**power for power in powers for step in steps]
        ticks = [tick for tick in ticks if least <= math.log10(tick) <= most]
        across = [round(start + width * (math.log10(tick) - low) / length, 1) for tick in ticks]
        made.append(
            {
                "name": scale.column,
                "label": scale.label,
                "ticks": [*zip(across, map(scale.written, ticks), strict=True)],
                "x": places.groupby(chart.table["batch_size"]).agg(list).to_dict(),
            }
        )
    return made


def marks(ax: Axes) -> dict[str, list[list[object]]]:
    """Return the points that can be read: their places in 1/72 inch, texts and batch sizes."""
    points: dict[tuple[float, float], list[object]] = {}
    for axes in panels(ax):
        lines = [line for line in axes.lines if isinstance(line, Marks)]
        read = [(line.get_xydata(), line.readings, line.sizes) for line in lines]
        for artist in axes.texts:
            gid, label = str(artist.get_gid()), str(artist.get_label())
            if gid.startswith(SIZE_ID) and label:
                size = int(gid.removeprefix(SIZE_ID))
                read.append((np.array([artist.get_position()]), [label], [size]))
        height, scale = axes.figure.bbox.height, POINTS / axes.figure.dpi
        for xy, texts, sizes in read:
            values = axes.transData.transform(np.asarray(xy, np.float64))
            places = ((values - [0, height]) * [1, -1] * scale).round(1)
            for (across, down), text, size in zip(places.tolist(), texts, sizes, strict=True):
                if math.isfinite(across) and 0 <= down <= height * scale:
                    points.setdefault((across, down), [across, down, text, size])
    return {"points": [*points.values()]} if points else {}
