"""Cells of a table: which texts are missing values, numbers or dates, whatever read the file."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt

from bpengine.network import Array, IntArray
from sweeps.errors import DataError

Locate = Callable[[int], str]
"""Where an example is in its file, by its number from 0, such as "line 7"."""

MISSING_MARKERS = ("NA", "N/A", "NaN", "null", "None", "?", ".")
"""What represents a missing value, in any case; an empty cell always does."""

FEW_WORDS = 5  # among numbers may represent missing values

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)
_DAYS = (
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%Y/%m/%d",
    "%d-%b-%Y",
    "%d %b %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%m/%d/%y",
    "%d/%m/%y",
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
_ISO = "ISO 8601"
_FORMS = (_ISO, *(day + time for day in _DAYS for time in _TIMES))
"""Forms of dates; of several that fit, the first is taken."""


class TableError(DataError):
    """What keeps a table from being used, and the parameters that go on without it."""

    def __init__(self, text: str, **remedy: str | tuple[str, ...]) -> None:
        super().__init__(text)
        self.remedy = remedy


@dataclass(frozen=True)
class Markers:
    """What represents a missing value: words in any case, and numbers."""

    words: frozenset[str]
    numbers: tuple[float, ...]

    @classmethod
    def of(cls, written: Iterable[str]) -> Self:
        """Return the markers that texts are."""
        words = {text.strip().casefold() for text in written}
        numbers = [float_of(word) for word in words]
        return cls(frozenset({"", *words}), tuple(n for n in numbers if not math.isnan(n)))


@dataclass(frozen=True)
class Cells:
    """A column of a table."""

    numbers: Annotated[Array, "example"]  # NaN for a text; none if all cells are categories
    texts: tuple[str, ...] = ()  # different ones
    # Which text a cell is; -1 for a number and for nothing.
    codes: Annotated[IntArray, "example"] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def size(self) -> int:
        """Number of cells."""
        return max(self.numbers.size, self.codes.size)

    def used(self) -> IntArray:
        """Return the codes that occur, in ascending order."""
        return np.flatnonzero(np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts)))

    def without(self, markers: Markers) -> Self:
        """Return the column with nothing in the cells that say that a value is missing."""
        numbers, codes = self.numbers, self.codes
        if markers.numbers and np.isin(numbers, markers.numbers).any():
            numbers = np.where(np.isin(numbers, markers.numbers), np.nan, numbers)
        marked = np.array([text.strip().casefold() in markers.words for text in self.texts], bool)
        if markers.numbers:
            marked |= np.isin([*map(number_of, self.texts)], markers.numbers)
        if marked.any():
            # The last one is for cells with nothing in them, whose code is -1.
            codes = np.where(np.append(marked, False)[codes], -1, codes)
        return replace(self, numbers=numbers, codes=codes)

    def rows(self, chosen: IntArray) -> Self:
        """Return the cells of these examples, which are in ascending order."""
        if chosen.size == self.size:
            return self
        numbers = self.numbers[chosen] if self.numbers.size else self.numbers
        codes = self.codes[chosen] if self.codes.size else self.codes
        return replace(self, numbers=numbers, codes=codes)

    def as_texts(self) -> Self:
        """Return the column with its numbers as texts, too."""
        if not self.numbers.size:
            return self
        numbers = np.unique(self.numbers[~np.isnan(self.numbers)])
        codes = np.searchsorted(numbers, self.numbers) + len(self.texts)
        before = self.codes if self.codes.size else -1
        codes = np.where(np.isnan(self.numbers), before, codes)
        texts = (*self.texts, *map(number_name, numbers))
        return replace(self, numbers=np.empty(0), texts=texts, codes=codes)


@dataclass(frozen=True)
class Reading:
    """How the columns of a table are read."""

    name: str  # of the table
    locate: Locate
    markers: Markers
    decimal: str
    declared: frozenset[str]  # columns of features that the user keeps, or calls categorical
    often: float  # more missing texts of a column are a category of their own


def number_of(text: str) -> float:
    """Return the number that a text is, to the bit the one nearest to it; NaN if it is none.

    Digits are those of ASCII, and `1_000`, `nan` and `inf` are no numbers.
    """
    return float(text) if _NUMBER.fullmatch(text) else math.nan


def float_of(text: str) -> float:
    """Return the number that a text is, which may be infinite; NaN if it is none."""
    return float(text) if text in {"inf", "-inf"} else number_of(text)


def are_whole(values: Array) -> bool:
    """Return whether all numbers are whole or infinite; NaN is left out."""
    return not (np.floor(values) < values).any()


def number_name(value: float) -> str:
    """Return a number as the name of a class: whole ones without a point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _pattern(group: str, point: str) -> re.Pattern[str]:
    mark = r"(?:[$€£¥₹₩₽]|USD|EUR|GBP|CHF|JPY|CNY|INR|CAD|AUD|SEK|NOK|DKK|PLN|CZK|BRL)?"
    group = rf"[{group} '\u2019\u00a0\u2009\u202f]"
    whole = rf"\d{{1,3}}(?:(?P<group>{group})\d{{3}}(?:(?P=group)\d{{3}})*)|\d+"
    number = rf"(?P<whole>{whole})?(?:{point}(?P<part>\d+))?"
    written = (
        rf"(?=\D*\d)\s*(?P<sign>[-+]?)\s*(?P<before>{mark})\s*{number}\s*(?P<after>%|{mark})\s*"
    )
    return re.compile(written, re.ASCII)


