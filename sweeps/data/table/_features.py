"""The features of a table: kinds of its columns by what they hold, categories one-hot."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np

from bpengine.network import Array, IntArray
from sweeps.data.parameters import Limited
from sweeps.data.table._cells import Cells, Locate, alike, as_written, told_apart
from sweeps.errors import DataError, counted, gigabytes, shown

if TYPE_CHECKING:
    from pandas import Series

LARGEST_WHOLE = 2**53  # from here on float64 can't tell neighbouring whole numbers apart
TOO_WHOLE = "not below 2^53, where float64 stops being exact; leave it out with `ignore`."
MOST_CATEGORIES = 256  # of a column; more texts are no categories
FEWEST_TEXTS = 2  # more texts that are all different identify examples rather than sort them
FLOAT_BYTES = 8
COPIES = 4  # of features and targets in memory at most: as read, filled, split and scaled
MOST_PROBLEMS = 10  # of a file, told at once
MARKS = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
"""What represents a missing value among numbers, in any case; elsewhere only an empty cell does."""

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


def read_features(
    name: str, table: Mapping[str, Cells], locate: Locate, room: Room, outputs: int
) -> Features:
    """Read columns of features."""
    columns: list[Column] = []
    problems: list[str] = []
    for column, cells in table.items():
        try:
            columns.append(_read(cells, column, locate))
        except ValueError as error:
            problems.append(f"{name}, column {shown(column)}: {error}")
    refuse(problems)
    items = len(columns[0].values)
    room.check(*dense(name, items, sum(column.width for column in columns), outputs))
    return _joined(columns, items)


def refuse(problems: list[str]) -> None:
    """Raise a data error that lists the first of the problems, if there are any."""
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
    written = as_written(series.astype("str"))
    return written if categorical else told_apart(written)


def _read(cells: Cells, name: str, locate: Locate) -> Column:
    if not cells.numbers.size:
        return _categories(cells, name)
    used = cells.used()
    strangers = [code for code in used if cells.texts[code].strip().casefold() not in MARKS]
    if not strangers:
        return Column(name, _numbers(cells.numbers, locate))
    almost = [code for code in strangers if _ALMOST_NUMBER.fullmatch(cells.texts[code])]
    if almost:
        problem = f"{_first(cells, almost, locate)} looks like a number, but is none. Is the "
        problem += "decimal sign another?"
    elif np.isnan(cells.numbers).all():
        return _categories(cells, name)
    else:
        problem = f"{_first(cells, strangers, locate)} is not a number, but others are."
    raise ValueError(f"{problem} If the column holds categories, name it in `categorical`.")


def _first(cells: Cells, codes: Sequence[int], locate: Locate) -> str:
    """Return the first cell with one of these codes, and where it is."""
    row = int(np.isin(cells.codes, codes).argmax())
    return f"{shown(cells.texts[cells.codes[row]])} in {locate(row)}"


def _numbers(values: Array, locate: Locate) -> Array:
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    if np.isnan(low):
        raise ValueError("has no values; leave it out with `ignore`.")
    if np.isinf((low, high)).any():
        row = int(np.isinf(values).argmax())
        raise ValueError(f"{values[row]} in {locate(row)} is not finite.")
    if max(-low, high) >= LARGEST_WHOLE and not (values[~np.isnan(values)] % 1).any():
        row = int((np.abs(values) >= LARGEST_WHOLE).argmax())
        raise ValueError(f"the whole number in {locate(row)} is {TOO_WHOLE}")
    return values


def _categories(cells: Cells, name: str) -> Column:
    present = [code for code in cells.used() if cells.texts[code].strip()]
    names = sorted({cells.texts[code] for code in present})
    if not names:
        raise ValueError("has no values; leave it out with `ignore`.")
    if len(names) > FEWEST_TEXTS and len(names) == int(np.isin(cells.codes, present).sum()):
        raise ValueError("no two texts are the same; leave it out with `ignore`.")
    if len(names) > MOST_CATEGORIES:
        most = f"{len(names)} different texts, more than {MOST_CATEGORIES} categories"
        raise ValueError(f"has {most}; leave it out with `ignore`.")
    numbering = {category: number for number, category in enumerate(names)}
    # The last one is for cells with nothing in them, whose code is -1.
    numbers = np.array([*(numbering.get(text, np.nan) for text in cells.texts), np.nan])
    return Column(name, numbers[cells.codes], tuple(names))


def _joined(columns: list[Column], items: int) -> Features:
    values = np.empty((items, sum(column.width for column in columns)))
    names: list[str] = []
    groups: list[int] = []
    for column in columns:
        features = slice(len(names), len(names) + column.width)
        values[:, features] = _encoded(column)
        if column.categories:
            names += [f"{column.name}={category}" for category in column.categories]
            groups += [max(groups, default=-1) + 1] * column.width
        else:
            names.append(column.name)
            groups.append(-1)
    of_columns = tuple(column.name for column in columns)
    return Features(of_columns, tuple(names), np.array(groups, np.int64), values, _notes(columns))


def _encoded(column: Column) -> Annotated[Array, "item feature"]:
    if not column.categories:
        return column.values[:, None]
    rows = np.vstack([np.eye(column.width), np.full(column.width, np.nan)])
    return rows[np.nan_to_num(column.values, nan=column.width).astype(np.int64)]


def _notes(columns: list[Column]) -> tuple[str, ...]:
    categorical = [column for column in columns if column.categories]
    kinds = {
        "numbers": [column.name for column in columns if not column.categories],
        "categories, one-hot": [f"{column.name} ({column.width})" for column in categorical],
    }
    notes = [
        f"{counted(len(names), 'column')} of {kind}: {_listed(names)}."
        for kind, names in kinds.items()
        if names
    ]
    notes += [
        f"Column {shown(column.name)}: categories {shown(first)} and {shown(second)} are hard to "
        "distinguish."
        for column in categorical
        for first, second in alike(column.categories)
    ]
    return tuple(notes)


def _listed(names: list[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
