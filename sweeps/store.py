"""The study's store: one SQLite file, one writer.

The tables and their columns are described in `docs/store.md`.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pandas as pd

from reports.results import CURVE_COLUMNS, TIMING_COLUMNS, TRIAL_COLUMNS, Column, empty_table
from sweeps.errors import OwnedError, ResourceError, StoreError, UsageError
from sweeps.timing import Round
from sweeps.trials import Trial
from sweeps.worker import ERROR, Outcome

FILE = "study.db"
LOCK = ".lock"
APPLICATION_ID = 0x62707377  # "bpsw"
SCHEMA_VERSION = 1

SCHEMA = """
CREATE TABLE facts (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
CREATE TABLE trials (
    trial TEXT PRIMARY KEY,
    configuration TEXT NOT NULL,
    status TEXT NOT NULL,
    diverged_at_update INTEGER,
    updates INTEGER NOT NULL,
    examples INTEGER NOT NULL,
    test_loss REAL,
    test_metric REAL,
    error TEXT NOT NULL,
    train_seconds REAL NOT NULL
) STRICT;
CREATE TABLE curves (
    trial TEXT NOT NULL REFERENCES trials ON DELETE CASCADE,
    examples INTEGER NOT NULL,
    updates INTEGER NOT NULL,
    train_loss REAL,
    train_metric REAL,
    validation_loss REAL,
    validation_metric REAL,
    PRIMARY KEY (trial, examples)
) STRICT, WITHOUT ROWID;
CREATE TABLE timing (
    engine TEXT NOT NULL,
    batch_size INTEGER NOT NULL,
    round INTEGER NOT NULL,
    updates INTEGER NOT NULL,
    wall_seconds REAL NOT NULL,
    cpu_seconds REAL NOT NULL,
    PRIMARY KEY (engine, batch_size, round)
) STRICT;
"""


class Store:
    """An open study.

    Use `Store.write` for the one process that runs trials, `Store.read` for everyone else.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def write(cls, folder: Path, name: str) -> Iterator[Self]:
        """Open or create the study in a folder, for this process alone.

        Args:
            folder: The study's folder; created if it does not exist.
            name: The study's name.

        Raises:
            UsageError: The folder holds something else.
            StoreError: The folder holds another study, or its store can't be used.
            OwnedError: Another process is running this study.
            ResourceError: The folder can't be written to.
        """
        _claim(folder)
        with _lock(folder), _connect(folder / FILE, create=True) as connection:
            store = cls(connection)
            found = store.facts().get("name")
            if found not in {None, name}:
                raise StoreError(
                    f"{folder} holds the study {found!r}, not {name!r}. Choose another --out."
                )
            store.set_facts({"name": name})
            yield store

    @classmethod
    @contextmanager
    def read(cls, folder: Path) -> Iterator[Self]:
        """Open the study in a folder for reading; a run may be writing to it meanwhile.

        Args:
            folder: The study's folder.

        Raises:
            StoreError: There is no study, or its store can't be used.
        """
        if not (folder / FILE).is_file():
            raise StoreError(f"{folder} holds no study: there is no {FILE} in it.")
        with _connect(folder / FILE, create=False) as connection:
            yield cls(connection)

    def facts(self) -> dict[str, str]:
        """Return what is known of the study as a whole, by name."""
        return dict(self._connection.execute("SELECT key, value FROM facts"))

    def set_facts(self, facts: Mapping[str, str]) -> None:
        """Store facts of the study, replacing those of the same name."""
        with self._connection:
            self._connection.executemany("REPLACE INTO facts VALUES (?, ?)", facts.items())

    def statuses(self) -> dict[str, str]:
        """Return the status of every trial that has ended, by identity."""
        return dict(self._connection.execute("SELECT trial, status FROM trials"))

    def done(self) -> set[str]:
        """Return the identities of the trials that need not run again: those with a result."""
        return {trial for trial, status in self.statuses().items() if status != ERROR}

    def add(self, trials: Sequence[Trial], outcomes: Sequence[Outcome]) -> None:
        """Store what trials gave, in one transaction; an earlier failure of a trial is replaced.

        Args:
            trials: The trials.
            outcomes: What they gave, in the same order.
        """
        with self._connection:
            for trial, outcome in zip(trials, outcomes, strict=True):
                self._add(trial, outcome)

    def _add(self, trial: Trial, outcome: Outcome) -> None:
        self._connection.execute("DELETE FROM trials WHERE trial = ?", (outcome.trial,))
        self._connection.execute(
            "INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                outcome.trial,
                trial.content,
                outcome.status,
                outcome.diverged_at_update or None,
                outcome.updates,
                outcome.examples,
                outcome.test_loss,
                outcome.test_metric,
                outcome.error,
                outcome.train_seconds,
            ),
        )
        self._connection.executemany(
            "INSERT INTO curves VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((outcome.trial, int(row[0]), int(row[1]), *row[2:].tolist()) for row in outcome.curve),
        )

    def timed_batch_sizes(self) -> set[int]:
        """Return the batch sizes that the timing pass has measured."""
        rows = self._connection.execute("SELECT DISTINCT batch_size FROM timing")
        return {batch_size for (batch_size,) in rows}

    def replace_timing(self, rounds: Iterable[Round]) -> None:
        """Store a timing pass in place of the last one."""
        with self._connection:
            self._connection.execute("DELETE FROM timing")
            self._connection.executemany(
                "INSERT INTO timing VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (r.engine, r.batch_size, r.number, r.updates, r.wall_seconds, r.cpu_seconds)
                    for r in rounds
                ),
            )

    def trials_table(self, stages: Mapping[str, Sequence[Trial]]) -> pd.DataFrame:
        """Return the planned trials that have ended.

        Args:
            stages: The planned trials of each stage, in order.

        Returns:
            Columns `TRIAL_COLUMNS`, in the order of the plan.
        """
        stored = {row["trial"]: row for row in self._select("SELECT * FROM trials")}
        ends = {row["trial"]: row for row in self._select(_LAST_EVALUATIONS)}
        rows = [
            _described(stage, trial) | stored[trial.identity] | ends.get(trial.identity, {})
            for stage, trials in stages.items()
            for trial in trials
            if trial.identity in stored
        ]
        return _table(rows, TRIAL_COLUMNS)

    def curves_table(self, trials: pd.Series[str]) -> pd.DataFrame:
        """Return the curves of trials.

        Args:
            trials: Identities.

        Returns:
            Columns `CURVE_COLUMNS`, in the order of the trials, then of examples.
        """
        place = {trial: number for number, trial in enumerate(trials)}
        rows = [row for row in self._select("SELECT * FROM curves") if row["trial"] in place]
        rows.sort(key=lambda row: (place[row["trial"]], row["examples"]))
        return _table(rows, CURVE_COLUMNS)

    def timing_table(self) -> pd.DataFrame:
        """Return the timing pass: columns `TIMING_COLUMNS`."""
        rows = self._select("SELECT * FROM timing ORDER BY engine DESC, batch_size, round")
        return _table(rows, TIMING_COLUMNS)

    def _select(self, query: str) -> list[dict[str, Any]]:
        cursor = self._connection.execute(query)
        names = [description[0] for description in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


_LAST_EVALUATIONS = """
SELECT trial, train_loss, train_metric, validation_loss, validation_metric, MAX(examples)
FROM curves GROUP BY trial
"""


def _described(stage: str, trial: Trial) -> dict[str, Any]:
    configuration = trial.configuration
    return {
        "stage": stage,
        "dataset": configuration.dataset,
        "architecture": str(configuration.architecture),
        "optimizer": configuration.optimizer,
        "batch_size": configuration.batch_size,
        "learning_rate": trial.learning_rate,
        "seed": trial.seed,
    }


def _table(rows: Sequence[Mapping[str, Any]], columns: tuple[Column, ...]) -> pd.DataFrame:
    if not rows:
        return empty_table(columns)
    # NULL is what SQLite makes of NaN.
    return pd.DataFrame(
        {
            column.name: pd.Series([row.get(column.name) for row in rows], dtype=column.dtype)
            for column in columns
        }
    )


def _claim(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = not (folder / FILE).exists() and any(
            entry.name != LOCK for entry in folder.iterdir()
        )
    except FileExistsError:
        raise UsageError(f"{folder} is a file, not a folder. Choose another --out.") from None
    except OSError as error:
        raise ResourceError(f"{folder} can't be used: {error.strerror}.") from None
    if strangers:
        raise UsageError(f"{folder} is not empty and holds no study. Choose another --out.")


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    # The kernel frees the lock when its process ends, however it ends.
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ResourceError(f"{folder} can't be written to: {error.strerror}.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    except BlockingIOError:
        owner = os.read(handle, 32).decode() or "unknown"
        raise OwnedError(f"{folder} is in use by another run, process {owner}.") from None
    finally:
        os.close(handle)


@contextmanager
def _connect(path: Path, *, create: bool) -> Iterator[sqlite3.Connection]:
    # A reader opens for writing too and then forbids itself to: the last one to close tidies up the
    # files that SQLite keeps beside the store while it is in use.
    mode = "rwc" if create else "rw"
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True)
    try:
        _prepare(connection, path, create=create)
        yield connection
    except sqlite3.OperationalError as error:
        raise ResourceError(f"{path} can't be written to or read: {error}.") from None
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} can't be used: {error}.") from None
    finally:
        connection.close()


def _prepare(connection: sqlite3.Connection, path: Path, *, create: bool) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA busy_timeout = 10000")
    connection.execute(f"PRAGMA query_only = {'OFF' if create else 'ON'}")
    is_new = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if create and is_new:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(
            f"BEGIN; {SCHEMA} PRAGMA application_id = {APPLICATION_ID}; "
            f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
        )
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StoreError(f"{path} is not a study of bpsweep. Choose another --out.")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{path} has the format {version}, but this bpsweep reads format {SCHEMA_VERSION}."
        )
    connection.execute("PRAGMA synchronous = FULL")
