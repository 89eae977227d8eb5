"""Opening stores: whole, damaged, foreign, half made, of other formats."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stored import fill, forbid_writing, outcome, trials, unwritable_folder

from sweeps.errors import ResourceError, StoreError
from sweeps.store import _connection as connection
from sweeps.store._connection import create, leftovers_of, reading, transaction, writing
from sweeps.store._store import FILE, Store

SOME = trials(3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a store with three trials."""
    fill(tmp_path, SOME)
    return tmp_path / FILE


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def refusal(open_store: Callable[[Path], object], path: Path) -> str:
    """Return why a store is refused, and check that it is left as it was."""
    before = path.read_bytes()
    with pytest.raises(StoreError) as refused, open_store(path):  # type: ignore[attr-defined]
        pass
    assert path.read_bytes() == before
    assert not path.with_name(f"{FILE}-wal").exists()
    return str(refused.value).removeprefix(f"{path} ")


@pytest.mark.parametrize("open_store", [reading, writing])
@pytest.mark.parametrize("content", [b"", b"no database, but long enough to be one" * 40])
def test_what_is_no_database_is_refused(
    path: Path, content: bytes, open_store: Callable[[Path], object]
) -> None:
    path.write_bytes(content)
    expected = (
        "is damaged and was left as it is: file is not a database. Put a copy of it in its place, "
        "or move it away and run the study again."
        if content
        else "is not a study of bpsweep. Choose another folder."
    )
    assert refusal(open_store, path) == expected


@pytest.mark.parametrize("open_store", [reading, writing])
def test_another_programs_database_is_refused(
    tmp_path: Path, open_store: Callable[[Path], object]
) -> None:
    path = tmp_path / FILE
    change(path, "CREATE TABLE t (a)")
    assert refusal(open_store, path) == "is not a study of bpsweep. Choose another folder."


@pytest.mark.parametrize("open_store", [reading, writing])
@pytest.mark.parametrize("number", [3, 5])
def test_another_format_is_refused(
    path: Path, number: int, open_store: Callable[[Path], object]
) -> None:
    change(path, f"PRAGMA user_version = {number}")
    assert refusal(open_store, path) == (
        f"has the format {number}, but this bpsweep reads format 4 only. Use the bpsweep that "
        "wrote it, or run its study anew in another folder."
    )


@pytest.mark.parametrize("open_store", [reading, writing])
@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("CREATE VIEW evil AS SELECT 1", "evil"),
        ("CREATE TRIGGER evil AFTER INSERT ON trials BEGIN DELETE FROM facts; END", "evil"),
        ("DROP TABLE timing", "timing"),
        ("ALTER TABLE facts ADD COLUMN more TEXT", "facts"),
    ],
)
def test_tables_that_are_not_ours_are_refused(
    path: Path, statement: str, name: str, open_store: Callable[[Path], object]
) -> None:
    change(path, statement)
    assert refusal(open_store, path) == (
        f"does not have the tables of a study: {name!r} is not as it should be."
    )


@pytest.mark.parametrize("open_store", [reading, writing])
@pytest.mark.parametrize("kept", [512, 4096, 10_000, -4096])
def test_a_truncated_store_is_refused(
    path: Path, kept: int, open_store: Callable[[Path], object]
) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    assert refusal(open_store, path).startswith("is damaged and was left as it is: ")


def test_a_store_is_made_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(connection, "_put", killed)
        with pytest.raises(KeyboardInterrupt), Store.write(tmp_path, "made"):
            pass
    assert not (tmp_path / FILE).exists()
    for leftover in leftovers_of(tmp_path / FILE):
        leftover.write_bytes(b"half of something")
    fill(tmp_path, SOME)
    assert not any(leftover.exists() for leftover in leftovers_of(tmp_path / FILE))


def test_a_place_that_cannot_be_taken_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ResourceError) as refused:
        create(tmp_path / "folder", {})
    assert str(refused.value) == f"{tmp_path / 'folder'} can't be written: Is a directory."


