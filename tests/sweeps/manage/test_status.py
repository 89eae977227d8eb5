"""How far a study has come: counts, causes, what is left, who runs it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest
import ran
from joblib import cpu_count
from stored import failure, fill, trials

from sweeps.design.cohorts import cohort_cost, plan
from sweeps.design.trials import Trial
from sweeps.manage.status import Count, status_lines, status_of
from sweeps.store import FILE, Store
from sweeps.store.study_results import save_experiment
from sweeps.worker.train import run_cohort


def begun(folder: Path, **changes: object) -> list[Trial]:
    """Begin the small study without running anything, and return what it explores."""
    experiment = ran.study(**changes).experiment
    with Store.write(folder, "ran") as store:
        save_experiment(store, experiment)
    return [trial for _, trial in experiment.explored]


def run_some(folder: Path, planned: list[Trial]) -> float:
    """Run trials and return what their training was predicted to cost, in seconds."""
    cohorts = plan(planned, jobs=1)
    with Store.write(folder, "ran") as store:
        for cohort in cohorts:
            store.add(cohort.trials, run_cohort(cohort))
    return sum(map(cohort_cost, cohorts)) / 1e6


def test_a_finished_study_is_finished(tmp_path: Path) -> None:
    status = status_of(ran.copy(tmp_path / "study"))
    stages = {"explore": 8, "confirm": 2}
    assert status.counts == tuple(
        Count(group, stage, "ok", trials)
        for stage, trials in stages.items()
        for group in ("sgd", "adam")
    )
    assert status.remaining
    assert (status.remaining.trials, status.remaining.core_seconds) == (0, 0)
    assert (status.timing, status.running, status.unplanned) == ("measured", None, 0)
    assert status_lines(status) == [
        "ran: 20 of 20 trials",
        "  sgd, explore: 8 ok",
        "  adam, explore: 8 ok",
        "  sgd, confirm: 2 ok",
        "  adam, confirm: 2 ok",
        "  timing: measured",
        "  running: no",
    ]


def test_what_is_certain_to_come_is_missing(tmp_path: Path) -> None:
    begun(tmp_path, optimizer="sgd")
    status = status_of(tmp_path)
    assert status.counts == (
        Count("ran", "explore", "missing", 8),
        Count("ran", "confirm", "missing", 2),
    )
    assert status.remaining
    assert (status.remaining.trials, status.remaining.jobs) == (10, cpu_count())
    assert status.timing == "missing"
    begun(tmp_path, optimizer="sgd", confirmation_seeds=[], timing=False)
    status = status_of(tmp_path)
    assert status.remaining
    assert status.remaining.trials == 8
    assert status.timing == "off"


def test_failures_are_grouped_by_cause_and_still_to_run(tmp_path: Path) -> None:
    planned = begun(tmp_path, optimizer="sgd")
    run_some(tmp_path, planned[:3])
    with Store.write(tmp_path, "ran") as store:
        store.add(
            planned[3:5], [failure(t, "error", "Trace\nValueError: x\n") for t in planned[3:5]]
        )
        store.add(planned[5:6], [failure(planned[5], "crashed", "SIGKILL")])
        store.set_facts({"jobs": "2"})
    status = status_of(tmp_path)
    assert [(cause.trials, cause.status, cause.reason) for cause in status.failures] == [
        (2, "error", "ValueError: x"),
        (1, "crashed", "SIGKILL"),
    ]
    assert status.remaining
    assert (status.remaining.trials, status.remaining.jobs) == (5 + 2, 2)
    lines = status_lines(status)
    assert lines[:5] == [
        "ran: 6 of 10 trials",
        "  explore: 3 ok, 2 error, 1 crashed, 2 missing",
        "  confirm: 2 missing",
        "  2 ended in an error: ValueError: x",
        "  1 crashed: SIGKILL",
    ]
    assert lines[6].startswith("  to run: 7 trials, about ")


def test_what_is_left_is_predicted_from_what_the_finished_trials_took(tmp_path: Path) -> None:
    planned = begun(tmp_path, optimizer="sgd", confirmation_seeds=[])
    predicted = run_some(tmp_path, planned[:4])
    left = sum(map(cohort_cost, plan(planned[4:], jobs=1))) / 1e6
    with Store.write(tmp_path, "ran") as store:
        store.set_facts({"jobs": "1"})
        took = float(store.stored_trials()["train_seconds"].sum())
    status = status_of(tmp_path).remaining
    assert status
    assert status.core_seconds == pytest.approx(left * took / predicted)
    assert status.seconds == pytest.approx(status.core_seconds)


def test_who_runs_the_study_is_reported(tmp_path: Path) -> None:
    folder = ran.copy(tmp_path / "study")
    with Store.write(folder, "ran"):
        status = status_of(folder)
        assert status.running
        assert status.running.pid == os.getpid()
        assert status_lines(status)[-1] == f"  running: {status.running}"


def test_what_is_not_part_of_the_study_any_more_is_counted_separately(tmp_path: Path) -> None:
    folder = ran.copy(tmp_path / "study")
    with Store.write(folder, "ran") as store:
        save_experiment(store, ran.study(batch_sizes=[10]).experiment)
    status = status_of(folder)
    assert status.unplanned == 10
    assert "  not part of the study as it is now: 10 trials" in status_lines(status)


def test_a_store_whose_plan_cannot_be_read_has_a_status(tmp_path: Path) -> None:
    fill(tmp_path, trials(12), "old")
    status = status_of(tmp_path)
    assert (status.name, status.counts, status.unplanned, status.remaining) == ("old", (), 12, None)
    assert status_lines(status) == [
        "old: 0 of 0 trials",
        "  not part of the study as it is now: 12 trials",
        "  running: no",
        *status.notes,
    ]
    (note,) = status.notes
    assert note.startswith(f"{tmp_path / FILE} has no 'specification'")


def test_damaged_rows_are_counted(tmp_path: Path) -> None:
    fill(tmp_path, trials(2))
    text = trials(2)[1].content.encode()
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes().replace(text, text.upper()))
    status = status_of(tmp_path)
    assert status.damaged == 1
    assert "  damaged, to be run again: 1 row" in status_lines(status)
    fill(tmp_path, trials(2))
    assert status_of(tmp_path).damaged == 0


def test_everything_is_strict_json(tmp_path: Path) -> None:
    for folder in (ran.copy(tmp_path / "study"), tmp_path / "begun"):
        begun(tmp_path / "begun")
        content = asdict(status_of(folder))
        assert json.loads(json.dumps(content, allow_nan=False))["name"] == "ran"
