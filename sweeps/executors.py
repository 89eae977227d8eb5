"""Where tasks run: in worker processes, in threads, in this process, or on a Dask cluster.

All give the same outcomes to the byte. loky and Dask survive what kills a worker.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from joblib.externals.loky import process_executor as loky

from sweeps.apart import perform_apart
from sweeps.errors import EnvironmentFailedError
from sweeps.processes import ONE_THREAD, start_worker, unreachable_by_ctrl_c
from sweeps.tasks import Death, Report, Task, Work, perform, received
from sweeps.worker import abandoned, limit_blas
from sweeps.workspace import Workspace

JAM_SECONDS = 1.0
"""A pool notices at once that a worker has died; if it has not after this, it is jammed."""


class Executor(Protocol):
    """Runs tasks.

    Attributes:
        slots: How many tasks run at once; it is not given more.
    """

    @property
    def slots(self) -> int:
        """How many tasks run at once; it is not given more."""

    def submit(self, work: Work, task: Task) -> None:
        """Take a task.

        Args:
            work: What to do with it.
            task: The task. One that is to run apart gets a process of its own.
        """

    def wait(self, seconds: float) -> list[tuple[Task, Report]]:
        """Return the tasks that have ended since, as soon as there is one.

        Args:
            seconds: How long to wait for one.

        Returns:
            Each with its outcomes, or with the death of the process it was in.

        Raises:
            EnvironmentFailedError: There is nothing left that tasks could run on.
        """

    def close(self) -> None:
        """End everything at once, whatever still runs."""


class SequentialExecutor:
    """Runs tasks in this thread, one after the other. What kills one kills this process."""

    slots = 1

    def __init__(self) -> None:
        self._held: deque[tuple[Work, Task]] = deque()

    def submit(self, work: Work, task: Task) -> None:
        """Take a task; it runs when it is waited for."""
        self._held.append((work, task))

    def wait(self, seconds: float) -> list[tuple[Task, Report]]:  # noqa: ARG002
        """Run the task that was taken first."""
        work, task = self._held.popleft()
        return [(task, received(perform(work, task), task))]

    def close(self) -> None:
        """Forget what was not begun."""
        self._held.clear()


class ThreadingExecutor:
    """Runs tasks in threads of this process. What kills one kills this process.

    Args:
        jobs: Threads.
    """

    def __init__(self, jobs: int) -> None:
        self.slots = jobs
        self._pool = ThreadPoolExecutor(jobs)
        self._held: dict[Future[bytes], Task] = {}

    def submit(self, work: Work, task: Task) -> None:
        """Start a task."""
        self._held[self._pool.submit(perform, work, task)] = task

    def wait(self, seconds: float) -> list[tuple[Task, Report]]:
        """Return the tasks that have ended."""
        done, _ = wait(self._held, seconds, FIRST_COMPLETED)
        ended = [(self._held.pop(future), future) for future in done]
        return [(task, received(future.result(), task)) for task, future in ended]

    def close(self) -> None:
        """Let every thread stop at its next cut."""
        abandoned.set()
        self._pool.shutdown(cancel_futures=True)
        abandoned.clear()


class LokyExecutor:
    """Runs tasks in worker processes, through joblib's loky.

    One process that dies takes its pool with it. Its siblings' tasks and its own are reported as
    dead, and the next task starts a new pool.

    Args:
        jobs: Worker processes.
        workspace: Where workers write down what they begin.

    Attributes:
        slots: The worker processes.
        held: The tasks that have not been returned, by their future.
    """

    def __init__(self, jobs: int, workspace: Workspace) -> None:
        self.slots = jobs
        self._begun = _Begun(workspace)
        self._pool: loky.ProcessPoolExecutor | None = None
        self.held: dict[Future[bytes], Task] = {}

    def submit(self, work: Work, task: Task) -> None:
        """Start a task, in a new pool if there is none.

        Raises:
            EnvironmentFailedError: Workers can't be started.
        """
        with unreachable_by_ctrl_c(), _told():
            if self._pool is None:
                self._pool = loky.ProcessPoolExecutor(
                    self.slots, initializer=_start_worker, initargs=(os.getpid(),), env=ONE_THREAD
                )
            try:
                future = self._pool.submit(perform_apart if task.apart else perform, work, task)
            except BrokenProcessPool as error:
                future = Future()
                future.set_exception(error)
        self.held[future] = task

    def wait(self, seconds: float) -> list[tuple[Task, Report]]:
        """Return the tasks that have ended, all of them if their pool has broken."""
        self._kill_overdue()
        done, _ = wait(self.held, seconds, FIRST_COMPLETED)
        if not done:
            self._end_stuck_pool()
        if any(_is_broken(future) for future in done):
            done, _ = wait(self.held)
            self.close()
        ended = [(self.held.pop(future), future) for future in done]
        return [(task, self._report(task, future)) for task, future in ended]

    def close(self) -> None:
        """Kill the workers."""
        if self._pool:
            if self._has_dead() and wait(self.held, JAM_SECONDS).not_done:
                self._unjam()
            self._pool.shutdown(kill_workers=True)
            self._pool = None

    def _report(self, task: Task, future: Future[bytes]) -> Report:
        if _is_broken(future):
            # What a task does apart can't have broken the pool.
            return Death(began=not task.apart and task.number in self._begun.read())
        return received(future.result(), task)

    def _kill_overdue(self) -> None:
        limited = [t for t in self.held.values() if t.hard_seconds is not None and not t.apart]
        begun = self._begun.read() if limited else {}
        for task in limited:
            pid, since = begun.get(task.number, (0, time.monotonic()))
            if is_overdue(task, since):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _end_stuck_pool(self) -> None:
        if self._has_dead() and wait(self.held, JAM_SECONDS).not_done:
            self._unjam()

    def _has_dead(self) -> bool:
        return any(process.exitcode is not None for process in self._processes())

    def _processes(self) -> list[Any]:
        return list(self._pool._processes.values()) if self._pool else []  # noqa: SLF001

    def _unjam(self) -> None:
        # A worker killed while it sends a large result leaves half of it in the pipe and keeps the
        # pipe's lock: loky then reads on for ever and does not see that the worker is dead. With
        # every end gone that could write to the pipe, it does.
        for process in self._processes():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        pipe = self._pool._result_queue._writer  # type: ignore[union-attr] # noqa: SLF001
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - only its descriptor is of use
            # Not closed: loky does that, in another thread.
            os.dup2(nothing.fileno(), pipe.fileno())


@contextmanager
def _told() -> Iterator[None]:
    """Say what workers need where the system refuses it."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFailedError(
            f"Worker processes can't be started: {error.strerror}. They need room in /dev/shm, and "
            "files that may be open at once (`ulimit -n`); --backend threading needs neither."
        ) from None


