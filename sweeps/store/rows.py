"""From a trial and its outcome to a row of the store, and back; digests that show damage."""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cache, lru_cache
from typing import Annotated, Any

import numpy as np

from bpengine.network import Array
from reports.schema import ONE_PIECE, PER_ITEM, TENSOR, Column
from sweeps.design import EngineConfiguration, TrainerConfiguration, Trial
from sweeps.design.families import schedule_text
from sweeps.design.trials import identity_of
from sweeps.errors import pairs_text
from sweeps.store._schema import COLUMNS, TABLES, columns_of
from sweeps.worker.train import (
    CRASHED,
    CURVE_WIDTH,
    DIVERGED,
    ERROR,
    FINAL_VALUES,
    OK,
    TIMEOUT,
    Outcome,
)

DONE = (OK, DIVERGED)  # the statuses of trials that need not run again

MOST_ERROR = 50_000  # characters of an error that are kept; of a longer one the middle is left out

DIGEST_CHARACTERS = 32

Row = dict[str, Any]  # the values of a row by column, but for its digest

_RESULT = (
    "status",
    "diverged_at_update",
    "stopped_at_update",
    "updates",
    "examples",
    "judged_at_update",
    *FINAL_VALUES,
    "curve",
)
"""What a trial's identity determines."""


def row_of(trial: Trial, outcome: Outcome) -> Row:
    """Return the row of a trial that has ended for the first time."""
    if outcome.trial != trial.identity:
        raise ValueError(f"The outcome of {outcome.trial} was taken for that of {trial.identity}.")
    return {
        **_description(trial),
        **{
            column.name: _STORED[column.dtype](getattr(outcome, column.name))
            for column in COLUMNS["trials"]
            if column.dtype in _STORED and hasattr(outcome, column.name)
        },
        "train_seconds": real(outcome.train_seconds) or 0.0,
        "attempts": 1,
        "configuration": trial.content,
        "curve": curve_bytes(outcome.curve),
    }


def _description(trial: Trial) -> Row:
    configuration = trial.configuration
    chosen = {
        "trial": trial.identity,
        "batch_size": configuration.batch_size,
        "learning_rate": trial.learning_rate,
        "seed": trial.seed,
    }
    if isinstance(configuration, TrainerConfiguration):
        parameters = pairs_text(dict(configuration.parameters))
        return _UNKNOWN | chosen | {"hyperparameters": storable(parameters)}
    assert isinstance(configuration, EngineConfiguration)  # noqa: S101 - there is no third kind
    return chosen | {
        **{name: getattr(configuration, name) for name in _SETTINGS},
        "dataset": storable(configuration.source.name),
        "architecture": str(configuration.architecture),
        "hyperparameters": pairs_text(trial.hyperparameters),
        "schedule": schedule_text(configuration.schedule),
    }


_UNKNOWN = {
    **dict.fromkeys(("dataset", "architecture", "optimizer", "activation", "loss"), ""),
    **dict.fromkeys(("reduction", "schedule"), ""),
    **dict.fromkeys(("shards", "local_updates"), 1),
}
"""What columns say of a trainer's trials that only the trainer knows."""

_PLAIN = ("str", "int", "float")
_SETTINGS = tuple(
    field.name
    for field in fields(EngineConfiguration)
    if field.type in _PLAIN and field.name in columns_of("trials")
)
"""Columns of a trial that its configuration holds as they are."""


def _update(number: int) -> int | None:
    return None if number < 0 else int(number)


def real(value: float) -> float | None:
    """Return a number as SQLite keeps it: not a number is nothing, minus zero is zero."""
    value = float(value)
    return None if math.isnan(value) else value + 0.0


def storable(text: str) -> str:
    """Return text as UTF-8 can hold it, without the middle if it is very long."""
    if len(text) > MOST_ERROR:
        half, left_out = MOST_ERROR // 2, len(text) - MOST_ERROR // 2 * 2
        text = f"{text[:half]}\n[{left_out} characters left out]\n{text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode()


_STORED: Mapping[str, Callable[[Any], object]] = {
    "str": storable,
    "int64": int,
    "Int64": _update,
    "float64": real,
}


def curve_bytes(curve: Annotated[Array, "point column"]) -> bytes:
    """Return a curve as it is stored: rows of float64, the least significant byte first."""
    return np.ascontiguousarray(curve, dtype="<f8").tobytes()


def points_of(curve: bytes) -> Annotated[Array, "point column"]:
    """Return a curve from what `curve_bytes` made of it, or several that were joined."""
    return np.frombuffer(curve, dtype="<f8").reshape(-1, CURVE_WIDTH)


def digest_of(values: Sequence[object]) -> str:
    """Return a hash of a row's values, in the order of the columns without the digest."""
    # A store is opened by making the digests of all its rows.
    plain = [value for value in values if type(value) is not bytes]
    digest = hashlib.sha256(json.dumps(plain).encode())
    if len(plain) < len(values):
        for value in values:
            if type(value) is bytes:
                digest.update(value)
    return digest.hexdigest()[:DIGEST_CHARACTERS]


