"""Opening stores: whole, damaged, foreign, half made, of other formats."""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from refused import entered, refusal, states
from stored import fill, forbid_writing, outcome, trials, unwritable_folder

from sweeps.errors import ResourceError, StoreError
from sweeps.store import FILE, Store, _checked
from sweeps.store import _connection as connection
from sweeps.store._connection import create, leftovers_of, reading, transaction, writing
from sweeps.store.folder import CHECKED

THREE, FIVE = trials(3), trials(5)
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a store with three trials."""
    fill(tmp_path, THREE)
    return tmp_path / FILE


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


Opening = Callable[[Path], AbstractContextManager[object]]
both_ways = pytest.mark.parametrize("open_store", [reading, writing])


def reason(open_store: Opening, path: Path) -> str:
    """Return why a store is refused, and check that it is left as it was."""
    before = path.read_bytes()
    text = refusal(entered, open_store(path), error=StoreError)
    assert path.read_bytes() == before
    assert not path.with_name(f"{FILE}-wal").exists()
    return text


@both_ways
def test_what_is_no_database_is_refused(path: Path, open_store: Opening) -> None:
    path.write_bytes(b"no database, but long enough to be one" * 40)
    states(reason(open_store, path), path, "file is not a database")


@both_ways
@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("PRAGMA application_id = 0", "not a study of bpsweep"),
        ("PRAGMA user_version = 3", "format 3, but this bpsweep reads format 5"),
        ("PRAGMA user_version = 6", "format 6, but this bpsweep reads format 5"),
        ("CREATE VIEW evil AS SELECT 1", "'evil'"),
        ("CREATE TRIGGER evil AFTER INSERT ON trials BEGIN DELETE FROM facts; END", "'evil'"),
        ("DROP TABLE timing", "'timing'"),
        ("ALTER TABLE facts ADD COLUMN more TEXT", "'facts'"),
    ],
)
def test_another_programs_formats_or_tables_are_refused(
    path: Path, statement: str, part: str, open_store: Opening
) -> None:
    change(path, statement)
    states(reason(open_store, path), path, part)


@both_ways
@pytest.mark.parametrize("kept", [0, 512, 4096, 10_000, -4096])
def test_a_truncated_store_is_refused(path: Path, kept: int, open_store: Opening) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    part = "is damaged and was left as it is" if kept else "not a study of bpsweep"
    states(reason(open_store, path), path, part)


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
    fill(tmp_path, THREE)
    assert not any(leftover.exists() for leftover in leftovers_of(tmp_path / FILE))


def test_a_path_that_cannot_be_taken_is_reported(tmp_path: Path) -> None:
    states(refusal(create, tmp_path, {}, error=ResourceError), tmp_path, "Is a directory.")


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
def test_wherever_writing_fails_it_is_reported_and_can_go_on(tmp_path: Path, limit: int) -> None:
    folder = tmp_path / "out"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    stored = subprocess.run(
        [sys.executable, "-c", FILL, str(folder), str(limit)],
        capture_output=True,
        text=True,
        check=True,
        env=ENVIRONMENT,
    )
    assert stored.stdout.startswith(f"ResourceError {folder / FILE} can't be written to or read: ")
    wanted = trials(40)
    fill(folder, wanted)
    with Store.read(folder) as store:
        assert store.done() == {trial.identity for trial in wanted}


def test_a_killed_writers_results_are_there(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, THREE[:1])
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom stored import *\n"
        "with Store.write(Path(sys.argv[1]), 'made') as store:\n"
        "    for trial in trials(3):\n        store.add([trial], [outcome(trial)])\n"
        "    store._connection.execute('BEGIN IMMEDIATE')\n"
        "    store._connection.execute('DELETE FROM trials')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(command, env=ENVIRONMENT, check=False).returncode == -9
    assert (tmp_path / f"{FILE}-wal").exists()
    # A reader that is alone tidies up: nothing is missing then.
    for _ in range(2):
        with Store.read(tmp_path) as store:
            assert store.done() == {trial.identity for trial in THREE}
    assert not (tmp_path / f"{FILE}-wal").exists()
    fill(tmp_path, THREE)
    assert capfd.readouterr().err == ""


def test_a_copy_without_its_journal_is_made_ready_for_readers_again(path: Path) -> None:
    change(path, "PRAGMA journal_mode = DELETE")
    fill(path.parent, THREE)
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
    states(refusal(entered, reading(path), error=StoreError), path, "string or blob too big")


@pytest.mark.parametrize(
    ("statements", "use"),
    [
        (["BEGIN IMMEDIATE"], lambda path: fill(path.parent, trials(4))),
        (
            ["PRAGMA locking_mode = EXCLUSIVE", "CREATE TABLE theirs (a)"],
            lambda path: entered(reading(path)),
        ),
    ],
)
def test_a_store_that_another_program_keeps_busy_is_reported(
    path: Path, statements: list[str], use: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_BUSY_MILLISECONDS", 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
        for statement in statements:
            stranger.execute(statement)
        states(refusal(use, path, error=ResourceError), path, "database is locked", "is kept")


def test_a_store_that_may_not_be_read_is_reported() -> None:
    with unwritable_folder() as folder:
        fill(folder, THREE)
        forbid_writing(folder)
        path = folder / FILE
        user = os.geteuid()
        os.seteuid(os.getuid())
        path.chmod(0)
        os.seteuid(user)
        text = refusal(entered, reading(path), error=ResourceError)
    states(text, path, "unable to open database file", "is kept")


def contents(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, str]]:
    with Store.read(folder) as store:
        stored = store.stored_trials().set_index("trial")
        return stored, store.curves_table(stored.index), store.facts()


@pytest.fixture
def one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what was noted of one file hold for every other, as if a disk had changed it."""
    for module in (connection, _checked):
        monkeypatch.setattr(module, "place_of", lambda _path: "here")