_WRITTEN = {".": _pattern(",", r"\."), ",": _pattern(r"\.", ",")}
"""Numbers as people write them, by the decimal sign: with currency, percent, thousands."""


def written_numbers(texts: Sequence[str], decimal: str, *, either: bool) -> Array | None:
    """Return the numbers that texts are as people write them; nothing if one of them is none.

    All have at most one unit. With `either` the other decimal sign is tried, too.
    """
    for sign in (decimal, *(set(_WRITTEN) - {decimal})) if either else decimal:
        tried = itertools.takewhile(bool, map(_WRITTEN[sign].fullmatch, texts))
        matches = [match for match in tried if match]
        units = {unit for match in matches for unit in (match["before"], match["after"]) if unit}
        if len(matches) == len(texts) and len(units) <= 1:
            return np.array([*map(_value, matches)])
    return None


def _value(match: re.Match[str]) -> float:
    digits = re.sub(r"\D", "", match["whole"] or "0")
    return float(f"{match['sign']}{digits}.{match['part'] or 0}")


def of_array(values: npt.NDArray[Any]) -> Cells:
    """Return a column that is an array of numbers, flags, or texts with None or NaN for nothing."""
    if values.dtype.kind in "iuf":
        return Cells(values.astype(np.float64))
    numbering: dict[str, int] = {}
    codes = [
        numbering.setdefault(str(cell), len(numbering)) if isinstance(cell, str | int) else -1
        for cell in values.tolist()
    ]
    return Cells(np.empty(0), tuple(numbering), np.array(codes, np.int64))


def date_features(texts: Sequence[str]) -> tuple[str, dict[str, Array]]:
    """Return the form of dates that all texts have, and their numbers; nothing if there is none."""
    stripped = [text.strip() for text in texts]
    for form in _FORMS:
        with suppress(ValueError):
            return form, _numbers([_date(text, form) for text in stripped])
    return "", {}


def _date(text: str, form: str) -> datetime:
    if form == _ISO:
        return datetime.fromisoformat(text)
    return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is left out


def _numbers(dates: Sequence[datetime]) -> dict[str, Array]:
    seconds = np.array([3600 * date.hour + 60 * date.minute + date.second for date in dates])
    parts = [(date.year, date.month, date.weekday(), date.toordinal()) for date in dates]
    year, month, weekday, days = np.array(parts, np.float64).T
    numbers = {"year": year, "month": month, "day of week": weekday}
    if seconds.any():
        numbers["hour"] = seconds // 3600.0
    return numbers | {"days": days + seconds / 86_400}
