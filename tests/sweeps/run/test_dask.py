"""A Dask cluster whose scheduler and workers are processes of their own."""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import faults
import pytest
from distributed import Client, KilledWorker
from faults import POISON, cohort, stable
from refused import entered, refusal, states

import sweeps
from sweeps.design.trials import Cohort
from sweeps.errors import EnvironmentFailedError
from sweeps.run import _dask as dask_backend
from sweeps.run import _scheduler as run_scheduler
from sweeps.run._dask import DaskExecutor, connected
from sweeps.run._executors import Executor, opened
from sweeps.run._scheduler import Dispatch
from sweeps.worker.tasks import Death, Mismatch, Task, Work, packed, received, train
from sweeps.worker.train import Outcome, failed
from sweeps.worker.workspace import Workspace

pytestmark = pytest.mark.slow


@contextmanager
def started(
    folder: Path, *arguments: str, path: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a part of a cluster from Dask's own command."""
    command = [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:]]
    paths = [str(folder) for folder in (path, Path(__file__).parents[2] / "helpers") if folder]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    with (folder / f"{arguments[0]}.log").open("ab") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def scheduler(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    file = folder / "scheduler.json"
    port = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    with started(folder, "scheduler", *port, "--scheduler-file", str(file)) as process:
        while not file.exists():
            time.sleep(0.05)
        while '"address"' not in (text := file.read_text()):
            time.sleep(0.05)
        yield text.split('"address": "')[1].split('"')[0], process


def worker(folder: Path, address: str, *options: str, path: Path | None = None) -> Any:
    one_thread = ("--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard")
    return started(folder, "worker", address, *one_thread, *options, path=path)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a scheduler with two workers."""
    folder = tmp_path_factory.mktemp("dask")
    with scheduler(folder) as (address, _), worker(folder, address), worker(folder, address):
        with Client(address) as client:
            client.wait_for_workers(2)
        yield address


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nobody for long."""
    monkeypatch.setattr(dask_backend, "PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr(dask_backend, "LOOK_SECONDS", 0.1)


unfit = functools.partial(refusal, error=EnvironmentFailedError)
COHORTS = [cohort(0.1, 0.2), cohort(POISON, seeds=(1,)), cohort(0.3, batch_size=4), cohort(0.4)]


def statuses(
    executor: Executor, workspace: Workspace, work: Work, cohorts: list[Cohort] = COHORTS
) -> Counter[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_scheduler, "train", work)
        return Counter(
            outcome.status
            for ended in Dispatch(executor, workspace).run(cohorts)
            for _, outcomes in ended
            for outcome in outcomes
        )


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        pytest.param(train, {"ok": 9}, marks=pytest.mark.quick, id="as they are"),
        pytest.param(faults.kill, {"ok": 8, "crashed": 1}, id="that one kills"),
        pytest.param(faults.kill_in_company, {"ok": 9}, id="that are killed from outside"),
    ],
)
def test_trials_run_on_workers_elsewhere(
    work: Work, expected: dict[str, int], address: str, workspace: Workspace
) -> None:
    with opened("dask", 1, workspace, address) as executor:
        assert executor.slots == 2
        assert statuses(executor, workspace, work) == expected


def test_two_clusters_of_ones_own_do_not_get_in_each_others_way(workspace: Workspace) -> None:
    with opened("dask", 1, workspace) as first, opened("dask", 1, workspace) as second:
        assert statuses(first, workspace, train) == statuses(second, workspace, train) == {"ok": 9}


def test_a_machine_without_the_study_s_folder_loads_data_itself(
    address: str, tmp_path: Path
) -> None:
    elsewhere = Workspace(tmp_path / "nowhere")
    with opened("dask", 1, elsewhere, address) as executor:
        assert statuses(executor, elsewhere, faults.load_made) == {"ok": 9}


