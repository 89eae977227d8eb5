"""CSV: what is no table is refused with its line, what is one is read as it is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweeps import csv_files
from sweeps.datasets import load, read_source
from sweeps.errors import DataError
from sweeps.splits import Dataset

GOOD = "x,y\n" + "1,a\n2,b\n3,a\n" * 4

Read = Callable[..., Dataset]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return what reads a CSV file of given content."""

    def read_it(content: str | bytes, **parameters: Any) -> Dataset:
        raw = content if isinstance(content, bytes) else content.encode()
        (tmp_path / "my.csv").write_bytes(raw)
        given = {"path": "my.csv", "target": "y", **parameters}
        return load(read_source(given, folder=tmp_path))

    return read_it


def refusal(read: Read, content: str | bytes, **parameters: Any) -> str:
    with pytest.raises(DataError) as refused:
        read(content, **parameters)
    assert refused.value.exit_code == 3
    return str(refused.value)


def test_a_file_is_read_as_pandas_writes_it(read: Read) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(30, 3)), columns=["a", "b", "y"])
    dataset = read(frame.to_csv(index=False))
    np.testing.assert_array_equal(dataset.inputs, frame[["a", "b"]])
    np.testing.assert_array_equal(dataset.targets[:, 0], frame["y"])


def test_labels_are_read_as_they_are_written(read: Read) -> None:
    assert read("x,y\n" + "1,007\n2,NA\n3,7\n" * 3, task="classification").classes == (
        "007",
        "7",
        "NA",
    )


@pytest.mark.parametrize(
    ("encoding", "python"), [("utf-8", "utf-8-sig"), ("utf-16", "utf-16"), ("latin-1", "latin-1")]
)
def test_encodings_are_read(read: Read, encoding: str, python: str) -> None:
    dataset = read(GOOD.replace("b\n", "ü\n").encode(python), encoding=encoding)
    assert dataset.feature_names == ("x",)
    assert dataset.classes == ("a", "ü")


def test_separators_and_decimal_commas_are_read(read: Read) -> None:
    dataset = read("x;y\n" + "1,5;2,25\n2,5;3\n" * 3, separator=";", decimal=",")
    assert dataset.inputs[:2, 0].tolist() == [1.5, 2.5]
    assert dataset.targets[:2, 0].tolist() == [2.25, 3]


def test_line_breaks_and_blank_lines_do_not_disturb_line_numbers(read: Read) -> None:
    text = 'c,x,y\r\n"two\r\nlines",1,a\r\n\r\nu,2,b\r\n' * 1 + "u,3,a\r\nu,inf,b\r\n"
    assert refusal(read, text) == "my.csv, column 'x': inf in line 7 is not finite."


def test_columns_named_as_categories_keep_their_texts(read: Read) -> None:
    dataset = read("zip,y\n" + "01,a\n1,b\n" * 4, categorical="zip")
    assert dataset.feature_names == ("zip=01", "zip=1")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("\n\n", "my.csv is empty."),
        ("x,y\n", "my.csv has a header, but no examples."),
        ("1,2\n3,4\n", "my.csv: the first line holds numbers, not the columns' names."),
        ("y\n1\n", "my.csv has only one column: 'y'."),
        ("x;y\n1;2\n", "my.csv has only one column: 'x;y'. Say `separator = ';'`."),
        (
            "x,y,x\n1,2,3\n",
            "my.csv, line 1: columns 1 and 3 are all called 'x'.",
        ),
        ("x, ,y\n1,2,3\n", "my.csv, line 1: column 2 has no name."),
        (
            "x,y\n1,a\n1,b,2\n3\n",
            (
                "my.csv, line 3: has 3 fields, but the header has 2: '1,b,2'.\n"
                "my.csv, line 4: has 1 field, but the header has 2: '3'."
            ),
        ),
        # pandas would take the first column for an index, and each column for its neighbour.
        (
            "x,y\n1,2,a\n",
            "my.csv, line 2: has 3 fields, but the header has 2: '1,2,a'.",
        ),
        (
            GOOD + '4,"b\n5,a\n',
            "my.csv, what begins in line 14: unexpected end of data.",
        ),
        (
            GOOD + '4,"b"b\n',
            "my.csv, what begins in line 14: ',' expected after '\"'.",
        ),
        (
            GOOD + "4," + "b" * 200_000,
            "my.csv, what begins in line 14: field larger than field limit (131072).",
        ),
        (GOOD + "4,\0\n", "my.csv, line 14: holds a NUL character, which no text does."),
        (
            b"x,y\n1,\xe4\n",
            'my.csv is not utf-8: byte 6 is 0xe4. If it is latin-1, say `encoding = "latin-1"`.',
        ),
        (
            GOOD.encode("utf-16"),
            'my.csv is not utf-8: byte 0 is 0xff. If it is utf-16, say `encoding = "utf-16"`.',
        ),
        (b"\x89PNG\r\n\x1a\n", "my.csv is no CSV file but a PNG image."),
        (b"PK\x03\x04..", "my.csv is no CSV file but a ZIP or NPZ file."),
        (b"\x1f\x8b\x08", "my.csv is no CSV file but compressed by gzip: decompress it."),
        ("\n <!DOCTYPE html><p>", "my.csv is no CSV file but an HTML page."),
        (
            "version https://git-lfs.github.com/spec/v1\n",
            "my.csv is no CSV file but a pointer to a file that Git LFS has not fetched.",
        ),
    ],
)
def test_what_is_no_table_is_refused(read: Read, content: str | bytes, told: str) -> None:
    assert refusal(read, content) == told


def test_too_many_columns_are_refused(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "MOST_COLUMNS", 2)
    assert refusal(read, "x,z,y\n1,2,a\n") == "my.csv has 3 columns, more than 2."


def test_columns_that_are_not_there_are_refused(read: Read) -> None:
    assert refusal(read, GOOD, target="yy") == (
        "my.csv: `target` names 'yy', which is no column. Did you mean 'y'?"
    )


def test_missing_cells_are_told_with_their_lines(read: Read) -> None:
    assert refusal(read, GOOD + ",b\n").startswith(
        "my.csv misses 1 value in 1 column: 'x' (1, first in line 14)."
    )


def test_a_file_too_large_as_an_array_is_refused(read: Read) -> None:
    wide = ",".join(f"c{n}" for n in range(50)) + ",y\n" + ("1," * 50 + "a\n") * 30
    assert "more than the limit of 1e-05 GB" in refusal(read, wide, limit_gb=1e-5)
