"""The features of a table: kinds of its columns by what they hold, categories one-hot."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np

from bpengine.network import Array, IntArray
from sweeps.data.parameters import Limited
from sweeps.data.table._cells import (
    FEW_WORDS,
    Cells,
    Locate,
    Reading,
    TableError,
    are_whole,
    date_features,
    number_of,
    of_array,
    written_numbers,
)
from sweeps.errors import DataError, counted, gigabytes, joined, shown

if TYPE_CHECKING:
    from pandas import Series

LARGEST_WHOLE = 2**53  # from here on float64 can't tell neighbouring whole numbers apart
MOST_CATEGORIES = 256  # of a column; more texts are no categories
OFTEN_MISSING = 0.05  # of a column: that its value is missing becomes a feature of its own
FEWEST_TEXTS = 2  # more texts that are all different identify examples rather than sort them
MOST_SEPARATE = 20  # more texts, most of which occur once, are no categories either
FLOAT_BYTES = 8
COPIES = 4  # of features and targets in memory at most: as read, filled, split and scaled
MISSING = "(missing)"
"""The category of missing values."""

_LEAST_TO_IDENTIFY, _LEAST_NAMED = 20, 3  # whole numbers that all differ, without and with a hint
_DENSE = 10  # identifying numbers fill at least a tenth of their range, or are many
_SURE = 100  # so many even numbers identify examples however wide their range is
_EVEN = 1.36  # Kolmogorov-Smirnov distance times root n that even numbers stay below, in 95%
_NAMED = re.compile(
    r"(?:.*[\W_])?(?:id|ids|idx|index|row|rowid|rownames?|no|nr|uuid|guid|serial)"
    r"(?:[\W_].*)?",
    re.IGNORECASE,
)
_NAMED_WITHIN = re.compile(r".*[a-z](?:Id|ID|Nr|No|Number|Index)")
_TIMES = re.compile(r"year|date|time|day|month", re.IGNORECASE)
_SENTINEL = re.compile(r"-?9{2,}")
_FLAGS = {"false": 0.0, "true": 1.0}
_LISTED = 20  # names of columns in a note
_ALMOST_NUMBER = re.compile(r"\s*[-+]?\d[\d.,_' ]*\s*")


@dataclass(frozen=True)
class Column:
    """One column of features."""

    name: str
    values: Annotated[Array, "example"]  # numbers, or those of categories; NaN where missing
    categories: tuple[str, ...] = ()
    is_indicator: bool = False  # 1 where another column is missing, else 0

    @property
    def features(self) -> list[str]:
        """Names of the features it becomes."""
        return [f"{self.name}={category}" for category in self.categories] or [self.name]

    def encoded(self) -> Annotated[Array, "example feature"]:
        """Return its features, one-hot if categorical; NaN where missing."""
        if not self.categories:
            return self.values[:, None]
        width = len(self.categories)
        rows = np.vstack([np.eye(width), np.full(width, np.nan)])
        return rows[np.nan_to_num(self.values, nan=width).astype(np.int64)]


@dataclass(frozen=True)
class Features:
    """Features of examples, column by column."""

    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()
    obstacles: tuple[TableError, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each feature."""
        return tuple(name for column in self.columns for name in column.features)

    @property
    def groups(self) -> Annotated[IntArray, "feature"]:
        """Number of the column that stays 0 and 1; -1 for a number."""
        numbers = itertools.count()
        groups = [
            next(numbers) if column.categories or column.is_indicator else -1
            for column in self.columns
        ]
        return np.repeat(groups, [len(column.features) for column in self.columns])

    def encoded(self) -> Annotated[Array, "example feature"]:
        """Return all features."""
        return np.hstack([column.encoded() for column in self.columns])

    def gaps(self) -> dict[str, IntArray]:
        """Return the examples that each column with missing values misses."""
        rows = {column.name: np.flatnonzero(np.isnan(column.values)) for column in self.columns}
        return {name: gaps for name, gaps in rows.items() if gaps.size}


def read_features(table: Mapping[str, Cells], reading: Reading) -> Features:
    """Read columns of features."""
    columns, notes, obstacles = list[Column](), list[str](), list[TableError]()
    for column, cells in table.items():
        try:
            features, note = _read(cells, column, reading)
        except TableError as error:
            text = f"{reading.name}, column {shown(column)}: {error}"
            obstacles.append(TableError(text, **(error.remedy or {"ignore": (column,)})))
        else:
            columns += features
            notes += [f"Column {shown(column)}: {note}"] if note else []
    identifiers = [column.name for column in columns if _identifies(column, reading)]
    if 0 < len(identifiers) < len(columns):
        columns = [column for column in columns if column.name not in identifiers]
        keep = f"keep = [{', '.join(map(shown, identifiers[:5]))}]"
        left_out = f"Left out, as they identify examples: {joined(identifiers, _LISTED)}"
        notes.append(f"{left_out}. `{keep}` takes them back.")
    if not columns and all("ignore" in obstacle.remedy for obstacle in obstacles):
        # Without all of them nothing would be left.
        obstacles = [TableError(str(obstacle)) for obstacle in obstacles]
        obstacles.append(TableError(f"{reading.name} has no column that can be a feature."))
    if obstacles:
        return Features((), obstacles=tuple(obstacles))
    return Features(tuple(columns), (*_notes(columns), *notes))


