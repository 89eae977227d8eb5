"""The store: nothing lost, nothing foreign touched, one writer."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from faults import configuration
from refused import entered, refusal, states
from stored import failure, fill, forbid_writing, outcome, trials, unwritable_folder

from reports.schema.results import CURVE_COLUMNS, TRIAL_COLUMNS
from sweeps.data.splits import Source
from sweeps.design.trials import Planned, Trial, settings_of
from sweeps.errors import OwnedError, ResourceError, StoreError, UsageError
from sweeps.store import FILE, Store
from sweeps.store import _connection as connection
from sweeps.store.folder import CHECKED
from sweeps.store.lock import LOCK
from sweeps.store.rows import Row, insert
from sweeps.worker.measure import Round
from sweeps.worker.train import CURVE_WIDTH


def planned(several: list[Trial], group: str = "all") -> list[Planned]:
    return [Planned(group, trial) for trial in several]


def test_outcomes_come_back_as_they_were(tmp_path: Path) -> None:
    several = trials(4)
    outcomes = [outcome(trial) for trial in several]
    with Store.write(tmp_path, "made") as store:
        store.add(several[::-1], outcomes[::-1])
    with Store.read(tmp_path) as store:
        table = store.trials_table({"explore": planned(several)})
        curves = store.curves_table(table["trial"])
        assert store.statuses() == {trial.identity: "ok" for trial in several}
        assert store.done() == {trial.identity for trial in several}
    assert table.dtypes.astype(str).to_dict() == {c.name: c.dtype for c in TRIAL_COLUMNS}
    assert curves.dtypes.astype(str).to_dict() == {c.name: c.dtype for c in CURVE_COLUMNS}
    assert table["trial"].tolist() == [trial.identity for trial in several]
    assert table["validation_metric"].tolist() == [o.curve[-1, 5] for o in outcomes]
    assert table["train_loss"].tolist() == [o.curve[-1, 2] for o in outcomes]
    assert table[["diverged_at_update", "stopped_at_update", "test_loss"]].isna().all(axis=None)
    assert curves["trial"].tolist() == [trial.identity for trial in several for _ in range(3)]
    stored = curves.drop(columns="trial").to_numpy(float)
    np.testing.assert_array_equal(stored, np.concatenate([o.curve for o in outcomes]))


def test_a_trial_is_described_by_its_configuration(tmp_path: Path) -> None:
    source = Source("moons", (("noise", 0.1),))
    shared = configuration(source=source, optimizer="momentum", batch_size=4, shards=2)
    trial = Trial(shared, settings_of("momentum", 0.25, {"l2": 0.5}), 2**63 - 1)
    with Store.write(tmp_path, "made") as store:
        store.add([trial], [outcome(trial)])
        row = store.trials_table({"confirm": planned([trial], "moons, momentum")}).iloc[0]
    described = {
        "group": "moons, momentum",
        "stage": "confirm",
        "dataset": "moons",
        "architecture": "3-4-2",
        "optimizer": "momentum",
        "activation": "sigmoid",
        "loss": "squared_error",
        "reduction": "mean",
        "hyperparameters": "l2=0.5, momentum=0.9",
        "schedule": "",
        "shards": 2,
        "local_updates": 1,
        "batch_size": 4,
        "learning_rate": 0.25,
        "seed": 2**63 - 1,
    }
    assert {name: row[name] for name in described} == described


def test_a_trial_has_a_row_for_each_of_its_places(tmp_path: Path) -> None:
    several = trials(2)
    stages = {"explore": planned(several, "b"), "confirm": planned(several[:1], "a")}
    fill(tmp_path, several[:1])
    with Store.read(tmp_path) as store:
        table = store.trials_table(stages)
        deciding = store.deciding_table(stages)
        assert len(store.curves_table(table["trial"])) == 3
    pd.testing.assert_frame_equal(deciding, table[[*deciding]])
    assert table[["group", "stage"]].to_numpy().tolist() == [["b", "explore"], ["a", "confirm"]]


def test_without_trials_tables_have_their_columns(tmp_path: Path) -> None:
    with Store.write(tmp_path, "made") as store:
        for stages in ({}, {"explore": planned(trials(1))}):
            assert list(store.trials_table(stages)) == [c.name for c in TRIAL_COLUMNS]
        assert list(store.curves_table([])) == [c.name for c in CURVE_COLUMNS]
        assert store.timing_table({}).empty
        assert store.stored_trials().empty


def test_what_is_not_finite_survives(tmp_path: Path) -> None:
    trial = trials(1)[0]
    rest = [0] * (CURVE_WIDTH - 8)
    curve = np.array([[0, 0, np.inf, -np.inf, np.nan, -0.0, 5e-324, 1e308, *rest]])
    given = outcome(
        trial,
        status="diverged",
        diverged_at_update=3,
        stopped_at_update=0,
        validation_loss=np.nan,
        test_loss=np.inf,
        test_metric=-np.inf,
        curve=curve,
    )
    with Store.write(tmp_path, "made") as store:
        store.add([trial], [given])
        row = store.trials_table({"explore": planned([trial])}).iloc[0]
        table = store.curves_table([trial.identity]).drop(columns="trial").to_numpy(float)
    assert (row["diverged_at_update"], row["stopped_at_update"]) == (3, 0)
    assert (row["test_loss"], row["test_metric"]) == (np.inf, -np.inf)
    assert np.isnan(row["validation_loss"])
    assert table.tobytes() == curve.tobytes()


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    trial = trials(1)[0]
    given = outcome(trial, updates=np.int64(7), test_loss=np.float32(0.5), train_seconds=np.nan)
    with Store.write(tmp_path, "made") as store:
        store.add([trial], [given])
        row = store.stored_trials().iloc[0]
    assert (row["updates"], row["test_loss"], row["train_seconds"]) == (7, 0.5, 0.0)


@pytest.mark.parametrize("status", ["error", "crashed", "timeout"])
def test_a_failure_is_not_done_and_is_replaced(tmp_path: Path, status: str) -> None:
    trial = trials(1)[0]
    with Store.write(tmp_path, "made") as store:
        store.add([trial], [failure(trial, status)])
        assert store.done() == set()
        assert store.stored_trials()["error"].tolist() == ["no reason"]
        store.add([trial], [outcome(trial)])
        assert store.done() == {trial.identity}
        assert store.stored_trials()[["error", "attempts"]].to_numpy().tolist() == [["", 2]]
        assert len(store.curves_table([trial.identity])) == 3


def test_an_outcome_of_another_trial_is_refused(tmp_path: Path) -> None:
    first, two = trials(2)
    with Store.write(tmp_path, "made") as store:
        with pytest.raises(ValueError, match="was taken for that of"):
            store.add([first, two], [outcome(first), outcome(first)])
        assert store.statuses() == {}


def test_rows_are_found_by_how_their_trials_start(tmp_path: Path) -> None:
    several = trials(3)
    fill(tmp_path, several)
    with Store.read(tmp_path) as store:
        assert [row["trial"] for row in store.rows()] == [trial.identity for trial in several]
        assert [row["seed"] for row in store.rows(several[1].identity[:12])] == [1]
        assert list(store.rows("%")) == []


def rounds(workload: str, sizes: list[int]) -> list[Row]:
    return [
        asdict(Round(workload, engine, lanes, size, 0, 5, 0.25, 0.2, 1_700_000_000.0))
        for size in sizes
        for engine, lanes in (("per-item", 1), ("tensor", 4), ("tensor", 1))
    ]


def test_timing_is_replaced_workload_by_workload(tmp_path: Path) -> None:
    with Store.write(tmp_path, "made") as store:
        store.take_timing([*rounds("w", [1, 2]), *rounds("v", [1])])
        store.take_timing(rounds("w", [4]))
        assert store.timed() == {
            (workload, engine, lanes, size)
            for workload, size in (("v", 1), ("w", 4))
            for engine, lanes in (("per-item", 1), ("tensor", 4), ("tensor", 1))
        }
        table = store.timing_table({"second": "w", "first": "v", "same": "w", "none": "x"})
    assert table["group"].tolist() == ["second"] * 3 + ["first"] * 3 + ["same"] * 3
    assert table["engine"].tolist()[:3] == ["tensor", "tensor", "per-item"]
    assert table["lanes"].tolist()[:3] == [1, 4, 1]
    assert table["wall_seconds"].tolist() == [0.25] * 9


def test_another_studys_folder_is_refused(tmp_path: Path) -> None:
    fill(tmp_path, [], "first")
    text = refusal(entered, Store.write(tmp_path, "second"), error=StoreError)
    states(text, tmp_path, "'first', not 'second'", "--out")
    fill(tmp_path, [], "first")


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    text = refusal(entered, Store.write(tmp_path, "made"), error=UsageError)
    states(text, tmp_path, "is not empty", "--out")
    assert [entry.name for entry in tmp_path.iterdir()] == ["letter.txt"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    text = refusal(entered, Store.write(path, "made"), error=UsageError)
    states(text, path, "is a file", "--out")


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    text = refusal(entered, Store.write(path, "made"), error=ResourceError)
    states(text, path, "File name too long.")


def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    several = trials(1)
    with Store.write(tmp_path, "made") as first:
        text = refusal(entered, Store.write(tmp_path, "made"), error=OwnedError)
        states(text, f"process {os.getpid()} on ")
        first.add(several, [outcome(several[0])])
        assert len(first.statuses()) == 1


def test_a_driver_whose_lock_was_removed_gives_way_to_the_next(tmp_path: Path) -> None:
    several = trials(3)
    writing = ExitStack()
    first = writing.enter_context(Store.write(tmp_path, "made"))
    first.add(several[:1], [outcome(several[0])])
    (tmp_path / LOCK).unlink()
    with Store.write(tmp_path, "made") as second:
        second.add(several[1:2], [outcome(several[1])])
        for _ in range(2):
            refusal(first.add, several[2:], [outcome(several[2])], error=OwnedError)
        refusal(first.checkpoint, error=OwnedError)
    refusal(first.set_facts, {"a": "1"}, error=OwnedError)
    states(refusal(writing.close, error=OwnedError), tmp_path / FILE, "taken over by another run")
    with Store.read(tmp_path) as store:
        assert store.done() == {trial.identity for trial in several[:2]}
        assert store.facts() == {"name": "made"}


def replace_by_a_copy(folder: Path) -> None:
    shutil.copytree(folder, folder.with_name("copy"))
    shutil.rmtree(folder)
    folder.with_name("copy").rename(folder)


CHANGES: dict[str, Callable[[Path], object]] = {
    "deleted": shutil.rmtree,
    "moved": lambda folder: folder.rename(folder.with_name("moved")),
    "replaced by a copy": replace_by_a_copy,
    "file replaced": lambda folder: shutil.copy(folder / FILE, folder / "copy").replace(
        folder / FILE
    ),
    "log deleted": lambda folder: (folder / f"{FILE}-wal").unlink(),
}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_store_that_is_not_where_it_was_is_reported(
    tmp_path: Path, change: Callable[[Path], object], *, late: bool
) -> None:
    folder, several = tmp_path / "out", trials(2)
    writing = ExitStack()
    store = writing.enter_context(Store.write(folder, "made"))
    store.add(several[:1], [outcome(several[0])])
    change(folder)
    if not late:
        refusal(store.add, several[1:], [outcome(several[1])], error=ResourceError)
    text = refusal(writing.close, error=ResourceError)
    states(text, folder / FILE, "moved, deleted or replaced", "--out")


def copied(folder: Path, *files: str) -> Path:
    """Copy some files of a folder to another."""
    copy = Path(tempfile.mkdtemp(dir=folder.parent))
    for name in files:
        shutil.copy(folder / name, copy)
    return copy


def test_a_store_without_its_log_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    several = trials(4)
    with Store.write(tmp_path / "out", "made") as store:
        begun = copied(tmp_path / "out", FILE)
        store.add(several[:2], [outcome(trial) for trial in several[:2]])
        store.checkpoint()
        store.add(several[2:3], [outcome(several[2])])
        half = copied(tmp_path / "out", FILE)
        whole = copied(tmp_path / "out", FILE, f"{FILE}-wal")
    for folder, count in ((begun, 0), (half, 2)):
        with Store.read(folder) as store:
            assert len(store.done()) == count
        note = capsys.readouterr().err
        states(
            note, folder / FILE, f"without its log, {FILE}-wal", f"{count} trials", "bpsweep run"
        )
        with Store.read(folder):
            assert capsys.readouterr().err == ""  # once is enough
        fill(folder, several)
    for folder, count in ((whole, 3), (begun, 4), (half, 4), (tmp_path / "out", 3)):
        with Store.read(copied(folder, *(path.name for path in folder.iterdir()))) as store:
            assert len(store.done()) == count
    assert capsys.readouterr().err == ""


def test_a_writer_shows_what_the_store_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    several = trials(3)
    with Store.write(tmp_path / "out", "made") as store:
        store.add(several, [outcome(trial) for trial in several])
        copy = copied(tmp_path / "out", FILE)
    fill(copy, several)
    assert "without its log" in capsys.readouterr().err
    with closing(sqlite3.connect(copy / FILE)) as connection, connection:
        connection.execute("DELETE FROM trials WHERE seed = 1")
    fill(copy, several)
    states(capsys.readouterr().err, copy / FILE, "2 trials, but held 3", "`bpsweep run`")
    fill(copy, several)
    assert capsys.readouterr().err == ""


def test_a_reader_does_not_keep_rows_out_of_the_file_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(connection, "_CHECKPOINT_MILLISECONDS", 1)
    several = trials(2)
    with Store.write(tmp_path / "out", "made") as store:
        with Store.read(tmp_path / "out"):
            store.add(several, [outcome(trial) for trial in several])
            store.checkpoint()
        store.checkpoint(if_due=True)
        with Store.read(copied(tmp_path / "out", FILE)) as copy:
            assert len(copy.done()) == 2


def test_a_checkpoint_is_made_when_it_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = trials(2)
    with Store.write(tmp_path / "out", "made") as store:
        store.add(several, [outcome(trial) for trial in several])
        store.checkpoint(if_due=True)
        early = (tmp_path / "out" / FILE).read_bytes()
        now = time.monotonic()
        monkeypatch.setattr("time.monotonic", lambda: now + 30)
        store.checkpoint(if_due=True)
        assert (tmp_path / "out" / FILE).read_bytes() != early
        with Store.read(copied(tmp_path / "out", FILE)) as copy:
            assert len(copy.done()) == 2


@pytest.mark.parametrize("value", ["[", "[1]", "{}", '{"trials": "x", "log": 1}', "[" * 10_000])
def test_what_a_strange_store_says_of_its_checkpoint_is_not_believed(
    tmp_path: Path, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, trials(1))
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        insert(connection, "facts", {"key": "checkpoint", "value": value})
    with Store.read(tmp_path) as store:
        assert len(store.done()) == 1
    assert capsys.readouterr().err == ""


def test_a_reader_writes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    fill(tmp_path, trials(2))
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()}
    with pytest.raises(ResourceError, match="readonly"), Store.read(tmp_path) as reader:
        reader.set_facts({"a": "1"})
    with Store.read(tmp_path) as reader:
        reader.stored_trials()
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == before
    assert set(before) == {LOCK, CHECKED, FILE}


def test_a_reader_sees_one_moment_of_a_run(tmp_path: Path) -> None:
    several = trials(3)
    with Store.write(tmp_path, "made") as writer:
        writer.add(several[:1], [outcome(several[0])])
        with Store.read(tmp_path) as reader:
            writer.add(several[1:2], [outcome(several[1])])
            assert len(reader.statuses()) == len(reader.stored_trials()) == 1
            writer.add(several[2:], [outcome(several[2])])
            assert len(reader.curves_table(trial.identity for trial in several)) == 3
        with Store.read(tmp_path) as reader:
            assert len(reader.statuses()) == 3


def test_a_study_in_a_folder_that_cannot_be_written_to_can_be_read() -> None:
    with unwritable_folder() as folder:
        fill(folder, trials(2))
        forbid_writing(folder)
        with Store.read(folder) as store:
            assert len(store.statuses()) == 2
        text = refusal(entered, Store.write(folder, "made"), error=ResourceError)
        states(text, folder, "Permission denied.")
        assert {entry.name for entry in folder.iterdir()} == {LOCK, CHECKED, FILE}


def test_a_run_elsewhere_can_be_read_where_nothing_may_be_written() -> None:
    with unwritable_folder() as folder, Store.write(folder, "made") as writer:
        writer.add(trials(1), [outcome(trials(1)[0])])
        forbid_writing(folder)
        with Store.read(folder) as store:
            assert len(store.statuses()) == 1


def test_a_folder_without_a_study_cannot_be_read(tmp_path: Path) -> None:
    states(refusal(entered, Store.read(tmp_path), error=StoreError), f"{tmp_path} holds no study")


def fill_the_disk(folder: Path, several: list[Trial]) -> None:
    with Store.write(folder, "made") as store:
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]  # noqa: SLF001
        store._connection.execute(f"PRAGMA max_page_count = {pages + 3}")  # noqa: SLF001
        for trial in several:
            store.add([trial], [outcome(trial)])


def test_a_full_disk_is_reported_and_what_was_stored_is_kept(tmp_path: Path) -> None:
    several = trials(50)
    fill(tmp_path, several[:2])
    text = refusal(fill_the_disk, tmp_path, several[2:], error=ResourceError)
    states(text, tmp_path / FILE, "disk is full")
    fill(tmp_path, several)
    with Store.read(tmp_path) as store:
        assert store.done() == {trial.identity for trial in several}


def test_a_mistake_of_ours_is_no_mistake_of_the_users(tmp_path: Path) -> None:
    fill(tmp_path, [])
    with pytest.raises(sqlite3.ProgrammingError), Store.read(tmp_path) as store:
        store._connection.execute("SELECT ?", ())  # noqa: SLF001
