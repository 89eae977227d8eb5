"""The target of a table: classes or values, by what its column holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from bpengine.network import Array, BoolArray, IntArray
from sweeps.data.splits import CLASSIFICATION, REGRESSION
from sweeps.data.table._cells import Cells, Locate, alike, as_written, number_of
from sweeps.errors import DataError, shown

CLASS_NUMBERS = 20  # at most so many different whole numbers are taken for classes
REPETITIONS = 10  # more of them, each so often on average, may be either: the user must say


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


@dataclass(frozen=True)
class _Column:
    """One target column."""

    name: str
    texts: tuple[str, ...]  # different ones, sorted, the empty one for what is missing
    numbers: Array  # of the texts; NaN for what is none
    codes: IntArray  # which text each example has

    @property
    def present(self) -> BoolArray:
        """Whether each example has a value."""
        return np.array([bool(text.strip()) for text in self.texts])[self.codes]

    def other_texts(self, locate: Locate) -> str:
        """Return the first text that is not a number, and where; nothing if all are numbers."""
        for code, text in enumerate(self.texts):
            if text.strip() and np.isnan(self.numbers[code]):
                return f"{shown(text)} in {locate(int((self.codes == code).argmax()))}"
        return ""


def read_target(
    name: str, columns: Mapping[str, npt.NDArray[Any] | Cells], task: str, locate: Locate
) -> Target:
    """Read target columns.

    Values are numbers, flags, or texts with None or NaN for missing ones. Several columns are a
    regression. An empty task is inferred from the column.
    """
    read = [_column(column, values) for column, values in columns.items()]
    for column in read:
        if not column.present.any():
            raise DataError(f"{name}: the target {shown(column.name)} has no values.")
    if len(read) > 1:
        if task == CLASSIFICATION:
            raise DataError(f"{name}: a classification has one target column, not {len(read)}.")
        return _values(name, read, locate)
    (column,) = read
    notes: tuple[str, ...] = ()
    if not task:
        task, holds = _inferred(name, column, locate)
        note = f"Taken for a {task}, as the target {shown(column.name)} holds {holds}."
        notes = (note,) if holds else ()
    return _values(name, read, locate, notes) if task == REGRESSION else _classes(column, notes)


def number_name(value: float) -> str:
    """Return a number as the name of a class: whole ones without a point."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _column(name: str, values: npt.NDArray[Any] | Cells) -> _Column:
    if isinstance(values, Cells):
        return _of_texts(name, values)
    if values.dtype.kind == "b":
        return _Column(name, ("False", "True"), np.full(2, np.nan), values.astype(np.int64))
    if values.dtype.kind in "iuf":
        distinct, codes = np.unique(values.astype(np.float64), return_inverse=True)
        texts = ["" if np.isnan(value) else _text(value) for value in distinct]
        return _Column(name, tuple(texts), distinct, codes)
    return _of_texts(name, as_written(values.tolist()))


def _of_texts(name: str, cells: Cells) -> _Column:
    texts = ["", *sorted({cells.texts[code] for code in cells.used()})]
    numbering = {text: code for code, text in enumerate(texts)}
    # The last one is for cells with nothing in them, whose code is -1.
    codes = np.array([*(numbering.get(text, 0) for text in cells.texts), 0])
    return _Column(name, tuple(texts), np.array([*map(number_of, texts)]), codes[cells.codes])


def _text(value: float) -> str:
    return number_name(value) if np.isfinite(value) else str(value)


def _inferred(name: str, column: _Column, locate: Locate) -> tuple[str, str]:
    """Return a task, and what the column holds that doesn't speak for itself."""
    numbers, text = column.numbers[~np.isnan(column.numbers)], column.other_texts(locate)
    many = f"{numbers.size} different whole numbers"
    if text and not numbers.size:
        return CLASSIFICATION, ""
    if text:
        either = f"numbers and text, such as {text}"
    elif (numbers % 1 != 0).any():
        return REGRESSION, "numbers that are not whole"
    elif numbers.size <= CLASS_NUMBERS:
        return CLASSIFICATION, f"{numbers.size} whole numbers"
    elif numbers.size * REPETITIONS > column.codes.size:
        return REGRESSION, many
    else:
        either = f"{many}, which may be classes or values"
    raise DataError(
        f"{name}: the target {shown(column.name)} holds {either}. "
        'Say `task = "classification"` or `task = "regression"`.'
    )


def _values(
    name: str, columns: Sequence[_Column], locate: Locate, notes: tuple[str, ...] = ()
) -> Target:
    for column in columns:
        if text := column.other_texts(locate):
            target = f"{name}: the target {shown(column.name)}"
            raise DataError(f"{target} holds {text}, but values of a regression must be numbers.")
    values = np.column_stack([column.numbers[column.codes] for column in columns])
    present = np.logical_not(np.isnan(values).any(axis=1))
    names = tuple(column.name for column in columns)
    return Target(names, REGRESSION, present, np.empty(0, np.int64), (), values, notes)


def _classes(column: _Column, notes: tuple[str, ...]) -> Target:
    used = [code for code in np.unique(column.codes) if column.texts[code].strip()]
    used.sort(key=lambda code: (np.isnan(column.numbers[code]), column.numbers[code]))
    numbering = np.zeros(len(column.texts), np.int64)
    numbering[used] = np.arange(len(used))
    classes = tuple(column.texts[code] for code in used)
    hard = tuple(
        f"Classes {shown(first)} and {shown(second)} are hard to distinguish."
        for first, second in alike(classes)
    )
    labels, values = numbering[column.codes], np.empty((len(column.codes), 0))
    names, notes = (column.name,), (*notes, *hard)
    return Target(names, CLASSIFICATION, column.present, labels, classes, values, notes)
