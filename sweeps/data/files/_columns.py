"""Rows become columns: names, a sample of large files, numbers where cells are plain."""

from __future__ import annotations

import itertools
import math
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bpengine.network import BoolArray
from sweeps.data.files._rows import Row, Rows
from sweeps.data.files.file_sources import FileParameters
from sweeps.data.splits import REGRESSION, drawn
from sweeps.data.table import Cells
from sweeps.data.table._cells import number_of
from sweeps.data.table._choices import check_columns
from sweeps.data.table._features import COPIES, FLOAT_BYTES, Room, dense, refuse
from sweeps.errors import DataError, counted, shown

MOST_COLUMNS = 100_000
MOST_EXAMPLES = 200_000  # of a file, unless its parameters say otherwise

_FEWEST_EXAMPLES = 1000  # where memory holds fewer, a sample is no remedy
_MOST_STRATA = 256  # more different targets are no classes
_CELLS_AT_ONCE = 200_000
_ROWS_AT_ONCE = 500  # more lists at once cost the garbage collector several times as much
_TEXT_BYTES = 200  # of a text that differs from all others of its column, about
_NAMELESS = re.compile(r"\s*|Unnamed: \d+")

Chunk = tuple[dict[str, Sequence[str]], list[int]]
"""Some rows' cells by column, and their numbers in the file."""


@dataclass(frozen=True)
class Columns:
    """Columns of a file that are used, with the examples that are drawn."""

    cells: Mapping[str, Any]  # `Cells`, or an array if it is a target
    places: Sequence[int]  # of each example, in the file
    rows: int  # of the file
    parameters: FileParameters  # with columns as the file calls them
    decimal: str = "."  # sign in numbers that are still texts
    notes: tuple[str, ...] = ()
    unit: str = "row"  # that places count
    read: int = 0  # bytes in memory that they are read from


def columns_of(name: str, rows: Rows, parameters: FileParameters) -> Columns:
    """Return the columns that rows are, of all rows or of a sample."""
    header = column_names(name, rows.header)
    chosen = check_columns(name, header, parameters)
    return without_index(_columns(name, header, rows, chosen), rows.header)


def column_names(name: str, header: Sequence[str]) -> list[str]:
    """Return a name for each column."""
    if len(header) > MOST_COLUMNS:
        raise DataError(f"{name} has {len(header)} columns, more than {MOST_COLUMNS}.")
    if len(header) == 1:
        raise DataError(
            f"{name} has only one column: {shown(header[0])}. If what separates columns is none "
            "of , ; | tab and blank, write the table with one of them."
        )
    names = [
        f"column_{number}" if _NAMELESS.fullmatch(text) else text.strip()
        for number, text in enumerate(header, 1)
    ]
    counts = Counter(names)
    refuse(
        [
            f"{name}: {count} columns are called {shown(column)}. Give each a name of its own."
            for column, count in counts.items()
            if count > 1
        ]
    )
    return names


def most_examples(parameters: FileParameters, columns: int) -> int:
    """Return how many examples of a file are read at most."""
    if parameters.sample:
        return parameters.sample
    # Half of it, as categories become several features each.
    fitting = Room.of(parameters).limit // (2 * COPIES * FLOAT_BYTES * columns)
    return min(fitting, MOST_EXAMPLES) if fitting >= _FEWEST_EXAMPLES else MOST_EXAMPLES


class Strata:
    """Classes of rows, of which a sample takes its share; one class if targets are values."""

    def __init__(self, parameters: FileParameters) -> None:
        self.codes = array("q")
        self._numbering: dict[object, int] = {}
        self._are_classes = len(parameters.target) == 1 and parameters.task != REGRESSION

    def extend(self, targets: Sequence[object]) -> None:
        """Add the targets of some rows."""
        if not self._are_classes:
            self.codes.extend(itertools.repeat(0, len(targets)))
            return
        numbering = self._numbering
        self.codes.extend(numbering.setdefault(target, len(numbering)) for target in targets)
        if len(numbering) > _MOST_STRATA:
            self.codes, self._are_classes = array("q", bytes(8 * len(self.codes))), False

    def sample(self, most: int) -> BoolArray | None:
        """Return which rows are drawn; nothing if all are used."""
        rows = len(self.codes)
        return drawn(np.frombuffer(self.codes, np.int64), most) if rows > most else None


def _columns(name: str, header: Sequence[str], rows: Rows, parameters: FileParameters) -> Columns:
    """Return the columns of all rows, or of a sample of them."""
    strata, most = Strata(parameters), most_examples(parameters, len(header))
    chunks = _chunks(name, header, rows.read(), rows.unit)
    columns, places = _grown(name, chunks, rows.decimal, parameters, strata=strata, most=most)
    mask = strata.sample(most)
    if mask is not None:
        drawn_rows = itertools.compress(rows.read(), mask)
        chunks = _chunks(name, header, drawn_rows, rows.unit)
        columns, places = _grown(
            name, chunks, rows.decimal, parameters, strata=Strata(parameters), most=most
        )
    cells = {column: columns.pop(column).finished() for column in [*columns]}
    return Columns(
        cells, places, len(strata.codes), parameters, rows.decimal, rows.notes, rows.unit
    )


