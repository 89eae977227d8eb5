"""Where tasks run: in worker processes, in threads, in this process, or on a Dask cluster.

All give the same outcomes to the byte. loky and Dask survive what kills a worker.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext, suppress
from typing import IO, Any, Protocol

from joblib.externals.loky import process_executor as loky

from sweeps.errors import EnvironmentFailedError, refusal
from sweeps.worker.isolated import perform_apart
from sweeps.worker.processes import (
    ONE_THREAD,
    diverted,
    limits,
    start_worker,
    unreachable_by_ctrl_c,
)
from sweeps.worker.tasks import Death, Mismatch, Report, Task, Work, perform, received
from sweeps.worker.train import abandoned, limit_blas
from sweeps.worker.workspace import Workspace

_MOST_WORDS = 10_000

JAM_SECONDS = 1.0
"""A pool notices at once that a worker has died; if it has not after this, it is jammed."""


class Executor(Protocol):
    """Runs tasks."""

    @property
    def slots(self) -> int:
        """How many tasks run at once; it is not given more."""

    def submit(self, work: Work, task: Task) -> None:
        """Take a task; one that is to run apart gets a process of its own."""

    def wait(self, seconds: float) -> list[tuple[Task, Report]]:
        """Return the tasks that have ended since, with their outcomes or the death of a process."""

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
    """Runs tasks in threads of this process. What kills one kills this process."""

    def __init__(self, jobs: int) -> None:
        self.slots = jobs
        self._pool = ThreadPoolExecutor(jobs)
        self._held: dict[Future[bytes], Task] = {}

    def submit(self, work: Work, task: Task) -> None:
        """Start a task."""
        with _startable():
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

    One process that dies takes its pool with it: all its tasks are reported as dead, and the next
    one starts a new pool.
    """

    def __init__(self, jobs: int, workspace: Workspace) -> None:
        self.slots = jobs
        self._begun = _Begun(workspace)
        self._pool: loky.ProcessPoolExecutor | None = None
        self._output = file_or_nothing()
        self._hook, threading.excepthook = threading.excepthook, self._note_failure
        self._failure = ""
        self.held: dict[Future[bytes], Task] = {}

    def submit(self, work: Work, task: Task) -> None:
        """Start a task, in a new pool if there is none."""
        # Later on the pool starts no process.
        apart = nullcontext() if self._pool else diverted(self._output.fileno())
        with unreachable_by_ctrl_c(), _startable(), apart:
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
            self._check_manager()
            self._end_stuck_pool()
        if any(_is_broken(future) for future in done):
            done, _ = wait(self.held)
            self._end_pool()
        ended = [(self.held.pop(future), future) for future in done]
        return [(task, self._report(task, future)) for task, future in ended]

    def close(self) -> None:
        """Kill the workers."""
        self._end_pool()
        self._output.close()
        threading.excepthook = self._hook

    def _end_pool(self) -> None:
        pool, processes = self._pool, self._processes()
        if pool is None:
            return
        if self._has_manager():
            self._end_stuck_pool()
            pool.shutdown(kill_workers=True)
        else:
            # It is what would kill them, and be waited for.
            self._kill(processes)
            pool.shutdown(wait=False)
            for process in processes:
                process.join()
        self._pool = None

    def _has_manager(self) -> bool:
        manager = self._pool and self._pool._executor_manager_thread  # noqa: SLF001
        return bool(manager and manager.is_alive())

    def _check_manager(self) -> None:
        # loky waits for ever for what the thread that manages its pool would have brought.
        if self._pool and not self._has_manager() and not any(map(Future.done, self.held)):
            why = self._failure or "the thread that manages their pool has ended"
            raise EnvironmentFailedError(not_startable(why))

    def _note_failure(self, failure: threading.ExceptHookArgs) -> None:
        if isinstance(failure.thread, loky._ExecutorManagerThread):  # noqa: SLF001
            self._failure = str(failure.exc_value)
        else:
            self._hook(failure)

    def _report(self, task: Task, future: Future[bytes]) -> Report:
        if _is_broken(future):
            # What a task does apart can't have broken the pool.
            began = not task.apart and self._begun.may_hold(task.number)
            return Death("" if began else self._last_words(), began=began)
        try:
            content = future.result()
        except Exception as error:  # noqa: BLE001 - whatever keeps it from being sent or started
            raise EnvironmentFailedError(not_startable(str(error))) from None
        report = received(content, task)
        if isinstance(report, Mismatch):
            raise EnvironmentFailedError(
                "bpsweep or NumPy was changed while it ran: a new process has "
                f"{report.versions}, but this one has {task.versions}. Every trial that had ended "
                "is kept: run the same command again to go on."
            )
        return report

    def _last_words(self) -> str:
        """Return the last line that processes wrote which were to be workers."""
        with suppress(OSError):
            size = os.fstat(self._output.fileno()).st_size
            text = os.pread(self._output.fileno(), _MOST_WORDS, max(0, size - _MOST_WORDS))
            lines = text.decode(errors="replace").splitlines()
            return next((line.strip() for line in reversed(lines) if line.strip(" -")), "")
        return ""

    def _kill_overdue(self) -> None:
        limited = [t for t in self.held.values() if t.hard_seconds is not None and not t.apart]
        begun = self._begun.read() if limited else {}
        for task in limited:
            pid, since = begun.get(task.number, (0, time.monotonic()))
            if is_overdue(task, since):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _end_stuck_pool(self) -> None:
        has_dead = any(process.exitcode is not None for process in self._processes())
        if has_dead and wait(self.held, JAM_SECONDS).not_done:
            self._unjam()

    def _processes(self) -> list[Any]:
        return list(self._pool._processes.values()) if self._pool else []  # noqa: SLF001

    def _unjam(self) -> None:
        # A worker killed while it sends a large result leaves half of it in the pipe and keeps the
        # pipe's lock: loky then reads on for ever and does not see that the worker is dead. With
        # every end gone that could write to the pipe, it does.
        self._kill(self._processes())
        pipe = self._pool._result_queue._writer  # type: ignore[union-attr] # noqa: SLF001
        with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - only its descriptor is of use
            # Not closed: loky does that, in another thread.
            os.dup2(nothing.fileno(), pipe.fileno())

    @staticmethod
    def _kill(processes: list[Any]) -> None:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


