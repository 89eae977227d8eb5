"""From stores of earlier formats to this one."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator

import numpy as np

from sweeps.records import DAMAGED, Row, add_incident, curve_bytes, incident, insert
from sweeps.schema import FORMATS, create_tables, format_of
from sweeps.trials import IDENTITY_CHARACTERS
from sweeps.worker import CURVE_WIDTH

_PLAN = ("specification", "data")
"""Facts that only the bpsweep that wrote them can read."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a store to this format; nothing that it holds is lost.

    Args:
        connection: To a store of an earlier format, in a transaction.
    """
    found = format_of(connection)
    for table in FORMATS[found]:
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    create_tables(connection)
    _MIGRATIONS[found](connection)
    for table in reversed(FORMATS[found]):
        connection.execute(f"DROP TABLE old_{table}")


def _from_1(connection: sqlite3.Connection) -> None:
    for key, value in connection.execute("SELECT key, value FROM old_facts").fetchall():
        name = f"{key} of format 1" if key in _PLAN else key
        insert(connection, "facts", {"key": name, "value": value})
    for row in _trials_of_1(connection):
        content = row["configuration"].encode()
        if hashlib.sha256(content).hexdigest()[:IDENTITY_CHARACTERS] == row["trial"]:
            insert(connection, "trials", row | _description_of_1(row["configuration"]))
        else:
            add_incident(connection, incident(DAMAGED, "trials", row))
    for row in _dicts(connection.execute("SELECT * FROM old_timing")):
        # What was timed was not recorded, only that it was one network.
        insert(connection, "timing", {"workload": "", "lanes": 1, "started": None, **row})


def _trials_of_1(connection: sqlite3.Connection) -> Iterator[Row]:
    for row in _dicts(connection.execute("SELECT * FROM old_trials ORDER BY rowid")):
        points = connection.execute(
            "SELECT examples, updates, train_loss, train_metric, validation_loss, "
            "validation_metric FROM old_curves WHERE trial = ? ORDER BY examples",
            (row["trial"],),
        ).fetchall()
        # NULL was what became of NaN; gradient statistics were not taken.
        curve = np.full((len(points), CURVE_WIDTH), np.nan)
        curve[:, : CURVE_WIDTH - 2] = np.array(points, dtype=float).reshape(-1, CURVE_WIDTH - 2)
        unknown = dict.fromkeys(("stopped_at_update", "started", "ended"))
        yield row | unknown | {"attempts": 1, "curve": curve_bytes(curve)}


def _description_of_1(text: str) -> Row:
    content = json.loads(text)
    configuration = content["configuration"]
    names = ("dataset", "optimizer", "activation", "loss", "reduction", "batch_size")
    return {
        **{name: configuration[name] for name in names},
        "architecture": "-".join(map(str, configuration["widths"])),
        "hyperparameters": "",
        "schedule": "",
        "shards": 1,
        "local_updates": 1,
        "learning_rate": float.fromhex(content["learning_rate"]),
        "seed": content["seed"],
    }


def _dicts(cursor: sqlite3.Cursor) -> Iterator[Row]:
    names = [description[0] for description in cursor.description]
    return (dict(zip(names, values, strict=True)) for values in cursor)


_MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {1: _from_1}
