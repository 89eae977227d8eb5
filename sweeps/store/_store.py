"""The study's store: one SQLite file, one writer; `docs/store.md` describes its tables."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Self

import pandas as pd

from reports.schema import CURVE_COLUMNS, TIMING_COLUMNS, TRIAL_COLUMNS, as_table
from sweeps.data.in_memory import DATA_FILES
from sweeps.design import Planned, Trial
from sweeps.errors import (
    ResourceError,
    StoreError,
    UsageError,
    refuse_links,
    tell,
)
from sweeps.spec.load import SPECIFICATION
from sweeps.store._connection import (
    SESSION_FACTS,
    Session,
    create,
    files_of,
    leftovers_of,
    missing_trials,
    reading,
    transaction,
    writing,
)
from sweeps.store._schema import TABLES, columns_of
from sweeps.store.folder import FILE, LOCK, no_study
from sweeps.store.lock import locked
from sweeps.store.rows import DONE, Row, insert, points_of, row_of, same_result
from sweeps.worker.train import CURVE_WIDTH, Outcome

_POINT_BYTES = 8 * CURVE_WIDTH

_FACTS = f"SELECT key, value FROM sound_facts WHERE key NOT IN {SESSION_FACTS}"
_STATUSES = "SELECT trial, status FROM sound_trials"
_ROWS = "SELECT * FROM sound_trials WHERE substr(trial, 1, length(?1)) = ?1"
_TRIALS = f"SELECT {', '.join(columns_of('trials')[:-2])} FROM sound_trials"
_CURVES = "SELECT trial, curve FROM sound_trials"
_TIMING = """
SELECT * FROM sound_timing ORDER BY workload, engine DESC, lanes, batch_size, round
"""
_DAMAGED = " + ".join(
    f"(SELECT count(*) FROM {table} NOT INDEXED) - (SELECT count(*) FROM sound_{table})"
    for table in TABLES
)


class Store:
    """An open study: `Store.write` for the one process that runs trials, `Store.read` for all."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, session: Session | None = None
    ) -> None:
        self._connection = connection
        self._path = path
        self._session = session

    @classmethod
    @contextmanager
    def write(cls, folder: Path, name: str) -> Iterator[Self]:
        """Open or create the study in a folder, for this process alone."""
        path = folder / FILE
        _claim(folder)
        with locked(folder):
            if not path.exists():
                create(path, {"name": name})
            with writing(path) as connection:
                stored = cls(connection, path).facts().get("name", name)
                if stored != name:
                    raise StoreError(
                        f"{folder} holds the study {stored!r}, not {name!r}. Choose another --out."
                    )
                _note(missing_trials(connection, path))
                session = Session(connection, path)
                try:
                    yield cls(connection, path, session)
                finally:
                    session.end()

    @classmethod
    @contextmanager
    def read(cls, folder: Path) -> Iterator[Self]:
        """Open the study in a folder as it is now; a run may be writing to it meanwhile."""
        refuse_links(*files_of(folder / FILE))
        if not (folder / FILE).is_file():
            raise no_study(folder)
        with reading(folder / FILE) as connection:
            _note(missing_trials(connection, folder / FILE))
            yield cls(connection, folder / FILE)

    def facts(self) -> dict[str, str]:
        """Return what is known of the study as a whole, by name."""
        return dict(self._connection.execute(_FACTS))

    def fact(self, key: str) -> str:
        """Return one thing that is known of the study as a whole."""
        value = self.facts().get(key)
        if value is None:
            raise StoreError(
                f"{self._path} has no {key!r} that this bpsweep can read: run the study again to "
                "go on. `bpsweep export` and `bpsweep show` work as it is."
            )
        return value

    def set_facts(self, facts: Mapping[str, str]) -> None:
        """Store facts of the study, replacing those of the same name."""
        with self._changing():
            for key, value in facts.items():
                insert(self._connection, "facts", {"key": key, "value": value})

    def checkpoint(self, *, if_due: bool = False) -> None:
        """See to it that the file alone holds everything, without what SQLite keeps next to it."""
        if self._session:
            self._session.checkpoint(if_due=if_due)

    def check(self) -> None:
        """Raise `OwnedError` if another run writes here, `ResourceError` if the store moved."""
        with self._changing():
            pass

    def _changing(self) -> AbstractContextManager[None]:
        return self._session.changing() if self._session else transaction(self._connection)

    def statuses(self) -> dict[str, str]:
        """Return the status of every trial that has ended, by identity."""
        return dict(self._connection.execute(_STATUSES))

    def done(self) -> set[str]:
        """Return the identities of the trials that have a result and need not run again."""
        return {trial for trial, status in self.statuses().items() if status in DONE}

    def damaged(self) -> int:
        """Return how many rows are damaged; what they held counts as not computed yet."""
        return int(self._connection.execute(f"SELECT {_DAMAGED}").fetchone()[0])

    def add(self, trials: Sequence[Trial], outcomes: Sequence[Outcome]) -> list[str]:
        """Store what trials gave, in one transaction; return the trials with another result."""
        # An earlier failure of a trial is replaced. A result is not: the same one again changes
        # nothing, nor does a failure, and another result is not stored.
        rows = (row_of(trial, outcome) for trial, outcome in zip(trials, outcomes, strict=True))
        return self.take(rows)

    def take(self, rows: Iterable[Row]) -> list[str]:
        """Store rows of the table `trials` as `add` does; return the trials with another result."""
        with self._changing():
            return [row["trial"] for row in rows if not self._takes(row)]

    def _takes(self, row: Row) -> bool:
        """Store a row unless there is a result; return whether it agrees with what is stored."""
        query = "SELECT * FROM trials WHERE trial = ?"
        values = self._connection.execute(query, (row["trial"],)).fetchone()
        if values is None:
            insert(self._connection, "trials", row)
            return True
        stored = _row("trials", values)
        if stored["status"] in DONE:
            return row["status"] not in DONE or same_result(stored, row)
        attempts = stored["attempts"] + row["attempts"]
        insert(self._connection, "trials", row | {"attempts": attempts})
        return True

    def rows(self, start: str = "") -> Iterator[Row]:
        """Return the rows of trials, oldest first."""
        cursor = self._connection.execute(_ROWS, (start,))
        return (_row("trials", values) for values in cursor)

    def timed(self) -> set[tuple[str, str, int, int]]:
        """Return what the benchmark has measured: workloads, engines, lanes and batch sizes."""
        return {key[:4] for key in self._connection.execute(_TIMING)}

    def take_timing(self, rows: Sequence[Row]) -> None:
        """Store measurements of workloads in place of all earlier ones of the same workloads."""
        with self._changing():
            self._connection.executemany(
                "DELETE FROM timing WHERE workload = ?", {(row["workload"],) for row in rows}
            )
            for row in rows:
                insert(self._connection, "timing", row)

    def trials_table(self, stages: Mapping[str, Sequence[Planned]]) -> pd.DataFrame:
        """Return the planned trials that have ended: `TRIAL_COLUMNS`, in the order of the plan."""
        places = pd.DataFrame.from_records(
            [
                (stage, group, trial.identity)
                for stage, planned in stages.items()
                for group, trial in planned
            ],
            columns=["stage", "group", "trial"],
        )
        return as_table(places.merge(self.stored_trials(), on="trial"), TRIAL_COLUMNS)

    def stored_trials(self) -> pd.DataFrame:
        """Return all trials that have ended, oldest first: columns up to `configuration`."""
        columns = columns_of("trials")[:-2]
        return pd.DataFrame.from_records(self._connection.execute(_TRIALS), columns=columns)

    def curves_table(self, trials: Iterable[str]) -> pd.DataFrame:
        """Return curves: `CURVE_COLUMNS`, in the order of the trials, then of examples."""
        wanted = list(dict.fromkeys(trials))
        stored = dict(self._connection.execute(_CURVES))
        curves = [stored.get(trial, b"") for trial in wanted]
        points = points_of(b"".join(curves))
        lengths = [len(curve) // _POINT_BYTES for curve in curves]
        names = pd.Series(wanted, dtype="str").repeat(lengths).reset_index(drop=True)
        values = {column.name: points[:, index] for index, column in enumerate(CURVE_COLUMNS[1:])}
        return as_table(pd.DataFrame({"trial": names, **values}), CURVE_COLUMNS)

    def timing_table(self, workloads: Mapping[str, str]) -> pd.DataFrame:
        """Return `TIMING_COLUMNS` in the order of groups, whose labels lead to workloads."""
        groups = pd.DataFrame(workloads.items(), columns=["group", "workload"])
        return as_table(groups.merge(self.stored_timing(), on="workload"), TIMING_COLUMNS)

    def stored_timing(self) -> pd.DataFrame:
        """Return all rounds of the benchmark: columns of `timing`."""
        return pd.DataFrame(self.timing_rows(), columns=columns_of("timing")[:-1])

    def timing_rows(self) -> list[Row]:
        """Return all rounds of the benchmark: rows of `timing`."""
        return [_row("timing", values) for values in self._connection.execute(_TIMING)]


@functools.cache
def _note(text: str) -> None:
    """Say something once, however often a command opens a store."""
    if text:
        tell(f"note: {text}")


def _row(table: str, values: Sequence[object]) -> Row:
    return dict(zip(columns_of(table)[:-1], values[:-1], strict=True))


def _claim(folder: Path) -> None:
    ours = {LOCK, SPECIFICATION, *DATA_FILES, *(path.name for path in leftovers_of(folder / FILE))}
    refuse_links(*files_of(folder / FILE), *(folder / name for name in ours))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strangers = not (folder / FILE).exists() and any(
            entry.name not in ours for entry in folder.iterdir()
        )
    except FileExistsError:
        raise UsageError(f"{folder} is a file, not a folder. Choose another --out.") from None
    except OSError as error:
        raise ResourceError(f"{folder} can't be used: {error.strerror}.") from None
    if strangers:
        raise UsageError(f"{folder} is not empty and holds no study. Choose another --out.")
