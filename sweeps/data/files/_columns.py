"""Rows become a dataset: a sample of large files, numbers where cells are plain."""

from __future__ import annotations

import itertools
import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bpengine.network import IntArray
from sweeps.data.files._rows import NAMELESS, Row, Rows, column_names
from sweeps.data.files.file_sources import FileParameters
from sweeps.data.splits import REGRESSION, Dataset, drawn
from sweeps.data.table._assembly import from_columns
from sweeps.data.table._cells import Cells, number_of
from sweeps.data.table._choices import check_columns, refuse
from sweeps.data.table._features import COPIES, FLOAT_BYTES, Room, dense
from sweeps.errors import DataError, counted, shown

MOST_EXAMPLES = 200_000  # of a file, unless its parameters say otherwise

_FEWEST_EXAMPLES = 1000  # where memory holds fewer, a sample is no remedy
_MOST_STRATA = 256  # more different targets are no classes
_CELLS_AT_ONCE = 200_000
_ROWS_AT_ONCE = 500  # more lists at once cost the garbage collector several times as much
_TEXT_BYTES = 200  # of a text that differs from all others of its column, about


def dataset_of(name: str, rows: Rows, parameters: FileParameters) -> Dataset:
    """Return the dataset that rows are, all of them or a sample."""
    header = column_names(name, rows.header)
    chosen, notes, obstacles = check_columns(name, header, parameters)
    most = _most_examples(chosen, len(header))
    examples = _Examples(name, rows, header, chosen, most)
    examples.extend(rows.read())
    total = len(examples.strata)
    if total > most:
        mask = drawn(examples.classes(), most)
        examples = _Examples(name, rows, header, chosen, most)
        examples.extend(itertools.compress(rows.read(), mask))
    places, cells = examples.places, examples.cells()
    if not places:
        raise DataError(f"{name} has columns, but no examples.")
    is_sample = len(places) < total
    sampled = f"{len(places):,} of {total:,} rows, sampled; `sample` sets how many."
    unnamed = _without_index(cells, rows.header, {*chosen.target, *chosen.categorical})
    targets = {column: cells.pop(column) for column in chosen.target}
    dataset = from_columns(
        name,
        cells,
        targets,
        chosen,
        lambda row: f"{rows.unit} {places[row]}",
        notes=[*([sampled] if is_sample else []), *rows.notes, *unnamed, *notes],
        obstacles=obstacles,
        decimal=rows.decimal,
    )
    return replace(dataset, sampled_rows=total if is_sample else 0)


def _most_examples(parameters: FileParameters, columns: int) -> int:
    """Return how many examples of a file are read at most."""
    if parameters.sample:
        return parameters.sample
    # Half of it, as categories become several features each.
    fitting = Room.of(parameters).limit // (2 * COPIES * FLOAT_BYTES * columns)
    return min(fitting, MOST_EXAMPLES) if fitting >= _FEWEST_EXAMPLES else MOST_EXAMPLES


