"""The examination of a machine and a folder: what there is, what a run would fail at."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest
from refused import states
from stored import forbid_writing, unwritable_folder

from bpengine.passes import compiled
from sweeps.cli import _doctor as doctor
from sweeps.cli import main as cli
from sweeps.cli._doctor import examination_lines, examine, file_system_of
from sweeps.machine import provenance


def test_a_usable_folder_has_no_problems_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    examination = examine(tmp_path / "not" / "yet")
    assert examination.problems == ()
    assert {"numpy", "cores", "BLAS", "free space"} <= {*examination.facts}
    assert [*tmp_path.iterdir()] == []
    assert examination_lines(examination)[-1] == "Nothing is in a study's way."


def test_a_folder_that_cant_be_written_to_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    # Who may not write there may not be allowed to read the installed packages either.
    monkeypatch.setattr(doctor, "provenance", provenance().copy)
    with unwritable_folder() as folder:
        forbid_writing(folder)
        examination = examine(folder)
    (problem,) = examination.problems
    states(problem, folder, "Permission denied")
    assert examination_lines(examination)[-1] != "Nothing is in a study's way."


def test_locks_that_are_missing_or_useless_are_problems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    (problem,) = examine(tmp_path).problems
    states(problem, tmp_path, "locks that keep nobody out")

    def refused(*_arguments: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refused)
    (problem,) = examine(tmp_path).problems
    states(problem, tmp_path, "no file locks", "Operation not supported")


def test_network_file_systems_and_other_programs_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "why_not", lambda: "")
    monkeypatch.setattr(doctor, "load_average", lambda: "99.00")
    monkeypatch.setattr(doctor, "file_system_of", lambda _folder: "nfs4")
    load, network = examine(tmp_path).notes
    assert load.startswith("Other programs use the processor: its load is 99.00 on ")
    assert network.startswith(f"{tmp_path} is on nfs4, a network file system: ")
    monkeypatch.setattr(doctor, "load_average", lambda: "0.00")
    monkeypatch.setattr(doctor, "file_system_of", lambda _folder: "ext4")
    assert examine(tmp_path).notes == ()


def test_who_computes_is_a_fact_and_why_it_is_not_the_kernel_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "load_average", lambda: "0.00")
    build = compiled.build_in_use()
    assert examine().facts["numerics"] == f"{compiled.KERNEL} for {build}"
    assert examine().notes == ()
    monkeypatch.setenv(compiled.SWITCH, "numpy")
    assert examine().facts["numerics"] == compiled.NUMPY
    (note,) = examine().notes
    states(note, "NumPy computes", compiled.SWITCH)
    monkeypatch.setenv(compiled.SWITCH, "")
    monkeypatch.setattr(compiled, "FOLDER", tmp_path)
    compiled.choice.cache_clear()
    try:
        (note,) = examine().notes
        states(note, "NumPy computes", "install a C compiler, then bpsweep again")
    finally:
        compiled.choice.cache_clear()


def test_what_the_system_does_not_show_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("nothing", "empty"):
        monkeypatch.setattr(doctor, "_MOUNTS", tmp_path / name)
        assert file_system_of(tmp_path) == "unknown"
        (tmp_path / "empty").touch()


def test_a_package_that_is_not_installed_is_reported_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "OPTIONAL", {"no-such-package": "dask"})
    assert examine().facts["no-such-package"] == "not installed: pip install 'bpsweep[dask]'"


def test_the_doctor_exits_with_7_if_a_study_could_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["doctor"]) == 0
    assert "free space" not in capsys.readouterr().out
    assert cli.main(["doctor", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []
    monkeypatch.setattr(doctor, "_folder_problems", lambda _folder: ["It is full."])
    assert cli.main(["doctor", str(tmp_path)]) == 7
    assert "problem: It is full.\n" in capsys.readouterr().out
