"""Opening the database of a store: for the one who writes, and for those who read."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

from sweeps.errors import OwnedError, ResourceError, StoreError, UserError, counted, tell
from sweeps.store._checked import content_of, is_checked, is_noted, note_checked, place_of
from sweeps.store._schema import TABLES, create_tables, kind_problem
from sweeps.store.rows import damaged_rows, insert

LARGEST_VALUE = 2**27
"""Bytes of the largest text or curve that is read: a file from elsewhere may hold anything."""

_BUSY_MILLISECONDS = 10_000

_WRITER, _CHECKPOINT = "writer", "checkpoint"
SESSION_FACTS = (_WRITER, _CHECKPOINT)  # facts of whoever writes, rather than of the study

_FACT = "SELECT value FROM sound_facts WHERE key = ?"

CHECKPOINT_SECONDS, _AGAIN_SECONDS, _CHECKPOINT_MILLISECONDS = 30.0, 1.0, 100
"""How often there is a checkpoint, how soon again if readers are in its way, how long it waits."""

_NO_LOG, _LOG_FOLLOWS, _LOG_READ = "none", "follows", "read"
"""What there is next to the database: nothing, a log that has not been read, or one that has."""

_ROW_PROBLEM = re.compile(
    r"row \d+ (missing from|values differ from) index |wrong # of entries in index |"
    r"non-unique entry in index |rowid not at end-of-record |NULL value in |\S+ value in "
)
"""What SQLite says of rows that are damaged while the structure of the file is sound."""

_RESOURCES = {
    getattr(sqlite3, f"SQLITE_{name}")
    for name in ("BUSY", "CANTOPEN", "FULL", "IOERR", "LOCKED", "NOMEM", "PERM", "READONLY")
}
_UNUSABLE = {
    getattr(sqlite3, f"SQLITE_{name}") for name in ("CORRUPT", "FORMAT", "NOTADB", "TOOBIG")
}


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Make changes that all happen, or none does."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def create(path: Path, facts: Mapping[str, str]) -> None:
    """Make a store, whole or not at all."""
    unfinished, *_ = leftovers = leftovers_of(path)
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    with _mendable(path), closing(_connect(unfinished, "mode=rwc")) as connection:
        with transaction(connection):
            create_tables(connection)
            for key, value in facts.items():
                insert(connection, "facts", {"key": key, "value": value})
        connection.execute("PRAGMA journal_mode = WAL")
    _put(unfinished, path)


def leftovers_of(path: Path) -> list[Path]:
    """Return where a store is made before it takes its place, and what may lie next to that."""
    return files_of(path.with_name(f".{path.name}.new"))


def files_of(path: Path) -> list[Path]:
    """Return a database and what SQLite keeps next to it, whether or not they are there."""
    return [path.with_name(path.name + end) for end in ("", "-journal", "-wal", "-shm")]


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a store for its one writer; damaged rows are removed, with a note."""
    with _mendable(path), closing(_connect(path, "mode=rw")) as connection:
        _check(connection, path)
        problems, damaged = ([], []) if _is_known_sound(path) else _damage(connection, path)
        if damaged or problems:
            _keep_sound(connection, damaged)
        if damaged:
            rows = counted(len(damaged), "damaged row")
            tell(f"note: {path} held {rows}, now removed: what was there is computed again.")
        _show_sound(connection, [])
        connection.text_factory = str
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Every checkpoint leaves word that a log follows, so SQLite makes none by itself.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        yield connection


