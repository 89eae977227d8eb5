"""Damaged rows: found by their digests, set aside, so that what they held is computed again."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator

from sweeps.store.rows import DAMAGED, Row, add_incident, digest_of, incident, is_possible
from sweeps.store.schema import TABLES, columns_of

_ROW_PROBLEM = re.compile(
    r"row \d+ (missing from|values differ from) index |wrong # of entries in index |"
    r"non-unique entry in index |rowid not at end-of-record |NULL value in |\S+ value in "
)
"""What SQLite says of rows that are damaged while the structure of the file is sound."""


def structure_problem(problems: Iterable[str]) -> str:
    """Return what is wrong with the structure of a database, in SQLite's words; nothing if sound.

    Args:
        problems: From `problems_of`.
    """
    return next((problem for problem in problems if not _ROW_PROBLEM.match(problem)), "")


def problems_of(connection: sqlite3.Connection) -> list[str]:
    """Return what is wrong with a database, be it structure, index or row, in SQLite's words.

    Args:
        connection: To the database.
    """
    found = [text for (text,) in connection.execute("PRAGMA integrity_check")]
    return [] if found == ["ok"] else found


def mark_damaged(connection: sqlite3.Connection) -> int:
    """List the damaged rows in the temporary table `damaged`, and return how many there are.

    Args:
        connection: To a store of this format.
    """
    connection.execute("CREATE TEMP TABLE damaged (place TEXT, number INTEGER)")
    lenient, connection.text_factory = connection.text_factory, str
    try:
        found = _damaged(connection)
    except sqlite3.OperationalError:
        # Some text is not UTF-8. Reading it takes a call of Python for each text, so it is not done
        # before it must be.
        connection.text_factory = lenient
        found = _damaged(connection)
    connection.executemany("INSERT INTO temp.damaged VALUES (?, ?)", found)
    return len(found)


def _damaged(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    return [
        (table, number)
        for table in TABLES
        for number, *values, digest in _rows(connection, table)
        if digest_of(values) != digest
        or not is_possible(table, dict(zip(columns_of(table), values, strict=False)))
    ]


def _rows(connection: sqlite3.Connection, table: str) -> sqlite3.Cursor:
    # Through the table itself: an index may be damaged, too.
    return connection.execute(f"SELECT rowid, * FROM {table} NOT INDEXED")


def set_aside(connection: sqlite3.Connection) -> None:
    """Make all tables anew with the rows that are sound, and record the others as incidents.

    Args:
        connection: To a store whose damaged rows are marked, in a transaction.
    """
    lost: list[Row] = []
    for table, statement in TABLES.items():
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
        connection.execute(statement)
        lost += [incident(DAMAGED, table, row) for row in _marked(connection, table)]
        connection.execute(
            f"INSERT OR IGNORE INTO {table} SELECT * FROM old_{table} NOT INDEXED "
            "WHERE rowid NOT IN (SELECT number FROM temp.damaged WHERE place = ?)",
            (table,),
        )
        connection.execute(f"DROP TABLE old_{table}")
    connection.execute("DELETE FROM temp.damaged")
    for row in lost:
        add_incident(connection, row)


def _marked(connection: sqlite3.Connection, table: str) -> Iterator[Row]:
    rows = connection.execute(
        f"SELECT * FROM old_{table} NOT INDEXED "
        "WHERE rowid IN (SELECT number FROM temp.damaged WHERE place = ?)",
        (table,),
    )
    return (dict(zip(columns_of(table), values, strict=True)) for values in rows)
