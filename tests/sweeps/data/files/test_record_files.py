"""JSON, Excel, SQLite and ARFF: known by their content, their cells as they are written."""

from __future__ import annotations

import json
import sqlite3
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from refused import refusal, states

from sweeps.data.registry import load, read_source
from sweeps.data.splits import Dataset

COLUMNS: dict[str, list[Any]] = {
    "x": [n / 4 for n in range(12)],
    "n": list(range(12)),
    "flag": [True, False, False] * 4,
    "c": ["u", "v", "w"] * 4,
    "y": ["a", "b"] * 6,
}
RECORDS = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*COLUMNS.values(), strict=True)]
NAMES = ("x", "n", "flag", "c=u", "c=v", "c=w")

Read = Callable[..., Dataset]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return what reads a file of given content, or the one that is there."""

    def read_it(content: str | bytes = "", inside: str = "", **parameters: Any) -> Dataset:
        path = tmp_path / "my.data"
        if content:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        given = {"path": f"my.data{inside}", "target": "y", **parameters}
        return load(read_source(given, folder=tmp_path))

    return read_it


def same_as_columns(dataset: Dataset) -> None:
    assert dataset.feature_names == NAMES
    assert dataset.inputs[:, 0].tolist() == COLUMNS["x"]
    assert dataset.inputs[:, 1:3].tolist() == [[r["n"], r["flag"]] for r in RECORDS]
    assert dataset.classes == ("a", "b")


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(RECORDS),
        json.dumps(COLUMNS),
        json.dumps({"data": RECORDS, "schema": {"fields": []}}),
        pd.DataFrame(COLUMNS).to_json(),
        pd.DataFrame(COLUMNS).to_json(orient="split", indent=1),
        "\n".join(map(json.dumps, RECORDS)),
        pd.DataFrame(COLUMNS).to_csv(index=False),
    ],
)
def test_json_is_read_in_its_usual_forms(read: Read, text: str) -> None:
    same_as_columns(read(text))


def test_records_may_lack_keys_and_hold_more(read: Read) -> None:
    records = [*RECORDS, {"y": "a", "more": {"a": [1]}}]
    for text in (json.dumps(records), "\n".join(map(json.dumps, records))):
        dataset = read(text, ignore="more", missing="most_frequent")
        assert dataset.inputs.shape == (13, 8)  # one says whether a number is missing
        assert np.isnan(dataset.inputs[12, 0])


@pytest.mark.parametrize(
    "text",
    ["[1, 2]", "[]", '{"a": 1}', '{"a": [', "[" * 100_000, '{"a": 1}\n{"a"', '{"a": 1}\n{}]'],
)
def test_other_json_is_refused(read: Read, text: str) -> None:
    states(refusal(read, text), "my.data", "JSON")


def workbook(path: Path, rows: list[list[Any]], *more: str) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name in more:
        book.create_sheet(name).append(["x"])
    book.save(path)


def test_excel_is_read_with_titles_above_and_gaps(read: Read, tmp_path: Path) -> None:
    rows = [[*COLUMNS], *map(list, zip(*COLUMNS.values(), strict=True))]
    workbook(tmp_path / "my.data", [["Report"], [], *rows], "More")
    dataset = read()
    same_as_columns(dataset)
    states(dataset.notes[0], "Excel", "'Sheet'", "names in line 3", "More")
    assert read(inside="::Sheet").fingerprint == dataset.fingerprint
    states(refusal(read, inside="::sheet"), "'sheet'", "'Sheet', 'More'", "my.data::")
    states(refusal(read, limit_gb=1e-6), "more than", "limit_gb")


def test_excel_dates_and_empty_ends_are_as_written(read: Read, tmp_path: Path) -> None:
    days = pd.to_datetime(["2024-01-01 00:00", "2024-01-02 12:00"] * 4).to_pydatetime()
    rows = [["x", "t", "y", None], *([n, day, "ab"[n % 2]] for n, day in enumerate(days))]
    workbook(tmp_path / "my.data", [*rows, [None, days[0], "a"]])
    dataset = read(categorical="t", missing="mean")
    assert dataset.feature_names == ("x", "t=2024-01-01", "t=2024-01-02 12:00:00", "x is missing")
    assert np.isnan(dataset.inputs[8, 0])


def test_a_sheet_that_ends_early_is_damaged(read: Read, tmp_path: Path) -> None:
    workbook(tmp_path / "whole.xlsx", [["x", "y"], *[[n, "ab"[n % 2]] for n in range(20)]])
    path = tmp_path / "my.data"
    with zipfile.ZipFile(tmp_path / "whole.xlsx") as whole, zipfile.ZipFile(path, "w") as file:
        for info in whole.infolist():
            content = whole.read(info)
            is_sheet = info.filename.endswith("sheet1.xml")
            file.writestr(info.filename, content[:-200] if is_sheet else content)
    states(refusal(read), "my.data is damaged")


def test_without_openpyxl_it_says_what_to_install(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbook(tmp_path / "my.data", [["x", "y"]])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    states(refusal(read), "openpyxl", "pip install 'bpsweep[excel]'")


def test_sqlite_is_read_by_table(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "my.data"
    with closing(sqlite3.connect(path)) as connection:
        pd.DataFrame(COLUMNS).to_sql("the table", connection, index=False)
        states(" ".join(read().notes), "'the table'")
        connection.execute("CREATE TABLE other (x, y)")
        connection.commit()
    load.cache_clear()
    same_as_columns(read(inside="::the table"))
    states(refusal(read), "'the table', 'other'", "my.data::the table")
    states(refusal(read, inside="::othr"), "'othr'", "Did you mean 'other'?")
    states(refusal(read, inside="::other"), "no examples")
    path.write_bytes(path.read_bytes()[:5000])
    states(refusal(read, inside="::the table"), "my.data::the table is damaged")


ARFF = """% a comment
@RELATION 'my own'
@attribute 'x y' numeric
@attribute c {'u v', w}
@ATTRIBUTE y {a,b}
@data
"""


def test_arff_is_read(read: Read) -> None:
    dataset = read(ARFF + "1.5, 'u v', a\n% a comment\n?, w, b\n" * 4, missing="mean")
    assert dataset.feature_names == ("x y", "c=u v", "c=w", "x y is missing")
    assert dataset.inputs[0].tolist() == [1.5, 1, 0, 0]
    assert np.isnan(dataset.inputs[1, 0])
    states(refusal(read, ARFF + "1.5,w,a\n1.5,w\n"), "line 8", "2 fields")
    states(refusal(read, ARFF + "{0 1.5}\n"), "sparse")
    states(refusal(read, ARFF), "no examples")
