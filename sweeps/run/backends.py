"""Executors by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

from sweeps.errors import EnvironmentFailedError, UsageError, did_you_mean, shown
from sweeps.machine import available_cores
from sweeps.run.executors import Executor, LokyExecutor, SequentialExecutor, ThreadingExecutor
from sweeps.worker.train import one_blas_thread
from sweeps.worker.workspace import Workspace

BACKENDS = ("loky", "threading", "sequential", "dask")
"""Names of all executors."""

ISOLATING = ("loky", "dask")
"""Those whose workers are processes: what kills one does not kill the driver."""

MOST_JOBS = 8
"""Worker processes for each core, at most: each takes memory, and more of them only wait."""


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
    most = MOST_JOBS * available_cores()
    if n_jobs > most:
        raise UsageError(
            f"`jobs` must be at most {most}, {MOST_JOBS} for each core, but is {n_jobs}."
        )
    if backend == "sequential":
        if n_jobs > 1:
            raise UsageError(f"The backend sequential has one job, but `jobs` is {n_jobs}.")
        return 1
    return available_cores() if n_jobs == -1 else n_jobs


@contextmanager
def opened(
    backend: str, jobs: int, workspace: Workspace, scheduler: str | None = None
) -> Iterator[Executor]:
    """Open an executor, and end whatever runs in it at the end."""
    if backend == "dask":
        with _cluster()(scheduler, jobs) as cluster:
            yield cluster
    elif backend == "loky":
        with closing(LokyExecutor(jobs, workspace)) as processes:
            yield processes
    else:
        here = ThreadingExecutor(jobs) if backend == "threading" else SequentialExecutor()
        with one_blas_thread(), closing(here):
            yield here


def _cluster() -> Callable[[str | None, int], AbstractContextManager[Executor]]:
    try:
        # An optional dependency.
        from sweeps.run.dask import connected  # noqa: PLC0415
    except ImportError:
        raise EnvironmentFailedError(
            "The backend dask needs the package distributed: pip install 'bpsweep[dask]'."
        ) from None
    return connected
