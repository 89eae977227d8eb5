"""The target of a table: classes or values, by what its column holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from bpengine.network import Array, BoolArray, IntArray
from sweeps.data.splits import CLASSIFICATION, LEAST_OF_A_CLASS, REGRESSION
from sweeps.data.table._cells import (
    FEW_WORDS,
    Cells,
    Locate,
    Reading,
    TableError,
    are_whole,
    float_of,
    number_name,
    number_of,
    written_numbers,
)
from sweeps.errors import DataError, shown

CLASS_NUMBERS = 20  # at most so many different whole numbers are taken for classes
SURE_CLASSES = 10  # more whole numbers are values if one of them is rarer than a class may be


@dataclass(frozen=True)
class Target:
    """What is to be learned of each example."""

    names: tuple[str, ...]
    task: str
    present: Annotated[BoolArray, "example"]
    labels: Annotated[IntArray, "example"]  # 0 where missing; none in regression
    classes: tuple[str, ...]  # numbers in their order, else by the alphabet
    values: Annotated[Array, "example output"]  # NaN where missing; none for classes
    notes: tuple[str, ...]

    def rows(self, chosen: Annotated[IntArray, "row"]) -> Target:
        """Return the target of these examples, with the classes that they have."""
        present = self.present[chosen]
        if self.task == REGRESSION:
            return replace(self, present=present, values=self.values[chosen])
        used, labels = np.unique(self.labels[chosen], return_inverse=True)
        classes = tuple(self.classes[label] for label in used)
        return replace(self, present=present, labels=labels, classes=classes)


@dataclass(frozen=True)
class _Column:
    """One target column."""

    name: str
    texts: tuple[str, ...]  # different ones, sorted
    numbers: Array  # of the texts; NaN for what is none
    codes: IntArray  # which text each example has; -1 where it is missing
    note: str = ""

    @property
    def words(self) -> list[str]:
        """Texts that are no numbers."""
        return [self.texts[code] for code in np.flatnonzero(np.isnan(self.numbers))]

    def word(self, locate: Locate) -> str:
        """Return the first text among numbers, with its line."""
        code = self.texts.index(self.words[0])
        return f"{shown(self.words[0])} in {locate(int((self.codes == code).argmax()))}"


def read_target(columns: Mapping[str, Cells], task: str, reading: Reading) -> Target:
    """Read target columns: several are a regression. An empty task is inferred from the column."""
    read = [_column(name, cells, reading) for name, cells in columns.items()]
    for column in read:
        if not column.texts:
            raise DataError(f"{reading.name}: the target {shown(column.name)} has no values.")
    if len(read) > 1:
        words = [column.name for column in read if np.isnan(column.numbers).all()]
        if task == CLASSIFICATION or words:
            text = f"{reading.name}: a classification has one target column, not {len(read)}."
            raise TableError(text, **({"target": (words[-1],)} if words else {"task": REGRESSION}))
        return _values(read, reading)
    (column,) = read
    inferred = task or _inferred(column, reading)
    note = "" if task else _note(inferred, column)
    if inferred == REGRESSION:
        return _values(read, reading, note)
    order = np.argsort(column.numbers, kind="stable")  # texts, whose number is NaN, come last
    classes = tuple(column.texts[code] for code in order)
    present = column.codes >= 0
    labels = np.where(present, np.argsort(order)[column.codes], 0)
    notes = (note,) if note else ()
    values = np.empty((len(labels), 0))
    return Target((column.name,), CLASSIFICATION, present, labels, classes, values, notes)


def _column(name: str, cells: Cells, reading: Reading) -> _Column:
    as_number = float_of if cells.numbers.size else number_of
    cells = cells.as_texts().without(reading.markers)
    texts = sorted({cells.texts[code] for code in cells.used()})
    numbering = {text: code for code, text in enumerate(texts)}
    # The last one is for cells with nothing in them, whose code is -1.
    codes = np.array([*(numbering.get(text, -1) for text in cells.texts), -1])
    numbers = np.array([*map(as_number, texts)])
    column = _Column(name, tuple(texts), numbers, codes[cells.codes])
    written = written_numbers(texts, reading.decimal, either=True) if column.words else None
    if written is None:
        return column
    note = f"The target {shown(name)} is read as numbers: {shown(texts[0])} is "
    return replace(column, numbers=written, note=f"{note}{number_name(written[0])}.")


def _inferred(column: _Column, reading: Reading) -> str:
    """Return the task that a column is for."""
    numbers, counts = _distinct(column)
    if column.words and 2 * counts.sum() <= (column.codes >= 0).sum():
        return CLASSIFICATION
    classes = numbers.size <= CLASS_NUMBERS and are_whole(numbers)
    if classes and numbers.size > SURE_CLASSES:
        classes = bool(counts.min() >= LEAST_OF_A_CLASS)
    if classes or not column.words:
        return CLASSIFICATION if classes else REGRESSION
    target = f"{reading.name}: the target {shown(column.name)}"
    raise _wordy(f"{target} holds numbers and text, {column.word(reading.locate)}.", column)


def _distinct(column: _Column) -> tuple[Array, IntArray]:
    """Return the different numbers of a column, and how many examples have each."""
    numbers = column.numbers[column.codes[column.codes >= 0]]
    return np.unique(numbers[~np.isnan(numbers)], return_counts=True)


def _wordy(text: str, column: _Column) -> TableError:
    """Return the obstacle that words among numbers are, which may represent missing values."""
    words = tuple(column.words)
    if len(words) <= FEW_WORDS and len(words) < len(column.texts):
        return TableError(
            f"{text} Name what is missing in `missing_markers`.", missing_markers=words
        )
    return TableError(f"{text} Is it a classification?", task=CLASSIFICATION)


def _note(task: str, column: _Column) -> str:
    """Return what a column is taken for if it doesn't speak for itself, and how to change it."""
    numbers, counts = _distinct(column)
    if not numbers.size:
        return ""
    whole = are_whole(numbers)
    text = f"A {task}, as the target {shown(column.name)} holds {numbers.size} different "
    text += "whole numbers" if whole else "numbers"
    if task == CLASSIFICATION and not column.words:
        text += f'; `task = "{REGRESSION}"` changes it'
    elif task == REGRESSION and whole and counts.min() >= LEAST_OF_A_CLASS:
        text += f'; `task = "{CLASSIFICATION}"` changes it'
    return f"{text}."


def _values(columns: Sequence[_Column], reading: Reading, note: str = "") -> Target:
    for column in columns:
        holds = f"{reading.name}: the target {shown(column.name)} holds"
        if column.words:
            word = column.word(reading.locate)
            raise _wordy(f"{holds} {word}, but values of a regression are numbers.", column)
        infinite = [column.texts[code] for code in np.flatnonzero(np.isinf(column.numbers))]
        if infinite:
            text = f"{holds} {infinite[0]}, not finite."
            text = f"{text} Name it in `missing_markers` if it is missing."
            raise TableError(text, missing_markers=tuple(infinite))
    # The last number is for what is missing, whose code is -1.
    values = np.column_stack([np.append(c.numbers, np.nan)[c.codes] for c in columns])
    present = np.logical_not(np.isnan(values).any(axis=1))
    names = tuple(column.name for column in columns)
    notes = tuple(filter(None, (note, *(column.note for column in columns))))
    return Target(names, REGRESSION, present, np.empty(0, np.int64), (), values, notes)