def _identifies(column: Column, reading: Reading) -> bool:
    """Return whether whole numbers count or number the examples."""
    values, name = column.values, column.name
    if column.categories or name in reading.declared:
        return False
    named = _NAMED.fullmatch(name) or _NAMED_WITHIN.fullmatch(name)
    least = _LEAST_NAMED if named else _LEAST_TO_IDENTIFY
    if values.size < least or np.isnan(values).any() or not are_whole(values):
        return False
    ordered = np.sort(values)
    if (ordered[1:] == ordered[:-1]).any() or _TIMES.search(name):
        return False
    if named:
        return True
    # Measurements that happen to differ are rarely spread evenly over their range.
    extent = ordered[-1] - ordered[0]
    places = np.linspace(0, 1, values.size)
    distance = np.abs((ordered - ordered[0]) / extent - places).max()
    even = distance * values.size**0.5 < _EVEN
    return bool(even and (extent < _DENSE * values.size or values.size >= _SURE))


@dataclass(frozen=True)
class Room:
    """How much memory data may take."""

    limit: int  # bytes
    read: int = 0  # bytes of what they are read from, which stays meanwhile

    @classmethod
    def of(cls, parameters: Limited, read: int = 0) -> Self:
        """Return the room that the parameter `limit_gb` leaves."""
        return cls(int(parameters.limit_gb * 1e9), read)

    def check(self, what: str, size: int) -> None:
        """Refuse data that would not fit, before anything is allocated."""
        if problem := self.problem(what, size):
            raise DataError(f"{problem} Take fewer, or raise `limit_gb`.")

    def problem(self, what: str, size: int) -> str:
        """Return why that many bytes of data would not fit; nothing if they would."""
        needed = self.read + COPIES * size
        if needed <= self.limit:
            return ""
        return (
            f"{what} of float64 take {gigabytes(size)}, and {gigabytes(needed)} with their source "
            f"and copies, more than the limit of {gigabytes(self.limit)}."
        )


def dense(name: str, items: int, features: int, outputs: int) -> tuple[str, int]:
    """Return the examples of a dataset in words, and the bytes they take as dense arrays."""
    widths = f"{counted(features, 'feature')} and {counted(outputs, 'output')}"
    return f"{name}: {items} examples of {widths}", items * (features + outputs) * FLOAT_BYTES


def cells_of(series: Series, *, categorical: bool) -> Cells:
    """Return a column of a data frame."""
    kind = series.dtype.kind if hasattr(series.dtype, "kind") else "O"
    if kind in "biuf" and not categorical:
        return Cells(series.to_numpy(np.float64, na_value=np.nan))
    if series.dtype.name == "category":
        # As many texts as categories, however many cells there are.
        texts = tuple(map(str, series.cat.categories))
        return Cells(np.empty(0), texts, series.cat.codes.to_numpy().astype(np.int64))
    written = of_array(series.astype("str").to_numpy())
    if categorical:
        return written
    # The last one is for cells with nothing in them, whose code is -1.
    numbers = np.array([*map(number_of, written.texts), np.nan])
    numbering = np.where(np.isnan(numbers), np.arange(numbers.size), -1)
    numbering[-1] = -1
    return Cells(numbers[written.codes], written.texts, numbering[written.codes])


def _read(cells: Cells, name: str, reading: Reading) -> tuple[list[Column], str]:
    """Return what a column becomes, and what to note about it."""
    declared = name in reading.declared
    if not cells.numbers.size:
        return _categories(cells, name, reading)
    used = cells.used()
    if not used.size:
        return _numbers(cells.numbers, name, reading)
    texts, is_number = [cells.texts[code] for code in used], ~np.isnan(cells.numbers)
    mixed = is_number.any()
    if not mixed and all(text.strip().casefold() in _FLAGS for text in texts):
        flags = np.array([_FLAGS[text.strip().casefold()] for text in texts])
        return _numbers(_by_text(cells, used, flags), name, reading)
    values = written_numbers(texts, reading.decimal, either=are_whole(cells.numbers))
    if values is not None:
        columns, note = _numbers(_by_text(cells, used, values), name, reading)
        return columns, f"{shown(texts[0])} is read as the number {values[0]:.15g}. {note}".strip()
    form, parts = ("", {}) if mixed or declared else date_features(texts)
    if parts:
        text = f"dates ({form}) become {', '.join(parts)}; `ignore` leaves them out."
        columns = [Column(f"{name} {p}", _by_text(cells, used, v)) for p, v in parts.items()]
        return columns, text
    if is_number.sum() > (cells.codes >= 0).sum():
        raise _wordy(cells, texts, reading.locate)
    columns, note = _categories(cells.as_texts(), name, reading)
    return columns, note or ("numbers and text are read as categories." if mixed else "")


