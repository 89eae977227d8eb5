"""Rows of JSON, Excel, SQLite, and through the optional pyarrow Parquet and Arrow, as text."""

from __future__ import annotations

import io
import itertools
import json
import re
import sqlite3
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from sweeps.data.files._rows import HEAD_ROWS, Row, Rows, as_text, column_names, layout_of
from sweeps.data.files.file_sources import INSIDE, Contents, FileParameters, read_safely
from sweeps.data.table._choices import check_columns, refuse
from sweeps.data.table._features import Room
from sweeps.errors import DataError, did_you_mean, gigabytes, shown

_JSON_COPIES = 8  # times its text JSON takes when it is read at once, about
_LARGEST_LINE = 20_000_000  # bytes
_INDEX = re.compile(r"__index_level_\d+__")
_ROWS_AT_ONCE = 4096
_TEXT = ("string", "large_string")
_CATEGORY = ("dictionary",)
_KINDS = ("integer", "floating", "boolean", *_TEXT, "decimal", "date", "timestamp", "time")


def read_json(contents: Contents, _parameters: FileParameters) -> Rows:
    """Return the rows of JSON: a record a line, a list of records, or columns."""
    name = contents.name
    with contents.path.open("rb") as stream:
        first, second = (stream.readline(_LARGEST_LINE).strip() for _ in range(2))
    by_line = first.startswith(b"{") and second.startswith(b"{")
    parsed = [] if by_line else _json_records(contents)

    def records() -> Iterator[tuple[dict[str, Any], int]]:
        return _json_lines(contents) if by_line else zip(parsed, itertools.count(1), strict=False)

    try:
        header = [*dict.fromkeys(itertools.chain.from_iterable(record for record, _ in records()))]
    except (ValueError, RecursionError, TypeError, AttributeError) as error:
        raise DataError(f"{name} is no JSON table: {error}. Write a list of records.") from None

    def again() -> Iterator[Row]:
        for record, number in records():
            yield [as_text(record.get(column)) for column in header], number

    kind, unit = ("JSON, a record a line", "line") if by_line else ("JSON", "record")
    return Rows([*map(str, header)], again, (f"Read as: {kind}.",), unit)


def _json_lines(contents: Contents) -> Iterator[tuple[dict[str, Any], int]]:
    with contents.path.open("rb") as stream:
        lines = iter(lambda: stream.readline(_LARGEST_LINE), b"")
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield dict(json.loads(line)), number


