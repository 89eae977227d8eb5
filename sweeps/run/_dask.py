"""Tasks on a Dask cluster: the way past one machine."""

from __future__ import annotations

import logging
import queue
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, get_worker
from distributed.utils import silence_logging_cmgr

from sweeps.errors import KEPT, EnvironmentFailedError, tell
from sweeps.machine import versions
from sweeps.worker.isolated import perform_apart
from sweeps.worker.processes import diverted, file_or_nothing, not_startable, unreachable_by_ctrl_c
from sweeps.worker.tasks import Death, Mismatch, Report, Task, Work, packed, perform, received
from sweeps.worker.train import limit_blas

PATIENCE_SECONDS = 30.0
"""How long a scheduler may be silent or without workers before it is given up."""

LOOK_SECONDS = 1.0  # how often the cluster's workers are counted
SILENT_SECONDS = 10.0  # a worker that has not been heard of for so long is named
HAND_OVER_SECONDS = 60.0  # after so long its work is handed to others

TOGETHER_SECONDS, MOST_TOGETHER = 0.5, 32
"""Tasks travel together that take so long in sum, and no more of them than this: their messages
cost the driver several times what a short task costs otherwise. After twice the time what has not
begun comes back."""


class DaskExecutor:
    """Runs tasks on the workers of a Dask cluster; has as many slots as they have threads."""

    def __init__(self, client: Client, resources: Mapping[str, float]) -> None:
        self._client = client
        self._resources = dict(resources)
        self._held: dict[_Sent, list[Task]] = {}
        self._ended: queue.SimpleQueue[_Sent] = queue.SimpleQueue()
        self._name = f"bpsweep-{id(client)}-{time.time_ns()}"
        self._looked = self._seen = time.monotonic()
        self._heard = _Heard()
        self._refused: set[str] = set()
        self._usable = self._workers()
        self.slots = max(1, sum(worker["nthreads"] for worker in self._usable.values()))
        self._batch: _Batch = []  # is sent when it has `_size` tasks
        self._size = self._together = 1
        self._waiting = 0

    def room(self, waiting: int) -> int:
        """Return how many tasks it takes now: a batch for each thread that has none."""
        if waiting > self._waiting:
            # A stage begins with what takes longest: what the last one's end took says nothing.
            self._together = 1
        self._waiting = waiting
        # No thread has all that is left while others have nothing.
        share = -(-(waiting + len(self._batch)) // self.slots)
        self._size = max(1, min(share, self._together))
        return (self.slots - len(self._held)) * self._size - len(self._batch)

    def submit(self, work: Work, task: Task) -> None:
        """Send a task to the scheduler, with others if they are short."""
        if _is_killable(task):
            self._send()
        self._batch.append((work, task))
        if _is_killable(task) or len(self._batch) >= self._size:
            self._send()

    def _send(self) -> None:
        """Send the tasks that were taken."""
        if not self._batch:
            return
        batch, self._batch = self._batch, []
        tasks = [task for _, task in batch]
        key = f"{self._name}-{tasks[0].number}"
        # Others may come before they are known, so none is shut out but by the check of results.
        chosen = list(self._usable) if self._refused or self._heard.left else None
        try:
            future = self._client.submit(
                _perform,
                batch,
                key=key,
                pure=False,
                retries=0,
                resources=self._resources or None,
                workers=chosen,
                allow_other_workers=bool(chosen),
            )
        except Exception:
            if self._client.status == "running":
                raise
            raise EnvironmentFailedError(_gone()) from None
        self._held[future] = tasks
        future.add_done_callback(self._ended.put)

    def wait(self, seconds: float) -> list[tuple[Task, Report]]:
        """Return the tasks that have ended."""
        self._send()
        ended = self._look()
        with suppress(queue.Empty):
            future = self._ended.get(timeout=0 if ended else seconds)
            while True:
                tasks = self._held.pop(future, None)
                if tasks:
                    ended += zip(tasks, self._reports(future, tasks), strict=True)
                future = self._ended.get_nowait()
        return ended

    def close(self) -> None:
        """Take back every task; those that run are left to end."""
        # Where the scheduler is gone, so are its tasks: that is told elsewhere.
        with suppress(Exception):
            self._client.cancel(list(self._held), force=True)

    def _reports(self, future: _Sent, tasks: list[Task]) -> list[Report]:
        if future.status == "cancelled":
            return [Death(began=False) for _ in tasks]
        try:
            address, contents, seconds = future.result(timeout=PATIENCE_SECONDS)
        except TimeoutError:
            # It was lost with the worker that held it.
            future.cancel(force=True)
            return [Death(began=False) for _ in tasks]
        except KilledWorker:
            # Any may be to blame.
            return [Death() for _ in tasks]
        except Exception as error:  # noqa: BLE001 - whatever a worker can't do
            raise EnvironmentFailedError(
                f"A worker of the cluster can't run trials: {type(error).__name__}: {error}. "
                "Install the same bpsweep there."
            ) from None
        reports = list(map(received, contents, tasks))
        refused = [report for report in reports if isinstance(report, Mismatch)]
        if refused:
            self._refuse(address, refused[0])
        else:
            self._together = max(1, int(min(MOST_TOGETHER, TOGETHER_SECONDS / seconds)))
        return reports

    def _refuse(self, address: str, theirs: Mismatch) -> None:
        if address not in self._refused:
            self._refused.add(address)
            tell(
                f"note: The worker at {address} has {theirs.versions}, but here is {versions()}. "
                "Its results are refused."
            )
        self._usable = self._usable_of(self._workers())
        if not self._usable:
            raise EnvironmentFailedError(
                f"No worker is left that has {versions()}, as there is here: results would differ. "
                "Install the same versions and run the same command again to go on."
            )

    def _usable_of(self, workers: _Workers) -> _Workers:
        shut_out = self._refused | self._heard.left
        return {address: worker for address, worker in workers.items() if address not in shut_out}

    def _look(self) -> list[tuple[Task, Report]]:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return []
        self._looked = now
        workers = self._workers()
        ended = [
            report
            for address in self._heard.note(workers, now)
            for report in self._hand_over(address)
        ]
        self._usable = self._usable_of(workers)
        threads = sum(worker["nthreads"] for worker in self._usable.values())
        if threads:
            self._seen, self.slots = now, threads
        elif now - self._seen > PATIENCE_SECONDS:
            raise EnvironmentFailedError(_gone())
        return ended

    def _hand_over(self, address: str) -> list[tuple[Task, Report]]:
        """Take back what a worker has that is silent."""
        keys = set(self._client.processing([address]).get(address, ()))
        taken_back = [future for future in self._held if future.key in keys]
        for future in taken_back:
            future.cancel(force=True)
        # Any may be to blame, begun or not, but what runs apart.
        tasks = [task for future in taken_back for task in self._held.pop(future)]
        return [(task, Death(began=not task.apart)) for task in tasks]

    def _workers(self) -> _Workers:
        """Return the workers by address; none if the scheduler doesn't answer."""
        with suppress(OSError, TimeoutError, ValueError):
            if self._client.status == "running":
                return dict(self._client.scheduler_info(n_workers=-1)["workers"])
        return {}


_Batch = list[tuple[Work, Task]]
_Answer = tuple[str, list[bytes], float]
"""A worker's address, what each task of a batch gave, and the seconds one took in the mean."""
_Sent = Future[_Answer]
_Workers = dict[str, dict[str, Any]]


class _Heard:
    """When workers were heard of last, by our own clock."""

    def __init__(self) -> None:
        self.left: set[str] = set()  # those whose work was handed to others
        self._named: set[str] = set()
        self._last: dict[str, tuple[float, float]] = {}

    def note(self, workers: Mapping[str, Mapping[str, Any]], now: float) -> list[str]:
        """Note that they are there, and return those whose work is to be handed to others now."""
        given_up: list[str] = []
        for address, worker in workers.items():
            heard, since = self._last.get(address, (None, now))
            if heard != worker["last_seen"]:
                self._last[address] = (worker["last_seen"], now)
                self.left.discard(address)
                self._named.discard(address)
                continue
            silent = now - since
            note = f"note: The worker at {address} has been silent for {silent:.0f} s"
            if silent >= SILENT_SECONDS and address not in self._named:
                self._named.add(address)
                after = f"after {HAND_OVER_SECONDS:g} s"
                tell(f"{note}. If it still is {after}, its work is handed to others.")
            if silent >= HAND_OVER_SECONDS and address not in self.left:
                self.left.add(address)
                given_up.append(address)
                tell(f"{note}: its work is handed to others until it is heard of again.")
        return given_up


def _gone() -> str:
    silence = f"has had no worker for {PATIENCE_SECONDS:g} s, or does not answer"
    return f"The Dask scheduler {silence}. {KEPT} to go on."


def _is_killable(task: Task) -> bool:
    """Return whether a task needs its own process: its end would take with it what else runs."""
    return task.apart or task.hard_seconds is not None


def _perform(batch: _Batch) -> _Answer:
    limit_blas()
    began = time.perf_counter()
    contents: list[bytes] = []
    for work, task in batch:
        # Others may have become free, or the run may be about to end: the rest goes back.
        if contents and time.perf_counter() - began > 2 * TOGETHER_SECONDS:
            break
        do = perform_apart if _is_killable(task) else perform
        contents.append(do(work, task))
    seconds = (time.perf_counter() - began) / len(contents)
    contents += [packed(Death(began=False))] * (len(batch) - len(contents))
    return get_worker().address, contents, seconds


@contextmanager
def connected(
    scheduler: str | None, jobs: int, resources: Mapping[str, float]
) -> Iterator[DaskExecutor]:
    """Connect to a cluster that has workers, or make one of `jobs` processes."""
    with silence_logging_cmgr(logging.CRITICAL), ExitStack() as stack:
        if scheduler is None:
            client = Client(stack.enter_context(_local_cluster(jobs, resources)))
        else:
            client = _client(scheduler)
        stack.enter_context(client)
        try:
            client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
        except TimeoutError:
            name = without_user(scheduler, scheduler) if scheduler else "SCHEDULER"
            start = f"Start one with `dask worker {name} --nthreads 1`."
            raise EnvironmentFailedError(f"The cluster has no worker. {start}") from None
        with closing(DaskExecutor(client, resources)) as executor:
            yield executor


def without_user(text: str, address: str) -> str:
    """Return a text about an address without the name and the password that may be in it."""
    user = re.search(r"//(.*@)", address)
    return text.replace(user[1], "") if user else text


def _client(scheduler: str) -> Client:
    try:
        return Client(scheduler, timeout=PATIENCE_SECONDS)
    except (OSError, ValueError) as error:
        text = f"No Dask scheduler answers at {scheduler}: {error}"
        raise EnvironmentFailedError(without_user(text, scheduler)) from None


@contextmanager
def _local_cluster(jobs: int, resources: Mapping[str, float]) -> Iterator[LocalCluster]:
    # A task that ends its worker is tried again apart by us, not on three more workers by Dask.
    with file_or_nothing() as output:
        with (
            dask.config.set({"distributed.scheduler.allowed-failures": 0}),
            unreachable_by_ctrl_c(),
            diverted(output.fileno()),
        ):
            try:
                cluster = LocalCluster(
                    n_workers=jobs,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",  # or a second cluster warns of port 8787
                    scheduler_kwargs={"dashboard": False},
                    memory_limit=0,
                    resources=dict(resources),
                    silence_logs=logging.CRITICAL,
                )
            except Exception as error:  # noqa: BLE001 - Dask tells of what is short in many ways
                raise EnvironmentFailedError(not_startable(str(error))) from None
        with cluster:
            yield cluster
