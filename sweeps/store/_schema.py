"""The tables of a store, made of the columns of a report's tables, and what a store must be."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Mapping, Sequence

from reports.schema import TIMING_COLUMNS, TRIAL_COLUMNS, Column

APPLICATION_ID = 0x62707377  # "bpsw"
FORMAT = 5

DIGEST = Column("digest", "str", "", "Of all other columns.")

COLUMNS: Mapping[str, Sequence[Column]] = {
    "facts": (
        Column("key", "str", "", "Name of the fact."),
        Column("value", "str", "", "The fact."),
        DIGEST,
    ),
    "trials": (
        *(column for column in TRIAL_COLUMNS if column.name not in {"group", "stage"}),
        Column("attempts", "int64", "", "How often it has ended, failures included."),
        Column("configuration", "str", "", "Canonical JSON of all that determines the result."),
        Column("curve", "bytes", "", "A point for each evaluation, ordered by examples."),
        DIGEST,
    ),
    "timing": (
        Column("workload", "str", "", "Hash of what else the time of an update depends on."),
        *TIMING_COLUMNS[1:],
        DIGEST,
    ),
}
"""The columns of each table of this format, by its name."""

_TYPES = {
    "str": "TEXT NOT NULL",
    "bytes": "BLOB NOT NULL",
    "int64": "INTEGER NOT NULL",
    "Int64": "INTEGER",
    "float64": "REAL",
}
_NEVER_NULL = ("learning_rate", "train_seconds", "wall_seconds", "cpu_seconds")
"""Numbers that are always known; others may be missing."""


def sql_type(column: Column) -> str:
    """Return how SQLite keeps a column."""
    return _TYPES[column.dtype] + " NOT NULL" * (column.name in _NEVER_NULL)


def _statement(table: str, columns: Sequence[Column]) -> str:
    lines = [f"{column.name} {sql_type(column)}" for column in columns]
    if table == "timing":
        lines.append("PRIMARY KEY (workload, engine, lanes, batch_size, round)")
    else:
        lines[0] += " PRIMARY KEY"
    definitions = ",\n    ".join(lines)
    return f"CREATE TABLE {table} (\n    {definitions}\n) STRICT"


TABLES = {table: _statement(table, columns) for table, columns in COLUMNS.items()}
"""The statement that makes each table."""


@functools.cache
def columns_of(table: str) -> tuple[str, ...]:
    """Return the names of a table's columns, the digest last."""
    return tuple(column.name for column in COLUMNS[table])


def create_tables(connection: sqlite3.Connection) -> None:
    """Make a database a store of this format without any rows."""
    for statement in TABLES.values():
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def kind_problem(connection: sqlite3.Connection) -> str:
    """Return why a database is no store that can be used; nothing if it is one."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        return "is not a study of bpsweep. Choose another folder."
    stored_format = connection.execute("PRAGMA user_version").fetchone()[0]
    if stored_format != FORMAT:
        return (
            f"has the format {stored_format}, but this bpsweep reads format {FORMAT} only. Use the "
            "bpsweep that wrote it, or run its study anew in another folder."
        )
    stored = dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
    strange = sorted(stored.items() ^ TABLES.items())
    if strange:
        return f"does not have the tables of a study: {strange[0][0]!r} is not as it should be."
    return ""
