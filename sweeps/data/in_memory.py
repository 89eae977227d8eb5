"""Data of a program, such as arrays: written as a file, so that a study goes on without it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.errors import UsageError, shown

TABLE, ARRAYS = DATA_FILES = "data.csv", "data.npz"
"""Names of the files in a study's folder."""


@dataclass(frozen=True)
class InMemory:
    """Data as the file that keeps them in a study's folder."""

    name: str
    content: bytes
    targets: Sequence[str] = ()  # columns to learn, of a table

    def kept(self, folder: Path) -> dict[str, Any]:
        """Write the file into a folder, and return what a specification of it writes."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / self.name).write_bytes(self.content)
        targets = self.targets[0] if len(self.targets) == 1 else [*self.targets]
        return {"path": self.name} | ({"target": targets} if targets else {})


def in_memory(data: object, target: object = None) -> InMemory | None:
    """Return `(X, y)` or a DataFrame with its targets as a file; None for what names data."""
    if isinstance(data, str | Path | Mapping):
        return None
    if hasattr(data, "to_csv") and hasattr(data, "columns"):
        return _frame(data, target)
    if isinstance(data, tuple) and len(data) == 2:  # noqa: PLR2004 - features and targets
        return _arrays(*data)
    raise UsageError(
        "dataset: must be a name, a path, (X, y) or a DataFrame with target=COLUMN, but is "
        f"{shown(type(data).__name__)}."
    )


def _frame(frame: Any, target: object) -> InMemory:  # noqa: ANN401 - a DataFrame
    names = [target] if isinstance(target, str) else target
    known = [*map(str, frame.columns)]
    if not (isinstance(names, Sequence) and names and {*names} <= {*known}):
        raise UsageError(
            f"target: must be one or more of the frame's columns ({', '.join(known[:20])}), but is "
            f"{shown(target)}."
        )
    text = frame.to_csv(index=False, lineterminator="\n")
    return InMemory(TABLE, text.encode(), names)


def _arrays(inputs: Any, targets: object) -> InMemory:  # noqa: ANN401
    if hasattr(inputs, "columns"):  # names of features and texts in them stay
        values = np.asarray(targets)
        columns = values.reshape(len(values), -1).T
        names = [f"target {number}" for number in range(1, 1 + len(columns))]
        return _frame(inputs.assign(**dict(zip(names, columns, strict=True))), names)
    file = io.BytesIO()
    np.savez_compressed(file, X=np.asarray(inputs), y=np.asarray(targets))
    return InMemory(ARRAYS, file.getvalue())
