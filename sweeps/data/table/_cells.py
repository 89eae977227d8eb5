"""Cells of a table: which texts are numbers follows from one rule, whatever read the file."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np

from bpengine.network import Array, IntArray

Locate = Callable[[int], str]
"""Where an example is in its file, by its number from 0, such as "line 7"."""

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)


@dataclass(frozen=True)
class Cells:
    """A column of a table."""

    numbers: Annotated[Array, "item"]  # NaN for a text; none if all cells are categories
    texts: tuple[str, ...] = ()  # different ones
    # Which text a cell is; -1 for a number and for nothing.
    codes: Annotated[IntArray, "item"] = field(default_factory=lambda: np.empty(0, np.int64))

    def used(self) -> IntArray:
        """Return the codes that occur, in ascending order."""
        return np.flatnonzero(np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts)))


def number_of(text: str) -> float:
    """Return the number that a text is, to the bit the one nearest to it; NaN if it is none.

    Digits are those of ASCII, and `1_000`, `nan` and `inf` are no numbers.
    """
    return float(text) if _NUMBER.fullmatch(text) else math.nan


def as_written(cells: Iterable[object]) -> Cells:
    """Return a column of texts; what is no text is a cell with nothing in it."""
    numbering: dict[str, int] = {}
    codes = [
        numbering.setdefault(cell, len(numbering)) if isinstance(cell, str) else -1
        for cell in cells
    ]
    return Cells(np.empty(0), tuple(numbering), np.array(codes, np.int64))


def told_apart(column: Cells) -> Cells:
    """Return a column as it is written with the numbers distinguished from other texts."""
    numbers = np.array([*map(number_of, column.texts), math.nan])
    numbering = np.where(np.isnan(numbers), np.arange(numbers.size), -1)
    numbering[-1] = -1
    return Cells(numbers[column.codes], column.texts, numbering[column.codes])


def alike(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return pairs of names that only spaces, case or a number's form distinguish."""
    seen: dict[object, str] = {}
    pairs = []
    for name in names:
        number = number_of(name)
        key = name.strip().casefold() if math.isnan(number) else number
        if key in seen:
            pairs.append((seen[key], name))
        seen.setdefault(key, name)
    return pairs
