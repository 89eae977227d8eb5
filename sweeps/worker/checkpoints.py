"""Checkpoints of long cohorts: one file each, which any worker can go on from to the same bits.

One that is torn, foreign or damaged counts as none.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from sweeps.design import Cohort, Trial

EVERY_SECONDS = 15.0  # a worker writes a checkpoint when so much time has passed since the last

_TRIALS = "trials"

State = Mapping[str, np.ndarray]


def checkpoint_path(folder: Path, trials: Sequence[str]) -> Path:
    """Return the file of a cohort's checkpoint, named by the identities of its trials in order."""
    name = hashlib.sha256("\n".join(trials).encode()).hexdigest()[:32]
    return folder / f"{name}.npz"


def write_checkpoint(path: Path, trials: Sequence[str], state: State) -> None:
    """Write a checkpoint, whole or not at all. Failing to is no failure: it only saves time."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with half.open("wb") as file:
            np.savez(file, allow_pickle=False, **{**state, _TRIALS: np.array(trials)})
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except OSError:
        with suppress(OSError):
            half.unlink(missing_ok=True)


def read_checkpoint(path: Path, trials: Sequence[str]) -> State | None:
    """Return the state that a checkpoint holds, or None if it is of no use."""
    content = _read(path)
    if content is None or _names(content) != list(trials):
        return None
    return {name: array for name, array in content.items() if name != _TRIALS}


def unfinished_cohorts(folder: Path, trials: Iterable[Trial]) -> list[Cohort]:
    """Return the cohorts that were cut and can go on: planned otherwise, they would begin anew."""
    missing = {trial.identity: trial for trial in trials}
    cohorts = []
    for names in _checkpointed(folder):
        if missing.keys() >= set(names):
            members = [missing.pop(name) for name in names]
            seeds = tuple(dict.fromkeys(trial.seed for trial in members))
            settings = tuple(dict.fromkeys(trial.settings for trial in members))
            cohorts.append(Cohort(members[0].configuration, seeds, settings))
    return cohorts


def _checkpointed(folder: Path) -> list[list[str]]:
    named = {path: _names(_read(path) or {}) for path in sorted(folder.glob("*.npz"))}
    return [names for path, names in named.items() if path == checkpoint_path(folder, names)]


def _names(content: State) -> list[str]:
    return content[_TRIALS].tolist() if _TRIALS in content else []


def _read(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception:  # noqa: BLE001 - NumPy and zipfile fail in a dozen ways on what is damaged
        return None


def remove_checkpoints(folder: Path, done: Iterable[str]) -> None:
    """Remove what is of no more use: checkpoints that name a trial that is done, and torn ones."""
    done = set(done)
    kept = {
        checkpoint_path(folder, trials)
        for trials in _checkpointed(folder)
        if done.isdisjoint(trials)
    }
    for path in {*folder.glob("*.npz"), *folder.glob(".*.npz.*")} - kept:
        path.unlink(missing_ok=True)
