"""The study's store: one SQLite file, one writer; `docs/store.md` describes its tables."""

from __future__ import annotations

import functools
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Self

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
    check_all,
    create,
    files_of,
    leftovers_of,
    missing_trials,
    reading,
    transaction,
    writing,
)
from sweeps.store._schema import columns_of
from sweeps.store.folder import CHECKED, FILE, LOCK, no_study
from sweeps.store.lock import locked
from sweeps.store.rows import DONE, Row, insert, points_of, row_of, same_result
from sweeps.worker.train import CURVE_WIDTH, Outcome

_POINT_BYTES = 8 * CURVE_WIDTH

_FACTS = f"SELECT key, value FROM sound_facts WHERE key NOT IN {SESSION_FACTS}"
_STORED = columns_of("trials")[:-2]
_DECIDING = (  # the first three are known by their number
    *("trial", "status", "train_seconds", "batch_size", "learning_rate", "seed", "updates"),
    *("examples", "validation_metric", "validation_loss", "test_metric", "test_loss"),
)
_FAILURE = ("trial", "status", "error", "stopped_at_update")
_OUTCOMES = f"SELECT {', '.join(_DECIDING)} FROM sound_trials"
_ROWS = "SELECT * FROM sound_trials WHERE substr(trial, 1, length(?1)) = ?1"
_TRIALS = f"SELECT {', '.join(_STORED)} FROM sound_trials"
_CURVES = "SELECT trial, curve FROM sound_trials"
_TIMING = """
SELECT * FROM sound_timing ORDER BY workload, engine DESC, lanes, batch_size, round
"""

Stages = Mapping[str, Sequence[Planned]]


class Store:
    """An open study: `Store.write` for the one process that runs trials, `Store.read` for all."""

    def __init__(
        self, connection: sqlite3.Connection, path: Path, session: Session | None = None
    ) -> None:
        self._connection = connection
        self._path = path
        self._session = session
        self._ended: Mapping[str, Sequence[Any]] | None = None  # as long as none is added

    @classmethod
    @contextmanager
    def write(cls, folder: Path, name: str) -> Iterator[Self]:
        """Open or create the study in a folder, for this process alone."""
        path = folder / FILE
        _claim(folder)
        with locked(folder):
            if not path.exists():
                create(path, {"name": name})
            try:
                with writing(path) as connection:
                    stored = cls(connection, path).facts().get("name", name)
                    if stored != name:
                        raise StoreError(
                            f"{folder} holds the study {stored!r}, not {name!r}. Choose another "
                            "--out."
                        )
                    _note(missing_trials(connection, path))
                    session = Session(connection, path)
                    try:
                        yield cls(connection, path, session)
                    finally:
                        session.end()
            finally:
                check_all(path)

    @classmethod
    @contextmanager
    def read(cls, folder: Path, *, checked: bool = True) -> Iterator[Self]:
        """Open the study in a folder as it is now; a run may be writing to it meanwhile.

        Not `checked`, it may show what is damaged, and is open at once.
        """
        refuse_links(*files_of(folder / FILE))
        if not (folder / FILE).is_file():
            raise no_study(folder)
        with reading(folder / FILE, checked=checked) as connection:
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
        stored = self.facts()
        changed = {key: value for key, value in facts.items() if stored.get(key) != value}
        if not changed:
            return
        with self._changing():
            for key, value in changed.items():
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

    def ended(self) -> AbstractSet[str]:
        """Return the identities of the trials that have ended."""
        return self._outcomes().keys()

    def statuses(self) -> dict[str, str]:
        """Return the status of every trial that has ended, by identity."""
        return {trial: values[1] for trial, values in self._outcomes().items()}

    def _outcomes(self) -> Mapping[str, Sequence[Any]]:
        # Each look at all rows takes a while.
        if self._ended is None:
            self._ended = {values[0]: values for values in self._connection.execute(_OUTCOMES)}
        return self._ended

    def train_seconds(self, trials: Iterable[str]) -> float:
        """Return how long trials that have ended were trained."""
        outcomes = self._outcomes()
        return math.fsum(outcomes[trial][2] for trial in trials)

    def failures(self) -> pd.DataFrame:
        """Return the trials that have no result: what `count_outcomes` needs to know of them."""
        if {*self.statuses().values()} <= {*DONE}:
            return pd.DataFrame(columns=_FAILURE)
        query = f"SELECT {', '.join(_FAILURE)} FROM sound_trials WHERE status NOT IN {DONE}"
        return pd.DataFrame(self._connection.execute(query), columns=_FAILURE)

    def done(self) -> set[str]:
        """Return the identities of the trials that have a result and need not run again."""
        return {trial for trial, values in self._outcomes().items() if values[1] in DONE}

    def has(self, trial: str) -> bool:
        """Return whether a trial has ended."""
        query = "SELECT 1 FROM trials WHERE trial = ?"
        return self._connection.execute(query, (trial,)).fetchone() is not None

    def damaged(self) -> int:
        """Return how many rows are damaged; what they held counts as not computed yet."""
        return int(self._connection.execute("SELECT rows FROM damaged").fetchone()[0])

    def add(self, trials: Sequence[Trial], outcomes: Sequence[Outcome]) -> list[str]:
        """Store what trials gave, in one transaction; return the trials with another result."""
        # An earlier failure of a trial is replaced. A result is not: the same one again changes
        # nothing, nor does a failure, and another result is not stored.
        rows = (row_of(trial, outcome) for trial, outcome in zip(trials, outcomes, strict=True))
        return self.take(rows)

    def take(self, rows: Iterable[Row]) -> list[str]:
        """Store rows of the table `trials` as `add` does; return the trials with another result."""
        self._ended = None
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

    def trials_table(self, stages: Stages) -> pd.DataFrame:
        """Return the planned trials that have ended: `TRIAL_COLUMNS`, in the order of the plan."""
        cursor = self._connection.execute(_TRIALS)
        return _planned_table(stages, {values[0]: values for values in cursor}, _STORED)

    def deciding_table(self, stages: Stages) -> pd.DataFrame:
        """Return the columns of `trials_table` on which it depends which trials come next."""
        return _planned_table(stages, self._outcomes(), _DECIDING)

    def stored_trials(self) -> pd.DataFrame:
        """Return all trials that have ended, oldest first: columns up to `configuration`."""
        return pd.DataFrame.from_records(self._connection.execute(_TRIALS), columns=_STORED)

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


def _planned_table(
    stages: Stages, stored: Mapping[str, Sequence[Any]], names: Sequence[str]
) -> pd.DataFrame:
    """Return rows, by trial, of which these are the columns, wherever a trial is planned."""
    places = [
        (stage, group, values)
        for stage, planned in stages.items()
        for group, trial in planned
        if (values := stored.get(trial.identity))
    ]
    rows = [values for _, _, values in places]
    listed: dict[str, Sequence[Any]] = dict.fromkeys(names, ())
    listed |= zip(names, zip(*rows, strict=True), strict=False)
    listed |= {
        "stage": [stage for stage, _, _ in places],
        "group": [group for _, group, _ in places],
    }
    kinds = {column.name: column.dtype for column in TRIAL_COLUMNS if column.name in listed}
    return pd.DataFrame({name: pd.Series(listed[name], dtype=kinds[name]) for name in kinds})


def _row(table: str, values: Sequence[object]) -> Row:
    return dict(zip(columns_of(table)[:-1], values[:-1], strict=True))


def _claim(folder: Path) -> None:
    ours = {
        LOCK,
        CHECKED,
        SPECIFICATION,
        *DATA_FILES,
        *(path.name for path in leftovers_of(folder / FILE)),
    }
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
