"""CSV files. The shape is checked line by line before anything is made of it."""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from sweeps.data.files.file_sources import CsvParameters
from sweeps.data.splits import Dataset
from sweeps.data.table import Cells
from sweeps.data.table._assembly import from_columns
from sweeps.data.table._cells import number_of
from sweeps.data.table._choices import check_columns
from sweeps.data.table._features import Room, dense, refuse
from sweeps.errors import DataError, counted, shown

MOST_COLUMNS = 100_000
_STRANGE = {
    b"PAR1": "a Parquet file: its name should end in .parquet",
    b"PK\x03\x04": "a ZIP or NPZ file",
    b"\x1f\x8b": "compressed by gzip: decompress it",
    b"BZh": "compressed by bzip2: decompress it",
    b"\xfd7zXZ": "compressed by xz: decompress it",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF document",
    b"\x80\x04": "a Python pickle",
    b"\x80\x05": "a Python pickle",
    b"version https://git-lfs": "a pointer to a file that Git LFS has not fetched",
    b"<!doctype html": "an HTML page",
    b"<html": "an HTML page",
}

_FLAGS = {"False": 0.0, "FALSE": 0.0, "false": 0.0, "True": 1.0, "TRUE": 1.0, "true": 1.0}
_CELLS_AT_ONCE = 200_000
_TEXT_BYTES = 200  # of a text that differs from all others of its column, about


def read(name: str, content: bytes, parameters: CsvParameters) -> Dataset:
    """Return the dataset in a CSV file."""
    start = content[:64].lstrip().lower()
    for magic, what in _STRANGE.items():
        if content.startswith(magic) or (magic.startswith(b"<") and start.startswith(magic)):
            raise DataError(f"{name} is no CSV file but {what}.")
    rows = _rows(name, _lines(name, content, parameters.encoding), parameters.separator)
    header, _ = next(rows, ([], 0))
    _check_header(name, header, parameters.separator)
    parameters = check_columns(name, header, parameters)
    read = len(content)
    columns, lines = _columns(name, header, rows, parameters, Room.of(parameters, read))
    targets = {column: columns.pop(column) for column in parameters.target}
    return from_columns(
        name, columns, targets, parameters, lambda row: f"line {lines[row]}", read=read
    )


def _lines(name: str, content: bytes, encoding: str) -> Iterator[str]:
    # The mark that some programs put before UTF-8 is no part of the first column's name. Decoded
    # bit by bit: as one text with characters beyond Latin-1 a file would take several times itself.
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        for number, line in enumerate(io.TextIOWrapper(io.BytesIO(content), codec, newline=""), 1):
            if "\0" in line:
                raise DataError(
                    f"{name}, line {number}: holds a NUL character, which no text does."
                )
            yield line
    except UnicodeError:
        raise DataError(_undecodable(name, content, encoding, codec)) from None


def _undecodable(name: str, content: bytes, encoding: str, codec: str) -> str:
    likely = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "latin-1"
    try:
        content.decode(codec)
    except UnicodeDecodeError as error:
        where = f"byte {error.start} is {content[error.start]:#04x}"
    except UnicodeError as error:
        where = str(error)
    else:
        where = "it ends within a character"
    return f'{name} is not {encoding}: {where}. If it is {likely}, say `encoding = "{likely}"`.'


def _rows(name: str, lines: Iterator[str], separator: str) -> Iterator[tuple[list[str], int]]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    first = 1
    try:
        for fields in reader:
            if fields:
                yield fields, first
            first = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{name}, what begins in line {first}: {error}.") from None


def _columns(
    name: str,
    header: list[str],
    rows: Iterator[tuple[list[str], int]],
    parameters: CsvParameters,
    room: Room,
) -> tuple[dict[str, Cells], Sequence[int]]:
    """Return the columns that are not ignored, and the line of each example."""
    target, ignored = parameters.target, parameters.ignore
    # What is not a number by its nature is read as it is written: 007 and 7 are two classes.
    words = {*target, *parameters.categorical}
    columns = {
        column: _Column(parameters.decimal, numbers=column not in words, target=column in target)
        for column in header
        if column not in ignored
    }
    lines, problems = array("q"), []
    while chunk := list(itertools.islice(rows, max(1, _CELLS_AT_ONCE // len(header)))):
        problems += _misshapen(name, chunk, header, parameters.separator)
        if not problems:
            lines.extend(line for _, line in chunk)
            by_column = zip(*(fields for fields, _ in chunk), strict=True)
            cells = dict(zip(header, by_column, strict=True))
            for column, grown in columns.items():
                grown.extend(cells[column])
            texts = sum(len(grown.texts) for grown in columns.values())
            taken = Room(room.limit, room.read + texts * _TEXT_BYTES)
            taken.check(*dense(name, len(lines), len(columns) - len(target), len(target)))
    refuse(problems)
    if not lines:
        raise DataError(f"{name} has a header, but no examples.")
    return {column: columns.pop(column).finished() for column in [*columns]}, lines


def _misshapen(
    name: str, rows: list[tuple[list[str], int]], header: list[str], separator: str
) -> list[str]:
    return [
        f"{name}, line {line}: has {counted(len(fields), 'field')}, but the header has "
        f"{len(header)}: {shown(separator.join(fields))}."
        for fields, line in rows
        if len(fields) != len(header)
    ]


class _Column:
    """A column that grows. Python reads its numbers: other readers round, each in its own way.

    Without `numbers` all cells are texts. A target's decimal sign becomes a point.
    """

    def __init__(self, decimal: str, *, numbers: bool, target: bool) -> None:
        self._decimal, self._are_numbers = decimal, numbers
        self._replaced = target and decimal == ","
        self._numeric = re.compile(rf"[-+\deE{re.escape(decimal)} \n]*", re.ASCII)
        self._numbers, self._codes = array("d"), array("q")
        self.texts: dict[str, int] = {}

    def extend(self, cells: Sequence[str]) -> None:
        """Add cells."""
        if not self._are_numbers:
            written = (cell.replace(",", ".") for cell in cells) if self._replaced else cells
            self._codes.extend(self.texts.setdefault(cell, len(self.texts)) for cell in written)
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
        if self._are_numbers and texts and _FLAGS.keys() >= self.texts.keys() and codes.min() >= 0:
            return Cells(np.array([_FLAGS[text] for text in texts])[codes])
        return Cells(np.frombuffer(self._numbers), texts, codes)


def _check_header(name: str, header: list[str], separator: str) -> None:
    if not header:
        raise DataError(f"{name} is empty.")
    if len(header) > MOST_COLUMNS:
        raise DataError(f"{name} has {len(header)} columns, more than {MOST_COLUMNS}.")
    if len(header) == 1:
        likely = [sign for sign in ",;\t|" if sign in header[0] and sign != separator]
        hint = f" Say `separator = {likely[0]!r}`." if likely else ""
        raise DataError(f"{name} has only one column: {shown(header[0])}.{hint}")
    if not any(math.isnan(number_of(field)) for field in header):
        raise DataError(f"{name}: the first line holds numbers, not the columns' names.")
    counts = Counter(header)
    refuse(
        [
            f"{name}, line 1: {counts[column]} columns are called {shown(column)}."
            if column.strip()
            else f"{name}, line 1: column {header.index(column) + 1} has no name."
            for column in counts
            if counts[column] > 1 or not column.strip()
        ]
    )
