"""Parquet files, through the optional pyarrow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sweeps.columns import LARGEST_WHOLE, check_size, refuse
from sweeps.errors import DataError, shown
from sweeps.splits import Dataset
from sweeps.tables import Choices, check_columns, from_frame

_INDEX = re.compile(r"__index_level_\d+__")


def read(name: str, content: bytes, parameters: Mapping[str, Any]) -> Dataset:
    """Return the dataset in a Parquet file.

    Args:
        name: What to call it.
        content: The file's bytes.
        parameters: Complete, of `sweeps.files.FORMATS`.

    Raises:
        DataError: pyarrow is missing, the file is damaged, or the table is no dataset.
    """
    arrow, parquet = _pyarrow()
    choices = Choices.of(parameters)
    try:
        file = parquet.ParquetFile(arrow.BufferReader(content))
        schema = file.schema_arrow
        known = [field.name for field in schema if not _INDEX.fullmatch(field.name)]
        check_size(name, file.metadata.num_rows, len(known) - len(choices.target), choices.limit)
        _check_names(name, known)
        check_columns(name, known, choices)
        wanted = [column for column in known if column not in choices.ignore]
        refuse(_strange_types(name, [schema.field(column) for column in wanted], arrow.types))
        table = file.read(columns=wanted)
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{name} is damaged, or no Parquet file: {error}") from None
    if not table.num_rows:
        raise DataError(f"{name} has columns, but no examples.")
    refuse(_beyond_float(name, table, arrow))
    frame = table.to_pandas(ignore_metadata=True)
    left = Choices.of(parameters, ignore=())
    return from_frame(name, frame, left, lambda row: f"row {row + 1}")


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow  # noqa: ICN001, PLC0415 - optional, and takes long
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError:
        raise DataError(
            "Parquet files need pyarrow, which is not installed: pip install 'bpsweep[parquet]'."
        ) from None
    return pyarrow, pyarrow.parquet


def _check_names(name: str, columns: list[str]) -> None:
    twice = sorted({column for column in columns if columns.count(column) > 1})
    refuse([f"{name}: more than one column is called {shown(column)}." for column in twice])


def _strange_types(name: str, fields: list[Any], types: Any) -> list[str]:  # noqa: ANN401
    usable = (
        types.is_integer,
        types.is_floating,
        types.is_boolean,
        types.is_string,
        types.is_large_string,
    )
    problems = []
    for field in fields:
        kind = field.type.value_type if types.is_dictionary(field.type) else field.type
        if not any(is_usable(kind) for is_usable in usable):
            problems.append(
                f"{name}: column {shown(field.name)} is {field.type}; only numbers, text, flags "
                "and categories of them can be used. Leave it out with `ignore`."
            )
    return problems


def _beyond_float(name: str, table: Any, arrow: Any) -> list[str]:  # noqa: ANN401
    # With a gap in it the column becomes float64 before anything else could see it.
    import pyarrow.compute as compute  # noqa: PLC0415, PLR0402 - optional

    problems = []
    for column, values in zip(table.column_names, table.columns, strict=True):
        if arrow.types.is_integer(values.type):
            ends = compute.min_max(values).as_py().values()
            if any(end is not None and abs(end) >= LARGEST_WHOLE for end in ends):
                problems.append(
                    f"{name}: column {shown(column)} has whole numbers not below 2^53, beyond "
                    "which float64 can't tell neighbours apart; leave it out with `ignore`."
                )
    return problems