@pytest.mark.parametrize("noted", [False, True])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.usefixtures("one_place")
def test_a_flipped_bit_is_found_wherever_it_is(tmp_path: Path, seed: int, *, noted: bool) -> None:
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
        if noted:
            shutil.copy(tmp_path / "good" / CHECKED, folder)
        try:
            read_rows, read_curves, read_facts = contents(folder)
        except StoreError:
            assert (folder / FILE).read_bytes() == flipped
            continue
        pd.testing.assert_frame_equal(read_rows, rows.loc[read_rows.index])
        kept = curves[curves["trial"].isin(read_rows.index)].reset_index(drop=True)
        pd.testing.assert_frame_equal(read_curves, kept)
        assert read_facts.items() <= facts.items()


def not_again(*_arguments: object) -> None:
    raise AssertionError


def test_rows_that_were_checked_are_not_checked_again_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, FIVE)
    stored, note = ((tmp_path / name).read_bytes() for name in (FILE, CHECKED))
    with monkeypatch.context() as patch:
        patch.setattr(connection, "damaged_rows", not_again)
        with Store.read(tmp_path) as store:
            assert len(store.done()) == 5
        # A run that finds nothing to do writes nothing.
        with Store.write(tmp_path, "made") as store:
            store.set_facts(store.facts())
        assert (tmp_path / FILE).read_bytes() == stored
        assert (tmp_path / CHECKED).read_bytes() == note
    # What somebody else's folder says of its own file holds nowhere else.
    shutil.copytree(tmp_path, tmp_path / "copy")
    monkeypatch.setattr(connection, "damaged_rows", not_again)
    with pytest.raises(AssertionError), Store.read(tmp_path / "copy"):
        pass


def test_what_a_log_holds_is_checked_although_the_file_is_as_it_was(tmp_path: Path) -> None:
    fill(tmp_path, FIVE)
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as stranger:
        stranger.execute("UPDATE trials SET updates = 11 WHERE seed = 2")
        with Store.read(tmp_path) as store:
            assert (store.damaged(), len(store.done())) == (1, 4)


def test_a_bit_that_flips_while_a_run_goes_on_is_not_taken_for_sound(tmp_path: Path) -> None:
    fill(tmp_path, FIVE)
    with Store.write(tmp_path, "made") as store:
        store.set_facts({"jobs": "1"})
        flip(tmp_path, FIVE[2].content.encode(), FIVE[2].content.replace("4", "5").encode())
    with Store.read(tmp_path) as store:
        assert (store.damaged(), len(store.done())) == (1, 4)


def flip(folder: Path, text: bytes, change: bytes, index: int = -1) -> None:
    """Change one of the places of a text in a store's file behind SQLite's back.

    An identity has two places: the index, which comes first, and its row.
    """
    path = folder / FILE
    parts = path.read_bytes().split(text)
    changed = [text] * (len(parts) - 1)
    changed[index] = change
    path.write_bytes(b"".join(a + b for a, b in zip(parts, [*changed, b""], strict=True)))


def test_damaged_rows_are_left_out_reported_and_run_again(
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
    states(refusal(fill, tmp_path, trials(40), error=StoreError), tmp_path, "is damaged")
    assert (tmp_path / FILE).read_bytes() == content
