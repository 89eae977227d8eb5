"""One suite for all executors: the same rows to the byte, the same failures; and what is loky's."""

from __future__ import annotations

import concurrent.futures
import errno
import itertools
import os
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import faults
import psutil
import pytest
from faults import POISON, cohort, made
from joblib.externals.loky import process_executor
from refused import refusal, states

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


Run = Callable[..., dict[str, Outcome]]


@pytest.fixture
def run(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs cohorts by an executor and gives the outcome of each trial."""

    def run_cohorts(
        executor: Executor,
        work: Work,
        trial_seconds: float | None = None,
        cohorts: list[Cohort] = COHORTS,
    ) -> dict[str, Outcome]:
        monkeypatch.setattr(scheduler, "train", work)
        sent = Dispatch(executor, workspace, trial_seconds)
        # A study has one dispatch for each stage and one workspace: numbers go on.
        monkeypatch.setattr(sent, "_numbers", iter(range(next(_numbers), 10**9)))
        ended = itertools.chain.from_iterable(sent.run(cohorts))
        return {outcome.trial: outcome for _, outcomes in ended for outcome in outcomes}

    return run_cohorts


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
    backend: str, executor_of: Any, run: Run
) -> None:
    expected = rows(run(SequentialExecutor(), train))
    assert Counter(row[0] for row in expected.values()) == {"ok": 12, "diverged": 2}
    assert rows(run(executor_of(backend), train)) == expected


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
    work: Work, backend: str, executor_of: Any, run: Run
) -> None:
    by_trial = run(executor_of(backend), work)
    _check(by_trial, "error", {trial.identity for trial in COHORTS[2].trials})
    assert all(o.error.startswith("Traceback") for o in by_trial.values() if o.status == "error")


@pytest.mark.parametrize("backend", BACKENDS)
def test_blas_has_one_thread_on_every_backend(backend: str, executor_of: Any, run: Run) -> None:
    by_trial = run(executor_of(backend), faults.need_one_thread)
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
    work: Work, how: str, backend: str, executor_of: Any, run: Run
) -> None:
    by_trial = run(executor_of(backend), work)
    guilty = {t.identity for t in COHORTS[2].trials if t.learning_rate == POISON}
    _check(by_trial, "crashed", guilty)
    for trial in guilty:
        first = by_trial[trial].error.splitlines()[0]
        assert first == f"It ended its process 3 times, the last time by {how}"


@pytest.mark.parametrize("backend", ISOLATING)
def test_who_died_of_a_neighbour_is_not_blamed(backend: str, executor_of: Any, run: Run) -> None:
    expected = rows(run(SequentialExecutor(), train))
    assert rows(run(executor_of(backend), faults.kill_in_company)) == expected


@pytest.mark.parametrize("backend", ISOLATING)
def test_a_trial_that_never_ends_is_a_timeout_and_the_rest_finishes(
    backend: str, executor_of: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Workers have their own copy: the limit travels with the task, this part of it does not.
    monkeypatch.setattr("sweeps.worker.tasks.HARD_SECONDS", 0.5)
    monkeypatch.setattr("sweeps.worker.tasks.HARD_FACTOR", 1.0)
    cohorts = [cohort(POISON, seeds=(1,)), cohort(0.1)]
    by_trial = run(executor_of(backend), faults.hang_in_company, 0.2, cohorts)
    assert Counter(outcome.status for outcome in by_trial.values()) == {"ok": 3}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_trial_that_takes_too_long_is_a_timeout_on_every_backend(
    backend: str, executor_of: Any, run: Run
) -> None:
    cohorts = [cohort(0.1, seeds=(1,), budget=Budget(epochs=3000)), cohort(0.1)]
    by_trial = run(executor_of(backend), train, 0.1, cohorts)
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
    tasks = [Task(next(_numbers), members, workspace) for members in (COHORTS[0], cohort(POISON))]
    with closing(LokyExecutor(2, workspace)) as executor:
        for work, task in zip((train, faults.kill), tasks, strict=True):
            executor.submit(work, task)
            concurrent.futures.wait(executor.held)
        reports = {task.number: report for task, report in executor.wait(5.0)}
    assert isinstance(reports[tasks[0].number], list)
    assert reports[tasks[1].number] == Death()


def test_half_a_result_in_the_pipe_does_not_stop_everything(workspace: Workspace, run: Run) -> None:
    with closing(LokyExecutor(2, workspace)) as executor:
        by_trial = run(executor, faults.jam)
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
    task = Task(next(_numbers), cohort(POISON), workspace, trial_seconds=0.01)
    with closing(LokyExecutor(1, workspace)) as executor:
        executor.submit(faults.freeze, task)
        while not (reports := executor.wait(0.2)):
            pass
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
    number = next(_numbers)
    with closing(LokyExecutor(1, workspace)) as executor:
        executor.submit(faults.kill, Task(number, cohort(POISON), workspace))
        concurrent.futures.wait(executor.held)
        executor.submit(train, Task(number + 1, cohort(0.1), workspace))
        reports = {task.number: report for task, report in executor.wait(5.0)}
    assert reports == {number: Death(), number + 1: Death(began=False)}


def test_workers_that_cannot_start_end_the_run(
    workspace: Workspace, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "_start_worker", faults.refuse_to_start)
    with closing(LokyExecutor(1, workspace)) as executor:
        text = refusal(run, executor, train, error=EnvironmentFailedError)
    states(text, "died 3 times in a row before they could begin")


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
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hook, before = threading.excepthook, _workers()
    with closing(LokyExecutor(2, workspace)) as executor:
        _refuse_threads(name, monkeypatch)
        text = refusal(run, executor, train, error=EnvironmentFailedError)
    states(text, "can't start new thread", "`ulimit -n`")
    assert capfd.readouterr() == ("", "")
    assert threading.excepthook is hook
    assert _workers() <= before


def test_threads_that_cannot_start_end_the_run(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refuse_threads("ThreadPoolExecutor", monkeypatch)
    with closing(ThreadingExecutor(1)) as executor:
        task = Task(1, COHORTS[0], workspace)
        text = refusal(executor.submit, train, task, error=EnvironmentFailedError)
    states(text, "can't start new thread")


def test_a_failure_of_another_thread_is_reported_as_ever(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: failures.append(str(args.exc_value)))
    with closing(LokyExecutor(1, workspace)):
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    assert failures == ["division by zero"]


def test_a_system_that_refuses_workers_is_reported_with_a_way_out(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_keys: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(process_executor, "ProcessPoolExecutor", refuse)
    monkeypatch.setattr("sweeps.worker.processes.limits", lambda: "7 pigeons")
    task = Task(next(_numbers), COHORTS[0], workspace)
    with closing(LokyExecutor(1, workspace)) as executor:
        text = refusal(executor.submit, train, task, error=EnvironmentFailedError)
    states(text, "No space left on device", "7 pigeons", "--backend sequential", KEPT)


def test_a_bug_of_the_pool_is_no_refusal(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_executor, "ProcessPoolExecutor", faults.divide)
    with closing(LokyExecutor(1, workspace)) as executor, pytest.raises(TypeError):
        executor.submit(train, Task(next(_numbers), COHORTS[0], workspace))


def test_what_dying_workers_write_is_the_reason_and_not_on_the_terminal(
    workspace: Workspace,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(executors, "_start_worker", faults.fail_to_start)
    with closing(LokyExecutor(2, workspace)) as executor:
        text = refusal(run, executor, train, error=EnvironmentFailedError)
    states(text, "before they could begin: RuntimeError: no way to start")
    assert capfd.readouterr() == ("", "")
    # Where there is no room for a file, a worker's words are lost, and nothing else.
    monkeypatch.setattr("tempfile.TemporaryFile", faults.refuse_file)
    with closing(LokyExecutor(1, workspace)) as executor:
        text = refusal(run, executor, train, error=EnvironmentFailedError)
    states(text, "before they could begin. Every trial")


@pytest.mark.parametrize("apart", [False, True])
def test_code_that_changes_while_it_runs_ends_the_run(apart: bool, workspace: Workspace) -> None:
    # A process that starts later has the new code.
    task = Task(next(_numbers), COHORTS[0], workspace, apart=apart, versions="numpy 99")
    with closing(LokyExecutor(1, workspace)) as executor:
        executor.submit(train, task)
        concurrent.futures.wait(executor.held)
        text = refusal(executor.wait, 1.0, error=EnvironmentFailedError)
    states(text, versions(), "numpy 99")


def test_who_began_is_not_known_without_the_workspace(tmp_path: Path) -> None:
    # Whoever may have begun is to run apart: a trial that kills would else run again for ever.
    workspace = Workspace(tmp_path / "work")
    workspace.open()
    task = Task(next(_numbers), cohort(POISON), workspace, trial_seconds=60.0)
    with closing(LokyExecutor(1, workspace)) as executor:
        shutil.rmtree(workspace.folder)
        executor.submit(faults.kill, task)
        while not (reports := executor.wait(0.2)):
            pass
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
    with closing(SequentialExecutor()) as executor:
        for number in (1, 2):
            executor.submit(_interrupt, Task(number, cohort(0.1), workspace))
        with pytest.raises(KeyboardInterrupt):
            executor.wait(1.0)


def _interrupt(_task: Task) -> list[Outcome]:
    os.kill(os.getpid(), signal.SIGINT)
    return []


def test_workers_don_t_hear_ctrl_c(workspace: Workspace) -> None:
    with closing(LokyExecutor(1, workspace)) as executor:
        executor.submit(_interrupt, Task(1, cohort(0.1), workspace))
        assert executor.wait(60.0)[0][1] == []


def test_a_worker_starts_limited_and_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    monkeypatch.setattr(process_executor, "_USE_PSUTIL", True)
    monkeypatch.setattr(executors, "start_worker", done.append)
    monkeypatch.setattr(executors, "limit_blas", lambda: done.append("limited"))
    executors._start_worker(17)  # noqa: SLF001
    assert done == [17, "limited"]
    assert not process_executor._USE_PSUTIL  # noqa: SLF001


KINDS = {"loky": LokyExecutor, "threading": ThreadingExecutor, "sequential": SequentialExecutor}


@pytest.mark.quick
@pytest.mark.parametrize("backend", KINDS)
def test_a_name_gives_its_executor(backend: str, tmp_path: Path) -> None:
    with opened(backend, 3, Workspace(tmp_path)) as executor:
        assert type(executor) is KINDS[backend]
        assert executor.slots == (1 if backend == "sequential" else 3)


@pytest.mark.quick
def test_jobs_are_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "cpu_count", lambda: 7)
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
    monkeypatch.setattr(executors, "cpu_count", lambda: 7)
    states(refusal(jobs_of, *asked, error=UsageError), text)
