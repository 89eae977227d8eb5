"""Exported tables: all that is stored, exact, safe to open anywhere."""

from __future__ import annotations

import csv
import json
import os
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import ran
from refused import refusal, states
from stored import fill, outcome, trials

from reports.schema.formats import visible
from sweeps import analyze
from sweeps.errors import EnvironmentFailedError, ResourceError
from sweeps.manage.export import EXPORTED_COLUMNS, FORMULA_STARTS, WRITERS, export
from sweeps.store import FILE, Store
from sweeps.store.study_results import results
from sweeps.worker.train import CURVE_WIDTH

NASTY = ('=cmd|" /C calc"!A0', "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", 'a,"b"\n;', "ü\x00\x1b[2J")


@pytest.fixture
def nasty(tmp_path: Path) -> Path:
    """Return a folder with results that are hard to write."""
    planned, rest = trials(len(NASTY)), [0] * (CURVE_WIDTH - 8)
    curve = np.array([[0, 0, -1.5, np.nan, np.inf, -np.inf, 0.1 + 0.2, 1e-300, *rest]])
    with Store.write(tmp_path / "study", "nasty") as store:
        for trial, text in zip(planned, NASTY, strict=True):
            store.add([trial], [outcome(trial, status="error", error=text, curve=curve)])
        last = trials(9)[8]
        last = replace(last, configuration=replace(last.configuration, evaluate_test=True))
        store.add([last], [outcome(last, test_loss=-np.inf)])
    return tmp_path / "study"


