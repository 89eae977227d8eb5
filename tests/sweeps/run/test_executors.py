"""One suite for all executors: the same rows to the byte, the same failures; and what is loky's."""

from __future__ import annotations

import concurrent.futures
import errno
import os
import re
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import faults
import psutil
import pytest
from faults import POISON, cohort, made

from bpengine import Budget
from sweeps.design.trials import Cohort
from sweeps.errors import KEPT, EnvironmentFailedError, UsageError
from sweeps.machine import versions
from sweeps.run import _executors as executors
from sweeps.run import _scheduler as scheduler
from sweeps.run._executors import (
    BACKENDS,
    Executor,
    LokyExecutor,
    SequentialExecutor,
    ThreadingExecutor,
    jobs_of,
    opened,
)
from sweeps.run._scheduler import Dispatch
from sweeps.worker.tasks import Death, Task, Work, train
from sweeps.worker.train import Outcome
from sweeps.worker.workspace import Workspace, hand_over

pytestmark = pytest.mark.slow

COHORTS = [
    cohort(0.1, 0.3, evaluate_test=True),
    cohort(0.1, 0.2, seeds=(3,), batch_size=3, optimizer="sgd"),
    cohort(POISON, 0.2, seeds=(1,), batch_size=5),
    cohort(0.4, batch_size=36, noise_examples=12),
    cohort(0.01, 1e30, activation="identity", output="identity", reduction="sum"),
]
ISOLATING = ("loky", "dask")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Return a workspace with the small dataset."""
    workspace = Workspace(tmp_path_factory.mktemp("work"))
    workspace.open()
    hand_over(made(), workspace.data)
    return workspace


@pytest.fixture(scope="module")
def executor_of(workspace: Workspace) -> Iterator[Any]:
    """Return a function that gives the executor of a backend, opened once."""
    executors_open: dict[str, Executor] = {}
    with ExitStack() as stack:

        def get(backend: str) -> Executor:
            if backend not in executors_open:
                jobs = 1 if backend == "sequential" else 2
                executors_open[backend] = stack.enter_context(opened(backend, jobs, workspace))
            return executors_open[backend]

        yield get


_numbers = iter(range(1000, 10**6, 1000))


def run(
    executor: Executor,
    workspace: Workspace,
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
    trial_seconds: float | None = None,
    cohorts: list[Cohort] = COHORTS,
) -> dict[str, Outcome]:
    monkeypatch.setattr(scheduler, "train", work)
    sent = Dispatch(executor, workspace, trial_seconds)
    # A study has one dispatch for each stage and one workspace: numbers go on.
    monkeypatch.setattr(sent, "_numbers", iter(range(next(_numbers), 10**9)))
    by_trial: dict[str, Outcome] = {}
    for ended in sent.run(cohorts):
        for _, outcomes in ended:
            by_trial |= {outcome.trial: outcome for outcome in outcomes}
    return by_trial


def rows(by_trial: dict[str, Outcome]) -> dict[str, tuple[Any, ...]]:
    return {
        trial: (
            outcome.status,
            outcome.updates,
            outcome.examples,
            outcome.diverged_at_update,
            repr(outcome.test_loss),
            repr(outcome.test_metric),
            outcome.curve.tobytes(),
        )
        for trial, outcome in by_trial.items()
    }


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_backends_give_the_same_rows_to_the_byte(
    backend: str, executor_of: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = rows(run(SequentialExecutor(), workspace, train, monkeypatch))
    assert Counter(row[0] for row in expected.values()) == {"ok": 12, "diverged": 2}
    assert rows(run(executor_of(backend), workspace, train, monkeypatch)) == expected


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "work",
    [
        faults.divide,
        faults.recurse,
        faults.exit_politely,
        faults.return_unpicklable,
        faults.return_unreadable,
        faults.raise_unpicklable,
    ],
    ids=lambda work: work.__name__,
)
def test_what_goes_wrong_is_an_error_of_its_cohort_alone(
    work: Work,
    backend: str,
    executor_of: Any,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_trial = run(executor_of(backend), workspace, work, monkeypatch)
    _check(by_trial, "error", {trial.identity for trial in COHORTS[2].trials})
    assert all(o.error.startswith("Traceback") for o in by_trial.values() if o.status == "error")


@pytest.mark.parametrize("backend", BACKENDS)
def test_blas_has_one_thread_on_every_backend(
    backend: str, workspace: Workspace, executor_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_trial = run(executor_of(backend), workspace, faults.need_one_thread, monkeypatch)
    assert {outcome.status for outcome in by_trial.values()} == {"ok", "diverged"}


def _check(by_trial: dict[str, Outcome], status: str, guilty: set[str]) -> None:
    assert by_trial.keys() == {trial.identity for members in COHORTS for trial in members.trials}
    assert {trial for trial, outcome in by_trial.items() if outcome.status == status} == guilty
    assert {o.status for t, o in by_trial.items() if t not in guilty} == {"ok", "diverged"}


@pytest.mark.parametrize("backend", ISOLATING)
@pytest.mark.parametrize(
    ("work", "how"),
    [(faults.kill, "SIGKILL"), (faults.crash, "SIGSEGV"), (faults.leave, "exit code 0")],
)
def test_a_trial_that_ends_its_process_is_crashed_and_the_rest_finishes(
    work: Work,
    how: str,
    backend: str,
    executor_of: Any,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_trial = run(executor_of(backend), workspace, work, monkeypatch)
    guilty = {t.identity for t in COHORTS[2].trials if t.learning_rate == POISON}
    _check(by_trial, "crashed", guilty)
    for trial in guilty:
        first = by_trial[trial].error.splitlines()[0]
        assert first == f"It ended its process 3 times, the last time by {how}"


@pytest.mark.parametrize("backend", ISOLATING)
def test_who_died_of_a_neighbour_is_not_blamed(
    backend: str, executor_of: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = rows(run(SequentialExecutor(), workspace, train, monkeypatch))
    by_trial = run(executor_of(backend), workspace, faults.kill_in_company, monkeypatch)
    assert rows(by_trial) == expected


@pytest.mark.parametrize("backend", ISOLATING)
def test_a_trial_that_never_ends_is_a_timeout_and_the_rest_finishes(
    backend: str, executor_of: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Workers have their own copy: the limit travels with the task, this part of it does not.
    monkeypatch.setattr("sweeps.worker.tasks.HARD_SECONDS", 0.5)
    monkeypatch.setattr("sweeps.worker.tasks.HARD_FACTOR", 1.0)
    cohorts = [cohort(POISON, seeds=(1,)), cohort(0.1)]
    executor = executor_of(backend)
    by_trial = run(executor, workspace, faults.hang_in_company, monkeypatch, 0.2, cohorts)
    assert Counter(outcome.status for outcome in by_trial.values()) == {"ok": 3}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_trial_that_takes_too_long_is_a_timeout_on_every_backend(
    backend: str, executor_of: Any, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohorts = [cohort(0.1, seeds=(1,), budget=Budget(epochs=3000)), cohort(0.1)]
    by_trial = run(executor_of(backend), workspace, train, monkeypatch, 0.1, cohorts)
    assert Counter(outcome.status for outcome in by_trial.values()) == {"ok": 2, "timeout": 1}


def pid_of(number: int, workspace: Workspace) -> int:
    """Return the process in which a task has begun, once it has."""
    while True:
        begun = dict(line.split() for line in workspace.started.read_text().splitlines())
        if str(number) in begun:
            return int(begun[str(number)])
        time.sleep(0.05)


def test_what_has_ended_is_not_lost_with_its_pool(workspace: Workspace) -> None:
    # joblib.Parallel would lose the first cohort: it had ended, but nobody had asked for it.
    executor = LokyExecutor(2, workspace)
    tasks = [Task(next(_numbers), members, workspace) for members in (COHORTS[0], cohort(POISON))]
    try:
        executor.submit(train, tasks[0])
        concurrent.futures.wait(executor.held)
        executor.submit(faults.kill, tasks[1])
        concurrent.futures.wait(executor.held)
        reports = {task.number: report for task, report in executor.wait(5.0)}
    finally:
        executor.close()
    assert isinstance(reports[tasks[0].number], list)
    assert reports[tasks[1].number] == Death()


def test_half_a_result_in_the_pipe_does_not_stop_everything(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = LokyExecutor(2, workspace)
    try:
        by_trial = run(executor, workspace, faults.jam, monkeypatch)
    finally:
        executor.close()
    assert {outcome.status for outcome in by_trial.values()} == {"ok", "diverged"}


def test_a_jammed_pool_can_be_closed(workspace: Workspace) -> None:
    executor = LokyExecutor(1, workspace)
    number = next(_numbers)
    executor.submit(faults.jam, Task(number, cohort(POISON), workspace))
    state = Path(f"/proc/{pid_of(number, workspace)}/stat")
    while state.read_text().split()[2] != "Z":
        time.sleep(0.05)
    executor.close()
    executor.close()


def test_a_frozen_worker_is_killed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeps.worker.tasks.HARD_SECONDS", 1.0)
    executor = LokyExecutor(1, workspace)
    task = Task(next(_numbers), cohort(POISON), workspace, trial_seconds=0.01)
    try:
        executor.submit(faults.freeze, task)
        reports = []
        while not reports:
            reports = executor.wait(0.2)
    finally:
        executor.close()
    assert reports[0][1] == Death()


def test_a_worker_that_ends_before_it_is_killed_is_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweeps.worker.tasks.HARD_SECONDS", -1.0)
    workspace = Workspace(tmp_path)
    workspace.open()
    workspace.started.write_text("1 4194305\n2 419")
    executor = LokyExecutor(1, workspace)
    executor.held[concurrent.futures.Future()] = Task(1, cohort(0.1), workspace, trial_seconds=0.0)
    assert executor.wait(0.01) == []
    executor.close()


def test_a_pool_that_has_broken_unnoticed_is_a_death(workspace: Workspace) -> None:
    executor = LokyExecutor(1, workspace)
    number = next(_numbers)
    try:
        executor.submit(faults.kill, Task(number, cohort(POISON), workspace))
        concurrent.futures.wait(executor.held)
        executor.submit(train, Task(number + 1, cohort(0.1), workspace))
        reports = {task.number: report for task, report in executor.wait(5.0)}
    finally:
        executor.close()
    assert reports == {number: Death(), number + 1: Death(began=False)}


def test_workers_that_cannot_start_end_the_run(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "_start_worker", faults.refuse_to_start)
    executor = LokyExecutor(1, workspace)
    with pytest.raises(EnvironmentFailedError) as refused:
        run(executor, workspace, train, monkeypatch)
    executor.close()
    assert str(refused.value).startswith("Workers died 3 times in a row before they could begin")


def _refuse_threads(name: str, patch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith(name):
            raise RuntimeError("can't start new thread")
        start(thread)

    patch.setattr(threading.Thread, "start", refuse)


def _workers() -> set[psutil.Process]:
    children = psutil.Process().children()
    return {child for child in children if "popen_loky" in " ".join(child.cmdline())}


@pytest.mark.parametrize("name", ["QueueFeederThread", "ExecutorManagerThread"])
def test_a_pool_without_its_threads_ends_the_run_and_leaves_no_worker(
    name: str,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hook, before = threading.excepthook, _workers()
    executor = LokyExecutor(2, workspace)
    _refuse_threads(name, monkeypatch)
    with pytest.raises(EnvironmentFailedError) as refused:
        run(executor, workspace, train, monkeypatch)
    executor.close()
    assert str(refused.value).startswith(
        "Workers can't be started: can't start new thread. Limits "
    )
    assert "`ulimit -n`" in str(refused.value)
    assert capfd.readouterr() == ("", "")
    assert threading.excepthook is hook
    assert _workers() <= before


def test_threads_that_cannot_start_end_the_run(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = ThreadingExecutor(1)
    _refuse_threads("ThreadPoolExecutor", monkeypatch)
    with pytest.raises(EnvironmentFailedError) as refused:
        executor.submit(train, Task(1, COHORTS[0], workspace))
    executor.close()
    assert str(refused.value).startswith(
        "Workers can't be started: can't start new thread. Limits "
    )


def test_a_failure_of_another_thread_is_told_as_ever(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: failures.append(str(args.exc_value)))
    executor = LokyExecutor(1, workspace)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    executor.close()
    assert failures == ["division by zero"]


def test_a_system_that_refuses_workers_is_told_with_a_way_out(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_keys: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(executors.loky, "ProcessPoolExecutor", refuse)
    monkeypatch.setattr("sweeps.worker.processes.limits", lambda: "7 pigeons")
    executor = LokyExecutor(1, workspace)
    with pytest.raises(EnvironmentFailedError) as refused:
        executor.submit(train, Task(next(_numbers), COHORTS[0], workspace))
    executor.close()
    for part in ("No space left on device", "7 pigeons", "--backend sequential", KEPT):
        assert part in str(refused.value)


def test_a_bug_of_the_pool_is_no_refusal(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors.loky, "ProcessPoolExecutor", faults.divide)
    executor = LokyExecutor(1, workspace)
    with pytest.raises(TypeError):
        executor.submit(train, Task(next(_numbers), COHORTS[0], workspace))
    executor.close()


def test_what_dying_workers_write_is_the_reason_and_not_on_the_terminal(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(executors, "_start_worker", faults.fail_to_start)
    # Where there is no place for a file, a worker's words are lost, and nothing else.
    executor = LokyExecutor(2, workspace)
    with pytest.raises(EnvironmentFailedError) as refused:
        run(executor, workspace, train, monkeypatch)
    executor.close()
    assert "before they could begin: RuntimeError: no way to start. " in str(refused.value)
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr("tempfile.TemporaryFile", faults.refuse_file)
    executor = LokyExecutor(1, workspace)
    with pytest.raises(EnvironmentFailedError) as refused:
        run(executor, workspace, train, monkeypatch)
    executor.close()
    assert "before they could begin. Every trial" in str(refused.value)


@pytest.mark.parametrize("apart", [False, True])
def test_code_that_changes_while_it_runs_ends_the_run(apart: bool, workspace: Workspace) -> None:
    # A process that starts later has the new code.
    executor = LokyExecutor(1, workspace)
    task = Task(next(_numbers), COHORTS[0], workspace, apart=apart, versions="numpy 99")
    executor.submit(train, task)
    concurrent.futures.wait(executor.held)
    with pytest.raises(EnvironmentFailedError) as refused:
        executor.wait(1.0)
    executor.close()
    assert f"a new process has {versions()}, but this one has numpy 99." in str(refused.value)


def test_who_began_is_not_known_without_the_workspace(tmp_path: Path) -> None:
    # Whoever may have begun is to run apart: a trial that kills would else run again for ever.
    workspace = Workspace(tmp_path / "work")
    workspace.open()
    executor = LokyExecutor(1, workspace)
    task = Task(next(_numbers), cohort(POISON), workspace, trial_seconds=60.0)
    shutil.rmtree(workspace.folder)
    try:
        executor.submit(faults.kill, task)
        while not (reports := executor.wait(0.2)):
            pass
    finally:
        executor.close()
    assert reports == [(task, Death())]


def test_closing_kills_what_runs(workspace: Workspace) -> None:
    executor = LokyExecutor(1, workspace)
    number = next(_numbers)
    executor.submit(faults.hang, Task(number, cohort(POISON), workspace))
    pid = pid_of(number, workspace)
    executor.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_closing_stops_threads_at_their_next_cut(workspace: Workspace) -> None:
    before = _pool_threads()
    executor = ThreadingExecutor(1)
    endless = cohort(0.1, budget=Budget(updates=10**6))
    for number in (1, 2):
        executor.submit(train, Task(number, endless, workspace))
    time.sleep(0.2)
    started = time.monotonic()
    executor.close()
    assert time.monotonic() - started < 10
    assert _pool_threads() == before


def _pool_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]


def test_ctrl_c_ends_a_task_in_this_process(workspace: Workspace) -> None:
    executor = SequentialExecutor()
    executor.submit(_interrupt, Task(1, cohort(0.1), workspace))
    executor.submit(_interrupt, Task(2, cohort(0.1), workspace))
    with pytest.raises(KeyboardInterrupt):
        executor.wait(1.0)
    executor.close()


def _interrupt(_task: Task) -> list[Outcome]:
    os.kill(os.getpid(), signal.SIGINT)
    return []


def test_workers_don_t_hear_ctrl_c(workspace: Workspace) -> None:
    executor = LokyExecutor(1, workspace)
    try:
        executor.submit(_interrupt, Task(1, cohort(0.1), workspace))
        assert executor.wait(10.0)[0][1] == []
    finally:
        executor.close()


def test_tasks_find_the_work_of_tests() -> None:
    assert Path(faults.__file__).parent == Path(__file__).parents[2] / "helpers"


def test_a_worker_starts_limited_and_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    monkeypatch.setattr(executors.loky, "_USE_PSUTIL", True)
    monkeypatch.setattr(executors, "start_worker", done.append)
    monkeypatch.setattr(executors, "limit_blas", lambda: done.append("limited"))
    executors._start_worker(17)  # noqa: SLF001
    assert done == [17, "limited"]
    assert not executors.loky._USE_PSUTIL  # noqa: SLF001


KINDS = {"loky": LokyExecutor, "threading": ThreadingExecutor, "sequential": SequentialExecutor}


@pytest.mark.quick
@pytest.mark.parametrize("backend", KINDS)
def test_a_name_gives_its_executor(backend: str, tmp_path: Path) -> None:
    with opened(backend, 3, Workspace(tmp_path)) as executor:
        assert type(executor) is KINDS[backend]
        assert executor.slots == (1 if backend == "sequential" else 3)


@pytest.mark.quick
def test_an_executor_is_closed_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(SequentialExecutor, "close", lambda _self: closed.append("closed"))
    with pytest.raises(ZeroDivisionError), opened("sequential", 1, Workspace(tmp_path)):
        _ = 1 / 0
    assert closed == ["closed"]


@pytest.mark.quick
def test_jobs_are_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "available_cores", lambda: 7)
    for backend in ("loky", "threading", "dask"):
        assert jobs_of(backend, -1, None) == 7
        assert jobs_of(backend, 3, None) == 3
    assert jobs_of("sequential", -1, None) == jobs_of("sequential", 1, None) == 1
    assert jobs_of("dask", -1, "tcp://here:1") == 7


@pytest.mark.quick
@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (("lokey", 1, None), ", ".join(BACKENDS)),
        (("lokey", 1, None), "Did you mean 'loky'?"),
        (("loky", 1, "tcp://here:1"), "`backend` is loky"),
        (("loky", 0, None), "at least 1, or -1 for all cores, but is 0"),
        (("loky", -2, None), "but is -2"),
        (("loky", 10**4, None), "at most 56, 8 for each core, but is 10000"),
        (("sequential", 2, None), "`jobs` is 2"),
    ],
)
def test_what_does_not_go_together_is_refused(
    asked: tuple[str, int, str | None], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "available_cores", lambda: 7)
    with pytest.raises(UsageError, match=re.escape(text)):
        jobs_of(*asked)
