"""The tables of the store are those that its documentation describes."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reports.schema.results import CURVE_COLUMNS
from sweeps.store._schema import (
    APPLICATION_ID,
    COLUMNS,
    FORMAT,
    TABLES,
    columns_of,
    create_tables,
    kind_problem,
    sql_type,
)

DOCUMENT = (Path(__file__).parents[3] / "docs" / "store.md").read_text("utf-8")


def test_no_table_is_documented_that_is_not_there() -> None:
    assert set(re.findall(r"^## Table `(\w+)`$", DOCUMENT, re.MULTILINE)) == set(TABLES)


def test_what_may_be_unknown_may_be_null() -> None:
    types = {column.name: sql_type(column) for column in COLUMNS["trials"]}
    assert types["test_metric"] == types["started"] == "REAL"
    assert types["learning_rate"] == "REAL NOT NULL"
    assert types["diverged_at_update"] == "INTEGER"
    assert types["seed"] == "INTEGER NOT NULL"
    assert types["curve"] == "BLOB NOT NULL"


def test_the_values_of_curves_are_documented_in_order() -> None:
    text = DOCUMENT.split("| value of a curve's point |")[1].split("\n\n")[0]
    names = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert names == [column.name for column in CURVE_COLUMNS[1:]]


def test_the_format_is_documented() -> None:
    assert f"`application_id` {APPLICATION_ID:#x}" in DOCUMENT
    assert f"`user_version` {FORMAT}," in DOCUMENT


def test_a_new_store_is_of_this_format() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        create_tables(connection)
        assert kind_problem(connection) == ""


@pytest.mark.parametrize("table", TABLES)
def test_every_row_ends_with_its_digest(table: str) -> None:
    assert columns_of(table)[-1] == "digest"
    assert TABLES[table].endswith(") STRICT")
