"""Where tasks run: in worker processes, in threads, in this process, or on a Dask cluster."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Protocol

from joblib import cpu_count

from sweeps.errors import KEPT, EnvironmentFailedError, UsageError, did_you_mean, refusal, shown
from sweeps.worker.isolated import perform_apart
from sweeps.worker.processes import (
    ONE_THREAD,
    abandoned,
    diverted,
    file_or_nothing,
    not_startable,
    start_worker,
    unreachable_by_ctrl_c,
)
from sweeps.worker.tasks import Death, Mismatch, Report, Task, Work, perform, received
from sweeps.worker.train import limit_blas, one_blas_thread
from sweeps.worker.workspace import Workspace

if TYPE_CHECKING:
    from joblib.externals.loky import process_executor as loky

BACKENDS = ("loky", "threading", "sequential", "dask")  # names of all executors
ISOLATING = ("loky", "dask")
"""Those whose workers are processes: what kills one does not kill the driver."""

MOST_JOBS = 8
"""Worker processes for each core, at most: each takes memory, and more of them only wait."""

_MOST_WORDS = 10_000

JAM_SECONDS = 1.0
"""A pool notices at once that a worker has died; if it has not after this, it is jammed."""


class Executor(Protocol):
    """Runs tasks."""

    def room(self, waiting: int) -> int:
        """Return how many tasks it takes now; some depend on how many wait."""

    def submit(self, work: Work, task: Task) -> None:
        """Take a task; one that is to run apart gets a process of its own."""

    def wait(self, seconds: float) -> list[tuple[Task, Report]]:
        """Return the tasks that have ended since, with their outcomes or the death of a process."""

    def close(self) -> None:
        """End everything at once, whatever still runs."""


class _Slots:
    """The part of an executor that has as many tasks as it runs at once, and no more."""

    slots: int
    held: Collection[object]

    def room(self, waiting: int) -> int:  # noqa: ARG002
        """Return how many tasks it takes now."""
        return self.slots - len(self.held)


class SequentialExecutor(_Slots):
    """Runs tasks in this thread, one after the other. What kills one kills this process."""

    slots = 1

    def __init__(self) -> None:
        self.held: deque[tuple[Work, Task]] = deque()

    def submit(self, work: Work, task: Task) -> None:
        """Take a task; it runs when it is waited for."""
        self.held.append((work, task))

    def wait(self, seconds: float) -> list[tuple[Task, Report]]:  # noqa: ARG002
        """Run the task that was taken first."""
        work, task = self.held.popleft()
        return [(task, received(perform(work, task), task))]

    def close(self) -> None:
        """Forget what was not begun."""
        self.held.clear()


class ThreadingExecutor(_Slots):
    """Runs tasks in threads of this process. What kills one kills this process."""

    def __init__(self, jobs: int) -> None:
        self.slots = jobs
        self._pool = ThreadPoolExecutor(jobs)
        self.held: dict[Future[bytes], Task] = {}

    def submit(self, work: Work, task: Task) -> None:
        """Start a task."""
        with _startable():
            self.held[self._pool.submit(perform, work, task)] = task

    def wait(self, seconds: float) -> list[tuple[Task, Report]]:
        """Return the tasks that have ended."""
        done, _ = wait(self.held, seconds, FIRST_COMPLETED)
        ended = [(self.held.pop(future), future) for future in done]
        return [(task, received(future.result(), task)) for task, future in ended]

    def close(self) -> None:
        """Let every thread stop at its next cut."""
        abandoned.set()
        self._pool.shutdown(cancel_futures=True)
        abandoned.clear()


class LokyExecutor(_Slots):
    """Runs tasks in joblib's loky processes; one that dies takes its pool and all tasks with it."""

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
        from joblib.externals.loky import process_executor as loky  # noqa: PLC0415 - takes long

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
            # One may have died just now, unnoticed: who has not delivered is killed anyway.
            if wait(self.held, 0).not_done:
                self._unjam()
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
        from joblib.externals.loky import process_executor as loky  # noqa: PLC0415 - takes long

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
                f"{report.versions}, but this one has {task.versions}. {KEPT} to go on."
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
            if task.is_overdue(since):
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


def _start_worker(parent: int) -> None:
    from joblib.externals.loky import process_executor as loky  # noqa: PLC0415 - takes long

    # loky ends a worker that grew by 300 MB, as leaking, with a warning. Ours keep data on purpose,
    # and no more than a limit.
    loky._USE_PSUTIL = False  # noqa: SLF001
    start_worker(parent)
    limit_blas()


def _is_broken(future: Future[bytes]) -> bool:
    return isinstance(future.exception(), BrokenProcessPool)


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


def jobs_of(backend: str, n_jobs: int, scheduler: str | None) -> int:
    """Return how many jobs a user asked for: -1 is for all cores; refuse what goes not together."""
    if backend not in BACKENDS:
        raise UsageError(
            f"`backend` must be one of {', '.join(BACKENDS)}, but is {shown(backend)}."
            f"{did_you_mean(backend, BACKENDS)}"
        )
    if scheduler is not None and backend != "dask":
        raise UsageError(f"A scheduler is for the backend dask, but `backend` is {backend}.")
    if n_jobs < 1 and n_jobs != -1:
        raise UsageError(f"`jobs` must be at least 1, or -1 for all cores, but is {n_jobs}.")
    most = MOST_JOBS * cpu_count()
    if n_jobs > most:
        raise UsageError(
            f"`jobs` must be at most {most}, {MOST_JOBS} for each core, but is {n_jobs}."
        )
    if backend == "sequential":
        if n_jobs > 1:
            raise UsageError(f"The backend sequential has one job, but `jobs` is {n_jobs}.")
        return 1
    return cpu_count() if n_jobs == -1 else n_jobs


@contextmanager
def opened(
    backend: str,
    jobs: int,
    workspace: Workspace,
    scheduler: str | None = None,
    resources: Mapping[str, float] | None = None,
) -> Iterator[Executor]:
    """Open an executor, and end whatever runs in it at the end."""
    if backend == "dask":
        try:
            from sweeps.run._dask import connected  # noqa: PLC0415 - needs an optional package
        except ImportError:
            text = "The backend dask needs the package distributed: pip install 'bpsweep[dask]'."
            raise EnvironmentFailedError(text) from None
        with connected(scheduler, jobs, resources or {}) as cluster:
            yield cluster
    elif backend == "loky":
        with closing(LokyExecutor(jobs, workspace)) as processes:
            yield processes
    else:
        here = ThreadingExecutor(jobs) if backend == "threading" else SequentialExecutor()
        with one_blas_thread(), closing(here):
            yield here
