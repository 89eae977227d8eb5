"""The features of a table: kinds of its columns told from what they hold, categories one-hot."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np

from bpengine.network.arrays import Array, IntArray
from sweeps.data.table.cells import Cells, Place, alike, as_written, told_apart
from sweeps.errors import DataError, counted, gigabytes, shown

if TYPE_CHECKING:
    from pandas import Series

LARGEST_WHOLE = 2**53
"""From here on float64 can't tell neighbouring whole numbers apart."""

MOST_CATEGORIES = 256
"""Categories of a column; more of them is text, not categories."""

FEWEST_TEXTS = 2
"""More texts that are all different identify examples rather than sort them."""

COPIES = 4
"""Times that features and targets are in memory at most: as read, filled, split and scaled."""

MOST_PROBLEMS = 10
"""How many problems of a file are told at once."""

MARKS = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
"""What stands for a missing value among numbers, in any case; elsewhere only an empty cell does."""

_ALMOST_NUMBER = re.compile(r"\s*[-+]?\d[\d.,_' ]*\s*")


@dataclass(frozen=True)
class Column:
    """One column of features."""

    name: str
    values: Annotated[Array, "item"]  # numbers, or those of categories; NaN where missing
    categories: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Features it becomes."""
        return len(self.categories) or 1


@dataclass(frozen=True)
class Features:
    """Features of examples."""

    columns: tuple[str, ...]
    names: tuple[str, ...]
    groups: Annotated[IntArray, "feature"]  # number of the categorical column; -1 for a number
    values: Annotated[Array, "item feature"]  # one-hot where categorical, NaN where missing
    notes: tuple[str, ...]

    def gaps(self) -> Iterator[tuple[str, IntArray]]:
        """Yield each column with missing values, and the examples that miss it."""
        firsts = [0, *np.flatnonzero((np.diff(self.groups) != 0) | (self.groups[1:] < 0)) + 1]
        for name, feature in zip(self.columns, firsts, strict=True):
            rows = np.flatnonzero(np.isnan(self.values[:, feature]))
            if rows.size:
                yield name, rows


def of_numbers(values: Annotated[Array, "item feature"], names: tuple[str, ...]) -> Features:
    """Return features that are numbers already."""
    return Features(names, names, np.full(len(names), -1), values, ())


def read_features(
    name: str, table: Mapping[str, Cells], place: Place, room: Room, outputs: int
) -> Features:
    """Read columns of features."""
    columns: list[Column] = []
    problems: list[str] = []
    for column, cells in table.items():
        try:
            columns.append(_read(cells, column, place))
        except ValueError as error:
            problems.append(f"{name}, column {shown(column)}: {error}")
    refuse(problems)
    items = len(columns[0].values)
    room.check(name, items, sum(column.width for column in columns), outputs)
    return _joined(columns, items)


def refuse(problems: list[str]) -> None:
    """Raise a data error that tells the first of the problems, if there are any."""
    if problems:
        more = len(problems) - MOST_PROBLEMS
        rest = [f"... and {more} more."] if more > 0 else []
        raise DataError(*problems[:MOST_PROBLEMS], *rest)


@dataclass(frozen=True)
class Room:
    """How much memory data may take."""

    limit: int  # bytes
    read: int = 0  # bytes of what they are read from, which stays meanwhile

    @classmethod
    def of(cls, parameters: Mapping[str, Any], read: int = 0) -> Self:
        """Return the room that the parameter `limit_gb` leaves."""
        return cls(int(parameters["limit_gb"] * 1e9), read)

    def check(self, name: str, items: int, features: int, outputs: int) -> None:
        """Refuse data that would not fit, before anything is allocated."""
        problem = self.problem(name, items, features, outputs)
        if problem:
            raise DataError(f"{problem} Take fewer, or raise `limit_gb`.")

    def problem(self, name: str, items: int, features: int, outputs: int) -> str:
        """Return why data would not fit; nothing if they would. Arguments as of `check`."""
        size = items * (features + outputs) * np.dtype(np.float64).itemsize
        needed = self.read + COPIES * size
        if needed <= self.limit:
            return ""
        return (
            f"{name} has {items} examples of {counted(features, 'feature')} and "
            f"{counted(outputs, 'output')}, which take {gigabytes(size)} as dense arrays of "
            f"float64 and {gigabytes(needed)} with what they are read from and the copies that "
            f"are made of them, more than the limit of {gigabytes(self.limit)}."
        )


def cells_of(series: Series, *, categorical: bool) -> Cells:
    """Return a column of a data frame."""
    kind = series.dtype.kind if hasattr(series.dtype, "kind") else "O"
    if kind in "biuf" and not categorical:
        return Cells(series.to_numpy(np.float64, na_value=np.nan))
    if series.dtype.name == "category":
        # As many texts as categories, however many cells there are.
        texts = tuple(map(str, series.cat.categories))
        return Cells(np.empty(0), texts, series.cat.codes.to_numpy().astype(np.int64))
    written = as_written(series.astype("str"))
    return written if categorical else told_apart(written)


def _read(cells: Cells, name: str, place: Place) -> Column:
    if not cells.numbers.size:
        return _categories(cells, name)
    used = cells.used()
    strangers = [code for code in used if cells.texts[code].strip().casefold() not in MARKS]
    if not strangers:
        return Column(name, _numbers(cells.numbers, place))
    almost = [code for code in strangers if _ALMOST_NUMBER.fullmatch(cells.texts[code])]
    if almost:
        raise ValueError(
            f"{_first(cells, almost, place)} looks like a number, but is none. Is the decimal sign "
            "another? If the column holds categories, name it in `categorical`."
        )
    if not np.isnan(cells.numbers).all():
        raise ValueError(
            f"{_first(cells, strangers, place)} is no number, but others are. If the column holds "
            "categories, name it in `categorical`."
        )
    return _categories(cells, name)


def _first(cells: Cells, codes: Sequence[int], place: Place) -> str:
    """Return the first cell with one of these codes, and where it is."""
    row = int(np.isin(cells.codes, codes).argmax())
    return f"{shown(cells.texts[cells.codes[row]])} in {place(row)}"


def _numbers(values: Array, place: Place) -> Array:
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    if np.isnan(low):
        raise ValueError("has no values; leave it out with `ignore`.")
    if np.isinf((low, high)).any():
        row = int(np.isinf(values).argmax())
        raise ValueError(f"{values[row]} in {place(row)} is not finite.")
    if max(-low, high) >= LARGEST_WHOLE and not (values[~np.isnan(values)] % 1).any():
        row = int((np.abs(values) >= LARGEST_WHOLE).argmax())
        raise ValueError(
            f"the whole number in {place(row)} is not below 2^53, beyond which float64 can't tell "
            "neighbours apart; leave the column out with `ignore`."
        )
    return values


def _categories(cells: Cells, name: str) -> Column:
    present = [code for code in cells.used() if cells.texts[code].strip()]
    names = sorted({cells.texts[code] for code in present})
    if not names:
        raise ValueError("has no values; leave it out with `ignore`.")
    if len(names) > FEWEST_TEXTS and len(names) == int(np.isin(cells.codes, present).sum()):
        raise ValueError("every text is another, so it tells nothing; leave it out with `ignore`.")
    if len(names) > MOST_CATEGORIES:
        raise ValueError(
            f"has {len(names)} different texts, more than the {MOST_CATEGORIES} that are taken for "
            "categories; leave it out with `ignore`."
        )
    numbering = {category: number for number, category in enumerate(names)}
    # The last one is for cells with nothing in them, whose code is -1.
    numbers = np.array([*(numbering.get(text, np.nan) for text in cells.texts), np.nan])
    return Column(name, numbers[cells.codes], tuple(names))


def _joined(columns: list[Column], items: int) -> Features:
    values = np.empty((items, sum(column.width for column in columns)))
    names: list[str] = []
    groups: list[int] = []
    group = 0
    for column in columns:
        place = slice(len(names), len(names) + column.width)
        if column.categories:
            known = np.eye(column.width)
            values[:, place] = np.vstack([known, np.full(column.width, np.nan)])[
                np.where(np.isnan(column.values), column.width, column.values).astype(np.int64)
            ]
            names += [f"{column.name}={category}" for category in column.categories]
            groups += [group] * column.width
            group += 1
        else:
            values[:, place] = column.values[:, None]
            names.append(column.name)
            groups.append(-1)
    return Features(
        tuple(column.name for column in columns),
        tuple(names),
        np.array(groups, np.int64),
        values,
        _notes(columns),
    )


def _notes(columns: list[Column]) -> tuple[str, ...]:
    numbers = [column.name for column in columns if not column.categories]
    categorical = [column for column in columns if column.categories]
    notes = (
        [f"{counted(len(numbers), 'column')} of numbers: {_listed(numbers)}."] if numbers else []
    )
    if categorical:
        texts = [f"{column.name} ({column.width})" for column in categorical]
        count = counted(len(texts), "column")
        notes.append(f"{count} of categories, one-hot: {_listed(texts)}.")
    notes += [
        f"Column {shown(column.name)}: categories {shown(first)} and {shown(second)} are hard to "
        "tell apart."
        for column in categorical
        for first, second in alike(column.categories)
    ]
    return tuple(notes)


def _listed(names: list[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
