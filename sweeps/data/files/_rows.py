"""Rows of a file, and where among them a table begins."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sweeps.data.table._cells import number_of
from sweeps.data.table._choices import refuse
from sweeps.errors import DataError, shown

HEAD_ROWS = 1000  # looked at before the rest is read
MOST_COLUMNS = 100_000
NAMELESS = re.compile(r"\s*|Unnamed: \d+")

Row = tuple[Sequence[str], int]
"""Cells, and the number of the line or row in the file."""


@dataclass(frozen=True)
class Rows:
    """Rows of a file, which can be read from the first one as often as need be."""

    header: Sequence[str]
    read: Callable[[], Iterator[Row]]
    notes: tuple[str, ...] = ()
    unit: str = "row"  # that a row's number counts
    decimal: str = "."
    categories: frozenset[str] = frozenset()  # columns that the file calls so
    count: int = 0  # of rows, where the file says it


def layout_of(rows: Sequence[tuple[list[str], int]], header: str) -> tuple[list[str], int, str]:
    """Return a table's names, the number of the row from which on it holds data, and a note."""
    starts = (number for number, (fields, _) in enumerate(rows) if not _is_preamble(fields))
    start = next(starts, 0)
    first, line = rows[start]
    body = [fields for fields, _ in rows[start + 1 :]]
    if start and header != "no":
        names = _uncommented(rows[start - 1][0])
        if len(names) == len(first) and any(map(_is_number, first)):
            return names, start, f"names in line {rows[start - 1][1]}, a comment"
    if header == "no" or (not header and _is_data(first, body)):
        names = [f"column_{number}" for number in range(1, len(first) + 1)]
        return names, start, f"no names: line {line} holds data"
    return _widened(first, body), start + 1, f"names in line {line}"


def _is_preamble(fields: Sequence[str]) -> bool:
    return fields[0].startswith(("#", "%")) or sum(map(bool, map(str.strip, fields))) <= 1


def _uncommented(fields: Sequence[str]) -> list[str]:
    first, *rest = fields
    names = [first.lstrip("#% ")] if first.startswith(("#", "%")) else []
    return [name for name in (*names, *rest) if name and names and not _is_number(name)]


def _is_number(cell: str) -> bool:
    return not math.isnan(number_of(cell.replace(",", ".")))


def _is_data(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Return whether a first row is no header: numbers alone, or a text that comes again below."""
    texts = {column: cell for column, cell in enumerate(first) if cell and not _is_number(cell)}
    if not any(map(_is_number, first)):
        return False
    return not texts or any(
        fields[column] == text
        for fields in body
        for column, text in texts.items()
        if column < len(fields)
    )


def _widened(header: list[str], body: Sequence[Sequence[str]]) -> list[str]:
    """Return a header with a place for row names, as R writes them, or for separators at ends."""
    widths = {len(fields) for fields in body}
    if widths != {len(header) + 1} or len(body) < 2:  # noqa: PLR2004
        return header
    if not any(fields[-1] for fields in body):
        return [*header, ""]
    names = {fields[0] for fields in body}
    return ["", *header] if len(names) == len(body) else header


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
        f"column_{number}" if NAMELESS.fullmatch(text) else text.strip()
        for number, text in enumerate(header, 1)
    ]
    refuse(
        [
            f"{name}: {count} columns are called {shown(column)}. Give each a name of its own."
            for column, count in Counter(names).items()
            if count > 1
        ]
    )
    return names


def as_text(cell: object) -> str:
    """Return a cell as text: nothing for none, numbers so that they can be read back."""
    if cell is None or cell != cell:  # noqa: PLR0124 - NaN is nothing, too
        return ""
    if isinstance(cell, datetime) and not (cell.hour or cell.minute or cell.second):
        return cell.date().isoformat()
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace")
    return json.dumps(cell) if isinstance(cell, dict | list) else str(cell)
