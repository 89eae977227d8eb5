"""Files of fitted estimators: `.npz` archives that hold no pickles."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

FORMAT_VERSION = 1
"""Version of the files that `write` makes. `read` takes all up to this one."""

_HEADER = "bpengine_estimator"


def write(
    path: str | os.PathLike[str], header: Mapping[str, object], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write an estimator's file.

    Args:
        path: The file, replaced if it exists. No suffix is added.
        header: What JSON can hold; "estimator" names the class.
        arrays: All else, by name.

    Raises:
        TypeError: The header holds what JSON can't.
    """
    text = json.dumps({"version": FORMAT_VERSION, **header}, default=_plain)
    with Path(path).open("wb") as file:
        np.savez(file, allow_pickle=False, **{_HEADER: np.array(text), **arrays})


def read(
    path: str | os.PathLike[str], estimator: str
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return header and arrays of an estimator's file.

    Args:
        path: The file.
        estimator: Name of the class that is wanted.

    Raises:
        ValueError: `write` didn't make the file, it is newer than this version of the package, or
            it holds another estimator.
    """
    name, arrays = os.fspath(path), dict[str, np.ndarray]()
    with Path(path).open("rb") as file:
        if zipfile.is_zipfile(file):
            file.seek(0)
            with np.load(file, allow_pickle=False) as members:
                arrays = dict(members) if _HEADER in members else arrays
    if not arrays:
        raise ValueError(f"{name} is not a file that an estimator of bpengine saved.")
    header = json.loads(str(arrays.pop(_HEADER)))
    if header["version"] > FORMAT_VERSION:
        raise ValueError(
            f"{name} has format version {header['version']}, but this bpengine reads only up to "
            f"{FORMAT_VERSION}: it takes a newer one."
        )
    if header["estimator"] != estimator:
        raise ValueError(f"{name} holds a {header['estimator']}, not a {estimator}.")
    return header, arrays


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(
        f"Parameters must be numbers, texts or None to be saved, but one is {value!r}: give "
        "'random_state' as an int."
    )
