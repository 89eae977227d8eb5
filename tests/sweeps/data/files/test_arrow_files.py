"""Parquet: types are looked at before columns are read; without pyarrow it says what to do."""

from __future__ import annotations

import gzip
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from peaks import peak_of
from pyarrow import feather
from refused import refusal, states

from sweeps.data.registry import load, read_source
from sweeps.data.splits import Dataset

COLUMNS: dict[str, Any] = {
    "x": np.arange(12.0),
    "n": np.arange(12, dtype=np.int16),
    "flag": [True, False, False] * 4,
    "c": ["u", "v", "w"] * 4,
    "y": ["a", "b"] * 6,
}

Read = Callable[..., Dataset]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return what reads a Parquet file of given content."""

    def read_it(content: Any, **parameters: Any) -> Dataset:
        path = tmp_path / "my.parquet"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            pq.write_table(content if isinstance(content, pa.Table) else pa.table(content), path)
        given = {"path": "my.parquet", "target": "y", **parameters}
        return load(read_source(given, folder=tmp_path))

    return read_it


def test_columns_become_a_dataset(read: Read) -> None:
    dataset = read(COLUMNS)
    assert dataset.feature_names == ("x", "n", "flag", "c=u", "c=v", "c=w")
    assert dataset.inputs[1].tolist() == [1, 1, 0, 0, 1, 0]
    assert dataset.classes == ("a", "b")


def test_the_same_table_as_csv_is_the_same_data(read: Read, tmp_path: Path) -> None:
    pd.DataFrame(COLUMNS).to_csv(tmp_path / "my.csv", index=False)
    csv = load(read_source({"path": "my.csv", "target": "y"}, folder=tmp_path))
    assert csv.fingerprint == read(COLUMNS).fingerprint


def test_categories_of_a_type_are_read(read: Read) -> None:
    column = pa.array(["1", "2", "1"] * 4).dictionary_encode()
    assert read(COLUMNS | {"c": column}).feature_names[3:] == ("c=1", "c=2")
    classes = pa.array([7, 8] * 6).dictionary_encode()
    assert read(COLUMNS | {"y": classes}).classes == ("7", "8")


def test_gaps_are_found_in_any_type(read: Read) -> None:
    gaps = {"n": pa.array([None, *range(11)]), "c": pa.array(["u", None, "v", "w"] * 3)}
    text = refusal(read, COLUMNS | gaps, missing="refuse")
    states(text, "4 values in 2 columns", "'n' (1, first in row 1), 'c' (3, first in row 2)")
    assert read(COLUMNS | gaps, missing="mean").missing == "mean"


def test_an_index_of_pandas_is_no_column(read: Read) -> None:
    frame = pd.DataFrame(COLUMNS, index=np.arange(12) * 3)
    assert read(pa.Table.from_pandas(frame)).feature_names == read(COLUMNS).feature_names


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array([[1]] * 12), "list<element: int64>"),
        (pa.array([b"a"] * 12), "binary"),
    ],
)
def test_other_types_are_refused_unless_ignored(read: Read, column: Any, kind: str) -> None:
    states(refusal(read, COLUMNS | {"z": column}), f"column 'z' is {kind}", "`ignore`")
    assert read(COLUMNS | {"z": column}, ignore="z").fingerprint == read(COLUMNS).fingerprint


def test_whole_numbers_that_float64_would_change_are_refused(read: Read) -> None:
    text = refusal(read, COLUMNS | {"n": pa.array([None, *[2**53 + 1] * 11])})
    states(text, "column 'n'", "2^53", "`ignore`")


def test_columns_of_one_name_are_refused(read: Read) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    states(refusal(read, table), "my.parquet", "duplicate")


def test_columns_that_are_not_there_are_told(read: Read) -> None:
    states(refusal(read, COLUMNS, target="yy"), "'yy'", "Did you mean 'y'?", 'target = "y"')


def test_a_table_without_examples_is_refused(read: Read) -> None:
    empty = pa.table(COLUMNS).slice(0, 0)
    states(refusal(read, empty), "my.parquet", "no examples")


def test_a_table_that_is_too_large_is_refused_by_its_footer(read: Read) -> None:
    stream = io.BytesIO()
    # Repeated values take no room in the file.
    pq.write_table(pa.table({"x": np.zeros(100_000), "y": np.zeros(100_000)}), stream)
    text = refusal(read, stream.getvalue(), limit_gb=1e-4, sample=100_000)
    states(text, "my.parquet: 100000 examples of 1 feature and 1 output", "0.0016 GB")


@pytest.mark.parametrize("typed", [True, False])
def test_a_long_text_takes_its_memory_once(read: Read, *, typed: bool) -> None:
    texts = pa.array([letter * 100_000 for letter in "uvw"])
    column = pa.DictionaryArray.from_arrays(np.arange(20_000) % 3, texts)
    table = pa.table({"x": np.arange(20_000) / 7, "c": column, "y": np.arange(20_000) % 2})
    stream = io.BytesIO()
    # Without Arrow's own schema next to it the column is one of text.
    pq.write_table(table, stream, store_schema=typed, dictionary_pagesize_limit=10**6)
    pool = pa.default_memory_pool()
    before = pool.bytes_allocated()
    dataset, peak = peak_of(read, stream.getvalue())
    assert dataset.inputs.shape == (20_000, 4)
    assert dataset.feature_names[1][:3] == "c=u"
    # Written out, the texts would take 2 GB.
    assert peak < 30e6
    assert pool.bytes_allocated() <= before
    assert pool.max_memory() < 1e9


def test_what_a_file_unpacks_to_counts(read: Read) -> None:
    texts = [f"{n % 40}{'x' * 10_000}" for n in range(400)]
    table = pa.table({"x": np.arange(400) / 7, "c": texts, "y": np.arange(400) % 2})
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd", use_dictionary=False)
    assert len(stream.getvalue()) < 1e5
    assert "more than the limit of 0.003 GB" in refusal(read, stream.getvalue(), limit_gb=0.003)
    assert read(stream.getvalue(), limit_gb=0.006).inputs.shape == (400, 41)


def test_texts_of_several_row_groups_are_one_column(read: Read) -> None:
    table = pa.table(COLUMNS | {"t": ["1", "2.5", None, "4"] * 3})
    stream = io.BytesIO()
    pq.write_table(table, stream, row_group_size=5)
    dataset = read(stream.getvalue(), missing="mean")
    assert dataset.fingerprint == read(table, missing="mean").fingerprint
    assert dataset.inputs[:2, -2].tolist() == [1, 2.5]
    categories = read(stream.getvalue(), missing="most_frequent", categorical="t")
    assert categories.feature_names[-4:] == ("t=1", "t=2.5", "t=4", "t=(missing)")


def test_damaged_files_are_refused(read: Read) -> None:
    stream = io.BytesIO()
    pq.write_table(pa.table(COLUMNS), stream)
    content = stream.getvalue()
    for damaged in (b"PAR1", content[:-20], content[:4] + b"\0" * 50 + content[54:]):
        states(refusal(read, damaged), "my.parquet is damaged, or no file of Parquet")


def test_dates_and_decimals_are_as_they_are_written(read: Read) -> None:
    decimals = pa.array(["1.50", "2.25", None] * 4).cast(pa.decimal128(9, 2))
    days = pa.array([19_000, 19_001] * 6, pa.int32()).cast(pa.date32())
    dataset = read(COLUMNS | {"d": decimals, "t": days}, missing="mean", categorical="t")
    names = ("d", "t=2022-01-08", "t=2022-01-09", "d is missing")
    assert dataset.feature_names[-4:] == names
    assert dataset.inputs[:2, -4].tolist() == [1.5, 2.25]


def test_files_of_arrow_are_read_by_their_content(read: Read) -> None:
    stream = io.BytesIO()
    feather.write_feather(pa.table(COLUMNS), stream)
    assert read(stream.getvalue()).fingerprint == read(COLUMNS).fingerprint
    states(refusal(read, stream.getvalue()[:-30]), "my.parquet is damaged, or no file of Arrow")
    assert read(gzip.compress(stream.getvalue())).fingerprint == read(COLUMNS).fingerprint


def test_a_large_table_is_sampled_by_class(read: Read) -> None:
    table = pa.table({"x": np.arange(1000.0), "c": ["u", "v"] * 500, "y": ["a", *["b"] * 9] * 100})
    stream = io.BytesIO()
    pq.write_table(table, stream, row_group_size=300)
    dataset = read(stream.getvalue(), sample=100)
    assert np.bincount(dataset.labels).tolist() == [10, 90]
    assert np.array_equal(dataset.inputs[:, 1], dataset.inputs[:, 0] % 2 == 0)
    states(dataset.notes[0], "100 of 1,000 rows")


def test_without_pyarrow_it_shows_what_to_install(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    states(refusal(read, b"PAR1"), "pyarrow", "pip install 'bpsweep[parquet]'")
