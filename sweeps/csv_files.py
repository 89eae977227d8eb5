"""CSV files. The shape is checked line by line before anything is made of it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sweeps.columns import check_size, refuse
from sweeps.errors import DataError, counted, shown
from sweeps.splits import Dataset
from sweeps.tables import Choices, check_columns, from_frame

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

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", re.ASCII)


def read(name: str, content: bytes, parameters: Mapping[str, Any]) -> Dataset:
    """Return the dataset in a CSV file.

    Args:
        name: What to call it.
        content: The file's bytes.
        parameters: Complete, of `sweeps.files.FORMATS`.

    Raises:
        DataError: The file is no table, or the table no dataset.
    """
    import pandas as pd  # noqa: PLC0415 - takes a second

    separator = parameters["separator"]
    text = _text(name, content, parameters["encoding"])
    header, lines = _checked(name, text, separator)
    choices = Choices.of(parameters)
    check_size(name, len(lines), len(header) - len(choices.target), choices.limit)
    check_columns(name, header, choices)
    # What is not a number by its nature is read as it is written: 007 and 7 are two classes.
    as_written = dict.fromkeys((*choices.target, *choices.categorical, *choices.ignore), "str")
    frame = pd.read_csv(
        io.StringIO(text),
        sep=separator,
        decimal=parameters["decimal"],
        index_col=False,
        dtype=as_written,
        keep_default_na=False,
        na_values=[""],
        low_memory=False,
    )
    if parameters["decimal"] == ",":
        for column in choices.target:
            frame[column] = frame[column].str.replace(",", ".")
    return from_frame(name, frame, choices, lambda row: f"line {lines[row]}")


def _text(name: str, content: bytes, encoding: str) -> str:
    start = content[:64].lstrip().lower()
    for magic, what in _STRANGE.items():
        if content.startswith(magic) or (magic.startswith(b"<") and start.startswith(magic)):
            raise DataError(f"{name} is no CSV file but {what}.")
    try:
        # The mark that some programs put before UTF-8 is no part of the first column's name.
        text = content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        likely = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "latin-1"
        raise DataError(
            f"{name} is not {encoding}: byte {error.start} is {content[error.start]:#04x}. If it "
            f'is {likely}, say `encoding = "{likely}"`.'
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{name}, line {line}: holds a NUL character, which no text does.")
    return text


def _checked(name: str, text: str, separator: str) -> tuple[list[str], list[int]]:
    """Return the columns' names and the line of each example."""
    rows = _rows(name, text, separator)
    header, _ = next(rows, ([], 0))
    _check_header(name, header, separator)
    lines, problems = [], []
    for fields, line in rows:
        lines.append(line)
        if len(fields) != len(header):
            cells = separator.join(fields)
            problems.append(
                f"{name}, line {line}: has {counted(len(fields), 'field')}, but the header has "
                f"{len(header)}: "
                f"{shown(cells)}."
            )
    refuse(problems)
    if not lines:
        raise DataError(f"{name} has a header, but no examples.")
    return header, lines


def _rows(name: str, text: str, separator: str) -> Iterator[tuple[list[str], int]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    first = 1
    try:
        for fields in reader:
            if fields:
                yield fields, first
            first = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{name}, what begins in line {first}: {error}.") from None


def _check_header(name: str, header: list[str], separator: str) -> None:
    if not header:
        raise DataError(f"{name} is empty.")
    if len(header) > MOST_COLUMNS:
        raise DataError(f"{name} has {len(header)} columns, more than {MOST_COLUMNS}.")
    if len(header) == 1:
        likely = [
            other for other in (",", ";", "\t", "|") if other in header[0] and other != separator
        ]
        hint = f" Say `separator = {likely[0]!r}`." if likely else ""
        raise DataError(f"{name} has only one column: {shown(header[0])}.{hint}")
    if all(_NUMBER.fullmatch(field) for field in header):
        raise DataError(f"{name}: the first line holds numbers, not the columns' names.")
    places: dict[str, list[int]] = {}
    for number, column in enumerate(header, 1):
        places.setdefault(column, []).append(number)
    problems = [
        f"{name}, line 1: column {numbers[0]} has no name."
        if not column.strip()
        else f"{name}, line 1: columns {_joined(numbers)} are all called {shown(column)}."
        for column, numbers in places.items()
        if len(numbers) > 1 or not column.strip()
    ]
    refuse(problems)


def _joined(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:-1])) + f" and {numbers[-1]}"
