"""Colours of figures on a dark page: light enough to be seen there."""

from __future__ import annotations

import re
from collections.abc import Iterable

from markupsafe import Markup
from matplotlib.colors import to_rgb

from reports.charts.base.style import luminance

PAPER = "#121212"  # of the dark page
CONTRAST = 4.5  # of a line or a letter with its ground (WCAG 2.2 asks 3 of a line)

_DRAWN = re.compile(r'(<(?:use|text)\b[^>]* style="|<[a-z]+\b[^>]* style="[^"]*stroke: #)[^"]*"')
_COLOR = re.compile(r"#[0-9a-f]{6}\b")
_NAMED = re.compile(r"var\(--c([0-9a-f]{6}),")
_FIXED = {"#000000", "#ffffff"}  # ink on cells whose colours stay


def recolorable(drawing: Markup) -> Markup:
    """Return a figure in which a style sheet can replace colours of lines, marks and letters."""
    # Areas keep theirs: numbers are written on them in an ink that suits them.
    return Markup(_DRAWN.sub(lambda match: _COLOR.sub(_named, match[0]), drawing))  # noqa: S704


def _named(color: re.Match[str]) -> str:
    # A colour that stands in a `var()` has a name already.
    before = color.string[: color.start()]
    if color[0] in _FIXED or before.endswith(", ") or lighter(color[0]) == color[0]:
        return color[0]
    return f"var(--c{color[0][1:]}, {color[0]})"


def dark_rules(drawings: Iterable[Markup]) -> str:
    """Return the style sheet that lightens the colours of figures on a dark page."""
    names = sorted({name for drawing in drawings for name in _NAMED.findall(drawing)})
    rules = "".join(f" --c{name}: {lighter(f'#{name}')};" for name in names)
    return f"@media screen and (prefers-color-scheme: dark) {{ :root {{{rules} }} }}\n"


def lighter(color: str) -> str:
    """Return a colour mixed with as little white as its contrast with the dark page needs."""
    parts = [int(color[first : first + 2], 16) for first in (1, 3, 5)]
    mixed = ([round(part + (255 - part) * tenth / 20) for part in parts] for tenth in range(21))
    shades = ("#{:02x}{:02x}{:02x}".format(*shade) for shade in mixed)
    return next(shade for shade in shades if contrast(shade, PAPER) >= CONTRAST)


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours by WCAG 2."""
    low, high = sorted(luminance(to_rgb(color)) for color in (first, second))
    return (high + 0.05) / (low + 0.05)