def _json_records(contents: Contents) -> list[dict[str, Any]]:
    content = contents.read(_JSON_COPIES)
    try:
        records = _records(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{contents.name} is no JSON: {error}.") from None
    if not records:
        raise DataError(
            f"{contents.name} is no table in JSON: that is a list of records, or columns by name."
        )
    return records


def _records(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - whatever JSON holds
    """Return the records that JSON holds in one of its usual forms; none if it is another."""
    if isinstance(value, list) and all(isinstance(record, dict) for record in value):
        return value
    if not isinstance(value, dict):
        return []
    if {"columns", "data"} <= value.keys():  # pandas' "split"
        return [dict(zip(value["columns"], row, strict=True)) for row in value["data"]]
    columns = [*value.values()]
    if all(isinstance(column, dict) for column in columns):  # pandas' own choice
        return [{c: value[c].get(key) for c in value} for key in columns[0]]
    if all(isinstance(column, list) for column in columns) and not _records(columns[0]):
        return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]
    return next((records for column in columns if (records := _records(column))), [])


def read_excel(contents: Contents, parameters: FileParameters) -> Rows:
    """Return the rows of a sheet: the one that is named, or the first that holds a table."""
    name, limit = contents.name, contents.limit
    with zipfile.ZipFile(contents.path) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if size > limit:
        text = f"{name} unpacks to {gigabytes(size)}, more than {gigabytes(limit)}"
        raise DataError(f"{text}: raise `limit_gb` to read it.")
    sheets, chosen, cells = _sheet(contents)
    rows = [([*map(as_text, row)], number) for number, row in enumerate(cells, 1)]
    rows = [(row, number) for row, number in rows if any(row)]
    if not rows:
        raise DataError(f"{name}: the sheet {shown(chosen)} is empty.")
    names, start, names_note = layout_of(rows[:HEAD_ROWS], parameters.header)
    others = f" Others are left aside: {', '.join(sheets[:10])}." if len(sheets) > 1 else ""
    note = f"Read as: Excel, sheet {shown(chosen)}, {names_note}.{others}"
    return Rows(names, lambda: iter(rows[start:]), (note,))


def _sheet(contents: Contents) -> tuple[list[str], str, Iterator[tuple[Any, ...]]]:
    """Return the sheets of a workbook, the one that is meant, and its rows."""
    import pandas as pd  # noqa: PLC0415 - takes a second

    content = io.BytesIO(contents.read())
    with read_safely(contents.name, "workbook of Excel", "excel"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = pd.ExcelFile(content, engine="openpyxl")
        sheets = [*map(str, book.sheet_names)]
        chosen = _chosen(contents, "sheet", sheets) if contents.inside else sheets[0]
        frame = book.parse(chosen, header=None, dtype=object, na_filter=False)
    return sheets, chosen, frame.itertuples(index=False, name=None)


def read_sqlite(contents: Contents, _parameters: FileParameters) -> Rows:
    """Return the rows of a table of a SQLite database."""
    name, path = contents.name, contents.path
    if path.with_name(f"{path.name}-wal").is_file():
        raise DataError(f"{name} is being written to: close the program that does, then try again.")

    def select(query: str) -> Iterator[tuple[Any, ...]]:
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with (
            read_safely(name, "database of SQLite"),
            closing(sqlite3.connect(uri, uri=True)) as connection,
        ):
            connection.text_factory = lambda text: text.decode("utf-8", "replace")
            connection.execute("PRAGMA trusted_schema = OFF")
            yield from connection.execute(query)

    tables = select(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    table = _chosen(contents, "table", [table for (table,) in tables])
    quoted = '"' + table.replace('"', '""') + '"'
    header = [row[1] for row in select(f"PRAGMA table_info({quoted})")]

    def again() -> Iterator[Row]:
        rows = select(f"SELECT * FROM {quoted}")  # noqa: S608 - a table's name, quoted
        return (([*map(as_text, row)], number) for number, row in enumerate(rows, 1))

    return Rows(header, again, (f"Read as: SQLite, table {shown(table)}.",))


def _chosen(contents: Contents, what: str, known: Sequence[str]) -> str:
    """Return the table or sheet that is meant: the one that is named, or the only one."""
    if contents.inside in known or (len(known) == 1 and not contents.inside):
        return contents.inside or known[0]
    wanted = f"has no {what} {shown(contents.inside)}" if contents.inside else f"holds {what}s"
    file = contents.name.partition(INSIDE)[0]
    raise DataError(
        f"{file} {wanted}: {', '.join(map(shown, known[:20])) or 'none'}. Name one, such as "
        f"{file}{INSIDE}{known[0] if known else what}.{did_you_mean(contents.inside, known)}"
    )


def read_arrow(contents: Contents, parameters: FileParameters) -> Rows:
    """Return the rows of a file of Parquet or Arrow."""
    name, kind = contents.name, contents.kind.capitalize()
    with read_safely(name, f"file of {kind}", "parquet"):
        import pyarrow.dataset as arrow  # noqa: PLC0415 - optional, and takes long

        path, plain = str(contents.path), "parquet" if kind == "Parquet" else "ipc"
        schema = arrow.dataset(path, format=plain).schema
        fields = [field for field in schema if not _INDEX.fullmatch(field.name)]
        header = [field.name for field in fields]
        types = dict(zip(column_names(name, header), (field.type for field in fields), strict=True))
        chosen, *_ = check_columns(name, [*types], parameters)
        refuse(_strange_types(name, {c: types[c] for c in types if c not in chosen.ignore}))
        used = [text for text, c in zip(header, types, strict=True) if c not in chosen.ignore]
        # Each text is read once, however many cells hold it.
        texts = [field.name for field in fields if field.name in used and _is(field.type, _TEXT)]
        form = arrow.ParquetFileFormat(dictionary_columns=texts) if kind == "Parquet" else plain
        file = arrow.dataset(path, format=form)
        count = file.count_rows()
        _check_room(name, file, Room.of(parameters).limit)

    def again() -> Iterator[Row]:
        numbers = itertools.count(1)
        with read_safely(name, f"file of {kind}"):
            for batch in file.to_batches(used, batch_size=_ROWS_AT_ONCE, use_threads=False):
                read = dict(zip(used, map(_texts, batch.columns), strict=True))
                columns = [read.get(text, [""] * batch.num_rows) for text in header]
                yield from zip(zip(*columns, strict=True), numbers, strict=False)

    categories = frozenset(c for c, of_cells in types.items() if _is(of_cells, _CATEGORY))
    return Rows(header, again, (f"Read as: {kind}.",), categories=categories, count=count)


def _check_room(name: str, file: Any, limit: int) -> None:  # noqa: ANN401 - pyarrow has no types
    """Refuse a file a part of which unpacks to more than memory may hold."""
    # Not column by column: pyarrow ends the process if a damaged file says that one is encrypted.
    (fragment,) = file.get_fragments()
    metadata = getattr(fragment, "metadata", None)
    groups = map(metadata.row_group, range(metadata.num_row_groups)) if metadata else ()
    size = max((group.total_byte_size for group in groups), default=0)
    if size > limit:
        sizes = f"{gigabytes(size)}, more than the limit of {gigabytes(limit)}"
        raise DataError(f"{name} has row groups of {sizes}: raise `limit_gb` to read it.")


def _strange_types(name: str, types: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: column {shown(column)} is {of_cells}; only numbers, text, flags, dates and "
        "categories of them can be used. Leave it out with `ignore`."
        for column, of_cells in types.items()
        if not _is(of_cells.value_type if _is(of_cells, _CATEGORY) else of_cells, _KINDS)
    ]


def _is(kind: Any, kinds: Sequence[str]) -> bool:  # noqa: ANN401
    from pyarrow import types  # noqa: PLC0415 - optional

    return any(getattr(types, f"is_{name}")(kind) for name in kinds)


def _texts(column: Any) -> list[str]:  # noqa: ANN401
    """Return cells as text, one for all cells of a category."""
    import pyarrow.compute as compute  # noqa: PLC0415, PLR0402 - optional

    if _is(column.type, _CATEGORY):
        texts = [*map(as_text, column.dictionary.to_pylist())]
        return ["" if code is None else texts[code] for code in column.indices.to_pylist()]
    if _is(column.type, ("floating",)):
        column = column.cast("double")  # before it is text, as the number nearest to it differs
        column = compute.if_else(compute.is_nan(column), None, column)
    return list(column.cast("string").fill_null("").to_pylist())
