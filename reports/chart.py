"""A figure of the report, before it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.axes import Axes


@dataclass(frozen=True)
class Chart:
    """A figure of the report, ready to be drawn.

    Attributes:
        name: Its file's name, without the ending.
        heading: What is drawn.
        finding: What it shows, computed; its title.
        caption: Statistic, number of seeds, method and rules.
        description: The values in words, for those who can't see it.
        draw: Draws it.
        height: Inches, at a width of `reports.svg.WIDTH`.
        right: Inches kept free right of the axes.
        switch: Name shared by figures of which a page may show one at a time; "" for none.
        option: What tells it from those: to be read after "Against".
    """

    name: str
    heading: str
    finding: str
    caption: str
    description: str
    draw: Callable[[Axes], Axes]
    height: float = 3.2
    right: float = 0.12
    switch: str = ""
    option: str = ""