FILL = """
import resource, signal, sys
from pathlib import Path
from stored import fill, trials
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
from sweeps.errors import UserError
try:
    fill(Path(sys.argv[1]), trials(40))
except UserError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 5_000, 30_000, 60_000])
def test_wherever_writing_fails_it_is_told_and_can_go_on(tmp_path: Path, limit: int) -> None:
    folder = tmp_path / "out"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    stored = subprocess.run(
        [sys.executable, "-c", FILL, str(folder), str(limit)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert stored.stdout.startswith(f"ResourceError {folder / FILE} can't be written to or read: ")
    wanted = trials(40)
    fill(folder, wanted)
    with Store.read(folder) as store:
        assert store.done() == {trial.identity for trial in wanted}


def test_a_killed_writers_results_are_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, SOME[:1])
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom stored import *\n"
        "with Store.write(Path(sys.argv[1]), 'made') as store:\n"
        "    for trial in trials(3):\n        store.add([trial], [outcome(trial)])\n"
        "    store._connection.execute('BEGIN IMMEDIATE')\n"
        "    store._connection.execute('DELETE FROM trials')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(command, env=environment, check=False).returncode == -9
    assert (tmp_path / f"{FILE}-wal").exists()
    # A reader that is alone tidies up: nothing is missing then.
    for _ in range(2):
        with Store.read(tmp_path) as store:
            assert store.done() == {trial.identity for trial in SOME}
    assert not (tmp_path / f"{FILE}-wal").exists()
    fill(tmp_path, SOME)
    assert capfd.readouterr().err == ""


def test_a_copy_without_its_journal_is_made_ready_for_readers_again(path: Path) -> None:
    change(path, "PRAGMA journal_mode = DELETE")
    fill(path.parent, SOME)
    with Store.write(path.parent, "made") as writer, Store.read(path.parent) as reader:
        writer.set_facts({"a": "1"})
        assert reader.facts() == {"name": "made"}


def test_a_change_that_sqlite_gave_up_is_not_given_up_twice(path: Path) -> None:
    def abort(connection: sqlite3.Connection) -> None:
        with transaction(connection):
            connection.execute("INSERT OR ROLLBACK INTO facts VALUES ('name', '', '')")

    with writing(path) as connection:
        with pytest.raises(sqlite3.IntegrityError):
            abort(connection)
        with transaction(connection):
            connection.execute("DELETE FROM facts")


def test_a_huge_value_is_refused_before_it_is_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(path, "UPDATE trials SET error = hex(zeroblob(60000))")
    monkeypatch.setattr(connection, "LARGEST_VALUE", 100_000)
    with pytest.raises(StoreError, match="string or blob too big"), reading(path):
        pass


def test_a_store_that_is_busy_for_long_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_BUSY_MILLISECONDS", 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        with pytest.raises(ResourceError) as refused:
            fill(path.parent, [*SOME, *trials(4)[3:]])
    assert str(refused.value).startswith(
        f"{path} can't be written to or read: database is locked. What had been stored is kept"
    )


def test_a_store_that_another_program_keeps_to_itself_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_BUSY_MILLISECONDS", 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
        stranger.execute("PRAGMA locking_mode = EXCLUSIVE")
        stranger.execute("CREATE TABLE theirs (a)")
        with pytest.raises(ResourceError) as refused, reading(path):
            pass
    assert str(refused.value).startswith(
        f"{path} can't be written to or read: database is locked. What had been stored is kept"
    )


def test_outcomes_do_not_depend_on_when_the_store_was_opened(path: Path) -> None:
    with Store.write(path.parent, "made") as store:
        assert store.add(SOME[:1], [outcome(SOME[0])]) == []


def test_a_store_that_may_not_be_read_is_told() -> None:
    with unwritable_folder() as folder:
        fill(folder, SOME)
        forbid_writing(folder)
        path = folder / FILE
        user = os.geteuid()
        os.seteuid(os.getuid())
        path.chmod(0)
        os.seteuid(user)
        with pytest.raises(ResourceError) as refused, reading(path):
            pass
    assert str(refused.value).startswith(
        f"{path} can't be written to or read: unable to open database file. What had been stored"
    )


FIVE = trials(5)


def contents(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    with Store.read(folder) as store:
        stored = store.stored_trials().set_index("trial")
        return stored, store.curves_table(stored.index), store.facts()


@pytest.mark.parametrize("seed", range(4))
def test_a_flipped_bit_is_found_wherever_it_is(tmp_path: Path, seed: int) -> None:
    fill(tmp_path / "good", FIVE)
    content = (tmp_path / "good" / FILE).read_bytes()
    rows, curves, facts = contents(tmp_path / "good")
    rng = np.random.default_rng(seed)
    for number in range(25):
        folder = tmp_path / str(number)
        folder.mkdir()
        flipped = bytearray(content)
        # The first bytes are those that SQLite looks at first.
        flipped[rng.integers(100 if number < 5 else len(flipped))] ^= 1 << int(rng.integers(8))
        (folder / FILE).write_bytes(flipped)
        try:
            found_rows, found_curves, found_facts = contents(folder)
        except StoreError:
            assert (folder / FILE).read_bytes() == flipped
            continue
        pd.testing.assert_frame_equal(found_rows, rows.loc[found_rows.index])
        kept = curves[curves["trial"].isin(found_rows.index)].reset_index(drop=True)
        pd.testing.assert_frame_equal(found_curves, kept)
        assert found_facts.items() <= facts.items()


def flip(folder: Path, text: bytes, change: bytes, index: int = -1) -> None:
    """Change one of the places of a text in a store's file behind SQLite's back.

    An identity has two places: the index, which comes first, and its row.
    """
    path = folder / FILE
    parts = path.read_bytes().split(text)
    changed = [text] * (len(parts) - 1)
    changed[index] = change
    path.write_bytes(b"".join(a + b for a, b in zip(parts, [*changed, b""], strict=True)))


def test_damaged_rows_are_left_out_told_and_run_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, FIVE)
    flip(tmp_path, FIVE[2].content.encode(), FIVE[2].content.replace("4", "5").encode())
    others = [trial.identity for trial in FIVE if trial != FIVE[2]]
    with Store.read(tmp_path) as store:
        assert store.damaged() == 1
        assert list(store.statuses()) == others
        assert len(store.curves_table([trial.identity for trial in FIVE])) == 3 * 4
    with Store.write(tmp_path, "made") as store:
        assert store.damaged() == 0
        assert store.done() == set(others)
        store.add([FIVE[2]], [outcome(FIVE[2])])
    assert "1 damaged row, now removed" in capsys.readouterr().err
    with Store.read(tmp_path) as store:
        assert store.damaged() == 0
        assert len(store.done()) == 5


def test_a_damaged_identity_damages_the_row_and_the_index(tmp_path: Path) -> None:
    fill(tmp_path, FIVE)
    name = FIVE[0].identity.encode()
    flip(tmp_path, name, b"g" + name[1:])
    fill(tmp_path, FIVE)
    with Store.read(tmp_path) as store:
        assert store.done() == {trial.identity for trial in FIVE}
    flip(tmp_path, FIVE[1].identity.encode(), b"\xff" * 32)
    fill(tmp_path, FIVE)
    with Store.read(tmp_path) as store:
        assert store.done() == {trial.identity for trial in FIVE}
        assert store.damaged() == 0


def test_a_damaged_index_costs_no_row(tmp_path: Path) -> None:
    fill(tmp_path, FIVE)
    name = FIVE[0].identity.encode()
    flip(tmp_path, name, b"g" + name[1:], index=0)
    with Store.read(tmp_path) as store:
        assert len(store.done()) == 5
    with Store.write(tmp_path, "made") as store:
        assert store.add(FIVE, [outcome(trial) for trial in FIVE]) == []
        assert len(store.stored_trials()) == 5


def test_damaged_facts_are_unknown(tmp_path: Path) -> None:
    with Store.write(tmp_path, "made") as store:
        store.set_facts({"jobs": "twelve"})
    flip(tmp_path, b"twelve", b"twelWe")
    with Store.read(tmp_path) as store:
        assert store.facts() == {"name": "made"}
        assert store.damaged() == 1
    with Store.write(tmp_path, "made") as store:
        assert (store.facts(), store.damaged()) == ({"name": "made"}, 0)


def test_a_damaged_structure_is_refused_and_left_alone(tmp_path: Path) -> None:
    fill(tmp_path, trials(40))
    content = bytearray((tmp_path / FILE).read_bytes())
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'trials'"
        ).fetchone()
    # The number of cells of the table's root.
    content[4096 * (page - 1) + 4] ^= 1
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreError, match="is damaged and was left as it is: "):
        fill(tmp_path, trials(40))
    assert (tmp_path / FILE).read_bytes() == content
