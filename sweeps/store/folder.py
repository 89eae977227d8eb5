"""The folder of a study, before anything of it is read."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from sweeps.errors import StoreError, did_you_mean_path

FILE, LOCK = "study.db", ".lock"  # names of the store, and of what a run holds while it goes on
CHECKED = ".checked"  # name of the note that all of a store was sound when its last run ended

SAFELY = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""A received folder may hold a link to a file of the user's, or a pipe that nobody writes to."""


def with_study(folder: str) -> Path:
    """Return a folder that holds a study, or in which a run has just begun; refuse any other."""
    path = Path(folder)
    for name in (FILE, LOCK):
        with suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(path / name)  # whatever else the system says against it is told as it is
            return path
    raise no_study(path)


def no_study(folder: Path) -> StoreError:
    """Return what to say of a folder without a study."""
    hint = did_you_mean_path(folder, FILE)
    return StoreError(f"{folder} holds no study: there is no {FILE} in it.{hint}")