def file_or_nothing() -> IO[bytes]:
    """Return a file for what processes write, or the null device where there is no room for one."""
    try:
        return tempfile.TemporaryFile(buffering=0)
    except OSError:
        return open(os.devnull, "r+b", buffering=0)  # noqa: PTH123 - closed with the pool


@contextmanager
def _startable() -> Iterator[None]:
    """Say what workers need where the system refuses it."""
    try:
        yield
    except Exception as error:
        # loky may stumble over what it has not made yet when the system refuses something.
        why = error if refusal(error) or isinstance(error, OSError) else error.__context__
        if not isinstance(why, OSError | RuntimeError | MemoryError):
            raise
        said = getattr(why, "strerror", None) or str(why)
        raise EnvironmentFailedError(not_startable(said)) from None


def not_startable(why: str) -> str:
    """Return that workers can't be started, why, and what can be done about it."""
    return (
        f"Workers can't be started: {why.rstrip('.')}. Limits here: {limits()}; worker processes "
        "also need room in /dev/shm. Raise what is short, use fewer --jobs, or --backend "
        "sequential, which starts none. Every trial that had ended is kept: run the same command "
        "again to go on."
    )


def _start_worker(parent: int) -> None:
    # loky ends a worker that grew by 300 MB, as leaking, with a warning. Ours keep data on purpose,
    # and no more than a limit.
    loky._USE_PSUTIL = False  # noqa: SLF001
    start_worker(parent)
    limit_blas()


def _is_broken(future: Future[bytes]) -> bool:
    return isinstance(future.exception(), BrokenProcessPool)


def is_overdue(task: Task, since: float) -> bool:
    """Return whether a task that began then, on the monotonic clock, is to be killed."""
    return task.hard_seconds is not None and time.monotonic() - since > task.hard_seconds


class _Begun:
    """The tasks that workers said they had begun, with their process and when it was read."""

    def __init__(self, workspace: Workspace) -> None:
        self._path = workspace.started
        self._read = 0
        self._tasks: dict[int, tuple[int, float]] = {}

    def may_hold(self, number: int) -> bool:
        """Return whether a task had begun, as far as can be known: the file may be removed."""
        return number in self.read() or not self._path.exists()

    def read(self) -> dict[int, tuple[int, float]]:
        lines: list[bytes] = []
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._read)
            lines = file.read().splitlines(keepends=True)
        for line in lines:
            if line.endswith(b"\n"):
                number, pid = map(int, line.split())
                self._tasks[number] = (pid, time.monotonic())
                self._read += len(line)
        return self._tasks
