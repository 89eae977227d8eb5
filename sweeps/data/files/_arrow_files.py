"""Files of Parquet and Arrow through the optional pyarrow, each cell as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sweeps.data.files._contents import Contents, read_safely
from sweeps.data.files._rows import Row, Rows, as_text, column_names
from sweeps.data.files.file_sources import FileParameters
from sweeps.data.table._choices import check_columns, refuse
from sweeps.data.table._features import Room
from sweeps.errors import DataError, gigabytes, shown

_INDEX = re.compile(r"__index_level_\d+__")
_ROWS_AT_ONCE = 4096
_TEXT = ("string", "large_string")
_CATEGORY = ("dictionary",)
_KINDS = ("integer", "floating", "boolean", *_TEXT, "decimal", "date", "timestamp", "time")


def read(contents: Contents, parameters: FileParameters) -> Rows:
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
        number = 0
        with read_safely(name, f"file of {kind}"):
            for batch in file.to_batches(used, batch_size=_ROWS_AT_ONCE, use_threads=False):
                read = dict(zip(used, map(_texts, batch.columns), strict=True))
                columns = [read.get(text, [""] * batch.num_rows) for text in header]
                for cells in zip(*columns, strict=True):
                    number += 1
                    yield cells, number

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
