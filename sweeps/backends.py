"""Executors by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from sweeps.errors import EnvironmentFailedError
from sweeps.executors import Executor, LokyExecutor, SequentialExecutor, ThreadingExecutor
from sweeps.workspace import Workspace

BACKENDS = ("loky", "threading", "sequential", "dask")
"""Names of all executors."""

ISOLATING = ("loky", "dask")
"""Those whose workers are processes: what kills one does not kill the driver."""


@contextmanager
def opened(
    backend: str, jobs: int, workspace: Workspace, scheduler: str | None = None
) -> Iterator[Executor]:
    """Open an executor, and end whatever runs in it at the end.

    Args:
        backend: Name in `BACKENDS`.
        jobs: Worker processes or threads, at least 1; not looked at where there is a scheduler.
        workspace: Where driver and workers meet.
        scheduler: Address of a Dask scheduler; None for a cluster of one's own.

    Yields:
        The executor.

    Raises:
        EnvironmentFailedError: Dask is missing, or its cluster can't run trials.
    """
    if backend == "dask":
        with _cluster()(scheduler, jobs) as executor:
            yield executor
        return
    local: dict[str, Callable[[], Executor]] = {
        "loky": lambda: LokyExecutor(jobs, workspace),
        "threading": lambda: ThreadingExecutor(jobs),
        "sequential": SequentialExecutor,
    }
    executor = local[backend]()
    try:
        yield executor
    finally:
        executor.close()


def _cluster() -> Callable[[str | None, int], AbstractContextManager[Executor]]:
    try:
        # An optional dependency.
        from sweeps.cluster import connected  # noqa: PLC0415
    except ImportError:
        raise EnvironmentFailedError(
            "The backend dask needs the package distributed: pip install 'bpsweep[dask]'."
        ) from None
    return connected