def _start_worker(parent: int) -> None:
    # loky ends a worker that grew by 300 MB, as leaking, with a warning. Ours keep data on purpose,
    # and no more than a limit.
    loky._USE_PSUTIL = False  # noqa: SLF001
    start_worker(parent)
    limit_blas()


def _is_broken(future: Future[bytes]) -> bool:
    return isinstance(future.exception(), BrokenProcessPool)


def is_overdue(task: Task, since: float) -> bool:
    """Return whether a task has run for so long that it is to be killed.

    Args:
        task: The task.
        since: When it began, by the monotonic clock.
    """
    return task.hard_seconds is not None and time.monotonic() - since > task.hard_seconds


class _Begun:
    """The tasks that workers said they had begun, with their process and when it was read."""

    def __init__(self, workspace: Workspace) -> None:
        self._path = workspace.started
        self._read = 0
        self._tasks: dict[int, tuple[int, float]] = {}

    def read(self) -> dict[int, tuple[int, float]]:
        with self._path.open("rb") as file:
            file.seek(self._read)
            lines = file.read().splitlines(keepends=True)
        for line in lines:
            if line.endswith(b"\n"):
                number, pid = map(int, line.split())
                self._tasks[number] = (pid, time.monotonic())
                self._read += len(line)
        return self._tasks