def _by_text(cells: Cells, used: IntArray, values: Array) -> Array:
    """Return the numbers of a column with those that its texts are."""
    of_texts = np.full(len(cells.texts) + 1, np.nan)
    of_texts[used] = values
    return np.where(cells.codes >= 0, of_texts[cells.codes], cells.numbers)


def _wordy(cells: Cells, texts: Sequence[str], locate: Locate) -> TableError:
    """Return the obstacle that words among numbers are, and the advice that fits."""
    almost = [text for text in texts if _ALMOST_NUMBER.fullmatch(text)]
    code = cells.texts.index((almost or texts)[0])
    row = int((cells.codes == code).argmax())
    text = f"{shown(cells.texts[code])} in {locate(row)} is not a number, but others are"
    if len(texts) <= FEW_WORDS and not almost:
        text = f"{text}. Name what is missing in `missing_markers`."
        return TableError(text, missing_markers=tuple(texts))
    return TableError(f"{text}; leave it out with `ignore`.")


def _numbers(values: Array, name: str, reading: Reading) -> tuple[list[Column], str]:
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    if np.isnan(low):
        return [], "left out, as it has no values."
    if np.isinf((low, high)).any():
        row = int(np.isinf(values).argmax())
        text = f"{values[row]} in {reading.locate(row)} is not finite."
        infinite = [str(value) for value in np.unique(values[np.isinf(values)])]
        raise TableError(
            f"{text} Name it in `missing_markers` if it is missing.",
            missing_markers=tuple(infinite),
        )
    if max(-low, high) >= LARGEST_WHOLE and are_whole(values):
        row = int((np.abs(values) >= LARGEST_WHOLE).argmax())
        text = f"the whole number in {reading.locate(row)} is not below 2^53, where float64 stops"
        raise TableError(f"{text} being exact; leave it out with `ignore`.")
    return [Column(name, values)], sentinel_note(values)


def sentinel_note(values: Array) -> str:
    """Return that a number such as -999 may represent missing values; nothing if none does."""
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    for value in (low, high):
        if _SENTINEL.fullmatch(f"{value:.15g}"):
            rest = values[(values != value) & ~np.isnan(values)]
            if rest.size and np.abs(value - rest).min() > np.ptp(rest) > 0:
                times = counted(int((values == value).sum()), "time")
                span = f"{rest.min():g} to {rest.max():g}"
                text = f"{value:.15g} occurs {times}, far outside {span}. If it is missing"
                return f"{text}, name it in `missing_markers`."
    return ""


def _categories(cells: Cells, name: str, reading: Reading) -> tuple[list[Column], str]:
    present = [code for code in cells.used() if cells.texts[code].strip()]
    names = sorted({cells.texts[code] for code in present})
    if not names:
        return [], "left out, as it has no values."
    times, declared = int(np.isin(cells.codes, present).sum()), name in reading.declared
    separate = len(names) == times or (len(names) > MOST_SEPARATE and 2 * len(names) > times)
    if separate and len(names) > FEWEST_TEXTS and not declared:
        text = f"left out, as it has {len(names)} different texts in {times} examples"
        back = "; `keep` takes it back" if len(names) <= MOST_CATEGORIES else ""
        return [], f"{text}{back}."
    if len(names) > MOST_CATEGORIES:
        most = f"{len(names)} different texts, more than {MOST_CATEGORIES} categories"
        raise TableError(f"has {most}; leave it out with `ignore`.")
    missing, note = 1 - times / cells.codes.size, ""
    if missing > reading.often and MISSING not in names:
        names.append(MISSING)
        note = f"{missing:.0%} is missing, a category of its own."
    numbering = {category: number for number, category in enumerate(names)}
    # The last one is for cells with nothing in them, whose code is -1.
    nothing = numbering.get(MISSING, np.nan) if note else np.nan
    numbers = np.array([*(numbering.get(text, nothing) for text in cells.texts), nothing])
    return [Column(name, numbers[cells.codes], tuple(names))], note


def with_indicators(features: Features) -> Features:
    """Return features with one more for each column of numbers often missing, and a note on it."""
    indicators: dict[bytes, Column] = {}
    for column in features.columns:
        missing = np.isnan(column.values)
        if not column.categories and missing.mean() > OFTEN_MISSING:
            # Columns that are missing together, as parts of a date are, have one between them.
            indicator = Column(f"{column.name} is missing", missing * 1.0, (), True)
            indicators.setdefault(indicator.values.tobytes(), indicator)
    names = joined([column.name for column in indicators.values()], _LISTED)
    notes = (f"Features of their own: {names}.",) if names else ()
    return Features((*features.columns, *indicators.values()), notes)


def _notes(columns: list[Column]) -> list[str]:
    numbers = [column.name for column in columns if not column.categories]
    categorical = [f"{c.name} ({len(c.categories)})" for c in columns if c.categories]
    return [
        f"{counted(len(names), 'column')} of {kind}: {joined(names, _LISTED)}."
        for kind, names in (("numbers", numbers), ("categories, one-hot", categorical))
        if names
    ]
