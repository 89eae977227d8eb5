"""The part of a study's folder in which the driver and its workers meet."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sweeps.errors import ResourceError

NAME = ".work"


@dataclass(frozen=True)
class Workspace:
    """A folder beside the store, of no value once a study is done.

    Attributes:
        folder: The folder. On a machine without it, workers do without.
    """

    folder: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints; what outlives a session."""
        return self.folder / "checkpoints"

    @property
    def data(self) -> Path:
        """Folder of datasets that are handed over."""
        return self.folder / "data"

    @property
    def started(self) -> Path:
        """File to which workers append the tasks that they start."""
        return self.folder / "started"

    def open(self) -> None:
        """Make the folder, without anything of an earlier session but checkpoints.

        Raises:
            ResourceError: It can't be written to.
        """
        try:
            self._clear()
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            self.data.mkdir(exist_ok=True)
            self.started.write_bytes(b"")
        except OSError as error:
            raise ResourceError(f"{self.folder} can't be written to: {error.strerror}.") from None

    def close(self) -> None:
        """Remove the folder, but for checkpoints that a later session can go on from."""
        self._clear()
        if not any(self.checkpoints.glob("*.npz")):
            shutil.rmtree(self.folder, ignore_errors=True)

    def _clear(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.started.unlink(missing_ok=True)