def _damage(connection: sqlite3.Connection, path: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """Return what is wrong with indexes and rows, and which rows are damaged."""
    return _row_problems(connection, path), damaged_rows(connection)


def check_all(path: Path) -> None:
    """Check a store that is in no use, and keep that it is whole, if it is and that isn't known."""
    # Opened anew: SQLite remembers pages that it has written, whatever the file holds since.
    with suppress(UserError, OSError), reading(path, checked=False) as connection:
        if not is_noted(path):
            # The file first: what changes while its rows are checked is seen by either.
            where, content = place_of(path), content_of(path)
            is_sound = _damage(connection, path) == ([], [])
            if is_sound and not _has_log(path) and where == place_of(path):
                note_checked(path, where, content)


def _keep_sound(connection: sqlite3.Connection, damaged: Sequence[tuple[str, int]]) -> None:
    """Make all tables and their indexes anew, without damaged rows."""
    with transaction(connection):
        for table, statement in TABLES.items():
            connection.execute(f"ALTER TABLE {table} RENAME TO old")
            connection.execute(statement)
            connection.execute(f"INSERT OR IGNORE INTO {table} {_sound('old', table, damaged)}")
            connection.execute("DROP TABLE old")


def _show_sound(connection: sqlite3.Connection, damaged: Sequence[tuple[str, int]]) -> None:
    """Make a view `sound_TABLE` of the rows of each table that are not damaged, and count those."""
    connection.execute(f"CREATE TEMP VIEW damaged AS SELECT {len(damaged)} AS rows")
    for table in TABLES:
        rows = _sound(table, table, damaged)
        connection.execute(f"CREATE TEMP VIEW sound_{table} AS {rows}")


def _sound(source: str, table: str, damaged: Sequence[tuple[str, int]]) -> str:
    # Through the table itself: an index may be damaged, too.
    numbers = ", ".join(str(number) for name, number in damaged if name == table)
    return f"SELECT * FROM {source} NOT INDEXED WHERE rowid NOT IN ({numbers}) ORDER BY rowid"


class Session:
    """What the one writer of a store does besides writing rows.

    It sees that the store is still its own, and moves what SQLite's log holds to the database,
    which then says that a log follows; the first thing in that log is that it has been read.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._token = secrets.token_hex(16)
        self._is_changed, self._due = False, 0.0
        # A run that finds nothing to do leaves a store that is complete by itself as it is.
        self._has_begun = False
        is_complete = _checkpoint_of(connection).get("log") == _NO_LOG
        self._files = self._stored_in()
        if not is_complete:
            self._begin()

    def _begin(self) -> None:
        self._has_begun = True
        with transaction(self._connection):
            insert(self._connection, "facts", {"key": _WRITER, "value": self._token})
        self._is_changed = True
        self.checkpoint()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Make changes that all happen or none does, if the store is still ours."""
        if not self._has_begun:
            self._begin()
        with transaction(self._connection):
            self._check()
            self._is_changed = True
            yield

    def checkpoint(self, *, if_due: bool = False) -> None:
        """Move to the database what the log holds; `if_due`, only `CHECKPOINT_SECONDS` later."""
        if self._is_changed and not (if_due and time.monotonic() < self._due):
            self._say(_LOG_FOLLOWS)
            self._move()
            self._say(_LOG_READ)

    def end(self) -> None:
        """Leave a database that is complete by itself."""
        if self._has_begun:
            self._say(_NO_LOG)
            self._move()

    def _check(self) -> None:
        if self._stored_in() != self._files:
            raise ResourceError(
                f"{self._path} was moved, deleted or replaced while the run went on, so that "
                "nothing more can be kept there. Put it back, or choose another --out, and run "
                "the same command again."
            )
        if self._connection.execute(_FACT, (_WRITER,)).fetchone() != (self._token,):
            raise OwnedError(
                f"{self._path} was taken over by another run, as its folder's lock was removed. "
                "What had been stored is kept. Let the other run end, then run the same command "
                "again."
            )

    def _stored_in(self) -> list[tuple[int, int]]:
        try:
            files = [path.stat() for path in (self._path, _log_of(self._path))]
        except OSError:
            return []
        return [(about.st_dev, about.st_ino) for about in files]

    def _say(self, log: str) -> None:
        with transaction(self._connection):
            self._check()
            (trials,) = self._connection.execute("SELECT count(*) FROM trials").fetchone()
            said = json.dumps({"trials": trials, "log": log})
            insert(self._connection, "facts", {"key": _CHECKPOINT, "value": said})

    def _move(self) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_MILLISECONDS}")
        busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self._connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        # Who reads what was there at an earlier moment keeps what came after it in the log.
        self._is_changed = bool(busy)
        self._due = time.monotonic() + (_AGAIN_SECONDS if busy else CHECKPOINT_SECONDS)


