"""The driver: every trial once, stage after stage, whatever stops it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import faults
import pytest
import ran
from refused import refusal, states
from stored import forget, other

from bpengine import Trainer
from bpengine.passes.compiled import KERNEL, SWITCH
from reports.output.build import build_report
from reports.schema.results import TRIAL_COLUMNS, StudyResults
from sweeps import Study
from sweeps.cli.main import main
from sweeps.design.experiment import Experiment
from sweeps.errors import EnvironmentFailedError, OwnedError
from sweeps.run import _scheduler as scheduler
from sweeps.run import driver as runner
from sweeps.run._executors import LokyExecutor, SequentialExecutor
from sweeps.run.driver import run_study
from sweeps.run.signals import Finished, Interrupted
from sweeps.store import FILE, Store
from sweeps.store.lock import LOCK
from sweeps.store.rows import curve_bytes
from sweeps.store.study_results import Plan, results, results_of
from sweeps.worker import measure as timing
from sweeps.worker import train as worker
from sweeps.worker.tasks import Task, train
from sweeps.worker.train import Outcome

VOLATILE = [column.name for column in TRIAL_COLUMNS if column.volatile]


@pytest.fixture
def experiment(keys: dict[str, Any]) -> Experiment:
    """Return the small study untimed: 8 trials to explore, 4 to confirm, in 2 + 2 cohorts."""
    return Study(**keys | {"timing": False}).experiment


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """Return a list that gets every task that is tried."""
    tasks: list[Task] = []

    def noted(task: Task) -> list[Outcome]:
        tasks.append(task)
        return train(task)

    monkeypatch.setattr(scheduler, "train", noted)
    return tasks


def run(experiment: Experiment, folder: Path, **keys: Any) -> StudyResults:
    return run_study(experiment, folder, **{"backend": "sequential", **keys})


def tables(finished: StudyResults) -> str:
    return finished.trials.drop(columns=VOLATILE).to_csv() + finished.curves.to_csv()


def test_every_trial_runs_once(tmp_path: Path, experiment: Experiment, tried: list[Task]) -> None:
    finished = run(experiment, tmp_path)
    assert finished.trials.groupby("stage").size().to_dict() == {"explore": 8, "confirm": 4}
    assert sum(len(task.cohort.trials) for task in tried) == 12
    assert len({task.number for task in tried}) == len(tried)
    assert finished.description.jobs == 1
    assert finished.description.sweep_seconds > 0
    assert finished.description.provenance["numpy"]
    tried.clear()
    again = run(experiment, tmp_path)
    assert not tried
    assert tables(again) == tables(finished)


def test_what_a_killed_session_left_is_removed_even_if_nothing_is_left_to_run(
    tmp_path: Path, experiment: Experiment
) -> None:
    run_study(experiment, tmp_path, jobs=1, backend="sequential")
    left = tmp_path / ".work" / "data"
    left.mkdir(parents=True)
    run_study(experiment, tmp_path, jobs=1, backend="sequential")
    assert not left.parent.exists()


Meanwhile = Callable[[int, Callable[[], object]], None]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Return what has something happen while a task of a run is under way, counted from 1."""

    def happens(number: int, event: Callable[[], object]) -> None:
        numbers = itertools.count(1)

        def disturbed(task: Task) -> list[Outcome]:
            if next(numbers) == number:
                event()
            return train(task)

        monkeypatch.setattr(scheduler, "train", disturbed)

    return happens


