"""Datasets handed to the workers of this machine as plain files.

They map them into memory they share; elsewhere they load datasets themselves, which takes seconds.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.data.splits import Dataset

_ABOUT = "about.json"


def hand_over(dataset: Dataset, folder: Path) -> None:
    """Write a dataset for workers to find. Failing to is no failure: it only saves time."""
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