def is_possible(table: str, row: Row) -> bool:
    """Return whether values are such as `docs/store.md` says, whoever made their digest."""
    try:
        # Facts are read by the rules of who uses them.
        return (table == "facts" or _RULES[table](row)) and all(
            row[name] is None or low <= row[name] <= high
            for name, (low, high) in _BOUNDS[table].items()
        )
    except (AttributeError, TypeError, ValueError, RecursionError):
        return False  # what should be JSON is none, or is of something else


def _is_possible_trial(row: Row) -> bool:
    content, status = row["configuration"], row["status"]
    return (
        identity_of(content) == row["trial"]
        and _tells(content, row)
        and ('"evaluate_test":true' in content or row["test_loss"] is row["test_metric"] is None)
        and status in {OK, DIVERGED, ERROR, CRASHED, TIMEOUT}
        and (row["diverged_at_update"] is None or status == DIVERGED)
        and (row["started"] or 0.0) <= (row["ended"] or row["started"] or 0.0)
        and (len(row["curve"]) > 0 or status != OK)
        and _is_possible_curve(row["curve"])
    )


def _tells(content: str, row: Row) -> bool:
    """Return whether canonical JSON says of a trial what its columns repeat."""
    names = _REPEATED if '"trainer":"' not in content else ("batch_size", "learning_rate")
    shared = content.replace(f'"seed":{_written(row["seed"])}', "", 1)
    return shared != content and _holds(shared, names, tuple(row[name] for name in names))


@lru_cache(1000)
def _holds(content: str, names: Sequence[str], values: Sequence[object]) -> bool:
    # To parse it would take longer than all else that is done to open a store.
    pairs = zip(names, values, strict=True)
    return all(f'"{name}":{_written(value)}' in content for name, value in pairs)


def _written(value: object) -> str:
    if isinstance(value, str | float):
        return f'"{value if isinstance(value, str) else value.hex()}"'
    return f"{value},"


_REPEATED = (*_SETTINGS, "learning_rate")
"""Columns of a trial that repeat what its content says, as its seed does."""


def _is_possible_curve(curve: bytes) -> bool:
    return _are_possible(points_of(curve)[:, [0, 1, -1]].tobytes())


@lru_cache(1000)
def _are_possible(examples_updates_and_branch: bytes) -> bool:
    # Trials of one configuration are evaluated at the same points. Branches count on from where
    # they left the run.
    points = np.frombuffer(examples_updates_and_branch).reshape(-1, 3)
    counts, run = points[:, :2], points[np.isnan(points[:, 2]), :2]
    return bool(
        (counts >= 0).all()
        and (counts <= _LARGEST).all()
        and (run[1:] >= run[:-1]).all()
        and (counts == np.floor(counts)).all()
    )


def _is_possible_round(row: Row) -> bool:
    engines = (TENSOR, PER_ITEM, ONE_PIECE)
    return row["engine"] in engines and row["updates"] > 0 and row["wall_seconds"] > 0


_LARGEST = 2**53  # the largest count: up to here float64 holds every whole number
_LATEST = 253_402_300_799.0  # the end of the year 9999, in seconds since 1970
_AT_LEAST_ONE = {"shards", "local_updates", "batch_size", "attempts", "lanes"}


def _bounds(column: Column) -> tuple[float, float] | None:
    if column.dtype in {"int64", "Int64"} and column.name != "seed":
        return int(column.name in _AT_LEAST_ONE), _LARGEST
    return (0, _LATEST) if column.unit in {"s", "s since 1970"} else None


_BOUNDS = {
    table: {column.name: bounds for column in columns if (bounds := _bounds(column))}
    for table, columns in COLUMNS.items()
}
"""The least and the largest that counts and times may be, by table and column."""
_RULES: Mapping[str, Callable[[Row], bool]] = {
    "trials": _is_possible_trial,
    "timing": _is_possible_round,
}
"""What else must be true of a table's rows."""


def insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> None:
    """Insert a row with its digest; a row of the same key is replaced."""
    values = [row[column] for column in columns_of(table)[:-1]]
    connection.execute(_insertion(table), (*values, digest_of(values)))


@cache
def _insertion(table: str) -> str:
    marks = ", ".join("?" * len(columns_of(table)))
    return f"REPLACE INTO {table} VALUES ({marks})"


def damaged_rows(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return table and number of each row that no run has written as it is."""
    lenient, connection.text_factory = connection.text_factory, str
    try:
        return _damaged_rows(connection)
    except sqlite3.OperationalError:
        # Some text is not UTF-8. Reading it takes a call of Python for each text, so it is not done
        # before it must be.
        connection.text_factory = lenient
        return _damaged_rows(connection)


def _damaged_rows(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    # Through the tables themselves: an index may be damaged, too.
    return [
        (table, number)
        for table in TABLES
        for number, *values, digest in connection.execute(
            f"SELECT rowid, * FROM {table} NOT INDEXED"
        )
        if digest_of(values) != digest
        or not is_possible(table, dict(zip(columns_of(table), values, strict=False)))
    ]


def same_result(first: Row, second: Row) -> bool:
    """Return whether two rows of a trial agree in all that its identity determines, to the bit."""
    return all(first[column] == second[column] for column in _RESULT)


def strict(value: object) -> object:
    """Return a value as strict JSON can hold it: null, "inf" and "-inf" for what is not finite."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return None if math.isnan(value) else str(value)
