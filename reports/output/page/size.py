"""What fits into a page that must stay small: sections first, then figures, tables and files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

PAGE_LIMIT = 1_500_000
"""Bytes that a page may have."""
RESERVED = 75_000
"""Bytes of it for what is always there: style, script, headings, claims and the lists of files."""
MOST_DRAWN = 80
"""Figures drawn for a report; a study of many groups has fewer of them for each."""


@dataclass
class Room:
    """Bytes that are left of a page.

    Attributes:
        left: So many.
        refused: Names of what did not fit, in order.
    """

    left: int
    refused: list[str] = field(default_factory=list)

    def admit(self, name: str, *sizes: int) -> bool:
        """Take room for all of these or, if they don't fit together, for none of them."""
        needed = sum(sizes)
        fits = needed <= self.left
        if fits:
            self.left -= needed
        elif name:
            self.refused.append(name)
        return fits


def figures_for_each(groups: int, available: Sequence[int]) -> int:
    """Return how many figures of each group are drawn: all, unless that would be too many."""
    if sum(available) <= MOST_DRAWN:
        return max(available, default=0)
    return MOST_DRAWN // groups