def test_nobody_at_the_address_is_reported(impatient: None) -> None:
    assert impatient is None
    for wrong in ("tcp://127.0.0.1:9", "nonsense://x"):
        states(unfit(entered, connected(wrong, 1, {})), f"No Dask scheduler answers at {wrong}: ")


def test_a_scheduler_without_workers_is_reported(impatient: None, tmp_path: Path) -> None:
    assert impatient is None
    with scheduler(tmp_path) as (address, _):
        states(unfit(entered, connected(address, 1, {})), f"`dask worker {address} --nthreads 1`")


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """Return a folder with the product's code, one line of which is another."""
    for package in ("bpengine", "sweeps"):
        shutil.copytree(Path(sweeps.__file__).parents[1] / package, tmp_path / "code" / package)
    with (tmp_path / "code" / "bpengine" / "losses.py").open("a") as file:
        file.write("\n_CHANGED = True\n")
    return tmp_path / "code"


def test_a_worker_with_changed_code_that_comes_later_gives_nothing(
    changed: Path, tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    cohorts = [cohort(0.1 + number / 100) for number in range(8)]
    with (
        scheduler(tmp_path) as (address, _),
        worker(tmp_path, address),
        opened("dask", 1, workspace, address) as executor,
        worker(tmp_path, address, path=changed),
    ):
        with Client(address) as client:
            client.wait_for_workers(2)
        while executor.slots < 2:
            executor.wait(0.1)
        assert statuses(executor, workspace, train, cohorts) == {"ok": 16}
        assert executor.slots == 2 or executor.wait(2.0) == []
    # On a busy machine a worker may also be silent for long.
    (note,) = (note for note in capsys.readouterr().err.splitlines() if "refused" in note)
    assert note.startswith("note: The worker at tcp://127.0.0.1:")
    assert note.endswith(f" but here is {dask_backend.versions()}. Its results are refused.")


def test_without_a_worker_of_these_versions_the_run_ends(
    address: str, workspace: Workspace
) -> None:
    task = Task(1, cohort(0.1), workspace, versions="numpy 99")
    with connected(address, 1, {}) as executor:
        text = unfit(_run_refused, executor, task)
    states(text, f"No worker is left that has {dask_backend.versions()}, ")


def test_a_frozen_worker_is_named_and_its_work_is_handed_to_others(
    tmp_path: Path,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(dask_backend, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(dask_backend, "SILENT_SECONDS", 2.0)
    monkeypatch.setattr(dask_backend, "HAND_OVER_SECONDS", 4.0)
    cohorts = [cohort(POISON, seeds=(1,)), *(cohort(0.1 + n / 100) for n in range(4))]
    with (
        scheduler(tmp_path) as (address, _),
        worker(tmp_path, address, "--no-nanny"),
        worker(tmp_path, address, "--no-nanny"),
    ):
        with Client(address) as client:
            client.wait_for_workers(2)
        with opened("dask", 1, workspace, address) as executor:
            assert statuses(executor, workspace, faults.freeze_in_company, cohorts) == {"ok": 9}
    notes = capsys.readouterr().err
    states(notes, "after 4 s, its work is handed to others", "until it is heard of again")


def test_a_worker_that_is_heard_of_again_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr(dask_backend, "tell", notes.append)
    heard = dask_backend._Heard()  # noqa: SLF001
    for now in (0.0, 20.0, 70.0, 80.0):
        given_up = heard.note({"a": {"last_seen": 1.0}, "b": {"last_seen": now}}, now)
        assert given_up == (["a"] if now == 70 else [])
    assert heard.left == {"a"}
    for note, seconds in zip(notes, (20, 70), strict=True):
        states(note, "note: ", "worker at a", f"silent for {seconds} s")
    assert heard.note({"a": {"last_seen": 2.0}}, 81.0) == []
    assert heard.left == set()


def test_work_that_cannot_be_found_there_ends_the_run(address: str, workspace: Workspace) -> None:
    with opened("dask", 1, workspace, address) as executor:
        executor.submit(faults.Unreadable(), Task(1, cohort(0.1), workspace))  # type: ignore[arg-type]
        states(unfit(_wait, executor), "can't run trials: ", "Install the same bpsweep there.")


def _wait(executor: Executor) -> list[Any]:
    while not (reports := executor.wait(0.1)):
        pass
    return reports


def _run_refused(executor: Executor, task: Task) -> None:
    for number in itertools.count(task.number):
        executor.submit(train, replace(task, number=number))
        ((_, report),) = _wait(executor)
        assert isinstance(report, Mismatch)


def _wait_for_ever(executor: Executor, workspace: Workspace) -> None:
    for number in itertools.count(2):
        for task, _ in _wait(executor):
            executor.submit(faults.hang, Task(number, task.cohort, workspace))


def test_a_task_that_was_taken_back_has_not_begun(address: str, workspace: Workspace) -> None:
    with connected(address, 1, {}) as executor:
        task = Task(1, cohort(POISON), workspace)
        executor.submit(faults.hang_a_second, task)
        executor.close()
        assert _wait(executor) == [(task, Death(began=False))]


def test_a_result_that_was_lost_with_its_worker_is_made_again(
    address: str, workspace: Workspace
) -> None:
    lost = Mock(status="lost", **{"result.side_effect": TimeoutError})
    with connected(address, 1, {}) as executor:
        tasks = [Task(number, cohort(0.1), workspace) for number in (1, 2)]
        reports = executor._reports(lost, tasks)  # noqa: SLF001
    assert reports == [Death(began=False)] * 2
    lost.cancel.assert_called_once_with(force=True)


def test_workers_that_all_go_away_end_the_run(
    impatient: None, tmp_path: Path, workspace: Workspace
) -> None:
    assert impatient is None
    with scheduler(tmp_path) as (address, _):
        dask_backend.PATIENCE_SECONDS, patience = 20.0, dask_backend.PATIENCE_SECONDS
        with worker(tmp_path, address, "--no-nanny") as only, connected(address, 1, {}) as executor:
            dask_backend.PATIENCE_SECONDS = patience
            executor.submit(faults.hang, Task(1, cohort(POISON), workspace))
            os.killpg(only.pid, signal.SIGKILL)
            states(unfit(_wait, executor), "has had no worker for 1 s")


def test_a_scheduler_that_goes_away_ends_the_run(
    impatient: None, tmp_path: Path, workspace: Workspace
) -> None:
    assert impatient is None
    with scheduler(tmp_path) as (address, process), worker(tmp_path, address):
        dask_backend.PATIENCE_SECONDS, patience = 20.0, dask_backend.PATIENCE_SECONDS
        with connected(address, 1, {}) as executor:
            dask_backend.PATIENCE_SECONDS = patience
            executor.submit(faults.hang, Task(1, cohort(POISON), workspace))
            os.killpg(process.pid, signal.SIGKILL)
            states(unfit(_wait_for_ever, executor, workspace), "does not answer")


def test_a_client_that_has_been_closed_is_reported_as_a_lost_scheduler(
    address: str, workspace: Workspace
) -> None:
    # As Dask does when it can't connect again.
    with connected(address, 1, {}) as executor:
        executor.submit(train, Task(1, cohort(0.1), workspace))
        executor._client.close()  # noqa: SLF001
        text = unfit(executor.submit, train, Task(2, cohort(0.1), workspace))
    states(text, "does not answer")


def test_without_dask_the_remedy_is_reported(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sweeps.run._dask", None)
    states(unfit(entered, opened("dask", 1, workspace)), "pip install 'bpsweep[dask]'")


@pytest.mark.parametrize("task", [{"apart": True}, {"trial_seconds": 9.0}, {}], ids=str)
def test_what_may_have_to_be_killed_has_its_own_process(
    task: dict[str, Any], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(dask_backend, "get_worker", lambda: SimpleNamespace(address="there"))
    monkeypatch.setattr(dask_backend, "limit_blas", lambda: done.append("limited"))
    monkeypatch.setattr(dask_backend, "perform", lambda *_: b"here")
    monkeypatch.setattr(dask_backend, "perform_apart", lambda *_: b"apart")
    batch = [(train, Task(7, cohort(0.1), workspace, **task))]
    address, contents, seconds = dask_backend._perform(batch)  # noqa: SLF001
    assert (address, contents) == ("there", [b"apart" if task else b"here"])
    assert seconds > 0
    assert done == ["limited"]


class Together:
    """In place of a client: workers that take a batch at once, and so long for each task."""

    status = "running"

    def __init__(self, seconds: float, threads: int = 2) -> None:
        self.seconds = seconds
        self.batches: list[list[Task]] = []
        self._threads = threads

    def scheduler_info(self, n_workers: int) -> dict[str, Any]:
        """Return the workers."""
        assert n_workers == -1
        return {"workers": {"there": {"nthreads": self._threads, "last_seen": time.time()}}}

    def submit(self, _perform: object, batch: list[tuple[Work, Task]], **_keys: object) -> Mock:
        """Take a batch and have its results."""
        self.batches.append([task for _, task in batch])
        contents = [packed(failed(task.cohort, "ok", "")) for _, task in batch]
        future = Mock(
            status="finished", **{"result.return_value": ("there", contents, self.seconds)}
        )
        future.add_done_callback = lambda callback: callback(future)
        return future

    @property
    def sizes(self) -> list[int]:
        """How many tasks travelled together."""
        return [len(batch) for batch in self.batches]


def run_together(client: Together, stages: list[list[Cohort]], **keys: float) -> list[int]:
    """Run stages and return how many trials ran each time that something had ended."""
    executor = DaskExecutor(client, {})  # type: ignore[arg-type]
    dispatch = Dispatch(executor, Workspace(Path("nowhere")), **keys)
    running = []
    for stage in stages:
        ended = []
        for done in dispatch.run(stage):
            running.append(dispatch.running)
            ended += [of for of, _ in done]
        assert sorted(map(repr, ended)) == sorted(map(repr, stage))
    return running


MANY = [cohort(0.1 + number / 1000) for number in range(200)]


def test_short_cohorts_travel_together_and_are_counted() -> None:
    client = Together(0.001)
    running = run_together(client, [MANY, MANY[:9]])
    # The first say how long they take; at the end each thread gets its share, in every stage.
    assert client.sizes == [1, 1, *[32] * 5, 19, 10, 5, 2, 1, 1, *[1, 1, 4, 2, 1]]
    assert [task.cohort for batch in client.batches for task in batch] == [*MANY, *MANY[:9]]
    assert running == [128, 128, 102, 30, 6, 2, 0, *[12, 2, 0]]


@pytest.mark.parametrize(("seconds", "size"), [(0.1, 5), (0.4, 1), (9.0, 1)])
def test_as_many_travel_together_as_take_half_a_second(seconds: float, size: int) -> None:
    client = Together(seconds)
    run_together(client, [MANY])
    assert max(client.sizes) == size


def test_whether_to_go_on_is_asked_for_each_cohort_of_a_batch() -> None:
    client, asked = Together(0.001), itertools.count()
    dispatch = Dispatch(DaskExecutor(client, {}), Workspace(Path("nowhere")))  # type: ignore[arg-type]
    fitting = set(MANY[::2])
    ended = list(dispatch.run(MANY, lambda: next(asked) > 3, fitting.__contains__))
    # A stop was asked for when the third round was on its way.
    assert client.sizes == [1, 1, 32, 32, 23, 8]
    assert sum(map(len, ended)) == sum(client.sizes)
    assert {task.cohort for batch in client.batches for task in batch} <= fitting


def test_what_has_its_own_process_travels_alone(workspace: Workspace) -> None:
    client = Together(0.001)
    run_together(client, [MANY], trial_seconds=9.0)
    assert client.sizes == [1] * 200
    client = Together(0.001, threads=3)
    executor = DaskExecutor(client, {})  # type: ignore[arg-type]
    for number in range(1, 6):
        assert executor.room(99) > 0
        executor.submit(train, Task(number, cohort(0.1), workspace, apart=number > 3))
        if number == 1:
            executor.wait(0.0)
    assert [[task.number for task in batch] for batch in client.batches] == [[1], [2, 3], [4], [5]]
    assert executor.room(99) == 0


def test_what_has_not_begun_of_a_batch_comes_back(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_backend, "TOGETHER_SECONDS", 0.1)
    monkeypatch.setattr(dask_backend, "get_worker", lambda: SimpleNamespace(address="there"))
    tasks = [Task(number, cohort(0.1), workspace) for number in range(4)]
    seconds = iter([0.0, 0.3, 9.0])
    batch = [(lambda task: time.sleep(next(seconds)) or [task.number], task) for task in tasks]
    _, contents, mean = dask_backend._perform(batch)  # noqa: SLF001
    reports = [received(content, task) for content, task in zip(contents, tasks, strict=True)]
    assert reports == [[0], [1], Death(began=False), Death(began=False)]
    assert 0.15 <= mean < 1.0


def test_any_of_a_batch_may_have_killed_its_worker(workspace: Workspace) -> None:
    executor = DaskExecutor(Together(0.001), {})  # type: ignore[arg-type]
    tasks = [Task(number, cohort(0.1), workspace) for number in range(3)]
    killed = Mock(status="error", **{"result.side_effect": KilledWorker("key", Mock(), 0)})
    assert executor._reports(killed, tasks) == [Death()] * 3  # noqa: SLF001


def rows(outcomes: list[Outcome]) -> dict[str, tuple[Any, ...]]:
    return {outcome.trial: stable([outcome])[0] for outcome in outcomes}


@pytest.mark.parametrize(
    ("work", "crashed"), [(faults.kill, {"crashed"}), (faults.kill_in_company, set())]
)
def test_a_worker_killed_in_the_midst_of_a_batch_costs_nobody_a_result(
    work: Work, crashed: set[str], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohorts = [*MANY[:12], cohort(POISON, seeds=(1,)), *MANY[12:24]]
    monkeypatch.setattr(dask_backend, "TOGETHER_SECONDS", 1e6)  # not in workers
    monkeypatch.setattr(dask_backend, "MOST_TOGETHER", 4)
    monkeypatch.setattr(run_scheduler, "train", work)
    batches: list[list[Task]] = []
    outcomes: list[Outcome] = []
    with opened("dask", 2, workspace) as executor:
        assert isinstance(executor, DaskExecutor)
        submit = executor._client.submit  # noqa: SLF001

        def noted(perform: Any, batch: list[tuple[Work, Task]], **keys: Any) -> Any:
            batches.append([task for _, task in batch])
            return submit(perform, batch, **keys)

        monkeypatch.setattr(executor._client, "submit", noted)  # noqa: SLF001
        for ended in Dispatch(executor, workspace).run(cohorts):
            outcomes += [outcome for _, of in ended for outcome in of]
    poisoned = next(batch for batch in batches if cohorts[12] in [task.cohort for task in batch])
    assert len(poisoned) > 1
    apart = [task.cohort for batch in batches for task in batch if task.apart]
    assert {id(task.cohort) for task in poisoned} == set(map(id, apart))
    assert len(outcomes) == 49
    got, guilty = rows(outcomes), cohorts[12].trials[0].identity
    calm = [outcome for planned in cohorts for outcome in train(Task(0, planned, workspace))]
    assert {trial for trial, row in got.items() if row != rows(calm)[trial]} == (
        {guilty} if crashed else set()
    )
    assert {o.status for o in outcomes if o.trial == guilty} == (crashed or {"ok"})
