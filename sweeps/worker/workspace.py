"""The part of a study's folder in which the driver and its workers meet."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sweeps.errors import ResourceError, refuse_links

NAME = ".work"


@dataclass(frozen=True)
class Workspace:
    """A folder beside the store, of no value once a study is done; elsewhere workers do without."""

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
