"""Trials and outcomes for stores, made up rather than trained."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from faults import configuration

from sweeps.design.trials import Trial, settings_of
from sweeps.store._store import Store
from sweeps.store.folder import FILE
from sweeps.worker.train import CURVE_WIDTH, FINAL_VALUES, Outcome


def trials(count: int) -> list[Trial]:
    """Return different trials."""
    shared = configuration()
    return [Trial(shared, settings_of("sgd", 0.5, {}), seed) for seed in range(count)]


def outcome(trial: Trial, **changes: Any) -> Outcome:
    """Return what a trial could have given, the same for the same trial."""
    points = np.arange(3.0)[:, np.newaxis]
    curve = np.hstack(
        [points * 36, points * 5, (trial.seed + points) / (1 + np.arange(CURVE_WIDTH - 2.0))]
    )
    curve[:, 6:] = np.nan
    values: dict[str, Any] = {
        "trial": trial.identity,
        "status": "ok",
        "diverged_at_update": -1,
        "stopped_at_update": -1,
        "updates": 10,
        "examples": 72,
        "judged_at_update": 10,
        **dict(zip(FINAL_VALUES, curve[-1, 2:6].tolist(), strict=False)),
        "test_loss": np.nan,
        "test_metric": np.nan,
        "error": "",
        "train_seconds": 0.5,
        "started": 1_700_000_000.0 + trial.seed,
        "ended": 1_700_000_000.5 + trial.seed,
        "curve": curve,
    }
    return Outcome(**values | changes)


def failure(trial: Trial, status: str = "error", error: str = "no reason") -> Outcome:
    """Return a failure of a trial."""
    return outcome(trial, status=status, error=error, curve=np.empty((0, CURVE_WIDTH)))


def other(trial: Trial, change: float = 1e-9) -> Outcome:
    """Return what a trial can't have given if it gave its `outcome`."""
    first = outcome(trial)
    factors = np.ones(CURVE_WIDTH)
    factors[2] += change
    return replace(first, curve=first.curve * factors)


def fill(folder: Path, members: list[Trial], name: str = "made") -> None:
    """Make a store that holds the outcomes of trials."""
    with Store.write(folder, name) as store:
        store.add(members, [outcome(trial) for trial in members])


def forget(folder: Path, *identities: str) -> None:
    """Remove trials from a store, behind its back."""
    with contextlib.closing(sqlite3.connect(folder / FILE)) as connection, connection:
        connection.executemany("DELETE FROM trials WHERE trial = ?", [(i,) for i in identities])


@contextlib.contextmanager
def unwritable_folder() -> Iterator[Path]:
    """Yield a folder that can't be written to inside, as the superuser neither."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o777)


def forbid_writing(folder: Path) -> None:
    """Make a folder unwritable, until `unwritable_folder` ends."""
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
