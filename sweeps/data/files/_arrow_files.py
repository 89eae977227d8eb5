"""Files of Parquet and Arrow, column by column, through the optional pyarrow."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bpengine.network import BoolArray
from sweeps.data.files._columns import (
    Columns,
    Strata,
    column_names,
    most_examples,
    without_index,
)
from sweeps.data.files._contents import Contents
from sweeps.data.files.file_sources import FileParameters
from sweeps.data.table import Cells
from sweeps.data.table._cells import told_apart
from sweeps.data.table._choices import check_columns
from sweeps.data.table._features import LARGEST_WHOLE, TOO_WHOLE, Room, cells_of, dense, refuse
from sweeps.errors import DataError, UserError, shown

_INDEX = re.compile(r"__index_level_\d+__")
_TEXT = ("string", "large_string")
_WRITTEN = ("decimal", "date", "timestamp", "time")
_KINDS = ("integer", "floating", "boolean", *_TEXT, *_WRITTEN)


def read(contents: Contents, parameters: FileParameters) -> Columns:
    """Return the columns in a file of Parquet or Arrow."""
    name, kind = contents.name, contents.kind.capitalize()
    if contents.unpack is not None:
        raise DataError(f"{name} is a packed file of {kind}: unpack it.")
    try:
        import pyarrow.dataset as arrow  # noqa: PLC0415 - optional, and takes long
    except ImportError:
        raise DataError(
            f"{name} is a file of {kind}, and pyarrow is not installed: pip install "
            "'bpsweep[parquet]'."
        ) from None
    try:
        path = str(contents.path)
        plain = "parquet" if kind == "Parquet" else "ipc"
        schema = arrow.dataset(path, format=plain).schema
        known = [field.name for field in schema if not _INDEX.fullmatch(field.name)]
        names = dict(zip(column_names(name, known), known, strict=True))
        parameters = check_columns(name, [*names], parameters)
        names = {column: names[column] for column in names if column not in parameters.ignore}
        refuse(_strange_types(name, [schema.field(text) for text in names.values()]))
        # Each text is read once, however many cells hold it.
        texts = [text for text in names.values() if _is(schema.field(text).type, _TEXT)]
        form = arrow.ParquetFileFormat(dictionary_columns=texts) if kind == "Parquet" else plain
        declared = {field.name for field in schema if _is(field.type, ("dictionary",))}
        columns = _columns(name, arrow.dataset(path, format=form), names, declared, parameters)
    except (UserError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a file of somebody else's
        raise DataError(f"{name} is damaged, or no file of {kind}: {error}") from None
    columns = replace(columns, notes=(f"Read as: {kind}.",))
    return without_index(columns, known)


def _columns(
    name: str,
    file: Any,  # noqa: ANN401 - pyarrow has no types
    names: Mapping[str, str],
    declared: Collection[str],
    parameters: FileParameters,
) -> Columns:
    """Return the columns of all rows or of a sample."""
    strata, outputs = Strata(parameters), len(parameters.target)
    for batch in file.to_batches(columns=[names[parameters.target[0]]], use_threads=False):
        strata.extend(batch.column(0).to_pylist())
    rows, most = len(strata.codes), most_examples(parameters, len(names))
    mask, examples = strata.sample(most), min(most, rows)
    if not rows:
        raise DataError(f"{name} has columns, but no examples.")
    room = Room.of(parameters, _unpacked_bytes(file) * examples // rows)
    room.check(*dense(name, examples, len(names) - outputs, outputs))
    table = _table(file, [*names.values()], mask)
    refuse(_beyond_float(name, table))
    cells = {
        column: _cells(table[text], column, parameters, declared=text in declared)
        for column, text in names.items()
    }
    places = range(rows) if mask is None else np.flatnonzero(mask).tolist()
    numbers = [place + 1 for place in places]
    return Columns(cells, numbers, rows, parameters, read=room.read)


def _table(file: Any, columns: Sequence[str], mask: BoolArray | None) -> Any:  # noqa: ANN401
    """Return the rows that are drawn, batch by batch, so that the others take no memory."""
    import pyarrow as arrow  # noqa: ICN001, PLC0415 - optional

    batches, first = [], 0
    for batch in file.to_batches(columns=columns, use_threads=False):
        last = first + batch.num_rows
        batches.append(batch if mask is None else batch.filter(arrow.array(mask[first:last])))
        first = last
    return arrow.Table.from_batches(batches)


def _unpacked_bytes(file: Any) -> int:  # noqa: ANN401
    # Not column by column: pyarrow ends the process if a damaged file says that one is encrypted.
    (fragment,) = file.get_fragments()
    metadata = getattr(fragment, "metadata", None)
    groups = map(metadata.row_group, range(metadata.num_row_groups)) if metadata else ()
    return sum(max(0, group.total_byte_size) for group in groups)


def _strange_types(name: str, fields: list[Any]) -> list[str]:
    return [
        f"{name}: column {shown(field.name)} is {field.type}; only numbers, text, flags, dates and "
        "categories of them can be used. Leave it out with `ignore`."
        for field in fields
        if not _is(getattr(field.type, "value_type", field.type), _KINDS)
        or str(field.type).startswith(("list", "large_list", "fixed_size_list"))
    ]


def _is(kind: Any, kinds: Sequence[str]) -> bool:  # noqa: ANN401
    from pyarrow import types  # noqa: PLC0415 - optional

    return any(getattr(types, f"is_{name}")(kind) for name in kinds)


def _cells(
    column: Any,  # noqa: ANN401
    name: str,
    parameters: FileParameters,
    *,
    declared: bool,
) -> Cells | npt.NDArray[Any]:
    """Return a column; texts, dates and decimals as they are written."""
    categorical = declared or name in parameters.categorical
    if _is(column.type, _TEXT + _WRITTEN):
        column = column.cast("string").dictionary_encode()
    if declared and not _is(column.type.value_type, _TEXT):
        column = column.cast(column.type.value_type)
    if not _is(column.type, ("dictionary",)):
        series = column.to_pandas()
        is_target = name in parameters.target
        return series.to_numpy() if is_target else cells_of(series, categorical=categorical)
    array = column.unify_dictionaries().combine_chunks()
    texts = array.dictionary.to_pylist()
    absent = [code for code, text in enumerate(texts) if text is None]
    codes = array.indices.fill_null(-1).to_numpy().astype(np.int64)
    codes[np.isin(codes, absent)] = -1
    cells = Cells(np.empty(0), tuple(map(str, texts)), codes)
    return cells if categorical or name in parameters.target else told_apart(cells)


def _beyond_float(name: str, table: Any) -> list[str]:  # noqa: ANN401
    # With a gap in it the column becomes float64 before anything else could see it.
    import pyarrow.compute as compute  # noqa: PLC0415, PLR0402 - optional

    problems = []
    for column, values in zip(table.column_names, table.columns, strict=True):
        if _is(values.type, ("integer",)):
            bounds = compute.min_max(values).as_py().values()
            if any(bound is not None and abs(bound) >= LARGEST_WHOLE for bound in bounds):
                problems.append(f"{name}: column {shown(column)} has whole numbers {TOO_WHOLE}")
    return problems
