"""Processes that don't outlive the one that started them, and what ended those that died."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

WATCH_SECONDS = 0.5
"""How often a process looks for its parent where the system does not tell of its death."""

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
"""Environment of a new process that will use one BLAS thread: it starts no others."""

_PR_SET_PDEATHSIG = 1


def start_worker(parent: int) -> None:
    """Make this process a worker: it ends with its parent and leaves Ctrl-C to it.

    Args:
        parent: Process id of the one that started it.
    """
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
    """Let processes and threads that are started meanwhile never see SIGINT.

    They inherit that it is blocked. One that is sent to this thread is delivered at the end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ending(returncode: int) -> str:
    """Return what ended a process, in words.

    Args:
        returncode: Its exit code, or minus the signal's number.

    Example:
        >>> ending(-9), ending(3)
        ('SIGKILL', 'exit code 3')
    """
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"