def test_the_file_alone_holds_every_stage_that_has_ended(
    tmp_path: Path, experiment: Experiment, meanwhile: Meanwhile
) -> None:
    (tmp_path / "copy").mkdir()
    # The third cohort is the first of the confirm stage.
    meanwhile(3, lambda: shutil.copy(tmp_path / "out" / FILE, tmp_path / "copy"))
    whole = run(experiment, tmp_path / "out")
    with Store.read(tmp_path / "copy") as store:
        assert len(store.done()) == 8
    assert tables(run(experiment, tmp_path / "copy")) == tables(whole)


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_folder_that_is_deleted_while_running_is_reported(
    small: Path, meanwhile: Meanwhile, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    out = small.with_name("out")
    meanwhile(number, lambda: shutil.rmtree(out))
    assert main(["run", str(small), "--out", str(out), "--backend", "sequential"]) == 6
    states(capsys.readouterr().err, out / FILE, "moved, deleted or replaced")


def test_a_run_that_was_taken_over_leaves_the_other_ones_files(
    tmp_path: Path, experiment: Experiment, meanwhile: Meanwhile
) -> None:
    def take_over() -> None:
        (tmp_path / LOCK).unlink()
        with Store.write(tmp_path, "small"):
            (tmp_path / ".work" / "data" / "theirs").mkdir()

    meanwhile(1, take_over)
    refusal(run, experiment, tmp_path, error=OwnedError)
    assert (tmp_path / ".work" / "data" / "theirs").is_dir()
    with Store.read(tmp_path) as store:
        assert store.done() == set()


def test_what_fails_is_tried_again_by_the_next_run_not_by_this_one(
    tmp_path: Path, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(experiment, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(scheduler, "train", lambda _task: 1 / 0)
        failed = run(experiment, tmp_path / "failed")
    assert set(failed.trials["status"]) == {"error"}
    assert tables(run(experiment, tmp_path / "failed")) == tables(whole)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Return a list that gets what executors are opened with; all are sequential ones."""
    asked: list[tuple[Any, ...]] = []

    @contextmanager
    def noted(*arguments: Any) -> Iterator[SequentialExecutor]:
        asked.append(arguments)
        yield SequentialExecutor()
        asked.append(("closed",))

    monkeypatch.setattr(runner, "opened", noted)
    return asked


def test_one_executor_serves_all_stages_and_none_serves_nothing(
    tmp_path: Path, experiment: Experiment, opened: list[tuple[Any, ...]]
) -> None:
    cluster: dict[str, Any] = {"scheduler": "tcp://here:1", "resources": {"GPU": 1}}
    run(experiment, tmp_path, jobs=3, backend="dask", **cluster)
    (backend, jobs, workspace, *handed), closed = opened
    assert (backend, jobs, *handed) == ("dask", 3, *cluster.values())
    assert workspace.folder == tmp_path / ".work"
    assert closed == ("closed",)
    run(experiment, tmp_path, jobs=3)
    assert len(opened) == 2


@pytest.mark.parametrize(("backend", "handed"), [("loky", True), ("threading", False)])
def test_datasets_are_handed_to_processes(
    backend: str,
    handed: bool,
    tmp_path: Path,
    experiment: Experiment,
    opened: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bool] = []

    def look(task: Task) -> list[Outcome]:
        seen.append(any(task.workspace.data.iterdir()))
        return train(task)

    monkeypatch.setattr(scheduler, "train", look)
    run(experiment, tmp_path, backend=backend)
    assert set(seen) == {handed}
    assert opened


def test_the_limit_of_a_trial_is_passed_on(
    tmp_path: Path, experiment: Experiment, tried: list[Task]
) -> None:
    limited = experiment.specification.model_copy(update={"trial_seconds": 60.0})
    run(replace(experiment, specification=limited), tmp_path)
    assert {task.trial_seconds for task in tried} == {60.0}


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("specified", [True, False])
def test_times_are_measured_if_both_want_it(
    asked: bool,
    specified: bool,
    tmp_path: Path,
    experiment: Experiment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured: list[Experiment] = []
    monkeypatch.setattr(runner, "run_timing", lambda _store, of: measured.append(of))
    specification = experiment.specification.model_copy(update={"timing": specified})
    run(replace(experiment, specification=specification), tmp_path, timing=asked)
    assert bool(measured) == (asked and specified)


def test_the_benchmark_begins_when_all_trials_have_ended(tmp_path: Path) -> None:
    finished = results(ran.copy(tmp_path / "ran"))
    assert (finished.trials["started"] <= finished.trials["ended"]).all()
    # Ends are counted by a clock that nobody sets.
    assert finished.timing["started"].min() > finished.trials["ended"].max() - 0.01


def test_a_study_goes_on_with_what_it_began_with(
    tmp_path: Path, keys: dict[str, Any], tried: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, "numpy")
    begun = run(Study(**keys | {"timing": False}).experiment, tmp_path)
    monkeypatch.delenv(SWITCH)
    tried.clear()
    again = Study(**keys | {"timing": False})
    assert again.experiment.numerics == KERNEL
    assert tables(run(again.experiment, tmp_path)) == tables(begun)
    assert tried == []
    assert again.plan(tmp_path, n_jobs=1).done == len(begun.trials)


@pytest.mark.parametrize("numerics", [KERNEL, "kernel 0"])
def test_a_study_begun_with_what_is_not_here_is_refused(
    tmp_path: Path, experiment: Experiment, monkeypatch: pytest.MonkeyPatch, numerics: str
) -> None:
    run(experiment, tmp_path)
    with Store.write(tmp_path, experiment.specification.name) as store:
        store.set_facts({"numerics": numerics})
    monkeypatch.setenv(SWITCH, "numpy")
    with pytest.raises(EnvironmentFailedError) as error:
        run(experiment, tmp_path)
    states(str(error.value), numerics, "--out")


@pytest.mark.parametrize(
    "jumps",
    [
        [3600.0, -3600.0, 0.0],
        *(pytest.param([jump], marks=pytest.mark.slow) for jump in (0.0, -86_400.0, 3e7)),
    ],
)
def test_a_clock_that_jumps_harms_nothing(
    jumps: list[float], tmp_path: Path, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = run(experiment, tmp_path / "calm")
    now = 1e9
    steps = itertools.cycle(jumps)

    def jumping() -> float:
        nonlocal now
        now += next(steps)
        return now

    monkeypatch.setattr(time, "time", jumping)
    finished = run(experiment, tmp_path / "jumping")
    assert tables(finished) == tables(calm)
    assert (finished.trials["started"] <= finished.trials["ended"]).all()
    assert build_report(finished, tmp_path / "report").stat().st_size > 0


def test_ctrl_c_finishes_what_runs_and_keeps_it(
    tmp_path: Path, experiment: Experiment, tried: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(experiment, tmp_path / "whole")
    tried.clear()

    def interrupted(task: Task) -> list[Outcome]:
        os.kill(os.getpid(), signal.SIGINT)
        return train(task)

    with monkeypatch.context() as patch:
        patch.setattr(scheduler, "train", interrupted)
        with pytest.raises(Finished):
            run(experiment, tmp_path / "cut")
    with Store.read(tmp_path / "cut") as store:
        partial = results_of(Plan(store, experiment))
    assert 0 < len(partial.trials) < 8
    assert partial.description.planned_trials == 12
    assert not (tmp_path / "cut" / ".work").exists()
    assert tables(run(experiment, tmp_path / "cut")) == tables(whole)
    assert sum(len(task.cohort.trials) for task in tried) == 12 - len(partial.trials)


def test_a_second_ctrl_c_leaves_a_checkpoint_to_go_on_from(
    tmp_path: Path, experiment: Experiment, tried: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(experiment, tmp_path / "whole")
    tried.clear()
    original, cuts = Trainer.run, iter(range(100))

    def cut(trainer: Trainer, **keys: Any) -> None:
        original(trainer, **keys)
        if next(cuts) == 2:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(worker, "CUT_SECONDS", 0.0)
        patch.setattr(worker, "EVERY_SECONDS", 0.0)
        patch.setattr(Trainer, "run", cut)
        with pytest.raises(Interrupted) as stopped:
            run(experiment, tmp_path / "cut")
    assert not isinstance(stopped.value, Finished)
    assert [*(tmp_path / "cut" / ".work").iterdir()] == [tmp_path / "cut" / ".work" / "checkpoints"]
    first = tried[0].cohort
    tried.clear()
    restored: list[int] = []
    restore = Trainer.restore

    def noted(trainer: Trainer, state: Any) -> None:
        restored.append(int(state["examples"]))
        restore(trainer, state)

    monkeypatch.setattr(Trainer, "restore", noted)
    # However many jobs there are now, the cohort that was cut is the same.
    assert tables(run(experiment, tmp_path / "cut", jobs=5, backend="threading")) == tables(whole)
    assert first in [task.cohort for task in tried]
    assert len(restored) == 1
    assert restored[0] > 0
    assert not (tmp_path / "cut" / ".work").exists()


@pytest.mark.parametrize(
    "keys", [{"optimizer": {"name": "sgd", "l2": 1e308}}, {"initial_scale": 1e308}]
)
def test_what_is_too_large_for_the_precision_diverges_without_a_warning(
    keys: dict[str, Any], tmp_path: Path
) -> None:
    # A warning would be an error of the trial here.
    study = Study("large", **{**ran.KEYS, "confirmation_seeds": [], "timing": False, **keys})
    assert set(run(study.experiment, tmp_path).trials["status"]) == {"diverged"}


def test_ctrl_c_ends_the_benchmark_and_keeps_what_was_measured_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = Study("timed", **{**ran.KEYS, "learning_rates": 1.0, "seeds": 1}).experiment
    measure, measured = timing._measure, []  # noqa: SLF001

    def noted(work: Any) -> Any:
        measured.append(work)
        if len(measured) == 31:  # the second optimizer's third: the first has 4 in each of 7 rounds
            os.kill(os.getpid(), signal.SIGINT)
        return measure(work)

    monkeypatch.setattr(timing, "LEAST_SECONDS", 1e-6)
    with monkeypatch.context() as patch:
        patch.setattr(timing, "_measure", noted)
        with pytest.raises(Finished):
            run(timed, tmp_path)
    assert len(measured) == 31
    with Store.read(tmp_path) as store:
        kept = store.stored_timing()
    assert len(kept) == 28
    finished = run(timed, tmp_path)
    assert len(finished.timing) == 28 + 14
    assert set(kept["started"]) < set(finished.timing["started"])


def test_ctrl_c_while_results_are_read_is_heard(
    tmp_path: Path, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> StudyResults:
        os.kill(os.getpid(), signal.SIGINT)
        return results_of(*arguments)

    monkeypatch.setattr(runner, "results_of", interrupted)
    with pytest.raises(Finished):
        run(experiment, tmp_path)


@pytest.mark.slow
def test_a_removed_workspace_and_a_dead_worker_do_not_end_the_run(
    tmp_path: Path, experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, cruel = LokyExecutor.submit, iter([True])

    def submit(executor: LokyExecutor, work: Any, task: Task) -> None:
        if next(cruel, False):
            shutil.rmtree(tmp_path / "study" / ".work")
            work = faults.kill_unless_apart
        start(executor, work, task)

    monkeypatch.setattr(LokyExecutor, "submit", submit)
    finished = run(experiment, tmp_path / "study", jobs=2, backend="loky")
    assert finished.trials["status"].tolist() == ["ok"] * 12
    assert not (tmp_path / "study" / ".work").exists()


def test_another_result_is_reported_and_the_stored_one_kept(
    tmp_path: Path,
    experiment: Experiment,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(experiment, tmp_path)
    first = experiment.explored[0][1]
    changed = other(first)
    forget(tmp_path, first.identity)
    with Store.write(tmp_path, "small") as store:
        store.add([first], [changed])
    monkeypatch.setattr(Store, "done", lambda store: store.statuses().keys() - {first.identity})
    capsys.readouterr()
    run(experiment, tmp_path)
    assert f"trial {first.identity} gave another result" in capsys.readouterr().err
    with Store.read(tmp_path) as store:
        (row,) = store.rows(first.identity)
    assert row["curve"] == curve_bytes(changed.curve)
