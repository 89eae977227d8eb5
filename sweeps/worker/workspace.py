"""The part of a study's folder in which the driver and its workers meet."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.data import Dataset
from sweeps.errors import ResourceError, refuse_links

NAME = ".work"
_ABOUT = "about.json"


@dataclass(frozen=True)
class Workspace:
    """A folder next to the store, of no value once a study is done; workers elsewhere have none."""

    folder: Path

    @property
    def checkpoints(self) -> Path:
        """What outlives a session."""
        return self.folder / "checkpoints"

    @property
    def data(self) -> Path:
        """Folder of datasets that are handed over."""
        return self.folder / "data"

    @property
    def started(self) -> Path:
        """File to which workers append the tasks that they start."""
        return self.folder / "started"

    def refuse_links(self) -> None:
        """Refuse a folder that leads elsewhere, or holds what does."""
        refuse_links(self.folder)
        for folder, folders, files in os.walk(self.folder):
            refuse_links(*(Path(folder, name) for name in (*folders, *files)))

    def open(self) -> None:
        """Make the folder, without anything of an earlier session but checkpoints."""
        try:
            self._clear()
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            self.data.mkdir(exist_ok=True)
            self.started.write_bytes(b"")
        except OSError as error:
            raise ResourceError(f"{self.folder} can't be written to: {error.strerror}.") from None

    def close(self) -> None:
        """Remove the folder, but for checkpoints to go on from and for files of others."""
        self._clear()
        for folder in (self.checkpoints, self.folder):
            with suppress(OSError):
                folder.rmdir()

    def _clear(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.started.unlink(missing_ok=True)


def hand_over(dataset: Dataset, folder: Path) -> None:
    """Write a dataset for workers to map into memory. Failing to is no failure: it saves time."""
    values = {field.name: getattr(dataset, field.name) for field in fields(Dataset)}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    about = {name: value for name, value in values.items() if name not in arrays}
    try:
        half = Path(tempfile.mkdtemp(dir=folder))
    except OSError:
        return
    try:
        for name, array in arrays.items():
            np.save(half / f"{name}.npy", array, allow_pickle=False)
        (half / _ABOUT).write_text(json.dumps(about), "utf-8")
        half.rename(folder / dataset.fingerprint)
    except OSError:
        shutil.rmtree(half, ignore_errors=True)


def handed_over(fingerprint: str, folder: Path) -> Dataset | None:
    """Return a dataset that was handed over, or None if it is not there."""
    dataset_folder = folder / fingerprint
    values: dict[str, Any] = {}
    with suppress(OSError, EOFError, ValueError, TypeError):
        about = json.loads((dataset_folder / _ABOUT).read_text("utf-8"))
        values |= {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in about.items()
        }
        for path in dataset_folder.glob("*.npy"):
            values[path.stem] = np.load(path, mmap_mode="r", allow_pickle=False)
        return Dataset(**values)
    return None
