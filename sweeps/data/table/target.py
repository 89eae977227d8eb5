"""The target of a table: classes or values, told from what its column holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from bpengine.network.arrays import Array, BoolArray, IntArray
from sweeps.data.splits import CLASSIFICATION, REGRESSION
from sweeps.data.table.cells import Cells, Place, alike, as_written, number_of
from sweeps.errors import DataError, shown

CLASS_NUMBERS = 20
"""At most so many different whole numbers are taken for classes without being asked."""

REPETITIONS = 10
"""More different whole numbers, each so often on average, may be either: the user must say."""


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

    @property
    def missing(self) -> int:
        """How many examples have no target."""
        return int((~self.present).sum())


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

    @property
    def strangers(self) -> list[int]:
        """Which of the texts are there, but no numbers."""
        return [
            code
            for code, text in enumerate(self.texts)
            if text.strip() and np.isnan(self.numbers[code])
        ]


def read_target(
    name: str, columns: Mapping[str, npt.NDArray[Any] | Cells], task: str, place: Place
) -> Target:
    """Read target columns.

    Values are numbers, flags, or texts with None or NaN for missing ones. Several columns are a
    regression. An empty task is inferred from the column.
    """
    read = [_column(column, values) for column, values in columns.items()]
    for column in read:
        if not column.present.any():
            raise DataError(f"{name}: the target {shown(column.name)} has no values.")
    if len(read) > 1 and task == CLASSIFICATION:
        raise DataError(f"{name}: a classification has one target column, not {len(read)}.")
    told, notes = (task, ()) if task else _told(name, read, place)
    if told == REGRESSION:
        return _values(name, read, place, notes)
    return _classes(read[0], notes)


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


def _told(name: str, columns: Sequence[_Column], place: Place) -> tuple[str, tuple[str, ...]]:
    if len(columns) > 1:
        return REGRESSION, ()
    (column,) = columns
    numbers, strangers = column.numbers[~np.isnan(column.numbers)], column.strangers
    say = 'Say `task = "classification"` or `task = "regression"`.'
    if strangers and numbers.size:
        code = strangers[0]
        raise DataError(
            f"{name}: the target {shown(column.name)} holds numbers and text, such as "
            f"{shown(column.texts[code])} in {place(int((column.codes == code).argmax()))}. {say}"
        )
    if strangers:
        return CLASSIFICATION, ()
    if (numbers % 1 != 0).any():
        return REGRESSION, _note(column, REGRESSION, "numbers that are not whole")
    if numbers.size <= CLASS_NUMBERS:
        return CLASSIFICATION, _note(column, CLASSIFICATION, f"{numbers.size} whole numbers")
    if numbers.size * REPETITIONS > column.codes.size:
        return REGRESSION, _note(column, REGRESSION, f"{numbers.size} different whole numbers")
    raise DataError(
        f"{name}: the target {shown(column.name)} holds {numbers.size} different whole numbers, "
        f"which may be classes or values. {say}"
    )


def _note(column: _Column, task: str, holds: str) -> tuple[str, ...]:
    return (f"Taken for a {task}, as the target {shown(column.name)} holds {holds}.",)


def _values(name: str, columns: Iterable[_Column], place: Place, notes: tuple[str, ...]) -> Target:
    columns = list(columns)
    for column in columns:
        if column.strangers:
            code = column.strangers[0]
            raise DataError(
                f"{name}, {place(int((column.codes == code).argmax()))}: the target "
                f"{shown(column.name)} is {shown(column.texts[code])}, but values of a regression "
                "must be numbers."
            )
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
        f"Classes {shown(first)} and {shown(second)} are hard to tell apart."
        for first, second in alike(classes)
    )
    return Target(
        (column.name,),
        CLASSIFICATION,
        column.present,
        numbering[column.codes],
        classes,
        np.empty((len(column.codes), 0)),
        (*notes, *hard),
    )
