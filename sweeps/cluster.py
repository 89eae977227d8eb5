"""Tasks on a Dask cluster: the way past one machine."""

from __future__ import annotations

import logging
import queue
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import Any

import dask
from distributed import Client, Future, KilledWorker, LocalCluster, get_worker

from bpengine import NUMERICS_VERSION
from sweeps.apart import perform_apart
from sweeps.errors import EnvironmentFailedError
from sweeps.executors import is_overdue
from sweeps.processes import unreachable_by_ctrl_c
from sweeps.tasks import Death, Report, Task, Work, perform, received
from sweeps.worker import limit_blas

PATIENCE_SECONDS = 30.0
"""How long a scheduler may be silent or without workers before it is given up."""

LOOK_SECONDS = 1.0
"""How often the cluster's workers are counted."""

RESTART_SECONDS = 5.0
"""How long a worker that is to be restarted may go on before it is killed."""

_TOPIC = "bpsweep-began"


class DaskExecutor:
    """Runs tasks on the workers of a Dask cluster, by direct futures.

    Args:
        client: A client of its scheduler.

    Attributes:
        slots: The workers' threads, whose number may change; 1 if there are none at the moment.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._held: dict[Future[bytes], Task] = {}
        self._ended: queue.SimpleQueue[Future[bytes]] = queue.SimpleQueue()
        self._begun: dict[int, tuple[str, float]] = {}
        self._name = f"{_TOPIC}-{id(client)}-{time.time_ns()}"
        self._looked = self._seen = time.monotonic()
        self.slots = self._count_threads()
        client.subscribe_topic(self._name, self._note)

    def submit(self, work: Work, task: Task) -> None:
        """Send a task to the scheduler."""
        key = f"{self._name}-{task.number}"
        future = self._client.submit(
            _perform, work, task, self._name, key=key, pure=False, retries=0
        )
        self._held[future] = task
        future.add_done_callback(self._ended.put)

    def wait(self, seconds: float) -> list[tuple[Task, Report]]:
        """Return the tasks that have ended."""
        self._look()
        ended = self._kill_overdue()
        with suppress(queue.Empty):
            future = self._ended.get(timeout=0 if ended else seconds)
            while True:
                task = self._held.pop(future, None)
                if task:
                    ended.append((task, self._report(future, task)))
                future = self._ended.get_nowait()
        return ended

    def close(self) -> None:
        """Take back every task; those that run are left to end."""
        self._client.cancel(list(self._held), force=True)

    def _report(self, future: Future[bytes], task: Task) -> Report:
        if future.status == "cancelled":
            return Death(began=False)
        try:
            found = self._result(future)
        except KilledWorker:
            return Death()
        except Exception as error:  # noqa: BLE001 - whatever a worker can't do
            raise EnvironmentFailedError(
                f"A worker of the cluster can't run trials: {type(error).__name__}: {error}"
            ) from None
        return Death(began=False) if found is None else received(found, task)

    def _result(self, future: Future[bytes]) -> bytes | None:
        """Return what a task gave, or None if that was lost with the worker that held it."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return future.result(timeout=LOOK_SECONDS)
            except TimeoutError:
                if future.status != "finished":
                    future.cancel(force=True)
                    return None
                if time.monotonic() > until:
                    raise

    def _note(self, event: tuple[float, Any]) -> None:
        number, address = event[1]
        self._begun[number] = (address, time.monotonic())

    def _kill_overdue(self) -> list[tuple[Task, Report]]:
        ended: list[tuple[Task, Report]] = []
        for future, task in list(self._held.items()):
            address, since = self._begun.get(task.number, ("", time.monotonic()))
            if is_overdue(task, since) and not task.apart:
                del self._held[future]
                future.cancel(force=True)
                self._client.restart_workers(
                    [address], timeout=RESTART_SECONDS, raise_for_error=False
                )
                ended.append((task, Death("no end", overdue=True)))
        return ended

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        threads = self._count_threads()
        if threads:
            self._seen, self.slots = now, threads
        elif now - self._seen > PATIENCE_SECONDS:
            raise EnvironmentFailedError(
                f"The Dask scheduler has had no worker for {PATIENCE_SECONDS:g} s, or does not "
                "answer. Every trial that had ended is kept: run the same command again to go on."
            )

    def _count_threads(self) -> int:
        with suppress(OSError, TimeoutError, ValueError):
            if self._client.status == "running":
                return sum(self._client.nthreads().values())
        return 0


def _perform(work: Work, task: Task, topic: str) -> bytes:
    limit_blas()
    worker = get_worker()
    worker.log_event(topic, (task.number, worker.address))
    return perform_apart(work, task) if task.apart else perform(work, task)


@contextmanager
def connected(scheduler: str | None, jobs: int) -> Iterator[DaskExecutor]:
    """Connect to a cluster, or make one on this machine, and check that it can run trials.

    Args:
        scheduler: Address of a scheduler, such as `tcp://10.0.0.1:8786`; None for a cluster of
            one's own.
        jobs: Worker processes of a cluster of one's own.

    Yields:
        The executor.

    Raises:
        EnvironmentFailedError: Nobody answers, there is no worker, or the workers have other
            versions.
    """
    with _client(scheduler, jobs) as client:
        _check(client, without_user(scheduler, scheduler) if scheduler else "The local cluster")
        executor = DaskExecutor(client)
        try:
            yield executor
        finally:
            executor.close()


def without_user(text: str, address: str) -> str:
    """Return a text about an address without the name and the password that may stand in it.

    Args:
        text: Names the address, or a part of it.
        address: Such as `tls://user:password@10.0.0.1:8786`.

    Example:
        >>> without_user("user:password@10.0.0.1 is silent.", "tls://user:password@10.0.0.1")
        '10.0.0.1 is silent.'
    """
    user = re.search(r"//(.*@)", address)
    return text.replace(user[1], "") if user else text


@contextmanager
def _client(scheduler: str | None, jobs: int) -> Iterator[Client]:
    if scheduler is None:
        with _local_cluster(jobs) as cluster, Client(cluster) as client:
            yield client
        return
    try:
        client = Client(scheduler, timeout=PATIENCE_SECONDS)
    except (OSError, ValueError) as error:
        text = f"No Dask scheduler answers at {scheduler}: {error}"
        raise EnvironmentFailedError(without_user(text, scheduler)) from None
    with client:
        yield client


@contextmanager
def _local_cluster(jobs: int) -> Iterator[LocalCluster]:
    # A task that ends its worker is tried again apart by us, not on three more workers by Dask.
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        unreachable_by_ctrl_c(),
    ):
        cluster = LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
    with cluster:
        yield cluster


def _check(client: Client, name: str) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
        found = client.run(versions)
    except TimeoutError:
        raise EnvironmentFailedError(
            f"{name} has no worker. Start one with `dask worker {name} --nthreads 1`."
        ) from None
    except Exception as error:  # noqa: BLE001 - whatever a worker can't do
        raise EnvironmentFailedError(
            f"{name} has workers that can't run trials: {type(error).__name__}: {error}. Install "
            "the same bpsweep there."
        ) from None
    ours = versions()
    for address, theirs in found.items():
        if theirs != ours:
            raise EnvironmentFailedError(
                f"The worker at {address} has {theirs}, but here is {ours}. Install the same "
                "versions: results would differ."
            )


def versions() -> str:
    """Return what must be the same wherever trials of one study run."""
    return f"bpsweep {version('bpsweep')}, numerics {NUMERICS_VERSION}, numpy {version('numpy')}"