def read(path: Path) -> pd.DataFrame:
    """Return a table as an independent reader reads it."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".csv":
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        numbers = [c.name for c in EXPORTED_COLUMNS[path.stem] if c.dtype != "str"]
        return frame.assign(
            **{name: frame[name].map(lambda t: float(t or "nan")) for name in numbers}
        )
    rows = [json.loads(line, parse_constant=int) for line in path.read_text().splitlines()]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("kind", WRITERS)
def test_every_table_has_a_file_with_its_columns(kind: str, tmp_path: Path) -> None:
    folder = ran.copy(tmp_path / "study")
    paths, notes = export(folder, tmp_path / "out", kind)
    assert {path.name for path in paths} == {f"{name}.{kind}" for name in EXPORTED_COLUMNS}
    assert sorted((tmp_path / "out").iterdir()) == sorted(paths)
    assert notes == []
    table = results(folder)
    for path in paths:
        frame = read(path)
        names = [column.name for column in EXPORTED_COLUMNS[path.stem]]
        assert [*frame] == names
        if path.stem == "trials":
            assert frame["trial"].tolist() == table.trials["trial"].tolist()
            for name in ("group", "stage"):
                assert frame[name].tolist() == table.trials[name].tolist()
            assert frame["validation_loss"].tolist() == table.trials["validation_loss"].tolist()
        if path.stem == "curves":
            assert frame["train_loss"].tolist() == table.curves["train_loss"].tolist()
        if path.stem == "timing":
            assert sorted(frame["wall_seconds"]) == sorted(table.timing["wall_seconds"])
            assert set(frame["group"]) == {"sgd", "adam"}


def test_no_cell_of_csv_is_a_formula_and_no_number_is_touched(nasty: Path, tmp_path: Path) -> None:
    export(nasty, tmp_path / "out")
    text = (tmp_path / "out" / "trials.csv").read_bytes().decode()
    rows = list(csv.DictReader(StringIO(text, newline="")))
    for row, error in zip(rows, NASTY, strict=False):
        assert row["error"] == (f"'{error}" if error.startswith(FORMULA_STARTS) else error)
    assert rows[-1]["test_loss"] == "-inf"
    with (tmp_path / "out" / "curves.csv").open(newline="") as file:
        point = next(csv.DictReader(file))
    known = "0,0,-1.5,,inf,-inf,0.30000000000000004,1e-300"
    assert ",".join([*point.values()][1:]) == known + ",0.0" * (CURVE_WIDTH - 8)


@pytest.mark.parametrize(
    ("kind", "metric"), [("csv", "validation_metric"), ("wandb-csv", "validation_accuracy")]
)
def test_exported_trials_are_runs_that_analyze_reads(
    kind: str, metric: str, tmp_path: Path
) -> None:
    folder = ran.copy(tmp_path / "study")
    (path, *_), _ = export(folder, tmp_path / "out", kind)
    trials = results(folder).trials
    read_again = analyze(path, metric=metric, by=["group"]).trials
    names = ["group", "batch_size", "learning_rate", "seed", "status", "validation_metric"]
    rows = [
        frame.assign(group=frame["group"].str.removeprefix("group="))[names].sort_values(names)
        for frame in (trials, read_again)
    ]
    again, stored = (each.reset_index(drop=True) for each in rows)
    assert again.to_dict("list") == stored.to_dict("list")


def test_jsonl_is_strict_and_exact(nasty: Path, tmp_path: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    export(nasty, tmp_path / "out", "jsonl")
    tables = {
        path.stem: [
            json.loads(line, parse_constant=refuse)
            for line in path.read_text("utf-8").split("\n")[:-1]
        ]
        for path in (tmp_path / "out").iterdir()
    }
    assert [row["error"] for row in tables["trials"]] == [*NASTY, ""]
    assert tables["trials"][-1]["test_loss"] == "-inf"
    assert tables["trials"][-1]["diverged_at_update"] is None
    point = [*tables["curves"][0].values()][1:]
    assert point == [0, 0, -1.5, None, "inf", "-inf", 0.1 + 0.2, 1e-300, *[0.0] * (CURVE_WIDTH - 8)]


def test_parquet_is_exact(nasty: Path, tmp_path: Path) -> None:
    export(nasty, tmp_path / "out", "parquet")
    table = pd.read_parquet(tmp_path / "out" / "curves.parquet")
    with Store.read(nasty) as store:
        stored = store.curves_table(store.stored_trials()["trial"])
    np.testing.assert_array_equal(table.iloc[:, 1:], stored.iloc[:, 1:])
    errors = pd.read_parquet(tmp_path / "out" / "trials.parquet")["error"]
    assert errors.tolist() == [*NASTY, ""]


def test_metrics_are_those_that_a_study_names(tmp_path: Path) -> None:
    accuracy, mae = trials(2)
    mae = replace(mae, configuration=replace(mae.configuration, metric="neg_mae", target=-2.0))
    values = {"train_metric": -3.5, "validation_metric": -4.5}
    with Store.write(tmp_path / "study", "mixed") as store:
        store.add([accuracy], [outcome(accuracy)])
        store.add(
            [mae], [outcome(mae, **values, curve=np.array([[36, 5, *[-0.5] * (CURVE_WIDTH - 2)]]))]
        )
    export(tmp_path / "study", tmp_path / "out", "jsonl")
    table = read(tmp_path / "out" / "trials.jsonl")
    assert table["metric"].tolist() == ["accuracy", "mae"]
    assert table["train_metric"].tolist() == [outcome(accuracy).train_metric, 3.5]
    assert table["validation_metric"][1] == 4.5
    assert (
        json.loads(table["configuration"][1])["configuration"]["target"] == "0x1.0000000000000p+1"
    )
    assert "neg_" not in (tmp_path / "out" / "trials.jsonl").read_text()
    curves = read(tmp_path / "out" / "curves.jsonl")
    assert curves["validation_metric"].tolist() == [*outcome(accuracy).curve[:, 5], 0.5]
    assert curves["validation_loss"].iloc[-1] == -0.5


def test_a_store_whose_plan_cannot_be_read_is_exported_all_the_same(tmp_path: Path) -> None:
    fill(tmp_path / "study", trials(12))
    _, notes = export(tmp_path / "study", tmp_path / "out")
    table = read(tmp_path / "out" / "trials.csv")
    assert len(table) == 12
    assert set(table["group"]) == set(table["stage"]) == {""}
    assert len(read(tmp_path / "out" / "curves.csv")) == sum(
        len(outcome(trial).curve) for trial in trials(12)
    )
    shown = [visible(note, most=80) for note in notes]
    assert shown[0].startswith(str(tmp_path / "study" / FILE)[:60])
    assert shown[1].startswith("12 trials not part of the study as it is now")


def test_what_left_the_specification_comes_last_without_a_place(tmp_path: Path) -> None:
    folder = ran.copy(tmp_path / "study")
    ran.run(ran.study(batch_sizes=[10]), folder)
    _, notes = export(folder, tmp_path / "out")
    table = read(tmp_path / "out" / "trials.csv")
    assert table["batch_size"].tolist() == [10] * 10 + [45] * 10
    assert (table["stage"] == "").tolist() == [False] * 10 + [True] * 10
    (note,) = notes
    assert note.startswith("10 trials not part of the study")


def test_damaged_rows_are_left_out_and_reported(tmp_path: Path) -> None:
    fill(tmp_path / "study", trials(2))
    path = tmp_path / "study" / FILE
    content = trials(2)[1].content
    path.write_bytes(path.read_bytes().replace(content.encode(), content.upper().encode()))
    _, notes = export(tmp_path / "study", tmp_path / "out")
    assert len(read(tmp_path / "out" / "trials.csv")) == 1
    assert notes[-1].startswith("1 damaged row ")


def test_a_file_is_replaced_as_a_whole_or_not_at_all(
    nasty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    export(nasty, tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    monkeypatch.setattr(os, "fsync", full)
    text = refusal(export, nasty, tmp_path / "out", error=ResourceError)
    states(text, tmp_path / "out" / "trials.csv")
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_without_pyarrow_parquet_is_refused_before_anything_is_written(
    nasty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    text = refusal(export, nasty, tmp_path / "out", "parquet", error=EnvironmentFailedError)
    states(text, "pip install 'bpsweep[parquet]'", "--format csv or jsonl")
    assert not (tmp_path / "out").exists()
