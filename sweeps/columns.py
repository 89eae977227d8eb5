"""The features of a table: kinds of its columns told from what they hold, categories one-hot."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np

from bpengine.arrays import Array, IntArray
from sweeps.errors import DataError, counted, shown
from sweeps.targets import Place, alike

if TYPE_CHECKING:
    from pandas import DataFrame, Series

LARGEST_WHOLE = 2**53
"""From here on float64 can't tell neighbouring whole numbers apart."""

MOST_CATEGORIES = 256
"""Categories of a column; more of them is text, not categories."""

FEWEST_TEXTS = 2
"""More texts that are all different identify examples rather than sort them."""

MOST_PROBLEMS = 10
"""How many problems of a file are told at once."""

MARKS = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})
"""What stands for a missing value among numbers, in any case; elsewhere only an empty cell does."""

_ALMOST_NUMBER = re.compile(r"\s*[-+]?\d[\d.,_' ]*\s*")


@dataclass(frozen=True)
class Column:
    """One column of features.

    Attributes:
        name: Its name.
        values: Its numbers, NaN where one is missing; of categories their numbers from 0.
        categories: Their names; none for a column of numbers.
    """

    name: str
    values: Annotated[Array, "item"]
    categories: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Features it becomes."""
        return len(self.categories) or 1


@dataclass(frozen=True)
class Features:
    """Features of examples.

    Attributes:
        columns: The columns they come from.
        names: Names of the features.
        groups: For each feature the number of its categorical column; -1 for a number.
        values: The features, one-hot where categorical, NaN where missing.
        notes: Kinds of the columns.
    """

    columns: tuple[str, ...]
    names: tuple[str, ...]
    groups: Annotated[IntArray, "feature"]
    values: Annotated[Array, "item feature"]
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
    name: str, frame: DataFrame, categorical: Collection[str], limit: int, place: Place
) -> Features:
    """Read columns of features.

    Args:
        name: The dataset's name.
        frame: Columns of numbers, flags, text or categories.
        categorical: Columns to take for categories whatever they hold.
        limit: Largest size of the features in bytes.
        place: Where examples stand.

    Raises:
        DataError: With every column that is no feature, or the features are too large.
    """
    columns: list[Column] = []
    problems: list[str] = []
    for column in frame.columns:
        try:
            columns.append(_read(frame[column], str(column), column in categorical, place))
        except ValueError as error:
            problems.append(f"{name}, column {shown(str(column))}: {error}")
    refuse(problems)
    check_size(name, len(frame), sum(column.width for column in columns), limit)
    return _joined(columns, len(frame))


def refuse(problems: list[str]) -> None:
    """Raise a data error that tells the first of the problems, if there are any."""
    if problems:
        more = len(problems) - MOST_PROBLEMS
        rest = [f"... and {more} more."] if more > 0 else []
        raise DataError("\n".join([*problems[:MOST_PROBLEMS], *rest]))


def check_size(name: str, items: int, features: int, limit: int) -> None:
    """Refuse features that would not fit, before anything is allocated.

    Args:
        name: The dataset's name.
        items: Examples.
        features: Features of each.
        limit: Largest size in bytes.

    Raises:
        DataError: They are too large.
    """
    problem = size_problem(name, items, features, limit)
    if problem:
        raise DataError(problem)


def size_problem(name: str, items: int, features: int, limit: int) -> str:
    """Return why features would not fit; nothing if they would. Arguments as of `check_size`."""
    size = items * features * np.dtype(np.float64).itemsize
    if size <= limit:
        return ""
    return (
        f"{name} has {items} examples of {counted(features, 'feature')}, which take "
        f"{size / 1e9:.3g} GB as a dense array of float64, more than the limit of "
        f"{limit / 1e9:.3g} GB. Take fewer, or raise `limit_gb`."
    )


def _read(series: Series, name: str, categorical: bool, place: Place) -> Column:
    kind = series.dtype.kind if hasattr(series.dtype, "kind") else "O"
    if kind in "biuf" and not categorical:
        return Column(name, _numbers(series, place))
    if series.dtype.name == "category" or categorical:
        return _categories(series.astype("str"), name)
    texts = series.astype("str")
    read = _as_numbers(texts, place)
    if read is not None:
        return Column(name, read)
    return _categories(texts, name)


def _numbers(series: Series, place: Place) -> Array:
    values = series.to_numpy(np.float64, na_value=np.nan)
    present = values[~np.isnan(values)]
    if not present.size:
        raise ValueError("has no values; leave it out with `ignore`.")
    if np.isinf(present).any():
        row = int(np.isinf(values).argmax())
        raise ValueError(f"{values[row]} in {place(row)} is not finite.")
    if np.abs(present).max() >= LARGEST_WHOLE and not (present % 1).any():
        row = int((np.abs(values) >= LARGEST_WHOLE).argmax())
        raise ValueError(
            f"the whole number in {place(row)} is not below 2^53, beyond which float64 can't tell "
            "neighbours apart; leave the column out with `ignore`."
        )
    return values


def _as_numbers(texts: Series, place: Place) -> Array | None:
    """Return numbers if all cells are some, None if none is; anything else is refused."""
    import pandas as pd  # noqa: PLC0415 - takes a second

    numbers = pd.to_numeric(texts, errors="coerce")
    marks = texts.isna() | texts.str.strip().str.casefold().isin(MARKS)
    strangers = numbers.isna() & ~marks
    if not strangers.any():
        return _numbers(numbers.mask(marks), place)
    almost = strangers & texts.str.fullmatch(_ALMOST_NUMBER, na=False)
    if almost.any():
        row = int(almost.to_numpy().argmax())
        raise ValueError(
            f"{shown(texts.iloc[row])} in {place(row)} looks like a number, but is none. Is the "
            "decimal sign another? If the column holds categories, name it in `categorical`."
        )
    if (~strangers & ~marks).any():
        row = int(strangers.to_numpy().argmax())
        raise ValueError(
            f"{shown(texts.iloc[row])} in {place(row)} is no number, but others are. If the column "
            "holds categories, name it in `categorical`."
        )
    return None


def _categories(texts: Series, name: str) -> Column:
    cells = texts.mask(texts.str.strip() == "")
    names = sorted(str(category) for category in cells.dropna().unique())
    if not names:
        raise ValueError("has no values; leave it out with `ignore`.")
    if len(names) == int(cells.notna().sum()) > FEWEST_TEXTS:
        raise ValueError("every text is another, so it tells nothing; leave it out with `ignore`.")
    if len(names) > MOST_CATEGORIES:
        raise ValueError(
            f"has {len(names)} different texts, more than the {MOST_CATEGORIES} that are taken for "
            "categories; leave it out with `ignore`."
        )
    numbering = {category: number for number, category in enumerate(names)}
    codes = np.asarray(cells.map(numbering), dtype=np.float64)
    return Column(name, codes, tuple(names))


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