def missing_trials(connection: sqlite3.Connection, path: Path) -> str:
    """Return what a store lacks that it once held, as a sentence; nothing if it lacks nothing."""
    (trials,) = connection.execute("SELECT count(*) FROM trials").fetchone()
    said = _checkpoint_of(connection)
    before, log = said.get("trials", 0), said.get("log")
    is_short = log != _LOG_READ and isinstance(before, int) and trials < before
    if log == _LOG_FOLLOWS:
        return (
            f"{path} was copied or kept without its log, {_log_of(path).name}: it holds "
            f"{counted(trials, 'trial')}, and lacks those that ended after its last checkpoint. "
            "`bpsweep run` runs them again."
        )
    if is_short:
        return (
            f"{path} holds {counted(trials, 'trial')}, but held {before} when its last run ended. "
            "`bpsweep run` runs the others again."
        )
    return ""


def _checkpoint_of(connection: sqlite3.Connection) -> dict[str, object]:
    """Return what a store says of its last checkpoint; nothing if that makes no sense."""
    (said,) = connection.execute(_FACT, (_CHECKPOINT,)).fetchone() or ("{}",)
    try:
        return dict(json.loads(said))
    except (TypeError, ValueError, RecursionError):
        return {}


@contextmanager
def reading(path: Path, *, checked: bool = True) -> Iterator[sqlite3.Connection]:
    """Open a store as it is at this moment, its rows `checked` or not; nothing is written to it."""
    with _mendable(path), closing(_connect(path, _reading_mode(path))) as connection:
        connection.execute("BEGIN")
        _check(connection, path)
        is_sound = not checked or _is_known_sound(path)
        _show_sound(connection, [] if is_sound else damaged_rows(connection))
        if checked:
            connection.text_factory = str
        connection.execute("PRAGMA query_only = ON")
        yield connection


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _is_known_sound(path: Path) -> bool:
    return not _has_log(path) and is_checked(path)


def _has_log(path: Path) -> bool:
    return _log_of(path).exists() and _log_of(path).stat().st_size > 0


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    # What is not UTF-8 has been damaged: its digest will tell. Until then each text takes a call of
    # Python.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _reading_mode(path: Path) -> str:
    # Whoever may write to the folder also tidies up what SQLite keeps beside a store in use. Where
    # that is forbidden and nothing is there, nobody is writing.
    if os.access(path.parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        return "mode=rw"
    in_use = _log_of(path).exists()
    return "mode=ro" if in_use else "mode=ro&immutable=1"


def _check(connection: sqlite3.Connection, path: Path) -> None:
    try:
        problem = kind_problem(connection)
    except (sqlite3.OperationalError, UnicodeDecodeError) as error:
        # What SQLite says may quote what is damaged, which is no text.
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) != sqlite3.SQLITE_ERROR:
            raise
        raise _damaged(path, "its tables can't be listed") from None
    if problem:
        raise StoreError(f"{path} {problem}")


def _row_problems(connection: sqlite3.Connection, path: Path) -> list[str]:
    """Return what is wrong with rows and indexes; refuse a file that is damaged beyond them."""
    problems = [text for (text,) in connection.execute("PRAGMA integrity_check")]
    for problem in problems:
        if problem != "ok" and not _ROW_PROBLEM.match(problem):
            raise _damaged(path, " ".join(problem.split()))
    return [] if problems == ["ok"] else problems


def _damaged(path: Path, how: str) -> StoreError:
    return StoreError(
        f"{path} is damaged and was left as it is: {how}. Put a copy of it in its place, or move "
        "it away and run the study again."
    )


def _put(unfinished: Path, path: Path) -> None:
    """Give a file its name, so that it has it for good."""
    try:
        unfinished.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise ResourceError(f"{path} can't be written: {error.strerror}.") from None
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _mendable(path: Path) -> Iterator[None]:
    """Turn what the user can mend into messages."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if explained := _explained(path, error):
            raise explained from None
        raise


def _explained(path: Path, error: sqlite3.DatabaseError) -> UserError | None:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        free = shutil.disk_usage(path.parent).free / 1e6
        return ResourceError(
            f"{path} can't be written: its disk is full ({free:.1f} MB free). Every trial that had "
            "ended is kept: make room and run the same command again."
        )
    if code in _RESOURCES:
        return ResourceError(
            f"{path} can't be written to or read: {error}. What had been stored is kept: run the "
            "same command again when that is mended."
        )
    if code in _UNUSABLE:
        return _damaged(path, str(error))
    return None
