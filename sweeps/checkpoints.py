"""Checkpoints of long cohorts: one file each, which any worker can go on from to the same bits.

A checkpoint is named by the content of its cohort and holds the identities of its trials. One that
is torn, foreign or damaged counts as none. Imports NumPy alone: workers write and read them.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

EVERY_SECONDS = 15.0
"""A worker writes a checkpoint when so much time has passed since the last."""

_TRIALS, _SECONDS = "trials", "seconds"
_UNREADABLE = (OSError, EOFError, ValueError, KeyError, NotImplementedError, zipfile.BadZipFile)

State = Mapping[str, np.ndarray]


def checkpoint_path(folder: Path, trials: Sequence[str]) -> Path:
    """Return the file that a cohort's checkpoint is kept in.

    Args:
        folder: Where checkpoints are.
        trials: Identities of the cohort's trials, in its order.
    """
    name = hashlib.sha256("\n".join(trials).encode()).hexdigest()[:32]
    return folder / f"{name}.npz"


def write_checkpoint(path: Path, trials: Sequence[str], state: State, seconds: float) -> None:
    """Write a checkpoint, whole or not at all. Failing to is no failure: it only saves time.

    Args:
        path: The file.
        trials: Identities of the cohort's trials, in its order.
        state: What `Trainer.state` returned.
        seconds: Time spent on the cohort so far.
    """
    about = {_TRIALS: np.array(trials), _SECONDS: np.array(seconds)}
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with half.open("wb") as file:
            np.savez(file, allow_pickle=False, **{**state, **about})
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except OSError:
        with suppress(OSError):
            half.unlink(missing_ok=True)


def read_checkpoint(path: Path, trials: Sequence[str]) -> tuple[State, float] | None:
    """Return the state and the time spent that a checkpoint holds, or None if it is of no use.

    Args:
        path: The file; it need not exist.
        trials: Identities of the cohort's trials, in its order.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
            if content.pop(_TRIALS).tolist() != list(trials):
                return None
            return content, float(content.pop(_SECONDS))
    except _UNREADABLE:
        return None


def checkpointed_trials(folder: Path) -> list[list[str]]:
    """Return the identities of the trials of every checkpoint, cohort by cohort.

    Args:
        folder: Where checkpoints are; it need not exist.
    """
    found = []
    for path in sorted(folder.glob("*.npz")):
        with suppress(*_UNREADABLE), np.load(path, allow_pickle=False) as file:
            found.append([str(trial) for trial in file[_TRIALS]])
    return found


def remove_checkpoints(folder: Path, done: Iterable[str]) -> None:
    """Remove what is of no more use: checkpoints that name a trial that is done, and torn ones.

    Args:
        folder: Where checkpoints are; it need not exist.
        done: Identities of the trials with a result.
    """
    done = set(done)
    kept = {
        checkpoint_path(folder, trials)
        for trials in checkpointed_trials(folder)
        if done.isdisjoint(trials)
    }
    for path in {*folder.glob("*.npz"), *folder.glob(".*.npz.*")} - kept:
        path.unlink(missing_ok=True)
