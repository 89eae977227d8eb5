"""One study of several parts: nothing lost, nothing silently chosen."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import ran
from refused import refusal, states
from stored import failure, fill, other, outcome, trials

from reports.schema.results import TRIAL_COLUMNS
from sweeps.errors import ResourceError, StoreError, UsageError
from sweeps.manage.merge import merge
from sweeps.store import FILE, Store
from sweeps.store.study_results import results
from sweeps.worker.measure import Round

FOUR = trials(4)
VOLATILE = [column.name for column in TRIAL_COLUMNS if column.volatile]


def test_parts_become_the_whole(tmp_path: Path) -> None:
    whole = results(ran.copy(tmp_path / "whole"))
    for seed in (1, 2):
        part = ran.study(seeds=[seed], confirmation_seeds=[])
        ran.run(part, tmp_path / str(seed))
    merged = merge([tmp_path / "1", tmp_path / "2"], tmp_path / "both")
    assert (merged.trials, merged.conflicts) == (16, ())
    assert f"that of {tmp_path / '1'} is kept" in merged.notes[0]
    ran.run(ran.study(), tmp_path / "both")
    whole_again = results(tmp_path / "both")
    pd.testing.assert_frame_equal(
        whole_again.trials.drop(columns=VOLATILE), whole.trials.drop(columns=VOLATILE)
    )
    pd.testing.assert_frame_equal(whole_again.curves, whole.curves)
    with Store.read(tmp_path / "both") as store:
        assert len(store.statuses()) == 20


def test_results_win_over_failures_whichever_part_has_them(tmp_path: Path) -> None:
    with Store.write(tmp_path / "a", "made") as store:
        store.add(FOUR[:3], [outcome(FOUR[0]), failure(FOUR[1]), failure(FOUR[2])])
    with Store.write(tmp_path / "b", "made") as store:
        store.add(FOUR[:3], [failure(FOUR[0]), outcome(FOUR[1]), failure(FOUR[2], "crashed")])
    merged = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "c")
    with Store.read(tmp_path / "c") as store:
        assert [*store.statuses().values()].count("ok") == 2
        assert store.done() == {FOUR[0].identity, FOUR[1].identity}
        rows = {row["trial"]: row["attempts"] for row in store.rows()}
    assert rows[FOUR[0].identity] == 1
    assert rows[FOUR[1].identity] == rows[FOUR[2].identity] == 2
    assert (merged.trials, merged.conflicts) == (3, ())


def test_of_different_results_the_first_is_kept(tmp_path: Path) -> None:
    diverged = replace(outcome(FOUR[2]), status="diverged", diverged_at_update=2)
    fill(tmp_path / "a", FOUR[:3])
    with Store.write(tmp_path / "b", "made") as store:
        store.add(FOUR, [outcome(FOUR[0]), other(FOUR[1]), diverged, outcome(FOUR[3])])
    merged = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "c")
    assert set(merged.conflicts) == {FOUR[1].identity, FOUR[2].identity}
    assert merged.trials == 4
    with Store.read(tmp_path / "c") as store:
        kept = store.curves_table([FOUR[1].identity]).drop(columns="trial").to_numpy(float)
    np.testing.assert_array_equal(kept, outcome(FOUR[1]).curve)


def test_parts_are_only_read(tmp_path: Path) -> None:
    for name in ("a", "b"):
        fill(tmp_path / name, FOUR)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    merge([tmp_path / "a", tmp_path / "b", tmp_path / "a"], tmp_path / "c")
    assert {path: path.read_bytes() for path in before} == before
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "c"}


def test_facts_are_those_of_the_first_and_effort_is_added(tmp_path: Path) -> None:
    for name, processor, seconds in (("a", "slow", "1.5"), ("b", "fast", "2"), ("c", "slow", "4")):
        provenance = json.dumps({"processor": processor, "numpy": "2"})
        with Store.write(tmp_path / name, "made") as store:
            store.set_facts({"jobs": "1", "sweep_seconds": seconds})
            store.set_facts({"provenance": provenance, name: "of a part"})
    merge([tmp_path / name for name in "abc"], tmp_path / "all")
    with Store.read(tmp_path / "all") as store:
        facts = store.facts()
    assert json.loads(facts.pop("provenance")) == {"processor": "slow; fast", "numpy": "2"}
    kept = dict.fromkeys("abc", "of a part")
    assert facts == {"name": "made", "jobs": "1", "sweep_seconds": "7.5", **kept}


def test_times_of_several_machines_are_not_mixed(tmp_path: Path) -> None:
    for name, sizes in (("a", []), ("b", [1, 2]), ("c", [4])):
        with Store.write(tmp_path / name, "made") as store:
            rounds = [Round("w", "tensor", 1, size, 0, 1, 1.0, 1.0, 9.0) for size in sizes]
            store.take_timing([*map(asdict, rounds)])
    merged = merge([tmp_path / name for name in "abc"], tmp_path / "all")
    (note,) = merged.notes
    assert "only the first benchmark is kept" in note
    with Store.read(tmp_path / "all") as store:
        assert {size for *_, size in store.timed()} == {1, 2}


def test_parts_of_different_studies_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    fill(tmp_path / "a", FOUR, "one")
    fill(tmp_path / "b", FOUR, "two")
    text = refusal(merge, [tmp_path / "a", tmp_path / "b"], tmp_path / "c", error=StoreError)
    states(text, f"{tmp_path / 'b'} holds the study 'two'", f"{tmp_path / 'a'} holds 'one'")
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "a", FOUR)
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "a", tmp_path / "file"):
        text = refusal(merge, [tmp_path / "a", tmp_path / "a"], out, error=UsageError)
        states(text, f"{out} is not empty")
    (tmp_path / "empty").mkdir()
    assert merge([tmp_path / "a", tmp_path / "a"], tmp_path / "empty").trials == 4


def test_a_merge_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    fill(tmp_path / "a", FOUR)
    monkeypatch.setattr(os, "rename", refuse)
    monkeypatch.setattr(Path, "rename", refuse)
    text = refusal(merge, [tmp_path / "a", tmp_path / "a"], tmp_path / "c", error=ResourceError)
    states(text, tmp_path / "c")
    assert {path.name for path in tmp_path.iterdir()} == {"a"}


def test_damaged_rows_of_parts_are_reported(tmp_path: Path) -> None:
    for name in ("a", "b"):
        fill(tmp_path / name, FOUR)
    path = tmp_path / "b" / FILE
    text = FOUR[0].content.encode()
    path.write_bytes(path.read_bytes().replace(text, text.replace(b"sgd", b"SGD")))
    merged = merge([tmp_path / "b", tmp_path / "a"], tmp_path / "c")
    assert (merged.trials, merged.conflicts) == (len(FOUR), ())
    assert f"1 damaged row of {tmp_path / 'b'} left out: a run repeats them." in merged.notes
