"""The commands about stores: exit codes, results on standard output, notes on standard error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import ran
from stored import fill, other, outcome, trials

from sweeps.cli import main as cli
from sweeps.store._store import Store


def test_status_is_text_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ran.copy(tmp_path / "study")
    assert cli.main(["status", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("ran: 20 of 20 trials\n")
    assert cli.main(["status", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"][0]["trials"] == 8


def test_show_is_text_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (trial,) = trials(1)
    fill(tmp_path, [trial])
    assert cli.main(["show", str(tmp_path), trial.identity[:6]]) == 0
    assert capsys.readouterr().out.startswith(f"trial: {trial.identity}\n")
    assert cli.main(["show", str(tmp_path), trial.identity[:6], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trial"] == trial.identity
    assert cli.main(["show", str(tmp_path), "--seed", str(trial.seed)]) == 0
    assert capsys.readouterr().out.startswith(f"trial: {trial.identity}\n")
    assert cli.main(["show", str(tmp_path), "nothing"]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_show_lists_the_trials_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path, trials(3))
    assert cli.main(["show", str(tmp_path)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["trial", "batch", "size", "learning", "rate", "seed", "status"]
    assert {row.split()[0] for row in rows} == {trial.identity for trial in trials(3)}
    assert cli.main(["show", str(tmp_path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["trials"]) == 3


def test_export_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ran.copy(tmp_path / "study")
    ran.run(ran.study(batch_sizes=[10]), folder)
    capsys.readouterr()
    assert cli.main(["export", str(folder), "--format", "jsonl"]) == 0
    shown = capsys.readouterr()
    names = ("trials", "curves", "timing")
    assert shown.out.split() == [str(folder / "export" / f"{name}.jsonl") for name in names]
    assert shown.err.startswith("note: 10 trials not part of the study as it is now")
    assert cli.main(["export", str(folder), "--out", str(tmp_path / "here")]) == 0
    assert (tmp_path / "here" / "trials.csv").is_file()


def test_merge_exits_with_1_if_results_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = trials(2)
    fill(tmp_path / "a", [first])
    with Store.write(tmp_path / "b", "made") as store:
        store.add([first, second], [other(first), outcome(second)])
    parts = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert cli.main(["merge", *parts, "--out", str(tmp_path / "c")]) == 1
    shown = capsys.readouterr()
    assert shown.out == f"{tmp_path / 'c'}: 2 trials, 1 conflict\n"
    assert shown.err.startswith(f"note: {first.identity} has different results")
    assert cli.main(["merge", parts[0], parts[0], "--out", str(tmp_path / "d")]) == 0
