"""The tables of a store, and what a file must be to be one.

Tables and columns are described in `docs/store.md`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache

APPLICATION_ID = 0x62707377  # "bpsw"
FORMAT = 3

TABLES = {
    "facts": """\
CREATE TABLE facts (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    digest TEXT NOT NULL
) STRICT""",
    "trials": """\
CREATE TABLE trials (
    trial TEXT NOT NULL PRIMARY KEY,
    dataset TEXT NOT NULL,
    architecture TEXT NOT NULL,
    optimizer TEXT NOT NULL,
    activation TEXT NOT NULL,
    loss TEXT NOT NULL,
    reduction TEXT NOT NULL,
    hyperparameters TEXT NOT NULL,
    schedule TEXT NOT NULL,
    shards INTEGER NOT NULL,
    local_updates INTEGER NOT NULL,
    batch_size INTEGER NOT NULL,
    learning_rate REAL NOT NULL,
    seed INTEGER NOT NULL,
    status TEXT NOT NULL,
    diverged_at_update INTEGER,
    stopped_at_update INTEGER,
    updates INTEGER NOT NULL,
    examples INTEGER NOT NULL,
    judged_at_update INTEGER,
    train_loss REAL,
    train_metric REAL,
    validation_loss REAL,
    validation_metric REAL,
    test_loss REAL,
    test_metric REAL,
    error TEXT NOT NULL,
    train_seconds REAL NOT NULL,
    started REAL,
    ended REAL,
    attempts INTEGER NOT NULL,
    configuration TEXT NOT NULL,
    curve BLOB NOT NULL,
    digest TEXT NOT NULL
) STRICT""",
    "timing": """\
CREATE TABLE timing (
    workload TEXT NOT NULL,
    engine TEXT NOT NULL,
    lanes INTEGER NOT NULL,
    batch_size INTEGER NOT NULL,
    round INTEGER NOT NULL,
    updates INTEGER NOT NULL,
    wall_seconds REAL NOT NULL,
    cpu_seconds REAL NOT NULL,
    started REAL,
    digest TEXT NOT NULL,
    PRIMARY KEY (workload, engine, lanes, batch_size, round)
) STRICT""",
}
"""The tables of this format, by name."""


@cache
def columns_of(table: str) -> tuple[str, ...]:
    """Return the names of a table's columns in this format, the digest last."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(TABLES[table])
        rows = connection.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
    return tuple(name for (name,) in rows)


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
