"""A task in a process of its own: what kills it kills nothing else, and is known for sure."""

from __future__ import annotations

import faulthandler
import os
import pickle
import subprocess
import sys

import numpy as np

from sweeps.worker.processes import ending, start_python, start_worker
from sweeps.worker.tasks import Death, Task, Work, packed, perform
from sweeps.worker.train import limit_blas

CODE = "from sweeps.worker.isolated import main; main()"
_READY = b"\n"


def perform_apart(work: Work, task: Task) -> bytes:
    """Do a task in a new process and wait for it."""
    try:
        process = start_python(CODE, streams=subprocess.PIPE)
    except OSError as error:
        return packed(Death(str(error), began=False))
    try:
        answer, errors = process.communicate(
            pickle.dumps((os.getpid(), work, task)), timeout=task.hard_seconds
        )
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return packed(Death("no end", overdue=True))
    finally:
        process.kill()
    began, result = answer[:1] == _READY, answer[1:]
    if process.returncode or not result:
        where = [line for line in errors.decode(errors="replace").splitlines() if line[:2] == "  "]
        return packed(Death("\n".join([ending(process.returncode), *where]), began))
    return result


def main() -> None:
    """Do the task that comes on standard input and answer on standard output."""
    faulthandler.enable()
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answer:
        # What a library prints must not get into the answer.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        parent, work, task = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent
        start_worker(parent)
        # A machine on which this dies can't run any trial, and none is to blame.
        limit_blas()
        _ = np.ones((8, 8)) @ np.ones((8, 8))
        answer.write(_READY)
        answer.flush()
        answer.write(perform(work, task))