class _Examples:
    """Examples of a file, column by column; of more than most only the classes."""

    def __init__(
        self, name: str, rows: Rows, header: list[str], parameters: FileParameters, most: int
    ) -> None:
        self.places, self.strata = array("q"), array("q")
        self._name, self._rows, self._header, self._most = name, rows, header, most
        self._parameters = parameters
        # What is not a number by its nature is read as it is written: 007 and 7 are two classes.
        words = {*parameters.target, *parameters.categorical, *rows.categories}
        self._columns = {
            column: _Column(rows.decimal, numbers=column not in words)
            for column in header
            if column not in parameters.ignore
        }
        self._numbering: dict[str, int] = {}

    def classes(self) -> IntArray:
        """Return the class of each row, of which a sample takes its share; one for values."""
        parameters = self._parameters
        are_classes = len(parameters.target) == 1 and parameters.task != REGRESSION
        few = len(self._numbering) <= _MOST_STRATA
        return np.frombuffer(self.strata, np.int64) * (are_classes and few)

    def cells(self) -> dict[str, Cells]:
        return {name: self._columns.pop(name).finished() for name in [*self._columns]}

    def extend(self, rows: Iterator[Row]) -> None:
        """Add rows; refuse those of another length."""
        problems, width = list[str](), len(self._header)
        at_once = min(_ROWS_AT_ONCE, max(1, _CELLS_AT_ONCE // width))
        while len(problems) < at_once and (chunk := list(itertools.islice(rows, at_once))):
            problems += [
                f"{self._name}, {self._rows.unit} {number}: has {counted(len(cells), 'field')}, "
                f"but the header has {width}: {shown(','.join(cells))}."
                for cells, number in chunk
                if len(cells) != width
            ]
            if not problems:
                self._extend(chunk)
        refuse(problems)

    def _extend(self, chunk: list[Row]) -> None:
        by_column = zip(*(cells for cells, _ in chunk), strict=True)
        cells = dict(zip(self._header, by_column, strict=True))
        numbering, targets = self._numbering, cells[self._parameters.target[0]]
        if len(numbering) <= _MOST_STRATA:
            self.strata.extend(numbering.setdefault(cell, len(numbering)) for cell in targets)
        else:
            self.strata.extend(itertools.repeat(0, len(chunk)))
        if len(self.places) > self._most:
            self._columns.clear()  # a sample is drawn from all rows
            return
        self.places.extend(number for _, number in chunk)
        for column, grown in self._columns.items():
            grown.extend(cells[column])
        outputs, texts = (
            len(self._parameters.target),
            sum(len(c.texts) for c in self._columns.values()),
        )
        room = Room.of(self._parameters, texts * _TEXT_BYTES)
        items = min(self._rows.count or len(self.places), self._most)
        room.check(*dense(self._name, items, len(self._columns) - outputs, outputs))


class _Column:
    """A column that grows. Python reads its numbers: other readers round, each in its own way.

    Without `numbers` all cells are texts.
    """

    def __init__(self, decimal: str, *, numbers: bool) -> None:
        self._are_numbers, self._number = numbers, number_of if decimal == "." else _with_comma
        self._numbers, self._codes = array("d"), array("q")
        self.texts: dict[str, int] = {}

    def extend(self, cells: Sequence[str]) -> None:
        texts = self.texts
        if not self._are_numbers:
            self._codes.extend(texts.setdefault(cell, len(texts)) for cell in cells)
            return
        numbers = [math.nan if cell in texts else self._number(cell) for cell in cells]
        self._numbers.extend(numbers)
        self._codes.extend(
            texts.setdefault(cell, len(texts)) if math.isnan(number) else -1
            for cell, number in zip(cells, numbers, strict=True)
        )

    def finished(self) -> Cells:
        codes = np.frombuffer(self._codes, np.int64)
        return Cells(np.frombuffer(self._numbers), tuple(self.texts), codes)


def _with_comma(cell: str) -> float:
    return math.nan if "." in cell else number_of(cell.replace(",", "."))


def _without_index(cells: dict[str, Cells], header: Sequence[str], chosen: set[str]) -> list[str]:
    """Take out nameless columns that are empty or only number the rows; return notes on them."""
    notes = []
    for number, text in enumerate(header, 1):
        name = f"column_{number}"
        if name not in cells.keys() - chosen or not NAMELESS.fullmatch(text):
            continue
        if np.isnan(cells[name].numbers).all() and not any(map(str.strip, cells[name].texts)):
            del cells[name]
        elif number == 1 and _is_index(cells[name]):
            notes.append(
                "The first column has no name and only numbers the rows or names them: left out."
            )
            del cells[name]
        else:
            notes.append(f"Column {number} has no name: called {name}.")
    return notes


def _is_index(column: Cells) -> bool:
    """Return whether all cells differ, and are whole numbers or texts."""
    numbers = column.numbers[~np.isnan(column.numbers)]
    different = len(np.unique(numbers)) + len(column.texts)
    return (
        different == column.size and not (numbers % 1).any() and not (numbers.size and column.texts)
    )
