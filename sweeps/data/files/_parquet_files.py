"""Parquet files, through the optional pyarrow."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from sweeps.data.splits import Dataset
from sweeps.data.table import Cells
from sweeps.data.table._assembly import from_columns
from sweeps.data.table._cells import told_apart
from sweeps.data.table._choices import TableParameters, check_columns
from sweeps.data.table._features import LARGEST_WHOLE, TOO_WHOLE, Room, cells_of, dense, refuse
from sweeps.errors import DataError, UserError, shown

_INDEX = re.compile(r"__index_level_\d+__")


def read(name: str, content: bytes, parameters: TableParameters) -> Dataset:
    """Return the dataset in a Parquet file."""
    arrow, parquet = _pyarrow()
    try:
        file = parquet.ParquetFile(arrow.BufferReader(content))
        schema = file.schema_arrow
        parameters = check_columns(name, _known(name, schema), parameters)
        fields = _fields(name, schema, parameters, arrow.types)
        wanted = [field.name for field in fields]
        outputs, rows = len(parameters.target), file.metadata.num_rows
        room = Room.of(parameters, len(content) + _unpacked_bytes(file.metadata))
        room.check(*dense(name, rows, len(wanted) - outputs, outputs))
        # Each text is read once, however many cells hold it.
        texts = {field.name for field in fields if _is_text(field.type, arrow.types)}
        file = parquet.ParquetFile(arrow.BufferReader(content), read_dictionary=[*texts])
        table = file.read(columns=wanted)
        empty = [] if table.num_rows else [f"{name} has columns, but no examples."]
        refuse(empty or _beyond_float(name, table, arrow))
        targets = {column: _target(table[column], arrow.types) for column in parameters.target}
        columns = {
            column: _feature(table[column], column in texts, column in parameters.categorical)
            for column in wanted
            if column not in targets
        }
    except (UserError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a file of somebody else's
        raise DataError(f"{name} is damaged, or no Parquet file: {error}") from None
    return from_columns(
        name, columns, targets, parameters, lambda row: f"row {row + 1}", read=room.read
    )


def _fields(name: str, schema: Any, parameters: TableParameters, types: Any) -> list[Any]:  # noqa: ANN401
    """Return the columns that are not ignored, after a look at their types."""
    known = _known(name, schema)
    fields = [schema.field(column) for column in known if column not in parameters.ignore]
    refuse(_strange_types(name, fields, types))
    return fields


def _known(name: str, schema: Any) -> list[str]:  # noqa: ANN401
    known = [field.name for field in schema if not _INDEX.fullmatch(field.name)]
    twice = sorted({column for column in known if known.count(column) > 1})
    refuse([f"{name}: more than one column is called {shown(column)}." for column in twice])
    return known


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow  # noqa: ICN001, PLC0415 - optional, and takes long
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError:
        raise DataError(
            "Parquet files need pyarrow, which is not installed: pip install 'bpsweep[parquet]'."
        ) from None
    return pyarrow, pyarrow.parquet


def _strange_types(name: str, fields: list[Any], types: Any) -> list[str]:  # noqa: ANN401
    kinds = ("integer", "floating", "boolean", "string", "large_string")
    cells = [
        field.type.value_type if types.is_dictionary(field.type) else field.type for field in fields
    ]
    return [
        f"{name}: column {shown(field.name)} is {field.type}; only numbers, text, flags and "
        "categories of them can be used. Leave it out with `ignore`."
        for field, cell in zip(fields, cells, strict=True)
        if not any(getattr(types, f"is_{kind}")(cell) for kind in kinds)
    ]


def _is_text(kind: Any, types: Any) -> bool:  # noqa: ANN401
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _unpacked_bytes(metadata: Any) -> int:  # noqa: ANN401
    # Not column by column: pyarrow ends the process if a damaged file says that one is encrypted.
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    return sum(max(0, group.total_byte_size) for group in groups)


def _feature(column: Any, is_text: bool, categorical: bool) -> Cells:  # noqa: ANN401
    if is_text:
        return _texts(column) if categorical else told_apart(_texts(column))
    if hasattr(column.type, "value_type"):
        return _texts(column)
    return cells_of(column.to_pandas(), categorical=categorical)


def _target(column: Any, types: Any) -> npt.NDArray[Any] | Cells:  # noqa: ANN401
    if types.is_dictionary(column.type):
        if _is_text(column.type.value_type, types):
            return _texts(column)
        column = column.cast(column.type.value_type)
    values: npt.NDArray[Any] = column.to_pandas().to_numpy()
    return values


def _texts(column: Any) -> Cells:  # noqa: ANN401
    array = column.unify_dictionaries().combine_chunks()
    texts = array.dictionary.to_pylist()
    absent = [code for code, text in enumerate(texts) if text is None]
    codes = array.indices.fill_null(-1).to_numpy().astype(np.int64)
    codes[np.isin(codes, absent)] = -1
    return Cells(np.empty(0), tuple(map(str, texts)), codes)


def _beyond_float(name: str, table: Any, arrow: Any) -> list[str]:  # noqa: ANN401
    # With a gap in it the column becomes float64 before anything else could see it.
    import pyarrow.compute as compute  # noqa: PLC0415, PLR0402 - optional

    problems = []
    for column, values in zip(table.column_names, table.columns, strict=True):
        if arrow.types.is_integer(values.type):
            bounds = compute.min_max(values).as_py().values()
            if any(bound is not None and abs(bound) >= LARGEST_WHOLE for bound in bounds):
                problems.append(f"{name}: column {shown(column)} has whole numbers {TOO_WHOLE}")
    return problems
