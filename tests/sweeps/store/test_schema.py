"""The tables of the store are those that its documentation describes."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reports.schema.results import CURVE_COLUMNS
from sweeps.store.schema import (
    APPLICATION_ID,
    FORMAT,
    TABLES,
    columns_of,
    create_tables,
    kind_problem,
)

DOCUMENT = (Path(__file__).parents[3] / "docs" / "store.md").read_text("utf-8")


def described(text: str) -> dict[str, tuple[str, str]]:
    """Return unit and meaning of every name that a table of the document describes."""
    rows = re.findall(r"^\| `(\w+)` \| (.*?)\| (.+) \|$", text, re.MULTILINE)
    assert len({name for name, _, _ in rows}) == len(rows)
    return {name: (unit.strip(), meaning) for name, unit, meaning in rows}


def section(table: str) -> str:
    after = DOCUMENT.split(f"\n## Table `{table}`\n")[1]
    return re.split(r"\n#|\n\| value of a curve", after)[0]


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_documented_in_order(table: str) -> None:
    assert [*described(section(table))] == [*columns_of(table)]


def test_no_table_is_documented_that_is_not_there() -> None:
    assert set(re.findall(r"^## Table `(\w+)`$", DOCUMENT, re.MULTILINE)) == set(TABLES)


def test_what_is_measured_has_a_unit() -> None:
    for table in TABLES:
        for name, (unit, _) in described(section(table)).items():
            if name.endswith("_seconds"):
                assert unit == "s"
            elif name.endswith("_loss"):
                assert unit == "per example"
            elif name in {"examples", "batch_size"}:
                assert unit == "examples"
            elif "update" in name:
                assert unit == "updates"


def test_the_values_of_curves_are_documented_in_order() -> None:
    text = DOCUMENT.split("| value of a curve's point |")[1].split("\n\n")[0]
    assert [*described(text)] == [column.name for column in CURVE_COLUMNS[1:]]


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
