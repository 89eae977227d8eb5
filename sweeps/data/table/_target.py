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
    MISSING_MARKERS,
    Cells,
    Locate,
    Markers,
    TableError,
    alike,
    are_whole,
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
    present: Annotated[BoolArray, "item"]
    labels: Annotated[IntArray, "item"]  # 0 where missing; none in regression
    classes: tuple[str, ...]  # numbers in their order, else by the alphabet
    values: Annotated[Array, "item output"]  # NaN where missing; none for classes
    notes: tuple[str, ...]

    @property
    def outputs(self) -> int:
        """Outputs of a network for it."""
        return len(self.classes) or self.values.shape[1]

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
    texts: tuple[str, ...]  # different ones, sorted, the empty one for what is missing
    numbers: Array  # of the texts; NaN for what is none
    codes: IntArray  # which text each example has
    marked: BoolArray  # whether each text represents a missing value
    note: str = ""

    @property
    def present(self) -> BoolArray:
        """Whether each example has a value."""
        present: BoolArray = ~self.marked[self.codes]
        return present

    @property
    def used(self) -> IntArray:
        """Codes of the texts that are values."""
        codes = np.unique(self.codes)
        return codes[~self.marked[codes]]

    @property
    def words(self) -> list[str]:
        """Texts that are values, but no numbers."""
        return [self.texts[code] for code in self.used if np.isnan(self.numbers[code])]

    def word(self, locate: Locate) -> str:
        """Return the first text among numbers, with its line."""
        code = self.texts.index(self.words[0])
        return f"{shown(self.words[0])} in {locate(int((self.codes == code).argmax()))}"


def read_target(
    name: str,
    columns: Mapping[str, Cells],
    task: str,
    locate: Locate,
    *,
    markers: Markers | None = None,
    decimal: str = ".",
) -> Target:
    """Read target columns: several are a regression. An empty task is inferred from the column."""
    markers = markers or Markers.of(MISSING_MARKERS)
    read = [_column(column, cells, markers, decimal) for column, cells in columns.items()]
    for column in read:
        if not column.present.any():
            raise DataError(f"{name}: the target {shown(column.name)} has no values.")
    if len(read) > 1:
        words = [column.name for column in read if np.isnan(column.numbers[column.used]).all()]
        if task == CLASSIFICATION or words:
            text = f"{name}: a classification has one target column, not {len(read)}."
            raise TableError(text, **({"target": (words[-1],)} if words else {"task": REGRESSION}))
        return _values(name, read, locate)
    (column,) = read
    inferred = task or _inferred(name, column, locate)
    notes = () if task else _note(inferred, column)
    if inferred == REGRESSION:
        return _values(name, read, locate, notes)
    return _classes(column, notes)


def _column(name: str, cells: Cells, markers: Markers, decimal: str) -> _Column:
    infinite = {"inf": np.inf, "-inf": -np.inf} if cells.numbers.size else {}
    cells = cells.as_texts() if cells.numbers.size else cells
    texts = ["", *sorted({cells.texts[code] for code in cells.used()})]
    numbering = {text: code for code, text in enumerate(texts)}
    # The last one is for cells with nothing in them, whose code is -1.
    codes = np.array([*(numbering.get(text, 0) for text in cells.texts), 0])
    numbers = np.array([infinite.get(text, number_of(text)) for text in texts])
    marked = markers.marked(texts)
    column = _Column(name, tuple(texts), numbers, codes[cells.codes], marked)
    values = [texts[code] for code in column.used]
    written = written_numbers(values, decimal, either=True) if column.words else None
    if written is None:
        return column
    numbers[column.used] = written
    note = f"The target {shown(name)} is read as numbers: {shown(column.texts[column.used[0]])} is "
    return replace(column, numbers=numbers, note=f"{note}{number_name(written[0])}.")


def _inferred(name: str, column: _Column, locate: Locate) -> str:
    """Return the task that a column is for."""
    numbers, counts = _distinct(column)
    if column.words and 2 * counts.sum() <= column.present.sum():
        return CLASSIFICATION
    classes = numbers.size <= CLASS_NUMBERS and are_whole(numbers)
    if classes and numbers.size > SURE_CLASSES:
        classes = bool(counts.min() >= LEAST_OF_A_CLASS)
    if classes or not column.words:
        return CLASSIFICATION if classes else REGRESSION
    text = f"{name}: the target {shown(column.name)} holds numbers and text, {column.word(locate)}."
    raise _wordy(text, column)


def _distinct(column: _Column) -> tuple[Array, IntArray]:
    """Return the different numbers of a column, and how many examples have each."""
    numbers = column.numbers[column.codes[column.present]]
    return np.unique(numbers[~np.isnan(numbers)], return_counts=True)


def _wordy(text: str, column: _Column) -> TableError:
    """Return the obstacle that words among numbers are, which may represent missing values."""
    words = tuple(column.words)
    if len(words) <= FEW_WORDS and len(words) < column.used.size:
        return TableError(
            f"{text} Name what is missing in `missing_markers`.", missing_markers=words
        )
    return TableError(f"{text} Is it a classification?", task=CLASSIFICATION)


def _note(task: str, column: _Column) -> tuple[str, ...]:
    """Return what a column is taken for if it doesn't speak for itself, and how to change it."""
    numbers, counts = _distinct(column)
    if not numbers.size:
        return ()
    whole = are_whole(numbers)
    text = f"A {task}, as the target {shown(column.name)} holds {numbers.size} different "
    text += "whole numbers" if whole else "numbers"
    if task == CLASSIFICATION and not column.words:
        text += f'; `task = "{REGRESSION}"` changes it'
    elif task == REGRESSION and whole and counts.min() >= LEAST_OF_A_CLASS:
        text += f'; `task = "{CLASSIFICATION}"` changes it'
    return (f"{text}.",)


def _values(
    name: str, columns: Sequence[_Column], locate: Locate, inferred: tuple[str, ...] = ()
) -> Target:
    for column in columns:
        if column.words:
            target = f"{name}: the target {shown(column.name)}"
            text = f"{target} holds {column.word(locate)}, but values of a regression are numbers."
            raise _wordy(text, column)
        infinite = [column.texts[k] for k in column.used if np.isinf(column.numbers[k])]
        if infinite:
            text = f"{name}: the target {shown(column.name)} holds {infinite[0]}, not finite."
            text = f"{text} Name it in `missing_markers` if it is missing."
            raise TableError(text, missing_markers=tuple(infinite))
    marked = [np.where(column.marked, np.nan, column.numbers) for column in columns]
    values = np.column_stack([n[c.codes] for n, c in zip(marked, columns, strict=True)])
    present = np.logical_not(np.isnan(values).any(axis=1))
    names = tuple(column.name for column in columns)
    notes = (*inferred, *(column.note for column in columns if column.note))
    return Target(names, REGRESSION, present, np.empty(0, np.int64), (), values, notes)


def _classes(column: _Column, notes: tuple[str, ...]) -> Target:
    used = [*column.used]
    used.sort(key=lambda code: (np.isnan(column.numbers[code]), column.numbers[code]))
    numbering = np.zeros(len(column.texts), np.int64)
    numbering[used] = np.arange(len(used))
    classes = tuple(column.texts[code] for code in used)
    hard = tuple(
        f"Classes {shown(first)} and {shown(second)} are hard to distinguish."
        for first, second in alike(classes)
    )
    labels, values = numbering[column.codes], np.empty((len(column.codes), 0))
    about = (labels, classes, values, (*notes, *hard))
    return Target((column.name,), CLASSIFICATION, column.present, *about)