def _grown(
    name: str,
    chunks: Iterator[Chunk],
    decimal: str,
    parameters: FileParameters,
    *,
    strata: Strata,
    most: int,
) -> tuple[dict[str, _Column], Sequence[int]]:
    """Return the columns that are not ignored, and the line of each example; one more than most."""
    columns: dict[str, _Column] = {}
    places, room, target = array("q"), Room.of(parameters), parameters.target
    # What is not a number by its nature is read as it is written: 007 and 7 are two classes.
    words = {*target, *parameters.categorical}
    for cells, lines in chunks:
        strata.extend(cells[target[0]])
        if len(places) > most:
            columns.clear()  # a sample is drawn from all rows
            continue
        columns = columns or {
            column: _Column(decimal, numbers=column not in words)
            for column in cells
            if column not in parameters.ignore
        }
        places.extend(lines)
        for column, grown in columns.items():
            grown.extend(cells[column])
        texts = sum(len(grown.texts) for grown in columns.values())
        taken = Room(room.limit, texts * _TEXT_BYTES)
        taken.check(*dense(name, min(len(places), most), len(columns) - len(target), len(target)))
    return columns, places


def _chunks(name: str, header: Sequence[str], rows: Iterator[Row], unit: str) -> Iterator[Chunk]:
    """Yield some rows at once, column by column; refuse rows of another length."""
    width, problems = len(header), list[str]()
    at_once = min(_ROWS_AT_ONCE, max(1, _CELLS_AT_ONCE // width))
    while len(problems) < at_once and (chunk := list(itertools.islice(rows, at_once))):
        problems += [
            f"{name}, {unit} {place}: has {counted(len(cells), 'field')}, but the header has "
            f"{width}: {shown(','.join(cells))}."
            for cells, place in chunk
            if len(cells) != width
        ]
        if not problems:
            by_column = zip(*(cells for cells, _ in chunk), strict=True)
            yield dict(zip(header, by_column, strict=True)), [place for _, place in chunk]
    refuse(problems)


class _Column:
    """A column that grows. Python reads its numbers: other readers round, each in its own way.

    Without `numbers` all cells are texts.
    """

    def __init__(self, decimal: str, *, numbers: bool) -> None:
        self._decimal, self._are_numbers = decimal, numbers
        self._numeric = re.compile(rf"[-+\deE{re.escape(decimal)} \n]*", re.ASCII)
        self._numbers, self._codes = array("d"), array("q")
        self.texts: dict[str, int] = {}

    def extend(self, cells: Sequence[str]) -> None:
        """Add cells."""
        if not self._are_numbers:
            self._codes.extend(self.texts.setdefault(cell, len(self.texts)) for cell in cells)
            return
        try:
            numbers = self._all_numbers(cells)
        except ValueError:
            self._tell_apart(cells)
        else:
            self._numbers.extend(numbers)
            self._codes.extend(itertools.repeat(-1, len(cells) if self.texts else 0))

    def _all_numbers(self, cells: Sequence[str]) -> list[float]:
        """Return the numbers that the cells are; a value error where one of them may be none."""
        text = "\n".join(cells)
        # Of these characters, `float` takes for a number what is one.
        if not self._numeric.fullmatch(text):
            raise ValueError
        numbers = [*map(float, text.replace(self._decimal, ".").split("\n"))]
        if len(numbers) != len(cells):
            raise ValueError
        return numbers

    def _tell_apart(self, cells: Sequence[str]) -> None:
        if not self.texts:
            self._codes.extend(itertools.repeat(-1, len(self._numbers)))
        for cell in cells:
            code = self.texts.get(cell, -1)
            number = math.nan if code >= 0 else self._number(cell)
            if code < 0 and math.isnan(number):
                code = self.texts.setdefault(cell, len(self.texts))
            self._numbers.append(number)
            self._codes.append(code)

    def _number(self, cell: str) -> float:
        if self._decimal == ".":
            return number_of(cell)
        return math.nan if "." in cell else number_of(cell.replace(self._decimal, "."))

    def finished(self) -> Cells:
        """Return the column."""
        texts, codes = tuple(self.texts), np.frombuffer(self._codes, np.int64)
        return Cells(np.frombuffer(self._numbers), texts, codes)


def without_index(columns: Columns, header: Sequence[str]) -> Columns:
    """Return the columns without nameless ones that are empty or only number the rows."""
    cells, notes, parameters = dict(columns.cells), [*columns.notes], columns.parameters
    chosen = {*parameters.target, *parameters.categorical}
    for number, text in enumerate(header, 1):
        name = f"column_{number}"
        if name not in cells.keys() - chosen or not _NAMELESS.fullmatch(text):
            continue
        if _is_empty(cells[name]):
            del cells[name]
        elif number == 1 and _is_index(cells[name]):
            notes.append(
                "The first column has no name and only numbers the rows or names them: left out."
            )
            del cells[name]
        else:
            notes.append(f"Column {number} has no name: called {name}.")
    return replace(columns, cells=cells, notes=tuple(notes))


def _is_empty(column: Cells) -> bool:
    return bool(np.isnan(column.numbers).all()) and not any(map(str.strip, column.texts))


def _is_index(column: Cells) -> bool:
    """Return whether all cells differ, and are whole numbers or texts."""
    numbers = column.numbers[~np.isnan(column.numbers)]
    different = len(np.unique(numbers)) + len(column.texts)
    rows = max(len(column.numbers), len(column.codes))
    return different == rows and not (numbers % 1).any() and not (numbers.size and column.texts)
