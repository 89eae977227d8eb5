"""Figures as SVG: inside a page, and as stand-alone files."""

from __future__ import annotations

import io
import re
import textwrap

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from reports.charts import Chart
from reports.figures import INK, RULE, STYLE

WIDTH = 6.6
"""Inches of every figure."""
FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
"""Replaces matplotlib's own font, which readers rarely have and which is wider."""

_LEFT, _BOTTOM, _TOP = 0.78, 0.52, 0.12
_TITLE_CHARACTERS, _LINE = 80, 16
_HEAD = re.compile(r"^.*?(?=<svg )", re.DOTALL)
_NOISE = re.compile(r"\s*<(!--.*?--|style.*?</style)>", re.DOTALL)
_FONT = re.compile(r"'DejaVu Sans'(, '?[\w\- ]+'?)*")
_BOX = re.compile(r'width="[^"]*" height="[^"]*" viewBox="0 0 ([\d.]+) ([\d.]+)"')
_ID = re.compile(r'(?<= id=")|(?<=url\(#)|(?<=href="#)')


def draw(chart: Chart) -> str:
    """Return a chart as an `<svg>` element, without its title.

    Args:
        chart: What to draw.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, chart.height))
        # Fixed margins: measuring the texts to fit them costs as much as drawing.
        figure.subplots_adjust(
            left=_LEFT / WIDTH,
            right=1 - chart.right / WIDTH,
            bottom=_BOTTOM / chart.height,
            top=1 - _TOP / chart.height,
        )
        chart.draw(figure.add_subplot())
        written = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(written, format="svg", metadata=nothing)
    return _FONT.sub(FONTS, _NOISE.sub("", _HEAD.sub("", written.getvalue())))


def alone(svg: str, chart: Chart) -> str:
    """Return the element as a file of its own: white background, its finding as the title.

    Args:
        svg: Made by `draw`.
        chart: What it shows.
    """
    lines = textwrap.wrap(chart.finding, _TITLE_CHARACTERS)
    band = _LINE * len(lines) + 6
    texts = [
        f'<text x="8" y="{_LINE * (place + 1) - band}" font-family="{FONTS}" font-size="11" '
        f'font-weight="bold" fill="{INK}">{escape(line)}</text>'
        for place, line in enumerate(lines)
    ]
    width, height = 72 * WIDTH, 72 * chart.height
    box = f'0 {-band} {width:g} {height + band:g}"'
    paper = f'<rect x="0" y="{-band}" width="100%" height="100%" fill="#ffffff"/>'
    sized = f'width="{width:g}pt" height="{height + band:g}pt" viewBox="{box}'
    head, rest = _BOX.sub(sized, svg, count=1).split(">", 1)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{head}>{paper}{"".join(texts)}{rest}'


def inline(svg: str, chart: Chart, prefix: str = "") -> Markup:
    """Return the element for a page that has other figures.

    Identifiers get the prefix and the chart's name in front, ink and rules take the page's colours,
    and the element gets a role, a title and a description.

    Args:
        svg: Made by `draw`.
        chart: What it shows.
        prefix: Tells the charts of one group from those of another.
    """
    name = f"{prefix}{chart.name}"
    text = _ID.sub(f"{name}-", _BOX.sub(r'viewBox="0 0 \1 \2"', svg, count=1))
    text = text.replace(INK, f"var(--ink, {INK})").replace(RULE, f"var(--rule, {RULE})")
    head, rest = text.removeprefix("<svg ").split(">", 1)
    said = Markup('<title id="{0}-title">{1}</title><desc id="{0}-desc">{2}</desc>').format(
        name, chart.finding, chart.description
    )
    named = f'aria-labelledby="{name}-title" aria-describedby="{name}-desc"'
    return Markup(f'<svg role="img" {named} {head}>{said}{rest}')  # noqa: S704
