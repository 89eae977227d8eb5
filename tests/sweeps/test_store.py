"""The store: nothing lost, nothing foreign touched, one writer."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from sweeps.errors import OwnedError, ResourceError, StoreError, UsageError
from sweeps.plan import plan
from sweeps.spec import StudySpecification
from sweeps.splits import Dataset
from sweeps.stages import explore_trials
from sweeps.store import FILE, LOCK, Store
from sweeps.timing import Round
from sweeps.trials import Cohort, DataFacts
from sweeps.worker import Outcome, run_cohort


@pytest.fixture
def cohort(specification: StudySpecification, facts: DataFacts) -> Cohort:
    """Return the explore cohort of batch size 5."""
    return plan(explore_trials(specification, facts), facts, jobs=1)[0]


def test_outcomes_come_back_as_they_were(tmp_path: Path, cohort: Cohort, dataset: Dataset) -> None:
    outcomes = run_cohort(cohort, dataset)
    with Store.write(tmp_path, "small") as store:
        store.add(cohort.trials, outcomes)
    with Store.read(tmp_path) as store:
        trials = store.trials_table({"explore": cohort.trials})
        curves = store.curves_table(trials["trial"])
        assert store.statuses() == {outcome.trial: "ok" for outcome in outcomes}
    assert trials["trial"].tolist() == [outcome.trial for outcome in outcomes]
    assert trials["train_seconds"].tolist() == [outcome.train_seconds for outcome in outcomes]
    assert trials["diverged_at_update"].isna().all()
    assert trials["test_metric"].isna().all()
    assert trials["validation_metric"].tolist() == [o.curve[-1, 5] for o in outcomes]
    stored = curves.drop(columns="trial").to_numpy(float)
    np.testing.assert_array_equal(stored, np.concatenate([o.curve for o in outcomes]))


def outcome_of(trial: str, status: str, **values: float) -> Outcome:
    curve = np.array([[0, 0, 1.5, 0.25, np.inf, np.nan]])
    number = int(values.get("diverged_at_update", 0))
    return Outcome(trial, status, number, 3, 4, np.nan, np.nan, "", 0.5, curve)


def test_infinity_survives_and_not_a_number_is_nothing(tmp_path: Path, cohort: Cohort) -> None:
    trial = cohort.trials[0]
    with Store.write(tmp_path, "small") as store:
        store.add([trial], [outcome_of(trial.identity, "diverged", diverged_at_update=3)])
        row = store.trials_table({"explore": [trial]}).iloc[0]
    assert row["diverged_at_update"] == 3
    assert row["validation_loss"] == np.inf
    assert np.isnan(row["validation_metric"])


def test_a_failure_is_not_done_and_is_replaced(tmp_path: Path, cohort: Cohort) -> None:
    trial = cohort.trials[0]
    with Store.write(tmp_path, "small") as store:
        store.add([trial], [outcome_of(trial.identity, "error")])
        assert store.done() == set()
        store.add([trial], [outcome_of(trial.identity, "ok")])
        assert store.done() == {trial.identity}
        assert len(store.curves_table(store.trials_table({"x": [trial]})["trial"])) == 1


def test_timing_is_replaced_as_a_whole(tmp_path: Path) -> None:
    with Store.write(tmp_path, "small") as store:
        store.replace_timing(
            [Round("tensor", 1, 0, 5, 0.1, 0.1), Round("tensor", 2, 0, 5, 0.1, 0.1)]
        )
        store.replace_timing([Round("tensor", 4, 0, 5, 0.25, 0.2)])
        assert store.timed_batch_sizes() == {4}
        assert store.timing_table().to_dict("records") == [
            {
                "engine": "tensor",
                "batch_size": 4,
                "round": 0,
                "updates": 5,
                "wall_seconds": 0.25,
                "cpu_seconds": 0.2,
            }
        ]


def test_another_studys_folder_is_refused(tmp_path: Path) -> None:
    with Store.write(tmp_path, "first"):
        pass
    with pytest.raises(StoreError) as refused, Store.write(tmp_path, "second"):
        pass
    assert str(refused.value) == (
        f"{tmp_path} holds the study 'first', not 'second'. Choose another --out."
    )
    with Store.write(tmp_path, "first"):
        pass


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UsageError) as refused, Store.write(tmp_path, "small"):
        pass
    assert str(refused.value) == (
        f"{tmp_path} is not empty and holds no study. Choose another --out."
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["letter.txt"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(UsageError) as refused, Store.write(path, "small"):
        pass
    assert str(refused.value) == f"{path} is a file, not a folder. Choose another --out."


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(ResourceError, match=r"can't be used: File name too long\.$"),
        Store.write(tmp_path / ("x" * 300), "small"),
    ):
        pass


def test_a_second_writer_is_refused_with_the_firsts_number(tmp_path: Path) -> None:
    with (
        Store.write(tmp_path, "small"),
        pytest.raises(OwnedError) as refused,
        Store.write(tmp_path, "small"),
    ):
        pass
    assert str(refused.value) == f"{tmp_path} is in use by another run, process {os.getpid()}."


def test_a_folder_that_cannot_be_locked_is_told(tmp_path: Path) -> None:
    (tmp_path / LOCK).mkdir()
    with (
        pytest.raises(ResourceError, match=r"can't be written to: Is a directory\.$"),
        Store.write(tmp_path, "small"),
    ):
        pass


def test_a_reader_writes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    with Store.write(tmp_path, "small"):
        pass
    before = sorted(entry.name for entry in tmp_path.iterdir())
    with pytest.raises(ResourceError, match="readonly"), Store.read(tmp_path) as reader:
        reader.set_facts({"a": "1"})
    assert sorted(entry.name for entry in tmp_path.iterdir()) == before == [LOCK, FILE]


def test_a_reader_reads_while_a_run_writes(tmp_path: Path) -> None:
    with Store.write(tmp_path, "small") as writer, Store.read(tmp_path) as reader:
        writer.set_facts({"a": "1"})
        assert reader.facts() == {"name": "small", "a": "1"}


def test_a_folder_without_a_study_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as refused, Store.read(tmp_path):
        pass
    assert str(refused.value) == f"{tmp_path} holds no study: there is no {FILE} in it."


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be one", b""])
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreError), Store.read(tmp_path):
        pass
    assert (tmp_path / FILE).read_bytes() == content


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("CREATE TABLE t (a)")
    connection.close()
    with pytest.raises(StoreError) as refused, Store.write(tmp_path, "small"):
        pass
    assert str(refused.value) == (
        f"{tmp_path / FILE} is not a study of bpsweep. Choose another --out."
    )


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    with Store.write(tmp_path, "small"):
        pass
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    with pytest.raises(StoreError) as refused, Store.read(tmp_path):
        pass
    assert str(refused.value) == (
        f"{tmp_path / FILE} has the format 2, but this bpsweep reads format 1."
    )


def test_a_store_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="read"), Store.write(tmp_path, "small"):
        raise sqlite3.OperationalError("database or disk is full")
