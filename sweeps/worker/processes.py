"""Processes that don't outlive the one that started them, and what ended those that died."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sweeps.errors import KEPT, EnvironmentFailedError, is_open

WATCH_SECONDS = 0.5
"""How often a process looks for its parent where the system does not report its death."""

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""Environment of a new process that will use one BLAS thread: it starts no others."""

LEAST_ADDRESS_SPACE = 2**30
"""Bytes that the libraries, the report and OpenBLAS's buffers need; OpenBLAS ends the process or
waits for ever where there is less."""

_PR_SET_PDEATHSIG = 1
_CONTROL_GROUPS = Path("/sys/fs/cgroup")


class Abandoned(BaseException):
    """Training was asked to stop at once."""


abandoned = threading.Event()  # set to make every training of this process stop at its next cut


def start_python(code: str, *arguments: str, streams: int) -> subprocess.Popen[bytes]:
    """Start this interpreter on code, with the same modules at hand and unreachable by Ctrl-C."""
    # `streams` is its standard input and output; what it writes to standard error is piped.
    modules = "import json, sys; sys.path[:] = json.loads(sys.argv[1])"
    with unreachable_by_ctrl_c():
        return subprocess.Popen(  # noqa: S603 - this interpreter, with our own code
            [sys.executable, "-c", f"{modules}; {code}", json.dumps(sys.path), *arguments],
            stdin=streams,
            stdout=streams,
            stderr=subprocess.PIPE,
            env=os.environ | ONE_THREAD,
        )


def start_worker(parent: int) -> None:
    """Make this process a worker: it ends with its parent and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    # The parent may have died before it was watched.
    _end_without(parent)


def _watch(parent: int) -> None:
    while True:
        _end_without(parent)
        time.sleep(WATCH_SECONDS)


def _end_without(parent: int) -> None:
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def unreachable_by_ctrl_c() -> Iterator[None]:
    """Let processes and threads that are started meanwhile never see SIGINT: they inherit that."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def diverted(file: int) -> Iterator[None]:
    """Let processes that are started meanwhile write to a file what they would to the terminal."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    saved: dict[int, int] = {}
    try:
        for number in (1, 2):
            if is_open(number):
                saved[number] = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, 3)
                os.dup2(file, number)
        yield
    finally:
        for number, copy in saved.items():
            os.dup2(copy, number)
            os.close(copy)


def file_or_nothing() -> IO[bytes]:
    """Return a file for what processes write, or the null device where there is no room for one."""
    try:
        return tempfile.TemporaryFile(buffering=0)
    except OSError:
        return open(os.devnull, "r+b", buffering=0)  # noqa: PTH123 - closed by the caller


def not_startable(why: str) -> str:
    """Return that workers can't be started, why, and what can be done about it."""
    return (
        f"Workers can't be started: {why.rstrip('.')}. Limits here: {limits()}; worker processes "
        "also need room in /dev/shm. Raise what is short, use fewer --jobs, or --backend "
        f"sequential, which starts none. {KEPT} to go on."
    )


def limits() -> str:
    """Return the limits that may keep this process from starting others, in words."""
    named = {
        "open files (`ulimit -n`)": _limit(resource.RLIMIT_NOFILE),
        "bytes of address space (RLIMIT_AS, `ulimit -v`)": _limit(resource.RLIMIT_AS),
        # Does not hold for root.
        "processes and threads of this user (RLIMIT_NPROC, `ulimit -u`)": (
            _limit(resource.RLIMIT_NPROC) if os.geteuid() else None
        ),
        "processes and threads of the container (pids.max of the control group)": _pids_max(),
    }
    return ", ".join(f"{most} {what}" for what, most in named.items() if most is not None)


def _limit(kind: int) -> int | None:
    soft, _ = resource.getrlimit(kind)
    return None if soft == resource.RLIM_INFINITY else soft


def _pids_max() -> int | None:
    """Return how many processes and threads the control groups of this process may have."""
    limit: list[int] = []
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in {"", "pids"}:
                group = _CONTROL_GROUPS / controllers / path.lstrip("/")
                for folder in (group, *group.parents):
                    with suppress(OSError, ValueError):  # "max", or not there
                        limit.append(int((folder / "pids.max").read_text("utf-8")))
    return min(limit, default=None)


def check_address_space() -> None:
    """Check that there is room for what every command loads."""
    most = _limit(resource.RLIMIT_AS)
    if most is not None and most < LEAST_ADDRESS_SPACE:
        raise EnvironmentFailedError(
            f"The address space of this process is limited to {most // 2**10} KiB (RLIMIT_AS), but "
            f"bpsweep needs {LEAST_ADDRESS_SPACE // 2**10}: raise it (`ulimit -v unlimited`) and "
            "run the same command again."
        )


def ending(returncode: int) -> str:
    """Return what ended a process; a negative code is minus the number of a signal."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"
